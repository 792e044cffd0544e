"""Shared fixtures. Drawn heaps are in tests/heaps.py."""
