"""The embedded target by itself: events that are published in batches and delivered, on a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.figures import Figure, Unit, compare, measure_in_turn
from bench.verbs import BATCH
from bench.work import BUS, DATA, EVENT_TYPE
from leeward import Client, Event
from leeward.local import Local

AIM = 5_000.0
"""Events a second, on two cores."""
EVENTS = 10_000


def measure(rounds: int) -> list[Figure]:
    """Measure events from their publication to the end of their handler."""
    delivered, aim = measure_in_turn([_events_per_second, partial(float, AIM)], rounds)
    name = f"published by {BATCH} and delivered"
    return [compare(name, delivered, aim, gate=1.0, unit=Unit.RATE, yardstick="the aim")]


def _events_per_second() -> float:
    with TemporaryDirectory() as folder:
        target = Local(path=Path(folder, "local.sqlite3"))
        heard: list[Event] = []
        target.subscribe(BUS, name="bench")(heard.append)
        with Client(target) as client:
            begun = perf_counter()
            for _ in range(EVENTS // BATCH):
                events = [Event(EVENT_TYPE, DATA) for _ in range(BATCH)]
                client.publish_events(BUS, events).raise_if_failed()
            target.wait_idle(60.0)
            seconds = perf_counter() - begun
    if len(heard) != EVENTS:
        raise RuntimeError(f"{len(heard)} of {EVENTS} events were delivered")
    return EVENTS / seconds
