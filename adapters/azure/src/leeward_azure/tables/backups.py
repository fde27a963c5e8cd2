"""Cosmos DB backs up by itself, and neither a backup nor an export can be asked for.

Source: "Online backup and on-demand data restore" in the documentation of Azure Cosmos DB.
"""

from __future__ import annotations

from typing import Any

from leeward.adapter.plans import Plan, Planner, View
from leeward.errors import Unsupported


def backups(_: Any) -> dict[str, Planner]:
    """Return the planners that say so."""
    return {"start_native": start}


def start(_: Any, view: View) -> Plan:
    """Refuse.

    Raises:
        Unsupported: always; it names what the service does.
    """
    del view
    yield from ()
    raise Unsupported(
        "Cosmos DB backs up by itself, periodically or continuously, as the account is set up, and "
        "restores into a new account; it has no export. Use a backup of leeward's own, which reads "
        "the container"
    )
