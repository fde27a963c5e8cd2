"""Every method of a client, by whether it has an effect; and the ways to call it in a handler."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from leeward import AsyncClient, Client, Event
from leeward.local import Local
from leeward.workflow import Flow, Ref, workflow

Act = Callable[[Any], Any]
"""Calls a method of a client, of either kind."""


@workflow("count")
def count(flow: Flow, value: Ref) -> Ref:
    """Call one function."""
    return flow.step("pay", value)


@workflow("waits")
def waits(flow: Flow, value: Ref) -> None:
    """Wait for an event."""
    flow.step("pay", value)
    flow.event("never")


EFFECTS: Final[dict[str, Act]] = {
    "invoke": lambda client: client.invoke("pay", 1),
    "enqueue": lambda client: client.enqueue("pay", 1),
    "publish_event": lambda client: client.publish_event("orders", "paid"),
    "publish_events": lambda client: client.publish_events("orders", [Event("paid")]),
    "store_data": lambda client: client.store_data("orders", {"id": "1"}),
    "delete_data": lambda client: client.delete_data("orders", "1"),
    "put_object": lambda client: client.put_object("files", "a", b"x"),
    "delete_object": lambda client: client.delete_object("files", "a"),
    "start_workflow": lambda client: client.start_workflow("count", 1, id="r1"),
    "send_event": lambda client: client.send_event("waits", "w0", "go", 1, id="e1"),
    "rerun": lambda client: client.rerun("count", "r0", "pay", id="r2"),
    "cancel_run": lambda client: client.cancel_run("count", "r0"),
    "abort_run": lambda client: client.abort_run("count", "r0"),
}
"""What a run that failed afterwards may not be released for."""

READS: Final[dict[str, Act]] = {
    "load_data": lambda client: client.load_data("orders", "1"),
    "get_object": lambda client: client.get_object("files", "a"),
    "head_object": lambda client: client.head_object("files", "a"),
    "list_objects": lambda client: client.list_objects("files"),
    "get_run": lambda client: client.get_run("count", "r0"),
    "list_runs": lambda client: client.list_runs(),
    "wait_for_run": lambda client: client.wait_for_run("count", "r0"),
    # It goes on with what was started before, and does so however often it is called.
    "resume_runs": lambda client: client.resume_runs(),
}

OTHERS: Final = frozenset(
    {"list_data", "settle", "targets", "native", "probe", "isolate", "restore", "explain"}
    | {"listen", "close"}
)
"""They read, or concern the client itself. What `settle` sends again is counted as it was sent."""


def open_local(path: Path) -> Local:
    """Open a target with the function of the workflow."""
    local = Local(path=path)
    local.function("pay")(lambda payload: payload)
    return local


class Place:
    """Where a handler has its effects: a target whose files several clients share.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.client = Client(open_local(path), workflows=[count, waits])
        self.client.start_workflow("waits", 0, id="w0")
        self.client.start_workflow("count", 0, id="r0")
        self.client.wait_for_run("count", "r0", timeout=30)

    def open_async(self) -> AsyncClient:
        """Open another client, for coroutines."""
        return AsyncClient(open_local(self._path), workflows=[count, waits])

    def call(self, act: Act) -> None:
        """Call a method on this thread."""
        act(self.client)

    def call_in_pool(self, act: Act) -> None:
        """Call it on a thread of a pool, which knows nothing of the handler."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(act, self.client).result()

    def call_to_thread(self, act: Act) -> None:
        """Call it on a thread that asyncio starts with the context variables."""
        asyncio.run(asyncio.to_thread(act, self.client))

    def call_in_executor(self, act: Act) -> None:
        """Call it on a thread that an event loop starts without them."""

        async def call() -> None:
            await asyncio.get_running_loop().run_in_executor(None, act, self.client)

        asyncio.run(call())

    def call_in_fork(self, act: Act) -> None:
        """Call it in a child."""
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                act(self.client)
            os._exit(0)
        os.waitpid(child, 0)

    def call_nested(self, act: Act) -> None:
        """Call it of a client that is opened on a thread of the handler's own."""

        def work() -> None:
            with Client(open_local(self._path), workflows=[count]) as client:
                act(client)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()

    def call_awaited(self, act: Act) -> None:
        """Call it of a client for coroutines, on a loop of its own."""

        async def call() -> None:
            async with self.open_async() as client:
                await act(client)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, call()).result()

    def close(self) -> None:
        """Close what is open."""
        self.client.close()


WAYS: Final[dict[str, Callable[[Place, Act], None]]] = {
    "direct": Place.call,
    "pool": Place.call_in_pool,
    "to_thread": Place.call_to_thread,
    "executor": Place.call_in_executor,
    "fork": Place.call_in_fork,
    "nested": Place.call_nested,
    "AsyncClient": Place.call_awaited,
}
