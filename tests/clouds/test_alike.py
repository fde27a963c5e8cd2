"""One corpus of items, payloads and events comes back alike from every provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from leeward import Client, Event
from leeward._items.typetree import to_utc
from leeward.cloudevents import from_json, mint
from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS, SEEN
from tests.clouds.cases import MADE, cases, events, items, payloads
from tests.clouds.places import PLACES, Place
from tests.items.exactness import difference
from tests.servers.loopback import PATIENCE

NOW = 1_767_225_600.0
"""2026-01-01T00:00:00Z, of events that have no time of their own."""


@pytest.fixture(scope="module", params=PLACES)
def client(request: pytest.FixtureRequest, place: Callable[[str], Place]) -> Iterator[Client]:
    """Give a client of each provider in turn."""
    with place(request.param).client() as client:
        yield client


def differences(actual: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, str]:
    """Return for each case by name where it has not come back exactly, types included."""
    assert actual.keys() == expected.keys()
    found = {name: difference(actual[name], expected[name]) for name in expected}
    return {name: each for name, each in found.items() if each is not None}


def test_the_corpus_is_what_it_should_be() -> None:
    """It has the nasty cases and 60 made ones, few of which are too large for an event."""
    assert len(cases()) > MADE
    assert len({repr(case.item) for case in cases()}) > MADE
    assert len(payloads()) - sum(name.startswith("data: ") for name in events()) < 5


def test_items_come_back_as_they_were_stored(client: Client) -> None:
    """Whatever a key looks like, and as leeward's own, not as another program's."""
    corpus = items()
    loaded = {}
    for name, item in corpus.items():
        client.store_data(ITEMS, item)
        record = client.load_data(ITEMS, item["id"])
        assert record is not None, name
        assert not record.foreign, name
        loaded[name] = record.item
    assert differences(loaded, corpus) == {}


def test_a_function_gets_and_gives_payloads_as_they_are(client: Client) -> None:
    """What is no object too."""
    corpus = payloads()
    echoed = {name: client.invoke(ECHO, payload).value for name, payload in corpus.items()}
    assert differences(echoed, corpus) == {}


def test_events_are_delivered_as_they_were_published(client: Client) -> None:
    """Attributes and data; a time is the same moment, wherever its offset went."""
    corpus = {
        name: mint(event, id=f"event-{number}", source="urn:clouds", now=NOW)
        for number, (name, event) in enumerate(events().items())
    }
    client.publish_events(EVENTS, list(corpus.values()), timeout=PATIENCE).raise_if_failed()
    deadline = time.monotonic() + PATIENCE
    delivered = {
        name: _delivered(client, str(event.id), deadline) for name, event in corpus.items()
    }
    assert differences(delivered, {name: _document(each) for name, each in corpus.items()}) == {}


def _delivered(client: Client, event_id: str, deadline: float) -> dict[str, Any] | None:
    """Give the one event of this id, as soon as it has come; None if it has not by then."""
    while not (found := client.invoke(SEEN, {"id": event_id}).value):
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)
    return _document(from_json(found[0]))


def _document(event: Event) -> dict[str, Any]:
    """Give an event as something to compare."""
    assert event.time is not None
    return {
        **event._asdict(),
        "time": to_utc(event.time),
        "extensions": dict(event.extensions),
    }
