"""CloudEvents 1.0: minting, checking, and the JSON event format.

Source: CloudEvents specification 1.0.2 and its JSON event format. The ordering key travels as
the `partitionkey` attribute of the specification's partitioning extension.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from leeward.clock import has_offset
from leeward.errors import InvalidRequest
from leeward.json_text import encode
from leeward.text import is_printable
from leeward.values import NOTHING, Event, Json

CONTEXT = frozenset({"specversion", "id", "source", "type", "time", "subject"})
"""Attributes that the specification defines; extensions may not take these names."""

RESERVED = CONTEXT | {"data", "data_base64", "datacontenttype", "dataschema", "partitionkey"}
"""Names that no extension may have."""

MAX_TYPE = 128
"""Characters: EventBridge's limit for DetailType, the narrowest of the buses."""

_EXTENSION = r"[a-z0-9]{1,20}"
_INT32 = range(-(2**31), 2**31)


class WrittenEvent(Event):
    """A complete event with its CloudEvents JSON, so that it is written once for all attempts.

    A copy that `_replace` makes may be another event, and has no JSON.

    Attributes:
        document: the JSON, in UTF-8.
    """

    document: bytes | None = None


def mint(event: Event, *, id: str, source: str, now: float) -> Event:
    """Fill in what `event` leaves open. `now` is Unix seconds."""
    type, data, own_id, own_source, time, subject, ordering_key, extensions = event
    return Event(
        type,
        data,
        id if own_id is None else own_id,
        source if own_source is None else own_source,
        _moment(now) if time is None else time,
        subject,
        ordering_key,
        extensions,
    )


def write(event: Event) -> WrittenEvent:
    """Write a complete event, and keep what was written with it."""
    written = WrittenEvent._make(event)
    written.document = encode(to_json(event))
    return written


def document_of(event: Event) -> bytes:
    """Return an event in CloudEvents JSON: as it has been written, else written now."""
    written = event.document if isinstance(event, WrittenEvent) else None
    return encode(to_json(event)) if written is None else written


def check(event: Event, field: str = "event") -> None:
    """Raise `InvalidRequest` for an attribute that CloudEvents or a bus does not allow."""
    type, _, id, source, time, subject, ordering_key, extensions = event
    _check_text(type, field, ".type", most=MAX_TYPE)
    if id is not None:
        _check_text(id, field, ".id")
    if source is not None:
        _check_text(source, field, ".source")
    if subject is not None:
        _check_text(subject, field, ".subject")
    if ordering_key is not None:
        _check_text(ordering_key, field, ".ordering_key")
    if time is not None:
        _check_time(time, f"{field}.time")
    if extensions is not NOTHING:
        _check_extensions(extensions, f"{field}.extensions")


def to_json(event: Event) -> dict[str, Json]:
    """Return the structured form of a complete event, as a JSON object."""
    type, data, id, source, time, subject, ordering_key, extensions = event
    document: dict[str, Json] = {"specversion": "1.0", "id": id, "source": source, "type": type}
    if time is not None:
        document["time"] = _utc_text(time) if time.tzinfo is UTC else _rfc3339(time)
    if subject is not None:
        document["subject"] = subject
    if ordering_key is not None:
        document["partitionkey"] = ordering_key
    if extensions:
        document.update(extensions)
    if isinstance(data, bytes):
        from base64 import b64encode

        document["datacontenttype"] = "application/octet-stream"
        document["data_base64"] = b64encode(data).decode("ascii")
    elif data is not None:
        document["datacontenttype"] = "application/json"
        document["data"] = data
    return document


def from_json(document: Mapping[str, Json]) -> Event:
    """Read the structured form. `InvalidRequest` names the attribute that is absent or wrong."""
    if document.get("specversion") != "1.0":
        raise InvalidRequest("not a CloudEvent 1.0: specversion must be '1.0'", field="specversion")
    for name in ("id", "source", "type"):
        if not isinstance(document.get(name), str) or not document[name]:
            raise InvalidRequest(f"a CloudEvent needs a non-empty {name!r}", field=name)
    return Event(
        type=document["type"],
        data=_data_of(document),
        id=document["id"],
        source=document["source"],
        time=_time_of(document),
        subject=document.get("subject"),
        ordering_key=document.get("partitionkey"),
        extensions={name: document[name] for name in document if name not in RESERVED},
    )


@lru_cache(maxsize=8)
def _moment(now: float) -> datetime:
    """Return Unix seconds as a time; the events of a batch share theirs."""
    return datetime.fromtimestamp(now, UTC)


@lru_cache(maxsize=8)
def _utc_text(moment: datetime) -> str:
    """Write a moment whose zone is UTC itself. Two with other offsets may be equal."""
    return f"{moment.isoformat()[:-6]}Z"


def _rfc3339(moment: datetime) -> str:
    """Write a moment in UTC: RFC 3339 has no offset of seconds, and readers misread others."""
    try:
        return _utc_text(moment.astimezone(UTC))
    except OverflowError:  # before year 1 or after 9999 in UTC; `check` lets none be published
        return moment.isoformat()


def _data_of(document: Mapping[str, Json]) -> Json | bytes:
    encoded = document.get("data_base64")
    if encoded is None:
        return document.get("data")
    from base64 import b64decode
    from binascii import Error

    try:
        return b64decode(encoded, validate=True)
    except (Error, TypeError, ValueError) as error:
        raise InvalidRequest("data_base64 is not base64", field="data_base64") from error


def _time_of(document: Mapping[str, Json]) -> datetime | None:
    text = document.get("time")
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise InvalidRequest("time is not an RFC 3339 timestamp", field="time") from error


def _check_text(value: Any, event: str, attribute: str, *, most: int = 2048) -> None:
    if type(value) is str and 0 < len(value) <= most and value.isprintable():
        return
    field = f"{event}{attribute}"  # spelt only where it is needed: a batch has many
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{field} must be a non-empty string", field=field)
    if len(value) > most:
        raise InvalidRequest(f"{field} has {len(value)} characters, at most {most}", field=field)
    if not is_printable(value):
        raise InvalidRequest(
            f"{field} has a control character or a lone surrogate; remove it", field=field
        )


def _check_time(value: Any, field: str) -> None:
    if not isinstance(value, datetime):
        raise InvalidRequest(f"{field} must be a datetime, not {type(value).__name__}", field=field)
    if not has_offset(value):
        raise InvalidRequest(
            f"{field} has no time zone; use datetime.now(UTC) or attach tzinfo", field=field
        )
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(
            f"{field} is outside of the years 1 to 9999 in UTC, in which the buses have it",
            field=field,
        ) from None


def _check_extensions(extensions: Any, field: str) -> None:
    if not isinstance(extensions, Mapping):
        raise InvalidRequest(f"{field} must be a mapping", field=field)
    for name, value in extensions.items():
        _check_extension(name, value, f"{field}[{name!r}]")


def _check_extension(name: Any, value: Any, field: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(_EXTENSION, name):
        raise InvalidRequest(f"{field}: an extension's name is 1 to 20 of a-z and 0-9", field=field)
    if name in RESERVED:
        raise InvalidRequest(f"{field}: {name!r} is an attribute of its own", field=field)
    if isinstance(value, str):
        _check_text(value, field, "")
    elif isinstance(value, bool) or (isinstance(value, int) and value in _INT32):
        return
    else:
        raise InvalidRequest(
            f"{field} must be a string, a bool or a 32-bit integer; use str(value)", field=field
        )
