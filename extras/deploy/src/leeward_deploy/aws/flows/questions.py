"""A step that is settled, as states: its attempts, and the questions what became of it.

A retrier of Step Functions cannot ask a function before it tries again, so the attempts are a loop
of states, and the questions are a second one. The word in `said` is what the last answer means:
``ran``, ``failed`` (it ran, and failed as it declared), ``lost`` (it ran, and nobody has its
result), ``not_run``, ``running`` (or there was no answer), ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from leeward.envelope import PROBLEM
from leeward.workflow.kernel import LONGER, repeats_ambiguous
from leeward.workflow.model import AMBIGUOUS, ANY, FAILED, NOT_SENT, THROTTLED, UNKNOWN, Step
from leeward.workflow.retry import Retry
from leeward.workflow.steps import UNKNOWN_CLASSES
from leeward_deploy.aws.flows.jsonata import literal, whole
from leeward_deploy.aws.flows.states import (
    LambdaCalls,
    State,
    StateScope,
    assignment,
    choice,
    error_of,
    events_in,
    name_of_error,
    returned_by,
    variable_of,
)
from leeward_deploy.needs import most_waits

_UNANSWERED: Final = (*AMBIGUOUS, THROTTLED, "DedupUnavailable")
"""What a question ends with that may be answered later."""


class Round(NamedTuple):
    """The variables of a settled step.

    Attributes:
        made: attempts so far.
        began: milliseconds, when the first one was made.
        voids: how often the key was settled as not run.
        left: seconds to wait for answers.
        pause: seconds before the next question, at least.
        said: what the last answer means.
        after: seconds after which to ask again, as that says.
    """

    made: str
    began: str
    voids: str
    left: str
    pause: str
    said: str
    after: str


def round_of(step: Step, around: StateScope) -> Round:
    """Return the variables of a settled step."""
    names = (f"{around.own(kind)}_{variable_of(step.id)}" for kind in "ktwqpyz")
    return Round(*names)


class SettledStep(NamedTuple):
    """What the states of a settled step have in common.

    Attributes:
        step: it.
        path: expression for its path in the run.
        payload: as a field of a state.
        done: expression for the list of what is to be taken back, with this step; None without an
            undo.
        around: where it stands.
        calls: of the workflow.
    """

    step: Step
    path: str
    payload: Any
    done: str | None
    around: StateScope
    calls: LambdaCalls

    def write(self, value: Mapping[str, str], behind: str) -> int:
        """Write the states; return the events that they can take together.

        Args:
            value: what else is assigned where the step has returned; it reads ``$r``.
            behind: the state that comes then.
        """
        step, states, now = self.step, self.around.states, round_of(self.step, self.around)
        begin = {
            now.made: whole("0"),
            now.began: whole("$millis()"),
            now.voids: whole("0"),
            now.left: whole(str(step.timeout)),
            now.pause: whole("1"),
            now.said: whole('"unknown"'),
        }
        states[f"{step.id} begins"] = assignment(begin, step.id)
        states[step.id] = self._attempt(now, value, behind)
        again = self._again(now)
        asks = "true" if repeats_ambiguous(step.retry) else f"{self._error}.ambiguous"
        states[f"{step.id} missed"] = choice(
            *again, (asks, f"{step.id} settle"), default=self.around.raising
        )
        if again:
            pause = _pause_of(step.retry, now.made)
            states[f"{step.id} pause"] = {"Type": "Wait", "Seconds": pause, "Next": step.id}
        states[f"{step.id} settle"] = self._question(now, value)
        settled = f'{now.said} in ["not_run", "failed"]'
        states[f"{step.id} settled"] = choice(
            (f'{now.said} = "ran"', behind),
            (f'{now.said} = "running" and {now.left} > 0', f"{step.id} waits"),
            *((f"{settled} and {condition}", state) for condition, state in again),
            default=self.around.raising,
        )
        longest = f"{now.pause} > {now.after} ? {now.pause} : {now.after}"
        seconds = f"$min([{now.left}, {longest}])"
        states[f"{step.id} waits"] = {
            "Type": "Wait",
            "Seconds": whole(seconds),
            "Assign": {
                now.left[1:]: whole(f"{now.left} - {seconds}"),
                now.pause[1:]: whole(f"{LONGER} * {now.pause}"),
            },
            "Next": f"{step.id} settle",
        }
        return self._events()

    @property
    def _error(self) -> str:
        return self.around.own("e")

    def _attempt(self, now: Round, value: Mapping[str, str], behind: str) -> State:
        step = self.step
        task = self.calls.task(
            step.function, self.payload, self.path, step.timeout, None, voids=now.voids
        )
        found = returned_by("$states.result")
        error = f"($n := {name_of_error()}; {error_of('$n', ambiguous=True)})"
        caught = {
            self._error[1:]: whole(error),
            now.made[1:]: whole(f"{now.made} + 1"),
        }
        assigned = {name: whole(f"($r := {found}; {each})") for name, each in value.items()}
        if self.done is not None and self.around.undo is not None:
            assigned[self.around.undo[1:]] = whole(self.done)
        return {
            **task,
            "Assign": assigned,
            "Next": behind,
            "Catch": [
                {"ErrorEquals": ["States.ALL"], "Assign": caught, "Next": f"{step.id} missed"}
            ],
        }

    def _again(self, now: Round) -> list[tuple[str, str]]:
        """Return when the next attempt is made; never, if there is one attempt."""
        retry = self.step.retry
        if retry.attempts == 1 or not retry.on:
            return []
        covered = f"{self._error}.name in {literal([*retry.on])}"
        left = f"{now.made} < {retry.attempts}"
        condition = left if ANY in retry.on else f"{left} and {covered}"
        return [(condition, f"{self.step.id} pause")]

    def _question(self, now: Round, value: Mapping[str, str]) -> State:
        """Return the question; what it is answered decides what the step has been."""
        step = self.step
        task = self.calls.question(
            step.function, self.payload, self.path, step.timeout, began=now.began, voids=now.voids
        )
        verdict = _verdict_expression(self.calls.key(self.path))
        answer = f"$d := {returned_by('$states.result')}; $k := {verdict}"
        error = self._error
        given = "$r := $lookup($d, 'result'); $r := $exists($r) ? $r : null"
        assigned = {
            now.said[1:]: whole(f"({answer}; $k)"),
            now.after[1:]: whole(
                f"({answer}; $s := $lookup($d, 'retry_after'); "
                '$k = "running" and $type($s) = "number" ? $ceil($s) : 0)'
            ),
            now.voids[1:]: whole(
                f'({answer}; $s := $lookup($d, \'voids\'); $k in ["not_run", "failed"] '
                f'and $type($s) = "number" ? $max([$s, {now.voids}]) : {now.voids})'
            ),
            error[1:]: whole(f"({answer}; {_error_after(error)})"),
            **{
                name: whole(f'({answer}; {given}; $k = "ran" ? {each} : ${name})')
                for name, each in value.items()
            },
        }
        caught = {
            now.said[1:]: whole(
                f"($n := {name_of_error()}; $n in {literal([*_UNANSWERED])} ? "
                '"running" : "unknown")'
            ),
            now.after[1:]: whole("0"),
        }
        if self.done is not None and self.around.undo is not None:
            undo = self.around.undo
            kept = f'$k in ["lost", "unknown"] or ($k = "running" and {now.left} <= 0)'
            assigned[undo[1:]] = whole(f'({answer}; $k = "ran" or {kept} ? {self.done} : {undo})')
            said = caught[now.said[1:]][3:-3]
            caught[undo[1:]] = whole(f"($k := {said}; {kept} ? {self.done} : {undo})")
        return {
            **task,
            "Assign": assigned,
            "Next": f"{step.id} settled",
            "Catch": [
                {"ErrorEquals": ["States.ALL"], "Assign": caught, "Next": f"{step.id} settled"}
            ],
        }

    def _events(self) -> int:
        """Return the events of the loop: the states behind the first one, together."""
        step, states = self.step, self.around.states
        attempts, waits = step.retry.attempts, most_waits(step.timeout)
        times = {
            "missed": attempts,
            "pause": attempts - 1,
            "settle": attempts + waits,
            "settled": attempts + waits,
            "waits": waits,
        }
        found = attempts * events_in(states[step.id])
        for name, count in times.items():
            if f"{step.id} {name}" in states:
                found += count * events_in(states[f"{step.id} {name}"])
        return found


def _pause_of(retry: Retry, made: str) -> str:
    """Return an expression for the seconds before the next attempt."""
    longer = f"{retry.first} * $power({retry.factor}, {made} - 1)"
    seconds = f"$min([{retry.cap}, {longer}])"
    return whole(f"$floor($random() * {seconds})" if retry.jitter == "full" else seconds)


def _verdict_expression(key: str) -> str:
    """Return an expression for what the answer ``$d`` to a question about a key means."""
    ran = (
        '$type($lookup($d, "failure")) = "object" ? "failed" : '
        '$lookup($d, "kept") = false ? "lost" : "ran"'
    )
    return (
        f'($type($d) = "object" and $lookup($d, "key") = {key} ? '
        f'($v := $lookup($d, "verdict"); $v = "ran" ? ({ran}) : '
        '$v in ["not_run", "running"] ? $v : "unknown") : "unknown")'
    )


def _error_after(error: str) -> str:
    """Return an expression for the error of a step, once ``$k`` says what became of it."""
    unknown = literal([*UNKNOWN_CLASSES])
    name = (
        '($f := $lookup($d, "failure"); $n := $lookup($f, "errorType"); '
        '$n := $type($n) = "string" ? $split($n, ".")[-1] : ""; $r := $lookup($f, "reason"); '
        f'$n := $n = {literal(PROBLEM)} and $type($r) = "string" ? $r : $n; '
        f"$n in {unknown} ? {literal(UNKNOWN)} : "
        f"$contains($n, /^[A-Za-z_][A-Za-z0-9_]*$/) ? $n : {literal(FAILED)})"
    )
    ambiguous = literal([*AMBIGUOUS])
    name_if_not_run = f"{error}.name in {ambiguous} ? {literal(NOT_SENT)} : {error}.name"
    lost = f'$merge([{error_of(literal(UNKNOWN))}, {{"ambiguous": true}}])'
    return (
        f'$k = "not_run" ? ($n := {name_if_not_run}; {error_of("$n")}) : '
        f'$k = "failed" ? ($n := {name}; {error_of("$n")}) : $k = "lost" ? {lost} : {error}'
    )
