"""Functions that run once for each key: see ``docs/idempotency.md``.

`record` decides, and is pure. `steps` yields the reads and writes of a run, without I/O; `store`
makes them with a client. `decorator` puts that around a function. `probes` are ready-made probes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leeward.app.idempotency.decorator import idempotent
from leeward.app.idempotency.errors import (
    ApprovalPending,
    ApprovalRefused,
    EarlierFailure,
    KeyMissing,
    KeyReused,
    LeaseLost,
    PrincipalMissing,
    RepeatRefused,
)
from leeward.app.idempotency.running import IdempotentRun, current_run, effect, effect_async
from leeward.app.idempotency.settling import CannotTell, Done, NotDone

if TYPE_CHECKING:
    from leeward.app.idempotency.probes import event_probe, http_probe, item_probe

__all__ = [
    "ApprovalPending",
    "ApprovalRefused",
    "CannotTell",
    "Done",
    "EarlierFailure",
    "IdempotentRun",
    "KeyMissing",
    "KeyReused",
    "LeaseLost",
    "NotDone",
    "PrincipalMissing",
    "RepeatRefused",
    "current_run",
    "effect",
    "effect_async",
    "event_probe",
    "http_probe",
    "idempotent",
    "item_probe",
]

_PROBES = frozenset({"event_probe", "http_probe", "item_probe"})
"""They load HTTP of the standard library, so only a program that uses one loads them."""


def __getattr__(name: str) -> Any:
    if name not in _PROBES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("leeward.app.idempotency.probes"), name)
