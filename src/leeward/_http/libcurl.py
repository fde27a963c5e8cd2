"""libcurl by way of pycurl: how it is loaded, and a handle that may connect to one origin alone.

Since 7.49 the package `pycurl` is an extension module and an asyncio helper, which brings
`dataclasses`, `inspect` and `ast` with it: a third of the time that it takes to load, and nothing
that is used here. So the extension is loaded by its own name; a later ``import pycurl`` of the
program finds it loaded and adds the rest. `make bench` shows the cold start.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from os.path import isfile
from typing import Any, Final

from leeward._http.messages import scheme_and_host
from leeward._http.options import TransportOptions, check_proxy
from leeward.errors import ConfigError

PACKAGE = "pycurl"
EXTENSION = "pycurl._pycurl"


def load() -> Any:
    """Return pycurl's module of functions and constants; raise `ImportError` if it is missing."""
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


OLDEST: Final = (8, 4, 0)  # of libcurl; what came before has not been tried.

QUICK_EXIT: Final = 322
"""From curl/curl.h; pycurl has no name for it. Closing a handle does not wait for a name server
that has not answered in time."""

LONGEST: Final = 2_000_000.0
"""Seconds. More of them do not fit a 32-bit number of milliseconds, and nobody waits that long."""


def check_version(module: Any) -> None:
    """Raise `ConfigError` if pycurl, or the libcurl that it was built against, is too old."""
    if not hasattr(module.Curl, "recv"):
        raise ConfigError(
            f"leeward needs pycurl 7.49 or later, and {module.version.partition(' ')[0]} is "
            'installed: pip install --upgrade "leeward[wire]"'
        )
    major, minor, patch = OLDEST
    if module.version_info()[2] < major << 16 | minor << 8 | patch:
        raise ConfigError(
            f"leeward needs libcurl {major}.{minor}.{patch} or later, and pycurl here uses "
            f"{module.version_info()[1]}; install pycurl from its wheel, which has its own"
        )


def require() -> Any:
    """Return pycurl; raise `ConfigError`, with what to do, if it cannot be used."""
    try:
        module = load()
    except ImportError as error:
        raise ConfigError(_missing_message(error)) from error
    check_version(module)
    return module


def _missing_message(error: ImportError) -> str:
    if getattr(error, "name", None) == PACKAGE:
        what = 'pycurl is not installed: pip install "leeward[wire]"'
    else:
        what = f"pycurl is installed and cannot be loaded ({error})"
    return (
        f"{what}. There are wheels of it for Linux with glibc 2.28 or later, for macOS and for "
        "Windows. Elsewhere, as on Alpine and on runtimes with an older glibc, take a "
        "newer runtime or a container image that has them, or build pycurl from source"
    )


def handle_for(origin: str, options: TransportOptions) -> Any:
    """Return a new handle that can connect to `origin`, and to nothing else.

    It connects and does no more (`CONNECT_ONLY`): what goes over the connection is the caller's.

    Raises:
        leeward.ConfigError: `origin` is not an origin, the proxy's URL is not one, or no
            certificates are there to trust.
    """
    tls = scheme_and_host(origin)[0] == "https"
    proxy = check_proxy(options.proxy, "the proxy") if tls and options.proxy else ""
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"{origin}/")
    handle.setopt(pycurl.CONNECT_ONLY, 1)
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS if tls else pycurl.PROTO_HTTP)
    # Else a server could choose HTTP/2 during the handshake, which nobody here speaks.
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(QUICK_EXIT, 1)
    handle.setopt(pycurl.USERAGENT, "")  # a proxy would be told the versions of everything
    # Set even when empty, or libcurl asks the environment.
    handle.setopt(pycurl.PROXY, proxy)
    handle.setopt(pycurl.NOPROXY, options.no_proxy or "")
    handle.setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout))
    if options.public_only:
        from leeward._http.addresses import open_public

        handle.setopt(pycurl.OPENSOCKETFUNCTION, open_public)
    if tls:
        _trust(handle, options.ca_file)
        if options.client_certificate is not None:
            handle.setopt(pycurl.SSLCERT, options.client_certificate)
            handle.setopt(pycurl.SSLKEY, options.client_key or options.client_certificate)
    return handle


def _trust(handle: Any, ca_file: str | None) -> None:
    if ca_file is None or not isfile(ca_file):
        raise ConfigError(
            f"no certificates to trust in {ca_file or 'the places known'}; "
            "set SSL_CERT_FILE to a PEM file, or install certifi"
        )
    handle.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    handle.setopt(pycurl.SSL_VERIFYPEER, 1)
    handle.setopt(pycurl.SSL_VERIFYHOST, 2)
    handle.setopt(pycurl.CAINFO, ca_file)
    handle.unsetopt(pycurl.CAPATH)  # what the build brings is not ours to trust
    handle.setopt(pycurl.PROXY_SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    handle.setopt(pycurl.PROXY_CAINFO, ca_file)
    handle.unsetopt(pycurl.PROXY_CAPATH)


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds: rounded down, never late, but not to 0, which means no limit."""
    return max(int(min(seconds, LONGEST) * 1000), 1)


def leak(handle: object) -> None:
    """Keep `handle` from ever being freed in this process, a child of a fork.

    Freeing it, at exit at the latest, would say goodbye to the server over the parent's TLS
    connection.
    """
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


pycurl = require()
CurlError = pycurl.error
