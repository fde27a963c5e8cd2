"""The body of an answer, in whatever pieces it comes: of a told length, until the end, in chunks.

Source: RFC 9112, sections 6 and 7. Pure.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from io import BytesIO
from typing import TYPE_CHECKING, Final

from leeward.http.broken import BAD_CHUNK, TOO_LARGE, Broken

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_LINE: Final = 16 * 1024
"""Bytes of the line that begins a chunk, and of a trailer."""

_SIZE: Final = rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?"
"""The line before a chunk; compiled when it is first needed."""

_BLANK: Final = frozenset({b"", b"\r"})


class Reader(ABC):
    """Takes in the body of one answer.

    Attributes:
        overrun: whether something came behind it.
    """

    def __init__(self) -> None:
        self.overrun = False
        # Its `getvalue` copies nothing, where joining pieces would hold an answer twice.
        self._body = BytesIO()

    @abstractmethod
    def feed(self, data: bytes) -> bool:
        """Take what has come in; say whether the body is whole."""

    def body(self) -> bytes:
        """Return what of the body has come."""
        return self._body.getvalue()


class Sized(Reader):
    """A body whose length was told."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length

    def feed(self, data: bytes) -> bool:
        """Take as much as belongs to it."""
        self._body.write(data[: self._left])
        self.overrun = len(data) > self._left
        self._left -= min(len(data), self._left)
        return self._left == 0


class UntilTheEnd(Reader):
    """A body that is what comes until the connection ends."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def feed(self, data: bytes) -> bool:
        """Take everything; only the end of the connection makes it whole."""
        if self._body.tell() + len(data) > self._most:
            raise Broken(TOO_LARGE)
        self._body.write(data)
        return False


class Chunked(Reader):
    """A body in chunks, with a trailer that does not count."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._came = b""
        self._at = 0
        self._left = 0
        # A function and no method of this object: that would be a cycle, and keep the body alive.
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
        match = re.fullmatch(_SIZE, line)
        if match is None:
            raise Broken(BAD_CHUNK)
        self._left = int(match[1], 16)
        if self._body.tell() + self._left > self._most:
            raise Broken(TOO_LARGE)
        self._next = Chunked._data if self._left else Chunked._trailer
        return True

    def _data(self) -> bool:
        piece = self._came[self._at : self._at + self._left]
        self._at += len(piece)
        self._left -= len(piece)
        self._body.write(piece)
        if self._left == 0:
            self._next = Chunked._behind
        return self._left == 0

    def _behind(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if line not in _BLANK:
            raise Broken(BAD_CHUNK)
        self._next = Chunked._size
        return True

    def _trailer(self) -> bool:
        line = self._line()
        if line in _BLANK:
            self.overrun = len(self._came) > self._at
            self._next = Chunked._done
        return line is not None

    def _done(self) -> bool:
        return False

    def _line(self) -> bytes | None:
        """Take the next line, without its end; None if that has not come."""
        end = self._came.find(b"\n", self._at)
        if (end if end >= 0 else len(self._came)) - self._at > _LONGEST_LINE:
            raise Broken(BAD_CHUNK)
        if end < 0:
            return None
        line, self._at = self._came[self._at : end], end + 1
        return line
