"""The machine of one exchange: what to send, what a failure proves, what is left behind. No I/O."""

from __future__ import annotations

import pytest

from leeward._http.exchange import Exchange
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._http.options import TransportOptions
from leeward.errors import InvalidRequest
from leeward_contract_tests.rows import each_row

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def _exchange(body: bytes = b"x", scheme: str = "http", method: str = "POST") -> Exchange:
    return Exchange(Request(method, f"{scheme}://h", "/", (), body), 9.0, TransportOptions())


def _fail(exchange: Exchange) -> Failure:
    exchange.fail(55, OSError("gone"))
    assert isinstance(exchange.result, Failure)
    return exchange.result


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
