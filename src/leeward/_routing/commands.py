"""The commands of the core to its runner, the events that it gets, and its reasons in words.

All are values. Only the outbox is shared, and changed in place.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, TypeAlias

from leeward._routing.readback import ReadBackVerdict
from leeward.calls import NO_PLACE, Call, time_after
from leeward.envelope import NOT_KEPT, RUNNING, UNKNOWN, VOIDED
from leeward.errors import Attempt, Outcome
from leeward.records import NamedTuple
from leeward.values import RoutingEvent

PROBE: Final = "probe"  # the reason of an attempt that is the one probe of a circuit

PANIC: Final = "panic"
"""The reason of an attempt at a target that is ill, because no healthy one has a place."""

make_record: Final = tuple.__new__
"""Make a `NamedTuple` of all its fields, as its constructor does, without a Python call. For
records that every call makes."""


class Dispatch(NamedTuple):
    """Make attempt number `attempt`: put `call` to `target`, for at most `timeout` seconds.

    Attributes:
        timeout: seconds; an `AttemptTime` also says how long it may wait for a place.
        epoch: of the evidence; an answer does not count for circuits that have changed since.
        reason: the code of why this target is asked.
        early: it is given up too soon to be evidence, to be made elsewhere.
    """

    attempt: int
    target: str
    call: Call
    timeout: float
    epoch: int = 0
    reason: str = "first"
    early: bool = False


class ReadBack(NamedTuple):
    """Look up at `target` what became of attempt number `attempt`, which ended as `after`."""

    attempt: int
    target: str
    call: Call
    timeout: float
    after: Outcome
    epoch: int = 0
    reason: str = "read_back"
    early: bool = False


class Pause(NamedTuple):
    """Wait so many seconds; then ask `target` again, or, for a hedge, another target, too.

    With `settle`, ask what became of the call. A call that waits for a place is woken when an
    attempt ends at one of `places`; the call with the lowest `number` first.
    """

    seconds: float
    target: str
    hedge: bool = False
    settle: bool = False
    places: tuple[str, ...] = ()
    number: int = 0


Command: TypeAlias = Dispatch | ReadBack | Pause
Commands: TypeAlias = tuple[Command, ...]
"""What to start now, all at once. Empty: wait for what is in flight; or the call has ended, and
nothing in flight matters."""


class AttemptEnded(NamedTuple):
    """Attempt number `attempt` ended.

    Attributes:
        retry_after: seconds that its target asked to wait; None if it did not.
        cut_off: it took all its time.
        early: that time was too short to be evidence.
        reason: the result's code of a special case.
        ran: whether a function that failed has had an effect: ``no``, ``maybe``, ``yes``.
        refused: a batch has nothing left to send, and an event of it was not taken.
    """

    attempt: int
    outcome: Outcome
    retry_after: float | None = None
    cut_off: bool = False
    early: bool = False
    reason: str | None = None
    ran: str = "no"
    refused: bool = False

    def outlives(self, later: AttemptEnded) -> bool:
        """Return whether its answer stays the call's answer after `later` has ended beside it.

        One attempt's refusal proves nothing about another one that has run and failed.
        """
        return later.outcome is not Outcome.OK and (self.ran != "no" or later.ran == "no")


class ReadBackDone(NamedTuple):
    """The result of the read-back after attempt number `attempt`, which ended as `after`.

    `retry_after` is the seconds after which to ask again, if it still runs.
    """

    attempt: int
    after: Outcome
    verdict: ReadBackVerdict
    retry_after: float | None = None


class PauseEnded(NamedTuple):
    """The pause before `target` is asked again, or before a hedge or a question, is over.

    With `woken` it has ended early, because an attempt has ended at `target`.
    """

    target: str
    hedge: bool = False
    settle: bool = False
    woken: bool = False


Event: TypeAlias = AttemptEnded | ReadBackDone | PauseEnded

NEARLY: Final = 0.95  # an attempt has run out of time if it used so much of it: drivers round


class TimedAttempt(NamedTuple):
    """An attempt, and when it was made, in monotonic seconds.

    Attributes:
        began, now: when it began and ended.
        waited: seconds that it waited on this side before its target was asked.
    """

    command: Dispatch | ReadBack
    began: float
    now: float
    waited: float = 0.0

    @property
    def request_at(self) -> float:
        """When its target was asked, after the wait."""
        return self.began + self.waited

    @property
    def is_used_up(self) -> bool:
        """Whether it has used up its time, without the wait."""
        took = self.now - self.began - self.waited
        return took >= NEARLY * time_after(self.waited, self.command.timeout)


class ProbeTarget(NamedTuple):
    """Ask the driver of `target` to check whether it works; for the runner.

    Attributes:
        verb, resource: of the circuit that the probe is for.
        epoch: of that circuit.
    """

    target: str
    verb: str
    resource: str
    epoch: int
    timeout: float


class FreePlace(NamedTuple):
    """Wake the next call, because the woken call cannot use the place at `target`."""

    target: str


class BeginHeartbeat:
    """Ask the runner for a heartbeat: there is a baseline now, and waits are evidence."""

    __slots__ = ()


class Outbox(list[Any]):
    """The runner's work for after it has released its lock. All owners add to it in place.

    Events to report, probes to make, and a heartbeat to start.
    """

    def tell(self, name: str, **about: str | int | dict[str, float]) -> None:
        """Add an event."""
        self.append(RoutingEvent(name, **about))  # type: ignore[arg-type]


class CallRecord(NamedTuple):
    """A call that did not go well at once, for `explain`."""

    call_id: int
    verb: str
    resource: str
    attempts: tuple[Attempt, ...]
    why: str


REASONS: Final = {
    "first": "it is the first target that may serve the call",
    "first_is_out": "the targets before it got no calls then",
    "weight": "a share of the calls goes there first, as configured",
    "stays": "the group stays with it, as configured",
    PROBE: "the call was the one probe of a target that had failed",
    "ramp": "the target is on its way back, and takes a share of the calls",
    "only_one_left": "the target takes few calls for now, and no other target was left",
    "only_one_able": "the target is ill, and the call may go to no other target",
    "again": "most failures that are proved not to have run are short, so it was tried once more",
    "moved": "the call was free to go to the next target",
    NO_PLACE: "no place became free where it waited before",
    PANIC: "it is ill, but answers some calls, and no other target had a place",
    "hedge": "the first attempt took longer than usual, and the call is harmless",
    "read_back": "the answer to the write was lost, so the item was loaded to see what it had done",
    "settle": "the call may have run, so its function was asked",
    VOIDED: "its key was settled as not run before, and now the call knows that",
}
"""Why an attempt was made at its target, by code."""

ENDINGS: Final = {
    "": "",
    "attempts_used": "every attempt that it may have was used",
    "no_time": "too little time was left for another attempt",
    NO_PLACE: "no place became free in time for an attempt",
    "no_other": "no other target may be asked, by its effect or its order",
    "no_other_target": "no other target may be asked now",
    "failover_budget": "too many calls had already left a healthy target",
    "unsettled": "its function did not know what became of it",
    "settled": "its function has settled it as not run",
    "another_write": "the item holds another write, and nothing proves which one came first",
    RUNNING: "an earlier call with its key still ran, and too little time was left to wait",
    UNKNOWN: "an earlier call with its key may have run, and its function does not know",
    NOT_KEPT: "an earlier call with its key has run, and its result was not kept",
    "isolated": "an operator has taken its targets out",
    "all_down": "all targets are down",
}
"""Why a call ended, by code; other codes are names of final outcomes."""


def explain(history: deque[CallRecord], calls: int, call_id: int) -> str:
    """Return the decisions about a call, and their reasons, with a line break at the end.

    Only the last calls that did not go well at once are known; `calls` have begun so far.
    """
    record = next((record for record in history if record.call_id == call_id), None)
    if record is None:
        if not 0 < call_id <= calls:
            return f"No call has the number {call_id}; the last one was {calls}.\n"
        return (
            f"Call {call_id} went well at once, or is not among the last {history.maxlen} that did "
            "not.\n"
        )
    lines = [f"Call {call_id}: {record.verb} {record.resource!r}."]
    lines += [_line(number, attempt) for number, attempt in enumerate(record.attempts, 1)]
    if record.why:
        end = ENDINGS.get(record.why, f"{record.why} is a final answer")
        lines.append(f"  It ended there: {end}.")
    return "\n".join(lines) + "\n"


def _line(number: int, attempt: Attempt) -> str:
    what = "read-back" if attempt.read_back else "attempt"
    said = attempt.outcome.name + (f" ({attempt.code})" if attempt.code else "")
    return (
        f"  {attempt.started:.3f} s: {what} {number} at {attempt.target}, because "
        f"{REASONS[attempt.reason]}; after {attempt.duration:.3f} s: {said}."
    )
