"""Who takes part: a delivery of a call, and somebody who settles its key; each is a generator.

It yields steps at the table, and happenings, is sent the reply, and returns how it has ended.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import running
from leeward.app.idempotency.decorator import IdempotentCall
from leeward.app.idempotency.record import (
    Earlier,
    LoadedRecord,
    Replay,
)
from leeward.app.idempotency.running import IdempotentRun
from leeward.app.idempotency.settings import (
    IdempotencyOptions,
    IdempotencySettings,
    check_options,
)
from leeward.app.idempotency.settlement import KeySettlement
from leeward.app.idempotency.settling import CannotTell, KeyFinding, OpenCase
from leeward.app.idempotency.steps import ROUNDS, LoadRecord, Saved, SaveRecord, Step, Steps
from leeward.cli.key_records import approve_by_hand, refuse_by_hand
from leeward.errors import DedupUnavailable
from leeward.values.settled import Verdict

LEASE: Final = 30.0
"""Seconds."""
KEEP: Final = 86_400.0


class Probed(Enum):
    """What the probe of a function knows."""

    NOTHING = "none"
    """There is none."""
    TRUTH = "truth"
    """What has been done, and that an effect is on its way. What a run may still begin it does not
    know."""
    DONE_SO_FAR = "done_so_far"
    """What has been done; of what is on its way it knows nothing, as most."""
    MUTE = "mute"
    """It cannot tell."""


class Kind(NamedTuple):
    """A kind of function.

    Attributes:
        marked: it announces its effects.
        probed: what its probe knows.
        recorded: it never runs without a record.
        run_unknown: a repeat runs after an unknown run, and finds out what is there.
        asks: a person has to approve its calls.
    """

    marked: bool
    probed: Probed = Probed.NOTHING
    recorded: bool = True
    run_unknown: bool = False
    asks: bool = False

    def __str__(self) -> str:
        words = ["marked" if self.marked else "anywhere", f"probe={self.probed.value}"]
        words += [] if self.recorded else ["run_and_flag"]
        words += ["approval"] if self.asks else []
        return " ".join([*words, "unknown=run"] if self.run_unknown else words)


class Script(Enum):
    """How a function goes."""

    RETURNS = "returns"
    LOSES = "loses"
    """It has its effect, and the answer is lost: it raises."""
    BREAKS = "breaks"
    """It raises before its effect."""
    DECLINES = "declines"
    """It raises what is declared to release the key, before its effect."""
    REFUSES = "refuses"
    """It raises what is declared to be replayed."""
    HALF = "half"
    """It has a half of its effect, and raises what is declared to be run again."""
    BALKS = "balks"
    """It has its effect, and raises what is declared to be replayed."""
    TWICE = "twice"
    """It announces an effect, which is proved not to have run, and another one, which runs."""


class Declined(Exception):
    """Declared as ``release``."""


class Refused(Exception):
    """Declared as ``replay``."""


class HalfDone(Exception):
    """Declared as ``rerun``."""


class Happening(Enum):
    """What an actor does that is not a step at the table."""

    ARRIVE = "arrive"
    """Its packet arrives; it looks at its clock."""
    PROBE = "probe"
    """It asks the probe; the reply is a `ProbeAnswer`."""
    LOOK = "look"
    """The function looks what an earlier run has done; the reply is the result, or None."""
    WORK = "work"
    """The function takes its time."""
    DECLARED = "declared"
    """The function raises what was declared to be its failure."""


class EffectOf(NamedTuple):
    """The function has its effect.

    Attributes:
        label: of the delivery; it is the result, too.
        voids: of how many voids of the key the delivery knows.
        half: a probe does not find that it is done.
        payload: digest of what it is about.
        until: seconds by the clock of its run, by when it takes place: the function does not wait
            for it. 0 for at once.
    """

    label: str
    voids: int
    half: bool = False
    payload: str = ""
    until: float = 0.0


class Told(NamedTuple):
    """A settler is told what became of the calls that know of at most `voids` voids."""

    voids: int
    finding: KeyFinding


class Ended(NamedTuple):
    """How a delivery has ended for its caller; `voids` where it was refused for them."""

    what: str
    value: Any = None
    voids: int = 0


Event: TypeAlias = Step | Happening | EffectOf | Told
Actor: TypeAlias = Generator[Event, Any, Ended]


class OneClock:
    """Shows what the driver has set: the times of whoever takes the next step.

    Attributes:
        value: seconds that never step back.
        ahead: seconds by which its clock of the day is ahead of them.
    """

    def __init__(self, value: float = 0.0, ahead: float = 0.0) -> None:
        self.value, self.ahead = value, ahead

    def now(self) -> float:
        """Return Unix seconds."""
        return self.value + self.ahead

    def monotonic(self) -> float:
        """Return seconds."""
        return self.value

    def sleep(self, _seconds: float) -> None:
        """Do nothing."""

    async def sleep_async(self, _seconds: float) -> None:
        """Do nothing."""


CLOCK: Final = OneClock()


def charge(order: str, amount: int) -> str:
    """Stand for the function whose settings these are; it is not called."""
    return f"{order} {amount}"


def _tells_nothing(_key: str, _context: Context, _notes: tuple[str, ...]) -> CannotTell:
    return CannotTell()


def settings_of(kind: Kind) -> IdempotencySettings:
    """Return the settings of a kind of function."""
    return check_options(
        charge,
        IdempotencyOptions(
            table="keys",
            key="order",
            principal=None,
            lease=LEASE,
            keep=KEEP,
            failures={Declined: "release", Refused: "replay", HalfDone: "rerun"},
            unreachable="refuse" if kind.recorded else "run_and_flag",
            effects="marked" if kind.marked else "anywhere",
            unknown="run" if kind.run_unknown else "refuse",
            scope="target",
            name="charge",
            client=None,
            clock=CLOCK,
            probe=None if kind.probed is Probed.NOTHING else _tells_nothing,
            approval=kind.asks,
        ),
    )


class Shop(NamedTuple):
    """The function that all actors of a key are about."""

    kind: Kind
    settings: IdempotencySettings

    def call(self, label: str, voids: int, amount: int = 1) -> IdempotentCall:
        """Return one delivery of a call, with an owner of its own."""
        call = IdempotentCall(self.settings, charge, ("42", amount), {})
        call._claim = call._claim._replace(owner=label, voids=voids)
        return call

    def settlement(self, voids: int, age: float | None) -> KeySettlement:
        """Return what settles the key for somebody whose call knows of `voids` voids."""
        context = Context("charge", "42", None, 1e9, CLOCK, voids=voids)
        return KeySettlement(self.settings, age, ("42", 1), context)


def deliver(shop: Shop, label: str, script: Script, voids: int = 0, amount: int = 1) -> Actor:
    """Take one delivery from its arrival to its end; another amount is another payload."""
    yield Happening.ARRIVE
    call = shop.call(label, voids, amount)
    decision = yield from call.claim(None)
    if isinstance(decision, OpenCase):
        told = yield Happening.PROBE
        decision = yield from call.take(decision, told)
    try:
        run = call.begin(decision, None)  # type: ignore[arg-type]
    except Problem as refusal:
        return _refused(refusal, voids)
    except DedupUnavailable:
        return Ended("away")
    except Refused:
        return Ended("failed")
    if isinstance(run, Replay):
        return Ended("replayed", run.result)
    run.started = True
    try:
        result = yield from _body(run, script, EffectOf(label, voids, payload=call._claim.payload))
    except Exception as error:  # noqa: BLE001 - as the decorator does
        recorded = yield from call.after_failure(run, error)
        call.note_failure(run, recorded)
        return Ended("raised", type(error).__name__)
    end = yield from call.after_success(run, result)
    try:
        return Ended("ran", call.finish(run, end, result))
    except Problem as refusal:
        return _refused(refusal, voids)
    except Refused:  # what another run has recorded
        return Ended("failed")


def _refused(refusal: Problem, voids: int) -> Ended:
    needed: int = getattr(refusal, "voids", 0)
    is_stuck = refusal.reason == "voided" and needed <= voids
    return Ended("stuck" if is_stuck else "refused", refusal.reason, needed)


def _body(run: IdempotentRun, script: Script, effect: EffectOf) -> Generator[Event, Any, str]:
    """Do what the user's function does."""
    if run.earlier not in (None, Earlier.FAILED):  # what was half done, goes on
        done = yield Happening.LOOK
        if done is not None:
            return str(done)
    if script is Script.BREAKS:
        raise ValueError
    if script is Script.DECLINES:
        raise Declined
    if script is Script.REFUSES:
        yield Happening.DECLARED
        raise Refused
    yield from _announce(run)
    if script is Script.TWICE:
        run.proved_not_run()
        yield Happening.WORK
        yield from _announce(run)
    until = run.held.record.over_at if script is Script.LOSES and run.held is not None else 0.0
    yield effect._replace(half=script is Script.HALF, until=until)
    if script is Script.BALKS:
        yield Happening.DECLARED
        raise Refused
    if script is Script.LOSES:
        raise ConnectionError
    if script is Script.HALF:
        yield Happening.DECLARED
        raise HalfDone
    return effect.label


def _announce(run: IdempotentRun) -> Generator[Event, Any, None]:
    """Do as `IdempotentRun.begin` does, step by step."""
    if run.held is not None and run._must_mark(run.held):
        mark: Any = running.mark_effect  # type: ignore[attr-defined]
        run._take((yield from mark(run.held)))
        run.check_lease()
    run._count(1)


def judge(_shop: Shop, label: str, *, approves: bool) -> Actor:
    """Approve or refuse the call that waits, as ``leeward keys`` does: one conditional write."""
    yield Happening.ARRIVE
    loaded, _ = yield LoadRecord()
    record = loaded.record if isinstance(loaded, LoadedRecord) else None
    decide = approve_by_hand if approves else refuse_by_hand
    decided = record and decide(record, label)
    if decided:
        yield SaveRecord(decided, loaded.revision)
    return Ended("judged")


def call_again(shop: Shop, label: str, script: Script) -> Actor:
    """Call, and call again where the function says that the key was settled meanwhile."""
    ended = yield from deliver(shop, label, script)
    if ended.what == "refused" and ended.value == "voided":
        return (yield from deliver(shop, f"{label}+", script, ended.voids))
    return ended


def ask(shop: Shop, voids: int, age: float | None) -> Generator[Event, Any, KeyFinding | None]:
    """Settle the key once; return what its asker is told, None for no answer."""
    yield Happening.ARRIVE
    settlement = shop.settlement(voids, age)
    found: Any = None
    for _ in range(ROUNDS):
        found = yield from settlement.begin()
        if isinstance(found, OpenCase):
            told = yield Happening.PROBE
            found = yield from settlement.close(found, told)
        if found is not None:
            break
    if not isinstance(found, KeyFinding):
        return None
    yield Told(voids, found)
    return found


def pry(shop: Shop, age: float | None = None) -> Actor:
    """Settle the key as another principal, who has never called: its record is one of its own."""
    yield Happening.ARRIVE
    settlement = Shop(shop.kind, shop.settings._replace(apart=True)).settlement(0, age)
    case = _own_row(settlement.begin())
    if isinstance(case, OpenCase):
        told = yield Happening.PROBE
        case = _own_row(settlement.close(case, told))
    return Ended("pried", case.verdict if isinstance(case, KeyFinding) else None)


def _own_row(steps: Steps[Any]) -> Any:
    """Carry out steps at a table where nobody else has a record."""
    reply: Any = None
    try:
        while True:
            step = steps.send(reply)
            reply = (None if isinstance(step, LoadRecord) else Saved("1"), CLOCK.monotonic())
    except StopIteration as end:
        return end.value


def settle(
    shop: Shop, label: str, script: Script | None, *, voids: int = 0, age: float | None = 1.0
) -> Actor:
    """Settle the key; if its calls have not run, call again, as `script` says."""
    found = yield from ask(shop, voids, age)
    if found is None:
        return Ended("no answer")
    if found.verdict is Verdict.NOT_RUN and script is not None:
        return (yield from deliver(shop, f"{label}+", script, found.voids))
    return Ended("settled", found.verdict)
