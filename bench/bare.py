"""The floor: bare pycurl, with nothing before or after the request."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple

import pycurl  # type: ignore[import-untyped]

from bench.calls import Verb


class Wanted(NamedTuple):
    """A request, as bytes on the wire but for what libcurl adds.

    Attributes:
        target: path and query.
        headers: its lines.
        body: empty for a GET.
    """

    target: str
    headers: tuple[str, ...] = ()
    body: bytes = b""


def handle_for(url: str, wanted: Wanted, ca_file: str) -> Any:
    """Return an easy handle that is ready to send `wanted`, again and again."""
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url + wanted.target)
    handle.setopt(pycurl.HTTPHEADER, ["Expect:", *wanted.headers])
    handle.setopt(pycurl.CAINFO, ca_file)
    handle.setopt(pycurl.NOSIGNAL, 1)
    return handle


def send(handle: Any, wanted: Wanted) -> BytesIO:
    """Set what differs from call to call; give what the answer's body will be in."""
    answer = BytesIO()
    handle.setopt(pycurl.WRITEDATA, answer)
    if wanted.body:
        handle.setopt(pycurl.POSTFIELDS, wanted.body)
    return answer


def bare(url: str, wanted: Wanted, ca_file: str) -> Verb:
    """Return a call that sends `wanted` on a handle of its own, for one thread at a time."""
    handle = handle_for(url, wanted, ca_file)

    def call() -> bytes:
        answer = send(handle, wanted)
        handle.perform()
        return answer.getvalue()

    return call
