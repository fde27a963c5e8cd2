"""What an exception of a handler does to its key, and how a failure is kept and told again."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, TypeAlias

from leeward.app.idempotency.record import Failure
from leeward.errors import ConfigError
from leeward.text import class_name

FailureName: TypeAlias = Literal["release", "replay", "rerun"]
Failures: TypeAlias = Mapping[type[Exception], FailureName] | Literal["replay", "rerun"] | None


class Treatment(Enum):
    """What becomes of the key when a handler has raised."""

    RELEASE = "release"
    """Nothing has run: the key is as if it had not been used."""
    REPLAY = "replay"
    """It has failed for good: repeats get the same failure."""
    RERUN = "rerun"
    """It has failed in part, and the handler goes on with it: repeats run again, and know."""
    KEEP = "keep"
    """Nobody knows: the key is kept, and repeats are refused."""


def check_failures(failures: Failures, what: str) -> Mapping[type[Exception], Treatment]:
    """Return what was declared, by class; `what` names the handler.

    Raises:
        ConfigError: an entry is wrong; it names which.
    """
    if failures is None:
        return {}
    declared: object = {Exception: failures} if isinstance(failures, str) else failures
    if not isinstance(declared, Mapping):
        raise ConfigError(f"failures of {what} must be a mapping of exceptions, or one word")
    found: dict[type[Exception], Treatment] = {}
    for kind, word in declared.items():
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise ConfigError(f"failures of {what}: {kind!r} is not a class of exceptions")
        if word not in ("release", "replay", "rerun"):
            raise ConfigError(
                f"failures of {what}: {kind.__name__} must be release, replay or rerun, "
                f"not {word!r}"
            )
        found[kind] = Treatment(word)
    return found


def treatment_of(
    error: Exception, declared: Mapping[type[Exception], Treatment], *, nothing_ran: bool
) -> Treatment:
    """Return what `error` does to the key: the nearest declaration, else what is proved."""
    for kind in type(error).__mro__:
        found = declared.get(kind)
        if found is not None:
            return found
    return Treatment.RELEASE if nothing_ran else Treatment.KEEP


def failure_of(error: Exception, treatment: Treatment) -> Failure:
    """Return what is kept of an exception; its arguments only where it is told again."""
    kept = treatment is Treatment.REPLAY and all(_is_plain(each) for each in error.args)
    return Failure(
        class_name(error),
        error.args if kept else (),
        rerun=treatment is Treatment.RERUN,
    )


def again(failure: Failure, declared: Mapping[type[Exception], Treatment]) -> Exception | None:
    """Return the exception anew, where its very class was declared; None where that cannot be."""
    for kind in declared:
        if kind.__name__ == failure.type:
            try:
                return kind(*failure.arguments)
            except Exception:  # noqa: BLE001 - the code of somebody else's class
                return None
    return None


def _is_plain(value: Any) -> bool:
    return value is None or type(value) in (str, int, bool, float)
