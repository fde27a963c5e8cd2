from __future__ import annotations

import http.client
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.servers.client import REQUEST, RawClient
from tests.servers.conftest import Scene
from tests.servers.faultproxy import Ending, FaultProxy, toxics
from tests.servers.loopback import PATIENCE


def _status(proxy: FaultProxy, path: str = "/") -> int:
    """Ask once, over a connection of its own."""
    connection = http.client.HTTPConnection(*proxy.address, timeout=PATIENCE)
    connection.request("POST", path, b"abc")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


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


def test_an_upstream_that_is_gone_was_sent_nothing() -> None:
    """When the upstream refuses, the client is reset, and nothing counts as forwarded."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with FaultProxy(unheard.getsockname()) as proxy, RawClient(proxy.address) as client:
            client.send(REQUEST)
            assert client.read_to_the_end() == (b"", Ending.RESET)
            assert [each.forwarded for each in proxy.requests] == [0]
            assert [each.ended for each in proxy.log] == [Ending.UPSTREAM_FAILED]
