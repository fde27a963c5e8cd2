"""One guard's cost, run by the interpreter that has it: ``SIDE GUARD PROTOCOL KIND CLOCK ADDRESS``.

The guard is ``leeward``, with the address of PostgreSQL or the path of SQLite, or ``redis``:
the pattern as people write it (get; set a lock where there is none; run; set the answer; delete the
lock), whose lock ends after a time, whatever became of the run. For each line that it reads, it
sends `REQUESTS` to an app of ``asgi`` or ``wsgi`` that answers at once, `AT_ONCE` at a time by
the clock on the wall. ``new`` ones have a key of their own, ``again`` repeats the first. It
prints the seconds of one.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from itertools import count
from time import perf_counter, process_time
from typing import Any

BODY = b'{"order": "42", "lines": [{"sku": "a-1", "count": 2}], "total": "9.50"}'
ANSWER = b'{"receipt": "r-42", "order": "42"}'
HEADERS = [("content-type", "application/json"), ("x-request-id", "7f3a")]
REQUESTS = 160
AT_ONCE = 16
LOCK_SECONDS = 60
KEEP_SECONDS = 86_400
CLIENTS: list[Any] = []
"""To be closed at the end."""


async def asgi_app(_scope: Any, receive: Any, send: Any) -> None:
    """Answer at once, over ASGI."""
    await receive()
    headers = [(name.encode(), text.encode()) for name, text in HEADERS]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    """Answer at once, over WSGI."""
    environ["wsgi.input"].read()
    start_response("201 Created", HEADERS)
    return [ANSWER]


def redis_asgi(address: str, app: Any = asgi_app) -> Any:
    """Guard an app by Redis over ASGI, as people write it."""
    from redis.asyncio import Redis

    redis = Redis.from_url(address)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        key = dict(scope["headers"])[b"idempotency-key"].decode()
        body = (await receive())["body"]
        digest = sha256(body).hexdigest()
        if kept := await redis.get(f"idempotency:{key}"):
            await answer_asgi(send, *answer_of(json.loads(kept), digest))
            return
        if not await redis.set(f"lock:{key}", "1", nx=True, ex=LOCK_SECONDS):
            await answer_asgi(send, 409, [], b"")
            return
        messages: list[Any] = []

        async def receive_again() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Any) -> None:
            messages.append(message)

        await app(scope, receive_again, keep)
        status = messages[0]["status"]
        headers = [(name.decode(), text.decode()) for name, text in messages[0]["headers"]]
        answer = b"".join(message["body"] for message in messages[1:])
        document = {"digest": digest, "status": status, "headers": headers, "body": answer.decode()}
        await redis.set(f"idempotency:{key}", json.dumps(document), ex=KEEP_SECONDS)
        await redis.delete(f"lock:{key}")
        await answer_asgi(send, status, headers, answer)

    return guarded


async def answer_asgi(send: Any, status: int, headers: Any, body: bytes) -> None:
    """Send an answer over ASGI."""
    lines = [(name.encode(), text.encode()) for name, text in headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def answer_of(kept: dict[str, Any], digest: str) -> tuple[int, Any, bytes]:
    """Return the first answer, or that the key belongs to another payload."""
    if kept["digest"] != digest:
        return 422, [], b""
    return kept["status"], kept["headers"], kept["body"].encode()


def redis_wsgi(address: str) -> Any:
    """Guard by Redis over WSGI, as people write it."""
    from redis import Redis

    redis = Redis.from_url(address)

    def guarded(environ: Any, start_response: Any) -> list[bytes]:
        key = environ["HTTP_IDEMPOTENCY_KEY"]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        digest = sha256(body).hexdigest()
        if kept := redis.get(f"idempotency:{key}"):
            status, headers, answer = answer_of(json.loads(kept), digest)
            start_response(f"{status} Done", headers)
            return [answer]
        if not redis.set(f"lock:{key}", "1", nx=True, ex=LOCK_SECONDS):
            start_response("409 Conflict", [])
            return [b""]
        started: list[Any] = []
        environ["wsgi.input"] = BytesIO(body)
        answer = b"".join(wsgi_app(environ, lambda *given: started.append(given)))
        line, headers = started[0]
        document = {"digest": digest, "status": int(line[:3]), "headers": headers}
        document["body"] = answer.decode()
        redis.set(f"idempotency:{key}", json.dumps(document), ex=KEEP_SECONDS)
        redis.delete(f"lock:{key}")
        start_response(line, headers)
        return [answer]

    return guarded


def leeward_target(address: str) -> Any:
    """Open SQLite or PostgreSQL."""
    from leeward.local import Local

    if not address.startswith("postgresql:"):
        return Local(path=address)
    from leeward.adapter import TargetConfig
    from leeward_postgres.driver import open_driver

    options = {"url": address, "sslmode": "disable"}
    return open_driver(TargetConfig("postgres", "postgres", None, options, {}))


def leeward_asgi(address: str, app: Any = asgi_app) -> Any:
    """Guard an app by leeward over ASGI."""
    from leeward import AsyncClient
    from leeward_integrations.asgi import IdempotencyKeys

    client = AsyncClient(leeward_target(address))
    CLIENTS.append(client)
    return IdempotencyKeys(app, table="keys", client=client, principal=None)


def leeward_wsgi(address: str) -> Any:
    """Guard by leeward over WSGI."""
    from leeward import Client
    from leeward_integrations.wsgi import IdempotencyKeys

    client = Client(leeward_target(address))
    return IdempotencyKeys(wsgi_app, table="keys", client=client, principal=None)


GUARDS: dict[tuple[str, str], Callable[[str], Any]] = {
    ("leeward", "asgi"): leeward_asgi,
    ("leeward", "wsgi"): leeward_wsgi,
    ("redis", "asgi"): redis_asgi,
    ("redis", "wsgi"): redis_wsgi,
}


async def send_asgi(app: Any, key: str) -> None:
    """Send one request over ASGI."""
    scope = {"type": "http", "method": "POST", "path": "/charges", "query_string": b""}
    statuses: list[int] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app({**scope, "headers": [(b"idempotency-key", key.encode())]}, receive, send)
    assert statuses == [201]


def send_wsgi(app: Any, key: str) -> None:
    """Send one request over WSGI."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/charges",
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_IDEMPOTENCY_KEY": key,
        "wsgi.input": BytesIO(BODY),
    }
    statuses: list[str] = []
    list(app(environ, lambda status, _headers: statuses.append(status)))
    assert statuses[0].startswith("201")


def main() -> None:
    """Answer each line with the seconds of one request."""
    guard, protocol, kind, clock_name, address = sys.argv[1:]
    clock = {"wall": perf_counter, "cpu": process_time}[clock_name]
    app = GUARDS[guard, protocol](address)
    name = "-".join(sys.argv[1:-1])
    keys = (name if kind == "again" else f"{name}-{number}" for number in count())
    loop = asyncio.new_event_loop()

    async def send_some(requests: int) -> None:
        for _ in range(requests):
            await send_asgi(app, next(keys))

    async def send_all(at_once: int) -> None:
        await asyncio.gather(*(send_some(REQUESTS // at_once) for _ in range(at_once)))

    if kind == "again" and protocol == "asgi":
        loop.run_until_complete(send_some(1))  # or all of the first ones would be the first
    for _ in sys.stdin:
        begun = clock()
        if protocol == "asgi":
            loop.run_until_complete(send_all(AT_ONCE if clock_name == "wall" else 1))
        else:
            for _ in range(REQUESTS):
                send_wsgi(app, next(keys))
        print((clock() - begun) / REQUESTS, flush=True)
    for client in CLIENTS:
        loop.run_until_complete(client.close())


if __name__ == "__main__":
    main()
