"""The question what became of the calls with a key, and its answer, as they travel in JSON.

``docs/settle.md`` shows both, for functions of other frameworks.
"""

from __future__ import annotations

from typing import Any

from leeward.envelope import fault_in
from leeward.json_text import encode
from leeward.values.settled import Settled, Verdict


def settle_question(key: str, age: float | None, payload: bytes | None) -> bytes:
    """Return the question what became of the calls with a key, as JSON in UTF-8.

    Args:
        key: of the calls.
        age: seconds since the first of them was made; None if nobody knows.
        payload: of them, JSON in UTF-8; None if the asker lacks it.
    """
    head = encode({"settle": key} if age is None else {"settle": key, "age": age})
    return head if payload is None else head[:-1] + b',"payload":' + payload + b"}"


def read_settled(key: str, answer: Any) -> Settled:
    """Read what a function says of the calls with a key; UNKNOWN where that is no such answer."""
    fields = answer if isinstance(answer, dict) and answer.get("key") == key else {}
    try:
        verdict = Verdict(fields.get("verdict"))
    except ValueError:
        return Settled(Verdict.UNKNOWN, reason="no_answer")
    wait, voids, failure = fields.get("retry_after"), fields.get("voids"), fields.get("failure")
    reason = fields.get("reason")
    return Settled(
        verdict,
        fields.get("result"),
        reason if isinstance(reason, str) else None,
        fields.get("kept", True) is True,
        fault_in(failure) if isinstance(failure, dict) else None,
        float(wait) if isinstance(wait, int | float) else None,
        voids=voids if type(voids) is int else 0,
    )
