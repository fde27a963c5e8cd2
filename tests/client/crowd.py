"""More calls at once than a target has places: each waits for one, and all are answered.

``python -m tests.client.crowd`` calls a function of half a second 200 times at once, over the 64
places that a target has unless `max_in_flight` says otherwise, by both clients.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from typing import Any, NamedTuple

from leeward import AsyncClient, Client
from leeward.adapter import Driver, TargetConfig
from leeward.registry import open_target

CALLS = 200
SECONDS = 0.5
PLACES = 64
"""Of a target, unless it is set: `leeward._http.options`."""


class Server(NamedTuple):
    """A server of functions on this machine, and the most requests that it has had at once."""

    url: str
    peak: Callable[[], int]


@contextmanager
def server(work: Callable[[], object]) -> Iterator[Server]:
    """Serve functions that do `work` and return what they are given."""
    lock = threading.Lock()
    counts = {"now": 0, "peak": 0}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                counts["now"] += 1
                counts["peak"] = max(counts.values())
            work()
            with lock:
                counts["now"] -= 1
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        request_queue_size = 512
        daemon_threads = True

    with Listener(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        try:
            yield Server(f"http://127.0.0.1:{listener.server_port}", lambda: counts["peak"])
        finally:
            listener.shutdown()


def target(url: str, places: int | None = None) -> Driver:
    """Open a target whose functions are at `url`; `places` None leaves the default."""
    options: dict[str, Any] = {
        "project": "shop",
        "function_url": f"{url}/{{name}}",
        "authenticate": False,
    }
    if places is not None:
        options["max_in_flight"] = places
    return open_target(TargetConfig("google", "google", None, options, {}))


def by_threads(driver: Driver, calls: int) -> list[Any]:
    """Call a function from `calls` threads at once; return what each got, or what it raised."""
    with Client(driver) as client, ThreadPoolExecutor(calls) as pool:
        together = threading.Barrier(calls)

        def call(number: int) -> Any:
            together.wait()
            try:
                return client.invoke("slow", number).value
            except Exception as error:  # noqa: BLE001 - it is what is looked for
                return error

        return list(pool.map(call, range(calls)))


def by_tasks(driver: Driver, calls: int) -> list[Any]:
    """Do the same from as many tasks of one event loop."""

    async def main() -> list[Any]:
        async with AsyncClient(driver) as client:
            work = (client.invoke("slow", number) for number in range(calls))
            found = await asyncio.gather(*work, return_exceptions=True)
        return [each if isinstance(each, BaseException) else each.value for each in found]

    return asyncio.run(main())


def main() -> int:
    """Print how long each client took; 1 if a call went without its answer."""
    least = ceil(CALLS / PLACES) * SECONDS
    print(f"{CALLS} calls of {SECONDS} s at once, {PLACES} places: at least {least} s")  # noqa: T201
    failed = 0
    for name, run in (("Client", by_threads), ("AsyncClient", by_tasks)):
        with server(lambda: time.sleep(SECONDS)) as functions:
            began = time.monotonic()
            answers = run(target(functions.url), CALLS)
            took = time.monotonic() - began
            right = sum(answer == number for number, answer in enumerate(answers))
            failed += right < CALLS
            peak = functions.peak()
        print(f"{name:12} {right} answers in {took:.2f} s, at most {peak} at once")  # noqa: T201
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
