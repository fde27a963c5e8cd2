"""Which capabilities a call needs, and the refusal of a target that lacks one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leeward.adapter import Capability, Driver
from leeward.calls import (
    OBJECT_VERBS,
    RUN_VERBS,
    Call,
    Delete,
    Enqueue,
    Invoke,
    Load,
    Publish,
    Scan,
    Settle,
    Store,
)
from leeward.errors import Unsupported

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
    return (
        f"{driver.target} does not support {capability.value}, which this {call.verb} needs; "
        f"nothing was sent; {_REMEDIES[capability]}"
    )
