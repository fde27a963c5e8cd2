"""What a client's methods return: as JSON objects, with what a person is shown of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from leeward.errors import Attempt
from leeward.values import InvokeResult, ItemPage, PublishReceipt, Receipt, Record, StoreReceipt
from leeward.views import Block, Column, Details, Format, Json, Part, Report, Table, spoken
from leeward.views.calls import verdict_in_words
from leeward.views.item_json import tag_value, write

if TYPE_CHECKING:
    from leeward.values.objects import ObjectInfo
    from leeward.values.settled import Settled

_ATTEMPTS: Final = (
    Column("Target", "target", is_name=True),
    Column("After", "started", Format.SECONDS),
    Column("Took", "duration", Format.SECONDS),
    Column("Outcome", lambda row: "read back: " * row["read_back"] + row["outcome"]),
    Column("Code", "code", is_rare=True),
    Column("Request id", "request_id", is_rare=True),
)


def json_of(
    result: InvokeResult | Receipt | PublishReceipt | StoreReceipt | Record | ObjectInfo,
) -> Json:
    """Return the JSON object of what a method of the client returns: its fields."""
    data = result._asdict() | {"attempts": json_of_attempts(result.attempts)}
    if "promise" in data:
        data["promise"] = data["promise"].value
    if data.get("expires_at") is not None:
        data["expires_at"] = data["expires_at"].isoformat()
    return data


def json_of_verdict(settled: Settled) -> Json:
    """Return the JSON object of `settle`."""
    failure = settled.failure
    return settled._asdict() | {
        "verdict": settled.verdict.value,
        "failure": failure
        and {
            "error_type": failure.type,
            "error_message": failure.message,
            "reason": failure.reason,
            "retryable": failure.retryable,
        },
    }


def json_of_attempts(attempts: Iterable[Attempt]) -> list[Json]:
    """Return attempts as JSON objects; times in seconds."""
    return [
        {
            **attempt._asdict(),
            "started": round(attempt.started, 6),
            "duration": round(attempt.duration, 6),
            "outcome": attempt.outcome.value,
        }
        for attempt in attempts
    ]


def show_attempts(attempts: Sequence[Json], least: int = 2) -> Sequence[Table]:
    """Return the attempts of a call, if there are at least so many."""
    return [Table(_ATTEMPTS, attempts)] if len(attempts) >= least else []


def labels_of(data: Json, without: Collection[str] = ()) -> dict[str, str]:
    """Return labels and values as a person reads them; attempts, None and False are left out."""
    return {
        name.replace("_", " "): spoken(value)
        for name, value in data.items()
        if name not in (*without, "attempts") and value is not None and value is not False
    }


def show_labels(labels: Mapping[str, Any]) -> Details:
    """Return values with their labels, one below the other."""
    return Details([Column(label, label) for label in labels], dict(labels))


def _join_labels(labels: Mapping[str, str]) -> list[Part]:
    return [", ".join(" ".join(each) for each in labels.items())] if labels else []


def show_receipt(result: Receipt | PublishReceipt | StoreReceipt) -> Report:
    """Return a receipt."""
    data = json_of(result)
    return Report(data, 0.0, [show_labels(labels_of(data))], show_attempts(data["attempts"]))


def show_answer(result: InvokeResult) -> Report:
    """Return the answer of a function, and beside it how it came."""
    return _show_main(json_of(result), "value")


def show_item(record: Record) -> Report:
    """Return an item, and beside it where it is from."""
    return _show_main({"found": True, **json_of(record), "item": tag_value(record.item)}, "item")


def _show_main(data: Json, main: str) -> Report:
    notes = _join_labels(labels_of(data, (main, "found")))
    shown = Block(main.capitalize(), write(data[main], indent=2), is_json=True)
    return Report(data, 0.0, [shown], [*notes, *show_attempts(data["attempts"])])


def show_items(pages: Sequence[ItemPage]) -> Report:
    """Return items, one on each line; the cursor leads to what comes behind these pages."""
    items = [
        {
            "item": tag_value(record.item),
            **{name: json_of(record)[name] for name in ("revision", "expires_at", "foreign")},
        }
        for page in pages
        for record in page.items
    ]
    cursor, attempts = pages[-1].cursor, [each for page in pages for each in page.attempts]
    data = {"items": items, "cursor": cursor, "target": pages[-1].target}
    notes = [] if items else ["No items."]
    notes += [] if cursor is None else [f"There are more: --cursor {cursor}"]
    shown = [Block("Item", write(each["item"]), is_json=True) for each in items]
    return Report(data | {"attempts": json_of_attempts(attempts)}, 0.0, shown, notes)


def show_object(info: ObjectInfo, **more: Any) -> Report:
    """Return what is known of an object, and what was done with it."""
    data = {"found": True, **json_of(info), "metadata": dict(info.metadata), **more}
    labels: Json = {**labels_of(data, ("found", "metadata"))}
    if info.metadata:
        labels["metadata"] = [f"{name}={text}" for name, text in info.metadata.items()]
    return Report(data, 0.0, [show_labels(labels)], show_attempts(data["attempts"]))


def show_verdict(settled: Settled, function: str) -> Report:
    """Return what became of a call of a function: its result, or the verdict."""
    data = json_of_verdict(settled)
    told: list[Part] = [verdict_in_words(data, function)]
    rest = {name: data[name] for name in ("target", "voids", "retry_after") if data[name]}
    about = _join_labels(labels_of(rest))
    if data["verdict"] != "ran" or not data["kept"] or data["failure"]:
        return Report(data, 0.0, told, about)
    return Report(
        data, 0.0, [Block("Result", write(data["result"], indent=2), is_json=True)], told + about
    )
