"""How many calls a second one event loop gets, where each answer takes 5 ms, beside aiobotocore.

aiobotocore needs a botocore of its own, so it runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter

from bench.aws.sides import async_client, environment
from bench.aws.verbs import WANTED
from bench.bare_loop import BareLoop
from bench.calls import FLOOR
from bench.cloud import WIDEST, Cloud
from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.processes import waiting_process
from bench.work import FUNCTION, PAYLOAD
from leeward import AsyncClient

GATE = 4.5

OUR_CALLS = 4096
THEIR_CALLS = 1024

PYTHON = Path(__file__).parents[2] / ".servers/aiobotocore/bin/python"
"""Made by ``make bench``."""

_OTHER_SIDE = Path(__file__).with_name("aiobotocore_side.py")


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure both sides' `invoke`, `WIDEST` under way at once; nothing without the other side."""
    if not PYTHON.exists():
        return []
    runner = asyncio.Runner()
    with runner, _aiobotocore(cloud) as theirs:
        client = async_client(cloud, cloud.late)
        floor = runner.run(_bare(cloud))
        try:
            samples = [
                lambda: runner.run(_rate(_invokes(client))),
                theirs,
                lambda: runner.run(_rate(floor.run(OUR_CALLS))),
            ]
            ours, other, least = measure_in_turn(samples, rounds)
        finally:
            floor.close()
            runner.run(client.close())
    return [
        compare(
            f"{WIDEST} tasks, 5 ms",
            ours,
            other,
            gate=GATE,
            unit=Unit.RATE,
            yardstick="aiobotocore",
            floor=(FLOOR, least),
        )
    ]


async def _bare(cloud: Cloud) -> BareLoop:
    return BareLoop(cloud.late, WANTED["invoke"], cloud.ca_file, WIDEST)


async def _invokes(client: AsyncClient) -> None:
    async def work() -> None:
        for _ in range(OUR_CALLS // WIDEST):
            await client.invoke(FUNCTION, PAYLOAD)

    await asyncio.gather(*(work() for _ in range(WIDEST)))


async def _rate(calls: Awaitable[None]) -> float:
    """Return the calls a second of `OUR_CALLS` calls."""
    begun = perf_counter()
    await calls
    return OUR_CALLS / (perf_counter() - begun)


def _aiobotocore(cloud: Cloud) -> AbstractContextManager[Sample]:
    command = PYTHON, _OTHER_SIDE, WIDEST, THEIR_CALLS
    return waiting_process(command, environment(cloud, cloud.late))
