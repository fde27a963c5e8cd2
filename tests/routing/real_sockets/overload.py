"""Where no healthy target has a place: who is served all the same, and what it costs to wait."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Thread
from typing import Any, Final, NamedTuple, Self

from leeward import AsyncClient
from leeward.adapter import Driver
from leeward.calls import Invoke
from leeward.config import Config, FunctionConfig
from leeward.errors import LeewardError, Outcome
from leeward.values import Effect
from tests.routing.real_sockets.load import FUNCTION, RUNNERS, Server, Traffic, targets
from tests.routing.real_sockets.places import RUNNERS as CROWDS
from tests.routing.real_sockets.places import Plan

RATE, TIMEOUT = 100.0, 5.0
"""Calls a second, half of them unsafe, and the seconds that each has."""

MODES: Final = ("flaky", "answer 2.005", "refuse")
"""What the targets do: fail in 30 %, be slow by two seconds, refuse."""

LATE: Final = 0.2
"""Seconds that a call may end after its deadline."""

WAITING: Final = 900
"""Calls that wait for a place, while each target takes `HELD` seconds for one."""

HELD: Final = 4.0

CORE: Final = 0.1
"""Share of a core that these calls take at most, those that are served meanwhile included."""


class Overload(NamedTuple):
    """How the calls ended.

    Attributes:
        calls: how many there were, of those that may be repeated.
        well: the share of them that went well.
        doubles: unsafe calls that were carried out more than once.
        late: seconds that a call has ended after its deadline, at most.
    """

    calls: int
    well: float
    doubles: int
    late: float


class Failed(LeewardError):
    """No target has served a call."""


class NaiveLoop:
    """The loop that everybody writes: on any error the next one, each with the whole time.

    It stays where it was served last, as the router of that name in the simulator does.
    """

    def __init__(self, drivers: Sequence[Driver], config: object) -> None:
        self._drivers = drivers
        self._current = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for driver in self._drivers:
            driver.close()

    def listen(self, listener: object) -> None:
        """Tell nothing."""

    def invoke(self, name: str, number: int, *, effect: str, timeout: float) -> None:
        """Ask one after the other."""
        for driver in self._turns():
            if driver.perform(_call(name, number, effect), timeout).outcome is Outcome.OK:
                return
        raise Failed("no target has served it")

    def _turns(self) -> Iterator[Driver]:
        for _ in self._drivers:
            turn = self._current
            yield self._drivers[turn]
            self._current = (turn + 1) % len(self._drivers)


class AwaitedLoop(NaiveLoop):
    """The same for an event loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for driver in self._drivers:
            await driver.close_async()

    async def invoke(self, name: str, number: int, *, effect: str, timeout: float) -> None:  # type: ignore[override]
        """Ask one after the other."""
        for driver in self._turns():
            result = await driver.perform_async(_call(name, number, effect), timeout)
            if result.outcome is Outcome.OK:
                return
        raise Failed("no target has served it")


def _call(name: str, number: int, effect: str) -> Invoke:
    return Invoke(name, b"%d" % number, f"key-{number}", Effect(effect))


def overload(runner: str, started: Sequence[Server], seconds: float, *, naive: bool) -> Overload:
    """Call while one target fails at times, one is slow, and one refuses."""
    traffic = Traffic(
        RATE,
        hedge=False,
        effects=("idempotent", "unsafe"),
        timeout=TIMEOUT,
        workers=int(RATE * TIMEOUT * 1.5),
    )
    if naive:
        traffic = traffic._replace(clients=(NaiveLoop, AwaitedLoop))
    begins = 0.0

    def play() -> None:
        nonlocal begins
        for server, mode in zip(started, MODES, strict=True):
            server.do(mode)
            server.count()
        begins = time.monotonic()
        time.sleep(seconds)

    try:
        calls = RUNNERS[runner](targets(started), traffic, play)
    finally:
        done = [_heal(server) for server in started]
    calls = [each for each in calls if begins <= each.began]
    harmless = [each for each in calls if each.effect == "idempotent"]
    carried_out = sum(done, Counter[str]())
    return Overload(
        len(harmless),
        sum(not each.error for each in harmless) / len(harmless),
        sum(times > 1 and int(number) % 2 == 1 for number, times in carried_out.items()),
        max(each.ended - each.began for each in calls) - TIMEOUT,
    )


def _heal(server: Server) -> Counter[str]:
    server.do("heal")
    return server.count()


def wait_many(runner: str, started: Sequence[Server]) -> tuple[float, float]:
    """Return the share of a core that calls take which wait, and how late one ends at most."""
    for server in started:
        server.do(f"answer {HELD}")
    shares: list[float] = []
    took: list[float] = []

    def watch() -> None:
        asked, before = 0, -1
        while asked < WAITING or asked != before:  # until each has looked at every target
            time.sleep(HELD / 8)
            before, asked = asked, sum(len(driver.begun) for driver in drivers)
        began, used = time.monotonic(), time.process_time()
        time.sleep(1.5 * HELD)
        shares.append((time.process_time() - used) / (time.monotonic() - began))

    drivers = targets(started)
    watcher = Thread(target=watch)
    config = Config(functions={FUNCTION: FunctionConfig(effect=Effect.IDEMPOTENT)})
    plan = Plan(_timed(took), WAITING + 64 * len(started), then=watcher.start)
    CROWDS[runner](drivers, config, plan)
    watcher.join()
    for server in started:
        server.do("heal")
    return shares[0], max(took) - 6 * HELD


def _timed(took: list[float]) -> Callable[[Any], Any]:
    """Return what makes a call, and notes the seconds that it takes."""

    def call(cloud: Any) -> Any:
        if isinstance(cloud, AsyncClient):
            return _await_timed(cloud, took)
        began = time.monotonic()
        try:
            return cloud.invoke(FUNCTION, 0, timeout=6 * HELD)
        finally:
            took.append(time.monotonic() - began)

    return call


async def _await_timed(cloud: AsyncClient, took: list[float]) -> None:
    began = time.monotonic()
    try:
        await cloud.invoke(FUNCTION, 0, timeout=6 * HELD)
    finally:
        took.append(time.monotonic() - began)
