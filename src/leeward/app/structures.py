"""Types whose attributes have names: dataclasses, `NamedTuple` and `TypedDict`, read from objects.

`models` has those of libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from leeward.app.mismatch import AnnotationPlace, Mismatch, Reader, together, type_name
from leeward.errors import ConfigError
from leeward.values import Json

ReaderOf: TypeAlias = Callable[[Any, AnnotationPlace], Reader]
"""Returns what reads a type: `leeward.app.decoding.reader_of`, for the types of attributes."""


def structure_reader(kind: type, where: AnnotationPlace, reader_of: ReaderOf) -> Reader | None:
    """Return what reads `kind` from an object; None if it has no named attributes."""
    readers = where.readers
    if kind in readers:

        def read(value: Json) -> Any:
            return readers[kind](value)  # which is made by then: a class may hold itself

        return read
    readers[kind] = _refusing  # until it is made, just now
    made = _made(kind, where, reader_of)
    readers[kind] = made or _refusing
    return made


def _refusing(value: Json) -> Any:
    raise Mismatch("object")


def _made(kind: type, where: AnnotationPlace, reader_of: ReaderOf) -> Reader | None:
    from typing import is_typeddict

    def read_as(name: str, hint: Any) -> Reader:
        return reader_of(hint, where.at(kind, name))

    if is_typeddict(kind):
        return _object(kind, _hints(kind, where), _required_keys(kind), dict, read_as)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        hints = {name: _hints(kind, where).get(name, Any) for name in kind._fields}
        optional: Mapping[str, Any] = kind._field_defaults  # type: ignore[attr-defined]
        return _object(kind, hints, frozenset(hints) - optional.keys(), kind, read_as)
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import MISSING, fields

        known = _hints(kind, where)
        taken = [each for each in fields(kind) if each.init]
        needed = [
            each.name
            for each in taken
            if each.default is MISSING and each.default_factory is MISSING
        ]
        hints = {each.name: known[each.name] for each in taken}
        return _object(kind, hints, frozenset(needed), kind, read_as)
    from leeward.app.models import model_reader

    return model_reader(kind)


def _required_keys(kind: Any) -> frozenset[str]:
    """Return the keys that a `TypedDict` needs; it does not know where annotations are text."""
    from typing import NotRequired, Required, get_origin, get_type_hints

    required = set(kind.__required_keys__)
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is NotRequired:
            required.discard(name)
        elif get_origin(hint) is Required:
            required.add(name)
    return frozenset(required)


def _hints(kind: type, where: AnnotationPlace) -> dict[str, Any]:
    from typing import get_type_hints

    try:
        return get_type_hints(kind)
    except Exception as error:  # an annotation is code, and may raise anything
        raise ConfigError(
            f"{where.handler}: the annotations of {kind.__name__} cannot be resolved "
            f"({type(error).__name__}); import what they name in its module"
        ) from error


def _object(
    kind: type,
    hints: Mapping[str, Any],
    required: frozenset[str],
    make: Callable[..., Any],
    read_as: Callable[[str, Any], Reader],
) -> Reader:
    """Return what reads an object."""
    readers = [(name, read_as(name, hint), name in required) for name, hint in hints.items()]

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise Mismatch("object")
        found = {}
        flaws: list[Mismatch] = []
        for name, each, needed in readers:
            if name in value:
                try:
                    found[name] = each(value[name])
                except Mismatch as error:
                    flaws.append(error.inside(f".{name}"))
            elif needed:
                absent = Mismatch(type_name(hints[name]), missing=True)
                flaws.append(absent.inside(f".{name}"))
        if flaws:
            raise together(flaws)
        try:
            return make(**found)
        except Exception:  # noqa: BLE001 - the class's own check, whose text may hold the input
            flaw = Mismatch(kind.__name__)
        raise flaw

    return read
