"""What is an answer, what is none, and that it does not matter in which pieces it comes."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import ProtocolError
from leeward._http.response_parser import MOST_OF_HEADS, Chunked, ResponseParser
from leeward_contract_tests.rows import each_row

MOST = 1000


class Whole(NamedTuple):
    """Bytes that are an answer, and which one."""

    raw: bytes
    status: int = 200
    body: bytes = b""
    keeps: bool = True
    has_body: bool = True
    ended: bool = False


WHOLE = {
    "with a length": Whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", body=b"hi"),
    "empty": Whole(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 404),
    "without a reason": Whole(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    "to HEAD": Whole(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", has_body=False),
    "to HEAD, chunked": Whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", has_body=False
    ),
    "no content": Whole(b"HTTP/1.1 204 No\r\n\r\n", 204),
    "no content, and yet some": Whole(
        b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", 204, keeps=False
    ),
    "not modified": Whole(b"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", 304),
    "chunked": Whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\nA;x=y\r\n0123456789\r\n"
        b"0\r\nX-Trailer: 1\r\n\r\n",
        body=b"hi0123456789",
    ),
    "an empty one, chunked": Whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunked and with a length": Whole(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"
        b"2\r\nhi\r\n0\r\n\r\n",
        body=b"hi",
        keeps=False,
    ),
    "until the end": Whole(b"HTTP/1.1 200 OK\r\n\r\nall", body=b"all", keeps=False, ended=True),
    "nothing until the end": Whole(b"HTTP/1.1 200 OK\r\n\r\n", keeps=False, ended=True),
    "to be closed": Whole(
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", keeps=False
    ),
    "of the old version": Whole(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", keeps=False),
    "of the old version, which would keep": Whole(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", keeps=False
    ),
    "after interim ones": Whole(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: 1\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
        201,
        b"x",
    ),
    "with its length twice": Whole(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nhi", body=b"hi"
    ),
    "to be closed, among more": Whole(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: X\r\nContent-Length: 0\r\n\r\n",
        keeps=False,
    ),
    "not to be closed": Whole(
        b"HTTP/1.1 200 OK\r\nConnection: x-close\r\nContent-Length: 0\r\n\r\n"
    ),
    "of the old version, chunked": Whole(
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        keeps=False,
    ),
    "at the cap": Whole(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + MOST * b"x", 200, MOST * b"x"
    ),
}


def _fed(pieces: list[bytes], *, has_body: bool = True, ended: bool = False) -> ResponseParser:
    parser = ResponseParser(has_body=has_body, max_body=MOST)
    for piece in pieces:
        parser.feed(piece)
    if ended:
        parser.end()
    return parser


def _feed(parser: ResponseParser, raw: bytes, most: int) -> None:
    """Feed `raw` in pieces of at most `most` bytes."""
    for start in range(0, len(raw), most):
        parser.feed(raw[start : start + most])


def _check(whole: Whole, pieces: list[bytes]) -> None:
    found = _fed(pieces, has_body=whole.has_body, ended=whole.ended)
    assert found.whole
    assert (found.status, found.body, found.keeps) == (whole.status, whole.body, whole.keeps)


@given(st.sampled_from(sorted(WHOLE)), st.lists(st.integers(0, 100), max_size=6))
def test_an_answer_in_any_pieces(name: str, cuts: list[int]) -> None:
    """Where it is cut makes no difference."""
    raw = WHOLE[name].raw
    places = [0, *sorted(cut * len(raw) // 100 for cut in cuts), len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(places)]
    _check(WHOLE[name], [piece for piece in pieces if piece])


def test_headers() -> None:
    """Names in lower case, values stripped and unfolded, the last of several."""
    raw = (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2 \r\nX-B:\r\nX-C: a:\xe9\r\n  b\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    found = _fed([raw])
    assert found.headers == {"x-a": "2", "x-b": "", "x-c": "a:é b", "content-length": "0"}
    assert found.head_bytes == len(raw)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

BROKEN = {
    "garbage": (b"garbage", 1, None),
    "another protocol": (b"SSH-2.0-x\r\n", 1, None),
    "a later version": (b"HTTP/2 200\r\n\r\n", 1, None),
    "a blank line before": (b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, None),
    "no status": (b"HTTP/1.1 OK\r\n\r\n", 8, None),
    "a status too long": (b"HTTP/1.1 2000 OK\r\n\r\n", 8, None),
    "a colon in the status line": (b"HTTP/1.1 200:OK\r\n\r\n", 8, None),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 8, None),
    "a bare line feed": (b"HTTP/1.1 200 OK\r\nX: 1\nContent-Length: 2\r\n\r\nhi", 8, 200),
    "an end that two readers see elsewhere": (b"HTTP/1.1 204 No\r\n\n\r\n", 8, 204),
    "an interim answer with a bare line feed": (b"HTTP/1.1 100 Go\r\nX\n\r\n\r\n", 8, None),
    "a zero byte": (b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 8, 200),
    "no colon": (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", 8, 200),
    "no length": (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", 8, 200),
    "an endless length": (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 8, 200),
    "no coding by name, and a length": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
        61,
        200,
    ),
    "another coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 61, 200),
    "chunked twice": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        61,
        200,
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\n",
        8,
        200,
    ),
    "a blank before the colon": (b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", 8, 200),
    "no name": (b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", 8, 200),
    "a bare carriage return": (b"HTTP/1.1 200 OK\r\nX: 1\rY: 2\r\n\r\n", 8, 200),
    "another protocol now": (b"HTTP/1.1 101 Switching\r\n\r\n", 1, None),
    "an endless status line": (b"HTTP/1.1 200 " + b"x" * MOST_OF_HEADS, 100, None),
    "a coding behind other blanks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \xa0chunked\r\n\r\n",
        61,
        200,
    ),
    "a length above the cap": (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", 63, 200),
    "bytes above the cap": (b"HTTP/1.1 200 OK\r\n\r\n" + 1001 * b"x", 63, 200),
    "a chunk above the cap": (CHUNKED + b"3e9\r\n", 63, 200),
    "a chunk without a size": (CHUNKED + b"zz\r\n", 56, 200),
    "a chunk with a sign": (CHUNKED + b"-1\r\n", 56, 200),
    "a chunk that goes on": (CHUNKED + b"2\r\nhi!\r\n", 56, 200),
    "something else behind a chunk": (CHUNKED + b"2\r\nhi!!0\r\n\r\n", 56, 200),
    "a chunk a byte short": (CHUNKED + b"5\r\nhell\r\n0\r\n\r\n", 56, 200),
    "a chunk's bare line feed": (CHUNKED + b"2\nhi\r\n0\r\n\r\n", 56, 200),
    "a bare line feed behind a chunk": (CHUNKED + b"2\r\nhi\n0\r\n\r\n", 56, 200),
    "a bare line feed at the end": (CHUNKED + b"0\r\n\n", 56, 200),
    "a trailer without a name": (CHUNKED + b"0\r\n: x\r\n\r\n", 56, 200),
    "a trailer without a colon": (CHUNKED + b"0\r\nnonsense\r\n\r\n", 56, 200),
    "trailers without end": (CHUNKED + b"0\r\n" + b"X: 1\r\n" * 5000, 56, 200),
    "a chunk's endless line": (CHUNKED + b"2;" + b"x" * 20_000, 56, 200),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 60_000, 100, 200),
    "heads without end": (b"HTTP/1.1 100 Go on\r\n\r\n" * 20_000, 100, None),
}


@pytest.mark.parametrize("piece", [1, 7, 50_000])
@each_row("name", list(BROKEN))
def test_what_is_not_an_answer(name: str, piece: int) -> None:
    """It is given up with libcurl's code for it, in whatever pieces it comes."""
    raw, code, status = BROKEN[name]
    parser = ResponseParser(has_body=True, max_body=MOST)
    with pytest.raises(ProtocolError) as caught:
        _feed(parser, raw, max(piece, len(raw) // 3000))
    assert (caught.value.code, parser.status_so_far) == (code, status)
    assert not parser.whole


@each_row(
    "raw",
    [
        b"HTTP/1.1 200 O%bK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-%bA: 1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1%b2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2%b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nX-A: %b\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        CHUNKED + b"2;a%b\r\nhi\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nX-A: 1%b2\r\n\r\n",
    ],
)
def test_no_control_character_is_taken(raw: bytes) -> None:
    """Wherever it stands in a head, a trailer or the line of a chunk; a tab stands in values."""
    for code in (*range(32), 127):
        if code == 9 and b"-%b" not in raw:
            assert _fed([raw % b"\t"]).whole
            continue
        with pytest.raises(ProtocolError):
            _fed([raw % bytes([code])])


@each_row(
    "raw, code, status",
    [
        (b"", 52, None),
        (b"HTTP/1.1 100 Go on\r\n\r\n", 52, None),
        (b"HT", 18, None),
        (b"HTTP/1.1 200 OK", 18, None),
        (b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", 18, 200),
        (b"HTTP/1.1 100 Go on\r\nX-A: 1\r\n", 18, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", 18, 200),
        (CHUNKED + b"2\r\nhi\r\n", 18, 200),
        (CHUNKED + b"2\r\nhi\r\n0\r\n", 18, 200),
    ],
)
def test_an_answer_that_is_cut(raw: bytes, code: int, status: int | None) -> None:
    """As much is known as has come."""
    parser = _fed([raw] if raw else [])
    with pytest.raises(ProtocolError) as caught:
        parser.end()
    assert (caught.value.code, parser.status_so_far) == (code, status)


@given(st.binary(min_size=1, max_size=200), st.sampled_from([b"", CHUNKED, CHUNKED + b"2\r\n"]))
def test_no_bytes_do_any_harm(raw: bytes, before: bytes) -> None:
    """Whatever comes, it is an answer, or none, or not yet one."""
    parser = ResponseParser(has_body=True, max_body=MOST)
    with suppress(ProtocolError):
        parser.feed(before + raw)
        parser.end()
    assert len(parser.body) <= MOST


@pytest.mark.threat("S15")
def test_headers_that_drip_are_given_up_as_well() -> None:
    """At the same size, and without taking the longer the more have come."""
    parser = ResponseParser(has_body=True, max_body=MOST)
    raw = b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1234567890\r\n" * (MOST_OF_HEADS // 20)
    with pytest.raises(ProtocolError, match="100"):
        _feed(parser, raw, 100)


def test_a_body_in_chunks_is_let_go_of_at_once() -> None:
    """No cycle keeps it until somebody collects the garbage."""
    reader = Chunked(MOST)
    reader.feed(b"2\r\nhi\r\n")
    gone = weakref.ref(reader)
    gc.disable()
    try:
        del reader
        assert gone() is None
    finally:
        gc.enable()
