"""Texts for adapters: a masked `repr`, percent-encoding, and what a text may hold."""

from __future__ import annotations

from leeward.masking import mask
from leeward.text import BASE64, is_base64, is_printable, is_token, join_key, percent_encode

__all__ = [
    "BASE64",
    "is_base64",
    "is_printable",
    "is_token",
    "join_key",
    "mask",
    "percent_encode",
]
