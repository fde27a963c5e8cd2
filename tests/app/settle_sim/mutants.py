"""Rules of settling with one mistake each, that somebody could have written: each must be found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final, NamedTuple

from leeward.app.idempotency import decorator, running, settlement, settling, steps
from leeward.app.idempotency.record import (
    Claim,
    KeyRecord,
    KeyState,
    LoadedRecord,
    decide,
    release_record,
    void_record,
    with_effects,
)
from leeward.app.idempotency.settling import (
    KeyFinding,
    NotDone,
    OpenCase,
    ProbeAnswer,
    RecordChange,
    SettleRequest,
    close_case,
    examine,
    settle_key,
    take_case,
)
from leeward.app.idempotency.steps import (
    Held,
    LoadRecord,
    Recorded,
    Saved,
    SaveRecord,
    Steps,
    claim_key,
    mark_effect,
    write_end,
)
from leeward.values.settled import Verdict
from tests.app.settle_sim.actors import CLOCK


class Mistake(NamedTuple):
    """What takes the place of a function of leeward's, and the scenario that shows it."""

    module: ModuleType
    name: str
    rule: Any
    about: str
    scenario: str = "effects anywhere"


@contextmanager
def made(mistake: Mistake) -> Iterator[None]:
    """Make the mistake within the block."""
    right = getattr(mistake.module, mistake.name)
    setattr(mistake.module, mistake.name, mistake.rule)
    try:
        yield
    finally:
        setattr(mistake.module, mistake.name, right)


def _look_only(request: SettleRequest, now: float) -> Steps[Any]:
    """Say that nothing has run where there is no record, and leave it at that."""
    loaded, now = yield LoadRecord()
    if loaded is None:
        return KeyFinding(Verdict.NOT_RUN, voids=request.voids + 1)
    if not isinstance(loaded, LoadedRecord):
        return loaded
    found = examine(loaded, request, now)
    if isinstance(found, RecordChange):
        return KeyFinding(Verdict.NOT_RUN, voids=request.voids + 1)
    return found


def _void_blindly(request: SettleRequest, now: float) -> Steps[Any]:
    """Believe that the void was written, whatever the table has said."""
    del now
    record = KeyRecord(KeyState.UNKNOWN, "", 0, 0.0, "", effects=True)
    yield SaveRecord(void_record(record, request.voids), None)
    return KeyFinding(Verdict.NOT_RUN, voids=request.voids + 1)


def _free_instead_of_void(request: SettleRequest, now: float) -> Steps[Any]:
    """Free the key where nothing has run, as an operator does: a late packet may run."""
    settling_steps = settle_key(request, now)
    try:
        step = next(settling_steps)
        while True:
            if isinstance(step, SaveRecord) and step.record.state is KeyState.VOID:
                step = step._replace(record=release_record(step.record._replace(voids=0)))
            step = settling_steps.send((yield step))
    except StopIteration as end:
        return end.value


def _dead_after_lease(request: SettleRequest, now: float) -> Steps[Any]:
    """Take a run for dead, and for nothing, as soon as its lease is over."""
    loaded, now = yield LoadRecord()
    record = loaded.record if isinstance(loaded, LoadedRecord) else None
    if isinstance(loaded, LoadedRecord) and record is not None:
        is_over = record.state is KeyState.IN_PROGRESS and now >= record.lease_until
        if is_over:
            reply, _ = yield SaveRecord(void_record(record, request.voids), loaded.revision)
            if isinstance(reply, Saved):
                return KeyFinding(Verdict.NOT_RUN, voids=request.voids + 1)
    return (yield from settle_key(request, now))


def _believe_at_once(case: OpenCase, answer: ProbeAnswer, request: SettleRequest) -> Steps[Any]:
    """Believe a probe that finds nothing although a run may still act."""
    return (yield from close_case(case._replace(fenced=True), answer, request))


def _count_while_it_looks(
    case: OpenCase, answer: ProbeAnswer, request: SettleRequest
) -> Steps[Any]:
    """Take a lease that ended while the probe looked for one that was over before."""
    left = case.record.over_at - CLOCK.monotonic()
    return (yield from close_case(case._replace(left=left), answer, request))


def _void_first(
    case: OpenCase, answer: ProbeAnswer, claim: Claim, request: SettleRequest, now: float
) -> Steps[Any]:
    """Void the key for a repeat, and then claim it, which is two writes."""
    if not isinstance(answer, NotDone):
        return (yield from take_case(case, answer, claim, request, now))
    found = yield from close_case(case, answer, request)
    if isinstance(found, KeyFinding) and found.verdict is Verdict.NOT_RUN:
        return (yield from claim_key(claim._replace(voids=found.voids), now))
    return (yield from take_case(case, answer, claim, request, now))


def _claim_whatever_is_void(claim: Claim, now: float) -> Steps[Any]:
    """Run although the key was settled as not run."""
    return (yield from claim_key(claim._replace(voids=99), now))


def _claim_of_the_newest(claim: Claim, now: float) -> Steps[Any]:
    """Take the number of voids from the record, not from the call."""
    loaded, now = yield LoadRecord()
    if isinstance(loaded, LoadedRecord) and loaded.record is not None:
        claim = claim._replace(voids=loaded.record.voids)
    return (yield from claim_key(claim, now))


def _mark_in_memory(held: Held) -> Steps[Any]:
    """Keep it to oneself that an effect begins."""
    yield from ()
    return held


def _mark_and_hope(held: Held) -> Steps[Any]:
    """Write that an effect begins, and go on whatever comes of it."""
    record = with_effects(held.record)
    reply, _ = yield SaveRecord(record, held.revision)
    return Held(record, reply.revision if isinstance(reply, Saved) else held.revision)


def _mark_once(held: Held) -> Steps[Any]:
    """Write the first announcement only: a run that was fenced meanwhile does not notice."""
    if held.record.effects:
        return held
    return (yield from mark_effect(held))


def _end_over_whatever_is_there(held: Held, record: KeyRecord, _: object = None) -> Steps[Any]:
    """Write the end over a void, and over the run that came after it."""
    del held
    found, _ = yield LoadRecord()
    yield SaveRecord(record, found.revision if isinstance(found, LoadedRecord) else None)
    return Recorded.YES


def _end_forgets_voids(held: Held, record: KeyRecord, _: object = None) -> Steps[Any]:
    """Write the end without the number of voids."""
    is_void = record.state is KeyState.VOID
    state = KeyState.RELEASED if is_void else record.state
    return (yield from write_end(held, record._replace(voids=0, state=state)))


def _decide_by_clock(loaded: LoadedRecord, claim: Claim, now: float) -> Any:
    """Forget a void after its lease."""
    record = loaded.record
    if record is not None and record.state is KeyState.VOID and now >= record.lease_until:
        claim = claim._replace(voids=record.voids)
    return decide(loaded, claim, now)


def _run_what_waits(loaded: LoadedRecord, claim: Claim, now: float) -> Any:
    """Take a call that waits for one that is free: whoever asks twice runs."""
    record = loaded.record
    if record is not None and record.state is KeyState.WAITING:
        loaded, claim = (
            loaded._replace(record=release_record(record)),
            claim._replace(question=None),
        )
    return decide(loaded, claim, now)


def _leave_waiting(loaded: LoadedRecord | None, request: SettleRequest, now: float) -> Any:
    """Say that nothing has run, and leave the question to be approved later."""
    record = loaded.record if loaded is not None else None
    if record is not None and record.state is KeyState.WAITING:
        return KeyFinding(Verdict.NOT_RUN, voids=max(record.voids, request.voids) + 1)
    return examine(loaded, request, now)


def _by_the_clock_of_the_day(
    loaded: LoadedRecord | None, request: SettleRequest, now: float
) -> Any:
    """Take a run for over as soon as the clock says so that its machine has not set."""
    if loaded is not None and loaded.record is not None:
        record = loaded.record._replace(over_at=loaded.record.lease_until)
        loaded = loaded._replace(record=record)
    return examine(loaded, request, now)


MISTAKES: Final[Mapping[str, Mistake]] = {
    "a settler only looks": Mistake(settlement, "settle_key", _look_only, "late packets"),
    "a void is not read back": Mistake(settlement, "settle_key", _void_blindly, "late packets"),
    "a settler frees the key": Mistake(
        settlement, "settle_key", _free_instead_of_void, "late packets"
    ),
    "a lease that is over is a proof": Mistake(
        settlement, "settle_key", _dead_after_lease, "late packets"
    ),
    "a probe is believed at once": Mistake(
        settlement, "close_case", _believe_at_once, "probes", "anywhere"
    ),
    "a repeat is void for a moment": Mistake(
        decorator, "take_case", _void_first, "probes", "marked"
    ),
    "a late packet knows every void": Mistake(
        decorator, "claim_key", _claim_whatever_is_void, "late packets"
    ),
    "a packet knows what its record knows": Mistake(
        decorator, "claim_key", _claim_of_the_newest, "late packets"
    ),
    "an effect is announced in memory": Mistake(
        running, "mark_effect", _mark_in_memory, "late packets", "effects marked"
    ),
    "an effect begins although the key is void": Mistake(
        running, "mark_effect", _mark_and_hope, "late packets", "effects marked"
    ),
    "only the first effect is announced": Mistake(
        running, "mark_effect", _mark_once, "probes", "a machine that was asleep"
    ),
    "an end is written over a void": Mistake(
        decorator, "write_end", _end_over_whatever_is_there, "late packets", "effects marked"
    ),
    "an end forgets the voids": Mistake(
        decorator, "write_end", _end_forgets_voids, "late packets", "one that frees the key"
    ),
    "a call that waits runs when it is made again": Mistake(
        steps, "decide", _run_what_waits, "approvals", "refused"
    ),
    "a settler leaves the question open": Mistake(
        settling, "examine", _leave_waiting, "approvals", "approved"
    ),
    "a clock of the day ends the lease of another machine": Mistake(
        settling, "examine", _by_the_clock_of_the_day, "probes", "a clock ahead of an effect"
    ),
    "a void ends with a lease": Mistake(steps, "decide", _decide_by_clock, "late packets"),
}

SLOW: Final[Mapping[str, Mistake]] = {
    "a lease may end while the probe looks": Mistake(
        settlement, "close_case", _count_while_it_looks, "probes", "marked"
    ),
}
"""What takes time to show: the simulation finds it, where no time passes between two steps it does
not."""
