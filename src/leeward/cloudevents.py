"""CloudEvents 1.0: minting, checking, and the JSON event format.

Source: CloudEvents specification 1.0.2 and its JSON event format. The ordering key travels as
the `partitionkey` attribute of the specification's partitioning extension.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
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
    """

    document: bytes | None = None


def mint(event: Event, *, id: str, source: str, now: float) -> Event:
    """Fill in what `event` leaves open. `now` is Unix seconds."""
    return Event(
        event.type,
        event.data,
        id if event.id is None else event.id,
        source if event.source is None else event.source,
        _moment(now) if event.time is None else event.time,
        event.subject,
        event.ordering_key,
        event.extensions,
    )


def write(event: Event) -> WrittenEvent:
    """Write a complete event, and keep what was written with it."""
    whole = WrittenEvent._make(event)
    whole.document = encode(to_json(event))
    return whole


def document_of(event: Event) -> bytes:
    """Return an event in CloudEvents JSON: as it has been written, else written now."""
    document = event.document if isinstance(event, WrittenEvent) else None
    return encode(to_json(event)) if document is None else document


def check(event: Event, field: str = "event") -> None:
    """Raise `InvalidRequest` for an attribute that CloudEvents or a bus does not allow."""
    _check_text(event.type, field, ".type", limit=MAX_TYPE)
    if event.id is not None:
        _check_text(event.id, field, ".id")
    if event.source is not None:
        _check_text(event.source, field, ".source")
    if event.subject is not None:
        _check_text(event.subject, field, ".subject")
    if event.ordering_key is not None:
        _check_text(event.ordering_key, field, ".ordering_key")
    if event.time is not None:
        _check_time(event.time, f"{field}.time")
    if event.extensions is not NOTHING:
        _check_extensions(event.extensions, f"{field}.extensions")


def to_json(event: Event) -> dict[str, Json]:
    """Return the structured form of a complete event, as a JSON object."""
    time, data = event.time, event.data
    document: dict[str, Json] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
    }
    if time is not None:
        document["time"] = _utc_text(time) if time.tzinfo is UTC else _rfc3339(time)
    if event.subject is not None:
        document["subject"] = event.subject
    if event.ordering_key is not None:
        document["partitionkey"] = event.ordering_key
    if event.extensions:
        document.update(event.extensions)
    if isinstance(data, bytes):
        document["datacontenttype"] = "application/octet-stream"
        document["data_base64"] = b2a_base64(data, newline=False).decode("ascii")
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
    try:
        return a2b_base64(encoded, strict_mode=True)
    except (TypeError, ValueError) as error:
        raise InvalidRequest("data_base64 is not base64", field="data_base64") from error


def _time_of(document: Mapping[str, Json]) -> datetime | None:
    text = document.get("time")
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise InvalidRequest("time is not an RFC 3339 timestamp", field="time") from error


def _check_text(value: Any, event: str, attribute: str, *, limit: int = 2048) -> None:
    if type(value) is str and 0 < len(value) <= limit and value.isprintable():
        return
    field = f"{event}{attribute}"  # spelt only where it is needed: a batch has many
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{field} must be a non-empty string", field=field)
    if len(value) > limit:
        raise InvalidRequest(f"{field} has {len(value)} characters, at most {limit}", field=field)
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
        place = f"{field}[{name!r}]"
        if not isinstance(name, str) or not re.fullmatch(_EXTENSION, name):
            raise InvalidRequest(
                f"{place}: an extension's name is 1 to 20 of a-z and 0-9", field=place
            )
        if name in RESERVED:
            raise InvalidRequest(f"{place}: {name!r} is an attribute of its own", field=place)
        if isinstance(value, str):
            _check_text(value, place, "")
        elif not (isinstance(value, bool) or (isinstance(value, int) and value in _INT32)):
            raise InvalidRequest(
                f"{place} must be a string, a bool or a 32-bit integer; use str(value)", field=place
            )
