from __future__ import annotations

import http.client
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from leeward_contract_tests.rows import each_row
from tests.servers.client import REQUEST, RawClient
from tests.servers.conftest import Scene
from tests.servers.faultproxy import ConnectionSeen, Ending, FaultProxy, RequestSeen, toxics
from tests.servers.faultproxy.exchange import Exchange, RequestToxic
from tests.servers.loopback import PATIENCE


def _status(proxy: FaultProxy, path: str = "/") -> int:
    """Ask once, over a connection of its own."""
    connection = http.client.HTTPConnection(*proxy.address, timeout=PATIENCE)
    connection.request("POST", path, b"abc")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_toxics_take_their_turns(plain: Scene) -> None:
    """Each toxic lasts for its number of requests, in the order in which they were injected."""
    plain.proxy.inject(toxics.status(500), times=2)
    plain.proxy.inject(toxics.status(503), times=1)
    assert [_status(plain.proxy) for _ in range(4)] == [500, 500, 503, 200]


def test_a_toxic_without_a_number_lasts_until_healed(plain: Scene) -> None:
    """It applies to every request; healing drops it, and what is queued behind it."""
    plain.proxy.inject(toxics.status(500))
    plain.proxy.inject(toxics.status(503), times=1)
    assert [_status(plain.proxy) for _ in range(3)] == [500, 500, 500]
    plain.proxy.heal()
    assert _status(plain.proxy) == 200


@pytest.mark.parametrize("times", [0, -1])
def test_a_toxic_needs_a_turn(plain: Scene, times: int) -> None:
    """A toxic for no requests is an error of the test."""
    with pytest.raises(ValueError, match="times="):
        plain.proxy.inject(toxics.answer_lost(), times)


def test_turns_are_counted_across_connections(plain: Scene) -> None:
    """Under concurrent clients as many requests are hit as were asked for, and no more."""
    plain.proxy.inject(toxics.status(503), times=20)
    with ThreadPoolExecutor(8) as pool:
        found = Counter(pool.map(lambda _: _status(plain.proxy), range(60)))
    assert found == {503: 20, 200: 40}
    plain.proxy.wait_idle()
    assert Counter(each.toxic for each in plain.proxy.requests) == {"status(503)": 20, None: 40}
    assert plain.upstream.count == 40


def test_what_has_gone_idle_can_be_hit(plain: Scene) -> None:
    """A toxic that is injected while a connection is idle hits its next request."""
    with plain.client() as client:
        client.send(REQUEST)
        assert client.read(12) == b"HTTP/1.1 200"
        plain.proxy.inject(toxics.answer_lost(), times=1)
        client.send(REQUEST)
        assert client.read_to_the_end().ended is Ending.CLOSED
    assert [(each.toxic, each.forwarded) for each in plain.proxy.requests] == [
        (None, 1),
        ("answer_lost", 1),
    ]
    assert plain.upstream.count == 2


def test_requests_are_kept_whole_on_demand(plain: Scene) -> None:
    """From then on, each as it came, be it passed on or not."""
    _status(plain.proxy, "/before")
    assert plain.proxy.kept == ()
    plain.proxy.keep()
    plain.proxy.inject(toxics.status(500), times=1)
    assert [_status(plain.proxy, f"/{n}") for n in range(2)] == [500, 200]
    kept: tuple[bytes, ...] = plain.proxy.kept
    for n, request in enumerate(kept):
        assert request.startswith(b"POST /%d HTTP/1.1\r\n" % n)
        assert request.endswith(b"\r\n\r\nabc")


def test_bytes_pass_as_they_are(plain: Scene) -> None:
    """The upstream gets the target and the headers unchanged, and chunks as chunks."""
    chunks = b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX-Sum: 3\r\n\r\n"
    head = b"POST /%7Ea//b/../c?d=%20 HTTP/1.1\r\nhOST: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with plain.client() as client:
        client.send(head + chunks)
        assert client.read(12) == b"HTTP/1.1 200"
    (executed,) = plain.upstream.executed
    assert (executed.target, executed.body) == ("/%7Ea//b/../c?d=%20", b"abc")
    assert executed.headers == (("hOST", "a"), ("Transfer-Encoding", "chunked"))
    plain.proxy.wait_idle()
    (connection,) = plain.proxy.log
    assert connection.bytes_in == len(head + chunks)


def test_a_large_body_passes_both_ways(scene: Scene) -> None:
    """Megabytes arrive whole, also when the connection ends right after them."""
    size = 3_000_000
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    scene.proxy.inject(toxics.status(200, (), bytes(size)), times=1)
    with scene.client() as client:
        client.send(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        heard = client.read_to_the_end()
    assert heard.ended is Ending.CLOSED
    assert heard.data.endswith(b"\r\n\r\n" + bytes(size))
    with scene.client() as client:
        client.send(request)
        assert client.read(12) == b"HTTP/1.1 200"
    assert [len(each.body) for each in scene.upstream.executed] == [size]


@contextmanager
def _canned(answer: bytes) -> Iterator[tuple[str, int]]:
    """Give the address of a server that reads one request, sends `answer`, and closes."""

    def serve() -> None:
        accepted, _ = server.accept()
        with accepted:
            accepted.recv(65536)
            accepted.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        yield server.getsockname()
        served.result(PATIENCE)


@each_row(
    "canned, passed, ending",
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            Ending.CLIENT_CLOSED,
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            Ending.CLIENT_CLOSED,
        ),
        (
            b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            Ending.CLOSED,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            Ending.CLOSED,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na", b"", Ending.UPSTREAM_FAILED),
        (b"", b"", Ending.UPSTREAM_FAILED),
        (b"no HTTP\r\n\r\n", b"", Ending.UPSTREAM_FAILED),
    ],
)
def test_what_an_upstream_can_answer(canned: bytes, passed: bytes, ending: Ending) -> None:
    """Any whole answer passes, less interim ones; without one the client is reset."""
    with _canned(canned) as address, FaultProxy(address) as proxy:
        with RawClient(proxy.address) as client:
            client.send(REQUEST)
            assert client.read(len(passed)) == passed
            if ending is not Ending.CLIENT_CLOSED:
                assert client.read_to_the_end().data == b""
        proxy.wait_idle()
        seen = RequestSeen("POST", "/work?n=1", None, 1)
        assert proxy.log == (ConnectionSeen(None, (seen,), len(REQUEST), len(passed), ending),)


def test_an_upstream_that_is_gone_was_sent_nothing() -> None:
    """When the upstream refuses, the client is reset, and nothing counts as forwarded."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with FaultProxy(unheard.getsockname()) as proxy, RawClient(proxy.address) as client:
            client.send(REQUEST)
            assert client.read_to_the_end() == (b"", Ending.RESET)
            assert [each.forwarded for each in proxy.requests] == [0]
            assert [each.ended for each in proxy.log] == [Ending.UPSTREAM_FAILED]


def test_what_is_no_request_is_told_apart(plain: Scene) -> None:
    """A client that does not speak HTTP/1.1 is reset, and the log says why."""
    with plain.client() as client:
        client.send(b"garbage\r\n\r\n")
        assert client.read_to_the_end() == (b"", Ending.RESET)
    assert plain.proxy.log == (ConnectionSeen(None, (), 11, 0, Ending.MALFORMED),)


def test_a_request_that_stays_incomplete_is_none(plain: Scene) -> None:
    """A client that leaves within a request has sent bytes, but no request."""
    with plain.client() as client:
        client.send(REQUEST[:-1])
    plain.proxy.wait_until(lambda: len(plain.proxy.log) == 1)
    plain.proxy.wait_idle()
    expected = ConnectionSeen(None, (), len(REQUEST) - 1, 0, Ending.CLIENT_CLOSED)
    assert plain.proxy.log == (expected,)


def test_a_client_that_resets_is_told_apart(plain: Scene) -> None:
    """The log tells a client's reset from its closing."""
    plain.proxy.inject(toxics.black_hole(), times=1)
    with socket.create_connection(plain.proxy.address) as client:
        client.sendall(REQUEST)
        plain.proxy.wait_until(lambda: len(plain.proxy.requests) == 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.proxy.wait_idle()
    assert [each.ended for each in plain.proxy.log] == [Ending.CLIENT_RESET]


def test_a_mistake_in_a_toxic_is_not_lost(plain: Scene) -> None:
    """What a toxic raises resets the connection, and comes up when the proxy is left."""

    async def wrong(_exchange: Exchange) -> None:
        raise LookupError("no such fault")

    def talk() -> None:
        with FaultProxy(plain.upstream.address) as proxy, RawClient(proxy.address) as client:
            proxy.inject(RequestToxic("wrong", wrong))
            client.send(REQUEST)
            assert client.read_to_the_end() == (b"", Ending.RESET)
            proxy.wait_idle()

    with pytest.raises(ExceptionGroup) as caught:
        talk()
    assert caught.group_contains(LookupError)


def test_the_url_names_scheme_and_port(scene: Scene) -> None:
    """The URL is that of the address, with the scheme that the proxy speaks."""
    scheme = "https" if scene.context else "http"
    assert scene.proxy.url == f"{scheme}://127.0.0.1:{scene.proxy.address[1]}"
