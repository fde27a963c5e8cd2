"""What was declared of an idempotent function, checked once, when it is decorated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from math import isfinite
from os import getpid
from typing import Any, Final, NamedTuple

from leeward.app.context import Context, current
from leeward.app.idempotency.failures import Failures, Treatment, check_failures
from leeward.app.idempotency.keys import (
    Arguments,
    KeySource,
    PrincipalSource,
    Signature,
    key_reader,
    principal_reader,
    signature_of,
)
from leeward.app.idempotency.store import TableClient
from leeward.app.signatures import is_coroutine_function
from leeward.clock import Clock, SystemClock
from leeward.envelope import BY_GROUP, BY_TARGET
from leeward.errors import ConfigError
from leeward.text import is_printable

LEASE: Final = 60.0
"""Seconds, where neither the handler nor its call says how long it may run."""
MARGIN: Final = 10.0
"""Seconds by which a lease outlasts its call: 5 for writing the end, 5 for clocks that differ."""
LONGEST: Final = 1_576_800_000.0
"""Seconds, 50 years: a table keeps an item for at most 100, and a record for `keep` and a lease."""


class Settings(NamedTuple):
    """What holds for all calls of one function; `idempotent` explains each.

    Attributes:
        lease: seconds, or None for what the call has left.
        keep: seconds.
        names_principal: it says whose a key is, or that all callers are one.
        awaited: it is a coroutine function.
    """

    function: str
    table: str
    signature: Signature
    read_key: Callable[[Arguments, Any], str]
    read_principal: Callable[[Context | None], str | None]
    names_principal: bool
    lease: float | None
    keep: float
    failures: Mapping[type[Exception], Treatment]
    run_unrecorded: bool
    effects_marked: bool
    run_unknown: bool
    scope: str
    client: Callable[[], TableClient]
    clock: Clock
    awaited: bool


class Records(NamedTuple):
    """Where the records of a function are, and for how long, as `idempotent` was told."""

    table: str
    key: KeySource
    principal: PrincipalSource
    name: str | None
    lease: float | timedelta | None
    keep: float | timedelta
    scope: str
    client: TableClient | Callable[[], TableClient] | None
    clock: Clock | None


class Rules(NamedTuple):
    """How to treat doubtful repeats, from the arguments of `idempotent`."""

    failures: Failures
    unreachable: str
    effects: str
    unknown: str


def check_settings(function: Callable[..., Any], records: Records, rules: Rules) -> Settings:
    """Check what `idempotent` was given.

    Raises:
        ConfigError: an argument is wrong; it is named.
    """
    if not callable(function):
        raise ConfigError(
            f"@idempotent stands before a function, not a {type(function).__name__}; if other "
            "decorators make something else of it, put it directly before the function"
        )
    what = f"{function.__module__}.{function.__qualname__}"
    signature = signature_of(function, what)
    return Settings(
        what if records.name is None else _name(records.name),
        _text(records.table, "table"),
        signature,
        key_reader(records.key, signature.names, what),
        principal_reader(records.principal, what),
        records.principal != "",
        None if records.lease is None else _seconds(records.lease, "lease"),
        _seconds(records.keep, "keep"),
        check_failures(rules.failures, what),
        _one_of(rules.unreachable, "unreachable", "refuse", "run_and_flag"),
        _one_of(rules.effects, "effects", "anywhere", "marked"),
        _one_of(rules.unknown, "unknown", "refuse", "run"),
        (BY_TARGET, BY_GROUP)[_one_of(records.scope, "dedup_scope", BY_TARGET, BY_GROUP)],
        _opener(records.client, awaited=is_coroutine_function(function)),
        records.clock or SystemClock(),
        is_coroutine_function(function),
    )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value or not is_printable(value):
        raise ConfigError(f"{field} of @idempotent must be a printable text, not {value!r}")
    return value


def _name(value: object) -> str:
    """Return the name of the records; a colon ends it, so that no other name begins like it."""
    name = _text(value, "name")
    if ":" in name:
        raise ConfigError(f"name of @idempotent must be without a colon, not {value!r}")
    return name


def _seconds(value: object, field: str) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigError(f"{field} of @idempotent must be seconds or a timedelta, not {value!r}")
    if not (seconds > 0 and isfinite(seconds)):
        raise ConfigError(f"{field} of @idempotent must be more than 0 seconds, not {value!r}")
    if seconds > LONGEST:
        raise ConfigError(f"{field} of @idempotent must be at most {LONGEST:.0f}, not {value!r}")
    return float(seconds)


def _one_of(value: object, field: str, default: str, other: str) -> bool:
    """Return whether it is the other one."""
    if value not in (default, other):
        raise ConfigError(f"{field} of @idempotent must be {default!r} or {other!r}, not {value!r}")
    return value == other


def _opener(
    client: TableClient | Callable[[], TableClient] | None, *, awaited: bool
) -> Callable[[], TableClient]:
    """Return what gives the client, checked, when it is needed."""
    if client is None:
        return lambda: _running_client(awaited)
    if callable(client):
        opened = cache(lambda _process: _checked(client(), awaited))  # none crosses a fork
        return lambda: opened(getpid())
    found = _checked(client, awaited)
    return lambda: found


def _running_client(awaited: bool) -> TableClient:
    context = current()
    if context is None or context.clients is None:
        return _default_client(awaited)
    return context.async_client if awaited else context.client


@cache
def _default_client(awaited: bool) -> TableClient:
    import leeward

    return leeward.AsyncClient() if awaited else leeward.Client()


def _checked(client: TableClient, awaited: bool) -> TableClient:
    method = getattr(client, "store_data", None)
    if method is None:
        raise ConfigError(
            f"client of @idempotent must be a leeward.Client, not a {type(client).__name__}"
        )
    if is_coroutine_function(method) is not awaited:
        kind, needed = ("coroutine function", "AsyncClient") if awaited else ("function", "Client")
        raise ConfigError(f"client of @idempotent must be a leeward.{needed}, for a {kind}")
    return client
