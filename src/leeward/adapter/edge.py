"""What an adapter needs to write rules for its provider's edge, and to package functions for it."""

from __future__ import annotations

from leeward.edge.exports import (
    Association,
    Edge,
    Export,
    FunctionWish,
    Trigger,
    refused,
)
from leeward.edge.rules import FORBIDDEN, Headers, Rule, is_prefix, overlaps, stem

__all__ = [
    "FORBIDDEN",
    "Association",
    "Edge",
    "Export",
    "FunctionWish",
    "Headers",
    "Rule",
    "Trigger",
    "is_prefix",
    "overlaps",
    "refused",
    "stem",
]
