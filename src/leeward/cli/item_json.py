"""Items to JSON and back: JSON has no bytes and no times, so these get a tag.

``{"$bytes": "aGk="}`` and ``{"$datetime": "2026-01-31T12:00:00+00:00"}``. A map that looks like
one of these is written ``{"$map": {...}}``, so that what was loaded can always be stored again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

BYTES: Final = "$bytes"
DATETIME: Final = "$datetime"
MAP: Final = "$map"
TAGS: Final = (BYTES, DATETIME, MAP)


def tagged(value: Any) -> Any:
    """Return `value` with every bytes and datetime in it as a tagged map."""
    match value:
        case bytes():
            return {BYTES: b64encode(value).decode()}
        case datetime():
            return {DATETIME: value.isoformat()}
        case list():
            return [tagged(each) for each in value]
        case dict():
            inner = {name: tagged(each) for name, each in value.items()}
            return {MAP: inner} if _tag_of(value) else inner
        case _:
            return value


def untagged(value: Any) -> Any:
    """Undo `tagged`.

    Raises:
        ValueError: a tag holds something else than it names.
    """
    if isinstance(value, list):
        return [untagged(each) for each in value]
    if not isinstance(value, dict):
        return value
    tag = _tag_of(value)
    return _untagged_map(value) if tag is None else _meant(tag, value[tag])


def _tag_of(value: dict[str, Any]) -> str | None:
    name = next(iter(value)) if len(value) == 1 else None
    return name if name in TAGS else None


def _untagged_map(value: dict[str, Any]) -> dict[str, Any]:
    return {name: untagged(each) for name, each in value.items()}


def _meant(tag: str, held: Any) -> Any:
    match tag, held:
        case "$map", dict():
            return _untagged_map(held)
        case "$bytes", str():
            return _parsed(held, _from_base64, f"{tag} must hold base64")
        case "$datetime", str():
            return _parsed(held, datetime.fromisoformat, f"{tag} must hold an ISO 8601 time")
    wanted = "an object" if tag == MAP else "a string"
    raise ValueError(f"{tag} must hold {wanted}, not a {type(held).__name__}")


def _parsed(text: str, parse: Callable[[str], Any], fault: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        raise ValueError(fault) from None


def _from_base64(text: str) -> bytes:
    return b64decode(text, validate=True)
