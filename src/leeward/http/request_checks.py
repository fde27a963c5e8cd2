"""Whether a request can go over the wire at all; asked before any I/O. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from leeward.errors import ConfigError, InvalidRequest

_OURS: Final = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
"""Headers that say how a request is carried."""

TOKEN: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
"""The characters of a header's name (RFC 9110, section 5.6.2)."""

CONTROLS: Final = bytes({*range(32), 127} - {*b"\t\r\n"})
"""The bytes that no line of a head holds (RFC 9110, section 5.5)."""

SOUND_NAMES: set[str] = set()
"""Names of headers that were looked at already: a program sends few different ones."""

_REMEMBERED: Final = 512

ORIGIN: Final = r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"

USUAL: Final = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
"""Methods that need no look."""


@lru_cache(256)
def scheme_and_host(origin: str) -> tuple[str, str]:
    """Return the scheme of `origin`, and its host as the header `Host` has it.

    That is without the scheme's own port.

    Raises:
        leeward.ConfigError: `origin` is not an origin.
    """
    match = re.fullmatch(ORIGIN, origin)
    if match is None:
        raise ConfigError("an endpoint must look like https://host or https://host:port")
    scheme, _, host = origin.partition("://")
    return scheme, host.removesuffix(":443" if scheme == "https" else ":80")


def check_method(method: str, body: bytes) -> None:
    """Raise `InvalidRequest` if `method` is not a method, or does not take `body`."""
    if not (method.isascii() and method.isalpha() and method.isupper()):
        raise InvalidRequest("a method is a word in upper case", field="method")
    if method == "HEAD" and body:
        raise InvalidRequest("HEAD takes no body", field="body")


def check_name(name: str) -> None:
    """Raise `InvalidRequest` for a header's name that cannot be sent."""
    if name.lower() in _OURS:
        raise InvalidRequest(f"the header {name} is set by the transport", field="headers")
    if not (name and TOKEN.issuperset(name)):
        raise _unfit_header(name)
    if len(SOUND_NAMES) < _REMEMBERED:
        SOUND_NAMES.add(name)


def refusal_of(target: str, headers: tuple[tuple[str, str], ...]) -> InvalidRequest:
    """Return the refusal of a request whose target or headers cannot be sent."""
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            return _unfit_header(name)
    return InvalidRequest(
        "a request's target must start with / and be percent-encoded", field="target"
    )


def _unfit_header(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the header {name!a} holds a control character, a letter outside ASCII, or a character "
        "that no header's name may have",
        field="headers",
    )
