"""What a look at many large dead letters costs: ``python -m tests.delivery.letters``.

Each command is a process of its own; its memory is what it had at most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, time
from typing import Final

import psycopg

from leeward.adapter import Driver
from leeward.leases.rules import Room
from leeward.local import Local
from leeward.stores import AttemptFailure, LeaseEnd, NewRow, Recipient
from leeward_postgres.driver import open_driver
from leeward_postgres.schema import schema_sql
from tests.postgres.opening import config_for
from tests.postgres.server import Server

MAILS: Final = Recipient("", "mails")
AT_ONCE: Final = 50
"""Letters that are made together."""
COMMANDS: Final = (
    ("dlq", "list", "--limit", "1"),
    ("dlq", "list", "--limit", "1000000"),
    ("dlq", "list", "--limit", "1000000", "--json"),
    ("dlq", "show"),
    ("dlq", "redrive", "--force"),
)

_PROGRAM: Final = """
import atexit, pathlib, runpy, sys
note = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: note.write_text(pathlib.Path("/proc/self/status").read_text()))
runpy.run_module("leeward", run_name="__main__", alter_sys=True)
"""
"""Runs the command line, and notes what it had; a parent's word includes memory of the parent."""


@contextmanager
def _open(provider: str, folder: Path) -> Iterator[Driver]:
    """Open a target, and let the commands of a folder find it."""
    if provider == "local":
        path = folder / "local.sqlite3"
        _write(folder, f'[targets.local]\npath = "{path}"\n')
        with closing(Local(path=path)) as embedded:
            yield embedded
        return
    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        _write(folder, f'[targets.postgres]\nurl = "{server.url}"\n')
        with closing(open_driver(config_for(server.url))) as driver:
            yield driver
    finally:
        server.stop()


def _write(folder: Path, text: str) -> None:
    (folder / "leeward.toml").write_text(text, encoding="utf-8")


def _fill(driver: Driver, letters: int, size: int) -> None:
    stores = driver.stores()
    assert stores is not None
    store, failure = stores.deliveries, AttemptFailure("ValueError", "no", again=False)
    for at in range(0, letters, AT_ONCE):
        count = min(AT_ONCE, letters - at)
        store.add([NewRow(MAILS, None, str(at + n), "d" * size) for n in range(count)], 30)
        taken = store.take([MAILS], time, Room(count, count)).rows
        store.finish([LeaseEnd(row, failure) for row in taken], time())


def _measure(command: Sequence[str], folder: Path) -> tuple[int, float]:
    """Run a command; return its largest resident memory in kilobytes, and its seconds."""
    began, note = monotonic(), folder / "note"
    words = [sys.executable, "-c", _PROGRAM, str(note), *command]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    seconds = monotonic() - began
    (line,) = (each for each in note.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]), seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Make dead letters, look at them, and print what each command has cost."""
    parser = ArgumentParser(prog="python -m tests.delivery.letters", description=__doc__)
    parser.add_argument("--letters", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=256 * 1024)
    parser.add_argument("--providers", default="local,postgres")
    options = parser.parse_args(arguments)
    for provider in options.providers.split(","):
        with tempfile.TemporaryDirectory() as folder, _open(provider, Path(folder)) as driver:
            _fill(driver, options.letters, options.bytes)
            for command in COMMANDS:
                memory, seconds = _measure((*command, "--targets", provider), Path(folder))
                told = " ".join(command)
                print(f"{provider:10} {told:40} {memory / 1024:7.0f} MB {seconds:6.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
