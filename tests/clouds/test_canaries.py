"""No credential of one cloud is ever seen by another's server, whatever goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import cycle, product
from typing import Any

import pytest

from leeward import Client
from leeward.errors import LeewardError
from leeward.testing import FakeClock
from leeward_contract_tests import contract_config
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, ITEMS
from tests.clouds.canaries import Stage, shown
from tests.clouds.places import Place
from tests.servers.azure.identity import HEADER, IDENTITY_PATH
from tests.servers.faultproxy import FaultProxy, toxics
from tests.servers.faultproxy.proxy import Toxic

pytestmark = pytest.mark.threat("S6")

Stages = Mapping[str, Stage]

PROVIDERS = ("aws", "azure", "google")

DOORS: Sequence[Callable[[Client], object]] = [
    lambda client: client.invoke(ECHO, {"a": 1}, effect="idempotent"),
    lambda client: client.enqueue(COUNT, {"name": "canary"}, effect="idempotent"),
    lambda client: client.publish_event(EVENTS, "order.created", {"a": 1}),
    lambda client: client.store_data(ITEMS, {"id": "canary", "a": 1}),
    lambda client: client.load_data(ITEMS, "canary"),
    lambda client: client.delete_data(ITEMS, "canary"),
]


@pytest.fixture(scope="module")
def stages(place: Callable[[str], Place]) -> Iterator[Stages]:
    """Give the three clouds, which keep from here on what they are asked."""
    with ExitStack() as stack:
        clouds = {name: place(name).cloud for name in PROVIDERS}
        entra = stack.enter_context(FaultProxy(clouds["azure"].identity.address))
        found = {
            "aws": _aws(clouds["aws"]),
            "azure": _azure(clouds["azure"], entra),
            "google": _google(clouds["google"]),
        }
        for proxy in (proxy for stage in found.values() for proxy in stage.proxies()):
            proxy.keep()
        yield found


def _aws(cloud: Any) -> Stage:
    return Stage(cloud, cloud.proxies, {}, cloud.env, {"key": {}})


def _azure(cloud: Any, entra: FaultProxy) -> Stage:
    env = {"IDENTITY_ENDPOINT": f"{entra.url}{IDENTITY_PATH}", "IDENTITY_HEADER": HEADER}
    keys = ("function_key", "storage_connection_string")  # which no token stands in for here
    token = cloud.keyless | {name: cloud.options[name] for name in keys}
    ways = {"key": cloud.options, "token": token}
    return Stage(cloud, cloud.proxies, {"entra": entra}, env, ways)


def _google(cloud: Any) -> Stage:
    return Stage(cloud, cloud.proxies, cloud.control, cloud.env, {"token": cloud.options})


@contextmanager
def opened(
    stages: Stages, place: Callable[[str], Place], order: Sequence[str], way: str
) -> Iterator[Client]:
    """Open a client on clouds in `order`, the first one the home of the data.

    As in a program, every target finds the variables of all.
    """
    env = {name: value for stage in stages.values() for name, value in stage.env.items()}
    drivers = [
        place(name).open(env, stages[name].ways.get(way) or next(iter(stages[name].ways.values())))
        for name in order
    ]
    config = contract_config()._replace(data_target=drivers[0].target)
    with Client(drivers, config=config, clock=FakeClock()) as client:
        yield client


def call_every_door(client: Client) -> int:
    """Call every door; give how many calls went well."""
    well = 0
    for door in DOORS:
        with suppress(LeewardError):
            door(client)
            well += 1
    return well


def first_ways(stages: Stages) -> Iterator[tuple[tuple[str, ...], str]]:
    """Return each order with each kind of credential that its first cloud, which fails, has."""
    for order in orders():
        for way in stages[order[0]].ways:
            yield order, way


def orders() -> list[tuple[str, ...]]:
    """Give the clouds in three orders, each of them first once."""
    return [PROVIDERS[n:] + PROVIDERS[:n] for n in range(len(PROVIDERS))]


def check_nobody_has_seen_another(stages: Stages) -> None:
    """Look into all that every server was asked so far."""
    for name, stage in stages.items():
        asked = stage.asked()
        for other in PROVIDERS:
            found = shown(other, stages[other], asked)
            assert bool(found) == (other == name), f"{name} has seen of {other}: {found}"


FAULTS: Mapping[str, Callable[[str], Toxic]] = {
    "refuse": lambda _: toxics.refuse(),
    "reset after the work": lambda _: toxics.reset_after_request(),
    "answer lost": lambda _: toxics.answer_lost(),
    "redirect 302": lambda elsewhere: toxics.redirect(elsewhere, 302),
    "redirect 307": lambda elsewhere: toxics.redirect(elsewhere, 307),
    "status 401": lambda _: toxics.status(401),
    "status 403": lambda _: toxics.status(403),
    "status 503": lambda _: toxics.status(503),
}


@contextmanager
def struck(stages: Stages, name: str, part: str, fault: Callable[[str], Toxic]) -> Iterator[None]:
    """Let a fault befall the services of a cloud, or who gives it tokens.

    Where it leads elsewhere, that is to a server of each other cloud in turn.
    """
    others = cycle([list(stage.proxies()) for other, stage in stages.items() if other != name])
    proxies = list(getattr(stages[name], part).values())
    for number, proxy in enumerate(proxies):
        elsewhere = next(others)
        proxy.inject(fault(f"{elsewhere[number % len(elsewhere)].url}/"))
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.heal()


@pytest.fixture(scope="module", autouse=True)
def before(stages: Stages, place: Callable[[str], Place]) -> None:
    """Call every door of every cloud, in order and well: each has seen its own credentials."""
    for order, way in product(orders(), ("key", "token")):
        with opened(stages, place, order, way) as client:
            assert call_every_door(client) == len(DOORS)
    check_nobody_has_seen_another(stages)


@pytest.mark.parametrize("part", ["services", "identities"])
def test_no_fault_shows_a_credential_to_another_cloud(
    stages: Stages, place: Callable[[str], Place], part: str
) -> None:
    """With each cloud in front and struck; all are where it may lead to another one."""
    for (name, fault), (order, way) in product(FAULTS.items(), first_ways(stages)):
        for hit in (order[:1], order) if "redirect" in name else (order[:1],):
            with ExitStack() as stack, opened(stages, place, order, way) as client:
                for each in hit:
                    stack.enter_context(struck(stages, each, part, fault))
                call_every_door(client)
    check_nobody_has_seen_another(stages)


def test_throttling_shows_no_credential_to_another_cloud(
    stages: Stages, place: Callable[[str], Place]
) -> None:
    """In each service's own words."""
    for order, way in first_ways(stages):
        with opened(stages, place, order, way) as client:
            assert call_every_door(client) == len(DOORS)
            faults: AbstractContextManager[None] = stages[order[0]].cloud.faults().throttle()
            with faults:
                call_every_door(client)
    check_nobody_has_seen_another(stages)
