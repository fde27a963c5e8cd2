"""HTTP/1.1 from the client's side: a request as bytes, an answer out of bytes. Pure.

Sources: RFC 9112, and RFC 9110 for what has no body.
"""

from __future__ import annotations

import re
from typing import Final

from leeward.http.bodies import Chunked, Reader, Sized, UntilTheEnd
from leeward.http.broken import (
    CUT,
    ENDLESS_HEAD,
    NONSENSE,
    NOTHING_CAME,
    TOO_LARGE,
    UNKNOWN_CODING,
    WRONG_PROTOCOL,
    Broken,
)
from leeward.http.messages import Request
from leeward.http.sendable import check_method, check_target, lines_of

MOST_OF_HEADS: Final = 300 * 1024
"""Bytes of an answer's heads, the interim ones included; libcurl has the same limit."""

_LONGEST_STATUS_LINE: Final = 8 * 1024

SWITCHED: Final = 101
"""Nobody has asked for another protocol."""

NO_CONTENT: Final = 204

_VERSIONS: Final = frozenset({b"HTTP/1.1 ", b"HTTP/1.0 "})
_BEGINNING: Final = b"HTTP/1."
_BEHIND_A_STATUS: Final = frozenset({b" ", b"\r", b"\n"})

_FOLD: Final = r"\n[ \t]+"
"""Compiled when it is first needed: most programs never need it."""

_LISTS: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that say what is to become of the connection: of these, each line counts."""

_WITHOUT_LENGTH: Final = frozenset({"GET", "HEAD"})
_WITHOUT_BODY: Final = frozenset({NO_CONTENT, 304})


def head_of(request: Request, host: str) -> bytes:
    """Return the head of `request`: its headers as they are, after `Host` and before the length.

    Raises:
        leeward.InvalidRequest: a part of `request` cannot go over the wire.
    """
    method, _, target, headers, body = request
    check_method(method, has_body=bool(body))
    check_target(target)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines_of(headers)]
    if body or method not in _WITHOUT_LENGTH:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode("ascii")


class Incoming:
    """One answer on its way in, in whatever pieces it comes.

    Args:
        has_body: False for the answer to a HEAD request.
        most: bytes that its body may have.

    Attributes:
        status: of the final answer, once its head is complete.
        headers: by name, in lower case; of a repeated one the last value.
        head_bytes: of the final head.
        whole: whether all of it is there.
        keeps: whether the connection may then serve another request.
        body: once it is whole.
    """

    def __init__(self, *, has_body: bool, most: int) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.head_bytes = 0
        self.whole = False
        self.keeps = False
        self.body = b""
        self._has_body = has_body
        self._most = most
        self._heads = 0
        self._seen: int | None = None
        self._pending = bytearray()
        self._reader: Reader | None = None

    def feed(self, data: bytes) -> None:
        """Take what has come in, which is not nothing, of an answer that is not whole.

        Raises:
            Broken: it will never be.
        """
        if self._reader is not None:
            self._read(self._reader, data)
        elif not self._pending:
            self._take_heads(data)
        else:
            searched = max(len(self._pending) - 3, 0)
            self._pending += data
            self._check_pending()
            if _end_of_head(self._pending, searched):
                data = bytes(self._pending)
                self._pending.clear()
                self._take_heads(data)

    def _take_heads(self, data: bytes) -> None:
        """Take the heads of interim answers, and the final one with what has come behind it."""
        while end := _end_of_head(data, 0):
            head, data = data[:end], data[end:]
            self._heads += end
            status = _number_in(head)
            if status is None or status == SWITCHED:
                raise Broken(WRONG_PROTOCOL)
            if status >= 200:
                self._seen = status
                self._begin(status, head, data)
                return
        self._pending += data
        self._check_pending()

    def _check_pending(self) -> None:
        """Return up what cannot become a head, or would be too large for one."""
        ends = self._pending.find(b"\n", 0, _LONGEST_STATUS_LINE)
        start = bytes(self._pending[:13])
        if not (start.startswith(_BEGINNING) or _BEGINNING.startswith(start)):
            raise Broken(WRONG_PROTOCOL)
        if ends >= 0 and _number_in(start) is None:
            raise Broken(WRONG_PROTOCOL)
        size = len(self._pending)
        if self._heads + size > MOST_OF_HEADS or (ends < 0 and size >= _LONGEST_STATUS_LINE):
            raise Broken(ENDLESS_HEAD)

    def end(self) -> None:
        """Take note that the connection has ended.

        Raises:
            Broken: the answer does not end here.
        """
        if self._reader is None:
            raise Broken(CUT if self._pending else NOTHING_CAME)
        if not isinstance(self._reader, UntilTheEnd):
            raise Broken(CUT)
        self.body, self.whole = self._reader.body(), True

    @property
    def status_so_far(self) -> int | None:
        """The status, if the final answer's status line has come, whatever follows it."""
        if self._seen is not None or b"\n" not in self._pending:
            return self._seen
        status = _number_in(bytes(self._pending[:13]))
        return status if status and status >= 200 else None

    def _begin(self, status: int, head: bytes, rest: bytes) -> None:
        """Take in the final head; `rest` has come behind it."""
        headers = _headers_of(head)
        length = _length_of(headers.get("content-length"))
        coding = headers.get("transfer-encoding")
        chunked = coding is not None and _is_chunked(coding)
        self.status, self.headers, self.head_bytes = status, headers, len(head)
        self.keeps = _is_kept(head, headers.get("connection"))
        if coding is not None:
            # Where two say how long it is, or an old server says it in a new way, who is right?
            self.keeps = self.keeps and chunked and length is None and _is_new(head)
        if not self._has_body or status in _WITHOUT_BODY:
            # Who tells of a body that there cannot be may send it, too.
            self.keeps = self.keeps and not (status == NO_CONTENT and (length or chunked))
            length, chunked = 0, False
        if len(rest) == length and not chunked and length <= self._most:  # nearly always
            self.body, self.whole = rest, True
        else:
            self._read(self._reader_of(length, chunked=chunked), rest)

    def _reader_of(self, length: int | None, *, chunked: bool) -> Reader:
        if chunked:
            return Chunked(self._most)
        if length is None:
            self.keeps = False
            return UntilTheEnd(self._most)
        if length > self._most:
            raise Broken(TOO_LARGE)
        return Sized(length)

    def _read(self, reader: Reader, data: bytes) -> None:
        self._reader = reader
        if reader.feed(data):
            self.body, self.whole = reader.body(), True
            self.keeps = self.keeps and not reader.overrun


def _end_of_head(data: bytes | bytearray, start: int) -> int:
    """Return the index behind the blank line that ends a head; 0 if it has not come."""
    usual = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, usual) if usual >= 0 else data.find(b"\n\n", start)
    if bare >= 0:
        return bare + 2
    return usual + 3 if usual >= 0 else 0


def _number_in(head: bytes) -> int | None:
    """Return the number in a status line of HTTP/1.1 or 1.0; None if it is none."""
    number = head[9:12]
    fits = head[:9] in _VERSIONS and head[12:13] in _BEHIND_A_STATUS
    return int(number) if fits and number.isdigit() and number >= b"100" else None


def _headers_of(head: bytes) -> dict[str, str]:
    text = head.decode("latin-1").replace("\r\n", "\n")
    if "\n " in text or "\n\t" in text:  # a value may go on in the next line
        text = re.sub(_FOLD, " ", text)
    if "\0" in text or "\r" in text:
        raise Broken(NONSENSE)
    headers: dict[str, str] = {}
    for line in text.split("\n")[1:-2]:
        name, colon, value = line.partition(":")
        lower, value = name.lower(), value.strip(" \t")
        if not colon or not name or name[-1] in " \t":
            raise Broken(NONSENSE)
        if lower in headers and lower in _LISTS:
            value = f"{headers[lower]}, {value}"
        headers[lower] = value
    return headers


def _length_of(told: str | None) -> int | None:
    """Return the length; of several that are told, each must say the same (RFC 9112, 6.3)."""
    if told is None:
        return None
    if "," in told:
        several = {each.strip() for each in told.split(",")}
        told = several.pop() if len(several) == 1 else ""
    if not (told.isascii() and told.isdecimal() and len(told) < 20):
        raise Broken(NONSENSE)
    return int(told)


def _is_chunked(coding: str) -> bool:
    if coding.lower() not in {"identity", "chunked"}:
        raise Broken(UNKNOWN_CODING)
    return coding.lower() == "chunked"


def _is_new(head: bytes) -> bool:
    return head.startswith(b"HTTP/1.1")


def _is_kept(head: bytes, said: str | None) -> bool:
    """Return whether the server keeps the connection: unasked, since HTTP/1.1."""
    if said is None:
        return _is_new(head)
    words = {word.strip() for word in said.lower().split(",")}
    return "close" not in words and (_is_new(head) or "keep-alive" in words)
