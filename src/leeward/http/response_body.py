"""The body of an answer, in whatever pieces it comes: of a told size, in chunks, until the end.

Source: RFC 9112, sections 6 and 7. Pure.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from io import BytesIO
from typing import TYPE_CHECKING, Final

from leeward.http.protocol_error import BAD_CHUNK, TOO_LARGE, ProtocolError

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
        overrun: whether something came behind it.
        ends_with_connection: whether the end of the connection is its end.
    """

    ends_with_connection = False

    def __init__(self) -> None:
        self.overrun = False
        # Its `getvalue` copies nothing, where joining pieces would hold an answer twice.
        self._taken = BytesIO()

    @abstractmethod
    def feed(self, data: bytes) -> bool:
        """Take what has come in; return whether the body is whole."""

    def value(self) -> bytes:
        """Return what of the body has come."""
        return self._taken.getvalue()


class Sized(Body):
    """A body whose size was told."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def feed(self, data: bytes) -> bool:
        """Take as much as belongs to it."""
        self._taken.write(data[: self._left])
        self.overrun = len(data) > self._left
        self._left -= min(len(data), self._left)
        return self._left == 0


class UntilTheEnd(Body):
    """A body that is what comes until the connection ends."""

    ends_with_connection = True

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def feed(self, data: bytes) -> bool:
        """Take everything; only the end of the connection makes it whole."""
        if self._taken.tell() + len(data) > self._most:
            raise ProtocolError(TOO_LARGE)
        self._taken.write(data)
        return False


class Chunked(Body):
    """A body in chunks, with trailers that do not count."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._came = b""
        self._at = 0
        self._left = 0
        self._trailers = 0
        # A function and not a method of this object: that would be a cycle, and keep the body.
        self._next: Callable[[Chunked], bool] = Chunked._size

    def feed(self, data: bytes) -> bool:
        """Take the chunks that have come, and the parts of one."""
        self._came, self._at = self._came[self._at :] + data, 0
        while self._next(self):
            pass
        return self._next is Chunked._done

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
            self._next = Chunked._behind
        return self._left == 0

    def _behind(self) -> bool:
        """Take the CR LF behind a chunk, and nothing else."""
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
            self._next = Chunked._done
        elif self._trailers > _LONGEST_LINE or re.fullmatch(_TRAILER, line) is None:
            raise ProtocolError(BAD_CHUNK)
        return True

    def _done(self) -> bool:
        return False

    def _line(self) -> bytes | None:
        """Take the next line, without its end; None if that has not come."""
        end = self._came.find(b"\n", self._at)
        if (end if end >= 0 else len(self._came)) - self._at > _LONGEST_LINE:
            raise ProtocolError(BAD_CHUNK)
        if end < 0:
            return None
        if self._came[end - 1 : end] != b"\r" or end == self._at:
            raise ProtocolError(BAD_CHUNK)
        line, self._at = self._came[self._at : end - 1], end + 1
        return line
