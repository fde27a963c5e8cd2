"""Calls whose credentials are wrong, cannot be had, or run out, at every service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import uuid4

import pytest

from leeward import AuthError, Client, NotFound, TargetUnavailable
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward_contract_tests import contract_config
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, ITEMS, SEEN
from tests.clouds.places import Place
from tests.servers.faultproxy import toxics
from tests.servers.loopback import PATIENCE

Start = Callable[[str], Place]

STORAGE: Final = "storage_connection_string"


def client_with(place: Place, env: dict[str, str], options: dict[str, str]) -> Client:
    """Open a client that has these variables besides, and these options in place of others."""
    return Client(place.open(env, options), config=contract_config(), clock=FakeClock())


def without_rights(place: Place, provider: str) -> Client:
    """Open a client whose keys and tokens are nobody's."""
    if provider == "aws":
        return client_with(place, {"AWS_SECRET_ACCESS_KEY": "wrong"}, {})
    had = place.cloud.options
    if provider == "google":
        return client_with(place, {}, had | {"access_token": "wrong", "id_token": "wrong"})
    keys = {"function_key": "wrong", "eventgrid_key": "wrong", "cosmos_key": "d3Jvbmc="}
    storage = had[STORAGE].replace("AccountKey=bGVl", "AccountKey=d3Jv")
    return client_with(place, {}, had | keys | {STORAGE: storage})


@pytest.mark.parametrize("provider", ["aws", "azure", "google"])
def test_wrong_credentials_are_an_auth_error(place: Start, provider: str) -> None:
    """At each service, and nothing has run."""
    name = uuid4().hex
    with without_rights(place(provider), provider) as wrong:
        for act in (
            lambda: wrong.invoke(COUNT, {"name": name}),
            lambda: wrong.enqueue(COUNT, {"name": name}),
            lambda: wrong.publish_event(EVENTS, "order.created", id=name),
            lambda: wrong.store_data(ITEMS, {"id": name}),
            lambda: wrong.load_data(ITEMS, name),
            lambda: wrong.delete_data(ITEMS, name),
        ):
            with pytest.raises(AuthError):
                act()
    with place(provider).client() as client:
        assert client.invoke(COUNT, {"name": name}).value == 1
        assert client.invoke(SEEN, {"id": name}).value == []
        assert client.load_data(ITEMS, name) is None


@pytest.mark.parametrize("provider", ["aws", "azure", "google"])
def test_an_absent_bus_or_table_is_not_found(place: Start, provider: str) -> None:
    """A bus of AWS too, which would have answered 200; a table of Firestore need not be made."""
    with place(provider).client() as client:
        with pytest.raises(NotFound):
            client.publish_event("absent", "order.created")
        if provider == "google":
            assert client.load_data("absent", "1") is None
            return
        for act in (
            lambda: client.store_data("absent", {"id": "1"}),
            lambda: client.load_data("absent", "1"),
            lambda: client.delete_data("absent", "1"),
        ):
            with pytest.raises(NotFound):
                act()


DATA: Final[dict[str, Callable[[Client], object]]] = {
    "publish": lambda client: client.publish_event(EVENTS, "order.created"),
    "store": lambda client: client.store_data(ITEMS, {"id": "managed"}),
    "load": lambda client: client.load_data(ITEMS, "managed"),
    "delete": lambda client: client.delete_data(ITEMS, "managed"),
}
CALLS: Final[dict[str, Callable[[Client], object]]] = {
    "invoke": lambda client: client.invoke(ECHO, 1),
    "enqueue": lambda client: client.enqueue(ECHO, 1),
}
DOORS: Final = {"azure": DATA, "google": CALLS | DATA}
"""Each verb that has a token; functions of Azure have one over TLS alone: tests/azure."""


@pytest.fixture(params=["azure", "google"])
def cloud(place: Start, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a cloud that gives tokens by the machine's own identity; nothing is left switched."""
    cloud = place(request.param).cloud
    yield cloud
    identity = cloud.identity
    identity.seconds, identity.audience = 3600.0, None
    identity.refuses = identity.down = False


@pytest.fixture
def client(place: Start, cloud: Any) -> Iterator[Client]:
    """Return a client without any key but that of a function."""
    options, env = cloud.options, {}
    if provider_of(cloud) == "azure":
        options = cloud.keyless | {"function_key": options["function_key"]}
        env = cloud.identity_env
    with client_with(place(provider_of(cloud)), env, options) as client:
        yield client


def provider_of(cloud: Any) -> str:
    """Return which cloud it is."""
    return str(cloud.target.partition(":")[0])


def asked(cloud: Any) -> int:
    """Return how often the services have been asked."""
    return sum(len(proxy.requests) for proxy in cloud.proxies.values())


def test_each_token_is_asked_for_once(client: Client, cloud: Any) -> None:
    """One for each audience: Event Grid and Cosmos DB; Google's services, and a function."""
    before = cloud.identity.count
    for _ in range(2):
        for do in DOORS[provider_of(cloud)].values():
            do(client)
    assert cloud.identity.count - before == 2


def test_tokens_are_renewed_while_they_are_in_use(client: Client, cloud: Any) -> None:
    """No call fails because one has run out."""
    cloud.identity.seconds = 3.0
    before = cloud.identity.count
    deadline = time.monotonic() + PATIENCE
    while cloud.identity.count - before < 2 and time.monotonic() < deadline:
        client.load_data(ITEMS, "any")
        time.sleep(0.05)
    assert cloud.identity.count - before >= 2


def test_a_token_of_another_audience_is_replaced(client: Client, cloud: Any) -> None:
    """The call is made once more with another, within the same attempt."""
    do = {"azure": DATA["store"], "google": CALLS["invoke"]}[provider_of(cloud)]
    cloud.identity.audience = "https://other.example"
    with pytest.raises(AuthError):
        do(client)
    cloud.identity.audience = None
    result: Any = do(client)
    assert [each.outcome for each in result.attempts] == [Outcome.OK]


def test_where_no_token_can_be_had_the_target_is_unreachable(client: Client, cloud: Any) -> None:
    """Nothing was sent to the service, so the call may go elsewhere; later it goes through."""
    before = asked(cloud)
    ways = [toxics.refuse(), toxics.answer_lost()] if "metadata" in cloud.control else []
    for toxic in (None, *ways):
        cloud.identity.down = toxic is None
        if toxic is not None:
            cloud.control["metadata"].inject(toxic)
        for verb, do in DOORS[provider_of(cloud)].items():
            with pytest.raises(TargetUnavailable) as raised:
                do(client)
            assert {each.outcome for each in raised.value.attempts} == {Outcome.NOT_SENT}, verb
        for proxy in cloud.control.values():
            proxy.heal()
    assert asked(cloud) == before
    cloud.identity.down = False
    for do in DOORS[provider_of(cloud)].values():
        do(client)


def test_where_a_token_is_refused_the_call_ends(client: Client, cloud: Any) -> None:
    """Nothing was sent to the service, and the call goes nowhere else."""
    cloud.identity.refuses = True
    before = asked(cloud)
    for verb, do in DOORS[provider_of(cloud)].items():
        with pytest.raises(AuthError) as raised:
            do(client)
        assert {each.outcome for each in raised.value.attempts} == {Outcome.AUTH}, verb
    assert asked(cloud) == before
