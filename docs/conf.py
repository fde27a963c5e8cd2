"""The documentation site: `make docs`."""

from pathlib import Path

project = "leeward"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "leeward"
html_css_files = ["site.css"]
html_js_files = ["copy.js"]
html_static_path = ["_static"]
html_search_scorer = str(Path(__file__).parent / "search.js")
html_show_copyright = False  # a year without a holder says nothing; LICENSE has the terms
myst_heading_anchors = 3
exclude_patterns = ["_build"]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
default_role = "code"  # docstrings name things in single back-ticks
napoleon_use_ivar = True


def setup(app):
    """Mend what autodoc would make of the docstrings."""
    app.connect("autodoc-process-docstring", _without_modules)
    app.connect("autodoc-skip-member", _without_aliases)


def _without_modules(_app, what, _name, _object, _options, lines):
    """Leave out what modules say of themselves: they show code in Markdown, which is no reST."""
    if what == "module":
        lines.clear()


def _without_aliases(_app, _what, _name, found, _skip, _options):
    """Leave out the fields of named tuples: the docstring of the class says what each is."""
    return True if type(found).__name__ == "_tuplegetter" else None
