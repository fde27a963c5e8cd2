"""The pipeline of the examples with a client that kills its process: deployed beside it.

`MEMORY` in the environment is a database; each line of its table `points` is a call, and a side of
it, at which the process is killed, once.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache
from threading import Lock
from typing import Any

import pipeline  # type: ignore[import-not-found]

from leeward import Client, Outcome
from leeward.adapter import TargetConfig, WrappingDriver
from leeward.calls import Call, PutObject, Result
from leeward.registry import open_target

APART = 3
"""Calls between two kills, at least."""


class Dying(WrappingDriver):
    """Kills the process before or after a call, and notes the writes that took place.

    One call after the other: so that none has written, and is killed before that is noted.
    """

    _one = Lock()

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Make one attempt at a call."""
        with self._one:
            self._come_to(call.verb, "before", ())
            result = super().perform(call, timeout)
            written: tuple[str, ...] = ()
            if isinstance(call, PutObject) and result.outcome is Outcome.OK:
                written = (call.name, call.metadata["source_version"], call.write_id)
            self._come_to(call.verb, "after", written)
        return result

    def _come_to(self, verb: str, side: str, written: tuple[str, ...]) -> None:
        with closing(sqlite3.connect(os.environ["MEMORY"], timeout=30)) as memory, memory:
            memory.execute("BEGIN IMMEDIATE")
            if written:
                memory.execute("INSERT OR IGNORE INTO written VALUES (?, ?, ?)", written)
            memory.execute("UPDATE calls SET n = n + 1")
            killed = memory.execute(
                "UPDATE points SET used = 1 WHERE NOT used AND verb = ? AND side = ? "
                "AND (SELECT n >= ? FROM calls)",
                (verb, side, APART),
            ).rowcount
            if killed:
                memory.execute("UPDATE calls SET n = 0")
        if killed:
            os.kill(os.getpid(), 9)


@cache
def client() -> Client:
    """Open the client of the pipeline at the target that the environment names."""
    provider = os.environ["PROVIDER"]
    region = os.environ.get("AWS_REGION")
    options = {"path": os.environ["STORE"]} if provider == "local" else {}
    config = TargetConfig(provider, provider, region, options, os.environ)
    return Client(Dying(open_target(config)))


pipeline.cloud = client
app = pipeline.app
