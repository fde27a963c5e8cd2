"""An answer out of bytes, its body in whatever pieces: HTTP/1.1 as a client reads it. Pure.

Strict wherever two readers could differ: a line ends with CR LF and with nothing else, a header has
a name, a chunk is as long as it says. So the verdict on an answer does not depend on how its bytes
are split, and no byte of one answer is taken for the next.

Sources: RFC 9112, and RFC 9110 for what has no body. Written by hand, because httptools cannot keep
these rules: tests/http/test_httptools.py.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Final

from leeward._http.messages import (
    BAD_CHUNK,
    CONTROLS,
    CUT,
    ENDLESS_HEAD,
    MALFORMED,
    NOTHING_CAME,
    TOKEN,
    TOO_LARGE,
    UNKNOWN_CODING,
    WRONG_PROTOCOL,
    ProtocolError,
)

if TYPE_CHECKING:
    from collections.abc import Callable


_LONGEST_LINE: Final = 16 * 1024
"""Bytes of the line that begins a chunk, and of all trailers together."""

_SIZE_LINE: Final = rb"([0-9A-Fa-f]{1,15})(?:[ \t]*|;[^\0-\x08\n-\x1f\x7f]*)"
_TRAILER: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0-\x08\n-\x1f\x7f]*"
"""The line before a chunk, and one behind the last; compiled when they are first needed."""


class Body(ABC):
    """Takes in the body of one answer.

    Attributes:
        ends_with_connection: whether the end of the connection is its end.
    """

    ends_with_connection = False

    def __init__(self) -> None:
        self.overrun = False
        # Its `getvalue` copies nothing, where joining pieces would hold an answer twice.
        self._taken = BytesIO()

    @abstractmethod
    def feed(self, data: bytes) -> bool:
        """Read what has come in; return whether the body is whole."""

    def value(self) -> bytes:
        """Return what of the body has come."""
        return self._taken.getvalue()


class Sized(Body):
    """A body whose size was told."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def feed(self, data: bytes) -> bool:
        """Read as much as belongs to it."""
        self._taken.write(data[: self._left])
        self.overrun = len(data) > self._left
        self._left -= min(len(data), self._left)
        return self._left == 0


class UntilTheEnd(Body):
    """A body that is what comes until the connection ends."""

    ends_with_connection = True

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._most = limit

    def feed(self, data: bytes) -> bool:
        """Read everything; only the end of the connection makes it whole."""
        if self._taken.tell() + len(data) > self._most:
            raise ProtocolError(TOO_LARGE)
        self._taken.write(data)
        return False


class Chunked(Body):
    """A body in chunks, with trailers that do not count."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._most = limit
        self._came = b""
        self._at = 0
        self._left = 0
        self._trailers = 0
        # A function and not a method of this object: that would be a cycle, and keep the body.
        self._next: Callable[[Chunked], bool] = Chunked._size

    def feed(self, data: bytes) -> bool:
        """Read the chunks that have come, and the parts of one."""
        self._came, self._at = self._came[self._at :] + data, 0
        while self._next(self):
            pass
        return self._next is Chunked._end

    def _size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        match = re.fullmatch(_SIZE_LINE, line)
        if match is None:
            raise ProtocolError(BAD_CHUNK)
        self._left = int(match[1], 16)
        if self._taken.tell() + self._left > self._most:
            raise ProtocolError(TOO_LARGE)
        self._next = Chunked._data if self._left else Chunked._trailer
        return True

    def _data(self) -> bool:
        piece = self._came[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        self._taken.write(piece)
        if self._left == 0:
            self._next = Chunked._end_chunk
        return self._left == 0

    def _end_chunk(self) -> bool:
        """Read the CR LF behind a chunk, and nothing else."""
        end = self._came[self._at : self._at + 2]
        if not b"\r\n".startswith(end):
            raise ProtocolError(BAD_CHUNK)
        if len(end) == 2:
            self._at += 2
            self._next = Chunked._size
        return len(end) == 2

    def _trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self._trailers += len(line)
        if not line:
            self.overrun = len(self._came) > self._at
            self._next = Chunked._end
        elif self._trailers > _LONGEST_LINE or re.fullmatch(_TRAILER, line) is None:
            raise ProtocolError(BAD_CHUNK)
        return True

    def _end(self) -> bool:
        return False

    def _line(self) -> bytes | None:
        """Read the next line, without its end; None if that has not come."""
        end = self._came.find(b"\n", self._at)
        if (end if end >= 0 else len(self._came)) - self._at > _LONGEST_LINE:
            raise ProtocolError(BAD_CHUNK)
        if end < 0:
            return None
        if self._came[end - 1 : end] != b"\r" or end == self._at:
            raise ProtocolError(BAD_CHUNK)
        line, self._at = self._came[self._at : end - 1], end + 1
        return line


MOST_OF_HEADS: Final = 300 * 1024
"""Bytes of an answer's heads, the interim ones included; libcurl has the same limit."""

_NEW: Final = b"HTTP/1.1 "
_OLD: Final = b"HTTP/1.0 "

_FOLD: Final = r"\r\n[ \t]+"  # compiled when it is first needed: most programs never need it

_EVERY_LINE_COUNTS: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that say what is to become of the connection. Of others that are repeated, the last
value counts."""

_lower_names: dict[str, str] = {}
"""Names of headers that came and are sound, to lower case. Servers send few different ones."""

_REMEMBERED: Final = 512
_LONGEST_REMEMBERED: Final = 64

SWITCHING_PROTOCOLS: Final = 101  # nobody has asked for another protocol

NO_CONTENT: Final = 204
_WITHOUT_BODY: Final = frozenset({NO_CONTENT, 304})


class ResponseParser:
    """One answer on its way in, in whatever pieces it comes.

    Attributes:
        status: of the final answer, once its head is complete.
        headers: by name, in lower case.
        keeps: whether the connection may then serve another request: not where two readers could
            differ about where the answer ends, and not if anything has come behind it.
    """

    __slots__ = (
        *("_content", "_has_body", "_heads", "_max_body", "_pending", "_seen"),
        *("body", "head_bytes", "headers", "keeps", "status", "whole"),
    )

    def __init__(self, *, has_body: bool, max_body: int) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.head_bytes = 0
        self.body = b""
        self.whole = False
        self.keeps = False
        self._has_body = has_body
        self._max_body = max_body
        self._heads = 0
        self._seen: int | None = None
        self._pending: bytearray | None = None
        self._content: Body | None = None

    def feed(self, data: bytes) -> None:
        """Read what has come in, at least one byte; raise `ProtocolError` for anything else."""
        if self._content is not None:
            self._take_body(self._content, data)
        elif self._pending is None:
            self._take_heads(data)
        else:
            pending = self._pending
            searched = max(len(pending) - 3, 0)
            pending += data
            if pending.find(b"\r\n\r\n", searched) < 0:
                self._check_pending(pending, searched)
            else:
                self._pending = None
                self._take_heads(bytes(pending))

    def end(self) -> None:
        """Note that the connection has ended; raise `ProtocolError` if the answer has not."""
        if self._content is None:
            raise ProtocolError(CUT if self._pending else NOTHING_CAME)
        if not self._content.ends_with_connection:
            raise ProtocolError(CUT)
        self.body, self.whole = self._content.value(), True

    @property
    def status_so_far(self) -> int | None:
        """The status, if the final answer's status line has come, whatever follows it."""
        if self._seen is not None or self._pending is None or b"\r\n" not in self._pending:
            return self._seen
        try:
            status = _status_of(self._pending)
        except ProtocolError:
            return None
        return status if status >= 200 else None

    def _take_heads(self, data: bytes) -> None:
        """Read the heads of interim answers, and the final one with what has come behind it."""
        start = 0
        while (end := data.find(b"\r\n\r\n", start)) >= 0:
            head, start = data[start:end], end + 4
            status = _status_of(head)
            if status >= 200:
                self._seen = status
            headers = _headers_of(head)
            if status == SWITCHING_PROTOCOLS:
                raise ProtocolError(WRONG_PROTOCOL)
            self._heads += len(head) + 4
            if self._heads > MOST_OF_HEADS:
                raise ProtocolError(ENDLESS_HEAD)
            if status >= 200:
                self.status, self.headers, self.head_bytes = status, headers, len(head) + 4
                self._begin(head.startswith(_NEW), data[start:])
                return
        self._pending = bytearray(data[start:])
        self._check_pending(self._pending, 0)

    def _check_pending(self, pending: bytearray, searched: int) -> None:
        """Raise if `pending` cannot become a head, as soon as that shows."""
        if not pending:
            return
        beginning = bytes(pending[:9])
        if not (_NEW.startswith(beginning) or _OLD.startswith(beginning)):
            raise ProtocolError(WRONG_PROTOCOL)
        ends = pending.count(b"\r\n", max(searched - 1, 0))
        if ends:
            _status_of(pending)
        if pending.count(b"\n", searched) != ends:
            raise ProtocolError(MALFORMED)
        if self._heads + len(pending) > MOST_OF_HEADS:
            raise ProtocolError(ENDLESS_HEAD)

    def _begin(self, is_new: bool, rest: bytes) -> None:
        """Begin the body after the final head; `rest` has come behind it."""
        headers = self.headers
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        size = None if length is None else _size_of(length)
        if coding is not None and coding.lower() != "chunked":
            raise ProtocolError(UNKNOWN_CODING)
        said = headers.get("connection", "keep-alive")
        # Where two say how long an answer is, who is right?
        self.keeps = is_new and (coding is None or size is None)
        if said != "keep-alive":
            words = [word.strip(" \t") for word in said.lower().split(",")]
            self.keeps = self.keeps and "close" not in words
        if not self._has_body or self.status in _WITHOUT_BODY:
            # A server that announces a body where there cannot be one may send it as well.
            self.keeps = self.keeps and not (self.status == NO_CONTENT and (size or coding))
            size, coding = 0, None
        if coding is None and size == len(rest) and size <= self._max_body:  # nearly always
            self.body, self.whole = rest, True
        else:
            if coding is not None:
                self._content = Chunked(self._max_body)
            elif size is None:
                self.keeps = False
                self._content = UntilTheEnd(self._max_body)
            elif size > self._max_body:
                raise ProtocolError(TOO_LARGE)
            else:
                self._content = Sized(size)
            self._take_body(self._content, rest)

    def _take_body(self, content: Body, data: bytes) -> None:
        if content.feed(data):
            self.body, self.whole = content.value(), True
            self.keeps = self.keeps and not content.overrun


def _status_of(head: bytes | bytearray) -> int:
    """Return the status in the first line of `head`, which is there."""
    return _status_in(bytes(head[:13]))


@lru_cache(maxsize=64)
def _status_in(beginning: bytes) -> int:
    version, number, behind = beginning[:9], beginning[9:12], beginning[12:]
    if version not in (_NEW, _OLD):
        raise ProtocolError(WRONG_PROTOCOL)
    sound = len(number) == 3 and number.isdigit() and number >= b"100"
    if not (sound and behind in (b" ", b"\r", b"")):
        raise ProtocolError(MALFORMED)
    return int(number)


def _headers_of(head: bytes) -> dict[str, str]:
    """Return the headers of `head`, which comes without the blank line at its end."""
    text = head.decode("latin-1")
    lines = text.split("\r\n")
    del lines[0]
    ends = len(lines)  # and no part of one stands anywhere else
    if text.count("\n") != ends or text.count("\r") != ends:
        raise ProtocolError(MALFORMED)
    if len(head.translate(None, CONTROLS)) < len(head):
        raise ProtocolError(MALFORMED)
    try:
        return _fields(lines)
    except ProtocolError:
        if lines[0][:1] in " \t":  # it continues nothing
            raise
        unfolded = re.sub(_FOLD, " ", "\r\n".join(lines))  # a value may go on in the next line
        return _fields(unfolded.split("\r\n"))


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        lower = _lower_names.get(name) or lower_name(name)
        if not colon:
            raise ProtocolError(MALFORMED)
        if lower in headers and lower in _EVERY_LINE_COUNTS:
            headers[lower] += ", " + value.strip(" \t")
        else:
            headers[lower] = value.strip(" \t")
    return headers


def lower_name(name: str) -> str:
    """Return the name of a header in lower case; raise if it is not a name."""
    if not (name and TOKEN.issuperset(name)):
        raise ProtocolError(MALFORMED)
    lower = name.lower()
    if len(name) <= _LONGEST_REMEMBERED and len(_lower_names) < _REMEMBERED:
        _lower_names[name] = lower
    return lower


def _size_of(length: str) -> int:
    """Return the size; of several that are told, each must say the same (RFC 9112, 6.3)."""
    if "," in length:
        several = {size.strip(" \t") for size in length.split(",")}
        length = several.pop() if len(several) == 1 else ""
    if not (length.isascii() and length.isdecimal() and len(length) < 20):
        raise ProtocolError(MALFORMED)
    return int(length)
