"""A process ends at once when its client is closed, whatever goes on beside the calls."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import pytest

from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT
from tests.routing.real_sockets.load import Server, servers

MOST: Final = 10.0
"""Seconds from the end of `close` to that of the process; what goes on there takes far longer."""

PRELUDE: Final = """
import asyncio, sys, time
from leeward import AsyncClient, Client
from leeward.adapter import Result, WrappingDriver
from leeward.config import Config
from leeward.errors import Outcome
from tests.routing.real_sockets.load import targets

class Named:
    def __init__(self, url):
        self.url = url

drivers = targets([Named(url) for url in sys.argv[1:]])

def tell(word):
    print(word, flush=True)

def learnt():
    tell("learnt")
    sys.stdin.readline()
"""

HEDGE: Final = """
with Client([*drivers], config=Config(hedge=True)) as cloud:
    for _ in range(30):
        cloud.invoke("echo", None, effect="idempotent")
    learnt()
    answer = cloud.invoke("echo", None, effect="idempotent", timeout=30)
    assert answer.target == drivers[1].target
tell("closed")
"""

SNAPSHOT: Final = """
from leeward.adapter import Capability
from leeward._routing import FailoverDriver

class Hanging(WrappingDriver):
    def __init__(self):
        super().__init__(drivers[0])
        self.capabilities = frozenset({Capability.TABLES})

    def perform(self, call, timeout):
        time.sleep(60)
        return Result(Outcome.NOT_SENT)
"""

THREADS: Final = """
router = FailoverDriver([Hanging()])
router.share_health("health", "id")
time.sleep(0.2)
learnt()
router.close()
tell("closed")
"""

TASKS: Final = """
async def main():
    router = FailoverDriver([Hanging()])
    router.share_health("health", "id")
    await asyncio.sleep(0.2)
    learnt()
    await router.close_async()

asyncio.run(main())
tell("closed")
"""


@pytest.fixture(scope="module")
def started() -> Iterator[list[Server]]:
    with servers(2) as found:
        yield found


@each_row(
    "program",
    [HEDGE, SNAPSHOT + THREADS, SNAPSHOT + TASKS],
)
def test_a_process_ends_when_its_client_is_closed(program: str, started: list[Server]) -> None:
    """Neither a hedge that a black hole keeps nor a snapshot that is read holds it up."""
    for each in started:
        each.do("heal")
    command = [sys.executable, "-c", PRELUDE + program, *(each.url for each in started)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "learnt\n"
        started[0].do("dark")
        process.stdin.write("on\n")
        process.stdin.flush()
        assert process.stdout.readline() == "closed\n"
        closed = time.monotonic()
        assert process.wait(60) == 0
        took = time.monotonic() - closed
    assert took <= MOST
