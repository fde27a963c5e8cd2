"""Checks of what operations share: names, keys, times and ids, and what a call needs of a target.

Each check of an argument raises `InvalidRequest` with the field and the remedy, and returns the
checked value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from sys import maxsize
from typing import Any, Final

from leeward.adapter import Capability, Driver, Limits
from leeward.calls import (
    OBJECT_VERBS,
    RUN_VERBS,
    Call,
    Delete,
    Enqueue,
    Invoke,
    Key,
    ListItems,
    Load,
    Publish,
    Scan,
    Settle,
    Store,
)
from leeward.errors import InvalidRequest, PayloadTooLarge, Unsupported
from leeward.text import is_printable
from leeward.values import Effect


class OrderLimits:
    """The limits of an order of targets; the `smallest` hold on every one of them."""

    def __init__(self, by_target: Mapping[str, Limits]) -> None:
        self.smallest = Limits.smallest([*by_target.values()])
        self._by_target = by_target

    def takes(self, limit: str) -> str:
        """Return which target takes the least, and how much; `limit` is a field of `Limits`."""
        smallest = getattr(self.smallest, limit)
        names = [
            name for name, limits in self._by_target.items() if getattr(limits, limit) == smallest
        ]
        return f"{', '.join(names)} takes at most {smallest}"

    def check(
        self, size: int, limit: str, has: str, remedy: str, *, field: str, unit: str = "bytes"
    ) -> None:
        """Raise `PayloadTooLarge` for a size above a limit; `has` and `unit` say what it is."""
        if size > getattr(self.smallest, limit):
            raise PayloadTooLarge(
                f"{has} {size} {unit}, and {self.takes(limit)}{remedy}", field=field
            )


_BOUNDS: Final[Mapping[Capability, str]] = {
    Capability.INVOKE: "payload_bytes",
    Capability.ENQUEUE: "queued_bytes",
    Capability.PUBLISH: "event_bytes attribute_bytes batch_events batch_bytes",
    Capability.TABLES: "item_bytes nesting key_bytes name_bytes",
    Capability.OBJECTS: "object_bytes object_name_bytes",
}
"""The limits that only a target with a capability has."""


def limits_of(driver: Driver) -> Limits:
    """Return the limits of a target; what it cannot do has none, and so counts nowhere."""
    lacking = [fields for kind, fields in _BOUNDS.items() if kind not in driver.capabilities]
    if not lacking:
        return driver.limits
    unbounded: dict[str, Any] = dict.fromkeys(" ".join(lacking).split(), maxsize)
    return driver.limits._replace(**unbounded)


MAX_NAME = 256  # characters of a function's, bus's or table's logical name

MAX_IDEMPOTENCY_KEY = 255
"""Characters. It travels as an HTTP header; the IETF draft names no limit, vendors use 255."""

MAX_SECONDS = 24 * 3600.0  # the longest deadline, in seconds

MAX_EXPIRY = 100 * 365 * 24 * 3600.0
"""Seconds. DynamoDB and Firestore ignore or refuse expiries much further away."""


def check_name(value: Any, field: str) -> str:
    """Check the name of a function, bus or table."""
    if type(value) is str and len(value) <= MAX_NAME and value.isprintable() and value.strip():
        return value
    text = _text(value, field)
    if len(text) > MAX_NAME:
        raise InvalidRequest(
            f"{field} has {len(text)} characters; at most {MAX_NAME} are allowed", field=field
        )
    return text


def check_effect(value: Any) -> Effect | None:
    """Check an effect, given as `Effect` or as its value."""
    if value is None or isinstance(value, Effect):
        return value
    names = [effect.value for effect in Effect]
    if not isinstance(value, str) or value not in names:
        raise InvalidRequest(
            f"effect is {display(value)}; it must be one of {', '.join(names)}", field="effect"
        )
    return Effect(value)


def check_policy(value: str | None, configured: str | None, policy: str, field: str) -> bool:
    """Check what is to be done about a call that did not go well; return whether it is `policy`.

    The other one is ``raise``, which holds by default.
    """
    word = configured if value is None else value
    if word not in (None, "raise", policy):
        raise InvalidRequest(
            f"{field} is {display(word)}; it must be {policy!r} or 'raise'", field=field
        )
    return word == policy


def check_call_id(value: Any) -> int:
    """Check the number of a call."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(
            f"call_id is {display(value)}; it must be a whole number, as in `attempts`",
            field="call_id",
        )
    return value


def check_targets(value: Any, order: Collection[str], able: Collection[str]) -> tuple[str, ...]:
    """Check the targets that one call is narrowed to: names of the order, each once."""
    given = value.split(",") if isinstance(value, str) else value
    several = isinstance(given, Sequence) and not isinstance(given, bytes | bytearray)
    if not several or not given or any(not isinstance(text, str) for text in given):
        problem = f"is {display(value)}; it must be the name of a target of the order, or several "
        raise InvalidRequest(f"targets {problem}of them", field="targets")
    names = tuple(text.strip() for text in given)
    for name in names:
        if name not in order:
            problem = f"names {display(name)}, which is not in the order; it has {', '.join(order)}"
            raise InvalidRequest(f"targets {problem}", field="targets")
    if len(set(names)) < len(names):
        raise InvalidRequest("targets names a target twice; name each once", field="targets")
    if not set(names) & set(able):
        problem = f"names no target that may serve this call; name one of {', '.join(able)}"
        raise InvalidRequest(f"targets {problem}, or leave it out", field="targets")
    return names


def check_idempotency_key(value: Any) -> str | None:
    """Check an idempotency key: printable ASCII, because it travels as a header."""
    if value is None:
        return None
    text = _text(value, "idempotency_key")
    if len(text) > MAX_IDEMPOTENCY_KEY or not text.isascii() or text != text.strip():
        raise InvalidRequest(
            f"idempotency_key must be at most {MAX_IDEMPOTENCY_KEY} printable ASCII characters "
            "without blanks at its ends; use a hash of a longer text",
            field="idempotency_key",
        )
    return text


def check_timeout(value: Any) -> float:
    """Check a deadline in seconds."""
    return _seconds(value, "timeout", MAX_SECONDS)


def check_limit(value: Any, limit: int) -> None:
    """Check how many entries a list may have."""
    if type(value) is not int or not 1 <= value <= limit:
        raise InvalidRequest(f"limit must be a whole number from 1 to {limit}", field="limit")


def check_wait(value: Any) -> float:
    """Check how many seconds to wait: 0 or more, and infinity for as long as it takes."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise InvalidRequest("timeout must be a number of seconds, at least 0", field="timeout")
    return float(min(value, MAX_EXPIRY))


def expires_at(value: Any, now: float) -> float:
    """Turn `expires_in`, seconds or a timedelta, into Unix seconds."""
    if not isinstance(value, int | float):
        from datetime import timedelta

        value = value.total_seconds() if isinstance(value, timedelta) else value
    return now + _seconds(value, "expires_in", MAX_EXPIRY)


def check_condition(if_absent: Any, if_revision: Any) -> str | None:
    """Check the condition of a write; return the revision, which a receipt or a record gave."""
    if not isinstance(if_absent, bool):
        raise InvalidRequest(
            f"if_absent must be True or False, not {display(if_absent)}", field="if_absent"
        )
    if if_revision is None:
        return None
    if if_absent:
        raise InvalidRequest(
            "if_absent and if_revision exclude each other; give one", field="if_revision"
        )
    return _text(if_revision, "if_revision")


def key_of_item(item: Mapping[str, Any], fields: tuple[str, ...], limits: OrderLimits) -> Key:
    """Return the key of an item."""
    absent = [field for field in fields if field not in item]
    if absent:
        raise InvalidRequest(
            f"item[{absent[0]!r}] is missing, and is part of the table's key; add it, or set key "
            "in [tables] of leeward.toml",
            field=f"item[{absent[0]!r}]",
        )
    return _key(fields, [item[field] for field in fields], "item", limits)


def key_of(key: Any, fields: tuple[str, ...], limits: OrderLimits) -> Key:
    """Read the `key` argument: the one field's value, or a mapping of all fields."""
    if isinstance(key, Mapping):
        if set(key) != set(fields):
            raise InvalidRequest(
                f"key must have exactly the fields {list(fields)}, which are the table's key; "
                "write those, or set key in [tables] of leeward.toml",
                field="key",
            )
        return _key(fields, [key[field] for field in fields], "key", limits)
    if len(fields) > 1:
        raise InvalidRequest(
            f"the table's key has {len(fields)} fields; pass a mapping with {list(fields)}",
            field="key",
        )
    check_key_value(key, "key", limits)
    return Key(fields, (key,))


def _key(fields: tuple[str, ...], values: list[Any], argument: str, limits: OrderLimits) -> Key:
    for field, value in zip(fields, values, strict=True):
        check_key_value(value, f"{argument}[{field!r}]", limits)
    return Key(fields, tuple(values))


def check_key_value(value: Any, field: str, limits: OrderLimits) -> None:
    """Check the value of a field of a key."""
    if type(value) is not str:
        raise InvalidRequest(
            f"{field} must be a string, not {type(value).__name__}; write it as text", field=field
        )
    if not value:
        raise InvalidRequest(f"{field} is empty; a key needs at least one character", field=field)
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidRequest(
            f"{field} has a lone surrogate, which is not UTF-8; remove it", field=field
        ) from None
    limits.check(size, "key_bytes", f"{field} has", "; shorten or hash it", field=field)


def display(value: object) -> str:
    """Return a wrong value for a message: a short text itself, of anything else the type."""
    if isinstance(value, str) and len(value) <= MAX_NAME:
        return repr(value)
    return f"of type {type(value).__name__}"


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string, not {type(value).__name__}", field=field)
    if not str.strip(value):
        raise InvalidRequest(f"{field} is empty; give it a value", field=field)
    if not is_printable(value):
        raise InvalidRequest(
            f"{field} has a control character or a lone surrogate; remove it", field=field
        )
    return value


def _seconds(value: Any, field: str, limit: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(
            f"{field} must be a number of seconds, not {type(value).__name__}", field=field
        )
    if not 0 < value <= limit:
        raise InvalidRequest(
            f"{field} is out of range; it must be more than 0 and at most {limit:.0f} seconds",
            field=field,
        )
    return float(value)


_REMEDIES: Mapping[Capability, str] = {
    Capability.INVOKE: "use an order without this target for the call",
    Capability.ENQUEUE: "use invoke, or an order without this target for the call",
    Capability.PUBLISH: "use an order without this target for the call",
    Capability.ORDERING: "publish without ordering_key",
    Capability.TABLES: "give the table another home",
    Capability.CONDITIONS: "store without a condition, or give the table another home",
    Capability.EXPIRY: "store without expires_in, or give the table another home",
    Capability.COMPOSITE_KEYS: "use a key of one field, or give the table another home",
    Capability.SCAN: "give the table another home",
    Capability.RANGES: "give the table another home",
    Capability.OBJECTS: "give the bucket another home",
    Capability.WORKFLOWS: "set workflow_target to another target, or to 'local'",
}

_DATA = frozenset({Capability.TABLES, Capability.COMPOSITE_KEYS})

POSSIBLE: Mapping[str, frozenset[Capability]] = {
    "invoke": frozenset({Capability.INVOKE}),
    "settle": frozenset({Capability.INVOKE}),
    "enqueue": frozenset({Capability.ENQUEUE}),
    "publish": frozenset({Capability.PUBLISH, Capability.ORDERING}),
    "store": _DATA | {Capability.CONDITIONS, Capability.EXPIRY},
    "load": _DATA,
    "delete": _DATA | {Capability.CONDITIONS},
    "scan": frozenset({Capability.SCAN}),
    "list_items": frozenset({Capability.RANGES}),
    **dict.fromkeys(OBJECT_VERBS, frozenset({Capability.OBJECTS})),
    **dict.fromkeys(RUN_VERBS, frozenset({Capability.WORKFLOWS})),
}
"""What calls of a verb may need. A call is looked at only where a target lacks one of these."""


def needed_by(call: Call) -> list[Capability]:
    """List what a target must be able to do to serve `call`."""
    match call:
        case Invoke() | Settle():
            return [Capability.INVOKE]
        case Enqueue():
            return [Capability.ENQUEUE]
        case Publish():
            ordered = any(event.ordering_key is not None for event in call.events)
            return [Capability.PUBLISH, *[Capability.ORDERING] * ordered]
        case Scan():
            return [Capability.SCAN]
        case ListItems():
            return [Capability.RANGES]
        case Store() | Load() | Delete():
            pass
        case _:
            return [Capability.WORKFLOWS if call.verb in RUN_VERBS else Capability.OBJECTS]
    wanted = [Capability.TABLES]
    if len(call.key.fields) > 1:
        wanted.append(Capability.COMPOSITE_KEYS)
    if isinstance(call, Store | Delete) and call.if_revision is not None:
        wanted.append(Capability.CONDITIONS)
    if isinstance(call, Store):
        wanted += [Capability.CONDITIONS] * call.if_absent
        wanted += [Capability.EXPIRY] * (call.expires_at is not None)
    return wanted


def require(call: Call, drivers: Iterable[Driver]) -> None:
    """Raise `Unsupported` if one of `drivers` lacks what `call` needs."""
    wanted = needed_by(call)
    for driver in drivers:
        for capability in wanted:
            if capability not in driver.capabilities:
                raise Unsupported(_refusal(call, driver, capability), target=driver.target)


def _refusal(call: Call, driver: Driver, capability: Capability) -> str:
    """Return the message: the target cannot, or could if it were configured."""
    if capability in driver.missing:
        lack = f"{capability.value!r} is not configured for {driver.target!r}"
        return f"{lack}: {driver.missing[capability]}; nothing was sent"
    what = capability.value
    need = what if what == call.verb else f"{what}, which this {call.verb} needs"
    return f"{driver.target} does not support {need}; nothing was sent; {_REMEDIES[capability]}"
