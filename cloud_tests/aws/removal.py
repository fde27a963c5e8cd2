"""Removing things from AWS, which may be gone already, or busy for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

_GONE: Final = frozenset({"ResourceNotFoundException"})

_BUSY: Final = frozenset(
    "ConcurrentModificationException LimitExceededException ResourceConflictException "
    "ResourceInUseException ThrottlingException TooManyRequestsException".split()
)
"""Codes of Lambda, EventBridge and DynamoDB that say to ask again: a table that is still being
made, a function that is being changed, too many requests. Source: their API references."""

_PATIENCE: Final = 120.0
_PAUSE: Final = 2.0
"""Seconds."""


def remover(call: Callable[..., object], **arguments: Any) -> Callable[[], None]:
    """Return what removes one thing, by `call` with `arguments`; see `Teardown.register`."""

    def remove() -> None:
        deadline = time.monotonic() + _PATIENCE
        while not _tried(call, arguments, last=time.monotonic() > deadline):
            time.sleep(_PAUSE)

    return remove


def _tried(call: Callable[..., object], arguments: dict[str, Any], *, last: bool) -> bool:
    """Return whether the thing is gone; raise an error after which trying again is useless."""
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            return True
        if last or code not in _BUSY:
            raise
        return False
    return True
