"""A real `leeward dev` in a folder of its own, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Thread
from typing import Any, NamedTuple

PATIENT = 60.0
"""Seconds that no test needs: only a broken one waits so long."""

SHOP = '''
import os, threading, time
from pathlib import Path

from leeward import App

app = App("shop")
VERSION = 1


@app.function(effect="read_only")
def version(_):
    return VERSION


@app.function()
def begin(name, context):
    """Set off one of everything."""
    client = context.client
    client.publish_event("orders", "order.created", {"name": name})
    client.enqueue("parcels", name)
    client.put_object("files", f"in/{name}", b"x")
    client.start_workflow("order", name, id=name)


@app.on_event("orders", "order.created")
def remember(event, context):
    context.client.store_data("seen", {"id": f"event-{event.data['name']}"})


@app.on_message("parcels")
def send(name, context):
    context.client.store_data("seen", {"id": f"message-{name}"})


@app.on_object("files", prefix="in/")
def arrive(arrived, context):
    context.client.store_data("seen", {"id": f"object-{arrived.key.removeprefix('in/')}"})


@app.on_schedule("0 0 1 1 *")
def rise(due, context):
    context.client.store_data("seen", {"id": "schedule"})


@app.function()
def pack(name, context):
    context.client.store_data("seen", {"id": f"step-{name}"})


@app.workflow("order")
def order(w, name):
    w.step(pack, name, id="pack")


@app.function(effect="read_only")
def is_seen(id, context):
    return context.client.load_data("seen", id) is not None


@app.function()
def fail(secret):
    check(secret)


def check(secret):
    raise ValueError(f"no parcel for {secret}")


@app.function()
def die(_):
    os._exit(3)


@app.function()
def hang(_):
    Path("hangs").touch()
    time.sleep(3600)
'''

SETTINGS = """
[targets.local]
app = "shop:app"

[tables.seen]
key = "id"
"""


class Reply(NamedTuple):
    """What came back for a request."""

    status: int
    body: bytes

    @property
    def value(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Dev:
    """One `leeward dev`, started in `folder`; it reads what that writes.

    Args:
        folder: with an app.
        words: further ones of the command line.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self._lines: list[str] = []
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self._changed = Condition()
        with (folder / "stderr").open("w") as errors:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "leeward", "dev", "--port", "0", *words, "--json"],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={name: value for name, value in os.environ.items() if name != "CLOUD_PROVIDER"},
            )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        first = self.wait_for_line("functions at")
        self.address: str = first["address"]
        self.console: str = first["console"]

    def _read(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout as out:
            for line in out:
                with self._changed:
                    self._lines.append(line)
                    self._changed.notify_all()

    def wait_for_line(self, *texts: str, after: int = 0) -> dict[str, Any]:
        """Wait until a line has all these texts, and return it; it is not one of the first."""

        def fitting() -> str | None:
            lines = self._lines[after:]
            return next((each for each in lines if all(text in each for text in texts)), None)

        with self._changed:
            found = self._changed.wait_for(fitting, PATIENT)
            assert found is not None, (texts, self._lines)
            line: dict[str, Any] = json.loads(found)
            return line

    @property
    def lines(self) -> int:
        """How many lines it has written."""
        with self._changed:
            return len(self._lines)

    @property
    def text(self) -> str:
        """All that it has written."""
        with self._changed:
            return "".join(self._lines)

    def invoke(self, name: str, payload: Any = None, **headers: str) -> Reply:
        """Call a function as curl does."""
        return self.ask(f"{self.address}/invoke/{name}", json.dumps(payload).encode(), **headers)

    def ask(self, url: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request, and return what comes back; cookies are kept, as in a browser."""
        request = urllib.request.Request(url, body, headers)
        try:
            with self._browser.open(request, timeout=PATIENT) as answer:
                return Reply(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read())

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal, and return the exit code."""
        self.child.send_signal(number)
        return self.child.wait(PATIENT)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            self.child.send_signal(signal.SIGINT)
            self.child.wait(PATIENT)
        self._reader.join(PATIENT)


def wait_until(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENT
    while not is_so():
        assert time.monotonic() < ends, "it does not come to pass"
        time.sleep(0.05)
