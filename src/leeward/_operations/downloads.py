"""A download: an object read range by range, each a request of its own, in bounded memory.

Every range but the first is asked for under the condition that the object is still the one that the
first came from. Where all of it is read its checksum is compared at the end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from hashlib import md5, sha256
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from leeward._operations.errors import error_of
from leeward._operations.results import target_of
from leeward.calls import Call, FoundObject, GetObject, HeadObject, Piece, Result
from leeward.errors import InvalidRequest, Outcome
from leeward.values.objects import ObjectInfo

PIECE_BYTES: Final = 8 * 1024 * 1024
"""Of one range: the answer to one request, which is held in memory whole."""

DAMAGED: Final = "damaged"

Perform: TypeAlias = "Callable[[Call, float], Result[Any]]"
PerformAsync: TypeAlias = "Callable[[Call, float], Awaitable[Result[Any]]]"


class Download:
    """What to ask for next, and what the answers are together. No I/O.

    Put `call` to the target and its result to `take`, for as long as there is a call.

    Args:
        length: bytes at most; None for all there are.

    Attributes:
        first: the call that begins it.
        call: what to ask; None at the end.
        info: the object; None before the first answer, and if there is none.
    """

    def __init__(
        self, bucket: str, name: str, start: int, length: int | None, seconds: float
    ) -> None:
        self.seconds = seconds
        self.info: ObjectInfo | None = None
        self._at = self._start = start
        self._end = None if length is None else start + length
        first = PIECE_BYTES if length is None else min(length, PIECE_BYTES)
        self.first = GetObject(bucket, name, start, first)
        self.call: GetObject | HeadObject | None = self.first
        self._hash: Any = None

    def take(self, result: Result[Any]) -> bytes:
        """Read the answer to `call`; return the bytes that it brought.

        Raises:
            CallError: it is an error; `Conflict` if the object was replaced meanwhile,
                `OutcomeUnknown` if its bytes are not those that were put.
        """
        call = self.call
        assert call is not None, "nothing was asked"
        target = target_of(call, result)
        data, piece = b"", result.value
        if isinstance(piece, Piece):
            data, piece = piece.data, piece.found
            if piece is None and self.info is None:
                self.call = HeadObject(call.bucket, call.name)
                return b""
        if self.info is None:
            if piece is None:
                self.call = None
                return b""
            self.info = info_of(piece, target)._replace(attempts=result.attempts)
            self._begin(piece)
        return self._take(data, result)

    def open(self, perform: Perform) -> ObjectReader | None:
        """Ask for the first bytes; None if there is no such object."""
        first = b""
        while self.info is None and self.call is not None:
            first = self.take(self.ask(perform))
        return ObjectReader(self, first, perform) if self.info else None

    async def open_async(self, perform: PerformAsync) -> AsyncObjectReader | None:
        """Do the same without blocking the event loop."""
        first = b""
        while self.info is None and self.call is not None:
            first = self.take(await self.ask_async(perform))
        return AsyncObjectReader(self, first, perform) if self.info else None

    def ask(self, perform: Perform) -> Result[Any]:
        """Put `call`; once more if that is worth it. There must be one."""
        call: Any = self.call
        began = monotonic()
        result = perform(call, self.seconds)
        left = self.seconds - (monotonic() - began)
        return perform(call, left) if self._is_worth_another(result) and left > 0 else result

    async def ask_async(self, perform: PerformAsync) -> Result[Any]:
        """Do the same without blocking the event loop."""
        call: Any = self.call
        began = monotonic()
        result = await perform(call, self.seconds)
        left = self.seconds - (monotonic() - began)
        return await perform(call, left) if self._is_worth_another(result) and left > 0 else result

    def _is_worth_another(self, result: Result[Any]) -> bool:
        """Return whether a call that was tried only once is one of the rest, or had its body cut.

        The budget for second tries is for a target that fails, and for many calls beside each
        other. A reader has one at a time, and has come further since the last that failed; and who
        has begun to answer does not fail.
        """
        lost = result.outcome in (Outcome.AMBIGUOUS, Outcome.NOT_SENT)
        is_near = self.info is not None or result.executed
        return lost and bool(is_near) and len(result.attempts) == 1

    def _begin(self, info: FoundObject) -> None:
        if self._start > info.size:
            raise InvalidRequest(
                f"start is {self._start}, and the object has {info.size} bytes", field="start"
            )
        self._end = info.size if self._end is None else min(self._end, info.size)
        whole = self._start == 0 and self._end == info.size
        kind = (info.checksum or "").partition(":")[0]
        if whole and kind == "sha256":
            self._hash = sha256()
        elif whole and kind == "md5":
            self._hash = md5(usedforsecurity=False)

    def _take(self, data: bytes, result: Result[Any]) -> bytes:
        assert self.info is not None
        assert self._end is not None
        self._at += len(data)
        if self._hash is not None:
            self._hash.update(data)
        left = self._end - self._at
        if left > 0 and (data or isinstance(self.call, HeadObject)):
            self.call = self.first._replace(
                start=self._at, length=min(left, PIECE_BYTES), if_revision=self.info.revision
            )
            return data
        checksum = (self.info.checksum or "").partition(":")[2]
        if left or (self._hash is not None and self._hash.hexdigest() != checksum):
            raise error_of(self.first, _damage(result))  # again, if somebody reads on
        self.call = None
        return data


def info_of(found_object: FoundObject, target: str) -> ObjectInfo:
    """Return what a caller gets of an object that was found at `target`."""
    return ObjectInfo(
        found_object.name,
        found_object.size,
        found_object.revision,
        target,
        found_object.checksum,
        metadata=MappingProxyType(dict(found_object.metadata)),
    )


def _damage(result: Result[Any]) -> Result[Any]:
    return Result(
        Outcome.AMBIGUOUS,
        code=DAMAGED,
        reason=DAMAGED,
        message="the bytes are not those that were put, by their checksum or number",
        target=result.target,
        attempts=result.attempts,
    )


class _Reader:
    def __init__(self, download: Download, first: bytes, perform: Any) -> None:
        assert download.info is not None
        self.info = download.info
        self._download = download
        self._ready = first
        self._perform = perform


class ObjectReader(_Reader):
    """The bytes of an object, read while they are asked for: iterate, or `read` all of them.

    Each piece is a request of its own. The bytes are read once: a second iteration goes on where
    the first one was left.

    Attributes:
        info: the object.
    """

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 8 MiB.

        Raises:
            Conflict: the object was replaced meanwhile.
            OutcomeUnknown: the bytes do not have the checksum that was kept with the object, which
                is known with the last piece.
            CallError: one class for each other outcome.
        """
        download = self._download
        while True:
            ready, self._ready = self._ready, b""
            if ready:
                yield ready
            if download.call is None:
                return
            self._ready = download.take(download.ask(self._perform))

    def read(self) -> bytes:
        """Return all bytes that were not read yet; raise what iterating does."""
        return b"".join(self)


class AsyncObjectReader(_Reader):
    """`ObjectReader` for asyncio: iterate with ``async for``, or await `read`.

    Attributes:
        info: the object.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the bytes in pieces of at most 8 MiB, and raise what `ObjectReader` does."""
        download = self._download
        while True:
            ready, self._ready = self._ready, b""
            if ready:
                yield ready
            if download.call is None:
                return
            self._ready = download.take(await download.ask_async(self._perform))

    async def read(self) -> bytes:
        """Return all bytes that were not read yet; raise what iterating does."""
        return b"".join([piece async for piece in self])
