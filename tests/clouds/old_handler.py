"""leeward's handler as it was at commit 3ed416f6, before there were questions: what it reads, and
when it refuses to run.

`sent_in` is as it stood in ``src/leeward/envelope.py``, `_answer` the beginning of `_answer` in
``src/leeward/app/core.py``, with what ``out_of_time`` in ``problem.py`` and ``http_answer`` in
``http.py`` made of the refusal. `on_lambda` is `_call` of the runtime of AWS, which raised it as
``failed_with`` in ``call.py`` did. What ran the function raises `Ran` here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

PLATFORM_SECONDS = 230.0
"""Until the platform stops waiting."""


class Ran(Exception):
    """The handler has run the function. What it was given is the first argument."""


class Problem(Exception):
    """What the runtime of AWS raises for the refusal."""


class Sent(NamedTuple):
    """What came with a call beside its payload."""

    idempotency_key: str | None
    seconds: float | None
    traceparent: str | None
    envelope: bool = False


def sent_in(found: Mapping[str, str]) -> Sent:
    """Read the headers of a request, or the ``custom`` part of its client context."""
    key = found.get("idempotency-key")
    if key is not None and len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    waits, seconds = found.get("x-leeward-deadline-ms"), None
    if waits is not None and waits.isascii() and waits.isdecimal() and len(waits) < 13:
        seconds = int(waits) / 1000
    return Sent(key or None, seconds, found.get("traceparent"), "x-leeward-envelope" in found)


def _answer(seconds: float, given: Any) -> dict[str, Any]:
    if seconds <= 0:
        return {
            "errorType": "Problem",
            "errorMessage": "too little time is left",
            "reason": "deadline",
            "retryable": True,
            "ran": "no",
        }
    raise Ran(given)


def over_http(
    headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and document of its answer, on Azure, Google and behind a URL."""
    sent = sent_in({name.lower(): value for name, value in headers.items()})
    waits = PLATFORM_SECONDS if sent.seconds is None else min(PLATFORM_SECONDS, sent.seconds)
    document = _answer(waits, body)
    return 503, {"content-type": "application/json", "x-leeward": "1"}, document


def on_lambda(custom: Mapping[str, str], event: Any) -> None:
    """Answer a direct call on Lambda.

    Raises:
        Problem: it refuses. The runtime sends the class and the text.
    """
    sent = sent_in(custom)
    seconds = PLATFORM_SECONDS
    if sent.seconds is not None:
        seconds = min(seconds, sent.seconds)
    raise Problem(_answer(seconds, json.dumps(event))["errorMessage"])
