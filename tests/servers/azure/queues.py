"""How a Functions host listens to queues."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Self

from tests.servers.azure.clients import transport_apart
from tests.servers.azure.functions_host import FunctionsHost
from tests.servers.azure.worker_process import Function, Raised

_SHORTEST: Final = 0.02
_LONGEST: Final = 0.4
"""Seconds between two looks into the queues: more, the longer nothing comes. (Azure: a minute.)"""

_DEQUEUES: Final = 5
"""How often a message is tried; then it goes to the queue of the poisonous ones."""

_SECONDS_PER_CALL: Final = 600
_AT_A_TIME: Final = 16


class QueueListener:
    """Hands the messages of queues to the functions of a host that they trigger.

    Messages are in base64, as the host expects them. Use it in a `with` statement, inside the
    host's. Queues that are not there yet are looked for again.

    Args:
        host: with the functions.
        connection: connection string of the storage account.
    """

    def __init__(self, host: FunctionsHost, connection: str) -> None:
        self._host = host
        self._connection = connection
        self._over = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._pool = stack.enter_context(ThreadPoolExecutor(_AT_A_TIME))
            triggers = [each for each in self._host.functions if each.kind == "queueTrigger"]
            queues = [(each, self._queue(each.trigger["queueName"], stack)) for each in triggers]
            self._thread = threading.Thread(target=self._listen, args=(queues,), name="queues")
            self._thread.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            self._over.set()
            self._thread.join()

    def _queue(self, name: str, stack: ExitStack) -> Any:
        kind: Any = import_module("azure.storage.queue").QueueClient
        return stack.enter_context(
            kind.from_connection_string(
                self._connection, name, retry_total=0, transport=transport_apart()
            )
        )

    def _listen(self, queues: Iterable[tuple[Function, Any]]) -> None:
        pause = _SHORTEST
        while not self._over.wait(pause):
            came = [self._look(function, queue) for function, queue in queues]
            pause = _SHORTEST if any(came) else min(2 * pause, _LONGEST)

    def _look(self, function: Function, queue: Any) -> int:
        """Take what is there; give how many."""
        errors: Any = import_module("azure.core.exceptions")
        try:
            messages = list(
                queue.receive_messages(
                    max_messages=_AT_A_TIME, visibility_timeout=_SECONDS_PER_CALL
                )
            )
        except errors.AzureError:
            return 0
        for each in messages:
            self._pool.submit(self._take, function, queue, each)
        return len(messages)

    def _take(self, function: Function, queue: Any, message: Any) -> None:
        metadata = {"Id": message.id, "DequeueCount": str(message.dequeue_count)}
        try:
            body = b64decode(message.content, validate=True)
            self._host.take_message(function, body, metadata)
        except (Raised, ValueError):
            if message.dequeue_count < _DEQUEUES:
                queue.update_message(message, visibility_timeout=0)
                return
            self._poison(queue, message)
        queue.delete_message(message)

    def _poison(self, queue: Any, message: Any) -> None:
        errors: Any = import_module("azure.core.exceptions")
        with ExitStack() as stack:
            poison = self._queue(f"{queue.queue_name}-poison", stack)
            with suppress(errors.ResourceExistsError):
                poison.create_queue()
            poison.send_message(message.content)
