from __future__ import annotations

from email.utils import formatdate
from importlib import import_module
from typing import Any

import pytest
import requests

from tests.servers.azure import tokens
from tests.servers.azure.clients import Bearer, HttpResponseError, cosmos_client, refusal
from tests.servers.azure.cosmos_server import CosmosServer
from tests.servers.azure.identity import Identity
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy

PartitionKey: Any = import_module("azure.cosmos").PartitionKey


@pytest.fixture
def items(database: Any) -> Any:
    """Give a container by id, whose items may expire."""
    return database.create_container("items", PartitionKey("/id"), default_ttl=-1)


def _sub_status(call: Any) -> int:
    with pytest.raises(HttpResponseError) as raised:
        call()
    found: int = vars(raised.value)["sub_status"]
    return found


def test_an_old_signature_is_refused(cosmos: CosmosServer) -> None:
    """The date may differ by a quarter of an hour; without a version there is no answer."""
    headers = {"x-ms-version": "2018-12-31", "authorization": "type%3Dmaster%26ver%3D1.0%26sig%3Da"}
    old = headers | {"x-ms-date": formatdate(0, usegmt=True)}
    assert requests.get(cosmos.url, headers=old, timeout=60).status_code == 401
    assert requests.get(cosmos.url, timeout=60).status_code == 400


# azure-cosmos looks at no certificate of 127.0.0.1.
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_tokens_are_good_for_their_audience_and_their_time(
    cosmos: CosmosServer, identity: Identity
) -> None:
    """Entra ID's tokens open the account; others, and old ones, do not."""
    wrong = (identity.token(tokens.EVENT_GRID), identity.token(tokens.COSMOS, -1), "a.b.c")
    with FaultProxy(cosmos.address, Authority()) as proxy:  # azure-cosmos wants TLS for tokens
        with cosmos_client(proxy.url, Bearer(identity.token(tokens.COSMOS))) as client:
            assert client.get_database_account() is not None
        for token in wrong:
            assert refusal(lambda: cosmos_client(proxy.url, Bearer(token))) == 401  # noqa: B023


def test_a_partition_key_has_to_be_that_of_the_item(cosmos: CosmosServer, items: Any) -> None:
    """A key that the item does not have is refused with the sub-status 1001."""
    connection: Any = items.client_connection
    options = {"partitionKey": "b"}

    def act() -> None:
        connection.CreateItem(items.container_link, {"id": "a"}, options)

    assert refusal(act) == 400
    assert _sub_status(act) == 1001


@pytest.mark.parametrize("ttl", ["abc", 0, -2, None, 1.5])
def test_a_wrong_ttl_is_refused(items: Any, ttl: object) -> None:
    """A ttl is -1 or a positive integer."""
    assert refusal(lambda: items.create_item({"id": "a", "ttl": ttl})) == 400


def test_large_integers_lose_digits(items: Any) -> None:
    """As on the service, numbers are doubles."""
    items.create_item({"id": "a", "n": 2**53 + 1})
    assert items.read_item("a", "a")["n"] == 2**53


def test_a_large_item_is_refused(items: Any) -> None:
    """An item has 2 MiB at most."""
    assert refusal(lambda: items.create_item({"id": "a", "text": "x" * 2**21})) == 413
