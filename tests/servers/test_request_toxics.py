from __future__ import annotations

import pytest

from tests.servers.client import REQUEST, Heard
from tests.servers.conftest import Scene
from tests.servers.faultproxy import ConnectionSeen, Ending, RequestSeen, toxics
from tests.servers.faultproxy.exchange import RequestToxic

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
ANSWER = HEAD + b"hello"
HOURS = 9999.0


def _name(value: object) -> str | None:
    return value.name if isinstance(value, RequestToxic) else None


def _seen(toxic: RequestToxic | None, forwarded: int) -> RequestSeen:
    return RequestSeen("POST", "/work?n=1", toxic.name if toxic else None, forwarded)


@pytest.mark.parametrize(
    ("toxic", "heard", "forwarded"),
    [
        (toxics.reset_before_headers(), Heard(b"", Ending.RESET), 0),
        (toxics.reset_after_request(), Heard(b"", Ending.RESET), 1),
        (toxics.answer_lost(), Heard(b"", Ending.CLOSED), 1),
        (toxics.drop_after(0), Heard(b"", Ending.CLOSED), 1),
        (toxics.drop_after(7), Heard(ANSWER[:7], Ending.CLOSED), 1),
        (toxics.truncate_body(), Heard(HEAD + b"he", Ending.CLOSED), 1),
    ],
    ids=_name,
)
def test_a_toxic_that_ends_the_connection(
    scene: Scene, toxic: RequestToxic, heard: Heard, forwarded: int
) -> None:
    """The client gets these bytes and this end, the upstream that many requests; the log agrees."""
    scene.proxy.inject(toxic, times=1)
    with scene.client() as client:
        client.send(REQUEST)
        assert client.read_to_the_end() == heard
        (connection,) = scene.proxy.log
    assert connection == ConnectionSeen(
        None, (_seen(toxic, forwarded),), len(REQUEST), len(heard.data), heard.ended
    )
    assert scene.upstream.count == forwarded


@pytest.mark.parametrize(
    ("toxic", "answer", "forwarded"),
    [
        (None, ANSWER, 1),
        (toxics.duplicate(), ANSWER, 2),
        (toxics.latency(0.001), ANSWER, 1),
        (toxics.slow_drip_headers(0.0001), ANSWER, 1),
        (toxics.slow_drip_body(0.0001), ANSWER, 1),
        (
            toxics.status(429, (("Retry-After", "3"),), b"slow"),
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\nslow",
            0,
        ),
        (
            toxics.redirect("http://127.0.0.1:9/"),
            (
                b"HTTP/1.1 307 Temporary Redirect\r\n"
                b"Location: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
            ),
            0,
        ),
    ],
    ids=_name,
)
def test_a_toxic_that_answers_in_full(
    scene: Scene, toxic: RequestToxic | None, answer: bytes, forwarded: int
) -> None:
    """The client gets this answer, and the next request on the kept connection is not touched."""
    if toxic:
        scene.proxy.inject(toxic, times=1)
    with scene.client() as client:
        client.send(REQUEST)
        assert client.read(len(answer)) == answer
        client.send(REQUEST)
        assert client.read(len(ANSWER)) == ANSWER
    scene.proxy.wait_idle()
    assert scene.proxy.log == (
        ConnectionSeen(
            None,
            (_seen(toxic, forwarded), _seen(None, 1)),
            2 * len(REQUEST),
            len(answer + ANSWER),
            Ending.CLIENT_CLOSED,
        ),
    )
    assert scene.upstream.count == forwarded + 1


@pytest.mark.parametrize(
    ("toxic", "start", "forwarded"),
    [
        (toxics.black_hole(), b"", 0),
        (toxics.latency(HOURS), b"", 1),
        (toxics.slow_drip_headers(HOURS), b"H", 1),
        (toxics.slow_drip_body(HOURS), HEAD + b"h", 1),
    ],
    ids=_name,
)
def test_a_toxic_that_keeps_the_client_waiting(
    scene: Scene, toxic: RequestToxic, start: bytes, forwarded: int
) -> None:
    """The client gets these bytes and no more; when it gives up, the connection is over at once."""
    scene.proxy.inject(toxic)
    expected = (_seen(toxic, forwarded),)
    with scene.client() as client:
        client.send(REQUEST)
        scene.proxy.wait_until(lambda: scene.proxy.requests == expected)
        assert client.read(len(start)) == start
        assert client.hears_nothing()
        assert scene.proxy.open_connections == 1
    scene.proxy.wait_idle()
    assert scene.proxy.log == (
        ConnectionSeen(None, expected, len(REQUEST), len(start), Ending.CLIENT_CLOSED),
    )
    assert scene.upstream.count == forwarded
