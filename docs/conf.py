"""The documentation site: `make docs`."""

project = "leeward"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "leeward"
myst_heading_anchors = 3
exclude_patterns = ["_build"]
