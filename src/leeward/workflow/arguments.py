"""What a flow's calls are given: functions, payloads, effects and retries, read and checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from leeward.errors import ConfigError
from leeward.values import Effect
from leeward.workflow.expressions import frozen
from leeward.workflow.model import Template
from leeward.workflow.retry import Retry, checked_retry
from leeward.workflow.symbols import Ref


class Named(NamedTuple):
    """What an app knows of one of its functions.

    Attributes:
        name: the logical name.
        effect: what repeating a call would do.
        timeout: seconds that it may take, or None.
    """

    name: str
    effect: Effect = Effect.UNSAFE
    timeout: float | None = None


Function: TypeAlias = str | Callable[..., Any]
"""A logical name, or a function of the app."""

Resolve: TypeAlias = Callable[[Callable[..., Any]], Named]
"""Tells of a function object what it is called by."""


def by_own_name(function: Callable[..., Any]) -> Named:
    """Return what a function is called that no app knows: by its own name, with hyphens.

    Raises:
        ConfigError: it has none.
    """
    named: Any = function
    name = getattr(named, "__name__", None)
    if not isinstance(name, str):
        raise ConfigError(f"a {kind_of(function)} has no name; give a logical name")
    return Named(name.strip("_").lower().replace("_", "-"))


def template_of(value: Any, where: str) -> Template:
    """Return JSON with references in it as a template.

    Args:
        value: given by the user.
        where: it stands, for messages.

    Raises:
        ConfigError: it holds something else.
    """
    return frozen(_dereferenced(value, where))


def _dereferenced(value: Any, where: str) -> Any:
    if isinstance(value, Ref):
        return value.reference
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise ConfigError(f"{where}: a field is named by a {kind_of(name)}, not by a text")
        return {name: _dereferenced(each, where) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_dereferenced(each, where) for each in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise ConfigError(f"{where}: a value of class {kind_of(value)} is neither JSON nor a reference")


def effect_of(given: Effect | str | None, default: Effect, where: str) -> Effect:
    """Return the effect that was given, else the default.

    Raises:
        ConfigError: there is no such effect.
    """
    try:
        return default if given is None else Effect(given)
    except ValueError:
        names = ", ".join(each.value for each in Effect)
        raise ConfigError(f"{where}: effect must be one of {names}") from None


def retry_of(retry: Retry | None, default: Retry, where: str) -> Retry:
    """Return the retry that was given, checked, else the default.

    Raises:
        ConfigError: it is wrong; the message tells where.
    """
    try:
        return checked_retry(retry, default).with_proofs()
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def whole_seconds(seconds: float | None) -> int | None:
    """Return seconds as a whole number, at least one; None for None."""
    return None if seconds is None else max(1, int(seconds))


def kind_of(value: object) -> str:
    """Return the name of a value's type, for messages."""
    return type(value).__name__
