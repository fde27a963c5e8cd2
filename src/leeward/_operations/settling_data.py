"""Settling of writes, events, and starts of workflows.

Generators without I/O, as in `leeward._operations.settling`. A target with `Capability.SETTLING`
settles a write itself. On any other target the write is looked up, and sent again under its own id
if that replaces only the revision that was found.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from leeward._operations.errors import error_of
from leeward._operations.settling_looks import BY_WRITE_ID, trace_of
from leeward._routing.readback import ReadBackVerdict, question_of
from leeward.adapter import Capability
from leeward.calls import (
    OBJECT_WRITES,
    Call,
    GetRun,
    Publish,
    Result,
    SettleWrite,
    StartRun,
    has_input,
)
from leeward.errors import Outcome
from leeward.records import NamedTuple
from leeward.values.settled import Settled, Verdict

if TYPE_CHECKING:
    from leeward._routing.execution import Entries
    from leeward.clock import Clock

PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds between two questions: the first pause, doubled each time, and the longest."""

FINAL: Final = frozenset({Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CALLER})
"""Outcomes that another question would not change: they are raised."""

WRITES: Final = OBJECT_WRITES | {"store", "delete"}
"""The verbs of writes."""


class Ask(NamedTuple):
    """Send `call` to the targets `only`, all if empty, for at most `seconds`."""

    call: Call
    seconds: float
    only: tuple[str, ...] = ()


Settling: TypeAlias = Generator[Ask | float, Result[Any] | None, Settled]

_Exchange: TypeAlias = Generator[Ask | float, Result[Any] | None, Result[Any] | None]


class Questions:
    """Asks the targets `only` for so many seconds together, with growing pauses."""

    def __init__(self, only: tuple[str, ...], clock: Clock, seconds: float) -> None:
        self._only = only
        self._clock = clock
        self._deadline = clock.monotonic() + seconds
        self._wait = PAUSE

    def ask(self, call: Call) -> _Exchange:
        """Return a result that is OK or CONFLICT; None if none comes in time; raise a final one."""
        while True:
            result = yield Ask(call, self._remaining(), self._only)
            assert result is not None, "what was asked has a result"
            if result.outcome in FINAL:
                raise error_of(call, result)
            if result.outcome in (Outcome.OK, Outcome.CONFLICT):
                return result
            if not (yield from self.pause(result.retry_after)):
                return None

    def pause(self, seconds: float | None = None) -> Generator[float, None, bool]:
        """Wait `seconds` at least before the next question; return whether there is time for it."""
        wait = max(self._wait, seconds or 0.0)
        if self._remaining() <= wait:
            return False
        yield wait
        self._wait = min(2 * self._wait, LONGEST_PAUSE)
        return True

    def _remaining(self) -> float:
        return self._deadline - self._clock.monotonic()


def settle_write(
    call: Call, questions: Questions, capabilities: Collection[Capability], clock: Clock
) -> Settling:
    """Settle a write of an item or an object, at the target of `questions`, with `capabilities`."""
    if Capability.SETTLING in capabilities:
        result = yield from questions.ask(SettleWrite(call[0], call))
        if result is None:
            return UNREACHABLE
        return cast("Settled", result.value)._replace(target=result.target)
    while True:
        looked = yield from questions.ask(question_of(call))
        if looked is None:
            return UNREACHABLE
        there: Any = looked.value
        target = looked.target
        verdict, reason, again = trace_of(call, there, clock.now())
        if verdict is ReadBackVerdict.OURS:
            revision = there.revision if reason == BY_WRITE_ID else None
            return Settled(Verdict.RAN, revision, reason, target=target)
        if again is None:
            return Settled(Verdict.UNKNOWN, reason=reason, target=target)
        if call.verb not in OBJECT_WRITES and Capability.CONDITIONS not in capabilities:
            return Settled(Verdict.UNKNOWN, reason="no_conditions", target=target)
        sent = yield from questions.ask(again)
        if sent is not None and sent.outcome is Outcome.OK:
            return Settled(Verdict.RAN, sent.value, SENT_AGAIN, target=sent.target)
        if sent is None or not (yield from questions.pause()):
            return UNREACHABLE


def settle_publish(call: Publish, questions: Questions) -> Settling:
    """Settle events: publish them again, because consumers recognise an event by its id."""
    while True:
        result = yield from questions.ask(call)
        if result is None:
            return UNREACHABLE
        entries = cast("Entries", result.value)
        failed = [entry for entry in entries if entry.outcome is not Outcome.OK]
        for entry in failed:
            if entry.outcome in FINAL:
                raise error_of(call, entry)
        if not failed:
            return Settled(Verdict.RAN, reason=SENT_AGAIN, target=result.target)
        pairs = zip(call.events, entries, strict=True)
        call = call._replace(events=tuple(event for event, entry in pairs if entry in failed))
        if not (yield from questions.pause()):
            return UNREACHABLE


def settle_start(call: StartRun, questions: Questions) -> Settling:
    """Settle the start of a run: by the run that has its id."""
    while True:
        looked = yield from questions.ask(GetRun(call.workflow, call.run))
        if looked is None:
            return UNREACHABLE
        run, target = looked.value, looked.target
        if run is not None and run.input is not None:
            if has_input(run, call.input):
                return Settled(Verdict.RAN, reason="run", target=target)
            return Settled(Verdict.UNKNOWN, reason="other_run", target=target)
        if run is None:
            if not call.repeatable:
                return Settled(Verdict.UNKNOWN, reason="no_run", target=target)
            sent = yield from questions.ask(call)
            if sent is None:
                return UNREACHABLE
            if sent.outcome is Outcome.OK:
                return Settled(Verdict.RAN, reason=SENT_AGAIN, target=sent.target)
        if not (yield from questions.pause()):
            return Settled(Verdict.UNKNOWN, reason="no_input", target=target)


SENT_AGAIN: Final = "sent_again"
"""The reason of a call that has run because settling sent it again."""

UNREACHABLE: Final = Settled(Verdict.UNKNOWN, reason="unreachable")
"""The verdict if no question was answered before the deadline."""
