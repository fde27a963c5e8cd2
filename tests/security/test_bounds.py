"""Every cache, line, wait, log line and pattern has a bound: nobody can make this process swell.

The bounds of single rooms are proved beside them (the pool's line, the resolver's answers, what
plans learn); here, that no new one comes without.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, Config, LeewardError
from leeward._operations.errors import LONGEST
from leeward.adapter._plan_run import LONGEST_ID
from leeward.calls import Result
from leeward.errors import Outcome
from leeward.registry import open_target
from leeward.testing import FakeClock
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT
from tests.http.wire import Wire, answer
from tests.scripted import Scripted
from tests.security.test_canaries import GOOD
from tests.security.test_reachable import _targets

pytestmark = pytest.mark.threat("S19")

SHIPPED = [
    "src",
    "extras/backup/src",
    "extras/dev/src",
    "extras/deploy/src",
    "extras/integrations/src",
    "extras/ran/src",
    *(f"adapters/{each}/src" for each in ("aws", "azure", "google", "http")),
]

BOUNDED: dict[str, str] = {
    "lines.py cache": "a function without arguments",
    "doubts.py cache": "a function without arguments",
    "inventory.py deque()": "holds each package of one folder once",
    "process.py wait()": "of the main thread, for the signal that ends it",
    "server.py wait()": "of the main thread, for the signal that ends it",
    "supervisor.py SimpleQueue()": "holds changes that were put together, signals, and ends",
    "supervisor.py get()": "of the main thread, for what happens next; signals come there, too",
    "supervisor.py wait()": "of a thread, for the end of its process; after a kill of the main one",
    "once.py get()": "of a context variable",
    "asgi.py wait()": "of an app, for the end of its own answer",
    "json_text.py cache": "a function without arguments",
    "app/handlers.py cache": "asked with the few words that an answer says of repeated keys",
    "app/idempotency/running.py cache": "a function without arguments",
    "_operations/operations.py get()": "of a context variable",
    "workflow/deployed.py get()": "of a context variable",
    "_http/addresses.py cache": "asked with the two tables of this module alone",
    "_routing/failover.py SimpleQueue()": "holds the answers to one call's attempts",
    "frames.py cache": "asked with files and folders of code that is loaded",
    "_routing/background.py SimpleQueue()": "holds attempts of calls under way, and probes",
    "_routing/fleet.py join()": "of reads and writes that have seconds each",
    "_routing/targets.py deque()": "holds the failovers of one window, a share of its calls",
    "_operations/unknowns.py deque()": "a further call is lost, and the log says so",
    "app/idempotency/settlement.py SimpleQueue()": "holds the one answer of a probe",
    "_delivery/functions.py SimpleQueue()": "holds one answer",
    "workflow/kernel.py deque()": "holds the tasks of one flow, whose size has a limit",
    "workflow/embedded/driving.py SimpleQueue()": "holds answers to the calls under way",
    "leases/batches.py SimpleQueue()": "holds that a write has its turn, or is over",
    "leases/batches.py get()": "of a writer, for the one that writes for it",
    "_http/threads.py acquire()": "of a lock that nobody else knows yet",
    "adapter/resolver.py wait()": "inside `asyncio.wait_for`, with the caller's deadline",
    "app/http_server.py SimpleQueue()": "holds open connections, whose number has a limit",
    "app/http_server.py deque()": "the same",
    "app/http_server.py get()": "of a thread that waits for requests, until the server is closed",
    "app/http_server.py join()": "of the thread that watches, which was woken to end",
    "app/http_server.py wait()": "until the server is closed, as whoever calls it wants",
    "app/context.py get()": "of a context variable, which waits for nothing",
    "app/idempotency/digests.py cache": "a function without arguments",
    "app/idempotency/running.py get()": "of a context variable",
    "app/idempotency/settings.py cache": "asked with True and False alone",
    "_operations/objects.py get()": "of a context variable",
    "tables/containers.py join()": "joins texts",
    "watching.py get()": "of a context variable",
    "leases/threads.py deque()": "holds what is leased, which has a limit",
    "runtime/inputs.py cache": "a function without arguments",
}
"""What has no bound in its call, with the reason why that is one."""


def unbounded_in(source: str) -> Iterator[str]:
    """Give caches, queues and waits that are made or asked without a bound."""
    if not re.search(r"cache|Queue\(|deque\(|\.(wait|acquire|join|get)\(\s*\)", source):
        return  # to read it in full takes longer
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(decorator_list=found):
                yield from ("cache" for each in found if _is_cache(each))
            case ast.Call(func=ast.Name(id="lru_cache"), args=[ast.Constant(value=None), *_]):
                yield "cache"
            case ast.Call(
                func=ast.Name(id=("Queue" | "SimpleQueue" | "deque" | "LifoQueue") as name),
                args=[] | [_],
                keywords=[],
            ):
                yield f"{name}()"
            case ast.Call(
                func=ast.Attribute(attr=("wait" | "acquire" | "join" | "get") as name),
                args=[],
                keywords=[],
            ):
                yield f"{name}()"


def _is_cache(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id in {"cache", "lru_cache"}


def test_no_cache_queue_or_wait_is_without_bound() -> None:
    """Those that look so are listed, with the reason; a new one has to be."""
    found = {
        f"{file.relative_to(ROOT / folder / next(_packages(folder)))} {each}"
        for folder in SHIPPED
        for file in sorted((ROOT / folder).rglob("*.py"))
        for each in unbounded_in(file.read_text(encoding="utf-8"))
    }
    assert found == set(BOUNDED)


def _packages(folder: str) -> Iterator[Path]:
    return (each for each in Path(ROOT / folder).iterdir() if (each / "__init__.py").exists())


@each_row(
    "source, found",
    [
        ("@cache\ndef f(): pass", ["cache"]),
        ("lru_cache(None)(f)", ["cache"]),
        ("@lru_cache(8)\ndef f(): pass", []),
        ("q = SimpleQueue()\nd = deque([1])", ["SimpleQueue()", "deque()"]),
        ("d = deque([], 5)\nq = Queue(maxsize=3)", []),
        ("t.join()\ne.wait()\ne.wait(3)\n','.join(x)\nd.get('a')", ["join()", "wait()"]),
    ],
)
def test_the_search_sees_what_has_no_bound(source: str, found: list[str]) -> None:
    """Caches, queues, waits; with a bound they pass."""
    assert sorted(unbounded_in(source)) == sorted(found)


BIG = "E" * 200_000
BODIES = {
    "aws": f'{{"__type": "ns#{BIG}", "message": "{BIG}"}}',
    "azure, keys": f'{{"code": "{BIG}", "message": "{BIG}", "error": {{"code": "{BIG}"}}}}',
    "google": f'{{"error": {{"status": "{BIG}", "message": "{BIG}", '
    f'"errors": [{{"reason": "{BIG}"}}], "details": [{{"reason": "{BIG}"}}]}}}}',
}
NAMES = "x-amzn-RequestId x-ms-request-id x-ms-error-code x-amzn-errortype X-Amz-Function-Error"


@pytest.mark.parametrize("name", BODIES)
@each_row("status", [400, 404, 503])
def test_an_error_stays_short_whatever_a_service_says(name: str, status: int) -> None:
    """Its text, its code and the ids of requests; so do log lines that hold them."""
    head = "".join(f"{each}: {'R' * 9000}\r\n" for each in NAMES.split())
    body = f"HTTP/1.1 {status} X\r\n{head}Content-Length: {len(BODIES[name])}\r\n\r\n{BODIES[name]}"
    errors = []
    with Wire(answer(body.encode())) as wire:
        driver = open_target(_targets(wire.origin())[name])
        with Client(driver, config=Config(), clock=FakeClock()) as client:
            for do in GOOD.values():
                try:
                    do(client)
                except LeewardError as error:
                    errors.append(error)
    assert errors
    assert max(len(str(error)) for error in errors) < 1000
    assert max(len(getattr(error, "code", "") or "") for error in errors) < 200
    ids = [each.request_id or "" for error in errors for each in error.attempts]
    assert max(map(len, ids)) <= LONGEST_ID


def test_a_message_is_cut_whatever_an_adapter_says() -> None:
    """Also one of a third party."""
    told: Result[Any] = Result(Outcome.CALLER, code=BIG, message=BIG)
    driver = Scripted("fake", told)
    with Client(driver, config=Config()) as client, pytest.raises(LeewardError) as caught:
        client.invoke("f")
    assert len(str(caught.value)) < 2 * LONGEST + 300
