"""Targets of several processes: a file tells whether they are up, another one what they have taken.

The ledger has one line for each event that a target has taken, in the order in which that was.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any, Final

from leeward import AsyncClient, Client
from leeward._delivery import spool
from leeward._delivery.spool import Spool
from leeward.adapter import Capability, Driver, Limits
from leeward.calls import Call, Publish, Result
from leeward.config import BusConfig, Config, SpoolConfig
from leeward.errors import Outcome
from leeward.leases.rules import DeliveryPolicy

BUS: Final = "orders"
LEASE: Final = 1.5
"""Seconds: what a killed process holds is due again so soon, and not after half a minute."""

OUTAGES: Final = {
    "refuse": Result[Any](Outcome.NOT_SENT, code="refused"),
    "throttle": Result[Any](Outcome.REJECTED, code="throttled"),
    "suspend": Result[Any](Outcome.UNUSABLE, code="suspended"),
    "lose_request": Result[Any](Outcome.AMBIGUOUS, code="lost"),
}


class RecordingDriver(Driver):
    """A target that writes down the events that it takes.

    Args:
        target: its name.
        folder: with the files ``outage``, words of `OUTAGES` while it is down, and ``ledger``.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self.target = target
        self.capabilities = frozenset(Capability)
        self.limits = Limits(model="recorder")
        self._folder = folder
        self._random = Random(os.getpid())

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Take events, or do as in an outage."""
        assert isinstance(call, Publish), timeout
        words = outage_in(self._folder)
        if words:
            return OUTAGES[self._random.choice(words)]
        lines = "".join(f"{event.source} {event.id} {event.data}\n" for event in call.events)
        with (self._folder / "ledger").open("a") as ledger:
            ledger.write(lines)
        return Result.ok((Result[None].ok(None),) * len(call.events))


def outage_in(folder: Path) -> list[str]:
    """Give the words for what the targets of a folder do; none while they are up."""
    try:
        return (folder / "outage").read_text().split()
    except FileNotFoundError:
        return []


def begin_outage(folder: Path, words: str = "refuse throttle lose_request") -> None:
    """Take all targets of a folder down."""
    (folder / "outage").write_text(words)


def end_outage(folder: Path) -> None:
    """Let all targets of a folder take events again."""
    (folder / "outage").unlink()


def open_client(folder: Path, lease: float = LEASE, **limits: Any) -> Client:
    """Open a client of two targets, whose spool is in the folder, too."""
    spool.POLICY = DeliveryPolicy(lease=lease)  # type: ignore[misc]
    return Client(drivers_of(folder), config=config_of(folder, **limits))


def spool_of(client: Client | AsyncClient) -> Spool:
    """Give what keeps the events of a client."""
    spool = client._operations.spool
    assert isinstance(spool, Spool)
    return spool


def drivers_of(folder: Path) -> list[Driver]:
    """Give two targets of a folder."""
    return [RecordingDriver("one", folder), RecordingDriver("two", folder)]


def config_of(folder: Path, **limits: Any) -> Config:
    """Give a configuration whose bus spools into the folder."""
    path = str(folder / "spool.sqlite3")
    return Config(
        buses={BUS: BusConfig(on_all_down="spool")}, spool=SpoolConfig(path=path, **limits)
    )


def taken_in(folder: Path) -> list[tuple[str, str, int]]:
    """Give the events that were taken, in order, each once: its id, key and number."""
    known: dict[str, tuple[str, str, int]] = {}
    file = folder / "ledger"
    for line in file.read_text().splitlines() if file.exists() else ():
        _, id, key, number = line.split()
        known.setdefault(id, (id, key, int(number)))
    return list(known.values())


def keys_out_of_order(folder: Path) -> list[str]:
    """Give the keys whose events were taken in another order than they were published."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for _, key, number in taken_in(folder):
        numbers[key].append(number)
    return [key for key, own in numbers.items() if own != sorted(own)]
