"""One delivery: it claims the key, runs the handler, and writes down how that ended."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from leeward.app.idempotency import record as records
from leeward.app.idempotency.errors import Treatment, recorded_failure_of, treatment_of
from leeward.app.idempotency.record import Claim, KeyRecord, LoadedRecord, Replay, Start
from leeward.app.idempotency.steps import (
    Held,
    Recorded,
    Step,
    Steps,
    claim_key,
    mark_effect,
    write_end,
)


class Happening(Enum):
    """What a delivery does that is not a step at the table."""

    EFFECT = "effect"
    """The handler has its effect: money moves."""
    WORK = "work"
    """The handler takes its time."""


class Script(Enum):
    """How a handler goes."""

    RETURNS = "returns"
    LOSES_ANSWER = "loses_answer"
    """It has its effect, and the answer is lost: it raises."""
    FAILS_BEFORE = "fails_before"
    """It raises before its effect."""
    DECLINES = "declines"
    """It raises what was declared to have had no effect, and had none."""


class Declined(Exception):
    """Declared as ``release``."""


class Ended(NamedTuple):
    """What a delivery gave its caller: ``ran``, ``raised``, ``replayed`` or ``refused``."""

    what: str
    value: Any = None


class Rules(NamedTuple):
    """The decisions that are put to the test; a mutant has another one.

    Attributes:
        marked: the handler announces its effect.
    """

    marked: bool
    claim: Callable[[Claim, float], Steps[Any]] = claim_key
    mark: Callable[[Held], Steps[Any]] = mark_effect
    end: Callable[[Held, KeyRecord], Steps[Recorded | LoadedRecord]] = write_end
    treat: Callable[..., Treatment] = treatment_of


Delivery: TypeAlias = Generator[Step | Happening, Any, Ended]

DECLARED: Mapping[type[Exception], Treatment] = {Declined: Treatment.RELEASE}


def deliver(rules: Rules, claim: Claim, script: Script, now: float) -> Delivery:
    """Take one delivery from its claim to its end."""
    decision = yield from rules.claim(claim, now)
    if isinstance(decision, Replay):
        return Ended("replayed", decision.result)
    if not isinstance(decision, Start):
        return Ended("refused")
    held = Held(decision.record, decision.revision or "")
    effects = 0
    yield Happening.WORK
    error: Exception | None = None
    if script is Script.FAILS_BEFORE:
        error = ValueError()
    elif script is Script.DECLINES:
        error = Declined()
    else:
        marked = (yield from rules.mark(held)) if rules.marked else held
        if isinstance(marked, Held):
            held, effects = marked, 1
            yield Happening.EFFECT
            yield Happening.WORK
            error = ConnectionError() if script is Script.LOSES_ANSWER else None
        else:
            error = RuntimeError()  # LeaseLost, or the table is away: no effect
    if error is None:
        yield from rules.end(held, records.complete_record(held.record, claim.owner))
        return Ended("ran", claim.owner)
    nothing_ran = rules.marked and effects == 0
    treatment = rules.treat(error, DECLARED, nothing_ran=nothing_ran)
    if treatment is Treatment.RELEASE:
        yield from rules.end(held, records.release_record(held.record))
    else:
        failure = recorded_failure_of(error, treatment)
        yield from rules.end(held, records.leave_unknown(held.record, failure))
    return Ended("raised")
