"""Arguments of the shell become arguments of the client's methods, or an `InvalidRequest`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import typer

from leeward.adapter import Limits
from leeward.errors import InvalidRequest, PayloadTooLarge
from leeward.json_text import DEEPEST, decode
from leeward.values import Item, Json
from leeward.views import item_json

_TIME = "write it like 2026-01-31T12:00:00Z"

_DEEPEST = 3 * DEEPEST
"""Levels of JSON on the command line: a tag may be around each level of an item. The client refuses
what is too deep for the targets, and names the place in the value."""


def option(about: str, metavar: str = "TEXT", *names: str, **settings: Any) -> Any:
    """Declare an option with a value: what its help says, and what stands for the value there."""
    return typer.Option(*names, metavar=metavar, help=about, **settings)


def flag(name: str, about: str) -> Any:
    """Declare an option without a value."""
    return typer.Option(name, help=about)


def argument(about: str, metavar: str | None = None, **settings: Any) -> Any:
    """Declare an argument: what its help says, and what stands for the value there."""
    return typer.Argument(metavar=metavar, help=about, **settings)


def json_argument(text: str | None, field: str) -> Json:
    """Read JSON that is given as it is, as ``@file``, or as ``-`` for the standard input."""
    return None if text is None else _read(text, field, exact=False)


def item_argument(text: str) -> Item:
    """Read an item, given like JSON: numbers stay exact, and tags become bytes and times."""
    try:
        item = item_json.untag_value(_read(text, "item", exact=True))
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
        fields = dict(map(_field, words))
        if len(fields) < len(words):
            raise InvalidRequest("KEY names a field twice; write each field once", field="key")
        return fields
    (word,) = words
    if not word.startswith("{"):
        return word
    key: dict[str, str] = _read(word, "key", exact=False)
    return key


def bytes_argument(text: str, field: str) -> bytes:
    """Read the bytes of an object, from a file or, for ``-``, from the standard input.

    Raises:
        PayloadTooLarge: there are more than an object may have.
        InvalidRequest: the file cannot be read.
    """
    limit = Limits().object_bytes
    data = _bytes_of(text, field, limit + 1)
    if len(data) > limit:
        raise PayloadTooLarge(
            f"{field.upper()} has more than {limit} bytes, which is what one object may have; "
            "split it into several",
            field=field,
        )
    return data


def texts_argument(words: Sequence[str], field: str, example: str = "version=7") -> dict[str, str]:
    """Read texts with names, each a word ``name=text``."""
    texts: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or name in texts:
            raise InvalidRequest(
                f"--{field} must have a name and '=', each name once; write --{field} {example}",
                field=field,
            )
        texts[name] = text
    return texts


def event_type(text: str) -> str:
    """Read the type of an event; what looks like its data is not taken for one."""
    if text.startswith(("{", "[", '"', "@")) or text == "-":
        raise typer.BadParameter(
            "the type stands before the data: leeward publish BUS TYPE DATA, such as order.created"
        )
    return text


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a number of seconds; write it like 2.5"
        ) from None


def time_argument(text: str | None, field: str = "time") -> datetime | None:
    """Read an ISO 8601 time with a time zone."""
    try:
        time = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"--{field} is not an ISO 8601 time; {_TIME}", field=field) from None
    if time is not None and time.utcoffset() is None:
        raise InvalidRequest(f"--{field} has no time zone; {_TIME}", field=field)
    return time


def _read(text: str, field: str, *, exact: bool) -> Json:
    try:
        return decode(_source(text, field), deepest=_DEEPEST, exact=exact)
    except ValueError as error:
        hint = "" if text.startswith(("@", "-", "{", "[")) else "; write a string as '\"text\"'"
        raise InvalidRequest(f"{field.upper()} is not JSON: {error}{hint}", field=field) from None


def name_of_person(by: str | None) -> str:
    """Return who decides: `by`, or who is logged in."""
    name = name_of_user() if by is None else by
    if not name:
        raise InvalidRequest("say who decides: --by NAME", field="by")
    return name


def name_of_user() -> str:
    """Return who is logged in; an empty text where the system knows no name."""
    try:
        return getuser()
    except (OSError, KeyError):  # of Python 3.13, and before
        return ""


def _source(text: str, field: str) -> str:
    if text == "-":
        return _decode(_bytes_of(text, field))
    if not text.startswith("@"):
        return text
    return _decode(_bytes_of(text[1:], field))


def _bytes_of(file: str, field: str, limit: int = -1) -> bytes:
    """Return the bytes of a file, or of the standard input for ``-``; `limit` of them, or all."""
    if file == "-":
        if sys.stdin is None:
            raise InvalidRequest(
                f"{field.upper()} is -, but the standard input is closed", field=field
            )
        return sys.stdin.buffer.read(limit)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(limit)
    except OSError as error:
        raise InvalidRequest(
            f"{field.upper()} names the file {file!r}, which cannot be read: {error.strerror}",
            field=field,
        ) from error


def _decode(data: bytes) -> str:
    """Decode what some shells and editors write: UTF-8, or UTF-16 or UTF-32 that shows itself."""
    from json import detect_encoding

    try:
        return data.decode(detect_encoding(data))
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from None


def _field(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise InvalidRequest(
            "KEY has several words, and one of them is not field=value; "
            "write customer=c1 order=42, or put quotes around a key with blanks",
            field="key",
        )
    return name, value
