"""How a handler is called, and what it may know of its call."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.clock import Clock
from leeward.errors import ConfigError
from leeward.masking import masked

Function: TypeAlias = Callable[..., Any]
"""A handler: it takes a payload or an event, and a `Context` if it has a second parameter."""


class Context(NamedTuple):
    """What a function or subscriber may know of the call; handed to its second parameter.

    Attributes:
        function: name of the function or subscription.
        idempotency_key: the same on every attempt; for an event its source and id.
        attempt: 1 for the first delivery.
        deadline: on the clock's `monotonic`, when the caller stops waiting.
        clock: tells how much of that is left.
    """

    function: str
    idempotency_key: str
    attempt: int
    deadline: float
    clock: Clock

    def __repr__(self) -> str:
        return masked(self, "function idempotency_key attempt deadline")

    def remaining(self) -> float:
        """Return the seconds until the deadline, never less than 0."""
        return max(0.0, self.deadline - self.clock.monotonic())


def check_callable(function: object, what: str) -> None:
    """Check that `function` can be called on a thread of its own.

    Raises:
        ConfigError: it cannot be called, or is a coroutine function; `what` names it.
    """
    from inspect import iscoroutinefunction

    if not callable(function):
        raise ConfigError(f"{what} is a {type(function).__name__}; give something callable")
    if iscoroutinefunction(function):
        raise ConfigError(f"{what} is a coroutine function; wrap it: asyncio.run(...)")


_CALL: Final[ContextVar[Context | None]] = ContextVar("leeward_call", default=None)


def running_call() -> Context | None:
    """Return the context of the call that is under way here; None where there is none."""
    return _CALL.get()


def run(function: Function, payload: Any, context: Context) -> Any:
    """Call `function`, with the context if it takes a second positional parameter."""
    token = _CALL.set(context)
    try:
        if takes_context(function):
            return function(payload, context)
        return function(payload)
    finally:
        _CALL.reset(token)


def takes_context(function: Function) -> bool:
    """Return whether `function` has a second positional parameter."""
    from inspect import Parameter, signature

    try:
        parameters = signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-ins do not tell
        return False
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional for each in parameters) > 1
