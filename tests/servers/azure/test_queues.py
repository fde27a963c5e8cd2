from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import Any, Final
from unittest import mock

import pytest
import requests
import responses

from tests.servers.azure.azurite import Azurite, connection_string
from tests.servers.azure.clients import eventually, queue_client, refusal
from tests.servers.azure.functions_host import FunctionsHost

ResourceExistsError: Final[type[Exception]] = import_module(
    "azure.core.exceptions"
).ResourceExistsError


def test_a_message_comes_and_goes(storage: str) -> None:
    """What was sent is received once, and deleted with its receipt."""
    with queue_client(storage, "comes-and-goes") as queue:
        queue.create_queue()
        queue.send_message(b"\x00\xff")
        (message,) = queue.receive_messages()
        assert message.content == b"\x00\xff"
        assert list(queue.receive_messages()) == []
        queue.delete_message(message)
        assert _count(queue) == 0


def test_an_absent_queue_is_told(storage: str) -> None:
    """A message for a queue that is not there is answered 404."""
    with queue_client(storage, "absent") as queue:
        assert refusal(lambda: queue.send_message(b"x")) == 404


def test_a_wrong_key_is_refused(azurite: Azurite, storage: str) -> None:
    """Another key's signature is answered 403, for an account that is there or is not."""
    wrong = storage.replace("AccountKey=bGVl", "AccountKey=d3Jv")
    for connection in (wrong, connection_string(azurite.url, "nobody")):
        with queue_client(connection, "any-queue") as queue:
            assert refusal(lambda: queue.send_message(b"x")) in {403, 404}


def test_a_large_message_is_refused(storage: str) -> None:
    """A message has 64 KiB at most, in base64."""
    with queue_client(storage, "large") as queue:
        queue.create_queue()
        queue.send_message(b"x" * 49_152)
        assert refusal(lambda: queue.send_message(b"x" * 49_153)) in {400, 413}


def test_a_message_that_fails_is_tried_five_times(odd: FunctionsHost, storage: str) -> None:
    """The host then puts it aside, in a queue of its own."""
    with queue_client(storage, "odd") as queue, queue_client(storage, "odd-poison") as poison:
        queue.create_queue()
        queue.send_message(b"never")
        found: Any = eventually(lambda: _taken(poison))
        assert found == b"never"
        assert sum(each.payload == b"never" for each in odd.begun) == 5
        # The host takes it out of its own queue last.
        assert eventually(lambda: _count(queue) == 0 or None)


def test_the_host_listens_by_itself(
    odd: FunctionsHost, storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs beside tests that set proxies in the environment, and that replace `requests`."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with (
        mock.patch.object(requests.Session, "send", side_effect=AssertionError) as replaced,
        responses.RequestsMock() as mocked,
        queue_client(storage, "odd") as queue,
    ):
        with suppress(ResourceExistsError):
            queue.create_queue()
        queue.send_message(b"by itself")
        assert eventually(lambda: any(each.payload == b"by itself" for each in odd.begun) or None)
        assert (replaced.call_count, len(mocked.calls)) == (0, 0)


def _count(queue: Any) -> int:
    found: int = queue.get_queue_properties().approximate_message_count
    return found


def _taken(queue: Any) -> bytes | None:
    """Take a message of a queue that may not be there yet."""
    try:
        (message,) = queue.receive_messages(max_messages=1)
    except Exception:  # noqa: BLE001 - whatever is missing may still come
        return None
    content: bytes = message.content
    return content
