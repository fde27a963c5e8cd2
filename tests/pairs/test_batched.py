"""Batches of Azure and Google, on their way out and in: each event has its own truth."""

from __future__ import annotations

import json
import time
from typing import Any, NamedTuple

import pytest

from leeward import App, Event
from leeward.app import Context, Problem
from leeward_contract_tests.rows import each_row
from leeward_google.runtime.handler import handler


class Posted(NamedTuple):
    """A request as the framework of Google gives it, with events in one batch."""

    body: bytes
    method: str = "POST"
    path: str = "/orders"
    headers: Any = {"content-type": "application/cloudevents-batch+json"}  # noqa: RUF012

    def get_data(self) -> bytes:
        """Return the body."""
        return self.body


def _posted(*data: str) -> Posted:
    head = {"specversion": "1.0", "source": "s", "type": "made"}
    return Posted(
        json.dumps([{**head, "id": f"{n}", "data": d} for n, d in enumerate(data)]).encode()
    )


@each_row(
    "data, status",
    [("final again well", 503), ("again final", 503), ("final well", 422), ("well", 204)],
)
def test_what_may_go_well_later_comes_again(data: str, status: int) -> None:
    """Behind a final failure of its batch, too: an event that is not sent again would be lost."""
    app, had = App("shop"), list[str]()

    @app.on_event("orders")
    def hear(event: Event) -> None:
        had.append(event.data)
        if event.data != "well":
            raise Problem("no", status=422 if event.data == "final" else 503)

    assert handler(app)(_posted(*data.split()))[1] == status
    assert had == data.split()


def test_the_time_of_a_request_is_for_all_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """None begins behind its end, when nobody listens and the same events come again beside it."""
    monkeypatch.setenv("CLOUD_RUN_TIMEOUT_SECONDS", "1")
    app, left = App("shop"), list[float]()

    @app.on_event("orders")
    def hear(event: Event, context: Context) -> None:
        left.append(context.remaining())
        time.sleep(0.6)

    assert handler(app)(_posted(*"abcd"))[1] == 503
    assert len(left) == 2
    assert left[1] < 0.5
