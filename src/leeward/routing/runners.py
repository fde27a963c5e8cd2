"""The two runners, which carry out what the core decides: for threads, and for event loops.

The one for threads uses the caller's own; others only where several commands are in flight. The one
for event loops uses the caller's own task, and others beside it. Both read the clock and hold the
lock; nothing in the core does.
"""

from __future__ import annotations

from operator import itemgetter
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from leeward.adapter import NO_PLACE, Call, Result
from leeward.adapter.driver import NO_THREAD
from leeward.calls import time_after
from leeward.clock import SystemClock, running_loop
from leeward.errors import Outcome
from leeward.routing.background import Shared
from leeward.routing.commands import Command, Commands, Pause
from leeward.routing.execution import Execution, Reply, execute

if TYPE_CHECKING:
    from asyncio import Task


def run(shared: Shared, call: Call, timeout: float, only: tuple[str, ...] = ()) -> Result[Any]:
    """Take `call` to its result within `timeout` seconds."""
    execution = execute(shared.core, call, shared.clock.monotonic(), timeout, only)
    outbox = shared.outbox
    try:
        with shared.lock:
            commands = next(execution)
        if outbox:
            shared.deliver()
        while len(commands) == 1:
            reply = _carry_out(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
            if outbox:
                shared.deliver()
        return _run_side_by_side(shared, execution, commands)
    except StopIteration as end:
        result: Result[Any] = end.value
        return result
    except BaseException:  # an interrupt: what is in flight is not waited for any more
        with shared.lock:
            execution.close()
        raise
    finally:
        if outbox:
            shared.deliver()


def _carry_out(shared: Shared, command: Command) -> Reply:
    """Do what `command` says."""
    clock = shared.clock
    answer: object = None
    began = clock.monotonic()
    if isinstance(command, Pause):
        clock.sleep(command.seconds)
    else:
        try:
            answer = shared.drivers[command.target].perform(command.call, command.timeout)
        except Exception as error:  # noqa: BLE001 - what it means is decided in one place
            answer = error
    return command, began, clock.monotonic(), answer


def _run_side_by_side(shared: Shared, execution: Execution, commands: Commands) -> Result[Any]:
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
    pauses.sort(key=itemgetter(0))
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

    shared.threads.submit(work)


def _in_time(shared: Shared, command: Command, since: float) -> Reply:
    """Carry out what may have waited for a thread; not at all if it has waited for too long.

    What it is a reply to is the command as it was given, and the wait counts as that for a place.
    """
    if isinstance(command, Pause):
        return _carry_out(shared, command)
    now = shared.clock.monotonic()
    waited = now - since
    if waited > getattr(command.timeout, "wait", command.timeout):
        late = Result[Any](Outcome.LOCAL, code=NO_THREAD, reason=NO_PLACE, waited=waited)
        return command, since, now, late
    timeout = time_after(waited, command.timeout)
    _, began, now, answer = _carry_out(shared, command._replace(timeout=timeout))
    if isinstance(answer, Result):
        answer = answer._replace(waited=answer.waited + began - since)
    return command, since, now, answer


async def run_async(
    shared: Shared, call: Call, timeout: float, only: tuple[str, ...] = ()
) -> Result[Any]:
    """Take `call` to its result within `timeout` seconds, without blocking the event loop."""
    execution = execute(shared.core, call, shared.clock.monotonic(), timeout, only)
    outbox = shared.outbox
    try:
        with shared.lock:
            commands = next(execution)
        if outbox:
            _deliver(shared)
        while len(commands) == 1:
            reply = await _carry_out_async(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
            if outbox:
                _deliver(shared)
        return await _run_side_by_side_async(shared, execution, commands)
    except StopIteration as end:
        result: Result[Any] = end.value
        return result
    except BaseException:  # a cancellation: what is in flight is not waited for any more
        with shared.lock:
            execution.close()
        raise
    finally:
        if outbox:
            _deliver(shared)


def _deliver(shared: Shared) -> None:
    shared.deliver(running_loop())


async def _run_side_by_side_async(
    shared: Shared, execution: Execution, commands: Commands
) -> Result[Any]:
    """Carry out everything at once; the first answer that decides ends the call.

    What is still in flight then is cancelled.
    """
    from asyncio import FIRST_COMPLETED, create_task, wait

    in_flight: set[Task[Reply]] = set()
    try:
        while True:
            in_flight |= {create_task(_carry_out_async(shared, command)) for command in commands}
            done, in_flight = await wait(in_flight, return_when=FIRST_COMPLETED)
            commands = ()
            for task in done:
                with shared.lock:
                    commands += execution.send(task.result())
            if shared.outbox:
                _deliver(shared)
    except StopIteration as end:
        result: Result[Any] = end.value
        return result
    finally:
        for task in in_flight:
            task.cancel()


async def _carry_out_async(shared: Shared, command: Command) -> Reply:
    """Do what `command` says."""
    clock = shared.clock
    answer: object = None
    began = clock.monotonic()
    if isinstance(command, Pause):
        await clock.sleep_async(command.seconds)
    else:
        try:
            driver = shared.drivers[command.target]
            answer = await driver.perform_async(command.call, command.timeout)
        except Exception as error:  # noqa: BLE001 - what it means is decided in one place
            answer = error
    return command, began, clock.monotonic(), answer
