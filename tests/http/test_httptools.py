"""Why leeward reads answers by itself: what httptools cannot say that must be known.

llhttp under it is a good parser. If one of these fails after an upgrade, it is time to look again.
With the rules that it needs around it, it takes as long for an answer as our reader.
"""

from __future__ import annotations

from typing import Any

import httptools
import pytest

from tests.http.mutations import by_leeward

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class _Told:
    """What the parser tells of answers, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.headers: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_headers_complete(self) -> None:
        self.events.append("head")

    def on_body(self, piece: bytes) -> None:
        self.events.append(f"body {len(piece)}")

    def on_message_complete(self) -> None:
        self.events.append("end")


def _told(raw: bytes, **leniencies: bool) -> _Told:
    told = _Told()
    parser: Any = httptools.HttpResponseParser(told)
    parser.set_dangerous_leniencies(**leniencies)
    parser.feed_data(raw)
    return told


@pytest.mark.parametrize("behind", [b"\r\n", b"\n", b"\r\n\r\n\r\n"])
def test_it_swallows_line_ends_behind_an_answer(behind: bytes) -> None:
    """It tells neither that they came nor where the answer ended: the connection looks clean."""
    assert _told(OK + behind).events == _told(OK).events
    assert by_leeward("GET", (OK,)).is_kept
    assert not by_leeward("GET", (OK + behind,)).is_kept


def test_it_cannot_be_told_that_an_answer_has_no_body() -> None:
    """The answer to HEAD is never at its end."""
    assert _told(OK[:-2]).events == ["head"]
    assert by_leeward("HEAD", (OK[:-2],)).is_kept


def test_it_cannot_be_told_that_the_connection_has_ended() -> None:
    """A body that ends there is never at its end; llhttp has a function for it, this has not."""
    assert _told(b"HTTP/1.1 200 OK\r\n\r\nall").events == ["head", "body 3"]
    assert not hasattr(httptools.HttpResponseParser, "finish")
    assert by_leeward("GET", (b"HTTP/1.1 200 OK\r\n\r\nall",)).body == b"all"


def test_it_unfolds_a_header_only_where_it_lets_zero_bytes_through() -> None:
    """RFC 9112, 5.2, has a client take a folded value; nothing has it take a zero byte."""
    folded = OK.replace(b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n")
    zero = OK.replace(b"\r\n\r\n", b"\r\nX: a\0b\r\n\r\n")
    with pytest.raises(httptools.HttpParserError):
        _told(folded)
    for raw in (folded, zero):
        assert b"X" in _told(raw, lenient_headers=True).headers
    assert by_leeward("GET", (folded,)).is_kept
    assert by_leeward("GET", (zero,)).code == 8


def test_an_interrupt_in_its_callbacks_becomes_another_error() -> None:
    """Ctrl-C would come out as an error of the parser."""

    class Interrupted(_Told):
        def on_headers_complete(self) -> None:
            raise KeyboardInterrupt

    parser: Any = httptools.HttpResponseParser(Interrupted())
    with pytest.raises(httptools.HttpParserCallbackError):
        parser.feed_data(OK)
