"""The calls of a drill: so many a second, whatever becomes of those before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from leeward.adapter import Driver
from leeward.aio import AsyncClient
from leeward.cli.drill.faulty_target import FaultyTarget, Stage
from leeward.cli.drill.record import Called, Decided, Plan, Record
from leeward.clock import Clock
from leeward.config import Config
from leeward.entropy import new_id
from leeward.errors import LeewardError
from leeward.values import Json

Look = Callable[[Record, float], object]
"""Is shown what has happened so far, and how many seconds have passed."""

LOOK_SECONDS = 1.0


async def play(
    plan: Plan,
    drivers: list[Driver],
    config: Config,
    clock: Clock,
    random: Callable[[], float],
    *,
    payload: Json = None,
    timeout: float | None = None,
    look: Look | None = None,
) -> Record:
    """Make the calls of a drill, and let the faults happen; return what came of it.

    Args:
        plan: of the drill.
        drivers: one for each target of the plan's order; they are closed at the end.
        config: of the order.
        clock: tells the time, and waits.
        random: gives numbers in [0, 1).
        payload: of each call.
        timeout: seconds of each call; None for the configured ones.
        look: is called once a second.
    """
    record = Record()
    stage = Stage(clock, clock.monotonic(), record, random)
    faulty: list[Driver] = [
        FaultyTarget(each, tuple(f for f in plan.faults if f.is_at(each.target)), stage)
        for each in drivers
    ]
    async with AsyncClient(faulty, config=config, clock=clock) as cloud:
        cloud.listen(lambda event: record.decisions.append(Decided(stage.now(), event)))

        async def call() -> None:
            record.calls.append(await _called(cloud, plan, stage, payload, timeout))

        watching = asyncio.create_task(_watch(stage, look)) if look else None
        async with asyncio.TaskGroup() as calls:  # what no call may raise ends the drill
            for number in range(int(plan.rate * plan.seconds)):
                await clock.sleep_async(max(0.0, number / plan.rate - stage.now()))
                record.begun += 1
                calls.create_task(call())
        if watching is not None:
            watching.cancel()
    return record


async def _called(
    cloud: AsyncClient, plan: Plan, stage: Stage, payload: Json, timeout: float | None
) -> Called:
    key, began = new_id(stage.clock.now()), stage.now()
    try:
        answer = await cloud.invoke(
            plan.function, payload, effect=plan.effect, idempotency_key=key, timeout=timeout
        )
    except LeewardError as error:
        return Called(key, began, stage.now(), None, type(error).__name__, str(error))
    return Called(key, began, stage.now(), answer.target)


async def _watch(stage: Stage, look: Look) -> Any:
    while True:
        await stage.clock.sleep_async(LOOK_SECONDS)
        look(stage.record, stage.now())
