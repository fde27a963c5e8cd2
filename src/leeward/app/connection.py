"""A connection of a caller, as a server of functions reads it: one HTTP/1.1 request at a time.

Strict wherever two readers could differ: a line ends with CR LF, a body is as long as one header
says. What comes behind a request ends the connection.

Sources: RFC 9112 for requests; RFC 9110, 10.1.1, for ``Expect``.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from time import monotonic, time
from typing import Final

from leeward._http.messages import CONTROLS, MALFORMED, TOO_LARGE, ProtocolError
from leeward._http.response_parser import Body, Chunked, Sized, lower_name
from leeward.adapter.service import http_date
from leeward.app.host import HttpAnswer
from leeward.masking import show_only
from leeward.records import NamedTuple

HEAD_BYTES: Final = 32 * 1024  # of the head of a request

HEAD_SECONDS: Final = 10.0
"""From the first byte of a request, or from its connection, to the end of its head."""

BODY_SECONDS: Final = 30.0  # from there to the end of the body; and for an answer to go out.

LINGER_SECONDS: Final = 1.0
"""How long to take in what still comes behind a refusal, so that it is not lost by a reset."""

_REQUEST: Final = rb"([A-Z]{1,20}) (/[!-~]*) HTTP/1\.([01])"


@show_only("method path")
class RequestHead(NamedTuple):
    """A request without its body, in the order of `leeward.app.host.HttpRequest`."""

    method: str
    path: str
    headers: dict[str, str]


class CallerConnection:
    """A connection, of which at most one thread reads.

    Attributes:
        ends: when it is closed if no whole head has come, by the monotonic clock.
        began: when the request began to come, by the same clock; None before its first byte.
        keeps: the caller keeps it open, and it is in step.
        lingers: it has been refused, and is closed soon.
    """

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.keeps, self.lingers = True, False
        self.rest(HEAD_SECONDS)

    def end(self) -> None:
        """Close it, and wake the thread that reads of it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def rest(self, seconds: float) -> None:
        """Wait for the next request, `seconds` at most."""
        self.ends = monotonic() + seconds
        self.began: float | None = None
        self._came = b""

    def take_in(self) -> bool:
        """Read what has come, without waiting; return whether `read_head` can say what it is.

        So a head that comes slowly, or never, holds no thread. What comes behind a refusal is for
        nobody.
        """
        self.socket.setblocking(False)
        try:
            data = self.socket.recv(HEAD_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # the caller has gone
            data = b""
        if self.lingers:
            return not data
        if self.began is None:
            self.began = monotonic()
            self.ends = self.began + HEAD_SECONDS
        searched = max(len(self._came) - 3, 0)
        self._came = self._came + data if self._came else data.lstrip(b"\r\n")
        is_whole = self._came.find(b"\r\n\r\n", searched) >= 0
        return is_whole or not data or len(self._came) > HEAD_BYTES

    def read_head(self) -> RequestHead | None:
        """Return the head of the request that has come; None if the caller has gone before."""
        if self.lingers:
            return None
        came = self._came
        end = came.find(b"\r\n\r\n")
        if end < 0 and len(came) <= HEAD_BYTES:
            return None
        if not 0 <= end <= HEAD_BYTES:
            raise ProtocolError(MALFORMED)
        self._came = came[end + 4 :]
        lines = came[:end].split(b"\r\n")
        first = re.fullmatch(_REQUEST, lines[0])
        if first is None or len(came[:end].translate(None, CONTROLS)) < end:
            raise ProtocolError(MALFORMED)
        headers = _headers_in(lines[1:])
        words = [word.strip() for word in headers.get("connection", "").lower().split(",")]
        self.keeps = first[3] == b"1" and "close" not in words
        path = first[2].decode("ascii").partition("?")[0]
        return RequestHead(first[1].decode("ascii"), path, headers)

    def read_body(self, headers: Mapping[str, str], limit: int) -> bytes:
        """Return the body of a request, whose head is read.

        Raises:
            ProtocolError: it has more than `limit` bytes, or nobody can tell where it ends.
        """
        body = _body_of(headers, limit)
        if body is None:
            self.keeps = self.keeps and not self._came
            return b""
        ends = monotonic() + BODY_SECONDS
        if not self._came and headers.get("expect", "").lower() == "100-continue":
            self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        whole = body.feed(self._came) if self._came else False
        while not whole:
            data = self._receive(ends)
            if not data:
                raise ConnectionError("the caller has gone in the middle of a request")
            whole = body.feed(data)
        self.keeps = self.keeps and not body.overrun
        return body.value()

    def has_more(self, headers: Mapping[str, str]) -> bool:
        """Return whether something comes behind the head of a request: a body, say."""
        is_empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        return bool(self._came) or not is_empty

    def send(
        self,
        answer: HttpAnswer,
        *,
        keeps: bool,
        has_body: bool = True,
        seconds: float = BODY_SECONDS,
    ) -> None:
        """Send an answer; `keeps` says whether the connection stays open.

        With `seconds` of 0 it has to fit into the socket's buffer.
        """
        phrases = {status.value: status.phrase for status in HTTPStatus}
        lines = [f"HTTP/1.1 {answer.status} {phrases.get(answer.status, '')}"]
        lines.append(f"date: {http_date(int(time()))}")
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.status != HTTPStatus.NO_CONTENT:
            lines.append(f"content-length: {len(answer.body)}")
        lines += [] if keeps else ["connection: close"]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
        self.socket.settimeout(seconds)
        self.socket.sendall(head + answer.body if has_body else head)

    def refuse(self, answer: HttpAnswer) -> bool:
        """Send the answer to a request that is not read to its end; return whether it could be.

        What still comes is to be taken in for a moment: to close the connection before would reset
        it, and the answer would be lost.
        """
        try:
            self.send(answer, keeps=False, seconds=0.0)
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        self.lingers, self.ends = True, monotonic() + LINGER_SECONDS
        return True

    def _receive(self, ends: float) -> bytes:
        left = ends - monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)
        return self.socket.recv(256 * 1024)


def _headers_in(lines: list[bytes]) -> dict[str, str]:
    """Return the headers of a request by name in lower case; of several with one name, all values.

    So two lengths, or two codings, are neither.
    """
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        lower = lower_name(name)
        if not colon or "\r" in value or "\n" in value:
            raise ProtocolError(MALFORMED)
        text = value.strip(" \t")
        headers[lower] = f"{headers[lower]}, {text}" if lower in headers else text
    return headers


def _body_of(headers: Mapping[str, str], limit: int) -> Body | None:
    """Return what takes in the body of a request; None if it has none."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise ProtocolError(MALFORMED)
        return Chunked(limit)
    if length is None:
        return None
    if not (length.isascii() and length.isdecimal() and len(length) < 16):
        raise ProtocolError(MALFORMED)
    if int(length) == 0:
        return None
    if int(length) > limit:
        raise ProtocolError(TOO_LARGE)
    return Sized(int(length))
