"""The documentation site: `make docs`."""

import sys
from pathlib import Path

from sphinx.builders.text import TextBuilder
from sphinx.writers.text import TextWriter

sys.path.insert(0, str(Path(__file__).parent))

from plain import Pages

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
    """Mend what autodoc would make of the docstrings, and write the pages as plain text, too."""
    app.connect("autodoc-process-docstring", _without_modules)
    app.connect("autodoc-skip-member", _without_aliases)
    app.connect("html-page-context", _name_plain)
    app.connect("build-finished", _write_plain)


def _without_modules(_app, what, _name, _object, _options, lines):
    """Leave out what modules say of themselves: they show code in Markdown, which is no reST."""
    if what == "module":
        lines.clear()


def _without_aliases(_app, _what, _name, found, _skip, _options):
    """Leave out the fields of named tuples: the docstring of the class says what each is."""
    return True if type(found).__name__ == "_tuplegetter" else None


def _name_plain(app, page, _template, context, _tree):
    """Name the plain page in the head of the page of HTML."""
    if page in app.env.found_docs:
        address = context["pathto"](f"{page}.md", 1)
        context["metatags"] += f'<link rel="alternate" type="text/markdown" href="{address}">'


def _write_plain(app, failure):
    """Write the plain pages beside those of HTML."""
    if failure is not None or app.builder.name != "html":
        return
    app.config.text_sectionchars = "=-~^"  # headings of Markdown, the first two
    builder = TextBuilder(app, app.env)
    builder.init()
    writer = TextWriter(builder)

    def render(page):
        writer.document = app.env.get_and_resolve_doctree(page, builder)
        writer.translate()
        return writer.output

    for name, text in Pages(Path(app.srcdir), render).files().items():
        (Path(app.outdir) / name).write_text(text, encoding="utf-8")
