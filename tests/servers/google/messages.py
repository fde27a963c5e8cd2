"""Google's own message classes, strictly read from JSON and from queries, and written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final

from tests.servers.answering import Answer
from tests.servers.google.refused import JSON, Refused

_SYSTEM: Final = frozenset({"$alt", "alt", "key", "prettyPrint", "quotaUser"})
"""Parameters that every method takes. Source: Google's "System parameters"."""


def read_body(kind: Any, body: bytes) -> Any:
    """Read a message of the class `kind`.

    Raises:
        Refused: it is no JSON, or has a field that the class does not have, or a wrong value.
    """
    form = import_module("google.protobuf.json_format")
    message = kind.pb()()
    try:
        form.Parse(body.decode() or "{}", message)
    except (form.Error, ValueError) as wrong:
        raise _invalid(str(wrong)) from None
    return kind.wrap(message)


def read_query(kind: Any, query: Iterable[tuple[str, str]]) -> Any:
    """Read a message of the class `kind` from the parameters of a request.

    Raises:
        Refused: there is a parameter that stands for no field, or a wrong value.
    """
    form = import_module("google.protobuf.json_format")
    message = kind.pb()()
    document: dict[str, Any] = {}
    for name, value in query:
        if name not in _SYSTEM:
            _put(document, message.DESCRIPTOR, name.split("."), value)
    try:
        form.ParseDict(document, message)
    except (form.Error, ValueError) as wrong:
        raise _invalid(str(wrong)) from None
    return kind.wrap(message)


def written(message: Any, *, numbers: bool = False) -> str:
    """Give a message, bare or wrapped, as JSON; enums by name, unless `numbers` are asked for.

    Members come in the order of their names, as maps do not remember another.
    """
    form = import_module("google.protobuf.json_format")
    bare = message if hasattr(message, "ByteSize") else type(message).pb(message)
    text: str = form.MessageToJson(
        bare, use_integers_for_enums=numbers, indent=None, sort_keys=True
    )
    return text


def wants_numbers(query: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a request asks for enums as numbers, as Google's clients do."""
    return ("$alt", "json;enum-encoding=int") in query


def answered(message: Any, query: Iterable[tuple[str, str]] = ()) -> Answer:
    """Give a message as a good answer."""
    return Answer(200, (JSON,), written(message, numbers=wants_numbers(query)).encode())


def streamed(messages: Iterable[Any], query: Iterable[tuple[str, str]] = ()) -> Answer:
    """Give messages as the good answer of a method that streams."""
    texts = [written(each, numbers=wants_numbers(query)) for each in messages]
    return Answer(200, (JSON,), f"[{','.join(texts)}]".encode())


def _put(document: dict[str, Any], kind: Any, path: Sequence[str], value: str) -> None:
    name, *rest = path
    field = kind.fields_by_camelcase_name.get(name) or kind.fields_by_name.get(name)
    if field is None or bool(rest) != (field.message_type is not None and not _is_plain(field)):
        raise _invalid(f'Unknown name "{name}": Cannot bind query parameter.')
    if rest:
        _put(document.setdefault(name, {}), field.message_type, rest, value)
    elif field.is_repeated:
        document.setdefault(name, []).append(value)
    else:
        is_bool = field.type == field.TYPE_BOOL and value in {"true", "false"}
        document[name] = value == "true" if is_bool else value


def _is_plain(field: Any) -> bool:
    """Tell whether a message is one text in JSON."""
    name: str = field.message_type.full_name
    return name == "google.protobuf.Timestamp"


def _invalid(why: str) -> Refused:
    return Refused("INVALID_ARGUMENT", f"Invalid JSON payload received. {why}")
