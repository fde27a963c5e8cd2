"""What the objects of adapters have in common: the calls, ranges, checksums and echoes."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Any, Final, NamedTuple

from leeward.adapter.plans import Plan, Step
from leeward.calls import Result
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward.object_calls import (
    DeleteObject,
    FoundObject,
    GetObject,
    HeadObject,
    Listing,
    ListObjects,
    Piece,
    PutObject,
)

__all__ = [
    "NOTHING_THERE",
    "DeleteObject",
    "FoundObject",
    "GetObject",
    "HeadObject",
    "ListObjects",
    "Listing",
    "Piece",
    "PutObject",
    "Range",
    "another_object",
    "kept_checksum",
    "piece_of",
    "range_header",
    "range_in",
    "settled",
    "whole_size",
]

NOTHING_THERE: Final = Piece(b"", None)
"""The value of a range that lies behind the end of the object."""

UNPROVED: Final = "conflict_unproved"
"""AMBIGUOUS: the condition of a write did not hold, and whose object is there cannot be seen."""


class Range(NamedTuple):
    """What an answer says of the range that it holds: the first byte, and the whole size."""

    start: int
    size: int


def range_header(call: GetObject) -> tuple[str, str]:
    """Return the header that asks for a range (RFC 9110, 14.2)."""
    return ("Range", f"bytes={call.start}-{call.start + call.length - 1}")


def range_in(response: Response) -> Range | None:
    """Read the header ``Content-Range`` of a 206; None if it does not fit the body."""
    text = response.headers.get("content-range", "")
    found = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", text)
    if found is None:
        return None
    first, last, size = map(int, found.groups())
    if last - first + 1 != len(response.body) or last >= size:
        return None
    return Range(first, size)


def piece_of(
    call: GetObject, response: Response, found: Callable[[int], FoundObject | None]
) -> Piece | None:
    """Read the answer to a request for a range; None if it does not fit the request.

    Args:
        call: that asked.
        response: a success; a 200 carries the whole object, whatever range was asked for.
        found: makes the object of its size.
    """
    if response.status == 200:
        data = response.body[call.start : call.start + call.length]
        whole = found(len(response.body))
        return None if whole is None else Piece(data, whole)
    held = range_in(response) if response.status == 206 else None
    if held is None or held.start != call.start:
        return None
    there = found(held.size)
    wanted = min(call.length, held.size - call.start)
    return Piece(response.body, there) if there and len(response.body) == wanted else None


def whole_size(response: Response) -> int | None:
    """Return the size of an object whose first byte, or head, was asked for; None if untold."""
    if response.status == 206:
        held = range_in(response)
        return None if held is None else held.size
    told = response.headers.get("content-length", "")
    return int(told) if re.fullmatch("[0-9]{1,18}", told) else None


def kept_checksum(text: str | None) -> str | None:
    """Return the checksum that leeward has kept with an object; None if there is none."""
    return f"sha256:{text}" if re.fullmatch(r"[0-9a-f]{64}", text or "") else None


def another_object(request_id: str | None = None) -> Result[Any]:
    """Return the result of a call whose condition on the object does not hold."""
    return Result(
        Outcome.CONFLICT,
        message="an object is there, or has another revision, or is gone",
        request_id=request_id,
    )


def settled(call: PutObject, refusal: Result[Any], look: Plan) -> Generator[Step, Any, Result[Any]]:
    """Return what a put really is whose condition did not hold: a conflict, or its own echo.

    An earlier attempt may have written the object, whatever was answered to it; a 503 proves
    nothing of a put. So the object is looked at before anybody is told of a conflict.

    Args:
        call: the put.
        refusal: its CONFLICT.
        look: the plan of a `HeadObject` of the same object, as a look-up.
    """
    found = yield from look
    if found.outcome is not Outcome.OK:
        return Result(
            Outcome.AMBIGUOUS,
            code=refusal.code,
            reason=UNPROVED,
            request_id=refusal.request_id,
        )
    there: FoundObject | None = found.value
    if there is not None and there.write_id == call.write_id:
        return Result.ok(there.revision, request_id=refusal.request_id)
    return another_object(refusal.request_id)
