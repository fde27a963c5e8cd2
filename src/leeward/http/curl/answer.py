"""From what has come in, by libcurl's hand or by our own, to a `Response`. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

from leeward.http.messages import Failure, Phase, Response

END_OF_LINE = "\r\n"
END_OF_HEAD = "\r\n\r\n"

SLICE = 16 * 1024
MOST = 1024 * 1024
"""Bytes that are unpacked at once, before and after: all at once would hold the body twice."""


class Head(NamedTuple):
    """The final answer's status line and headers, as far as they have come in.

    Attributes:
        status: None where not even the status line is there.
        fields: the lines of the headers.
        complete: whether the blank line at their end is there.
    """

    status: int | None
    fields: str
    complete: bool


def assemble(
    lines: list[bytes], body: bytes, max_header_bytes: int, max_body_bytes: int
) -> Response | Failure:
    """Put the answer together; a `Failure` if it is not complete, too large or not decodable."""
    text = b"".join(lines).decode("latin-1")
    status, fields, complete = read_head(text)
    if status is None or not complete:
        # libcurl is content with headers that end where the connection does.
        return Failure(Phase.RECEIVE, sent=True, code="headers_cut", status=status)
    if len(text) > max_header_bytes:
        return Failure(Phase.BODY, sent=True, code="headers_too_large", status=status)
    return finished(status, _named(fields), body, max_body_bytes)


def finished(
    status: int, headers: dict[str, str], body: bytes, max_body_bytes: int
) -> Response | Failure:
    """Unpack the body of an answer that is complete; a `Failure` if it is too large or none."""
    if body and "content-encoding" in headers:
        decoded = _decoded(headers["content-encoding"].lower(), body, max_body_bytes)
        if isinstance(decoded, str):
            return Failure(Phase.BODY, sent=True, code=decoded, status=status)
        body = decoded
    return Response(status, MappingProxyType(headers), body)


def read_head(text: str) -> Head:
    """Find the final answer's head in all header lines that libcurl delivered.

    Answers of the kind 1xx come before it, and a trailer may follow it. None of them counts.
    """
    while text:
        head, blank, text = text.partition(END_OF_HEAD)
        status_line, _, fields = head.partition(END_OF_LINE)
        status = int(status_line.split(None, 2)[1])
        if status >= 200:
            return Head(status, fields, bool(blank))
    return Head(None, "", complete=False)


def _named(fields: str) -> dict[str, str]:
    headers = {}
    for line in fields.split(END_OF_LINE) if fields else ():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers


def _decoded(coding: str, body: bytes, limit: int) -> bytes | str:
    """Decompress `body`, to `limit` bytes at most; a word of failure in its place.

    libcurl could do this, but its own limit counts the bytes before decompression.
    """
    if coding == "identity":
        return body
    if coding not in {"gzip", "x-gzip"}:
        return "content_encoding"
    import zlib
    from io import BytesIO

    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    decoded = BytesIO()
    try:
        for start in range(0, len(body), SLICE):
            packed = body[start : start + SLICE]
            while packed and decoded.tell() <= limit:
                decoded.write(unpacker.decompress(packed, MOST))
                packed = unpacker.unconsumed_tail
    except zlib.error:
        return "content_encoding"
    if decoded.tell() > limit:
        return "body_too_large"
    return decoded.getvalue() if unpacker.eof and not unpacker.unused_data else "content_encoding"
