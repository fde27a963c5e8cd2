"""What an idempotency key is worth: by the configuration, and by the functions' own word.

That a function is keyed is declared. Each answer of leeward's handler says what the function really
does: whether a repeated key is recognised, and for one target or for all of them. Where that is
less than what was declared, calls are treated as what they are, until an answer says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leeward.calls import Call, Invoke
from leeward.envelope import BY_GROUP, BY_TARGET, NOT_KEPT, NOT_RECOGNISED, RUNNING, UNKNOWN
from leeward.values import Effect

if TYPE_CHECKING:
    from leeward.routing.health import Health

KNOWN_KEY: Final = frozenset({RUNNING, UNKNOWN, NOT_KEPT})
"""Reasons of an idempotent function that refuses a repeat: an earlier run has the key."""

MOST: Final = 1024
"""Functions at targets that are remembered; the oldest one is forgotten."""

_WORTH: Final = {BY_TARGET: 1, BY_GROUP: 2}


def note(health: Health, target: str, call: Call, dedup: str) -> None:
    """Take in what the answer of a target to `call`, as it was asked for, says of keys."""
    if not isinstance(call, Invoke) or call.effect is not Effect.KEYED:
        return
    at, needed = (target, call.function), 2 if call.shared_dedup else 1
    if _WORTH.get(dedup, 0) >= needed:
        health.keys.pop(at, None)
        return
    word = dedup if dedup in _WORTH else NOT_RECOGNISED
    if health.keys.get(at) == word:
        return
    if len(health.keys) >= MOST:
        del health.keys[next(iter(health.keys))]
    health.keys[at] = word
    from leeward.routing.transitions import tell

    tell(
        health, "key_worth_less", target=target, verb=call.verb, resource=call.function, reason=word
    )


def as_it_is(health: Health, call: Call) -> Call:
    """Return `call` with the effect that it has in truth, if a function has said less of itself.

    Any target of the order counts: what a call that moves may meet is the worst of them.
    """
    if not isinstance(call, Invoke) or call.effect is not Effect.KEYED:
        return call
    words = {health.keys.get((target, call.function)) for target in health.targets.order}
    if NOT_RECOGNISED in words:
        return call._replace(effect=Effect.UNSAFE, time_limit=0.0)
    return call._replace(shared_dedup=False) if BY_TARGET in words else call


def is_unkeyed(call: Call) -> bool:
    """Return whether `call`, as `as_it_is` has it, is unsafe to repeat although it has a key."""
    return isinstance(call, Invoke) and call.effect is Effect.UNSAFE
