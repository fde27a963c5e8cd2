"""What may be said of a handler when it is registered; all of it is refused here or never."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.values import Effect, EffectName

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,49}")
"""What a function may be called on every cloud: 50 letters, digits and hyphens."""

MOST_RETRIES: Final = 99
"""More than any cloud's queue takes before it gives a message up."""


def check_retries(retries: object) -> None:
    """Check how often a handler is tried again; None leaves that open.

    Raises:
        ConfigError: it is not such a number.
    """
    if retries is not None and (type(retries) is not int or not 0 <= retries <= MOST_RETRIES):
        raise ConfigError(f"retries must be 0 to {MOST_RETRIES}, not {retries!r}")


def errors_of(final: Iterable[Any]) -> tuple[type[BaseException], ...]:
    """Return the classes of errors after which a handler is not run again.

    Raises:
        ConfigError: something else is among them.
    """
    classes = tuple(final)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise ConfigError("final must list classes of exceptions")
    return classes


def effect_of(effect: Effect | EffectName) -> Effect:
    """Return an effect by its name.

    Raises:
        ConfigError: there is none of that name.
    """
    try:
        return Effect(effect)
    except ValueError:
        known = ", ".join(each.value for each in Effect)
        raise ConfigError(f"unknown effect {effect!r}; known: {known}") from None


def check_name(name: object, what: str) -> None:
    """Check a name that is to be the same on every cloud; `what` says whose it is.

    Raises:
        ConfigError: a cloud does not take it.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what} is {name!r}; use up to 50 letters, digits and hyphens, a letter first, "
            "which every cloud takes"
        )


def check_text(text: object, field: str) -> None:
    """Check that a field is a text and not empty.

    Raises:
        ConfigError: it is not.
    """
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{field} must be a non-empty string, not {text!r}")


def check_seconds(seconds: object) -> None:
    """Check how many seconds a handler may take.

    Raises:
        ConfigError: it is not such a number.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e6:
        raise ConfigError(f"timeout must be a positive number of seconds, not {seconds!r}")
