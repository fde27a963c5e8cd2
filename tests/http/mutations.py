"""Answers that a broken or hostile server may give, and the verdict on each, by leeward and by h11.

An answer is *kept* if the connection may serve another request after it. That must never be so
where a byte is left behind the answer, and never where another reader sees its end elsewhere.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise
from typing import NamedTuple

import h11

from leeward._http.messages import ProtocolError
from leeward._http.response_parser import ResponseParser

MOST = 1000
"""Bytes that a body may have here."""

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nDate: 01 Jan 2026\r\nContent-Length: 11\r\nX-A: 1\r\n\r\n{'a': '\r\n'}",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 200:OK\r\nContent-Length: 1\r\n\r\nx",
    b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
    _CHUNKED + b"2\r\nhi\r\n0\r\n\r\n",
    _CHUNKED + b"5\r\nhell\r\n0\r\n\r\n",
    _CHUNKED + b"A;x=y\r\n0123456789\r\n1\r\nx\r\n0\r\nX-Trailer: 1\r\n\r\n",
    _CHUNKED + b"0\r\n\r\n",
    _CHUNKED.replace(b"OK\r\n", b"OK\r\nContent-Length: 3\r\n") + b"3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nConnection: x, Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nX: a\r\n\r\nHTTP/1.1 201 Created\r\n\r\n",
    b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\nhi",
)

_BITS = (
    *(
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b"\0",
        b":",
        b",",
        b";",
        b"0",
        b"1",
    ),
    *(b"-1", b"+2", b"0x2", b"F", b"\xe9", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 ", b"chunked"),
    *(b"Content-Length: 1\r\n", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"0\r\n\r\n", b"1\r\nx\r\n"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
)


_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""h11 refuses these inside a header's value; RFC 9110, 5.5, lets a reader keep them."""


class Case(NamedTuple):
    """An answer in pieces, to a request of one method."""

    method: str
    pieces: tuple[bytes, ...]

    @property
    def raw(self) -> bytes:
        """Give all of it."""
        return b"".join(self.pieces)

    @property
    def sends(self) -> tuple[bytes, ...]:
        """Give the pieces, with what is behind the answer in one piece with its end.

        What comes later than the next request nobody can tell from the answer to that.
        """
        parser = ResponseParser(has_body=self.method != "HEAD", max_body=MOST)
        for index, piece in enumerate(self.pieces):
            try:
                parser.feed(piece)
            except ProtocolError:
                break
            if parser.whole:
                return (*self.pieces[:index], b"".join(self.pieces[index:]))
        return self.pieces


class Verdict(NamedTuple):
    """What a reader makes of an answer behind whose last byte the connection ends.

    Attributes:
        status: None if it is not an answer, or not all of one.
        body: of the answer.
        is_kept: whether the connection may serve another request, with nothing left in it.
        code: libcurl's, of what is wrong.
        by_the_end: whether only the end of the connection has told.
    """

    status: int | None
    body: bytes = b""
    is_kept: bool = False
    code: int | None = None
    by_the_end: bool = False


def a_case(dice: random.Random) -> Case:
    """Give an answer with a few faults, one after the other, in pieces of odd sizes."""
    raw = bytearray(dice.choice(SEEDS))
    for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        _mutate(raw, dice)
    raw = raw or bytearray(b"x")
    cuts = sorted(dice.randrange(len(raw) + 1) for _ in range(dice.choice((0, 1, 2, 4, 9))))
    places = [0, *cuts, len(raw)]
    pieces = [bytes(raw[at:end]) for at, end in pairwise(places)]
    return Case(dice.choice(("GET", "GET", "GET", "HEAD")), tuple(each for each in pieces if each))


def _mutate(raw: bytearray, dice: random.Random) -> None:
    at = dice.randrange(len(raw) + 1)
    match dice.randrange(8):
        case 0:
            raw[at:at] = dice.choice(_BITS)
        case 1:
            raw += dice.choice(_BITS)
        case 2:
            del raw[at : at + dice.choice((1, 1, 1, 2, 5))]
        case 3:
            raw[at : at + 1] = bytes([dice.randrange(256)])
        case 4:
            del raw[at:]
        case 5:
            raw[at:at] = raw[at : at + dice.choice((1, 2, 10, 40))]
        case 6:
            ends = [place for place in range(len(raw)) if raw[place] in b"\r\n"]
            if ends:
                del raw[(place := dice.choice(ends)) : place + 1]
        case _:
            raw[at:at] = dice.choice(SEEDS)


def by_leeward(method: str, pieces: tuple[bytes, ...]) -> Verdict:
    """Give leeward's verdict."""
    parser = ResponseParser(has_body=method != "HEAD", max_body=MOST)
    left = list(pieces)
    by_the_end = False
    try:
        while left and not parser.whole:
            parser.feed(left.pop(0))
        if not parser.whole:
            by_the_end = True
            parser.end()
    except ProtocolError as error:
        return Verdict(None, code=error.code, by_the_end=by_the_end)
    # What lies in the connection still is found there before the next request.
    is_kept = parser.keeps and not left
    return Verdict(parser.status, parser.body, is_kept, by_the_end=by_the_end)


def by_h11(method: str, raw: bytes) -> Verdict:
    """Give h11's verdict; its body is not bounded."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    status, body, ended = None, b"", False
    try:
        connection.receive_data(raw)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if ended:
                    return Verdict(None, body)
                connection.receive_data(b"")
                ended = True
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                left = connection.trailing_data[0]
                return Verdict(status, body, connection.their_state is h11.DONE and not left)
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return Verdict(None, body)
    except h11.RemoteProtocolError:
        return Verdict(None, body)


def faults_of(case: Case) -> list[str]:
    """Return what is wrong with leeward's verdict on `case`; nothing, for a good one."""
    whole = by_leeward(case.method, (case.raw,))
    split = by_leeward(case.method, case.pieces)
    bytewise = by_leeward(case.method, tuple(bytes([byte]) for byte in case.raw))
    faults = [
        f"{name}: {each}, and whole: {whole}"
        for name, each in (("in pieces", split), ("byte by byte", bytewise))
        if each != whole
    ]
    if whole.status is not None and not _CONTROLS.search(case.raw):
        other = by_h11(case.method, case.raw)
        differs = other.status is not None and other[:2] != whole[:2]
        if differs or (whole.is_kept and not other.is_kept):
            faults.append(f"h11: {other}, leeward: {whole}")
    return faults
