"""What a function answers over HTTP, whatever platform it runs on: its value, or what it raised.

leeward's handler marks each of its answers, and says of an exception its type, message and trace.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.calls import FunctionFault, Result
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward.json_text import Undecodable, decode

MARK: Final = "x-leeward"
"""The header by which leeward's handler marks its answers: it proves that the function ran."""

UNDECODABLE: Final = "undecodable"
"""AMBIGUOUS: a success whose body is no JSON."""


def value_of(response: Response, request_id: str | None) -> Result[Any]:
    """Read a success. A function that returns nothing gives 204, or an empty body.

    Args:
        response: with a status of 2xx.
        request_id: the platform's id of the request.
    """
    try:
        value = decode(response.body) if response.body else None
    except Undecodable as error:
        return Result(
            Outcome.AMBIGUOUS,
            code=f"http.{response.status}",
            reason=UNDECODABLE,
            request_id=request_id,
            executed=True,
            cause=error,
        )
    return Result.ok(value, request_id=request_id)


def fault_in(response: Response) -> FunctionFault:
    """Read what leeward's handler says of an exception; of odd parts, only what is text."""
    try:
        document = decode(response.body)
    except Undecodable:
        document = None
    told = document if isinstance(document, dict) else {}
    lines = told.get("stackTrace")
    trace = (
        tuple(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ()
    )
    return FunctionFault(_text(told.get("errorType")), _text(told.get("errorMessage")), trace)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
