"""Routers with a seeded bug: each breaks one promise, so that an invariant has to see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from leeward.adapter import Call, Delete, Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.routing import FailoverDriver, batches, call, failover, journey
from leeward.routing.call import (
    Answered,
    CallSpec,
    CallState,
    Command,
    Ending,
    Event,
    Finish,
    Random,
    Verdict,
    step,
)
from leeward.routing.outcomes import ANYWHERE, TABLE, May, resend_of
from leeward.routing.readback import judge
from leeward.values import Effect
from tests.simulation import leeward_router
from tests.simulation.runner import Course

Patch: TypeAlias = pytest.MonkeyPatch
Bug: TypeAlias = Callable[[Patch], None]
Step: TypeAlias = Callable[[CallState, Event, float, Random], tuple[CallState, Command]]


def _steps(mutant: Step) -> Bug:
    """Put `mutant` in the place of the state machine."""
    return lambda patch: patch.setattr(journey, "step", mutant)


def _reports(change: Callable[[Call, Result[Any]], Result[Any]]) -> Bug:
    """Change what the caller is told in the end."""

    def mutant(call: Call, spec: CallSpec, random: Random) -> Course:
        result = yield from journey.journey(call, spec, random)
        return change(call, result)

    return lambda patch: patch.setattr(leeward_router, "journey", mutant)


def _treats(outcome: Outcome, *, like: Outcome) -> Bug:
    """Give `outcome` the row of another one in the table."""
    return lambda patch: patch.setitem(TABLE, outcome, TABLE[like])


def _ambiguous_is_rejected(
    state: CallState, event: Event, now: float, random: Random
) -> tuple[CallState, Command]:
    if isinstance(event, Answered) and event.outcome is Outcome.AMBIGUOUS:
        event = Answered(Outcome.REJECTED)
    return step(state, event, now, random)


def _forgets_the_unknown_at_the_end(
    state: CallState, event: Event, now: float, random: Random
) -> tuple[CallState, Command]:
    state, command = step(state, event, now, random)
    return state, Finish(Ending.LAST) if command == Finish(Ending.UNKNOWN) else command


def _reports_every_conflict(
    state: CallState, event: Event, now: float, random: Random
) -> tuple[CallState, Command]:
    if isinstance(event, Answered) and event.outcome is Outcome.CONFLICT:
        return state, Finish(Ending.LAST)
    return step(state, event, now, random)


def _stops_its_clock(
    state: CallState, event: Event, now: float, random: Random
) -> tuple[CallState, Command]:
    return step(state, event, state.spec.started, random)


def _moves_keyed_calls(patch: Patch) -> None:
    def mutant(call: Call) -> Any:
        keyed = isinstance(call, Invoke) and call.effect is Effect.KEYED
        return ANYWHERE if keyed else resend_of(call)

    patch.setattr(journey, "resend_of", mutant)
    _lets_keyed_calls_move(patch)


def _lets_keyed_calls_move(patch: Patch) -> None:
    patch.setattr(failover, "is_pinned", lambda call: False)


def _repeats_unsafe_calls(patch: Patch) -> None:
    patch.setattr(journey, "resend_of", lambda call: ANYWHERE)


def _never_reads_back(patch: Patch) -> None:
    patch.setattr(journey, "can_read_back", lambda call: False)


def _believes_every_read_back(patch: Patch) -> None:
    patch.setattr(journey, "judge", lambda call, answer: Verdict.OURS)


def _believes_in_every_delete(patch: Patch) -> None:
    patch.setattr(
        journey,
        "judge",
        lambda call, answer: Verdict.OURS if isinstance(call, Delete) else judge(call, answer),
    )


def _stores_anywhere(patch: Patch) -> None:
    patch.setattr(FailoverDriver, "candidates", lambda router, call: router._order)


def _makes_five_attempts(patch: Patch) -> None:
    patch.setattr(call, "MAX_ATTEMPTS", 5)


def _asks_three_targets(patch: Patch) -> None:
    patch.setattr(call, "MAX_TARGETS", 3)


def _cuts_unsafe_functions_short(patch: Patch) -> None:
    patch.setattr(journey, "TIME_LIMIT_MARGIN", -1.0)


def _never_moves(patch: Patch) -> None:
    for outcome in (Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE):
        patch.setitem(TABLE, outcome, TABLE[outcome]._replace(move=May.NEVER))


def _asks_the_unusable_again(patch: Patch) -> None:
    row = TABLE[Outcome.UNUSABLE]._replace(again=May.ALWAYS)
    patch.setitem(TABLE, Outcome.UNUSABLE, row)


def _sends_whole_batches_again(patch: Patch) -> None:
    patch.setattr(batches.Batch, "call", lambda batch: batch._call)


def _forgets_unknown_events(patch: Patch) -> None:
    patch.setattr(batches, "_merged", lambda before, now: now)


def _calls(truth: Outcome, wrong: Outcome) -> Bug:
    """Tell the caller of `wrong` where the call ended with `truth`."""
    return _reports(
        lambda call, told: told._replace(outcome=wrong) if told.outcome is truth else told
    )


def _elsewhere(call: Call, result: Result[Any]) -> Result[Any]:
    if not isinstance(call, Publish) or result.value is None:
        return result
    entries = tuple(entry._replace(target="nowhere") for entry in result.value)
    return result._replace(value=entries)


MUTANTS: tuple[tuple[str, Bug, str], ...] = (
    ("takes AMBIGUOUS for REJECTED", _steps(_ambiguous_is_rejected), "I1"),
    ("repeats unsafe calls", _repeats_unsafe_calls, "I1"),
    ("moves keyed calls", _moves_keyed_calls, "I1"),
    ("lets keyed calls move", _lets_keyed_calls_move, "I4 moves"),
    ("tells a wrong target", _reports(_elsewhere), "I2"),
    ("believes every read-back", _believes_every_read_back, "I3 acknowledged writes"),
    ("believes in every delete", _believes_in_every_delete, "I3 acknowledged deletes"),
    ("stores anywhere", _stores_anywhere, "I4 data"),
    ("asks the unusable again", _asks_the_unusable_again, "I4 not again"),
    ("moves after AUTH", _treats(Outcome.AUTH, like=Outcome.REJECTED), "I5"),
    ("moves after CALLER", _treats(Outcome.CALLER, like=Outcome.REJECTED), "I5"),
    ("moves after NOT_FOUND", _treats(Outcome.NOT_FOUND, like=Outcome.REJECTED), "I5"),
    ("moves after APP_ERROR", _treats(Outcome.APP_ERROR, like=Outcome.REJECTED), "I5"),
    ("moves after CONFLICT", _treats(Outcome.CONFLICT, like=Outcome.REJECTED), "I5"),
    ("sends whole batches again", _sends_whole_batches_again, "I5"),
    ("makes five attempts", _makes_five_attempts, "I6 caps"),
    ("asks three targets", _asks_three_targets, "I6 caps"),
    ("stops its clock", _steps(_stops_its_clock), "I6 deadline"),
    ("forgets the unknown at the end", _steps(_forgets_the_unknown_at_the_end), "I12"),
    ("forgets unknown events", _forgets_unknown_events, "I12"),
    ("calls a refusal unknown", _calls(Outcome.REJECTED, Outcome.AMBIGUOUS), "I12"),
    ("calls the unknown a refusal", _calls(Outcome.AMBIGUOUS, Outcome.REJECTED), "T1"),
    ("calls the unknown a success", _calls(Outcome.AMBIGUOUS, Outcome.OK), "T2"),
    ("reports every conflict", _steps(_reports_every_conflict), "T3"),
    ("never reads back", _never_reads_back, "T4"),
    ("cuts unsafe functions short", _cuts_unsafe_functions_short, "T5"),
    ("hides its attempts", _reports(lambda call, told: told._replace(attempts=())), "T6"),
    ("never moves", _never_moves, "T7"),
)
"""What the router does wrong, how, and how the invariant begins that has to see it."""
