"""JSON for adapters: `encode` writes what leeward has checked, `decode` reads with distrust."""

from __future__ import annotations

from leeward.json_text import DEEPEST, Undecodable, decode, encode

__all__ = ["DEEPEST", "Undecodable", "decode", "encode"]
