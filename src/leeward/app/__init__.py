"""The function side: write a function once, run it on every cloud and in this process."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward.app.answers import InvalidInput, Problem
    from leeward.app.app import App
    from leeward.app.context import Context, current
    from leeward.app.idempotency.decorator import idempotent
    from leeward.app.triggers import Message, ObjectEvent

__all__ = [
    "App",
    "Context",
    "InvalidInput",
    "Message",
    "ObjectEvent",
    "Problem",
    "current",
    "idempotent",
]

_MODULES = {
    "App": "leeward.app.app",
    "Context": "leeward.app.context",
    "InvalidInput": "leeward.app.answers",
    "Message": "leeward.app.triggers",
    "ObjectEvent": "leeward.app.triggers",
    "Problem": "leeward.app.answers",
    "current": "leeward.app.context",
    "idempotent": "leeward.app.idempotency.decorator",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
