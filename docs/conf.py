"""Sphinx configuration: MyST pages, the furo theme, nothing fetched while building."""

project = "leakscan"
copyright = "2026, the leakscan authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "leakscan"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
autodoc_typehints = "signature"
nitpicky = False
