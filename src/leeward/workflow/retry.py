"""Which failures of a step are tried again, how often, and after how long. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from leeward.errors import ConfigError
from leeward.records import NamedTuple

YEAR: Final = 365 * 24 * 3600
"""Seconds: the longest that any engine keeps a run."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


def seconds_of(value: Any, field: str, *, highest: int = YEAR) -> int:
    """Return whole seconds, at least 1 and at most `highest`.

    Raises:
        ConfigError: it is something else; the message names `field`.
    """
    seconds = value
    if isinstance(value, str):
        match = re.fullmatch(r"(\d{1,9})([smhd])", value)
        seconds = int(match[1]) * _UNITS[match[2]] if match else None
    if type(seconds) is not int or not 1 <= seconds <= highest:
        raise ConfigError(
            f"{field} must be whole seconds from 1 to {highest}, or a text like '30s', '5m', '24h'"
        )
    return seconds


_ANY = "*"
_PROOFS = ("Call.Throttled", "Call.NotSent")
"""The errors that prove that a function did not run. Every retry covers them."""


class Retry(NamedTuple):
    """Try again, a few times, with growing pauses. Times are whole seconds.

    Attributes:
        on: names of errors; ``*`` for every error. A flow adds the errors that prove that the
            function did not run.
        attempts: how often the function is called at most, including the first time.
        first: the pause before the second attempt.
        factor: each further pause is longer by this factor.
        cap: the longest pause.
        jitter: ``full`` for a random part of each pause.
    """

    on: tuple[str, ...] = _PROOFS
    attempts: int = 3
    first: int = 1
    factor: int = 2
    cap: int = 30
    jitter: Literal["full", "none"] = "none"

    def covers(self, error: str) -> bool:
        """Return whether an error of this name is tried again."""
        return _ANY in self.on or error in self.on

    def with_proofs(self) -> Retry:
        """Return it with the errors that prove "did not run" added, unless it never retries."""
        if self.attempts == 1 or _ANY in self.on:
            return self
        return self._replace(on=tuple(dict.fromkeys((*self.on, *_PROOFS))))

    def pause(self, attempt: int, random_unit: float) -> float:
        """Return the seconds between `attempt` and the one after it.

        Args:
            attempt: 1 for the first.
            random_unit: from 0 to 1; used with jitter only.
        """
        whole = min(float(self.cap), self.first * float(self.factor) ** (attempt - 1))
        return whole * random_unit if self.jitter == "full" else whole


NEVER = Retry(on=(), attempts=1)


def check_retry(retry: Retry | None, default: Retry) -> Retry:
    """Return a user's retry, checked, with its times in whole seconds.

    Raises:
        ConfigError: it is wrong; the message names the field.
    """
    if retry is None:
        return default
    if not isinstance(retry, Retry):
        raise ConfigError(f"retry is a {type(retry).__name__}; write Retry(attempts=3)")
    on: Any = retry.on
    if isinstance(on, str):
        on = (on,)
    if not isinstance(on, tuple | list) or not all(isinstance(name, str) and name for name in on):
        raise ConfigError("retry: on must be names of errors, like ('Busy',)")
    if retry.jitter not in ("full", "none"):
        raise ConfigError("retry: jitter must be 'full' or 'none'")
    return Retry(
        tuple(on),
        _whole(retry.attempts, "attempts", highest=100),
        seconds_of(retry.first, "retry: first"),
        _whole(retry.factor, "factor", highest=10),
        seconds_of(retry.cap, "retry: cap"),
        retry.jitter,
    )


def _whole(value: Any, field: str, *, highest: int) -> int:
    if type(value) is not int or not 1 <= value <= highest:
        raise ConfigError(f"retry: {field} must be a whole number from 1 to {highest}")
    return value
