"""A cloud and a service by URL in one order: each does what it can, and no call runs twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from leeward import App, Client, OutcomeUnknown
from leeward.app.serving import serve_functions
from leeward.config import Config
from leeward.errors import Outcome
from leeward_contract_tests.contracts.calls import fresh
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, ITEMS
from tests.contract.over import Standing
from tests.urls.served import ANYWHERE, target


class Order(NamedTuple):
    """A client of ``aws,http``, what makes the cloud fail, and the calls that the URL has got."""

    client: Client
    aws: Standing
    calls: list[Any]
    name: str


@pytest.fixture
def order(aws: Standing) -> Iterator[Order]:
    """Open the order; the cloud is the home of the data."""
    calls: list[Any] = []
    app = App("fallback")

    @app.function(name=COUNT)
    def count(payload: Any) -> int:
        calls.append(payload)
        return -len(calls)

    cloud = aws.open()
    with serve_functions(app, ANYWHERE) as server:
        url = target(url=f"{server.url}/{{function}}")
        config = Config(data_target=cloud.target)
        with Client([cloud, url], config=config) as client:
            yield Order(client, aws, calls, cloud.target)


def test_each_verb_goes_to_who_can_serve_it(order: Order) -> None:
    """Items and events to the cloud alone; a target that has neither is no hindrance."""
    client, key = order.client, fresh("item")
    assert client.invoke(ECHO, 1).target == order.name
    assert client.store_data(ITEMS, {"id": key}).target == order.name
    assert client.publish_event(EVENTS, "contract.urls", 1).target == order.name


@pytest.mark.parametrize("fault", ["refuse", "throttle"])
def test_an_unsafe_call_moves_to_the_url_where_the_cloud_did_not_run_it(
    order: Order, fault: str
) -> None:
    """Nobody took it, or Lambda refused it."""
    with getattr(order.aws.faults, fault)():
        result = order.client.invoke(COUNT, {"name": fresh("counter")})
    assert (result.value, result.target) == (-1, "http")
    ended = {attempt.outcome for attempt in result.attempts[:-1]}
    assert ended <= {Outcome.NOT_SENT, Outcome.REJECTED}


def test_a_call_whose_answer_was_lost_stays_unknown(order: Order) -> None:
    """It has run on the cloud, so the URL is not called."""
    payload = {"name": fresh("counter")}
    with order.aws.faults.lose_answers(1), pytest.raises(OutcomeUnknown):
        order.client.invoke(COUNT, payload)
    assert order.calls == []
    assert order.client.invoke(COUNT, payload).value == 2
