"""Findings become text, pages, pictures and files to share; nothing here computes a finding.

Beside the packages: what all of them need to name, fold and mark the steps of a path.
"""
