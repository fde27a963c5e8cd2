"""The surroundings of a running handler's calls: their watcher, their time, and their trace.

A call that may change something is announced to the watcher of its thread or task before it is
sent, and reported with its result afterwards. A thread without a watcher may work for any run that
is under way in this process. A trace is one of W3C Trace Context, named by a ``traceparent``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from leeward.errors import CallError, ConfigError, Outcome, Unsupported
from leeward.records import NamedTuple
from leeward.values import OBJECT_READS, Effect, Event

if TYPE_CHECKING:
    from leeward.calls import Call


class Watcher(Protocol):
    """Gets each call with an effect."""

    def begin(self) -> None:
        """Note that a call begins; raise to forbid it."""

    async def begin_async(self) -> None:
        """Do the same without blocking the event loop."""

    def proved_not_run(self) -> None:
        """Note that the call which has begun did not run."""


UNDER_WAY: Final[set[Any]] = set()
"""The runs of this process whose effects are marked, until they end."""


class PossibleRuns:
    """The watcher of a thread that has none, and may work for each of `runs`.

    An effect is never taken back: it may belong to another run.
    """

    def __init__(self, runs: Iterable[Any]) -> None:
        self._runs = [*runs]

    def begin(self) -> None:
        """Note an effect for each run that is still under way."""
        for run in self._runs:
            if run in UNDER_WAY:
                run.begin_perhaps()

    async def begin_async(self) -> None:
        """Do the same on a thread, because a run may be recorded on another loop."""
        if self._runs:
            from asyncio import to_thread

            await to_thread(self.begin)

    def proved_not_run(self) -> None:
        """Do nothing."""


UNWATCHED: Final = PossibleRuns(())
"""The watcher of leeward's own calls, which count for no run."""

RUNNING: Final[ContextVar[tuple[Any, Watcher | None]]] = ContextVar(
    "leeward_running", default=(None, None)
)
"""The context of the handler that runs in this thread or task, and who watches its calls. It is
one variable, because setting one is a good part of what a small handler's call costs."""

OBJECT_PUTS: Final[ContextVar[Callable[[str, str], None] | None]] = ContextVar(
    "leeward_object_puts", default=None
)
"""Takes the bucket and the name of an object that is to be put; it raises to forbid that. None
where there is no handler of objects that runs in this thread or task."""

MAY_HAVE_RUN: Final = frozenset({Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR})
"""The results of a whole call, all attempts taken together, that leave an effect possible."""

_READS: Final = frozenset({"load", "scan", "list_items", "get_run", "settle"})

_HARMLESS: Final = frozenset({Effect.READ_ONLY, Effect.IDEMPOTENT})


def find_watcher() -> Watcher:
    """Return the watcher of this thread or task."""
    return RUNNING.get()[1] or PossibleRuns(UNDER_WAY)


def watched_by(watcher: Watcher) -> Token[tuple[Any, Watcher | None]]:
    """Add `watcher`, until `RUNNING` is reset with the returned token."""
    return RUNNING.set((RUNNING.get()[0], watcher))


LEAST_IN_HANDLER: Final = 1.0
"""Seconds of any call but `invoke` in a handler whose time is over: its work is still kept, though
its caller has stopped waiting."""


def time_within(context: Any, call: Call, timeout: float) -> float:
    """Return the seconds of a call in a handler: at most the handler's time left.

    Nobody waits for a function's answer after that: without time left, this is not above 0, and no
    function is called.
    """
    if context is None:
        return timeout
    left: float = context.remaining()
    if call.verb != "invoke":
        left = max(left, LEAST_IN_HANDLER)
    return min(timeout, left)


def is_harmless(call: Call) -> bool:
    """Return whether `call` needs no watcher: it reads, or is declared to be repeatable."""
    reads = call.verb in _READS or call.verb in OBJECT_READS
    return reads or getattr(call, "effect", None) in _HARMLESS


def report(watcher: Watcher, outcome: Outcome) -> None:
    """Report the end of an announced call to `watcher`."""
    if outcome not in MAY_HAVE_RUN:
        watcher.proved_not_run()


@contextmanager
def report_end(watcher: Watcher) -> Iterator[None]:
    """Report the end of the block to `watcher`; calls in it are parts of it."""
    token = watched_by(UNWATCHED)
    try:
        yield
    except CallError as error:
        report(watcher, error.outcome)
        raise
    except (ConfigError, Unsupported):  # they come before any I/O
        watcher.proved_not_run()
        raise
    finally:
        RUNNING.reset(token)


_PARENT: Final = r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
"""Compiled when it is first needed: most programs never need it."""


class TraceIds(NamedTuple):
    """The place of a call in a trace; `sampled`: the trace is kept."""

    trace: str
    span: str
    sampled: bool


LONGEST: Final = 55  # characters of a ``traceparent`` of the one version that there is


@lru_cache(maxsize=64)
def trace_ids(traceparent: str | None) -> TraceIds | None:
    """Return the fields of a ``traceparent``; None if it is missing or invalid."""
    match = re.fullmatch(_PARENT, traceparent or "")
    if match is None:
        return None
    return TraceIds(match[1], match[2], bool(int(match[3], 16) & 1))


def running_trace() -> str | None:
    """Return the ``traceparent`` of the running handler; None if there is none or it is invalid."""
    context: Any = RUNNING.get()[0]
    if context is None or context.trace is None or trace_ids(context.trace) is None:
        return None
    return str(context.trace[:LONGEST])


def in_trace(event: Event) -> Event:
    """Return an event that belongs to the running handler's trace, if there is one."""
    trace = running_trace()
    if trace is None or "traceparent" in event.extensions:
        return event
    return event._replace(extensions={**event.extensions, "traceparent": trace})
