"""Answers as lines on a screen of 80 columns or more."""
