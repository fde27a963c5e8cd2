"""The steps of the demo. None of them depends on chance or time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from leeward.cli.demo.naive import naive_invoke
from leeward.cli.demo.shop import Shop
from leeward.client import Client
from leeward.errors import Attempt, OutcomeUnknown
from leeward.testing import Fault

ORDER = {"id": "42", "total": "9.90"}

Tries: TypeAlias = tuple[tuple[str, str], ...]
"""Target and outcome of each attempt."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        what: what is done, in a few words.
        served_by: the target that answered; None if none did.
        attempts: what was tried.
        outcome: what the caller got.
    """

    what: str
    served_by: str | None
    attempts: Tries
    outcome: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole demo, and how often each way of failing over has charged one order."""

    targets: tuple[str, ...]
    steps: tuple[Step, ...]
    leeward_charges: int
    naive_charges: int


def play() -> Scenario:
    """Play every step."""
    shop, naive_shop = Shop(), Shop()
    with shop.client(shop.a, shop.b) as cloud:
        steps = [*_good_day(shop, cloud), _broken_target(shop, cloud), *_lost_answer(shop, cloud)]
    steps.append(_naive_loop(naive_shop))
    targets = shop.a.target, shop.b.target
    return Scenario(targets, tuple(steps), len(shop.charges), len(naive_shop.charges))


def _good_day(shop: Shop, cloud: Client) -> Iterator[Step]:
    stored = cloud.store_data("orders", {"id": "42", "total": Decimal("9.90")})
    yield _step("store order 42", stored.target, stored.attempts, stored.promise.value)
    told = cloud.publish_event("orders", "order.created", ORDER, subject="42")
    yield _step("publish order.created", told.target, told.attempts, told.promise.value)
    shop.wait_idle()
    yield _step("its subscriber runs", told.target, (), f"heard of {', '.join(shop.heard)}")
    answer = cloud.invoke("send-receipt", ORDER)
    yield _step("invoke send-receipt", answer.target, answer.attempts, answer.value)


def _broken_target(shop: Shop, cloud: Client) -> Step:
    shop.a.fail(Fault.REFUSE)
    answer = cloud.invoke("send-receipt", ORDER)
    shop.a.heal()
    return _step("again, local:a is down", answer.target, answer.attempts, answer.value)


def _lost_answer(shop: Shop, cloud: Client) -> Iterator[Step]:
    shop.a.fail(Fault.LOSE_ANSWER, times=1)
    try:
        cloud.invoke("charge-card", ORDER)
    except OutcomeUnknown as error:
        yield _step("charge, answer lost", None, error.attempts, "OutcomeUnknown")
        charged = error.idempotency_key in shop.charges
        yield _step("look up its key", None, (), "charged: done" if charged else "not charged")


def _naive_loop(shop: Shop) -> Step:
    shop.a.fail(Fault.LOSE_ANSWER, times=1)
    with shop.client(shop.a) as first, shop.client(shop.b) as second:
        answer = naive_invoke([first, second], "charge-card", ORDER)
        seen = [status for cloud in (first, second) for status in cloud.targets()]
    tries = tuple((each.name, each.last_outcome.value) for each in seen if each.last_outcome)
    return Step("the same, naive loop", answer.target, tries, answer.value)


def _step(what: str, served_by: str | None, attempts: Iterable[Attempt], outcome: str) -> Step:
    tries = tuple((attempt.target, attempt.outcome.value) for attempt in attempts)
    return Step(what, served_by, tries, outcome)
