"""Typed values: an annotation becomes what reads JSON into it, and names what does not fit.

Inputs and answers are JSON; items hold `Decimal`, `datetime` and `bytes` as themselves, too. Known
are the types of JSON, `Decimal`, `datetime`, `date`, `UUID`, `bytes` (base64), `Enum`,
`Literal`, unions, containers of those, and the types of `leeward.app.structures`. Attributes that
no annotation names are ignored, so that a sender may know more than a receiver.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from itertools import count
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from leeward.app.answers import Flaw, InvalidInput
from leeward.app.structures import (
    KEY,
    AnnotationPlace,
    Mismatch,
    Reader,
    read_parts,
    short_name,
    structure_reader,
    type_name,
)
from leeward.errors import ConfigError
from leeward.json_text import Undecodable, decode, has_many_zeros
from leeward.values import Json


def read_json(body: bytes) -> Json:
    """Return the JSON of an input."""
    try:
        return decode(body)
    except Undecodable:
        flaw = InvalidInput("$", "JSON in UTF-8")
    raise flaw  # out here, so that nothing of the input goes along as the context


def decoder_of(annotation: Any, where: str) -> Reader:
    """Return what reads JSON as `annotation` says; it raises `InvalidInput`.

    Raises:
        ConfigError: nothing can be read into this type.
    """
    read = reader_of(annotation, AnnotationPlace(where, where, {}))
    if read is return_as_is:
        return read

    def decode_input(value: Json) -> Any:
        try:
            return read(value)
        except Mismatch as error:
            others = tuple(
                Flaw(other.path, other.expected, other.missing) for other in error.others
            )
            flaw = InvalidInput(error.path, error.expected, missing=error.missing, others=others)
        raise flaw  # out here, so that nothing of the input goes along as the context

    return decode_input


def reader_of(annotation: Any, place: AnnotationPlace) -> Reader:
    """Return what reads one type."""
    if hasattr(annotation, "__supertype__"):  # NewType
        return reader_of(annotation.__supertype__, place)
    if type(annotation).__name__ == "TypeAliasType":  # ``type X = ...``, since Python 3.12
        return reader_of(annotation.__value__, place)
    origin = get_origin(annotation)
    if origin is Annotated:
        return reader_of(get_args(annotation)[0], place)
    if origin is not None:
        reader = _generic_reader(origin, get_args(annotation), place)
    else:
        reader = _plain_reader(annotation)
        if reader is None and isinstance(annotation, type):
            reader = structure_reader(annotation, place, reader_of)
    if reader is None:
        raise ConfigError(
            f"{place.name} is annotated with {short_name(annotation)}, which nothing reads from "
            "JSON; use a dataclass, a NamedTuple, a TypedDict, or a type of JSON"
        )
    return reader


def return_as_is(value: Json) -> Json:
    """Return the value as it is: for what has no annotation."""
    return value


def _plain_reader(kind: Any) -> Reader | None:
    """Return what reads a type without parts.

    Modules are looked at by name: what an annotation names is loaded already, and the others need
    not be loaded to see that it is not theirs.
    """
    if kind in (Any, object):
        return return_as_is
    if kind is None or kind is type(None):
        return _exact_reader(type(None), "null")
    if kind is float:
        return _read_float
    names = {bool: "bool", int: "int", str: "str", list: "array", dict: "object"}
    if isinstance(kind, type) and kind in names:
        return _exact_reader(kind, names[kind])
    if kind is bytes:
        return _text_reader(bytes, lambda text: a2b_base64(text, strict_mode=True), "base64")
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_reader(kind)
    match f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}":
        case "decimal.Decimal":
            return _decimal_reader(kind)
        case "datetime.datetime" | "datetime.date":
            return _text_reader(kind, kind.fromisoformat, kind.__qualname__)
        case "uuid.UUID":
            return _text_reader(kind, kind, "uuid")
    return None


def _generic_reader(
    origin: Any, arguments: tuple[Any, ...], place: AnnotationPlace
) -> Reader | None:
    if origin is Literal:
        return _literal_reader(arguments)
    if origin in (Union, UnionType):
        return _union_reader(arguments, place)
    if origin is tuple and arguments[-1:] != (...,):
        return _tuple_reader([reader_of(kind, place) for kind in arguments])
    if isinstance(origin, type):
        if issubclass(origin, Mapping):
            return _mapping_reader(reader_of(arguments[1], place))
        if origin in (list, set, frozenset, tuple) or issubclass(Sequence, origin):
            make = origin if origin in (set, frozenset, tuple) else list
            return _array_reader(make, reader_of(arguments[0], place))
    return None


def _exact_reader(kind: type, name: str) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is not kind:
            raise Mismatch(name)
        return value

    return read


def _read_float(value: Json) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise Mismatch("float")
    try:
        return float(value)
    except OverflowError:
        flaw = Mismatch("float")
    raise flaw


def _text_reader(kind: type, make: Callable[[str], Any], name: str) -> Reader:
    """Return what reads a value that stands in JSON as text: a time, an id, bytes.

    Items have it as itself.
    """

    def read(value: Json) -> Any:
        if type(value) is kind:
            return value
        try:
            if type(value) is str:
                return make(value)
        except (ArithmeticError, TypeError, ValueError):
            pass
        raise Mismatch(name)

    return read


def _decimal_reader(kind: Any) -> Reader:
    """Return what reads a number, or its text. A float is taken by its shortest text."""

    def read(value: Json) -> Any:
        try:
            if type(value) in (int, str, float, kind):
                number = kind(repr(value) if type(value) is float else value)
                if number.is_finite() and not has_many_zeros(number):
                    return number
        except (ArithmeticError, ValueError):
            pass
        raise Mismatch("decimal")

    return read


def _enum_reader(kind: type[Enum]) -> Reader:
    """Return what reads a member by its value; ``True`` does not stand for 1."""
    name = " or ".join(repr(member.value) for member in kind)

    def read(value: Json) -> Any:
        try:
            member = kind(value)
            if type(member.value) is type(value):
                return member
        except (ArithmeticError, TypeError, ValueError):
            pass
        raise Mismatch(name)

    return read


def _array_reader(make: Callable[..., Any], read_element: Reader) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is not list:
            raise Mismatch("array")
        elements = read_parts((number, read_element, part) for number, part in enumerate(value))
        try:
            return elements if make is list else make(elements)
        except TypeError:  # of a set, whose elements have no hash
            flaw = Mismatch("array")
        raise flaw

    return read


def _tuple_reader(readers: Sequence[Reader]) -> Reader:
    def read(value: Json) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(readers):
            raise Mismatch(f"array of {len(readers)}")
        return tuple(read_parts(zip(count(), readers, value, strict=False)))

    return read


def _mapping_reader(read_inner: Reader) -> Reader:
    def read(value: Json) -> dict[str, Any]:
        if type(value) is not dict:
            raise Mismatch("object")
        if read_inner is return_as_is:
            return value.copy()
        inner_values = read_parts((KEY, read_inner, inner) for inner in value.values())
        return dict(zip(value, inner_values, strict=True))

    return read


def _literal_reader(values: tuple[Any, ...]) -> Reader:
    name = " or ".join(map(repr, values))

    def read(value: Json) -> Any:
        for literal in values:
            if type(literal) is type(value) and literal == value:
                return literal
        raise Mismatch(name)

    return read


def _union_reader(kinds: tuple[Any, ...], place: AnnotationPlace) -> Reader:
    """Return what takes the first type that fits; with one type and None, errors lead into that."""
    others = [kind for kind in kinds if kind is not type(None)]
    readers = [reader_of(kind, place) for kind in others]
    takes_none = len(others) < len(kinds)
    name = " or ".join(map(type_name, kinds))

    def read(value: Json) -> Any:
        if value is None and takes_none:
            return None
        if len(readers) == 1:
            return readers[0](value)
        for read_one in readers:
            try:
                return read_one(value)
            except Mismatch:
                continue
        raise Mismatch(name)

    return read
