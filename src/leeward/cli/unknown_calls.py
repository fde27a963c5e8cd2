"""Unknown calls as they stand in the table, read again, and settled.

`leeward._operations.unknowns` writes them. No function in a cloud reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from leeward._operations.unknowns import UnknownCall, UnknownKeeper, scan_rows
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, Publish, Store
from leeward.client import Client
from leeward.cloudevents import from_json
from leeward.config import Config
from leeward.errors import Attempt, CallError, LeewardError, NotFound, Outcome, OutcomeUnknown
from leeward.json_text import decode
from leeward.values import Effect, Item
from leeward.values.settled import Verdict
from leeward.views import Json
from leeward.views.answers import json_of_verdict
from leeward.views.calls import facts_of

SECONDS: Final = 10.0  # to settle one call


def unknown_in(item: Item, field: str) -> UnknownCall | None:
    """Read an item; None where it is not one that `item_of` has made."""
    try:
        body = item.get("body")
        return UnknownCall(
            str(item[field]),
            str(item["verb"]),
            str(item["subject"]),
            tuple(map(str, item["key"])),
            tuple(map(str, item["targets"])),
            int(item["sent"]) / 1000,
            int(item["time"]) / 1000,
            int(item["voids"]),
            item["reason"],
            str(item["error"]),
            dict(item["facts"]),
            None if body is None else str(body).encode(),
            item.get("item"),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def error_of_unknown(unknown: UnknownCall) -> OutcomeUnknown | None:
    """Return the error that the caller got, as far as `leeward.Client.settle` needs it.

    Return None if what is left of the call is not enough: its payload is not there.
    """
    call = _call_of(unknown)
    if call is None:
        return None
    error = OutcomeUnknown(
        "the outcome of an earlier call is unknown",
        attempts=tuple(Attempt(target, 0.0, 0.0, Outcome.AMBIGUOUS) for target in unknown.targets),
        reason=unknown.reason,
    )
    error.call = call
    return error


def _call_of(unknown: UnknownCall) -> Call | None:
    """Return the call again. A call of a function whose payload is not known has an empty one."""
    verb, subject, key, facts = unknown.verb, unknown.subject, unknown.key, unknown.facts
    try:
        match verb:
            case "invoke" | "enqueue":
                effect, shared = Effect(facts["effect"]), facts["shared_dedup"] is True
                common = (subject, unknown.body or b"", key[0], effect, shared)
                if verb == "enqueue":
                    return Enqueue(*common, sent=unknown.sent)
                return Invoke(*common, sent=unknown.sent, voids=unknown.voids)
            case "publish" if unknown.body is not None:
                return Publish(subject, (from_json(decode(unknown.body)),))
            case "store" if unknown.item is not None:
                expires = facts["expires_at"]
                return Store(
                    subject,
                    Key(tuple(facts["fields"]), key),
                    unknown.item,
                    str(facts["write_id"]),
                    unknown.sent,
                    None if expires is None else int(expires) / 1000,
                    facts["if_absent"] is True,
                    facts["if_revision"],
                )
            case "delete":
                where, revision = Key(tuple(facts["fields"]), key), facts["if_revision"]
                return Delete(subject, where, unknown.sent, revision, facts.get("write_id", ""))
    except (KeyError, TypeError, ValueError, IndexError, CallError):
        pass
    return None


def table_of(config: Config) -> str:
    """Return the table in which clients leave unknown calls."""
    assert config.unknowns is not None, "it was checked"
    return config.unknowns


def scan_unknown(cloud: Client, config: Config) -> Iterator[UnknownCall]:
    """Yield the calls in the table, which other programs may have written into, too."""
    operations, table = cloud._operations, table_of(config)  # noqa: SLF001 - no client has a scan
    keeper = operations.unknowns
    assert isinstance(keeper, UnknownKeeper), "the table is configured"
    for stored in scan_rows(operations, table):
        if (unknown := unknown_in(stored.item, keeper.field)) is not None:
            yield unknown


def pick_unknown(cloud: Client, config: Config, chosen: frozenset[str] | None) -> list[UnknownCall]:
    """Return the calls that are chosen, all if None; the oldest first."""
    rows = [
        unknown for unknown in scan_unknown(cloud, config) if chosen is None or unknown.id in chosen
    ]
    missing = sorted((chosen or frozenset()) - {unknown.id for unknown in rows})
    if missing:
        raise NotFound(f"no unknown call has the id {', '.join(missing)}; leeward unknown list")
    return sorted(rows, key=lambda unknown: unknown.time)


def settle_unknown(
    cloud: Client,
    config: Config,
    unknown: UnknownCall,
    body: bytes | None = None,
    timeout: float = SECONDS,
) -> Json:
    """Settle one call, with `body` if the table has no payload; a settled one leaves the table.

    A call whose function says that it still runs, or that nobody can tell, stays.
    """
    facts = facts_of(unknown)
    error = error_of_unknown(unknown._replace(body=body or unknown.body))
    if error is None:
        return {**facts, "error": "what was sent is not in the table"}
    try:
        settled = cloud.settle(error, timeout=timeout)
    except LeewardError as problem:
        is_keyless = isinstance(problem, CallError) and problem.reason == "key_missing"
        hint = f"; say leeward unknown settle {unknown.id} --payload JSON" if is_keyless else ""
        return {**facts, "error": f"{type(problem).__name__}: {problem}{hint}"}
    verdict = json_of_verdict(settled)
    del verdict["result"]  # may be secret; `leeward settle` shows it
    if settled.verdict in (Verdict.RUNNING, Verdict.UNKNOWN):
        return {**facts, **verdict}
    try:
        cloud.delete_data(table_of(config), unknown.id)
    except LeewardError:
        return {**facts, **verdict, "removed": False}  # it is settled, and can be settled again
    return {**facts, **verdict, "removed": True}
