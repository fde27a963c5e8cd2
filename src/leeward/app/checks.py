"""Checks of an app and of its handlers, made where they are declared; all raise `ConfigError`."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from leeward.app.signatures import (
    IDEMPOTENCY,
    is_coroutine_function,
    is_generator_function,
    parameters_of,
)
from leeward.app.triggers import Kind, ObjectPrefix
from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward.values import NOTHING, Effect, EffectName

if TYPE_CHECKING:
    from leeward.app.handlers import Handler

_NAME: Final = r"[A-Za-z][A-Za-z0-9-]{0,49}"
"""Names that every cloud takes for a function: 50 letters, digits and hyphens."""

MOST_RETRIES: Final = 99  # more than any cloud's queue takes before it gives a message up

LONGEST_RETRY: Final = 900.0
"""Seconds between two attempts, at most: the longest delay of a message of SQS."""


def check_name(name: object, what: str) -> None:
    """Check a name that every cloud must take; `what` says what it names."""
    if not isinstance(name, str) or not re.fullmatch(_NAME, name):
        raise ConfigError(
            f"{what} is {name!r}; use up to 50 letters, digits and hyphens, a letter first, "
            "which every cloud takes"
        )


def check_free(handler: Handler, names: Container[str]) -> None:
    """Check that no handler of another app has the name of this one, where both run."""
    if handler.name in names:
        raise ConfigError(
            f"the {handler.kind.value} handler {handler.name!r} runs here already, of another app; "
            "rename one of them"
        )


def check_text(text: object, field: str) -> None:
    """Check the logical name of a bus, of a queue or of a type."""
    if not isinstance(text, str) or not text:
        kind = "a function: name it in parentheses" if callable(text) else repr(text)
        raise ConfigError(f"{field} must be a non-empty string, not {kind}")


def check_function(function: object, what: str) -> None:
    """Check that `function` can be called, and runs when it is; it may be a coroutine function."""
    if not callable(function):
        raise ConfigError(f"{what} is a {type(function).__name__}; decorate a function")
    if is_generator_function(function):
        raise ConfigError(f"{what} is a generator, which would never run; return a list")


def check_principal(function: object, name: str) -> None:
    """Check that an idempotent function says whose a key is: anybody may call it by HTTP."""
    declared = getattr(function, IDEMPOTENCY, None)
    if declared is not None and not declared.names_principal:
        raise ConfigError(
            f"the idempotent function {name!r} does not say whose its keys are, and a caller who "
            'guesses a key gets the result of another; write @idempotent(principal="platform"), '
            "or principal=FUNCTION_OF_THE_CONTEXT, or principal=None where all callers are one"
        )


def check_queues(handlers: Mapping[str, Handler], named: object, option: str) -> None:
    """Check the keys of an option of a runtime, such as ``dead_letters``."""
    if not isinstance(named, Mapping):
        return  # who reads the option refuses it
    names = {*handlers, *(handler.queue for handler in handlers.values() if handler.queue)}
    for key in named:
        if key not in names:
            near = did_you_mean(str(key), names) or ";"
            raise ConfigError(
                f"{option} names {key!r}, which is neither a handler of the app nor a queue of one"
                f"{near} known: {', '.join(sorted(names)) or 'none'}"
            )


def check_warmed(make: Callable[[], Any]) -> None:
    """Check a function that makes a value to share: it gets no arguments, and nobody awaits it."""
    check_function(make, "what is warmed")
    name = getattr(make, "__name__", "what is warmed")
    if is_coroutine_function(make):
        raise ConfigError(
            f"{name} is a coroutine function; what @app.warm makes is made on no event loop: "
            "decorate a function"
        )
    try:
        parameters = parameters_of(make)
    except (TypeError, ValueError):  # some built-ins have no signature
        return
    names = (*parameters.positional, *parameters.keyword)
    needed = [name for name in names if name not in parameters.defaults]
    if needed:
        raise ConfigError(f"{name} needs {needed[0]!r}, and @app.warm hands it nothing")


def check_limits(timeout: object, retries: object) -> None:
    """Check the seconds that a handler may take, and how often it is tried again."""
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e6
    ):
        raise ConfigError(f"timeout must be a positive number of seconds, not {timeout!r}")
    pauses = list(retries) if isinstance(retries, list | tuple) else ()
    count = len(pauses) or retries
    is_right = count is None or (type(count) is int and 0 <= count <= MOST_RETRIES)
    if not is_right or any(
        type(pause) not in (int, float) or not 0 <= pause <= LONGEST_RETRY for pause in pauses
    ):
        raise ConfigError(
            f"retries must be 0 to {MOST_RETRIES}, or the seconds before each retry, such as "
            f"[5, 60, {LONGEST_RETRY:.0f}], which is the longest; not {retries!r}"
        )


def classes_in(final: object) -> tuple[type[BaseException], ...]:
    """Return the classes of errors after which a handler is not tried again."""
    classes = tuple(final) if isinstance(final, Iterable) else (None,)
    for kind in classes:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigError("final must list classes of exceptions, such as [ValueError]")
    return classes


def effect_of(effect: Effect | EffectName) -> Effect:
    """Return the effect that is named."""
    try:
        return Effect(effect)
    except ValueError:
        names = ", ".join(effect.value for effect in Effect)
        raise ConfigError(f"unknown effect {effect!r}; known: {names}") from None


def check_place(handlers: Mapping[str, Handler], name: str, kind: Kind, queue: str | None) -> None:
    """Check that no other handler has the name of this one, or reads its queue.

    A queue is shared out among all who read it: of two handlers, each would miss messages. Calls of
    `Client.enqueue` come through a queue of the function's name, and objects through a queue of
    their handler's name.
    """
    if name in handlers:
        raise ConfigError(
            f"the app has a handler {name!r} already, {handlers[name]!r}; give this one another "
            "name"
        )
    reads = _queue_of(name, kind, queue)
    for other in handlers.values():
        if reads is not None and reads == _queue_of(other.name, other.kind, other.queue):
            raise ConfigError(
                f"the queue {reads!r} has a handler already, {other!r}: each would miss messages "
                "of the other; name another queue, or do both in one handler"
            )


def _queue_of(name: str, kind: Kind, queue: str | None) -> str | None:
    """Return the queue that a handler reads; None for none."""
    return name if kind in (Kind.CALL, Kind.OBJECT) else queue


def check_object_place(bucket: object, prefix: object) -> None:
    """Check which objects a handler takes."""
    check_text(bucket, "bucket")
    if "/" in str(bucket):
        raise ConfigError(f"bucket is {bucket!r}; name it alone, and put the rest into prefix")
    if not isinstance(prefix, str):
        raise ConfigError(f"prefix must be a string, not {prefix!r}")


def prefixes_of(writes: str | Iterable[str]) -> tuple[ObjectPrefix, ...]:
    """Read places: ``inbox/processed/``, or ``inbox`` for a whole bucket; one or several."""
    places = []
    texts: Iterable[object] = (writes,) if isinstance(writes, str) else writes
    for text in texts:
        bucket, _, prefix = text.partition("/") if isinstance(text, str) else ("", "", "")
        if not bucket:
            raise ConfigError(
                f"writes names a bucket and the beginning of keys, such as 'inbox/processed/', not "
                f"{text!r}"
            )
        places.append(ObjectPrefix(bucket, prefix))
    return tuple(places)


def check_no_loop(handlers: Iterable[Handler], names: Mapping[str, str] = NOTHING) -> None:
    """Check that nothing that handlers write makes them run again, however long the way round."""

    def feeds(writer: Handler, taker: Handler) -> bool:
        bucket = taker.bucket or ""
        taken = ObjectPrefix(names.get(bucket, bucket), taker.prefix)
        written = [ObjectPrefix(names.get(to.bucket, to.bucket), to.prefix) for to in writer.writes]
        return any(place.meets(taken) for place in written)

    takers = [handler for handler in handlers if handler.kind is Kind.OBJECT]
    after = {
        writer.name: [taker.name for taker in takers if feeds(writer, taker)] for writer in takers
    }
    for handler in takers:
        way = _find_cycle(handler.name, after)
        if way is None:
            continue
        taken = ObjectPrefix(handler.bucket or "", handler.prefix)
        over = f", by way of {', '.join(map(repr, way))}," if way else ""
        raise ConfigError(
            f"the object handler {handler.name!r} takes {taken} and writes "
            f"{', '.join(map(str, handler.writes))}: its output{over} would make it run again, "
            "without end; give input and output prefixes of which none begins with the other, such "
            f'as prefix="in/" and writes="{handler.bucket}/processed/", or write into another '
            "bucket"
        )


def _find_cycle(start: str, after: Mapping[str, list[str]]) -> list[str] | None:
    """Return the names on a way from `start` to itself, without it; None if there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for name in after[way[-1]]:
            if name == start:
                return way[1:]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None
