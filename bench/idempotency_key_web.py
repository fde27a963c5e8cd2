"""A whole request with an ``Idempotency-Key``: ``GUARD KIND AT_ONCE ADDRESS``.

A server of uvicorn and FastAPI runs in a process of its own, behind the guard of
`bench.idempotency_key_side`. Its handler waits for `WORK_SECONDS`, as for an answer of another
service. For each line that it reads, this sends `REQUESTS` over connections that stay open,
``AT_ONCE`` at a time: ``new`` ones have a key of their own, ``again`` repeats the first. It prints
the seconds from the first request to the last answer, divided by how many there were.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count, repeat
from time import perf_counter
from typing import Any, Final

from bench.idempotency_key_side import BODY, leeward_asgi, redis_asgi

WORK_SECONDS: Final = 0.005
REQUESTS: Final = 96
GUARDS: Final = {"leeward": leeward_asgi, "redis": redis_asgi}
SERVE: Final = "serve"


def serve(guard: str, address: str, descriptor: str) -> None:
    """Serve on a socket that listens already, until the process is ended."""
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()

    async def charge(order: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(WORK_SECONDS)
        return {"receipt": "r-42", "order": order["order"]}

    app.add_api_route("/charges", charge, methods=["POST"], status_code=201)

    settings: dict[str, Any] = {"lifespan": "off", "log_level": "critical"}
    config = uvicorn.Config(GUARDS[guard](address, app), timeout_keep_alive=3600, **settings)
    # Not by `fd`: uvicorn takes that for a Unix socket, and asyncio leaves Nagle's algorithm on.
    uvicorn.Server(config).run([socket.socket(fileno=int(descriptor))])


@contextmanager
def server(guard: str, address: str) -> Iterator[int]:
    """Start a server, and return its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        descriptor = listening.fileno()
        command = [sys.executable, "-m", "bench.idempotency_key_web", SERVE, guard, address]
        with subprocess.Popen([*command, str(descriptor)], pass_fds=[descriptor]) as process:
            try:
                yield listening.getsockname()[1]
            finally:
                process.terminate()


def send(connection: HTTPConnection, key: str) -> None:
    """Send one request."""
    headers = {"content-type": "application/json", "idempotency-key": key}
    connection.request("POST", "/charges", BODY, headers)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 201, body


def main() -> None:
    """Answer each line with the seconds of one request."""
    guard, kind, at_once, address = sys.argv[1:]
    name = "-".join(sys.argv[1:-1])
    keys = repeat(name) if kind == "again" else (f"{name}-{number}" for number in count())
    callers = int(at_once)
    with server(guard, address) as port, ThreadPoolExecutor(callers) as threads:
        connections = [HTTPConnection("127.0.0.1", port) for _ in range(callers)]
        for each in connections:
            send(each, next(keys))

        def send_some(caller: int, own: list[str]) -> None:
            for key in own:
                send(connections[caller], key)

        for _ in sys.stdin:
            turns = [[next(keys) for _ in range(REQUESTS // callers)] for _ in range(callers)]
            begun = perf_counter()
            list(threads.map(send_some, range(callers), turns))
            print((perf_counter() - begun) / REQUESTS, flush=True)
        for each in connections:
            each.close()


if __name__ == "__main__":
    if sys.argv[1] == SERVE:
        serve(*sys.argv[2:])
    else:
        main()
