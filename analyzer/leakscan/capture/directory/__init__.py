"""The capture directory: `run.json`, `census.jsonl` and the snapshots.

Written while the target runs, and readable however it was stopped.
"""
