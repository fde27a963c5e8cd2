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

core: Any = import_module("azure.core")

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


def test_a_missing_item_is_told_from_a_missing_container(database: Any, items: Any) -> None:
    """Both are 404; the sub-status 1003 names the container."""
    absent = database.get_container_client("absent")
    for act in (
        lambda: items.read_item("a", "a"),
        lambda: items.delete_item("a", "a"),
        lambda: items.replace_item("a", {"id": "a"}),
    ):
        assert refusal(act) == 404
        assert _sub_status(act) == 0
    assert refusal(lambda: absent.read_item("a", "a")) == 404


@pytest.mark.parametrize("name", ["a b", "caf\u00e9", "100%", "a+b=c&d"])
def test_a_name_is_signed_as_it_is_and_sent_encoded(items: Any, name: str) -> None:
    """azure-cosmos signs the raw id; nothing else is believed."""
    items.create_item({"id": name})
    assert items.read_item(name, name)["id"] == name


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


def test_a_partition_key_of_several_paths_is_one(database: Any) -> None:
    """The same id may be in two partitions, and each component counts."""
    paths = PartitionKey(["/customer", "/order"], kind="MultiHash")
    pairs = database.create_container("pairs", paths)
    for order in ("1", "2"):
        pairs.create_item({"id": "x", "customer": "c", "order": order})
    assert pairs.read_item("x", ["c", "2"])["order"] == "2"
    assert refusal(lambda: pairs.read_item("x", ["c", "3"])) == 404
    pairs.delete_item("x", ["c", "1"])
    assert pairs.read_item("x", ["c", "2"])["order"] == "2"


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


def test_an_expired_item_is_gone(cosmos: CosmosServer, items: Any) -> None:
    """It lives its ttl since its last write; then it is not read, and its id is free."""
    items.create_item({"id": "a", "ttl": 100})
    cosmos.set_ahead(90)
    assert items.read_item("a", "a")["ttl"] == 100
    cosmos.set_ahead(110)
    assert refusal(lambda: items.read_item("a", "a")) == 404
    assert list(items.read_all_items()) == []
    items.create_item({"id": "a", "ttl": 100})
    cosmos.set_ahead(190)
    assert items.read_item("a", "a")


def test_large_integers_lose_digits(items: Any) -> None:
    """As on the service, numbers are doubles."""
    items.create_item({"id": "a", "n": 2**53 + 1})
    assert items.read_item("a", "a")["n"] == 2**53


def test_a_large_item_is_refused(items: Any) -> None:
    """An item has 2 MiB at most."""
    assert refusal(lambda: items.create_item({"id": "a", "text": "x" * 2**21})) == 413


def test_a_session_sees_its_own_writes(cosmos: CosmosServer, items: Any) -> None:
    """A replica that lags answers who does not know better, and 404/1002 who does."""
    items.create_item({"id": "a", "n": 1})
    cosmos.fall_behind(2)
    headers: dict[str, str] = {}
    items.upsert_item({"id": "a", "n": 2}, response_hook=lambda had, _: headers.update(had))
    known = headers["x-ms-session-token"]
    assert _sub_status(lambda: items.read_item("a", "a", session_token=known)) == 1002
    assert items.read_item("a", "a", session_token="0:-1#0")["n"] == 1
    assert items.read_item("a", "a", session_token=known)["n"] == 2
