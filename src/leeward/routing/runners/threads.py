"""The runner for threads: the caller's own; others only where several commands are in flight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leeward.adapter import Call, Result
from leeward.routing.call import Command, Pause
from leeward.routing.execution import Reply, execute
from leeward.routing.runners.shared import Shared

if TYPE_CHECKING:
    from queue import SimpleQueue


def run(shared: Shared, call: Call, timeout: float) -> Result[Any]:
    """Take `call` to its result within `timeout` seconds."""
    execution = execute(shared.core, call, shared.clock.monotonic(), timeout)
    try:
        with shared.lock:
            commands = next(execution)
        while len(commands) == 1:
            reply = carry_out(shared, commands[0])
            with shared.lock:
                commands = execution.send(reply)
        from queue import SimpleQueue

        replies: SimpleQueue[Reply | BaseException] = SimpleQueue()
        while True:
            for command in commands:
                _start(shared, command, replies)
            arrived = replies.get()
            if isinstance(arrived, BaseException):
                raise arrived
            with shared.lock:
                commands = execution.send(arrived)
    except StopIteration as end:  # what is still in flight answers to a queue that nobody reads
        result: Result[Any] = end.value
        return result


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


def _start(shared: Shared, command: Command, replies: SimpleQueue[Reply | BaseException]) -> None:
    """Carry `command` out on a thread of its own."""
    from threading import Thread

    def work() -> None:
        try:
            replies.put(carry_out(shared, command))
        except BaseException as error:  # noqa: BLE001 - raised again where the call is made
            replies.put(error)

    Thread(target=work, name="leeward-attempt", daemon=True).start()
