"""What lets one coroutine serve functions and coroutine functions."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any


async def value_of(result: Any) -> Any:
    """Return what a function returned; that of a coroutine function is awaited."""
    return await result if isawaitable(result) else result
