"""The runner for event loops: the caller's own task, and others only beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeward.adapter import Call, Result
from leeward.routing.call import Command, Pause
from leeward.routing.execution import Reply, execute
from leeward.routing.runners.shared import Shared

if TYPE_CHECKING:
    from asyncio import Task


async def run(shared: Shared, call: Call, timeout: float) -> Result[Any]:
    """Take `call` to its result within `timeout` seconds, without blocking the event loop."""
    execution = execute(shared.core, call, shared.clock.monotonic(), timeout)
    in_flight: set[Task[Reply]] = set()
    try:
        with shared.lock:
            commands = next(execution)
        while len(commands) == 1:
            reply = await carry_out(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
        from asyncio import FIRST_COMPLETED, create_task, wait

        while True:
            in_flight |= {create_task(carry_out(shared, command)) for command in commands}
            done, in_flight = await wait(in_flight, return_when=FIRST_COMPLETED)
            commands = ()
            for task in done:
                with shared.lock:
                    commands += execution.send(task.result())
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
