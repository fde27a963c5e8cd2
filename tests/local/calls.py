"""Short ways to write the calls that a client would make, and to run another process."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from leeward._delivery.dispatcher import Dispatcher
from leeward.calls import Delete, Enqueue, Invoke, Key, Load, Publish, Result, Scan, Store
from leeward.errors import Outcome
from leeward.local import Local
from leeward.values import Event, Item

T = TypeVar("T")

NOW = 1_700_000_000.0
PATIENT = 30.0
"""Seconds that no test needs: only a broken one waits so long."""


def value_of(result: Result[T]) -> T:
    """Give the value of a call that has to have worked."""
    assert result.outcome is Outcome.OK, result
    return result.value  # type: ignore[return-value]


def dispatcher_of(local: Local) -> Dispatcher:
    """Give what delivers the rows of an embedded target."""
    [dispatcher] = local._runner._dispatchers.values()
    return dispatcher


def key(*values: str) -> Key:
    """A key with one field, or two."""
    return Key(("id", "sort")[: len(values)], values)


def store(item: Item | None = None, at: Key | None = None, **options: Any) -> Store:
    """A write to the table `t`."""
    at = at or key("1")
    fields = dict(zip(at.fields, at.values, strict=True))
    settings: dict[str, Any] = {"write_id": uuid4().hex, "now": NOW, "table": "t", **options}
    return Store(key=at, item=fields | (item or {}), **settings)


def load(at: Key | None = None, table: str = "t") -> Load:
    """A read of the table `t`."""
    return Load(table, at or key("1"))


def delete(at: Key | None = None, if_revision: str | None = None, now: float = NOW) -> Delete:
    """A deletion from the table `t`."""
    return Delete("t", at or key("1"), now=now, if_revision=if_revision)


def scan(cursor: str | None = None) -> Scan:
    """A page of the table `t`."""
    return Scan("t", cursor)


def invoke(function: str = "f", payload: bytes = b"null") -> Invoke:
    """A call of `f`."""
    return Invoke(function, payload, "key-1")


def enqueue(function: str = "f", payload: bytes = b"null") -> Enqueue:
    """A queued call of `f`."""
    return Enqueue(function, payload, "key-1")


def event(id: str = "1", type: str = "order.created", **options: Any) -> Event:
    """A complete event."""
    settings: dict[str, Any] = {"time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **options}
    return Event(type, id=id, source="/tests", **settings)


def publish(*events: Event, bus: str = "orders") -> Publish:
    """A request with one event or several."""
    return Publish(bus, events or (event(),))


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        """Give the time."""
        return self.time

    def monotonic(self) -> float:
        """Give the same time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Move."""
        self.time += seconds

    async def sleep_async(self, seconds: float) -> None:
        """Move."""
        self.time += seconds


class Child:
    """Another Python process, talking over its output line by line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def wait_for(self, line: str) -> None:
        """Wait until the child has printed `line` as its next line."""
        assert self.line() == line

    def line(self) -> str:
        """Give the child's next line; empty when it has ended."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENT)
        assert ready, "the child says nothing"
        return self.process.stdout.readline().decode().rstrip("\n")

    def say(self, line: str) -> None:
        """Send a line to the child's input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        self.process.kill()
        self.process.wait()


@contextmanager
def child(program: str, *arguments: str) -> Iterator[Child]:
    """Run `program` in a fresh interpreter; it may use everything of this module."""
    prelude = "from tests.local.calls import *\nfrom leeward.local import Local\nimport sys\n"
    with subprocess.Popen(
        [sys.executable, "-u", "-X", "faulthandler", "-c", prelude + program, *arguments],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            yield Child(process)
        finally:
            process.kill()


def until(condition: Any) -> None:
    """Wait until `condition()` holds, for what no event tells of."""
    end = time.monotonic() + PATIENT
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
