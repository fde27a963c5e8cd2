"""What has to exist on the cloud that a driver under contract talks to.

Five functions, one bus, two tables and a bucket, under these names. Where the cloud runs Python
callables, `contract_functions` gives the functions ready-made, and `Seen` remembers what the bus
delivers::

    seen = Seen()
    for name, function in contract_functions(seen).items():
        cloud.function(name)(function)
    cloud.subscribe(EVENTS)(seen.remember)
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from leeward import Config, Event
from leeward.cloudevents import to_json
from leeward.config import TableConfig
from leeward.values import Json

ECHO: Final = "contract-echo"
"""A function that returns its payload."""

FAIL: Final = "contract-fail"
"""A function that raises, whatever its payload."""

SLOW: Final = "contract-slow"
"""A function that takes ``payload["seconds"]`` and then returns ``"done"``."""

COUNT: Final = "contract-count"
"""A function that adds 1 to the counter ``payload["name"]`` and returns what it is then.

Counters start at 0 and live as long as the driver's fixture."""

SEEN: Final = "contract-seen"
"""A function that returns the events with the id ``payload["id"]`` that `EVENTS` has delivered so
far, in the order of delivery: a list of objects in CloudEvents JSON."""

EVENTS: Final = "contract-events"
"""A bus. What it delivers is what `SEEN` returns."""

ITEMS: Final = "contract-items"
"""A table whose key is the field ``id``."""

PAIRS: Final = "contract-pairs"
"""A table whose key is the fields `PAIR`; only for drivers that declare COMPOSITE_KEYS."""

PAIR: Final = ("customer", "order")

BUCKET: Final = "contract-objects"
"""A bucket, or container; only for drivers that declare OBJECTS. It may hold what tests left."""

Function: TypeAlias = Callable[[Any], Json]


class ContractFailure(Exception):
    """What `FAIL` raises."""


class Seen:
    """Remembers what the bus has delivered, from any number of threads."""

    def __init__(self) -> None:
        self._documents: list[dict[str, Json]] = []
        self._lock = threading.Lock()

    def remember(self, event: Event) -> None:
        """Take in one delivery: this is what is to be subscribed to `EVENTS`."""
        with self._lock:
            self._documents.append(to_json(event))

    def answer(self, payload: Any) -> Json:
        """Answer as `SEEN` does."""
        with self._lock:
            return [each for each in self._documents if each["id"] == payload["id"]]


def contract_functions(seen: Seen) -> dict[str, Function]:
    """Return the functions that the contract calls, by name, with counters of their own."""
    counters: Counter[str] = Counter()
    lock = threading.Lock()

    def count(payload: Any) -> int:
        with lock:
            counters[payload["name"]] += 1
            return counters[payload["name"]]

    return {ECHO: _echo, FAIL: _fail, SLOW: _slow, COUNT: count, SEEN: seen.answer}


def contract_config() -> Config:
    """Return the configuration of the contract's own client: the key of `PAIRS`."""
    return Config(tables={PAIRS: TableConfig(key=PAIR)}, source="leeward-contract")


def _echo(payload: Any) -> Json:
    return payload


def _fail(payload: Any) -> Json:
    raise ContractFailure("on purpose")


def _slow(payload: Any) -> Json:
    time.sleep(payload["seconds"])
    return "done"
