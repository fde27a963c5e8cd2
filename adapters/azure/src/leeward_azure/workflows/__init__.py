"""Workflows: a definition as an app of Durable Functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward_azure.workflows.durable import register

__all__ = ["register"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from leeward_azure.workflows import durable

    return getattr(durable, name)
