"""Retention paths as pictures: SVG of our own, DOT for Graphviz."""
