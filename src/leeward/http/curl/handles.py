"""Handles of libcurl, each for one origin: who may be connected to, how, and who is trusted."""

from __future__ import annotations

import re
from os.path import isfile
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.http.curl.library import pycurl
from leeward.http.options import TransportOptions

CurlError = pycurl.error

OLDEST = (8, 4, 0)
"""The first libcurl whose MAXFILESIZE also stops a body that did not announce its length."""

QUICK_EXIT = 322
"""From curl/curl.h; pycurl has no name for it. Closing a handle does not wait for a name server
that has not answered in time."""


ORIGIN: Final = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")

_LONGEST = 2_000_000.0
"""Seconds. More of them are no 32-bit number of milliseconds, and nobody waits that long."""


def check_version() -> None:
    """Raise `ConfigError` if pycurl, or the libcurl that it was built against, is too old."""
    major, minor, patch = OLDEST
    if pycurl.version_info()[2] < major << 16 | minor << 8 | patch:
        raise ConfigError(
            f"leeward needs libcurl {major}.{minor}.{patch} or later, and pycurl here uses "
            f"{pycurl.version_info()[1]}; install pycurl from its wheel, which has its own"
        )
    if not hasattr(pycurl.Curl, "recv"):
        raise ConfigError("leeward needs pycurl 7.49 or later; upgrade it")


def handle_for(origin: str, options: TransportOptions) -> Any:
    """Return a new handle that can connect to `origin`, and to nothing else.

    Raises:
        leeward.ConfigError: `origin` is none, or no certificates are there to trust.
    """
    tls = scheme_of(origin) == "https"
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, f"{origin}/")
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTPS if tls else pycurl.PROTO_HTTP)
    # HTTP/1.1 only: with HTTP/2 libcurl sends a request again by itself when the server refuses
    # the stream or goes away, and a connection of its own per thread has no use for multiplexing.
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(QUICK_EXIT, 1)
    handle.setopt(pycurl.USERAGENT, "")  # a proxy would be told the versions of everything
    # Set even when empty, or libcurl asks the environment.
    handle.setopt(pycurl.PROXY, (tls and _checked_proxy(options.proxy)) or "")
    handle.setopt(pycurl.NOPROXY, options.no_proxy or "")
    handle.setopt(pycurl.CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout))
    if options.public_only:
        from leeward.http.curl.public import open_public

        handle.setopt(pycurl.OPENSOCKETFUNCTION, open_public)
    if tls:
        _trust(handle, options.ca_file)
    return handle


def scheme_of(origin: str) -> str:
    """Return the scheme of `origin`; `ConfigError` if it is no origin."""
    match = ORIGIN.fullmatch(origin)
    if match is None:
        raise ConfigError("an endpoint must look like https://host or https://host:port")
    return match[1]


def _checked_proxy(proxy: str | None) -> str | None:
    if proxy is not None and not proxy.isascii():
        raise ConfigError("the proxy's URL has a letter outside ASCII; percent-encode it")
    return proxy


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
    """Return whole milliseconds: rounded down, never late, but not to 0, which is no limit."""
    return max(int(min(seconds, _LONGEST) * 1000), 1)
