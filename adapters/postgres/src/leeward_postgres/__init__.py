"""PostgreSQL for leeward: tables, objects, queues and buses in the user's own database."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward_postgres.outboxes import outbox

__all__ = ["outbox"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("leeward_postgres.outboxes"), name)
