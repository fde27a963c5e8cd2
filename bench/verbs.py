"""leeward's verbs, to be called without arguments."""

from __future__ import annotations

from bench.calls import Verb
from bench.work import BUS, DATA, EVENT_TYPE, FUNCTION, ITEM, PAYLOAD, TABLE
from leeward import Client, Event

BATCH = 100
"""Events of a batch."""


def of_leeward(client: Client) -> dict[str, Verb]:
    """Return leeward's verbs by name."""
    return {
        "invoke": lambda: client.invoke(FUNCTION, PAYLOAD).value,
        "publish_event": lambda: client.publish_event(BUS, EVENT_TYPE, DATA),
        "store_data": lambda: client.store_data(TABLE, ITEM),
        "load_data": lambda: client.load_data(TABLE, ITEM["id"]),
    }


def publish_batch(client: Client) -> Verb:
    """Return the publication of `BATCH` events at once by leeward."""

    def publish() -> object:
        report = client.publish_events(BUS, [Event(EVENT_TYPE, DATA) for _ in range(BATCH)])
        report.raise_if_failed()
        return report

    return publish
