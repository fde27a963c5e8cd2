"""HTTP/1.1 messages, cut out of a stream of bytes. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from enum import Enum
from http.client import responses
from typing import NamedTuple, TypeAlias, TypeVar

Headers: TypeAlias = tuple[tuple[str, str], ...]
T = TypeVar("T")

_STATUS_LINE = re.compile(r"(HTTP/1\.[01]) ([1-9]\d\d)(?: (.*))?")
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) (HTTP/1\.[01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?")


class BadMessage(ValueError):
    """The bytes are not HTTP/1.1."""


class CutOff(BadMessage):
    """The stream ended within a message."""


class Extent(Enum):
    """How far a body goes, where no length tells."""

    CHUNKED = "chunked"
    UNTIL_CLOSE = "until close"


class Message(NamedTuple):
    """A request or an answer.

    Attributes:
        start: the three parts of the first line: method, target and version of a request; version,
            status and reason of an answer.
        headers: names and values in their order.
        head: the first line and the headers as they came, with the empty line.
        body: the rest as it came: of a chunked body the chunks' sizes too, and the trailers.
        payload: the content of the body.
        ends_stream: True for an answer whose end is the end of the stream.
    """

    start: tuple[str, str, str]
    headers: Headers
    head: bytes
    body: bytes = b""
    payload: bytes = b""
    ends_stream: bool = False

    @property
    def method(self) -> str:
        """Give the method of a request."""
        return self.start[0]

    @property
    def target(self) -> str:
        """Give the target of a request."""
        return self.start[1]

    @property
    def status(self) -> int:
        """Give the status of an answer."""
        return int(self.start[1])

    @property
    def raw(self) -> bytes:
        """Give the whole message as it came."""
        return self.head + self.body

    @property
    def keeps_alive(self) -> bool:
        """Tell whether another message may follow on the connection (RFC 9112, 9.3)."""
        options = {each.strip().lower() for each in ",".join(self.values("connection")).split(",")}
        if self.ends_stream or "close" in options:
            return False
        return "HTTP/1.1" in self.start or "keep-alive" in options

    def values(self, name: str) -> list[str]:
        """Give the values of every header called `name`, in any case."""
        return [value for each, value in self.headers if each.lower() == name.lower()]


class Framer:
    """Collects bytes and gives the messages in them.

    Feed it what was read, the empty bytes of an ended stream too; then ask for the next message.
    One framer serves one direction of one connection.
    """

    def __init__(self) -> None:
        self.ended = False
        self._buffer = bytearray()
        self._reading: Generator[None, None, Message] | None = None

    def feed(self, data: bytes) -> None:
        """Add what was read; empty bytes say that the stream has ended."""
        self._buffer += data
        self.ended = self.ended or not data

    def next_request(self) -> Message | None:
        """Give the next request, or None while it is not complete or when none follows."""
        return self._next(None)

    def next_answer(self, method: str) -> Message | None:
        """Give the next answer, interim ones too, to a request with `method`; or None, as above."""
        return self._next(method)

    def _next(self, method: str | None) -> Message | None:
        if self._reading is None:
            if not self._buffer:
                return None
            self._reading = self._message(method)
        try:
            next(self._reading)
        except StopIteration as done:
            self._reading = None
            message: Message = done.value
            return message
        return None

    def _message(self, method: str | None) -> Generator[None, None, Message]:
        end_of_head = yield from self._until(b"\r\n\r\n", 0)
        head = _parsed(bytes(self._buffer[:end_of_head]), is_answer=method is not None)
        extent = _extent(head, method)
        if extent is Extent.CHUNKED:
            end, payload = yield from self._chunks(end_of_head)
        else:
            if isinstance(extent, int):
                end = yield from self._reach(end_of_head + extent)
            else:
                end = yield from self._end_of_stream()
            payload = bytes(self._buffer[end_of_head:end])
        body = bytes(self._buffer[end_of_head:end])
        del self._buffer[:end]
        return head._replace(body=body, payload=payload, ends_stream=extent is Extent.UNTIL_CLOSE)

    def _chunks(self, at: int) -> Generator[None, None, tuple[int, bytes]]:
        """Give where the chunks that start at `at` end, and what they hold (RFC 9112, 7.1)."""
        payload = bytearray()
        while True:
            data = yield from self._until(b"\r\n", at)
            size = _chunk_size(bytes(self._buffer[at : data - 2]))
            if size == 0:
                return (yield from self._trailers(data)), bytes(payload)
            at = yield from self._reach(data + size + 2)
            if self._buffer[at - 2 : at] != b"\r\n":
                raise BadMessage("a chunk is longer than it says")
            payload += self._buffer[data : at - 2]

    def _trailers(self, at: int) -> Generator[None, None, int]:
        while (end := (yield from self._until(b"\r\n", at))) > at + 2:
            at = end
        return end

    def _until(self, mark: bytes, start: int) -> Generator[None, None, int]:
        while (at := self._buffer.find(mark, start)) < 0:
            yield from self._more()
        return at + len(mark)

    def _reach(self, end: int) -> Generator[None, None, int]:
        while len(self._buffer) < end:
            yield from self._more()
        return end

    def _end_of_stream(self) -> Generator[None, None, int]:
        while not self.ended:
            yield
        return len(self._buffer)

    def _more(self) -> Generator[None, None, None]:
        if self.ended:
            raise CutOff("the stream ended within a message")
        yield


def render_answer(
    status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", method: str = "GET"
) -> bytes:
    """Give an answer to a request with `method` as bytes.

    The length of `body` is added to `headers`; the body itself is left out where none may follow.
    """
    has_body = not _is_bodiless(status, method)
    if has_body or method == "HEAD":
        headers = (*headers, ("Content-Length", str(len(body))))
    first = f"HTTP/1.1 {status} {responses.get(status, '')}"
    lines = [first, *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body if has_body else b"")


def _parsed(head: bytes, *, is_answer: bool) -> Message:
    first, *fields = head.decode("latin-1")[:-4].split("\r\n")
    start = (_STATUS_LINE if is_answer else _REQUEST_LINE).fullmatch(first)
    pairs = [_FIELD.fullmatch(each) for each in fields]
    if start is None or None in pairs:
        raise BadMessage("a line of the head is malformed")
    one, two, three = start.groups(default="")
    headers = tuple((each[1], each[2]) for each in pairs if each is not None)
    return Message((one, two, three), headers, head)


def _extent(head: Message, method: str | None) -> int | Extent:
    """Give the length of the body that follows `head` (RFC 9112, 6.3); `method` as asked for."""
    if method is not None and _is_bodiless(head.status, method):
        return 0
    codings, lengths = head.values("transfer-encoding"), set(head.values("content-length"))
    if codings and (lengths or [each.lower() for each in codings] != ["chunked"]):
        raise BadMessage("Transfer-Encoding must be chunked, and stand without a Content-Length")
    if codings:
        return Extent.CHUNKED
    if not lengths:
        return 0 if method is None else Extent.UNTIL_CLOSE
    length = lengths.pop()
    if lengths or re.fullmatch("[0-9]+", length) is None:
        raise BadMessage("Content-Length must be one number")
    return int(length)


def _is_bodiless(status: int, method: str) -> bool:
    return method == "HEAD" or status < 200 or status in {204, 304}


def _chunk_size(line: bytes) -> int:
    size = _CHUNK_SIZE.fullmatch(line)
    if size is None:
        raise BadMessage("a chunk's size is malformed")
    return int(size[1], 16)
