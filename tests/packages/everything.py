"""An app with every kind of handler, and a `leeward.toml` that names everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from leeward import App, Event
from leeward.app import ObjectEvent
from leeward_deploy.recipe import Declared, Entry, PackageSpec

DECLARED = Declared(
    functions={"charge": "bank-charge", "make": "make-it"},
    buses={"orders": "orders-events"},
    tables={"orders": "orders-table", "stock": "stock"},
    buckets={"scans": "scans-of-ours"},
    settings={"database": "main"},
)


def app() -> App:
    """Make the app."""
    made = App("Shop")

    @made.function(timeout=2.5)
    def make(order: dict[str, Any]) -> None: ...

    @made.function(effect="keyed", retries=1, queued=True)
    def count(order: dict[str, Any]) -> None: ...

    @made.on_event("orders", "order.created", retries=4)
    def remember(event: Event) -> None: ...

    @made.on_event("orders")
    def watch_all(event: Event) -> None: ...

    @made.on_message("parcels", timeout=40, retries=6)
    def send(parcel: dict[str, Any]) -> None: ...

    @made.on_message("bills", retries=9)
    def pay(bill: dict[str, Any]) -> None: ...

    @made.on_schedule("30 6 * * 1-5", retries=7)
    def sweep(time: datetime) -> None: ...

    @made.on_object("scans", prefix="in/", writes="scans/out/", retries=3)
    def clean(arrived: ObjectEvent) -> None: ...

    @made.on_object("photos", retries=4, queued=False)
    def shrink(arrived: ObjectEvent) -> None: ...

    return made


def spec(options: Mapping[str, Any] | None = None, declared: Declared = DECLARED) -> PackageSpec:
    """Make the spec for a package of the app, with dead letters of leeward's own for parcels."""
    dead = {"parcels": "parcels-gone", "remember": "memories"}
    chosen = {"dead_letters": dead, **(options or {})}
    return PackageSpec(app(), Entry("shop", "app", chosen), "3.13", "x86_64", {}, declared)


def schemas_of(cloud: str) -> dict[str, Any]:
    """Give what the provider of a cloud takes, by type of resource."""
    file = Path(__file__).with_name(f"schemas_{cloud}.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found
