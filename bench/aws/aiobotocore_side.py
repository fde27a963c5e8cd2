"""The side of aiobotocore, run by the interpreter that has it: `aiobotocore_side.py TASKS CALLS`.

For each line that it reads it makes the calls once more, and prints how many it made a second.
"""

from __future__ import annotations

import asyncio
import json
import sys
from time import perf_counter
from typing import Any

PAYLOAD = {"order": "o-42", "total": 9.5}


async def main(tasks: int, calls: int) -> None:
    """Answer each line with a rate."""
    from aiobotocore.config import AioConfig  # type: ignore[import-not-found]
    from aiobotocore.session import get_session  # type: ignore[import-not-found]

    config = AioConfig(max_pool_connections=tasks)
    async with get_session().create_client("lambda", config=config) as client:
        for _ in sys.stdin:
            print(await rate(client, tasks, calls), flush=True)


async def rate(client: Any, tasks: int, calls: int) -> float:
    """Return the calls a second of `tasks` tasks."""

    async def work() -> None:
        for _ in range(calls // tasks):
            payload = json.dumps(PAYLOAD).encode()
            answer = await client.invoke(FunctionName="send-receipt", Payload=payload)
            json.loads(await answer["Payload"].read())

    begun = perf_counter()
    await asyncio.gather(*(work() for _ in range(tasks)))
    return calls // tasks * tasks / (perf_counter() - begun)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
