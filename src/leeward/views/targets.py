"""Targets: whether calls flow to them, and what they can; the handlers of an app that run there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import inf
from typing import Final

from leeward.app.handlers import Handler
from leeward.app.signatures import definition_place
from leeward.app.triggers import Kind
from leeward.values import Isolation, TargetStatus
from leeward.views import Column, Details, Format, Json, Part, Report, Table, in_words, moment


def row_of(status: TargetStatus) -> Json:
    """Return a target as a row."""
    return status._asdict() | {
        "capabilities": sorted(status.capabilities),
        "settings": dict(status.settings),
        "last_outcome": None if status.last_outcome is None else status.last_outcome.value,
        "circuits": [circuit._asdict() for circuit in status.circuits],
        "isolation": _json_of_isolation(status.isolation),
    }


def _json_of_isolation(word: Isolation | None) -> Json | None:
    if word is None:
        return None
    until = None if word.until == inf else word.until
    return {"by": word.by, "why": word.why, "since": word.since, "until": until}


def isolate(status: TargetStatus, word: Isolation | None) -> TargetStatus:
    """Return the status of a target, with what was said of it to every process."""
    return status if word is None else status._replace(state="isolated", isolation=word)


def _attempts(row: Json) -> str:
    if not row["attempts"]:
        return "none by this process"
    return f"{row['attempts']:,}, {row['failures']:,} failed, last {row['last_outcome'] or '-'}"


def _isolation(row: Json) -> str | None:
    if (word := row["isolation"]) is None:
        return None
    end = f"until {moment(word['until'])}" if word["until"] else "until it is restored"
    return f"by {word['by']} since {moment(word['since'])}, {end}: {word['why']}"


def _waiting(row: Json) -> str | None:
    return f"{row['waiting']} calls for a place" if row["waiting"] else None


_TARGET: Final = (
    Column("State", "state", Format.STATE),
    Column("Isolated everywhere", _isolation, is_rare=True),
    Column("Attempts", _attempts),
    Column("Can", "capabilities"),
    Column("Residency", "residency", is_rare=True),
    Column("Waiting", _waiting, is_rare=True),
)

_CIRCUITS: Final = (
    Column("Circuit", lambda row: f"{row['verb']} {row['resource']}".strip(), is_name=True),
    Column("State", "state", Format.STATE),
    Column("Why", "reason"),
    Column("Opens again in", "seconds", Format.SPAN),
)


def _setting(name: str, row: Json) -> str:
    return str(row["settings"][name])


def show_target(row: Json, number: int) -> Iterator[Part]:
    """Yield all that is known of a target, and its circuits that are not closed."""
    settings = [Column(name, partial(_setting, name)) for name in row["settings"]]
    yield Details([*_TARGET, *settings], row, f"{number}. {row['name']}")
    if row["circuits"]:
        yield Table(_CIRCUITS, row["circuits"], "Circuits that are not closed")


def _home(row: Json) -> str:
    home, order = row["home"], row["order"]
    if home is None:
        return "none: refused until it is set"
    return home if home in order else f"{home}: not in the order"


def _effect(row: Json) -> str:
    shared = ", shared dedup" if row["dedup_scope"] == "group" else ""
    return f"{row['effect']}{shared}"


def _name_column(title: str) -> Column:
    return Column(title, lambda row: row["name"] or "(any other)", is_name=True)


_COMMON: Final = (
    Column("Timeout", lambda row: f"{in_words(row['timeout'], Format.TEXT, 0)} s"),
    Column("Own names", lambda row: [f"{target}: {name}" for target, name in row["names"].items()]),
)

_CONFIGURED: Final = {
    "tables": (
        *(_name_column("Table"), Column("Key", lambda row: " + ".join(row["key"]))),
        *(Column("Home", _home), *_COMMON),
    ),
    "functions": (_name_column("Function"), Column("Effect", _effect), *_COMMON),
    "buses": (_name_column("Bus"), *_COMMON, Column("All down", "on_all_down")),
    "buckets": (_name_column("Bucket"), Column("Home", _home), *_COMMON),
}


def show_configuration(data: Json) -> Iterator[Part]:
    """Yield all that is configured: the order, each target, and each name."""
    unused = [f'targets."{name}"' for name in data["unused_sections"]]
    head = {
        "Order": f"{', '.join(data['order'])} (from {data['order_from']})",
        "File": data["config"] or "none",
        "Environment": "trusted" if data["trust_env"] else "not trusted",
        "Unused": unused,
    }
    yield Details([Column(name, name, is_rare=True) for name in head], head)
    for number, target in enumerate(data["targets"], 1):
        yield from show_target(target, number)
    for name, columns in _CONFIGURED.items():
        yield Table(columns, [row | {"order": data["order"]} for row in data[name]])


def row_of_handler(handler: Handler, here: str = "") -> Json:
    """Return a handler as a row; the place of its code is relative to `here`."""
    place = definition_place(handler.function)
    return {
        "name": handler.name,
        "kind": handler.kind.value,
        "trigger": _trigger_of(handler),
        "effect": handler.effect.value if handler.is_call else None,
        "retries": handler.retries,
        "timeout": handler.timeout,
        "writes": [str(write) for write in handler.writes],
        "place": None if place is None else place.removeprefix(here),
    }


def _trigger_of(handler: Handler) -> Json:
    """Return what starts a handler, by name."""
    match handler.kind:
        case Kind.CALL:
            return {"queue": handler.name} if handler.queued else {}
        case Kind.EVENT:
            return {"bus": handler.bus, "type": handler.type}
        case Kind.MESSAGE:
            return {"queue": handler.queue}
        case Kind.SCHEDULE:
            return {"schedule": handler.schedule}
        case Kind.OBJECT:
            return {"bucket": handler.bucket, "prefix": handler.prefix}


def purpose(row: Json) -> str:
    """Return what runs a handler, in words."""
    trigger = row["trigger"]
    match Kind(row["kind"]):
        case Kind.EVENT:
            return f"events {trigger['type'] or 'of every type'} of {trigger['bus']}"
        case Kind.MESSAGE:
            return f"messages of {trigger['queue']}"
        case Kind.SCHEDULE:
            return f"the schedule {trigger['schedule']}"
        case Kind.OBJECT:
            return f"objects {trigger['bucket']}/{trigger['prefix']}"
        case _:
            return "queued calls and calls" if trigger else "calls"


HANDLER: Final = (
    Column("Handler", "name", is_name=True),
    Column("Is for", purpose),
    Column("Effect", "effect"),
    Column("Retries", "retries", Format.COUNT),
    Column("Timeout", lambda row: None if row["timeout"] is None else f"{row['timeout']:g} s"),
    Column("Defined at", "place"),
)


def show_app(name: str, handlers: list[Json], workflows: list[Json]) -> Report:
    """Return the handlers of an app, and which functions its workflows call."""
    data = {"app": name, "handlers": handlers, "workflows": workflows}
    calls = [
        f"workflow {workflow['name']}: calls {', '.join(workflow['functions']) or '-'}"
        for workflow in workflows
    ]
    listed = Table(HANDLER, handlers, empty=f"the app {name} has no handlers")
    return Report(data, 0.0, [listed, *calls])
