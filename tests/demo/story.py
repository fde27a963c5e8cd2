"""What happens: a good day, lost answers, then one target after the other goes dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

from leeward import CallError, Client
from leeward.cli.commands.demo import DemoRow
from leeward.errors import Attempt
from leeward.values import EffectName
from tests.demo.stage import Cloud

ORDER = {"id": "42", "total": Decimal("9.90")}


def play(client: Client, clouds: Sequence[Cloud]) -> Iterator[DemoRow]:
    """Play every scene, step by step."""
    yield from _shop(client)
    yield from _lost_answers(client, clouds[0])
    with ExitStack() as cut:
        for cloud in clouds[:-1]:
            cut.enter_context(cloud.faults.refuse())
            yield DemoRow(f"- {cloud.driver.target} is cut off:")
            yield from _shop(client)
    if len(clouds) > 1:
        yield DemoRow("- all are back:")
        yield _told("invoke", _invoke(client))


def _lost_answers(client: Client, first: Cloud) -> Iterator[DemoRow]:
    yield DemoRow(f"- {first.driver.target} loses answers:")
    with first.faults.lose_answers(1):
        yield _told("invoke, unsafe", _invoke(client))
    with first.faults.lose_answers(1):
        yield _told("invoke, idempotent", _invoke(client, "idempotent"))


def _shop(client: Client) -> Iterator[DemoRow]:
    steps: list[tuple[str, Callable[[], tuple[Any, str]]]] = [
        ("invoke", _invoke(client)),
        ("publish an event", lambda: _published(client)),
        ("store an order", lambda: _stored(client)),
        ("load it", lambda: _loaded(client)),
    ]
    for what, call in steps:
        yield _told(what, call)


def _told(what: str, call: Callable[[], tuple[Any, str]]) -> DemoRow:
    try:
        answer, outcome = call()
    except CallError as error:
        return DemoRow(f"  {what}", _tried(error.attempts), type(error).__name__)
    return DemoRow(f"  {what}", _tried(answer.attempts), outcome)


def _invoke(client: Client, effect: EffectName = "unsafe") -> Callable[[], tuple[Any, str]]:
    def call() -> tuple[Any, str]:
        answer = client.invoke("send-receipt", {"id": "42"}, effect=effect)
        return answer, "answered"

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


def _tried(attempts: Sequence[Attempt]) -> list[tuple[str, str]]:
    return [(each.target, each.outcome.value) for each in attempts]
