"""How Lambda refuses a request."""

from __future__ import annotations

import json

from tests.servers.answering import Answer


class Refused(Exception):
    """A request that Lambda does not carry out.

    Args:
        status: of HTTP.
        code: the exception of the service.
        message: for people.
        reason: the member `Reason`, which some exceptions have.
    """

    def __init__(self, status: int, code: str, message: str, reason: str | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self._status = status
        self._code = code
        self._body = {"Type": "User", "Message": message} | ({"Reason": reason} if reason else {})

    def answer(self) -> Answer:
        """Give it as an answer: the code is in a header, and only there."""
        headers = (("Content-Type", "application/json"), ("x-amzn-ErrorType", self._code))
        return Answer(self._status, headers, json.dumps(self._body).encode())
