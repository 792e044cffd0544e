"""The folder that `capture` puts on PYTHONPATH of a program, for its `sitecustomize`."""
