"""The machine of one exchange: what to send, what a failure proves, what is left behind. No I/O."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.exchange import Exchange
from leeward._http.messages import Failure, Phase, Progress, Request, Response
from leeward._http.options import TransportOptions
from leeward.errors import ConfigError, InvalidRequest
from leeward_contract_tests.rows import each_row

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
RECORD = 16 * 1024


def _exchange(body: bytes = b"x", scheme: str = "http", method: str = "POST") -> Exchange:
    return Exchange(Request(method, f"{scheme}://h", "/", (), body), 9.0, TransportOptions())


def _fail(exchange: Exchange) -> Failure:
    exchange.fail(55, OSError("gone"))
    assert isinstance(exchange.result, Failure)
    return exchange.result


@given(st.integers(0, 100_000), st.lists(st.integers(1, 50_000)), st.booleans())
def test_everything_is_sent_once_and_in_order(size: int, takes: list[int], tls: bool) -> None:
    """However much of it the connection takes at a time."""
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    exchange = _exchange(body, "https" if tls else "http")
    sent = b""
    while exchange.unsent:
        piece = exchange.to_send()
        assert 0 < len(piece) <= (RECORD if tls else 1024 * 1024)
        count = min(takes.pop() if takes else len(piece), len(piece))
        sent += piece[:count]
        exchange.note_sent(count)
    assert sent.partition(b"\r\n\r\n")[2] == body


def test_nothing_taken_is_proved_and_a_byte_is_not() -> None:
    """The count is ours, so it is a fact."""
    assert not _fail(_exchange()).sent
    exchange = _exchange()
    exchange.note_sent(1)
    assert _fail(exchange)[:3] == (Phase.SEND, True, "curl.55")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_part_of_a_record_may_have_left(scheme: str) -> None:
    """A connection without room has taken nothing, but TLS may have sent a part of what it had."""
    exchange = _exchange(scheme=scheme)
    exchange.note_blocked()
    assert _fail(exchange).sent is (scheme == "https")


def test_an_answer() -> None:
    """It is the result when it is whole, and leaves the connection clean."""
    exchange = _exchange()
    exchange.note_sent(len(exchange.to_send()))
    exchange.receive(OK[:-1])
    assert (exchange.result, exchange.leaves_clean) == (None, False)
    exchange.receive(OK[-1:])
    assert exchange.result == Response(200, {"content-length": "2"}, b"hi")
    assert exchange.leaves_clean


@each_row(
    "raw",
    {
        "blank line": OK + b"\r\n",
        "a byte": OK + b"x",
        "an answer": OK + OK,
        "1.0": OK.replace(b"1.1", b"1.0"),
        "close": OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunked and more": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n",
    },
)
def test_an_answer_that_leaves_the_connection_in_doubt(raw: bytes) -> None:
    """It is an answer, and the connection is not used again."""
    exchange = _exchange()
    exchange.note_sent(len(exchange.to_send()))
    exchange.receive(raw)
    assert isinstance(exchange.result, Response)
    assert not exchange.leaves_clean


def test_a_request_that_was_not_wholly_sent_leaves_the_connection_in_doubt() -> None:
    """Whatever was answered."""
    exchange = _exchange()
    exchange.note_sent(len(exchange.to_send()) - 1)
    exchange.receive(OK)
    assert isinstance(exchange.result, Response)
    assert not exchange.leaves_clean


@pytest.mark.parametrize("raw", [b"\r\n" + OK, b"HTTP/1.1 200:OK\r\n\r\n", b"\0", b"HTTP/1.1 \xff"])
def test_nothing_that_a_server_says_raises(raw: bytes) -> None:
    """It is a failure, with libcurl's code, and no byte of it in the message."""
    exchange = _exchange()
    exchange.note_sent(len(exchange.to_send()))
    exchange.receive(raw)
    if exchange.result is None:
        exchange.receive(b"")
    assert isinstance(exchange.result, Failure)
    assert exchange.result.sent
    assert exchange.result.code in {"curl.1", "curl.8", "headers_cut"}


def test_closing_says_how_far_it_came() -> None:
    """Before a byte has left, that is proved."""
    exchange = _exchange()
    exchange.close(Progress(name_found=True))
    assert exchange.result == Failure(Phase.CONNECT, sent=False, code="closed")


def test_no_control_character_is_sent() -> None:
    """In no part of a request, and neither in a name nor in a value of its headers."""
    sound = Request("GET", "http://h", "/a", (("X-A", "1"),))
    Exchange(sound, 9.0, TransportOptions())
    for code in (*range(32), 127):
        bad = chr(code)
        for request in (
            sound._replace(method=f"GET{bad}"),
            sound._replace(target=f"/{bad}a"),
            *(sound._replace(headers=((f"X{bad}", "1"),)), sound._replace(headers=((bad, "1"),))),
            sound._replace(headers=((f"X{bad}", "1"),)),
            sound._replace(headers=(("X-A", f"1{bad}2"),)),
            sound._replace(headers=(("X-A", bad),)),
        ):
            with pytest.raises(InvalidRequest):
                Exchange(request, 9.0, TransportOptions())


def test_a_request_that_cannot_be_sent_makes_no_exchange() -> None:
    """It is refused before anything is taken for it."""
    with pytest.raises(InvalidRequest):
        Exchange(Request("get", "http://h", "/"), 9.0, TransportOptions())
    with pytest.raises(ConfigError):
        Exchange(Request("GET", "ftp://h", "/"), 9.0, TransportOptions())
