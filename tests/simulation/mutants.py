"""Routers with a seeded bug: each breaks one promise, so that an invariant has to see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from leeward._routing import attempts, execution
from leeward._routing import call as machine
from leeward._routing.attempts import CallState, Core, Decision, Ending
from leeward._routing.call import step
from leeward._routing.circuit import Random
from leeward._routing.circuits import Circuits
from leeward._routing.commands import AttemptEnded, Event, TimedAttempt
from leeward._routing.execution import Execution
from leeward._routing.health import Health
from leeward._routing.outcomes import HARMLESS, TABLE, EffectRules, May, rules_of
from leeward._routing.policy import DEFAULT, RoutingPolicy
from leeward._routing.readback import ReadBackVerdict, judge
from leeward._routing.targets import TargetRecord, candidates
from leeward.calls import Call, Delete, Invoke, Publish, Result
from leeward.errors import Outcome
from leeward.values import Effect
from tests.simulation import leeward_router, runner

Patch: TypeAlias = pytest.MonkeyPatch
Bug: TypeAlias = Callable[[Patch], None]
StepFunction: TypeAlias = Callable[[CallState, Event, float, Random], Decision]


def _steps(mutant: StepFunction) -> Bug:
    """Put `mutant` in the place of the state machine."""
    return lambda patch: patch.setattr(execution, "step", mutant)


def _reports(change: Callable[[Call, Result[Any]], Result[Any]]) -> Bug:
    """Change what is reported to the caller in the end."""

    def mutant(core: Core, call: Call, started: float, timeout: float) -> Execution:
        result = yield from execution.execute(core, call, started, timeout)
        return change(call, result)

    return lambda patch: patch.setattr(leeward_router, "execute", mutant)


def _treats(outcome: Outcome, *, like: Outcome) -> Bug:
    """Give `outcome` the row of another one in the table."""
    return lambda patch: patch.setitem(TABLE, outcome, TABLE[like])


def _asks_no_function(patch: Patch) -> None:
    """End a call as unknown whose function could say what became of it."""
    patch.setattr(attempts, "may_ask", lambda state, now: False)
    patch.setattr(machine, "may_ask", lambda state, now: False)


def _takes(change: Callable[[Call, EffectRules], EffectRules]) -> Bug:
    """Change what the effect of a call allows."""
    return lambda patch: patch.setattr(
        machine, "rules_of", lambda call: change(call, rules_of(call))
    )


def _decides_by(**numbers: float) -> Bug:
    """Change the policy."""
    policy = DEFAULT._replace(**numbers)  # type: ignore[arg-type]
    return lambda patch: patch.setattr(leeward_router, "POLICY", policy)


def _ambiguous_is_rejected(state: CallState, event: Event, now: float, random: Random) -> Decision:
    if isinstance(event, AttemptEnded) and event.outcome is Outcome.AMBIGUOUS:
        event = event._replace(outcome=Outcome.REJECTED)
    return step(state, event, now, random)


def _forgets_the_unknown_at_the_end(
    state: CallState, event: Event, now: float, random: Random
) -> Decision:
    state, commands = step(state, event, now, random)
    if state.ending is Ending.UNKNOWN:
        state = state._replace(ending=Ending.LAST)
    return state, commands


def _reports_every_conflict(state: CallState, event: Event, now: float, random: Random) -> Decision:
    if isinstance(event, AttemptEnded) and event.outcome is Outcome.CONFLICT:
        return state._replace(ending=Ending.LAST), ()
    return step(state, event, now, random)


def _forgets_what_is_in_flight(
    state: CallState, event: Event, now: float, random: Random
) -> Decision:
    if isinstance(event, AttemptEnded) and event.attempt == 1:
        state = state._replace(in_flight=(1,))
    return step(state, event, now, random)


def _stops_its_clock(state: CallState, event: Event, now: float, random: Random) -> Decision:
    return step(state, event, state.deadline - 10.0, random)


def _is_keyed_invoke(call: Call) -> bool:
    return isinstance(call, Invoke) and call.effect is Effect.KEYED


def _repeats(call: Call, rules: EffectRules) -> EffectRules:
    return rules._replace(same=True, elsewhere=True)


def _believes_every_read_back(patch: Patch) -> None:
    patch.setattr(execution, "judge", lambda call, found: ReadBackVerdict.OURS)


def _believes_in_every_delete(patch: Patch) -> None:
    patch.setattr(
        execution,
        "judge",
        lambda call, found: (
            ReadBackVerdict.OURS if isinstance(call, Delete) else judge(call, found)
        ),
    )


def _stores_anywhere(patch: Patch) -> None:
    patch.setattr(machine, "candidates", lambda targets, call, rules: targets.order)


def _never_moves(patch: Patch) -> None:
    for outcome in (Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE):
        patch.setitem(TABLE, outcome, TABLE[outcome]._replace(move=May.NEVER))


def _asks_the_unusable_again(patch: Patch) -> None:
    row = TABLE[Outcome.UNUSABLE]._replace(again=May.ALWAYS)
    patch.setitem(TABLE, Outcome.UNUSABLE, row)


def _knows_no_groups(patch: Patch) -> None:
    patch.setattr(
        machine,
        "candidates",
        lambda targets, call, rules: candidates(targets._replace(groups={}), call, rules),
    )


def _leases_nothing(patch: Patch) -> None:
    patch.setattr(Circuits, "lease", lambda circuits, circuit, now: None)
    patch.setattr(Circuits, "extend_leases", lambda circuits, target, call, until: None)


def _spends_what_it_has_not(patch: Patch) -> None:
    def spend(record: TargetRecord, policy: RoutingPolicy) -> bool:
        record.tokens -= 1
        return True

    patch.setattr(TargetRecord, "spend_token", spend)


def _takes_old_answers_for_new(patch: Patch) -> None:
    fail = Health.fail

    def mutant(health: Health, attempt: TimedAttempt, outcome: Outcome, reason: str | None) -> None:
        command = attempt.command._replace(epoch=health.circuits.epoch)
        fail(health, attempt._replace(command=command), outcome, reason)

    patch.setattr(Health, "fail", mutant)


def _forgets_no_circuit(patch: Patch) -> None:
    patch.setattr(leeward_router, "POLICY", DEFAULT._replace(most_circuits=2))
    patch.setattr(Circuits, "_forget_the_oldest", lambda circuits: None)


def _sends_whole_batches_again(patch: Patch) -> None:
    patch.setattr(execution.Batch, "open_call", lambda batch: batch._call)


def _forgets_unknown_events(patch: Patch) -> None:
    patch.setattr(execution, "_merge", lambda before, now: now)


def _calls(truth: Outcome, wrong: Outcome) -> Bug:
    """Report `wrong` to the caller where the call ended with `truth`."""
    return _reports(
        lambda call, result: result._replace(outcome=wrong) if result.outcome is truth else result
    )


def _believes_every_page(patch: Patch) -> None:
    """Take what looks like the platform's answer for that, whoever has written it."""
    patch.setattr(runner, "outcome_of_page", lambda page, *, marks: Outcome.REJECTED)


def _elsewhere(call: Call, result: Result[Any]) -> Result[Any]:
    if not isinstance(call, Publish) or result.value is None:
        return result
    entries = tuple(entry._replace(target="nowhere") for entry in result.value)
    return result._replace(value=entries)


MUTANTS: tuple[tuple[str, Bug, str], ...] = (
    ("takes AMBIGUOUS for REJECTED", _steps(_ambiguous_is_rejected), "I1"),
    ("believes every page", _believes_every_page, "I1"),
    ("repeats unsafe calls", _takes(_repeats), "I1"),
    (
        "moves keyed calls",
        _takes(lambda call, rules: HARMLESS if _is_keyed_invoke(call) else rules),
        "I1",
    ),
    ("lets keyed calls move", _takes(lambda call, rules: rules._replace(pinned=False)), "I4 moves"),
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
    ("makes five attempts", _decides_by(max_attempts=5), "I6 caps"),
    ("asks three targets", _decides_by(max_targets=3), "I6 caps"),
    ("stops its clock", _steps(_stops_its_clock), "I6 deadline"),
    ("forgets the unknown at the end", _steps(_forgets_the_unknown_at_the_end), "I12"),
    ("forgets unknown events", _forgets_unknown_events, "I12"),
    ("asks no function", _asks_no_function, "S1"),
    ("calls a refusal unknown", _calls(Outcome.REJECTED, Outcome.AMBIGUOUS), "I12"),
    ("calls the unknown a refusal", _calls(Outcome.AMBIGUOUS, Outcome.REJECTED), "T1"),
    ("calls the unknown a success", _calls(Outcome.AMBIGUOUS, Outcome.OK), "T2"),
    ("forgets what is in flight", _steps(_forgets_what_is_in_flight), "T1"),
    ("reports every conflict", _steps(_reports_every_conflict), "T3"),
    ("never reads back", _takes(lambda call, rules: rules._replace(read_back=False)), "T4"),
    ("cuts unsafe functions short", _decides_by(time_limit_margin=-1.0), "T5"),
    ("hides its attempts", _reports(lambda call, result: result._replace(attempts=())), "T6"),
    ("never moves", _never_moves, "T7"),
    ("knows no groups", _knows_no_groups, "I4 only inside"),
    ("leases nothing", _leases_nothing, "I7"),
    ("spends what it has not", _spends_what_it_has_not, "I8"),
    ("takes old answers for new", _takes_old_answers_for_new, "I9"),
    ("forgets no circuit", _forgets_no_circuit, "I14"),
)
"""What the router does wrong, how, and how the invariant begins that has to see it."""
