"""JSON for a terminal or another program: a Decimal with every digit, nothing that is obeyed.

The standard library's encoder cannot be taught the first: what its `default` returns must be
something that it knows, and of a subclass of float or int it writes the plain number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from leeward.values import Json


def write(value: Json | Decimal, *, indent: int = 0, ascii_only: bool = False) -> str:
    """Write JSON, Decimals as numbers: on one line, or with `indent` blanks for each level.

    What a terminal would not print, or would obey, is always escaped; with `ascii_only`, whatever
    is not ASCII is.
    """
    return _Writer(indent, ascii_only=ascii_only).written(value, "\n" if indent else "")


class _Writer:
    def __init__(self, indent: int, *, ascii_only: bool) -> None:
        self._step = " " * indent
        self._ascii_only = ascii_only

    def written(self, value: Any, line: str) -> str:
        """Write `value`; `line` begins a new line at its level, if there are lines."""
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, str):
            return self._quoted(value)
        inner = line + self._step
        if isinstance(value, dict):
            items = value.items()
            parts = [f"{self._quoted(name)}: {self.written(each, inner)}" for name, each in items]
            return _enclosed("{}", parts, line, inner)
        if isinstance(value, list | tuple):
            return _enclosed("[]", [self.written(each, inner) for each in value], line, inner)
        return json.dumps(value, allow_nan=False)

    def _quoted(self, text: str) -> str:
        quoted = json.dumps(text, ensure_ascii=self._ascii_only)
        return "".join(each if each.isprintable() else _escaped(each) for each in quoted)


def _enclosed(brackets: str, parts: Sequence[str], line: str, inner: str) -> str:
    body = f",{inner or ' '}".join(parts)
    return f"{brackets[0]}{inner}{body}{line}{brackets[1]}" if parts else brackets


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if not character.isascii() else f"\\u{ord(character):04x}"
