"""Processes of workers in a folder of their own, and the ledger that their handlers write."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from leeward.adapter import Driver
from leeward.stores import QUEUED_CALL, NewRow, Recipient, Stores

PATIENT = 30.0
"""Seconds that no test needs: only a broken one waits so long."""

RUN = """
import json, logging, sys
logging.basicConfig(level="INFO", stream=sys.stderr)
from leeward.worker import Worker
from shop import app
options = json.loads(sys.argv[1])
once, lease = options.pop("once", False), options.pop("lease", None)
worker = Worker(app, **options)
if lease:
    rows = worker.stores.deliveries
    rows.policy = rows.policy._replace(lease=lease)
    worker._runner.share_out(worker._runner._shares)
sys.exit(6 if worker.run(once=once) else 0)
"""

NOTES = """
import os, time

ledger = os.open("ledger", os.O_APPEND | os.O_WRONLY | os.O_CREAT, 0o600)

def note(*words):
    os.write(ledger, (" ".join(map(str, words)) + f" {os.getpid()}\\n").encode())

def wait_for_gate():
    while not os.path.exists("open"):
        time.sleep(0.01)
"""

SHOP = """
from leeward import App
from notes import note, wait_for_gate

app = App("shop")

@app.on_message("parcels")
def send(parcel):
    note("begin", parcel["id"])
    if parcel.get("waits"):
        wait_for_gate()
    note("end", parcel["id"])
"""


class Process:
    """One worker."""

    def __init__(self, folder: Path, options: dict[str, Any], number: int) -> None:
        self._log = folder / f"log{number}"
        with self._log.open("w") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-c", RUN, json.dumps(options)],
                cwd=folder,
                stderr=log,
                env=os.environ | {"LEEWARD_CONFIG": "leeward.toml"},
            )

    def log(self, event: str) -> list[str]:
        """Return the lines of its log with an event."""
        return [line for line in self._log.read_text().splitlines() if event in line]

    def wait_for(self, event: str) -> str:
        """Wait until an event is in the log; return its line."""
        until(lambda: self.log(event) or self.child.poll() is not None)
        lines = self.log(event)
        assert lines, self._log.read_text()
        return lines[0]

    def health(self) -> tuple[int, dict[str, Any]]:
        """Ask how it is."""
        address = re.search(r"health='([^']+)'", self.wait_for("worker_started"))
        assert address is not None
        try:
            with urllib.request.urlopen(f"http://{address[1]}/", timeout=PATIENT) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def terminate(self) -> None:
        """Ask it to end."""
        self.child.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        return self.child.wait(PATIENT)


class Place:
    """A target, a folder, and the workers that were started there.

    Args:
        folder: with the modules, the configuration and the ledger.
        target: its name.
        options: of it.
        driver: opened here, to add rows.
    """

    def __init__(
        self, folder: Path, target: str, options: Mapping[str, object], driver: Driver
    ) -> None:
        self.folder = folder
        self.driver = driver
        self.processes: list[Process] = []
        lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
        own = "\n".join([f"[targets.{target}]", *lines])
        (folder / "leeward.toml").write_text(f'cloud_provider = "{target}"\n{own}\n')
        (folder / "notes.py").write_text(NOTES)
        self.write(SHOP)

    @property
    def stores(self) -> Stores:
        """Return the stores of the target."""
        stores = self.driver.stores()
        assert stores is not None
        return stores

    def write(self, text: str, module: str = "shop") -> None:
        """Write a module of the app."""
        (self.folder / f"{module}.py").write_text(text)

    def open_gate(self) -> None:
        """Let handlers go on that wait."""
        (self.folder / "open").touch()

    def add(self, parcels: Iterable[dict[str, Any]], queue: str = "parcels") -> None:
        """Queue messages."""
        rows = [
            NewRow(Recipient(QUEUED_CALL, queue), None, str(each["id"]), json.dumps(each))
            for each in parcels
        ]
        self.stores.deliveries.add(rows, PATIENT)

    def worker(self, **options: Any) -> Process:
        """Start a worker."""
        self.processes.append(Process(self.folder, options, len(self.processes)))
        return self.processes[-1]

    def ledger(self, word: str | None = None) -> list[list[str]]:
        """Return the lines that handlers have written, or those that begin with a word."""
        path = self.folder / "ledger"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if word in (None, line[0])]

    def wait_for(self, word: str, count: int) -> list[list[str]]:
        """Wait until so many lines begin with a word."""
        until(lambda: len(self.ledger(word)) >= count)
        return self.ledger(word)

    def close(self) -> None:
        """End what is left."""
        for each in self.processes:
            each.child.kill()
            each.child.wait()
        self.driver.close()


def until(condition: Callable[[], object], seconds: float = PATIENT) -> None:
    """Wait until something is true, at most so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
