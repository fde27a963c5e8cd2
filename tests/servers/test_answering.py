from __future__ import annotations

import pytest

from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.client import REQUEST, RawClient
from tests.servers.faultproxy import Ending


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
