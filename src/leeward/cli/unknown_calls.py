"""Unknown calls as they stand in the table, read again, and made into what can be settled.

`leeward._operations.unknowns` writes them. No function in a cloud reads them.
"""

from __future__ import annotations

from leeward._operations.unknowns import UnknownCall
from leeward.calls import Call, Delete, Enqueue, Invoke, Key, Publish, Store
from leeward.cloudevents import from_json
from leeward.errors import Attempt, CallError, Outcome, OutcomeUnknown
from leeward.json_text import decode
from leeward.values import Effect, Item


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
