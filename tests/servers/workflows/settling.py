"""What leeward's handler answers to the question what became of a step."""

from __future__ import annotations

from typing import Any


def document_of(key: str, told: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a handler.

    Args:
        key: that was asked about.
        told: what the test says of it.
    """
    document = {
        "key": key,
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
