"""One attempt of a plan, from its first step to its result, without I/O.

It keeps what no plan could keep by itself: at most one request with an effect, what a request
without an answer proves, and one replay, with a fresh credential or by the target's own clock.
A runner carries out what `PlanRun.advance` returns, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

from leeward._http.messages import BULKHEAD, Failure, Phase, Request, describe_failure, refuse
from leeward.adapter.plans import (
    CLOCK_SKEW,
    SKEWED,
    STALE_CREDENTIALS,
    Drop,
    Learn,
    Need,
    Planner,
    Send,
    Step,
    TheirTime,
    View,
)
from leeward.adapter.resolver import Unresolved
from leeward.calls import (
    ISOLATED,
    NO_PLACE,
    SHORTEST_WAIT,
    AttemptTime,
    Call,
    Invoke,
    Result,
    is_barred,
)
from leeward.errors import LeewardError, Outcome, is_from_signal
from leeward.forking import ForkLock
from leeward.values import Effect

LOOK_UP_SHARE: Final = 0.5
"""What a look-up may take of the time that is left. One that hangs must not keep the request that
counts from being sent, and that one needs no less time than what was asked before it."""

LONGEST_ID: Final = 200
"""Characters of a service's id of a request. It goes into logs, and a header may be 64 KiB long."""

LONGEST_SKEW: Final = 86_400.0
"""Seconds. A clock that is more than a day off is not believed: one wrong answer would date all
later requests."""

MOST_LEARNT: Final = 1024
"""Facts that are remembered of one target. The one that was learnt first goes first."""


class Learnt(dict[str, Any]):
    """What plans have found out about one target: names of buses, sessions, its clock."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = ForkLock()

    def learn(self, step: Learn) -> None:
        """Note a step, while plans on other threads may do the same."""
        name, value, merge = step
        with self._lock:
            kept = value if merge is None else merge(self.get(name), value)
            self.pop(name, None)  # what is learnt anew is the last to go
            if kept is not None:
                self[name] = kept
            if len(self) > MOST_LEARNT:
                del self[next(name for name in self if name != CLOCK_SKEW)]


class PlanRun(View):
    """A plan under way, and what it sees of the world.

    A runner calls `advance`, does what it returns, and calls it again with the answer and the time,
    until that is a `Result`.

    Args:
        planner: makes the plan.
        call: what to do.
        learnt: what plans have found out about the target; `Learn` changes it.
        now: Unix seconds, by this machine's clock.
        timeout: seconds for everything. Of an `AttemptTime`, what comes before the request with the
            effect (a credential, a place) may take the `wait` besides.

    Attributes:
        request: of the last `Send`.
        seconds: for the last `Send` or `Need`.
        refused: what the target has refused of the last `Need`; another one is wanted.
    """

    __slots__ = (
        *("_call", "_effects", "_failed_look_up", "_first", "_given", "_least", "_left"),
        *("_our_now", "_pending", "_plan", "_planner", "_refused", "_spare", "_status"),
        *("_time", "_used", "_waited", "refused", "request", "seconds"),
    )

    request: Request
    learnt: Learnt
    _pending: Send | Need | None

    def __init__(
        self, planner: Planner, call: Call, learnt: Learnt, now: float, timeout: float
    ) -> None:
        self._our_now = now
        self.now = now + learnt.get(CLOCK_SKEW, 0.0)
        self.timeout = self.seconds = timeout
        self.learnt = learnt
        self.refused: Any = None
        self._planner = planner
        self._call = call
        self._first: Result[Any] | None = None
        self._left = self._given = timeout
        is_unsafe = type(call) is Invoke and call.effect is Effect.UNSAFE
        self._least = getattr(call, "time_limit", 0.0) if is_unsafe else 0.0
        self._waited = self._spare = 0.0
        self._time: AttemptTime | None = None
        if isinstance(timeout, AttemptTime):
            self._spare, self._time = timeout.total - timeout, timeout
        self._begin({})

    def start(self) -> Send | Need | Drop | Result[Any]:
        """Return the first thing to do, or how the attempt has ended without any.

        Raises:
            LeewardError: the plan raises it.
        """
        return self._proceed(None)

    def advance(self, answer: Any, now: float, left: float) -> Send | Need | Drop | Result[Any]:
        """Return what to do next, or how the attempt has ended.

        Args:
            answer: to a `Send` a `Response` or a `Failure`, to a `Need` what was asked for or why
                it is not available, to a `Drop` nothing.
            now: Unix seconds, by this machine's clock.
            left: seconds that would be left for the attempt if nothing had waited.

        Raises:
            LeewardError: the plan raises it before its effect was sent. Any other exception is
                NOT_SENT then; after the effect each proves nothing, and the result is AMBIGUOUS.
        """
        self._our_now = now
        self.now = now + self.learnt.get(CLOCK_SKEW, 0.0)
        took, self._left = self._left - left, left
        pending = self._pending
        if isinstance(pending, Send):
            self._waited += answer.waited
        elif self._time and took > SHORTEST_WAIT and not isinstance(answer, Unresolved):
            self._waited += min(took, max(0.0, self._time.wait - self._waited))
        self.timeout = left + min(self._waited, self._spare)
        if pending is not None:
            if isinstance(answer, Failure):
                answer = describe_failure(answer, self.request.origin)
            ended = self._take(pending, answer)
            if ended is not None:
                self._plan.close()
                return self._finish(ended)
        return self._proceed(answer)

    def _begin(self, refused: Mapping[Hashable, Any]) -> None:
        self._plan = self._planner(self._call, self)
        self._refused = refused
        self._used: dict[Hashable, Any] = {}
        self._pending = None
        self._effects = 0
        self._status: int | None = None
        self._failed_look_up: Failure | None = None

    def _take(self, pending: Send | Need, answer: Any) -> Result[Any] | None:
        """Read the answer to what was `pending`; return a result if the attempt ends with it."""
        if isinstance(pending, Need):
            if isinstance(answer, Unresolved):
                return Result(
                    answer.outcome, code=answer.code, message=answer.message, cause=answer
                )
            if self.refused is not None and answer == self.refused:
                return self._first  # there is no other one
            self._used[pending.what] = answer
            return None
        if not isinstance(answer, Failure):
            if pending.effect:
                self._status = answer.status
        elif pending.effect:
            return result_of(answer, proves=pending.proves)
        elif answer.phase is not Phase.REFUSED_HERE:
            self._failed_look_up = answer
        return None

    def _proceed(self, answer: Any) -> Send | Need | Drop | Result[Any]:
        """Send the plan its answer; return the next step that the runner has to take."""
        try:
            while True:
                step = self._plan.send(answer)
                answer = None
                if isinstance(step, Send):
                    return self._about_to_send(step)
                if isinstance(step, Need):
                    self._pending, self.seconds = step, self.timeout
                    if self._time is not None:
                        wait = min(self._time.wait, self._spare)
                        self.seconds += max(0.0, wait - self._waited)
                    self.refused = self._refused.get(step.what)
                    return step
                if isinstance(step, Drop):
                    self._pending = None
                    return step
                self._learn(step)
        except StopIteration as end:
            return self._finish(end.value)
        except Exception as error:
            if is_from_signal(error) or (self._status is None and isinstance(error, LeewardError)):
                raise
            if self._status is None:
                return Result(Outcome.NOT_SENT, code=type(error).__name__, cause=error)
            ran = True if 200 <= self._status < 300 else None
            return Result(Outcome.AMBIGUOUS, code=type(error).__name__, executed=ran, cause=error)

    def _about_to_send(self, step: Send) -> Send | Need | Drop | Result[Any]:
        lost = self._failed_look_up
        if lost is not None and self._status is None and self.timeout <= 0:
            self._plan.close()
            return before_effect(result_of(lost))
        if self._waited and is_barred(self._time):
            self._plan.close()
            return self._finish(result_of(refuse(ISOLATED)))
        self._effects += step.effect
        if self._effects > 1:
            self._plan.close()
            raise LeewardError("a plan may send one request with an effect, not a second")
        seconds = self.timeout
        if step.effect and seconds < self._least <= self._given:
            self._plan.close()
            return self._finish(_TOO_LATE)
        self._pending, self.request = step, step.request
        share = 1.0 if step.effect else LOOK_UP_SHARE
        self.seconds = seconds = seconds * share
        if self._time is not None:
            self.seconds = timeout = AttemptTime(seconds)
            timeout.wait = max(0.0, self._time.wait - self._waited) * share
            timeout.total = seconds + max(0.0, self._spare - self._waited) * share
            timeout.elsewhere, timeout.gate = self._time.elsewhere, self._time.gate
        return step

    def _learn(self, step: Step) -> None:
        if isinstance(step, TheirTime):
            skew = step.time - self._our_now
            if abs(skew) <= LONGEST_SKEW:
                self.learnt.learn(Learn(CLOCK_SKEW, skew))
                self.now = step.time
        elif isinstance(step, Learn):
            self.learnt.learn(step)

    def _finish(self, result: Result[Any]) -> Send | Need | Drop | Result[Any]:
        """Return the result; or run the plan once more, if another credential or time may help."""
        if len(result.request_id or "") > LONGEST_ID:
            result = result._replace(request_id=f"{result.request_id:.{LONGEST_ID}}")
        if self._waited:
            result = result._replace(waited=self._waited)
        if result.reason not in _REPLAYED:
            return result
        stale = result.reason == STALE_CREDENTIALS
        helps = result.outcome in (Outcome.AUTH, Outcome.NOT_FOUND) and (self._used or not stale)
        if self._first is None and helps and self.timeout > 0:
            self._first = result
            self._begin(self._used if stale else {})
            return self._proceed(None)
        return result._replace(reason=None)  # the word was for this file alone


_REPLAYED: Final = (STALE_CREDENTIALS, SKEWED)

_TOO_LATE: Final = Result[Any](
    Outcome.LOCAL,
    code="no_time",
    message="what it needs came so late that the function's own limit was not left",
)


def result_of(failure: Failure, *, proves: bool = True) -> Result[Any]:
    """Return what a request without a complete answer proves."""
    if failure.phase is Phase.REFUSED_HERE:
        outcome = Outcome.LOCAL
    else:
        outcome = Outcome.AMBIGUOUS if failure.sent else Outcome.NOT_SENT
    reason = {BULKHEAD: NO_PLACE, ISOLATED: ISOLATED}.get(failure.code, failure.phase.value)
    ran = proves and failure.status is not None and 200 <= failure.status < 300
    return Result(
        outcome,
        code=failure.code,
        message=failure.message,
        reason=reason,
        executed=True if ran else None,
        cause=failure.cause,
    )


def before_effect(result: Result[Any]) -> Result[Any]:
    """Return what the result of a look-up means for the call: nothing with an effect was sent."""
    if result.outcome is Outcome.AMBIGUOUS:
        return result._replace(outcome=Outcome.NOT_SENT, executed=None)
    return result
