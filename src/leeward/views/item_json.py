"""Items to JSON and back: JSON has no bytes and no times, so these get a tag.

``{"$bytes": "aGk="}`` and ``{"$datetime": "2026-01-31T12:00:00+00:00"}``. A map that looks like
one of these is written ``{"$map": {...}}``, so that what was loaded can always be stored again.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from leeward.values import Json

BYTES: Final = "$bytes"
DATETIME: Final = "$datetime"
MAP: Final = "$map"
TAGS: Final = (BYTES, DATETIME, MAP)


def tag_value(value: Any) -> Any:
    """Return `value` with every bytes and datetime in it as a tagged map."""
    match value:
        case bytes():
            return {BYTES: b64encode(value).decode()}
        case datetime():
            return {DATETIME: value.isoformat()}
        case list():
            return [tag_value(value_) for value_ in value]
        case dict():
            inner = {name: tag_value(value_) for name, value_ in value.items()}
            return {MAP: inner} if _tag_of(value) else inner
        case _:
            return value


def untag_value(value: Any) -> Any:
    """Undo `tag_value`.

    Raises:
        ValueError: a tag holds something else than it names.
    """
    if isinstance(value, list):
        return [untag_value(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    tag = _tag_of(value)
    return _untagged_map(value) if tag is None else _value_of_tag(tag, value[tag])


def _tag_of(value: dict[str, Any]) -> str | None:
    name = next(iter(value)) if len(value) == 1 else None
    return name if name in TAGS else None


def _untagged_map(value: dict[str, Any]) -> dict[str, Any]:
    return {name: untag_value(inner) for name, inner in value.items()}


def _value_of_tag(tag: str, held: Any) -> Any:
    match tag, held:
        case "$map", dict():
            return _untagged_map(held)
        case "$bytes", str():
            return _parse(held, partial(b64decode, validate=True), f"{tag} must hold base64")
        case "$datetime", str():
            return _parse(held, datetime.fromisoformat, f"{tag} must hold an ISO 8601 time")
    wanted = "an object" if tag == MAP else "a string"
    raise ValueError(f"{tag} must hold {wanted}, not a {type(held).__name__}")


def _parse(text: str, parse: Callable[[str], Any], fault: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise ValueError(fault) from None


def write(value: Json | Decimal, *, indent: int = 0, ascii_only: bool = False) -> str:
    """Write JSON, Decimals as numbers: on one line, or with `indent` blanks for each level.

    What a terminal would not print, or would obey, is escaped; with `ascii_only`, everything
    outside ASCII is.
    """
    return _Writer(indent, ascii_only=ascii_only).write(value, "\n" if indent else "")


class _Writer:
    def __init__(self, indent: int, *, ascii_only: bool) -> None:
        self._step = " " * indent
        self._ascii_only = ascii_only

    def write(self, value: Any, line: str) -> str:
        """Write `value`; `line` begins a new line at its level, if there are lines."""
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, str):
            return self._quote(value)
        inner = line + self._step
        if isinstance(value, dict):
            items = value.items()
            parts = [f"{self._quote(name)}: {self.write(item, inner)}" for name, item in items]
            return _enclose("{}", parts, line, inner)
        if isinstance(value, list | tuple):
            return _enclose("[]", [self.write(part, inner) for part in value], line, inner)
        return json.dumps(value, allow_nan=False)

    def _quote(self, text: str) -> str:
        quoted = json.dumps(text, ensure_ascii=self._ascii_only)
        return "".join(char if char.isprintable() else _escape(char) for char in quoted)


def _enclose(brackets: str, parts: Sequence[str], line: str, inner: str) -> str:
    body = f",{inner or ' '}".join(parts)
    return f"{brackets[0]}{inner}{body}{line}{brackets[1]}" if parts else brackets


def _escape(character: str) -> str:
    return json.dumps(character)[1:-1] if not character.isascii() else f"\\u{ord(character):04x}"
