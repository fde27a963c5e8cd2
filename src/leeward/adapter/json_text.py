"""JSON for adapters: `encode` writes what leeward has checked, `decode` reads with distrust."""

from __future__ import annotations

from leeward.json_text import DEEPEST, Undecodable, decode, decode_apart, encode

__all__ = ["DEEPEST", "Undecodable", "decode", "decode_apart", "encode"]
