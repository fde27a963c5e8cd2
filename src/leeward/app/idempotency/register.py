"""The register of a table: how each function keeps its records there, and since when.

A missing record proves something only if the function keeps records: under which name, by which
settings, for how long, and since when. Each version writes that into one row for its function,
before its first run in a process, unless the row says it already. "Not run" needs a row that covers
the whole age of the call. There is no I/O here, as in `leeward.app.idempotency.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, Final

from leeward.app.idempotency.digests import digest_of_text
from leeward.app.idempotency.settling import Doubt
from leeward.app.idempotency.steps import (
    Away,
    LoadedRegister,
    LoadRegister,
    RegisterEntry,
    Saved,
    SaveRegister,
    Steps,
    Unfit,
)
from leeward.envelope import CLOCKS
from leeward.errors import Conflict
from leeward.records import NamedTuple

ROLLOUT: Final = 3600.0
"""Seconds for which processes of an earlier version may run beside the new ones. A version without
records, or with another table, cannot be seen."""

MOST_ENTRIES: Final = 20
"""Of one row. Where an older one is missing, nothing is known of that time."""

ROUNDS: Final = 16
"""How often a version tries again when others have written in between."""

_IGNORED: Final = frozenset({"digest", "keep"})
"""Facts that may differ: digests of two versions are not compared; and how long a record was kept
is compared with the age of the call."""


class Register(NamedTuple):
    """The id of a function's row, and the facts that its version writes there."""

    id: str
    facts: Mapping[str, Any]


def enter_register(register: Register, now: float) -> Steps[tuple[RegisterEntry, ...] | Away]:
    """Write into the row how this version keeps its records; return the whole row.

    `now` is in Unix seconds, as the row has it.
    """
    for _ in range(ROUNDS):
        loaded, _ = yield LoadRegister(register.id)
        if isinstance(loaded, Away):
            return loaded
        entries, revision = loaded if isinstance(loaded, LoadedRegister) else ((), None)
        if entries and entries[-1].facts == register.facts:
            return entries
        since = max([now, *(entry.since for entry in entries)])
        entries = (*entries, RegisterEntry(since, register.facts))[-MOST_ENTRIES:]
        reply, _ = yield SaveRegister(register.id, entries, revision)
        if isinstance(reply, Saved):
            return entries
        if isinstance(reply, Unfit) or (isinstance(reply, Away) and not reply.written):
            return Away(reply.error)
    return Away(Conflict("several versions of the function write the row of its register"))


def doubt_of(
    register: Register, entries: tuple[RegisterEntry, ...], age: float | None, now: float
) -> tuple[Doubt, str] | None:
    """Return why a missing record proves nothing of calls of this `age`, and what differs.

    None if every version that may have run them keeps its records where this one looks.
    """
    if age is None:
        return Doubt.NO_RECORD, ""
    if not _keeps(register.facts, age):
        return Doubt.EXPIRED, ""
    until = "now"
    for entry in reversed(entries):
        facts = entry.facts
        others = {*facts, *register.facts} - _IGNORED
        differ = sorted(name for name in others if facts.get(name) != register.facts.get(name))
        if not _keeps(facts, age):
            differ.append("keep")
        if differ:
            changes = "; ".join(
                f"{name} was {facts.get(name)}, is {register.facts.get(name)}" for name in differ
            )
            return Doubt.CHANGED, f"until {until} its records were kept otherwise: {changes}"
        if entry.since + ROLLOUT + CLOCKS <= now - age:
            return None
        until = _time(entry.since)
    return Doubt.TOO_NEW, f"it keeps records since {until}; before, nobody knows"


def _keeps(facts: Mapping[str, Any], age: float) -> bool:
    keep = facts.get("keep")
    return isinstance(keep, int | float) and keep >= age


def _time(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "seconds")


def digest_of_facts(table: str, facts: Mapping[str, Any]) -> str:
    """Return a digest of how a version keeps its records: 12 hex digits.

    A version with another digest may not find the records of this one.
    """
    kept = sorted((name, str(fact)) for name, fact in facts.items() if name not in _IGNORED)
    return digest_of_text(repr((table, kept)))[:12]


def source_text(source: str | Callable[..., Any] | None) -> str:
    """Return what identifies the source of a key or a principal."""
    if not callable(source):
        return source or "none"
    name = getattr(source, "__qualname__", type(source).__name__)
    return f"{source.__module__}.{name} {digest_of_text(_spell(source, ()))[:8]}"


def _spell(value: Any, seen: tuple[int, ...]) -> str:
    """Return the code of a function, without its place in the file, and the values bound to it.

    Of any other object, return its class. `seen` has the ids of the objects around this one.
    """
    if isinstance(value, str | bytes | int | float | None):
        return repr(value)
    if isinstance(value, tuple | frozenset):
        parts: tuple[Any, ...] = tuple(value)
    elif id(value) in seen:
        return ""
    elif hasattr(value, "co_code"):
        parts = value.co_code, value.co_names, value.co_varnames, value.co_consts
    elif hasattr(value, "__code__"):
        parts = value.__code__, value.__defaults__, *(value.__kwdefaults__ or {}).items()
        parts += tuple(cell.cell_contents for cell in value.__closure__ or ())
    elif isinstance(value, partial):
        parts = value.func, value.args, *value.keywords.items()
    elif isinstance(value, attrgetter | itemgetter):
        parts = tuple(value.__reduce__())
    else:
        kind = value if isinstance(value, type) else type(value)
        inner = getattr(value, "__wrapped__", None)  # of a cache
        parts = kind.__module__, getattr(value, "__qualname__", kind.__qualname__), inner
    texts = [_spell(part, (*seen, id(value))) for part in parts]
    return repr(sorted(texts) if isinstance(value, frozenset) else texts)
