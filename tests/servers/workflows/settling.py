"""The question what became of a step, and what leeward's handler answers."""

from __future__ import annotations

from typing import Any


def question_of(function: str, headers: dict[str, str], question: dict[str, Any]) -> dict[str, Any]:
    """Return what to ask of the test; it is wrong unless a handler would take it for a question."""
    key = headers["Idempotency-Key"]
    assert headers["x-leeward-deadline-ms"] == "0"
    assert int(headers["x-leeward-settle"]) > 0
    assert question["settle"] == key
    assert question["age"] >= 0
    voids = int(headers.get("x-leeward-voids", 0))
    return {"settle": function, "key": key, "payload": question["payload"], "voids": voids}


def document_of(key: str, told: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a handler.

    Args:
        key: that was asked about.
        told: what the test says of it.
    """
    document = {
        "key": told.get("about", key),
        "verdict": told["verdict"],
        "reason": None,
        "voids": told.get("voids", 0),
    }
    if told["verdict"] == "ran":
        is_kept = "value" in told
        document |= {"kept": is_kept, "result": told.get("value")}
        if not is_kept and not told.get("ambiguous"):
            document["failure"] = {"errorType": told["error"], "reason": "earlier_failure"}
    if told["verdict"] == "running":
        document["retry_after"] = told.get("retry_after", 0)
    return document
