"""What the objects of adapters have in common: ranges, checksums and echoes."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

from leeward._http.messages import Response
from leeward.adapter.plans import Plan, Step
from leeward.adapter.service import Service, ServiceAnswer
from leeward.calls import FoundObject, GetObject, Piece, PutObject, Result
from leeward.errors import Outcome
from leeward.records import NamedTuple

NOTHING_THERE: Final = Piece(b"", None)
"""The value of a range that lies behind the end of the object."""

UNPROVED: Final = "conflict_unproved"
"""AMBIGUOUS: the condition of a write did not hold, and whose object is there cannot be seen."""


class ObjectService(NamedTuple):
    """How the objects of one service are asked for, and how it says that one is not there.

    Attributes:
        service: who is asked.
        revision: the form of a revision.
        is_absent: whether a refusal says that the object is not there, and that its bucket is.
        is_behind: whether a refusal says that a range lies behind the end of the object.
    """

    service: Service
    revision: re.Pattern[str]
    is_absent: Callable[[Response, Result[Any]], bool]
    is_behind: Callable[[Response, Result[Any]], bool]

    def may_have(self, revision: str | None) -> bool:
        """Return whether an object can have this revision; None is for any."""
        return revision is None or self.revision.fullmatch(revision) is not None

    def finish_put(
        self,
        call: PutObject,
        answer: ServiceAnswer,
        read: Callable[[Response], str],
        look: Plan,
        *,
        status: int | None = None,
    ) -> Plan:
        """Return the result of a put, from the answer to it and, if need be, a look at the object.

        Args:
            call: the put.
            answer: to it.
            read: takes the revision out of a success.
            look: the plan of a `HeadObject` of the same object, as a look-up.
            status: of the one success that a put ends with; None for whichever.
        """
        refusal = answer.refusal
        if refusal is None:
            return self.service.read_answer(answer, read, status=status)
        if call.if_revision is not None and self.is_absent(answer.response, refusal):
            refusal = another_object(refusal.request_id)
        if refusal.outcome is Outcome.CONFLICT:
            return (yield from _settle_put(call, refusal, look))
        return refusal

    def read_piece(
        self, call: GetObject, answer: ServiceAnswer, info_of: Callable[[int], FoundObject]
    ) -> Result[Any]:
        """Return the result of a get; for `info_of` see `_piece_of`."""
        response, refusal = answer
        if refusal is not None and self.is_behind(response, refusal):
            return Result.ok(NOTHING_THERE, request_id=refusal.request_id)
        if (
            refusal is not None
            and self.is_absent(response, refusal)
            and call.if_revision is not None
        ):
            return another_object(refusal.request_id)
        return self.read_look(answer, lambda success: _piece_of(call, success, info_of))

    def read_look(self, answer: ServiceAnswer, read: Callable[[Response], Any]) -> Result[Any]:
        """Return the result of a call that reads an object; None is the value of an absent one."""
        response, refusal = answer
        if refusal is not None and self.is_absent(response, refusal):
            return Result.ok(None, request_id=refusal.request_id)
        return self.service.read_answer(answer, read)

    def read_deletion(self, answer: ServiceAnswer, *, status: int) -> Result[Any]:
        """Return the result of a delete; an object that was not there is deleted."""
        response, refusal = answer
        if refusal is not None and self.is_absent(response, refusal):
            return Result.ok(None, request_id=refusal.request_id)
        return self.service.read_answer(answer, status=status)


class _Range(NamedTuple):
    """What an answer says of the range that it holds: the first byte, and the whole size."""

    start: int
    size: int


def range_header(call: GetObject) -> tuple[str, str]:
    """Return the header that asks for a range (RFC 9110, 14.2)."""
    return ("Range", f"bytes={call.start}-{call.start + call.length - 1}")


def _range_in(response: Response) -> _Range | None:
    """Read ``Content-Range`` of a 206, "0--1/0" of nothing; None if it does not fit the body."""
    text = response.headers.get("content-range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,18})-(-1|[0-9]{1,18})/([0-9]{1,18})", text)
    if match is None:
        return None
    first, last, size = map(int, match.groups())
    if last - first + 1 != len(response.body) or last >= size:
        return None
    return _Range(first, size)


def _piece_of(call: GetObject, response: Response, info_of: Callable[[int], FoundObject]) -> Piece:
    """Read the answer to a request for a range; raise `ValueError` if it does not fit.

    A 200 carries the whole object, whatever was asked for; `info_of` makes it of its size.
    """
    if response.status == 200:
        data = response.body[call.start : call.start + call.length]
        return Piece(data, info_of(len(response.body)))
    held = _range_in(response) if response.status == 206 else None
    if held is None or held.start != call.start:
        raise ValueError("the answer holds another range")
    if len(response.body) != min(call.length, held.size - call.start):
        raise ValueError("the answer holds less, or more, than the range")
    return Piece(response.body, info_of(held.size))


def whole_size(response: Response) -> int:
    """Return the size of an object whose first byte, or head, was asked for; or `ValueError`."""
    if response.status == 206:
        held = _range_in(response)
        size = None if held is None else held.size
    else:
        length = response.headers.get("content-length", "")
        size = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
    if size is None:
        raise ValueError("the answer does not tell the size")
    return size


def revision_in(form: re.Pattern[str], text: object) -> str:
    """Return a revision that was told; raise `ValueError` if `text` has not its `form`."""
    if not isinstance(text, str) or not form.fullmatch(text):
        raise ValueError("the answer tells no revision")
    return text


def checksum_in(text: str | None) -> str | None:
    """Return the checksum that leeward has kept with an object; None if there is none."""
    return f"sha256:{text}" if re.fullmatch(r"[0-9a-f]{64}", text or "") else None


def metadata_in(
    headers: Iterable[tuple[str, str]], prefix: str = "", names: Iterable[str] = ()
) -> dict[str, str]:
    """Return the metadata of an object, without that of leeward's own.

    Args:
        headers: all that the service tells: headers, in lower case, or the metadata alone.
        prefix: of the headers that tell metadata.
        names: what leeward keeps there, as it is told.
    """
    skip = frozenset(names)
    return {
        name[len(prefix) :]: value
        for name, value in headers
        if name.startswith(prefix) and name not in skip
    }


def another_object(request_id: str | None = None) -> Result[Any]:
    """Return the result of a call whose condition on the object does not hold."""
    return Result(
        Outcome.CONFLICT,
        message="an object is there, or has another revision, or is gone",
        request_id=request_id,
    )


def _settle_put(
    call: PutObject, refusal: Result[Any], look: Plan
) -> Generator[Step, Any, Result[Any]]:
    """Return what a put really is whose condition did not hold: a conflict, or its own echo.

    An earlier attempt may have written the object, whatever was answered to it; a 503 proves
    nothing of a put. So the object is looked at before anybody is told of a conflict.
    """
    info = yield from look
    if info.outcome is not Outcome.OK:
        return Result(
            Outcome.AMBIGUOUS, code=refusal.code, reason=UNPROVED, request_id=refusal.request_id
        )
    there: FoundObject | None = info.value
    if there is not None and there.write_id == call.write_id:
        return Result.ok(there.revision, request_id=refusal.request_id)
    return another_object(refusal.request_id)
