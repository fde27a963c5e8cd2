"""Several commands of one call at once, on threads: an attempt, and a hedge beside it."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from leeward.adapter import NO_PLACE, NO_THREAD
from leeward.calls import Result, time_after
from leeward.clock import SystemClock
from leeward.errors import Outcome
from leeward.routing.call import Command, Commands, Pause
from leeward.routing.execution import Execution, Reply
from leeward.routing.runners.background import background_of
from leeward.routing.runners.shared import Shared
from leeward.routing.runners.threads import carry_out


def run_side_by_side(shared: Shared, execution: Execution, commands: Commands) -> Result[Any]:
    """Carry out everything at once; the first answer that decides ends the call.

    What is still in flight then goes on until its own time is over: a thread cannot be stopped.
    It answers to a queue that is not read any more. A pause is waited for on the caller's own
    thread, so a hedge that is not needed costs one thread and no more.
    """
    replies: SimpleQueue[Reply | BaseException] = SimpleQueue()
    pauses: list[tuple[float, Command, float]] = []
    while True:
        for command in commands:
            if isinstance(command, Pause) and isinstance(shared.clock, SystemClock):
                began = monotonic()
                pauses.append((began + command.seconds, command, began))
            else:
                _start(shared, command, replies)
        reply = _next(replies, pauses)
        if isinstance(reply, BaseException):
            raise reply
        try:
            with shared.lock:
                commands = execution.send(reply)
        finally:
            if shared.outbox:
                shared.deliver()


def _next(
    replies: SimpleQueue[Reply | BaseException], pauses: list[tuple[float, Command, float]]
) -> Reply | BaseException:
    """Return what comes first: an answer, or the end of a pause."""
    if not pauses:
        return replies.get()
    pauses.sort(key=lambda each: each[0])
    until, command, began = pauses[0]
    try:
        return replies.get(timeout=max(0.0, until - monotonic()))
    except Empty:
        pauses.pop(0)
        return command, began, monotonic(), None


def _start(shared: Shared, command: Command, replies: SimpleQueue[Reply | BaseException]) -> None:
    """Carry `command` out on a thread of its own."""
    since = shared.clock.monotonic()

    def work() -> None:
        try:
            replies.put(_in_time(shared, command, since))
        except BaseException as error:  # noqa: BLE001 - raised again where the call is made
            replies.put(error)

    background_of(shared).threads.submit(work)


def _in_time(shared: Shared, command: Command, since: float) -> Reply:
    """Carry out what may have waited for a thread; not at all if it has waited for too long.

    What it is a reply to is the command as it was given, and the wait counts as that for a place.
    """
    if isinstance(command, Pause):
        return carry_out(shared, command)
    now = shared.clock.monotonic()
    waited = now - since
    if waited > getattr(command.timeout, "wait", command.timeout):
        late = Result[Any](Outcome.LOCAL, code=NO_THREAD, reason=NO_PLACE, waited=waited)
        return command, since, now, late
    timeout = time_after(waited, command.timeout)
    _, began, now, answer = carry_out(shared, command._replace(timeout=timeout))
    if isinstance(answer, Result):
        answer = answer._replace(waited=answer.waited + began - since)
    return command, since, now, answer
