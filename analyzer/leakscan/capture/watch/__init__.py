"""Watching one process until its memory passes a threshold, and what is done then."""
