"""CloudEvents as platforms deliver them: structured, batched, and in headers or attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.app.answers import InvalidInput
from leeward.app.decoding import read_json
from leeward.cloudevents import from_json
from leeward.errors import InvalidRequest
from leeward.values import Event, Json

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
BINARY: Final = "ce-"  # how the headers of the binary form begin

_JSON: Final = ("application/json", "text/json")


def is_event(document: Any) -> bool:
    """Return whether a JSON value is a CloudEvent in the structured form."""
    return isinstance(document, dict) and document.get("specversion") == "1.0"


def event_of(document: Mapping[str, Json]) -> Event:
    """Read a CloudEvent in the structured form.

    Raises:
        InvalidInput: an attribute is missing or wrong.
    """
    try:
        return from_json(document)
    except InvalidRequest as error:
        flaw = InvalidInput(f"$.{error.field}", "as CloudEvents 1.0 has it")
    raise flaw


def events_in(
    headers: Mapping[str, str], body: bytes, *, escaped: bool = True
) -> list[Event] | None:
    """Return the events of a request or message; None if it has none.

    Args:
        headers: or attributes of a message; names in lower case.
        body: the events, or the data of the one in the headers.
        escaped: values are percent-encoded, as in headers of HTTP they are.

    Raises:
        InvalidInput: it says that it has events, and they are wrong.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (STRUCTURED, BATCHED):
        documents = read_json(body)
        if kind == STRUCTURED:
            documents = [documents]
        if not isinstance(documents, list) or not all(map(is_event, documents)):
            raise InvalidInput("$", "CloudEvents 1.0")
        return [event_of(document) for document in documents]
    if f"{BINARY}specversion" not in headers:
        return None
    event = event_of(
        {
            name.removeprefix(BINARY): _unescape(value) if escaped else value
            for name, value in headers.items()
            if name.startswith(BINARY)
        }
    )
    is_json = kind in _JSON or kind.endswith("+json") or not kind
    data: Json | bytes = (read_json(body) if body else None) if is_json else body
    return [event._replace(data=data)]


def _unescape(value: str) -> str:
    """Undo the percent-encoding of a header; what is not encoded stays as it is."""
    if "%" not in value:
        return value
    from urllib.parse import unquote

    return unquote(value)
