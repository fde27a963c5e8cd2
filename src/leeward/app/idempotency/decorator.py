"""`idempotent`: a handler whose effect happens once for each key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from types import CoroutineType
from typing import Any, Literal, TypeVar, cast

from leeward.app.idempotency.attempt import Attempt
from leeward.app.idempotency.failures import Failures
from leeward.app.idempotency.keys import KeySource, PrincipalSource
from leeward.app.idempotency.record import Replay
from leeward.app.idempotency.settings import Records, Rules, Settings, check_settings
from leeward.app.idempotency.store import TableClient, perform, perform_async
from leeward.app.signatures import IDEMPOTENCY, Idempotency
from leeward.clock import Clock
from leeward.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])


def idempotent(
    *,
    table: str,
    key: KeySource = None,
    principal: PrincipalSource = "",
    lease: float | timedelta | None = None,
    keep: float | timedelta = 86_400.0,
    failures: Failures = None,
    unreachable: Literal["refuse", "run_and_flag"] = "refuse",
    effects: Literal["anywhere", "marked"] = "anywhere",
    unknown: Literal["refuse", "run"] = "refuse",
    dedup_scope: Literal["target", "group"] = "target",
    name: str | None = None,
    client: TableClient | Callable[[], TableClient] | None = None,
    clock: Clock | None = None,
) -> Callable[[F], F]:
    """Run a function once for each key: a repeat gets the first result, or is refused.

    It guards functions and coroutine functions, handlers of an app and other functions.

    Args:
        table: logical name of the table with the records; its key is ``id``.
        key: where the key is: None for the key of the call; a path that begins with a parameter,
            such as ``order.id``; ``header:Name``; or a function of the same arguments.
        principal: the owner of a key, so that callers do not share keys: ``platform`` for the
            caller that the platform has identified (`Context.principal`), a function of the
            `Context` that returns a text, or None for all callers together. A function of an app
            has to name one.
        lease: seconds after which an unfinished run is assumed dead; longer than the platform lets
            it run. By default the call's remaining time, else 60, and 10 more.
        keep: seconds for which a key is remembered; longer than the latest delivery may come.
        failures: what an exception does to the key, by its class, or one word for all: ``release``
            it, because nothing has run; ``replay`` the failure; or let a repeat ``rerun``.
        unreachable: what to do while the table cannot be reached: ``refuse`` the call, or
            ``run_and_flag``, which may run it twice.
        effects: ``marked`` if the function announces all effects with `effect`, or they are calls
            of a leeward client: a failure before the first effect releases the key. Otherwise
            ``anywhere``.
        unknown: whether a repeat may ``run`` when an earlier run may have had its effect;
            `IdempotentRun.earlier` then says so. Or ``refuse``.
        dedup_scope: ``group`` if the function uses one table on all clouds.
        name: of the records in the table; by default the function's module and name.
        client: a `leeward.Client`, for a coroutine function an `AsyncClient`, or a function that
            returns one; by default the client of the app whose handler runs (`App.client`), else
            one for the process, as the environment configures it.
        clock: for tests, `leeward.testing.FakeClock`.

    Raises:
        ConfigError: an argument is wrong; the message names it.
    """
    records = Records(table, key, principal, name, lease, keep, dedup_scope, client, clock)
    rules = Rules(failures, unreachable, effects, unknown)
    return lambda function: _decorated(function, check_settings(function, records, rules))


def _decorated(function: F, settings: Settings) -> F:
    wrapper = _awaited if settings.awaited else _called
    call = wraps(function)(wrapper(function, settings))
    declared = Idempotency(call, settings.scope, settings.names_principal)
    setattr(call, IDEMPOTENCY, declared)
    return cast("F", call)


def _called(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    def call(*positional: Any, **named: Any) -> Any:
        attempt = Attempt(settings, call, positional, named)
        client, location = settings.client(), attempt.location
        run = attempt.begin(perform(client, location, attempt.claim()), client)
        if isinstance(run, Replay):
            return run.result
        try:
            with run:
                run.start()
                result = function(*positional, **named)
                if type(result) is CoroutineType:
                    result.close()
                    raise _not_yet_run(settings.function)
        except Exception as error:
            attempt.failed(run, perform(client, location, attempt.after_failure(run, error)))
            raise
        end = perform(client, location, attempt.after_success(run, result))
        return attempt.ended(run, end, result)

    return call


def _awaited(function: Callable[..., Any], settings: Settings) -> Callable[..., Any]:
    async def call(*positional: Any, **named: Any) -> Any:
        attempt = Attempt(settings, call, positional, named)
        client, location = settings.client(), attempt.location
        run = attempt.begin(await perform_async(client, location, attempt.claim()), client)
        if isinstance(run, Replay):
            return run.result
        try:
            with run:
                await run.start_async()
                result = await function(*positional, **named)
        except Exception as error:
            steps = attempt.after_failure(run, error)
            attempt.failed(run, await perform_async(client, location, steps))
            raise
        end = await perform_async(client, location, attempt.after_success(run, result))
        return attempt.ended(run, end, result)

    return call


def _not_yet_run(function: str) -> ConfigError:
    """Return the error of a function that looks like a plain one, and is a coroutine function."""
    return ConfigError(
        f"{function!r} returns a coroutine, which has not run; if another decorator makes a plain "
        "function of it, put @idempotent directly before the coroutine function"
    )
