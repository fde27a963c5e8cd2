"""What must hold of every key, whoever has done what, in whatever order."""

from __future__ import annotations

from typing import NamedTuple

from leeward.app.idempotency.record import KeyRecord, KeyState
from leeward.app.idempotency.settling import KeyFinding
from leeward.values.settled import Verdict
from tests.app.settle_sim.actors import EffectOf, Ended, Kind, Probed


class Seen(NamedTuple):
    """What has happened to one key.

    Attributes:
        effects: that took place, in order.
        not_run: somebody was told that no call has run that knows of at most as many voids, one
            fewer than the key has then; -1 if nobody was.
        declared: a run has failed as its function declared.
        begun: a record said that an effect may have begun.
        result: that somebody was given, a caller or a settler; empty for none.
        approved: the payload that a person has approved, and the record has it; empty for none.
        refused: a person has said so, and the record has it.
    """

    effects: tuple[EffectOf, ...] = ()
    not_run: int = -1
    declared: bool = False
    begun: bool = False
    result: str = ""
    approved: str = ""
    refused: bool = False


class Wrong(Exception):
    """Something that must not be."""


def note_write(seen: Seen, before: KeyRecord | None, kept: KeyRecord) -> Seen:
    """Note a write that has taken place, over what was there before.

    Raises:
        Wrong: an approval is gone that nobody has used or refused.
    """
    if kept.state is KeyState.REFUSED:
        return seen._replace(refused=True)
    if before is not None and before.approval is not None and before.approval.by is not None:
        is_free = before.state in (KeyState.RELEASED, KeyState.VOID)
        if is_free and kept.approval != before.approval:
            raise Wrong("an approval is gone, and its payload has not run")
    if kept.effects and kept.owner:
        seen = seen._replace(begun=True)
    if kept.approval is not None and kept.approval.by is not None:
        return seen._replace(approved=kept.payload)
    return seen


def note_effect(kind: Kind, seen: Seen, effect: EffectOf) -> Seen:
    """Note an effect that takes place.

    Raises:
        Wrong: it must not.
    """
    if kind.asks and seen.approved != effect.payload:
        raise Wrong("a call had its effect that nobody has approved")
    if seen.refused:
        raise Wrong("a call had its effect that a person has refused")
    if effect.voids <= seen.not_run:
        raise Wrong("a call had its effect after somebody was told that it has not run")
    if seen.effects and kind.recorded and not kind.run_unknown and not seen.declared:
        raise Wrong("a key had two effects")
    if seen.result and kind.recorded and not kind.run_unknown:
        raise Wrong("a key had one more effect after somebody was given its result")
    return seen._replace(effects=(*seen.effects, effect))


def note_verdict(kind: Kind, seen: Seen, voids: int, found: KeyFinding) -> Seen:
    """Note what a settler is told of the calls that know of at most `voids` voids.

    Raises:
        Wrong: it is not so.
    """
    if found.verdict is Verdict.NOT_RUN:
        return _note_void(kind, seen, voids, found)
    if found.verdict is not Verdict.RAN:
        return seen
    if found.failure is not None:
        if not seen.declared:
            raise Wrong("ran and failed, and no run has failed as declared")
        if seen.result and not (kind.run_unknown or found.failure.rerun):
            raise Wrong("ran and failed, after somebody was given its result")
        return seen
    if not seen.effects:
        raise Wrong("ran, and its effect has not taken place")
    if not found.kept:
        return seen
    if found.result not in {effect.label for effect in seen.effects}:
        raise Wrong("ran, with a result that is not its own")
    return _note_result(kind, seen, found.result)


def _note_void(kind: Kind, seen: Seen, voids: int, found: KeyFinding) -> Seen:
    if not kind.recorded:
        raise Wrong("not run, of a function that runs without a record")
    if found.voids <= voids:
        raise Wrong("not run, and the next call with the key is refused for it")
    if any(effect.voids < found.voids for effect in seen.effects):
        raise Wrong("not run, and its effect has taken place")
    return seen._replace(not_run=max(seen.not_run, found.voids - 1))


def _note_result(kind: Kind, seen: Seen, result: str) -> Seen:
    if seen.result not in ("", result) and kind.recorded and not kind.run_unknown:
        raise Wrong("two who asked have different results")
    return seen._replace(result=result)


def note_end(kind: Kind, seen: Seen, ended: Ended) -> Seen:
    """Note what a caller got.

    Raises:
        Wrong: it is not so.
    """
    if ended.what == "pried" and ended.value is Verdict.RAN:
        raise Wrong("a stranger is told what the call of another one has done")
    if ended.what == "stuck":
        raise Wrong("a call is refused for a void that it knows of")
    results = {effect.label for effect in seen.effects}
    if ended.what not in ("ran", "replayed"):
        return seen
    if ended.value not in results:
        raise Wrong("a caller got a result, and its effect has not taken place")
    return _note_result(kind, seen, ended.value)


def check_settled(kind: Kind, seen: Seen, found: KeyFinding | None, *, aged: bool) -> None:
    """Check the verdict once nothing runs any more, all leases are over, and all is reachable.

    Args:
        kind: of the function.
        seen: what has happened.
        found: what the last settler was told; None if it got no answer.
        aged: it knew how old the call is.

    Raises:
        Wrong: it must not be left like that.
    """
    if found is None or found.verdict is Verdict.RUNNING:
        raise Wrong("nobody is told what became of the key, although nothing runs any more")
    if found.verdict is not Verdict.UNKNOWN:
        return
    knows = kind.probed in (Probed.TRUTH, Probed.DONE_SO_FAR)
    if not kind.recorded or not (aged or knows):
        return
    if not seen.begun:
        raise Wrong("unknown, although no effect had begun")
    whole = [effect for effect in seen.effects if not effect.half]
    if knows and (whole or (kind.marked and not seen.effects)):
        raise Wrong("unknown, although the probe knows")
