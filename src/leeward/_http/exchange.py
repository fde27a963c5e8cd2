"""One request and its answer, whatever carries the bytes. Pure: no socket, no clock.

A runner asks what to send and tells what was taken, tells what has come, and reads the result. The
machine decides everything else: what a failure proves, when the answer is whole, and whether the
connection may serve another request.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from leeward._http.messages import (
    SOUND_NAMES,
    USUAL,
    Failure,
    Phase,
    Progress,
    ProtocolError,
    Request,
    Response,
    check_method,
    check_name,
    explain,
    explain_close,
    refusal_of,
    scheme_and_host,
)
from leeward._http.options import TransportOptions
from leeward._http.response_parser import ResponseParser

_RECORD: Final = 16 * 1024
"""Bytes of one TLS record. A request is handed over in no larger pieces: one that fails has then
left either whole or not at all, for a peer makes nothing of part of a record."""

_PIECE: Final = 1024 * 1024  # the same without TLS, where the count is exact anyway

_PARTIAL: Final = 206

_WITHOUT_LENGTH: Final = frozenset({"GET", "HEAD"})

_CONNECTED: Final = Progress(name_found=True, connected=True)


class Exchange:
    """One request on its way out, and its answer on its way in.

    Attributes:
        unsent: what of the request the connection has not taken; false when that is nothing.
        may_have_left: whether a byte of the request may have left.
        result: the answer, or why there is none; None until it is over.
        leaves_clean: whether it is over and nothing of it is left in the connection, which may be
            kept.

    Raises:
        leeward.InvalidRequest: a part of `request` cannot go over the wire.
        leeward.ConfigError: its origin is not an origin.
    """

    __slots__ = (
        *("_body", "_options", "_parser", "_piece", "deadline", "leaves_clean"),
        *("may_have_left", "origin", "result", "tls", "unsent"),
    )

    def __init__(self, request: Request, deadline: float, options: TransportOptions) -> None:
        scheme, host = scheme_and_host(request.origin)
        head, body = head_of(request, host), request.body
        self.origin = request.origin
        self.deadline = deadline
        self.tls = scheme == "https"
        self.may_have_left = False
        self.result: Response | Failure | None = None
        self.leaves_clean = False
        self._options = options
        self._piece = _RECORD if self.tls else _PIECE
        self._parser = ResponseParser(
            has_body=request.method != "HEAD", max_body=options.max_response_bytes
        )
        self.unsent: bytes | memoryview
        if len(head) + len(body) <= self._piece:
            self.unsent, self._body = head + body, b""
        else:
            self.unsent, self._body = memoryview(head), body

    def to_send(self) -> bytes | memoryview:
        """Return what to hand to the connection next."""
        return self.unsent[: self._piece]

    def note_sent(self, count: int) -> None:
        """Note that the connection has taken the next `count` bytes, more than 0."""
        self.may_have_left = True
        self.unsent = self.unsent[count:]
        if not self.unsent and self._body:
            self.unsent, self._body = memoryview(self._body), b""

    def note_blocked(self) -> None:
        """Note that the connection has no room now. Part of a TLS record may have left."""
        self.may_have_left = self.may_have_left or self.tls

    def receive(self, data: bytes) -> None:
        """Read what has come in, no bytes for the end of the connection; `result` may be there."""
        parser = self._parser
        try:
            if data:
                parser.feed(data)
            else:
                parser.end()
        except ProtocolError as error:
            self.fail(error.code, error)
        else:
            if parser.whole:
                self.result = self._answer(parser)
                self.leaves_clean = parser.keeps and not self.unsent

    @property
    def is_answered(self) -> bool:
        """Whether a whole answer has come, of use or not."""
        return self._parser.whole

    def fail(self, code: int, cause: BaseException, progress: Progress = _CONNECTED) -> None:
        """End the exchange without an answer; `code` is libcurl's."""
        # Frames would keep the request, and the secrets in it, alive.
        self.result = explain(code, self._progress(progress), cause.with_traceback(None))

    def close(self, progress: Progress) -> None:
        """End the exchange: the transport was closed, when the connection had come so far."""
        self.result = explain_close(self._progress(progress))

    def _progress(self, progress: Progress) -> Progress:
        return progress._replace(
            may_have_left=self.may_have_left,
            tls=self.tls,
            all_sent=not self.unsent,
            status=self._parser.status_so_far,
            head_complete=self._parser.status is not None,
        )

    def _answer(self, parser: ResponseParser) -> Response | Failure:
        """Return the answer that is whole; a `Failure` if it is too large or cannot be unpacked."""
        headers, body, status = parser.headers, parser.body, parser.status or 0
        if parser.head_bytes > self._options.max_header_bytes:
            return Failure(Phase.BODY, True, "headers_too_large", status)
        # A part of a packed body cannot be unpacked: of a 206 it is what was asked for.
        if body and "content-encoding" in headers and status != _PARTIAL:
            coding = headers["content-encoding"]
            unpacked = unpack(coding, body, self._options.max_response_bytes)
            if isinstance(unpacked, str):
                return Failure(Phase.BODY, True, unpacked, status)
            body = unpacked
        return Response(status, MappingProxyType(headers), body)


def head_of(request: Request, host: str) -> bytes:
    """Return the head of `request`: its headers as they are, after `Host` and before the length."""
    method, _, target, headers, body = request
    if method not in USUAL:
        check_method(method, body)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in headers:
        if name not in SOUND_NAMES:
            check_name(name)
        lines.append(f"{name}: {value}" if value else f"{name}:")
    text = "".join(lines)
    if not (text.isascii() and text.isprintable() and target[:1] == "/" and " " not in target):
        raise refusal_of(target, headers)
    if body or method not in _WITHOUT_LENGTH:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("ascii")


_SLICE: Final = 16 * 1024
_MOST: Final = 1024 * 1024
"""Bytes that are unpacked at once, before and after: all at once would hold the body twice."""

UNREADABLE: Final = "content_encoding"
TOO_LARGE: Final = "body_too_large"


def unpack(coding: str, body: bytes, limit: int) -> bytes | str:
    """Return `body` unpacked by its Content-Encoding; `UNREADABLE` or `TOO_LARGE` in its place."""
    coding = coding.lower()
    if coding == "identity":
        return body
    if coding not in {"gzip", "x-gzip"}:
        return UNREADABLE
    import zlib
    from io import BytesIO

    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    unpacked = BytesIO()
    try:
        for start in range(0, len(body), _SLICE):
            packed = body[start : start + _SLICE]
            while packed and unpacked.tell() <= limit:
                unpacked.write(unpacker.decompress(packed, _MOST))
                packed = unpacker.unconsumed_tail
    except zlib.error:
        return UNREADABLE
    if unpacked.tell() > limit:
        return TOO_LARGE
    return unpacked.getvalue() if unpacker.eof and not unpacker.unused_data else UNREADABLE
