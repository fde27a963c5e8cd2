"""Rules with one mistake each, as other libraries have: the simulation must catch every one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.app.idempotency.errors import Treatment
from leeward.app.idempotency.record import Claim, KeyRecord, LoadedRecord, with_effects
from leeward.app.idempotency.steps import (
    Held,
    LoadRecord,
    Recorded,
    Saved,
    SaveRecord,
    Steps,
    claim_key,
    write_end,
)
from tests.app.idempotency_sim.deliveries import Rules


def _claim_dead_leases(claim: Claim, now: float) -> Steps[Any]:
    """Take over whatever is past its lease, whether it may have had its effect or not."""
    return claim_key(claim._replace(run_unknown=True), now)


def _mark_in_memory(held: Held) -> Steps[Any]:
    """Keep it to oneself that an effect begins."""
    yield from ()
    return held


def _mark_and_hope(held: Held) -> Steps[Any]:
    """Write that an effect begins, and go on whatever comes of it."""
    reply, _ = yield SaveRecord(with_effects(held.record), held.revision)
    return Held(
        with_effects(held.record), reply.revision if isinstance(reply, Saved) else held.revision
    )


def _end_unconditionally(held: Held, record: KeyRecord) -> Steps[Recorded | LoadedRecord]:
    """Write the end over whatever is there."""
    found, _ = yield LoadRecord()
    revision = found.revision if isinstance(found, LoadedRecord) else None
    yield SaveRecord(record, revision)
    return Recorded.YES


def _release_always(error: Exception, declared: object, *, nothing_ran: bool) -> Treatment:
    """Release the key on every exception."""
    return Treatment.RELEASE


def _release_without_marks(error: Exception, declared: object, *, nothing_ran: bool) -> Treatment:
    """Take it for a proof that no connection was lost before: nothing has run."""
    return Treatment.RELEASE if isinstance(error, ConnectionError) else Treatment.KEEP


def _end_by_giving_up(held: Held, record: KeyRecord) -> Steps[Recorded | LoadedRecord]:
    """Do as `write_end`, and forget that an effect began."""
    return write_end(held, record._replace(effects=False))


MUTANTS: Final[Mapping[str, Rules]] = {
    "a lease that is over is taken over": Rules(False, claim=_claim_dead_leases),
    "an effect is announced in memory only": Rules(True, mark=_mark_in_memory),
    "an effect begins although another run took over": Rules(True, mark=_mark_and_hope),
    "a zombie writes over its successor": Rules(True, end=_end_unconditionally),
    "every exception releases the key": Rules(False, treat=_release_always),
    "a lost connection releases the key": Rules(True, treat=_release_without_marks),
    "an end forgets the effect": Rules(True, end=_end_by_giving_up),
}
