"""What is declared of an app and of its handlers, checked where it is declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from leeward.app.objects import ObjectPrefix
from leeward.app.signatures import IDEMPOTENCY, is_coroutine_function, parameters_of
from leeward.app.triggers import Kind
from leeward.errors import ConfigError
from leeward.text import did_you_mean
from leeward.values import NOTHING, Effect, EffectName

if TYPE_CHECKING:
    from leeward.app.handlers import Handler

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,49}")
"""What a function may be called on every cloud: 50 letters, digits and hyphens."""

MOST_RETRIES: Final = 99
"""More than any cloud's queue takes before it gives a message up."""


def check_name(name: object, what: str) -> None:
    """Check a name that every cloud is to take; `what` has it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what} is {name!r}; use up to 50 letters, digits and hyphens, a letter first, "
            "which every cloud takes"
        )


def check_free(handler: Handler, known: Container[str]) -> None:
    """Check that no handler of another app has the name of this one, where both run."""
    if handler.name in known:
        raise ConfigError(
            f"the {handler.kind.value} handler {handler.name!r} runs here already, of another app; "
            "rename one of them"
        )


def check_text(text: object, field: str) -> None:
    """Check the logical name of a bus, of a queue or of a type."""
    if not isinstance(text, str) or not text:
        kind = "a function" if callable(text) else repr(text)
        raise ConfigError(f"{field} must be a non-empty string, not {kind}")


def check_function(function: object, what: str) -> None:
    """Check that `function` can be a handler; it may be a coroutine function.

    Raises:
        ConfigError: it cannot be called.
    """
    if not callable(function):
        raise ConfigError(f"{what} is a {type(function).__name__}; decorate a function")


def check_principal(function: object, name: str) -> None:
    """Check that an idempotent function says whose a key is: anybody may call it by HTTP.

    Raises:
        ConfigError: it does not.
    """
    declared = getattr(function, IDEMPOTENCY, None)
    if declared is not None and not declared.names_principal:
        raise ConfigError(
            f"the idempotent function {name!r} does not say whose its keys are, and a caller who "
            'guesses a key gets the result of another; write @idempotent(principal="platform"), '
            "or principal=FUNCTION_OF_THE_CONTEXT, or principal=None where all callers are one"
        )


def check_queues(handlers: Mapping[str, Handler], named: object, option: str) -> None:
    """Check the keys of an option of a runtime, such as ``dead_letters``.

    Raises:
        ConfigError: one is neither a handler nor the queue of one, so nothing would come of it.
    """
    if not isinstance(named, Mapping):
        return  # whoever reads the option says so
    known = {*handlers, *(each.queue for each in handlers.values() if each.queue)}
    for key in named:
        if key not in known:
            near = did_you_mean(str(key), known) or ";"
            raise ConfigError(
                f"{option} names {key!r}, which is neither a handler of the app nor a queue of one"
                f"{near} known: {', '.join(sorted(known)) or 'none'}"
            )


def check_warmed(make: Callable[[], Any]) -> None:
    """Check what makes something to share: nobody hands it anything, or awaits it."""
    check_function(make, "what is warmed")
    name = getattr(make, "__name__", "what is warmed")
    if is_coroutine_function(make):
        raise ConfigError(
            f"{name} is a coroutine function; what @app.warm makes is made on no event loop: "
            "decorate a function"
        )
    try:
        names, defaults, _ = parameters_of(make)
    except (TypeError, ValueError):  # some built-ins do not tell
        return
    needed = [each for each in names if each not in defaults]
    if needed:
        raise ConfigError(f"{name} needs {needed[0]!r}, and @app.warm hands it nothing")


def check_limits(timeout: object, retries: object) -> None:
    """Check the seconds that a handler may take, and how often it is tried again."""
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e6
    ):
        raise ConfigError(f"timeout must be a positive number of seconds, not {timeout!r}")
    if retries is not None and (type(retries) is not int or not 0 <= retries <= MOST_RETRIES):
        raise ConfigError(f"retries must be 0 to {MOST_RETRIES}, not {retries!r}")


def classes_in(final: object) -> tuple[type[BaseException], ...]:
    """Return the classes of errors after which a handler is not tried again."""
    classes = tuple(final) if isinstance(final, Iterable) else (None,)
    for each in classes:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise ConfigError("final must list classes of exceptions, such as [ValueError]")
    return classes


def effect_of(effect: Effect | EffectName) -> Effect:
    """Return the effect that is named."""
    try:
        return Effect(effect)
    except ValueError:
        known = ", ".join(each.value for each in Effect)
        raise ConfigError(f"unknown effect {effect!r}; known: {known}") from None


def check_place(handlers: Mapping[str, Handler], name: str, kind: Kind, queue: str | None) -> None:
    """Check that nobody else has the name of a handler, or gets what it is to get.

    A queue is shared out among all who read it: of two handlers, each would miss messages. Calls of
    `Client.enqueue` come through the queue of a function's name, and objects through that of their
    handler's, so those are among them.
    """
    if name in handlers:
        raise ConfigError(
            f"the app has a handler {name!r} already, {handlers[name]!r}; give this one another "
            "name"
        )
    reads = _queue_of(name, kind, queue)
    for each in handlers.values():
        if reads is not None and reads == _queue_of(each.name, each.kind, each.queue):
            raise ConfigError(
                f"the queue {reads!r} has a handler already, {each!r}: each would miss messages of "
                "the other; name another queue, or do both in one handler"
            )


def _queue_of(name: str, kind: Kind, queue: str | None) -> str | None:
    """Return the queue that a handler reads; None for none."""
    return name if kind in (Kind.CALL, Kind.OBJECT) else queue


def check_taken(bucket: object, prefix: object) -> None:
    """Check which objects a handler takes.

    Raises:
        ConfigError: bucket or prefix is something else than such a text.
    """
    check_text(bucket, "bucket")
    if "/" in str(bucket):
        raise ConfigError(f"bucket is {bucket!r}; name it alone, and put the rest into prefix")
    if not isinstance(prefix, str):
        raise ConfigError(f"prefix must be a string, not {prefix!r}")


def check_no_loop(handlers: Iterable[Handler], own: Mapping[str, str] = NOTHING) -> None:
    """Check that nothing that handlers write makes them run again, however long the way round.

    Args:
        handlers: of an app.
        own: a target's own names of buckets, by the logical ones; two may be of one bucket.

    Raises:
        ConfigError: it does; the handlers are named, with what to do.
    """
    known = [each for each in handlers if each.kind is Kind.OBJECT]
    after = {
        each.name: [other.name for other in known if _feeds(each, other, own)] for each in known
    }
    for each in known:
        way = _way_back(each.name, after)
        if way is not None:
            raise ConfigError(_loop_message(each, way))


def _feeds(writer: Handler, taker: Handler, own: Mapping[str, str]) -> bool:
    taken = _owned(ObjectPrefix(taker.bucket or "", taker.prefix), own)
    return any(_owned(place, own).meets(taken) for place in writer.writes)


def _owned(place: ObjectPrefix, own: Mapping[str, str]) -> ObjectPrefix:
    return place._replace(bucket=own.get(place.bucket, place.bucket))


def _way_back(start: str, after: Mapping[str, list[str]]) -> list[str] | None:
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


def _loop_message(handler: Handler, way: list[str]) -> str:
    taken = ObjectPrefix(handler.bucket or "", handler.prefix)
    over = f", by way of {', '.join(map(repr, way))}," if way else ""
    written = ", ".join(map(str, handler.writes))
    return (
        f"the object handler {handler.name!r} takes {taken} and writes {written}: its output{over} "
        "would make it run again, without end; give input and output prefixes of which none begins "
        f'with the other, such as prefix="in/" and writes="{handler.bucket}/processed/", or write '
        "into another bucket"
    )
