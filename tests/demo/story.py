"""What happens: a good day, lost answers, then one target after the other goes dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, NamedTuple

from leeward import CallError, Client
from leeward.values import EffectName
from tests.demo.stage import Cloud

ORDER = {"id": "42", "total": Decimal("9.90")}


class Step(NamedTuple):
    """One call: what, who answered, what was tried, and what the caller was told."""

    what: str
    served_by: str
    attempts: str
    outcome: str


def play(client: Client, clouds: Sequence[Cloud]) -> Iterator[Step]:
    """Play every scene, step by step."""
    yield from _shop(client, "")
    yield from _lost_answers(client, clouds[0])
    with ExitStack() as cut:
        for cloud in clouds[:-1]:
            cut.enter_context(cloud.faults.refuse())
            yield from _shop(client, f"{cloud.driver.target} cut off")
    if len(clouds) > 1:
        yield _told("all are back: invoke send-receipt", _invoke(client))


def _lost_answers(client: Client, first: Cloud) -> Iterator[Step]:
    before = f"{first.driver.target} loses an answer: invoke send-receipt"
    with first.faults.lose_answers(1):
        yield _told(f"{before}, unsafe", _invoke(client))
    with first.faults.lose_answers(1):
        yield _told(f"{before}, idempotent", _invoke(client, "idempotent"))


def _shop(client: Client, when: str) -> Iterator[Step]:
    before = f"{when}: " if when else ""
    steps: list[tuple[str, Callable[[], tuple[Any, str]]]] = [
        ("invoke send-receipt", _invoke(client)),
        ("publish order.created", lambda: _published(client)),
        ("store order 42", lambda: _stored(client)),
        ("load order 42", lambda: _loaded(client)),
    ]
    for what, call in steps:
        yield _told(before + what, call)


def _told(what: str, call: Callable[[], tuple[Any, str]]) -> Step:
    try:
        answer, outcome = call()
    except CallError as error:
        return Step(what, "-", _tried(error.attempts), type(error).__name__)
    return Step(what, answer.target, _tried(answer.attempts), outcome)


def _invoke(client: Client, effect: EffectName = "unsafe") -> Callable[[], tuple[Any, str]]:
    def call() -> tuple[Any, str]:
        answer = client.invoke("send-receipt", {"id": "42"}, effect=effect)
        return answer, f"answer {answer.value}"

    return call


def _published(client: Client) -> tuple[Any, str]:
    receipt = client.publish_event("orders", "order.created", {"id": "42"}, subject="42")
    return receipt, receipt.promise.value


def _stored(client: Client) -> tuple[Any, str]:
    receipt = client.store_data("orders", ORDER)
    return receipt, receipt.promise.value


def _loaded(client: Client) -> tuple[Any, str]:
    record = client.load_data("orders", "42")
    assert record is not None
    assert record.item == ORDER
    return record, f"total {record.item['total']}"


def _tried(attempts: Sequence[Any]) -> str:
    return ", ".join(f"{each.target} {each.outcome.value}" for each in attempts)
