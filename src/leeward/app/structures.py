"""Types whose attributes have names, read from JSON objects.

Dataclasses, `NamedTuple` and `TypedDict` are read here. Classes of msgspec and pydantic read JSON
themselves: they are known by what they have, and never imported. The texts of their errors hold the
input, so only paths and types are taken out of them.

JSON that is not of its type is a `Mismatch`: the path to it, and the type that belongs there. Keys
of the input that no annotation names are shown as ``[...]``, for they are input, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from types import UnionType
from typing import (
    Any,
    Final,
    NotRequired,
    Required,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.values import Json

Reader: TypeAlias = Callable[[Json], Any]
"""Returns the value of a type for JSON, or raises `Mismatch`."""

KEY: Final = "[...]"  # stands in a path for a key that is part of the input
MOST: Final = 20  # places of one input that are reported


class Mismatch(Exception):
    """JSON that is not of its type; `steps` lead to it, the innermost first."""

    def __init__(self, expected: str, *, missing: bool = False) -> None:
        super().__init__(expected)
        self.expected = expected
        self.missing = missing
        self.steps: list[str] = []
        self.others: list[Mismatch] = []

    def inside(self, step: str) -> Mismatch:
        """Return itself, with one more step on the way to it and to the others."""
        for mismatch in (self, *self.others):
            mismatch.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """The way to it, from the outside."""
        return "".join(["$", *reversed(self.steps)])


def join_mismatches(mismatches: Iterable[Mismatch]) -> Mismatch:
    """Return the first of some mismatches, and the rest as its others."""
    first, *rest = [one for outer in mismatches for one in (outer, *outer.others)]
    first.others = rest[: MOST - 1]
    return first


def read_parts(parts: Iterable[tuple[str | int, Reader, Json]]) -> list[Any]:
    """Return the values of the parts of an array or object, each with its step and its reader."""
    values: list[Any] = []
    flaws: list[Mismatch] = []
    for step, read, part in parts:
        try:
            values.append(read(part))
        except Mismatch as error:
            flaws.append(error.inside(step if isinstance(step, str) else f"[{step}]"))
            if len(flaws) == MOST:
                break
    if flaws:
        raise join_mismatches(flaws)
    return values


def type_name(annotation: Any) -> str:
    """Return a type as a sender of JSON reads it."""
    names = {list: "array", tuple: "array", dict: "object", type(None): "null"}
    origin = get_origin(annotation)
    if annotation in names or origin in names:
        return names.get(annotation) or names[origin]
    if origin is not None and get_args(annotation):
        return " or ".join(
            type_name(part) if isinstance(part, type) else short_name(part)
            for part in get_args(annotation)
        )
    return short_name(annotation)


def short_name(annotation: Any) -> str:
    """Return a type as its code names it."""
    name: str | None = getattr(annotation, "__name__", None)
    return name or repr(annotation)


class AnnotationPlace(NamedTuple):
    """Where an annotation stands.

    Attributes:
        name: such as ``Order.total of the function handler 'pay'``.
        handler: the last part of that.
        readers: of the classes with attributes that the handler's annotation leads to, so far.
    """

    name: str
    handler: str
    readers: dict[type, Reader]


ReaderOf: TypeAlias = Callable[[Any, AnnotationPlace], Reader]
"""Returns what reads a type: `leeward.app.decoding.reader_of`, for the types of attributes."""


def structure_reader(kind: type, place: AnnotationPlace, reader_of: ReaderOf) -> Reader | None:
    """Return what reads `kind` from an object; None if it has no named attributes."""
    readers = place.readers
    if kind in readers:

        def read(value: Json) -> Any:
            return readers[kind](value)  # made by then: a class may hold itself

        return read

    def refuse(value: Json) -> Any:
        raise Mismatch("object")

    readers[kind] = refuse  # until it is made, just now
    reader = _new_reader(kind, place, reader_of)
    readers[kind] = reader or refuse
    return reader


def _new_reader(kind: Any, place: AnnotationPlace, reader_of: ReaderOf) -> Reader | None:
    if hasattr(kind, "__struct_fields__"):
        return _struct_reader(kind)
    if hasattr(kind, "model_validate"):
        return _model_reader(kind)

    def read_as(name: str, hint: Any) -> Reader:
        return reader_of(hint, place._replace(name=f"{kind.__name__}.{name} of {place.handler}"))

    if is_typeddict(kind):
        return _object_reader(kind, dict, _hints(kind, place), _required_keys(kind), read_as)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        annotations = _hints(kind, place)
        hints = {name: annotations.get(name, Any) for name in kind._fields}
        required = hints.keys() - kind._field_defaults.keys()
        return _object_reader(kind, kind, hints, required, read_as)
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import MISSING, fields

        annotations = _hints(kind, place)
        taken = [field for field in fields(kind) if field.init]
        hints = {field.name: annotations[field.name] for field in taken}
        required = {
            field.name
            for field in taken
            if field.default is MISSING and field.default_factory is MISSING
        }
        return _object_reader(kind, kind, hints, required, read_as)
    return None


def _hints(kind: type, place: AnnotationPlace) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except Exception as error:  # an annotation is code, and may raise anything
        raise ConfigError(
            f"{place.handler}: the annotations of {kind.__name__} cannot be resolved "
            f"({type(error).__name__}); import what they name in its module"
        ) from error


def _object_reader(
    kind: type,
    make: Callable[..., Any],
    hints: Mapping[str, Any],
    required: Collection[str],
    read_as: Callable[[str, Any], Reader],
) -> Reader:
    """Return what reads an object."""
    readers = {name: read_as(name, hint) for name, hint in hints.items()}

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise Mismatch("object")
        attributes = {}
        flaws: list[Mismatch] = []
        for name, read_attribute in readers.items():
            if name in value:
                try:
                    attributes[name] = read_attribute(value[name])
                except Mismatch as error:
                    flaws.append(error.inside(f".{name}"))
            elif name in required:
                flaws.append(Mismatch(type_name(hints[name]), missing=True).inside(f".{name}"))
        if flaws:
            raise join_mismatches(flaws)
        try:
            return make(**attributes)
        except Exception:  # noqa: BLE001 - the class's own check, whose text may hold the input
            flaw = Mismatch(kind.__name__)
        raise flaw

    return read


def _required_keys(kind: Any) -> set[str]:
    """Return the keys that a `TypedDict` needs; it does not know where annotations are text."""
    required = set(kind.__required_keys__)
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is NotRequired:
            required.discard(name)
        elif get_origin(hint) is Required:
            required.add(name)
    return required


_WHERE: Final = r" - at `(\$[\w.\[\]]*)`$"
_EXPECTED: Final = r"^Expected `([\w.| ]{1,80})`((?: of length)? (?:>=|<=|>|<) -?[\d.]{1,20})?"
_MISSING: Final = r"^Object missing required field `(\w+)`"
"""Parts of msgspec's messages: https://jcristharif.com/msgspec/usage.html#validation"""

_INVALID: Final = {
    "Invalid enum value": "one of its values",
    "Invalid RFC3339": "a time as RFC 3339 has it",
    "Invalid UUID": "a UUID",
    "Invalid base64": "base64",
    "Object contains unknown field": "without further fields",
    "Expected `str` matching regex": "str of its pattern",
}
"""How messages of msgspec begin, and what belongs there."""


def _struct_reader(kind: type) -> Reader:
    msgspec = sys.modules["msgspec"]

    def read(value: Json) -> Any:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:  # which reports the first flaw alone
            flaw = _struct_mismatch(str(error), short_name(kind))
        raise flaw

    return read


def _struct_mismatch(text: str, name: str) -> Mismatch:
    expected_texts = [expected for begin, expected in _INVALID.items() if text.startswith(begin)]
    if missing := re.match(_MISSING, text):
        mismatch = Mismatch(f"what {name} has there", missing=True).inside(f".{missing[1]}")
    elif expected_texts:
        mismatch = Mismatch(expected_texts[0])
    else:
        expected = re.match(_EXPECTED, text)
        mismatch = Mismatch(f"{expected[1]}{expected[2] or ''}" if expected else f"as {name} says")
    where = re.search(_WHERE, text)
    return mismatch.inside(where[1][1:] if where else "")


def _model_reader(kind: Any) -> Reader:
    def read(value: Json) -> Any:
        try:
            return kind.model_validate(value)
        except Exception as error:
            if not hasattr(error, "errors"):
                raise
            reports = error.errors(include_input=False, include_url=False)
        raise join_mismatches(_model_mismatch(report, kind) for report in reports[:MOST])

    return read


_LIMITS: Final = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")
"""What of the context of pydantic's errors is the model's own, and never a part of the input."""


def _model_mismatch(report: Any, kind: Any) -> Mismatch:
    code = str(report["type"])
    limits = report.get("ctx", {})
    bounds = [f" {limits[name]}" for name in _LIMITS if isinstance(limits.get(name), int | float)]
    expected = f"valid ({code}{''.join(bounds)})" if re.fullmatch(r"\w{1,64}", code) else "valid"
    mismatch = Mismatch(expected, missing=code == "missing")
    mismatch.steps.extend(reversed(list(_model_steps(report["loc"], kind))))
    return mismatch


def _model_steps(location: Iterable[Any], kind: Any) -> Iterable[str]:
    """Yield a path; what is not the name of a field is a key of the input, and not shown."""
    for part in location:
        fields: Mapping[Any, Any] = getattr(kind, "model_fields", {})
        arguments = [kind for kind in get_args(kind) if kind is not type(None)]
        if isinstance(part, int):
            yield f"[{part}]"
            kind = arguments[0] if arguments else None
            continue
        field = fields.get(part) or next(
            (field for field in fields.values() if getattr(field, "alias", None) == part), None
        )
        if field is None:
            yield KEY
            kind = arguments[-1] if arguments else None
            continue
        yield f".{part}"
        kind = field.annotation
        others = [inner for inner in get_args(kind) if inner is not type(None)]
        if get_origin(kind) in (Union, UnionType) and len(others) == 1:
            kind = others[0]  # of ``X | None``
