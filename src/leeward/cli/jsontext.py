"""JSON as text, with every digit of a Decimal, which the standard writer has no way to print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from leeward.values import Json


def read(text: str | bytes, *, exact: bool = False) -> Json:
    """Read JSON; with `exact`, a number with a fraction or an exponent becomes a Decimal.

    Raises:
        ValueError: it is not JSON; the message names the place and shows none of it.
    """
    number = Decimal if exact else None
    try:
        return json.loads(
            text,
            parse_float=number,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_doubles,
        )
    except InvalidOperation:
        raise ValueError("a number is out of all range") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise ValueError("nested too deep") from None


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("an object has a name twice")
    return made


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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
