"""The runner for event loops: the caller's own task, and others only beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeward.calls import Call, Result
from leeward.clock import running_loop
from leeward.routing.call import Command, Commands, Pause
from leeward.routing.execution import Execution, Reply, execute
from leeward.routing.runners.shared import Shared

if TYPE_CHECKING:
    from asyncio import Task


async def run(
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
            reply = await carry_out(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
            if outbox:
                _deliver(shared)
        return await _run_side_by_side(shared, execution, commands)
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


async def _run_side_by_side(
    shared: Shared, execution: Execution, commands: Commands
) -> Result[Any]:
    """Carry out everything at once; the first answer that decides ends the call.

    What is still in flight then is cancelled.
    """
    from asyncio import FIRST_COMPLETED, create_task, wait

    in_flight: set[Task[Reply]] = set()
    try:
        while True:
            in_flight |= {create_task(carry_out(shared, command)) for command in commands}
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


async def carry_out(shared: Shared, command: Command) -> Reply:
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
