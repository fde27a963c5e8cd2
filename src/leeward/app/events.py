"""Events as platforms deliver them: CloudEvents in their three forms, and what stands for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from leeward.app.answers import InvalidInput
from leeward.cloudevents import from_json
from leeward.errors import InvalidRequest
from leeward.json_text import Undecodable, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leeward.values import Event, Json

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
BINARY: Final = "ce-"
"""How the headers of the binary form begin."""

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
        event = from_json(document)
    except InvalidRequest as error:
        flaw = InvalidInput(f"$.{error.field}", "as CloudEvents 1.0 has it")
    else:
        return event
    raise flaw


def event_in_headers(headers: Mapping[str, str], body: bytes, *, escaped: bool = True) -> Event:
    """Read a CloudEvent in the binary form.

    Args:
        headers: or attributes of a message; names in lower case.
        body: the event's data.
        escaped: values are percent-encoded, as in headers of HTTP they are.

    Raises:
        InvalidInput: an attribute is missing or wrong.
    """
    document: dict[str, Json] = {
        name.removeprefix(BINARY): _undone(value) if escaped else value
        for name, value in headers.items()
        if name.startswith(BINARY)
    }
    event = event_of(document)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return event._replace(data=_data(body, kind))


def events_in(
    headers: Mapping[str, str], body: bytes, *, escaped: bool = True
) -> list[Event] | None:
    """Return the events of a request or message; None if it has none. Arguments as above.

    Raises:
        InvalidInput: it says that it has some, and they are wrong.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in (STRUCTURED, BATCHED):
        documents = _json(body)
        if kind == STRUCTURED:
            documents = [documents]
        if not isinstance(documents, list) or not all(is_event(each) for each in documents):
            raise InvalidInput("$", "CloudEvents 1.0")
        return [event_of(each) for each in documents]
    if f"{BINARY}specversion" in headers:
        return [event_in_headers(headers, body, escaped=escaped)]
    return None


def _data(body: bytes, kind: str) -> Json | bytes:
    if not body:
        return None
    if kind in _JSON or kind.endswith("+json") or not kind:
        return _json(body)
    return body


def _json(body: bytes) -> Json:
    try:
        return decode(body)
    except Undecodable:
        flaw = InvalidInput("$", "JSON in UTF-8")
    raise flaw


def _undone(value: str) -> str:
    """Undo the percent-encoding of a header; what is not such is left as it is."""
    if "%" not in value:
        return value
    from urllib.parse import unquote

    return unquote(value)
