"""pycurl, without what its package imports beside it.

Since 7.49 the package `pycurl` is an extension module and an asyncio helper, which brings
`dataclasses`, `inspect` and `ast` with it: a third of the time that it takes to load, and nothing
that is used here. So the extension is loaded by its own name; a later ``import pycurl`` of the
program finds it loaded and adds the rest. `make bench` shows the cold start.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from typing import Any

PACKAGE = "pycurl"
EXTENSION = "pycurl._pycurl"


def load() -> Any:
    """Return pycurl's module of functions and constants.

    Raises:
        ImportError: it is not installed.
    """
    if EXTENSION in sys.modules:
        return sys.modules[EXTENSION]
    package = None if PACKAGE in sys.modules else PathFinder.find_spec(PACKAGE)
    places = package and package.submodule_search_locations
    extension = PathFinder.find_spec(EXTENSION, places) if places else None
    if extension is None or extension.loader is None:  # of another shape, or not installed
        import pycurl  # type: ignore[import-untyped]

        return pycurl
    from importlib.util import module_from_spec

    module = module_from_spec(extension)
    sys.modules[EXTENSION] = module
    extension.loader.exec_module(module)
    return module


pycurl = load()
