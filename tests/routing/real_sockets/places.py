"""More calls at once than there are places: who waits, who goes elsewhere, and what is cut off."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from leeward import AsyncClient, Client
from leeward.adapter import TargetConfig
from leeward.config import Config, FunctionConfig
from leeward.errors import LeewardError, Overloaded
from leeward.registry import open_target
from tests.routing.real_sockets.load import FUNCTION, Counted, Server, targets

SIGNED: Final = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}


class Crowd(NamedTuple):
    """Calls that are made at the same moment.

    Attributes:
        calls: how many.
        places: of each target.
        seconds: that a target takes for one.
        limit: seconds of the function, or of the call that stores.
    """

    calls: int
    places: int
    seconds: float
    limit: float


QUICK: Final = 120
"""Calls to a target that answers in 4 ms, by which it is known to."""

FULL: Final = Crowd(1000, 64, 0.4, 1.0)
FULL_STORES: Final = Crowd(300, 64, 0.4, 3.0)


class Ends(NamedTuple):
    """How the calls of a crowd ended.

    Attributes:
        well: how many were answered.
        errors: how many failed, by the class of what they raised.
        unasked: how many were refused without having waited at every target.
        unreached: how many were told that a target cannot be reached.
        by_target: how many each target has answered.
    """

    well: int
    errors: Counter[str]
    unasked: int
    unreached: int
    by_target: Counter[str]


def invoke_at_once(
    runner: str, started: Sequence[Server], crowd: Crowd, *, slowed: bool = False
) -> Ends:
    """Call an unsafe function from as many threads or tasks as there are calls.

    Where it is `slowed`, only the first target takes so long, and it was quick until then.
    """
    for each in started:
        each.do("answer 0.004" if slowed else f"answer {crowd.seconds}")
    drivers = targets(started, max_in_flight=crowd.places)
    config = Config(functions={FUNCTION: FunctionConfig(timeout=crowd.limit)})

    def slow_down() -> None:
        started[0].do(f"answer {crowd.seconds}")

    plan = Plan(lambda cloud: cloud.invoke(FUNCTION, None), crowd.calls)
    if slowed:
        plan = plan._replace(before=QUICK, then=slow_down)
    return _ends(RUNNERS[runner](drivers, config, plan), {each.target for each in drivers})


def store_at_once(runner: str, server: Server, crowd: Crowd) -> Ends:
    """Store an item at one target from as many threads or tasks as there are calls."""
    server.do(f"answer {crowd.seconds}")
    options: dict[str, Any] = {"endpoint_url": server.url, "max_in_flight": crowd.places}
    config = TargetConfig("aws:us-east-1", "aws", "us-east-1", options, SIGNED)
    drivers = [Counted(open_target(config))]
    plan = Plan(
        lambda cloud: cloud.store_data("orders", {"id": "42"}, timeout=crowd.limit), crowd.calls
    )
    return _ends(RUNNERS[runner](drivers, Config(), plan), {drivers[0].target})


class Plan(NamedTuple):
    """What is called, by either client.

    Attributes:
        call: makes one call.
        calls: how many are made at the same moment.
        before: how many are made before, one after the other.
        then: done between the two.
    """

    call: Callable[[Any], Any]
    calls: int
    before: int = 0
    then: Callable[[], None] = lambda: None


def by_threads(drivers: Sequence[Counted], config: Config, plan: Plan) -> list[Any]:
    """Return what the calls returned or raised, each from a thread of its own."""
    ends: list[Any] = []
    with Client([*drivers], config=config) as cloud:
        go = threading.Event()

        def work() -> None:
            go.wait()
            try:
                ends.append(plan.call(cloud))
            except LeewardError as error:
                ends.append(error)

        for _ in range(plan.before):
            plan.call(cloud)
        plan.then()
        threads = [threading.Thread(target=work) for _ in range(plan.calls)]
        for thread in threads:
            thread.start()
        go.set()
        for thread in threads:
            thread.join()
    return ends


def by_tasks(drivers: Sequence[Counted], config: Config, plan: Plan) -> list[Any]:
    """Return the same of tasks of one event loop."""

    async def run() -> list[Any]:
        async with AsyncClient([*drivers], config=config) as cloud:
            for _ in range(plan.before):
                await plan.call(cloud)
            plan.then()
            calls = (plan.call(cloud) for _ in range(plan.calls))
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(run())


RUNNERS: Final = {"threads": by_threads, "tasks": by_tasks}


def _ends(ends: Sequence[Any], names: set[str]) -> Ends:
    errors = [each for each in ends if isinstance(each, BaseException)]
    refused = [each for each in errors if isinstance(each, Overloaded)]
    return Ends(
        len(ends) - len(errors),
        Counter(type(each).__name__ for each in errors),
        sum({attempt.target for attempt in each.attempts} != names for each in refused),
        sum("cannot be reached" in str(each) for each in errors),
        Counter(each.target for each in ends if not isinstance(each, BaseException)),
    )
