"""Where else a call may be: at targets whose order has turned, in a call inside, in a spool.

Each world is one key or event, whose answer is lost, over leeward's own rules: the order of targets
over `leeward._operations.settling`, calls inside over the whole guard, and a spool as a keeper of
which nobody knows whether it has the event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from contextvars import Context as Variables
from random import Random
from typing import Any, Final

from leeward import Event
from leeward._operations.errors import NOT_SPOOLED, error_of
from leeward._operations.settling import settle
from leeward._operations.settling_data import Ask
from leeward.app.context import Context
from leeward.app.idempotency import effect, idempotent
from leeward.app.idempotency.errors import LeaseLost, RepeatRefused
from leeward.app.signatures import IDEMPOTENCY
from leeward.calls import Invoke, Publish, Result, Settle
from leeward.config import FunctionConfig
from leeward.errors import (
    Attempt,
    CallError,
    Conflict,
    DedupUnavailable,
    InvalidRequest,
    NotFound,
    Outcome,
    OutcomeUnknown,
    TargetUnavailable,
)
from leeward.testing import FakeClock
from leeward.values import Effect, Record
from leeward.values.settled import Settled, Verdict
from tests.app.settle_sim.oracle import Wrong

ORDERS: Final = (("alpha",), ("beta",), ("alpha", "beta"), ("beta", "alpha"))
KEY: Final = "k-1"

FAULTS: Final = 0.1
"""Share of what is asked that is not answered, or not sent."""


class Targets:
    """Two targets, each with a table of its own or one for both, and what ran of a key.

    Attributes:
        effects: of how many voids each call knew that ran.
        lacks: targets without the function.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.is_shared = random.random() < 0.3
        self.effects: list[int] = []
        self.lacks: set[str] = {"beta"} if random.random() < 0.1 else set()
        self._rows: dict[str, tuple[int, bool]] = {}

    def deliver(self, target: str, voids: int) -> None:
        """Let a packet of a call arrive that knows of so many voids."""
        place = "both" if self.is_shared else target
        known, has_run = self._rows.get(place, (0, False))
        if not has_run and voids >= known and target not in self.lacks:
            self._rows[place] = voids, True
            self.effects.append(voids)

    def ask(self, question: Settle, only: tuple[str, ...]) -> Result[Any]:
        """Answer as the function does, at the first of these targets that is there."""
        for target in only:
            luck = self.random.random()
            if luck < FAULTS and self.is_shared and target != only[-1]:
                continue
            if luck < FAULTS:
                return Result(Outcome.NOT_SENT, target=target)
            if target in self.lacks:
                return Result(Outcome.NOT_FOUND, target=target)
            return self._answer(question, target)
        raise AssertionError("somebody is asked")

    def _answer(self, question: Settle, target: str) -> Result[Any]:
        place = "both" if self.is_shared else target
        known, has_run = self._rows.get(place, (0, False))
        answer: dict[str, Any] = {"verdict": "ran", "key": KEY, "voids": known}
        if not has_run:
            known = max(known, question.voids) + 1
            self._rows[place] = known, False
            answer = {"verdict": "not_run", "key": KEY, "voids": known}
        scope = "group 0123456789ab" if self.is_shared else "target"
        if self.random.random() < FAULTS:
            return Result(Outcome.AMBIGUOUS, target=target)
        return Result(Outcome.OK, answer, target=target, dedup=scope)


def finish(
    steps: Generator[Any, Any, Settled], clock: FakeClock, reach: Callable[[Ask], Result[Any]]
) -> Settled:
    """Carry out the steps of a settler."""
    reply: Any = None
    try:
        while True:
            step = steps.send(reply)
            if isinstance(step, Ask):
                clock.advance(0.1)
                reply = reach(step)
            else:
                clock.advance(step)
                reply = None
    except StopIteration as end:
        settled: Settled = end.value
        return settled


def play_orders(random: Random) -> Counter[str]:
    """Lose the answer of a keyed call, turn the order of targets, and settle it.

    Raises:
        Wrong: a verdict is, or it is unknown although the page says that it is not.
    """
    counts, targets = Counter[str]({"orders: answers lost": 1}), Targets(random)
    first, later = random.choice(ORDERS), random.choice(ORDERS)
    by, asked = random.choice(("error", "key", "named")), list[str]()
    made, late = _make(targets, first)

    def reach(step: Ask) -> Result[Any]:
        if late and random.random() < 0.3:
            targets.deliver(late.pop(), 0)
        assert isinstance(step.call, Settle)
        result = targets.ask(step.call, step.only or later)
        asked.append(str(result.target))
        return result

    clock = FakeClock()
    try:
        settled = finish(_settle_orders(targets, made, later, by, clock), clock, reach)
    except NotFound:
        counts["orders: the function is not there"] += 1
        return counts
    except InvalidRequest:
        if {*made} <= {*later}:
            raise Wrong("orders: a target of the order cannot be asked") from None
        counts["orders: made where this client makes none"] += 1
        return counts
    if settled.verdict is Verdict.RAN and not targets.effects:
        raise Wrong("orders: ran, and it has not")
    for target in late:
        targets.deliver(target, 0)
    targets.deliver(random.choice(made), settled.voids)
    counts[f"orders: {by} {settled.verdict.value} {settled.reason or ''}".strip()] += 1
    _judge_orders(targets, settled, by, {*asked})
    return counts


def _settle_orders(
    targets: Targets, made: list[str], later: tuple[str, ...], by: str, clock: FakeClock
) -> Generator[Any, Any, Settled]:
    """Return the steps of a client with a later order, which knows the error, or only the key."""
    shared, random = targets.is_shared, targets.random
    call = Invoke("pay", b"1", KEY, Effect.KEYED, shared, sent=clock.now())
    attempts = tuple(Attempt(target, 0.0, 1.0, Outcome.AMBIGUOUS) for target in made)
    error = error_of(call, Result(Outcome.AMBIGUOUS, target=made[-1], attempts=attempts))
    assert isinstance(error, CallError)
    named = tuple(dict.fromkeys((*made, *(later if random.random() < 0.3 else ()))))
    all_targets = by != "error" or random.random() < 0.8
    return settle(
        error if by == "error" else KEY,
        None if by == "error" else "pay",
        payload=1,
        sent=None if by == "error" else clock.now(),
        only=named if by == "named" else (),
        timeout=None,
        functions={"pay": FunctionConfig(Effect.KEYED, shared)},
        candidates=lambda _call: later,
        drivers=dict.fromkeys((*later, *made) if all_targets else later),  # type: ignore[arg-type]
        clock=clock,
        is_own=lambda _attempts: False,
    )


def _judge_orders(targets: Targets, settled: Settled, by: str, asked: set[str]) -> None:
    is_blind = by == "key" and not targets.is_shared
    if settled.verdict is Verdict.NOT_RUN:
        if any(knew < settled.voids for knew in targets.effects):
            raise Wrong(f"orders: not run, and it has, by {by}")
        if is_blind:
            raise Wrong("orders: not run, and nobody knows which targets the order had")
    if settled.verdict is Verdict.UNKNOWN and settled.reason == "other_target":
        lacking = targets.lacks and (targets.is_shared or targets.lacks & asked)
        if not (is_blind or lacking):
            raise Wrong(f"orders: unknown, although all places are known, by {by}")


def _make(targets: Targets, order: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Make the call; return the targets of its attempts, and of packets that come later."""
    made, late = [order[0]], list[str]()
    if targets.is_shared and len(order) > 1 and targets.random.random() < 0.5:
        made.append(order[1])  # a call of a group moves
    for target in made * targets.random.choice((1, 1, 2)):
        luck = targets.random.random()
        if luck < 0.4:
            targets.deliver(target, 0)
        elif luck < 0.7:
            late.append(target)
    return made, late


class Killed(BaseException):
    """The process of a run is gone."""


class Table:
    """A table in memory, of which some answers are lost; it keeps who may have begun an effect."""

    def __init__(self, random: Random) -> None:
        self.random, self.items = random, dict[str, tuple[Any, int]]()
        self.begun: set[str] = set()
        self.heals = False

    def store_data(self, _table: str, item: dict[str, Any], **conditions: Any) -> Any:
        """Store an item under a condition."""
        luck = 1.0 if self.heals else self.random.random()
        if luck < 0.03:
            raise TargetUnavailable("no connection")
        there = self.items.get(item["id"])
        seen = None if there is None else str(there[1])
        if luck < 0.05:
            raise OutcomeUnknown("no answer")
        if seen != (None if conditions["if_absent"] else conditions["if_revision"]):
            raise Conflict("another one was there")
        number = (there[1] if there else 0) + 1
        self.items[item["id"]] = item, number
        if item["effects"] and item["owner"]:
            self.begun.add(item["id"].partition(":")[0])
        if luck < 0.08:
            raise OutcomeUnknown("no answer")
        return Record(item, str(number), "")._replace(item=item)

    def load_data(self, _table: str, key: Any) -> Any:
        """Load an item."""
        if not self.heals and self.random.random() < 0.03:
            raise TargetUnavailable("no connection")
        found = self.items.get(key)
        return None if found is None else Record(found[0], str(found[1]), "")


class Nest:
    """A function inside of another one, each with a key of its own, and what happens meanwhile.

    Attributes:
        effects: of each function, the number of voids that its call knew.
        told: of each, the number of voids of which somebody was told "not run".
    """

    def __init__(self, random: Random) -> None:
        self.random, self.clock = random, FakeClock()
        self.table, self.counts = Table(random), Counter[str]()
        self.effects: dict[str, list[int]] = {"outer": [], "inner": []}
        self.told = {"outer": 0, "inner": 0}
        self._depth, self._acted = 0, list[Context]()
        given: dict[str, Any] = {"table": "keys", "key": "order", "principal": None, "lease": 30.0}
        given |= {"client": self.table, "clock": self.clock}
        given["effects"] = random.choice(("marked", "anywhere"))
        self.inner = idempotent(name="inner", **given)(self._inner())
        self.outer = idempotent(name="outer", **{**given, "effects": "marked"})(self._outer())

    def _inner(self) -> Any:
        def inner(order: str, context: Context) -> str:
            self._happen()
            effect()
            # What another one's call knows of its own key is nothing that this one knows.
            self._act("inner", context, context.voids if context.function == "inner" else 0)
            self._happen()
            return f"inner {order}"

        return inner

    def _outer(self) -> Any:
        def outer(order: str, context: Context) -> str:
            self._happen()
            self.inner(order, context)
            self._happen()
            effect()
            self._act("outer", context, context.voids)
            self._happen()
            return f"outer {order}"

        return outer

    def _act(self, name: str, context: Context, voids: int) -> None:
        if voids < self.told[name]:
            raise Wrong(f"nested: {name} had its effect after it was settled as not run")
        if self.effects[name]:
            raise Wrong(f"nested: {name} had two effects")
        self.effects[name].append(voids)
        self._acted.append(context)

    def _happen(self) -> None:
        """Let something else happen at this point of a run, or nothing; or kill it."""
        luck = self.random.random()
        if luck < 0.05:
            raise Killed
        if luck < 0.15:
            self.clock.advance(self.random.random() * 40)
        elif luck < 0.45 and self._depth < 2:
            self._depth += 1
            try:
                Variables().run(self.step)
            finally:
                self._depth -= 1

    def step(self) -> None:
        """Let a packet arrive, or somebody settle one of the two keys."""
        name = self.random.choice(("outer", "inner"))
        if self.random.random() < 0.5:
            Variables().run(self.deliver, name, self.random.choice((0, 0, self.told[name])))
        else:
            self.settle(name)

    def deliver(self, name: str, voids: int) -> None:
        """Deliver a call that knows of so many voids."""
        context = Context(name, "42", None, self.clock.monotonic() + 20, self.clock, voids=voids)
        function = self.outer if name == "outer" else self.inner
        self.counts["nested: calls"] += 1
        try:
            function("42", context)
            return
        except Killed:
            return
        except (RepeatRefused, DedupUnavailable) as error:
            if name == "outer" and "'inner'" in str(error) and context.word is error:
                raise Wrong("nested: an inner call's word is told as the outer one's") from error
        except LeaseLost:
            pass
        if context.did_nothing and any(each is context for each in self._acted):
            raise Wrong(f"nested: {name} says that nothing has run, and it has acted")

    def settle(self, name: str) -> str:
        """Settle one key; return the verdict."""
        function = self.outer if name == "outer" else self.inner
        limit = self.clock.monotonic() + 20
        context = Context(name, "42", None, limit, self.clock, voids=self.told[name])
        try:
            found = getattr(function, IDEMPOTENCY).settle(1.0, ("42",), context)
        except DedupUnavailable:
            return "away"
        verdict = str(found["verdict"])
        self.counts[f"nested: {verdict} {found['reason'] or ''}".strip()] += 1
        if verdict == "not_run":
            if any(knew < found["voids"] for knew in self.effects[name]):
                raise Wrong(f"nested: {name} is settled as not run, and it has")
            self.told[name] = max(self.told[name], found["voids"])
        if verdict == "ran" and not self.effects[name]:
            raise Wrong(f"nested: {name} is settled as run, and it has not")
        return verdict


def play_nested(random: Random) -> Counter[str]:
    """Play two keys, one inside the other.

    Raises:
        Wrong: a verdict is; or it is unknown although no effect had begun.
    """
    nest = Nest(random)
    nest.counts["nested: answers lost"] += 1
    for _ in range(random.choice((1, 2, 3, 4))):
        Variables().run(nest.step)
    nest.clock.advance(100.0)
    nest.table.heals = True
    for name in ("outer", "inner"):
        for _ in range(9):
            verdict = Variables().run(nest.settle, name)
            if verdict in ("ran", "not_run", "unknown"):
                break
            nest.clock.advance(40.0)
        if verdict == "unknown" and name not in nest.table.begun:
            raise Wrong(f"nested: {name} is unknown, although no effect of it had begun")
        if verdict in ("running", "away"):
            raise Wrong(f"nested: nobody is told what became of {name}")
        Variables().run(nest.deliver, name, 0)  # the last packet of all
    return nest.counts


class Spooled:
    """An event whose spool has not answered: it has the event, or not.

    Attributes:
        ordered: it has an ordering key.
        was_sent: a bus may have taken it before.
        published: by whom.
    """

    def __init__(self, random: Random) -> None:
        self.random, self.published = random, list[str]()
        self.ordered, self.was_sent = random.random() < 0.4, random.random() < 0.4
        if self.was_sent and random.random() < 0.5:
            self.published.append("the call")
        self._is_kept, self._is_away = random.random() < 0.5, random.random() < 0.2

    @property
    def error(self) -> CallError:
        """What the caller got."""
        event = Event("paid", id="e-1", source="shop", ordering_key="42" if self.ordered else None)
        outcome = Outcome.AMBIGUOUS if self.was_sent else Outcome.NOT_SENT
        attempts = (Attempt("alpha", 0.0, 1.0, outcome),)
        result = Result[Any](Outcome.AMBIGUOUS, reason=NOT_SPOOLED, attempts=attempts)
        error = error_of(Publish("orders", (event,)), result)
        assert isinstance(error, CallError)
        return error

    def drain(self) -> None:
        """Let the spool publish what it has."""
        self.published.extend(["the spool"] if self._is_kept else [])
        self._is_kept = False

    def reach(self, step: Ask) -> Result[Any]:
        """Publish it again."""
        if self.random.random() < 0.2:
            self.drain()
        luck = 0.0 if self._is_away else self.random.random()
        if luck < FAULTS:
            return Result(Outcome.NOT_SENT, target="alpha")
        if self.ordered and not self.was_sent:
            raise Wrong("spool: an event of an ordering key is published beside its spool")
        assert isinstance(step.call, Publish)
        self.published.append("the settler")
        if luck < 2 * FAULTS:
            return Result(Outcome.AMBIGUOUS, target="alpha")
        return Result(Outcome.OK, (Result(Outcome.OK),), target="alpha")


def play_spool(random: Random) -> Counter[str]:
    """Lose the answer of a spool, and settle the event before or after it is published from there.

    Raises:
        Wrong: a verdict is, or it is unknown although the page says that it is not.
    """
    spooled, clock = Spooled(random), FakeClock()
    steps = settle(
        spooled.error,
        None,
        payload=None,
        sent=None,
        only=(),
        timeout=None,
        functions={},
        candidates=lambda _call: ("alpha",),
        drivers={"alpha": None},  # type: ignore[dict-item]
        clock=clock,
        is_own=lambda _attempts: True,
    )
    settled = finish(steps, clock, spooled.reach)
    if settled.verdict is Verdict.RAN and not spooled.published:
        raise Wrong("spool: ran, and it was not published")
    spooled.drain()
    if settled.verdict is Verdict.NOT_RUN and spooled.published:
        raise Wrong("spool: not run, and it was published")
    is_in_order = spooled.ordered and not spooled.was_sent
    expected = NOT_SPOOLED if is_in_order else "unreachable"
    if settled.verdict is Verdict.UNKNOWN and settled.reason != expected:
        raise Wrong(f"spool: unknown ({settled.reason}), and the page says {expected}")
    if is_in_order and settled.verdict is not Verdict.UNKNOWN:
        raise Wrong("spool: nobody knows whether it was kept, and somebody is told")
    words = f"spool: {settled.verdict.value} {settled.reason or ''}".strip()
    return Counter({"spool: answers lost": 1, words: 1})


WORLDS: Final = (play_orders, play_nested, play_spool)
"""By turns."""


def play_places(random: Random, number: int) -> Counter[str]:
    """Play one of the worlds."""
    return WORLDS[number % len(WORLDS)](random)
