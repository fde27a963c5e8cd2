"""The course of one attempt: a plan from its first step to its result, still without I/O.

It keeps what no plan could keep by itself: at most one request with an effect, what a request
without an answer proves, and one replay, with a fresh credential or by the target's own clock.
Runners only carry out what it yields.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from leeward.adapter.plans import (
    CLOCK_SKEW,
    SKEWED,
    STALE_CREDENTIALS,
    Drop,
    Fresh,
    Learn,
    Need,
    Plan,
    Planner,
    Send,
    Step,
    TheirTime,
    View,
)
from leeward.calls import Call, Result
from leeward.errors import LeewardError, Outcome
from leeward.forking import ForkLock
from leeward.http.messages import Failure, Phase, Request
from leeward.masking import masked

LOOK_UP_SHARE = 0.5
"""What a look-up may take of the time that is left. One that hangs must not keep the request that
counts from being sent, and that one needs no less time than what was asked before it."""


class Fetch(NamedTuple):
    """Get a credential of `scope` within `timeout` seconds.

    Another one than `refused`, which the target has refused.
    """

    scope: str
    timeout: float
    refused: Any = None

    def __repr__(self) -> str:
        return masked(self, "scope timeout")


class Carry(NamedTuple):
    """Send a request within `timeout` seconds."""

    request: Request
    timeout: float


class Ended(NamedTuple):
    """Given in place of an answer: the attempt ends here, with `result`.

    Where there is no credential, that is NOT_SENT if nobody could be asked, else AUTH.
    """

    result: Result[Any]


class Supplied(NamedTuple):
    """What a runner sends back.

    Attributes:
        now: Unix seconds.
        left: seconds that are left for the attempt.
        answer: a credential or `Ended`; a `Response` or a `Failure`; to a `Drop` nothing.
    """

    now: float
    left: float
    answer: Any

    def __repr__(self) -> str:
        return masked(self, "now left")


Course: TypeAlias = Generator[Fetch | Carry | Drop, Supplied, Result[Any]]


def course(
    planner: Planner, call: Call, now: float, timeout: float, learnt: MutableMapping[str, Any]
) -> Course:
    """Take `call` through its plan, and once more if its credential or its time was refused.

    Args:
        planner: makes the plan.
        call: what to do.
        now: Unix seconds, by this machine's clock.
        timeout: seconds for everything.
        learnt: what plans have found out about the target; `Learn` changes it.
    """
    first = _Run(planner(call, _view(now, timeout, learnt)), learnt, refused={})
    result = yield from first.to_the_end(now, timeout)
    stale = result.reason == STALE_CREDENTIALS and bool(first.used)
    refused = result.outcome in {Outcome.AUTH, Outcome.NOT_FOUND}
    again = refused and (stale or result.reason == SKEWED)
    if not again or first.left <= 0:
        return result
    plan = planner(call, _view(first.now, first.left, learnt))
    second = _Run(plan, learnt, refused=first.used if stale else {}, otherwise=result)
    result = yield from second.to_the_end(first.now, first.left)
    return result


def _view(now: float, left: float, learnt: Mapping[str, Any]) -> View:
    return View(now + learnt.get(CLOCK_SKEW, 0.0), left, learnt)


class _Run:
    """One run of a plan."""

    def __init__(
        self,
        plan: Plan,
        learnt: MutableMapping[str, Any],
        *,
        refused: Mapping[str, Any],
        otherwise: Result[Any] | None = None,
    ) -> None:
        self._plan = plan
        self._learnt = learnt
        self._refused = refused
        self._otherwise = otherwise
        self._effects = 0
        self._status: int | None = None
        self._missed: Failure | None = None
        self.used: dict[str, Any] = {}
        self.now = 0.0
        self.left = 0.0

    def to_the_end(self, now: float, timeout: float) -> Course:
        """Carry the plan out. What it raises once its effect was sent proves nothing."""
        self.now, self.left = now, timeout
        try:
            result = yield from self._steps()
        except Exception as error:
            if self._status is None:
                raise
            ran = True if _is_success(self._status) else None
            code = type(error).__name__
            return Result(Outcome.AMBIGUOUS, code=code, executed=ran, cause=error)
        return result

    def _steps(self) -> Course:
        answer: Any = None
        while True:
            try:
                step = self._plan.send(answer)
            except StopIteration as end:
                result: Result[Any] = end.value
                return result
            match step:
                case Need():
                    answer = yield from self._needed(step.scope)
                case Send():
                    answer = yield from self._sent(step.request, step.effect)
                case Drop():
                    answer = self._taken((yield step))
                case _:
                    answer = self._told(step)
            if isinstance(answer, Ended):
                self._plan.close()
                return answer.result

    def _needed(self, scope: str) -> Generator[Fetch, Supplied, Any]:
        refused = self._refused.get(scope)
        answer = self._taken((yield Fetch(scope, self.left, refused)))
        if self._otherwise and refused is not None and answer == refused:
            answer = Ended(self._otherwise)  # there is no other one
        self.used[scope] = answer
        return answer

    def _sent(self, request: Request, effect: bool) -> Generator[Carry, Supplied, Any]:
        if self._missed is not None and self._status is None and self.left <= 0:
            return Ended(_undone(self._missed))
        self._count(effect)
        seconds = self.left if effect else self.left * LOOK_UP_SHARE
        answer = self._taken((yield Carry(request, seconds)))
        if isinstance(answer, Failure):
            from leeward.http.failure_messages import describe_failure

            answer = describe_failure(answer, request.origin)
        if not effect:
            failed = isinstance(answer, Failure) and answer.phase is not Phase.REFUSED_HERE
            self._missed = answer if failed else self._missed
        elif isinstance(answer, Failure):
            answer = Ended(result_of(answer))
        else:
            self._status = answer.status
        return answer

    def _told(self, step: Step) -> View | None:
        """Take a step that asks nobody."""
        match step:
            case Fresh():
                return _view(self.now, self.left, self._learnt)
            case TheirTime(time):
                learn(self._learnt, Learn(CLOCK_SKEW, time - self.now))
            case Learn():
                learn(self._learnt, step)
        return None

    def _taken(self, supplied: Supplied) -> Any:
        self.now, self.left = supplied.now, supplied.left
        return supplied.answer

    def _count(self, effect: bool) -> None:
        self._effects += effect
        if self._effects > 1:
            self._plan.close()
            raise LeewardError("a plan may send one request with an effect, and this sent a second")


_LEARNING = ForkLock()


def learn(learnt: MutableMapping[str, Any], step: Learn) -> None:
    """Change `learnt`, which plans on other threads may change at the same time."""
    name, value, merge = step
    with _LEARNING:
        kept = value if merge is None else merge(learnt.get(name), value)
        if kept is None:
            learnt.pop(name, None)
        else:
            learnt[name] = kept


def result_of(failure: Failure) -> Result[Any]:
    """Return what a request without a complete answer proves."""
    if failure.phase is Phase.REFUSED_HERE:
        outcome = Outcome.LOCAL
    else:
        outcome = Outcome.AMBIGUOUS if failure.sent else Outcome.NOT_SENT
    ran = failure.status is not None and _is_success(failure.status)
    return Result(
        outcome,
        code=failure.code,
        message=failure.message,
        reason=failure.phase.value,
        executed=True if ran else None,
        cause=failure.cause,
    )


def _undone(failure: Failure) -> Result[Any]:
    """Return the same of a look-up: as long as nothing else was sent, nothing was done."""
    result = result_of(failure)
    if result.outcome is Outcome.AMBIGUOUS:
        return result._replace(outcome=Outcome.NOT_SENT, executed=None)
    return result


def _is_success(status: int) -> bool:
    return 200 <= status < 300
