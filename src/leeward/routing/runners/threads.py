"""The runner for threads: the caller's own; others only where several commands are in flight."""

from __future__ import annotations

from typing import Any

from leeward.calls import Call, Result
from leeward.routing.call import Command, Pause
from leeward.routing.execution import Reply, execute
from leeward.routing.runners.shared import Shared


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
            reply = carry_out(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
            if outbox:
                shared.deliver()
        from leeward.routing.runners.side_by_side import run_side_by_side

        return run_side_by_side(shared, execution, commands)
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


def carry_out(shared: Shared, command: Command) -> Reply:
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
