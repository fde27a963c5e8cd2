"""PostgreSQL for leeward: tables, objects, queues and buses in the user's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward_postgres.outboxes import Outbox, outbox

__all__ = ["Outbox", "outbox"]


def __getattr__(name: str) -> Any:
    """Load what writes into a user's transaction when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from leeward_postgres import outboxes

    return getattr(outboxes, name)
