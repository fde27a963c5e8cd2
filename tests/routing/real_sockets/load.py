"""Calls as fast as they are answered, by threads or by tasks, and when each was begun and ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any, Final, Literal, NamedTuple

from leeward import AsyncClient, Client
from leeward.adapter import TargetConfig, WrappingDriver
from leeward.calls import Call, Result
from leeward.config import Config
from leeward.errors import LeewardError
from leeward.registry import open_target
from leeward.values import RoutingEvent

THREADS: Final = 16
TASKS: Final = 64
TIMEOUT: Final = 10.0
FUNCTION: Final = "echo"
REGIONS: Final = ("us-central1", "us-east1", "europe-west1")


class Traffic(NamedTuple):
    """How a client calls.

    Attributes:
        rate: calls a second of all threads or tasks together, while they are answered in time; 0
            for as many as are answered.
        hedge: as in ``leeward.toml``.
        functions: how many are called in turn.
        effects: theirs, in turn; the payload of each call is its number.
        timeout: seconds of a call.
        workers: threads or tasks; 0 for the usual number.
        listener: told of what the router decides.
        clients: the classes that call, by threads and by tasks.
    """

    rate: float
    hedge: bool
    functions: int = 1
    effects: tuple[Literal["idempotent", "unsafe"], ...] = ("idempotent",)
    timeout: float = TIMEOUT
    workers: int = 0
    listener: Callable[[RoutingEvent], object] = bool
    clients: tuple[Callable[..., Any], Callable[..., Any]] = (Client, AsyncClient)


class Called(NamedTuple):
    """A call: monotonic seconds, the class of its error, if it failed, and its effect."""

    began: float
    ended: float
    error: str
    effect: str


class Counted(WrappingDriver):
    """A driver that notes when it is asked; `begun` has the monotonic seconds."""

    def __init__(self, driver: Any) -> None:
        super().__init__(driver)
        self.begun: list[float] = []

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Note an attempt, and make it."""
        self.begun.append(time.monotonic())
        return super().perform(call, timeout)

    async def perform_async(self, call: Call, timeout: float) -> Result[Any]:
        """Note an attempt, and await it."""
        self.begun.append(time.monotonic())
        return await super().perform_async(call, timeout)


class Server:
    """A target's process.

    Args:
        process: that has printed its port already.
        port: that one.
    """

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    def do(self, mode: str) -> None:
        """Change what it does, and return when it does that."""
        assert self._ask(mode) == "ok\n"

    def count(self) -> Counter[str]:
        """Return how often it has carried each call out since it was asked last."""
        return Counter(self._ask("count").split())

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def servers(number: int) -> Iterator[list[Server]]:
    """Start processes of `server`; they end with their input."""
    command = [sys.executable, "-m", "tests.routing.real_sockets.server"]
    with ExitStack() as stack:
        started = []
        for _ in range(number):
            process = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            started.append(process)
        yield [Server(each, int(_line(each))) for each in started]


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def targets(started: Sequence[Server], **more: Any) -> list[Counted]:
    """Open a target for each server, functions over HTTP that everybody may call, with options."""
    found = []
    for number, server in enumerate(started):
        region = REGIONS[number]
        options: dict[str, Any] = {
            "project": "shop",
            "function_url": f"{server.url}/{{name}}",
            "authenticate": False,
            **more,
        }
        config = TargetConfig(f"google:{region}", "google", region, options, {})
        found.append(Counted(open_target(config)))
    return found


def by_threads(
    drivers: Sequence[Counted], traffic: Traffic, play: Callable[[], None]
) -> list[Called]:
    """Call from `THREADS` threads while `play` goes on; return all calls."""
    workers, numbers = traffic.workers or THREADS, count()
    pause = workers / traffic.rate if traffic.rate else 0.0
    over = threading.Event()
    lists: list[list[Called]] = [[] for _ in range(workers)]
    with traffic.clients[0]([*drivers], config=Config(hedge=traffic.hedge)) as cloud:
        cloud.listen(traffic.listener)

        def work(calls: list[Called]) -> None:
            while not over.is_set():
                began, error = time.monotonic(), ""
                number = next(numbers)
                name = f"{FUNCTION}-{number % traffic.functions}"
                effect = traffic.effects[number % len(traffic.effects)]
                try:
                    cloud.invoke(name, number, effect=effect, timeout=traffic.timeout)
                except LeewardError as failed:
                    error = type(failed).__name__
                calls.append(Called(began, time.monotonic(), error, effect))
                time.sleep(max(0.0, began + pause - time.monotonic()))

        threads = [threading.Thread(target=work, args=(each,)) for each in lists]
        for thread in threads:
            thread.start()
            time.sleep(pause / workers)
        try:
            play()
        finally:
            over.set()
            for thread in threads:
                thread.join()
    return [each for calls in lists for each in calls]


def by_tasks(
    drivers: Sequence[Counted], traffic: Traffic, play: Callable[[], None]
) -> list[Called]:
    """Call from `TASKS` tasks of one event loop while `play` goes on, on a thread."""
    workers, numbers = traffic.workers or TASKS, count()
    pause = workers / traffic.rate if traffic.rate else 0.0
    calls: list[Called] = []

    async def run() -> None:
        over = False

        async def work(cloud: Any) -> None:
            while not over:
                began, error = time.monotonic(), ""
                number = next(numbers)
                name = f"{FUNCTION}-{number % traffic.functions}"
                effect = traffic.effects[number % len(traffic.effects)]
                try:
                    await cloud.invoke(name, number, effect=effect, timeout=traffic.timeout)
                except LeewardError as failed:
                    error = type(failed).__name__
                calls.append(Called(began, time.monotonic(), error, effect))
                await asyncio.sleep(max(0.0, began + pause - time.monotonic()))

        async with (
            traffic.clients[1]([*drivers], config=Config(hedge=traffic.hedge)) as cloud,
            asyncio.TaskGroup() as tasks,
        ):
            cloud.listen(traffic.listener)
            for _ in range(workers):
                tasks.create_task(work(cloud))
                await asyncio.sleep(pause / workers)
            await asyncio.to_thread(play)
            over = True

    asyncio.run(run())
    return calls


RUNNERS: Final = {"threads": by_threads, "tasks": by_tasks}
