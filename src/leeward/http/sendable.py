"""Whether a request can go over the wire at all; asked before any I/O."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from leeward.errors import InvalidRequest

OURS: Final = frozenset({"connection", "content-length", "expect", "host", "transfer-encoding"})
"""Headers that say how a request is carried. After `Expect` and a 417, libcurl would send twice."""

_IN_A_NAME: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)
"""A token's characters (RFC 9110, section 5.6.2)."""


@lru_cache(32)
def check_method(method: str, *, has_body: bool) -> None:
    """Raise `InvalidRequest` for what is no method, or takes no body."""
    if not (method.isascii() and method.isalpha() and method.isupper()):
        raise InvalidRequest("a method is a word in upper case", field="method")
    if method == "HEAD" and has_body:
        raise InvalidRequest("HEAD takes no body", field="body")


def check_target(target: str) -> None:
    """Raise `InvalidRequest` for a target that is not percent-encoded."""
    if not (target[:1] == "/" and _is_printable(target) and " " not in target):
        raise InvalidRequest(
            "a request's target must start with / and be percent-encoded", field="target"
        )


def lines_of(headers: tuple[tuple[str, str], ...], *, without_value: str = ":") -> list[str]:
    """Return a line for each header, without its end; `InvalidRequest` for one that cannot be sent.

    Args:
        headers: names and values.
        without_value: what follows the name of a header that has no value.
    """
    lower_names(tuple([name for name, _ in headers]))
    lines = [f"{name}: {value}" if value else name + without_value for name, value in headers]
    if not _is_printable("".join(lines)):
        raise _not_sendable(next(name for name, value in headers if not _is_printable(value)))
    return lines


@lru_cache(64)
def lower_names(names: tuple[str, ...]) -> frozenset[str]:
    """Return the names of headers in lower case; `InvalidRequest` for one that cannot be sent.

    A program sends few combinations of names, and looking at each name for each request is dear.
    """
    for name in names:
        if name.lower() in OURS:
            raise InvalidRequest(f"the header {name} is the transport's own", field="headers")
        if not (name and _IN_A_NAME.issuperset(name)):
            raise _not_sendable(name)
    return frozenset(name.lower() for name in names)


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _not_sendable(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"the header {name!a} holds a control character, a letter outside ASCII, or in its name "
        "what no name may hold",
        field="headers",
    )
