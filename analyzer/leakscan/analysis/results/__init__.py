"""What the analysis finds: frozen dataclasses that every other part is made from.

No computing, no printing, nothing that needs a heap."""
