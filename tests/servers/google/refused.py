"""How Google's APIs refuse a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tests.servers.answering import Answer

JSON: Final = ("Content-Type", "application/json; charset=UTF-8")

CODES: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of each. Source: google.rpc.Code."""


class Refused(Exception):
    """A request that a service does not carry out.

    Args:
        status: a name of `CODES`.
        message: for people.
        reason: that of an `ErrorInfo` of the domain googleapis.com; None for no such detail.
    """

    def __init__(self, status: str, message: str, reason: str | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self._message = message
        self._reason = reason

    def answer(self, *, streams: bool = False) -> Answer:
        """Give it as an answer; a method that streams its answer puts it into a list."""
        code = CODES[self.status]
        error: dict[str, Any] = {"code": code, "message": self._message, "status": self.status}
        if self._reason:
            error["details"] = [self._details()]
        document: Any = {"error": error}
        body = json.dumps([document] if streams else document).encode()
        challenge = ("WWW-Authenticate", 'Bearer realm="https://accounts.google.com/"')
        return Answer(code, (JSON, challenge) if code == 401 else (JSON,), body)

    def _details(self) -> dict[str, object]:
        return {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self._reason,
            "domain": "googleapis.com",
        }


def refuse_fields(message: Any, *fields: str) -> None:
    """Refuse what a stub does not know, and does not answer as if it were nothing."""
    for name in fields:
        if name in {field.name for field, _ in message.ListFields()}:
            raise Refused("UNIMPLEMENTED", f"This stub has no {name}.")
