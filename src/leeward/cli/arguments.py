"""Arguments of a shell become arguments of a door."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from leeward.cli import itemjson
from leeward.errors import InvalidRequest
from leeward.json_text import DEEPEST, decode
from leeward.values import Item, Json

_DEEPEST = 3 * DEEPEST
"""Of JSON that is typed: each level of an item may have a tag around it. Deeper values than are
taken are refused behind the command line, with the place in the value."""


def json_argument(text: str | None, field: str) -> Json:
    """Read JSON that is given as it is, as ``@file``, or as ``-`` for the standard input.

    Raises:
        InvalidRequest: the file cannot be read, or it is not JSON.
    """
    return None if text is None else _read(text, field, exact=False)


def item_argument(text: str) -> Item:
    """Read an item, given like JSON: numbers stay exact, and tags become bytes and times."""
    try:
        item = itemjson.untagged(_read(text, "item", exact=True))
    except ValueError as error:
        raise InvalidRequest(f"ITEM cannot be read: {error}", field="item") from None
    except RecursionError:
        raise InvalidRequest("ITEM cannot be read: it is nested too deep", field="item") from None
    if not isinstance(item, dict):
        raise InvalidRequest('ITEM must be a JSON object, like \'{"id": "42"}\'', field="item")
    return item


def key_argument(words: Sequence[str]) -> str | dict[str, str]:
    """Read a key: one word, a JSON object, or several words ``field=value``."""
    if len(words) > 1:
        return _without_doubles([_field(word) for word in words])
    (word,) = words
    if not word.startswith("{"):
        return word
    key: dict[str, str] = _read(word, "key", exact=False)
    return key


def time_argument(text: str | None) -> datetime | None:
    """Read an ISO 8601 time."""
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            "time is no ISO 8601 time; write it like 2026-01-31T12:00:00Z", field="time"
        ) from None


def _read(text: str, field: str, *, exact: bool) -> Json:
    try:
        return decode(_source(text, field), deepest=_DEEPEST, exact=exact)
    except ValueError as error:
        hint = "" if text.startswith(("@", "-", "{", "[")) else "; a string needs '\"two quotes\"'"
        raise InvalidRequest(f"{field.upper()} is not JSON: {error}{hint}", field=field) from None


def _source(text: str, field: str) -> str:
    if text == "-":
        if sys.stdin is None:
            raise InvalidRequest(
                f"{field.upper()} is -, but there is no standard input", field=field
            )
        return _decoded(sys.stdin.buffer.read())
    if not text.startswith("@"):
        return text
    try:
        return _decoded(Path(text[1:]).read_bytes())
    except OSError as error:
        raise InvalidRequest(
            f"{field.upper()} names the file {text[1:]!r}, which cannot be read: {error.strerror}",
            field=field,
        ) from error


def _decoded(data: bytes) -> str:
    """Decode what some shells and editors write: UTF-8, or UTF-16 or UTF-32 that shows itself."""
    from json import detect_encoding

    try:
        return data.decode(detect_encoding(data))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None


def _without_doubles(fields: list[tuple[str, str]]) -> dict[str, str]:
    key = dict(fields)
    if len(key) < len(fields):
        raise InvalidRequest("KEY names a field twice; give each once", field="key")
    return key


def _field(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise InvalidRequest(
            "KEY has several words, and one is no field=value; "
            "write customer=c1 order=42, or quote a key with blanks",
            field="key",
        )
    return name, value
