"""Answers as one HTML file, and as what a notebook shows."""
