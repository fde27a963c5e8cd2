"""How large an answer is for Lambda: 6 MB of what its runtime writes, escapes included.

An answer that is larger is an error of Lambda's after the work was done, so it is found before.
"""

from __future__ import annotations

import json
from typing import Any, Final

from leeward.app.kit import (
    RESPONSE_TOO_LARGE,
    Answer,
    HttpAnswer,
    Problem,
    failure_answer,
    failure_of,
    http_answer,
)

ANSWER_BYTES: Final = 6 * 1024 * 1024
"""Of a synchronous invocation's answer. Source: Lambda's quotas."""

_GROWTH: Final = 6
"""How many times larger a text is at most, once the runtime has escaped it twice over."""

_AROUND: Final = 100
"""Bytes that an envelope takes, at most."""


def fits(body: bytes, document: Any) -> bool:
    """Return whether Lambda passes an answer on.

    Args:
        body: as leeward has written it.
        document: what the runtime will write; older ones escape all but ASCII.
    """
    return (len(body) + _AROUND) * _GROWTH < ANSWER_BYTES or len(
        json.dumps(document)
    ) <= ANSWER_BYTES


def too_large(answer: Any) -> Any:
    """Return the answer in the place of one that is too large; of the same kind."""
    problem = Problem(
        f"the answer is larger than {ANSWER_BYTES} bytes; return a reference to the data",
        status=500,
        reason=RESPONSE_TOO_LARGE,
        retryable=False,
    )
    found: Answer = failure_answer(failure_of(problem, (), "yes"))
    return http_answer(found) if isinstance(answer, HttpAnswer) else found
