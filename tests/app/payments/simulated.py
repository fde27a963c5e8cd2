"""Two clouds in this process that run one payment function, and a router that moves between them.

The router, the client and the function are leeward's own and work as they do in production; what is
made up is the wire between: it loses requests and answers, refuses, or brings a request late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final, NamedTuple

from leeward import (
    App,
    CallError,
    Client,
    Config,
    Context,
    FunctionError,
    OutcomeUnknown,
    Verdict,
)
from leeward._delivery.functions import result_of
from leeward.adapter import Capability, Driver, Limits
from leeward.app import idempotent
from leeward.app.handlers import answer
from leeward.app.idempotency import Done, NotDone
from leeward.app.triggers import Delivery, Platform
from leeward.calls import Call, Invoke, Result, Settle
from leeward.config import FunctionConfig
from leeward.errors import Outcome
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver
from leeward.values import Effect
from tests.registers import LONG, enter_register

ORDER: Final = ("aws:one", "azure:two", "google:three")

DOUBLE: Final = "CHARGED MORE THAN ONCE"
SENT_AGAIN: Final = "sent again after an unknown outcome"
UNKNOWN: Final = "STILL UNKNOWN"
CHARGED: Final = "CHARGED, AND THE CALLER WAS TOLD THAT IT HAS NOT RUN"
MOVED: Final = "moved to another cloud after an unknown outcome"

FAULTS: Final = (
    *(None,) * 6,
    *("answer lost",) * 5,
    "request lost",
    "late",
    "refused",
    "throttled",
)
"""What befalls one attempt; each as likely as the others."""

TABLE_FAULTS: Final = (
    *(None,) * 12,
    Fault.LOSE_ANSWER,
    Fault.LOSE_ANSWER,
    Fault.LOSE_REQUEST,
    Fault.REFUSE,
    Fault.THROTTLE,
)
"""What befalls one call to the table with the keys."""

BETWEEN: Final = 30.0
"""Seconds from one payment to the next, so that the router's budgets do not stop all repeats."""

BANK_LOSES: Final = 0.05
"""Share of payments of which the bank's answer is lost: the money has moved, the handler raises."""

AGAIN: Final = 3
"""How often a caller who knows no result calls again with the same key."""


class Bank:
    """Moves money, and counts how often for each key."""

    def __init__(self, random: Random) -> None:
        self.charges: Counter[str] = Counter()
        self._random = random

    def charge(self, key: str) -> int:
        """Move money, and lose the answer now and then."""
        self.charges[key] += 1
        if self._random.random() < BANK_LOSES:
            raise ConnectionError
        return self.charges[key]

    def look(self, key: str, _context: object, _notes: object) -> Done | NotDone:
        """Say whether money has moved for a key."""
        return Done(self.charges[key]) if self.charges[key] else NotDone()


class Cloud(Driver):
    """Runs an app's functions as a platform does, at the far end of a bad wire."""

    def __init__(self, target: str, app: App, clock: FakeClock, random: Random) -> None:
        self.target = target
        self.capabilities = frozenset({Capability.INVOKE})
        self.limits = Limits()
        self.late: list[Invoke] = []
        self._app = app
        self._clock = clock
        self._platform = Platform(target, None, clock)
        self._random = random

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, or lose it on its way."""
        assert isinstance(call, Invoke | Settle)
        self.arrive_late()
        fault = self._random.choice(FAULTS)
        if fault == "refused":
            return Result(Outcome.NOT_SENT)
        if fault == "throttled":
            return Result(Outcome.REJECTED)
        if fault == "late" and isinstance(call, Invoke):
            self.late.append(call)
        if fault in ("late", "request lost"):
            self._clock.advance(5.0)
            return Result(Outcome.AMBIGUOUS)
        result = self._run(call)
        return Result(Outcome.AMBIGUOUS) if fault == "answer lost" else result

    def arrive_late(self) -> None:
        """Run a request that was on its way for long, now and then."""
        if self.late and self._random.random() < 0.3:
            self._run(self.late.pop())

    def _run(self, call: Invoke | Settle) -> Result[Any]:
        self._clock.advance(0.05)
        delivery = Delivery(
            call.payload,
            call.idempotency_key,
            call.idempotency_key,
            30.0,
            voids=call.voids,
            settles=call.verb == "settle",
        )
        found = answer(self._app.handlers[call.function], delivery, self._platform)
        return result_of(found, self._app.handlers[call.function])


class FaultyTable(FaultyDriver):
    """The one table with the keys of all clouds; it loses answers, too."""

    def __init__(self, clock: FakeClock, random: Random) -> None:
        super().__init__(Local("local:keys", clock=clock))
        self._random = random

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt, or fail."""
        fault = self._random.choice(TABLE_FAULTS)
        if fault is not None:
            self.fail(fault, times=1)
        result = super().perform(call, timeout)
        self.calls.clear()
        return result


class Shop(NamedTuple):
    """A client over three clouds, and the bank behind them."""

    client: Client
    clouds: tuple[Cloud, ...]
    bank: Bank
    clock: FakeClock


@contextmanager
def opened(
    effect: Effect, random: Random, failures: Any = None, *, settles: bool = False
) -> Iterator[Shop]:
    """Open three clouds that run one payment function, and a client that moves between them.

    If it `settles`, the function announces its effect and has a probe, which asks the bank.
    """
    clock, bank, app = FakeClock(), Bank(random), App("shop")
    table = Client(FaultyTable(clock, random), clock=clock)
    register = app.function(name="pay", effect=effect)
    if effect is Effect.KEYED or settles:
        guard = idempotent(
            table="keys",
            principal=None,
            lease=60,
            failures=failures,
            dedup_scope="group",
            client=table,
            clock=clock,
            name="pay",
            effects="marked" if settles else "anywhere",
            probe=bank.look if settles else None,
        )
        register(guard(_paying(bank)))
        enter_register(app.handlers["pay"], clock, {"id": "warm"})
        clock.advance(LONG)
    else:
        register(_paying(bank))
    clouds = tuple(Cloud(each, app, clock, random) for each in ORDER)
    known = FunctionConfig(effect, effect is Effect.KEYED, timeout=30.0, marks=settles)
    config = Config(functions={"pay": known._replace(shared_dedup=settles or known.shared_dedup)})
    with table, Client(clouds, config=config, clock=clock) as client:
        yield Shop(client, clouds, bank, clock)


def _paying(bank: Bank) -> Callable[..., int]:
    def pay(order: dict[str, Any], context: Context) -> int:
        context.effect()
        return bank.charge(order["id"])

    return pay


def play(
    effect: Effect, calls: int, seed: int, failures: Any = None, *, settles: bool = False
) -> Counter[str]:
    """Make `calls` payments; return counts of how they ended and how often money moved.

    Args:
        effect: that is declared of the function.
        calls: how many.
        seed: decides everything.
        failures: of `idempotent`, to see what another rule would do.
        settles: an unknown outcome is settled: each caller calls once.
    """
    random = Random(f"{seed}/{effect.value}")
    counts: Counter[str] = Counter()
    failed: list[str] = []
    with opened(effect, random, failures, settles=settles) as (client, clouds, bank, clock):
        for number in range(calls):
            clock.advance(BETWEEN)
            order = f"order-{number}"
            if not settles:
                _pay(client, order, effect, counts)
            elif _pay_and_settle(client, order, counts):
                failed.append(order)
        for cloud in clouds:
            while cloud.late:
                cloud.arrive_late()
    for times in bank.charges.values():
        if times:
            counts["charged once" if times == 1 else DOUBLE] += 1
    counts[CHARGED] += sum(bank.charges[order] > 0 for order in failed)
    return counts


def _pay_and_settle(client: Client, order: str, counts: Counter[str]) -> bool:
    """Pay once, with an answer for the caller in any case; return whether that is a failure."""
    try:
        result = client.invoke("pay", {"id": order}, idempotency_key=order, on_unknown="settle")
    except CallError as error:
        if getattr(error, "ran", None) == "no" or not isinstance(
            error, OutcomeUnknown | FunctionError
        ):
            counts[f"proved failure: {type(error).__name__}"] += 1
            return True
        counts["settled later"] += 1
        settled = client.settle(error, timeout=600.0)
        if settled.verdict is Verdict.NOT_RUN:
            counts["proved failure, later"] += 1
            return True
        counts["paid" if settled.verdict is Verdict.RAN else UNKNOWN] += 1
        return False
    counts["paid"] += 1
    _count(result.attempts, counts)
    return False


def _pay(client: Client, order: str, effect: Effect, counts: Counter[str]) -> None:
    """Pay; where the result is unknown, and the call may be made again, make it again."""
    for _ in range(1 if effect is Effect.UNSAFE else 1 + AGAIN):
        try:
            result = client.invoke("pay", {"id": order}, idempotency_key=order)
        except OutcomeUnknown as error:
            counts["outcome unknown"] += 1
            attempts = error.attempts
        except CallError as error:
            counts[type(error).__name__] += 1
            attempts = error.attempts
        else:
            counts["paid"] += 1
            _count(result.attempts, counts)
            return
        _count(attempts, counts)
    counts["given up"] += 1


def _count(attempts: tuple[Any, ...], counts: Counter[str]) -> None:
    """Count what was done after the first attempt of which nobody knows."""
    doubtful = [n for n, each in enumerate(attempts) if each.outcome is Outcome.AMBIGUOUS]
    if doubtful and doubtful[0] < len(attempts) - 1:
        counts[SENT_AGAIN] += 1
        if len({each.target for each in attempts[doubtful[0] :]}) > 1:
            counts[MOVED] += 1
