"""``leeward demo``: the scenario as a table, and what it shows."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from string import ascii_uppercase
from typing import Any

from leeward.client import Client
from leeward.config import Config
from leeward.errors import Attempt, OutcomeUnknown
from leeward.local import Context, Local
from leeward.records import NamedTuple
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import Event, InvokeResult, Json
from leeward.views import Block, Column, Part, Report, Table


def naive_invoke(
    clouds: Iterable[Client],
    function: str,
    payload: Json,
) -> InvokeResult:
    """Try the next cloud on any exception."""
    for cloud in clouds:
        try:
            return cloud.invoke(function, payload)
        except Exception:  # noqa: BLE001, S112 - exactly this is what is shown to be wrong
            continue
    raise RuntimeError("every cloud failed")


class Shop:
    """A shop deployed twice, on ``local:a`` and on ``local:b``.

    Attributes:
        a: the first target; `fail` breaks it.
        b: the second target.
        heard: ids of the orders that the subscriber has heard of.
        charges: idempotency keys of the charges made, wherever they ran.
    """

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.charges: list[str] = []
        self._locals = [Local("local:a"), Local("local:b")]
        for local in self._locals:
            local.function("send-receipt")(self._send_receipt)
            local.function("charge-card")(self._charge_card)
            local.subscribe("orders", "order.created", name="remember")(self._remember)
        self.a, self.b = (FaultyDriver(local) for local in self._locals)

    def client(self, *clouds: FaultyDriver) -> Client:
        """Open a client on `clouds`; its pauses take no time, and the tables live on the first."""
        return Client(clouds, config=Config(data_target=clouds[0].target), clock=FakeClock())

    def wait_idle(self) -> None:
        """Wait until every event has been delivered."""
        for local in self._locals:
            local.wait_idle()

    def _send_receipt(self, order: dict[str, Any]) -> str:
        return f"receipt {order['id']} sent"

    def _charge_card(self, order: dict[str, Any], context: Context) -> str:
        self.charges.append(context.idempotency_key)
        return "charged"

    def _remember(self, event: Event) -> None:
        self.heard.append(str(event.subject))


ORDER = {"id": "42", "total": "9.90"}


class DemoRow(NamedTuple):
    """One step, or, with nothing but `what`, what has happened before the next ones.

    Attributes:
        what: was done.
        tries: the target and the outcome of each attempt.
        told: what the caller got.
        served_by: the target that answered; None if none did.
    """

    what: str
    tries: Sequence[tuple[str, str]] = ()
    told: str = ""
    served_by: str | None = None


def play() -> tuple[list[DemoRow], dict[str, int]]:
    """Play every step; return also how often each way of failing over has charged one order."""
    shop, naive_shop = Shop(), Shop()
    with shop.client(shop.a, shop.b) as cloud:
        steps = [*_good_day(shop, cloud), _broken_target(shop, cloud), *_lost_answer(shop, cloud)]
    steps.append(_naive_loop(naive_shop))
    return steps, {"leeward": len(shop.charges), "naive_loop": len(naive_shop.charges)}


def _good_day(shop: Shop, cloud: Client) -> Iterator[DemoRow]:
    stored = cloud.store_data("orders", {"id": "42", "total": Decimal("9.90")})
    yield _step("store order 42", stored.target, stored.attempts, stored.promise.value)
    receipt = cloud.publish_event("orders", "order.created", ORDER, subject="42")
    yield _step("publish order.created", receipt.target, receipt.attempts, receipt.promise.value)
    shop.wait_idle()
    yield _step("its subscriber runs", receipt.target, (), f"heard of {', '.join(shop.heard)}")
    answer = cloud.invoke("send-receipt", ORDER)
    yield _step("invoke send-receipt", answer.target, answer.attempts, answer.value)


def _broken_target(shop: Shop, cloud: Client) -> DemoRow:
    shop.a.fail(Fault.REFUSE)
    answer = cloud.invoke("send-receipt", ORDER)
    shop.a.heal()
    return _step("again, local:a is down", answer.target, answer.attempts, answer.value)


def _lost_answer(shop: Shop, cloud: Client) -> Iterator[DemoRow]:
    shop.a.fail(Fault.LOSE_ANSWER, times=1)
    try:
        cloud.invoke("charge-card", ORDER)
    except OutcomeUnknown as error:
        yield _step("charge, answer lost", None, error.attempts, "OutcomeUnknown")
        charged = error.idempotency_key in shop.charges
        yield _step("look up its key", None, (), "charged: done" if charged else "not charged")


def _naive_loop(shop: Shop) -> DemoRow:
    shop.a.fail(Fault.LOSE_ANSWER, times=1)
    with shop.client(shop.a) as first, shop.client(shop.b) as second:
        answer = naive_invoke([first, second], "charge-card", ORDER)
        seen = [status for cloud in (first, second) for status in cloud.targets()]
    tries = tuple((call.name, call.last_outcome.value) for call in seen if call.last_outcome)
    return DemoRow("the same, naive loop", tries, answer.value, answer.target)


def _step(what: str, served_by: str | None, attempts: Iterable[Attempt], outcome: str) -> DemoRow:
    tries = tuple((attempt.target, attempt.outcome.value) for attempt in attempts)
    return DemoRow(what, tries, outcome, served_by)


_COLUMNS = [Column("What", "0"), Column("Tried", "1", is_name=True), Column("Told", "2")]


def show_rows(targets: Sequence[str], rows: Iterable[DemoRow]) -> list[Part]:
    """Return the letters of the targets, and below them a line for each row."""
    letters = dict(zip(targets, ascii_uppercase, strict=False))
    known = "\n".join(f"{letter}  {target}" for target, letter in letters.items())
    lines = [
        {"0": each.what, "1": _describe_tries(each.tries, letters) or " ", "2": each.told or " "}
        for each in rows
    ]
    return [Block("Targets", known), Table(_COLUMNS, lines)]


def _describe_tries(tries: Sequence[tuple[str, str]], letters: dict[str, str]) -> str:
    """Return attempts like ``A not sent x2, B ok``."""
    return ", ".join(
        f"{letters[target]} {outcome.replace('_', ' ')}" + f" x{count}" * (count > 1)
        for (target, outcome), same in groupby(tries)
        for count in [len(list(same))]
    )


def demo() -> Report:
    """Show a failover and a lost answer, on this machine alone.

    Two embedded targets in memory; no account, no network, no file.
    """
    steps, charges = play()
    targets = ["local:a", "local:b"]
    shown = [
        {
            "step": number,
            "what": step.what,
            "served_by": step.served_by,
            "attempts": [{"target": target, "outcome": outcome} for target, outcome in step.tries],
            "outcome": step.told,
        }
        for number, step in enumerate(steps, 1)
    ]
    rows = [step._replace(what=f"{number} {step.what}") for number, step in enumerate(steps, 1)]
    data = {"targets": targets, "steps": shown, "charges": charges}
    parts = [
        "One shop on two targets:",
        *show_rows(targets, rows),
        "\nThe naive loop, in full:",
        Block("The loop", _source_of_the_loop()),
        "\nCharges really made for one order:",
        Block("Charges", "  leeward     {leeward}\n  naive loop  {naive_loop}\n".format(**charges)),
        Block("What it shows", _LESSON),
    ]
    return Report(data, 0.0, parts)


_LESSON = """\
The card was charged, and only the answer was lost. The loop took that for a
failure and charged again. leeward cannot know either, so it says so, with the
key to look up."""


def _source_of_the_loop() -> str:
    """Return its source as users would write it."""
    lines = inspect.getsource(naive_invoke).splitlines()
    return "\n".join(line.partition("  # noqa")[0] for line in lines if '"""' not in line)
