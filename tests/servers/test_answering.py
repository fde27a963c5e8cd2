from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.certificates import Authority
from tests.servers.client import REQUEST, RawClient
from tests.servers.faultproxy import Ending
from tests.servers.loopback import PATIENCE


def _connection(server: AnsweringServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*server.address, timeout=PATIENCE)


def test_a_request_is_noted_and_answered() -> None:
    """The log has the request as it came, and the client gets the answer that was made for it."""

    def shout(request: Executed) -> Answer:
        return Answer(201, (("X-Seen", request.target),), request.body.upper())

    with AnsweringServer(shout) as server:
        connection = _connection(server)
        connection.request("PUT", "/a?b=%2F", b"abc", {"X-One": "1"})
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Seen"]) == (201, "/a?b=%2F")
        assert answer.read() == b"ABC"
        connection.close()
        (executed,) = server.executed
    assert (executed.method, executed.target, executed.body) == ("PUT", "/a?b=%2F", b"abc")
    assert ("X-One", "1") in executed.headers


def test_a_kept_connection_serves_many_requests() -> None:
    """Requests of any framing follow each other on one connection, HEAD and chunks included."""
    with AnsweringServer(Answer(body=b"hi")) as server:
        connection = _connection(server)
        for method, body in [("GET", None), ("HEAD", None), ("POST", iter([b"a", b"bc"]))]:
            connection.request(method, "/", body, encode_chunked=True)
            assert connection.getresponse().read() == (b"" if method == "HEAD" else b"hi")
        assert (server.open_connections, server.count) == (1, 3)
        assert [each.body for each in server.executed] == [b"", b"", b"abc"]
        connection.close()
        server.wait_idle()


def test_a_request_that_asks_for_the_end_gets_it() -> None:
    """After `Connection: close` the server says so too, and closes."""
    with AnsweringServer() as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        heard = client.read_to_the_end()
    assert heard.data == b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    assert heard.ended is Ending.CLOSED


def test_what_is_no_request_is_refused() -> None:
    """Garbage is answered 400 and executed by nobody."""
    with AnsweringServer() as server:
        with RawClient(server.address) as client:
            client.send(b"garbage\r\n\r\n")
            assert client.read_to_the_end().data.startswith(b"HTTP/1.1 400 ")
        server.wait_idle()
        assert server.count == 0


def test_tls_if_asked(authority: Authority) -> None:
    """With an authority the server speaks TLS, and who trusts the authority trusts it."""
    with AnsweringServer(Answer(body=b"safe"), authority) as server:
        assert server.url == f"https://127.0.0.1:{server.address[1]}"
        connection = http.client.HTTPSConnection(
            *server.address, timeout=PATIENCE, context=authority.client_context()
        )
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"safe"
        connection.close()
        server.wait_idle()


def test_answers_may_block() -> None:
    """Two requests are in work at a time: each waits for the other to arrive."""
    barrier = threading.Barrier(2)

    def meet(_request: Executed) -> Answer:
        barrier.wait(PATIENCE)
        return Answer()

    def ask() -> int:
        connection = _connection(server)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
        return status

    with AnsweringServer(meet) as server, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask) for _ in range(2)]
        assert [each.result(PATIENCE) for each in asked] == [200, 200]


def test_a_mistake_of_the_test_is_not_lost() -> None:
    """What the callable raises resets the connection, and comes up when the server is left."""

    def wrong(_request: Executed) -> Answer:
        raise LookupError("no such answer")

    def talk() -> None:
        with AnsweringServer(wrong) as server, RawClient(server.address) as client:
            client.send(REQUEST)
            assert client.read_to_the_end() == (b"", Ending.RESET)
            server.wait_idle()

    with pytest.raises(ExceptionGroup) as caught:
        talk()
    assert caught.group_contains(LookupError)


def test_waiting_for_too_long_is_told() -> None:
    """A connection that stays open makes the wait fail, and stopping the server resets it."""
    with AnsweringServer() as server:
        client = RawClient(server.address)
        client.send(REQUEST)
        server.wait_until(lambda: server.count == 1)
        with pytest.raises(TimeoutError):
            server.wait_idle(timeout=0)
    assert client.read_to_the_end().ended is Ending.RESET
    with client:
        assert server.open_connections == 0
