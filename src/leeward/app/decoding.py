"""Typed inputs: an annotation becomes what reads JSON into it, and names what does not fit.

Known are the types of JSON, `Decimal`, `datetime`, `date`, `UUID`, `bytes` (base64), `Enum`,
`Literal`, unions, containers of those, dataclasses, `NamedTuple` and `TypedDict`. Classes of
libraries that bring their own reading are in `leeward.app.models`. Attributes that no annotation
names are ignored, so that a sender may know more than a receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leeward.app.mismatch import (
    KEY,
    MOST,
    AnnotationPlace,
    Mismatch,
    Reader,
    short_name,
    together,
    type_name,
)
from leeward.app.problem import Flaw, InvalidInput
from leeward.errors import ConfigError
from leeward.values import Json


def decoder_of(annotation: Any, where: str) -> Reader:
    """Return what reads JSON as `annotation` says; it raises `InvalidInput`.

    Args:
        annotation: resolved, and not as text.
        where: what has the annotation, for the message.

    Raises:
        ConfigError: nothing can be read into such a type.
    """
    read = reader_of(annotation, AnnotationPlace(where, where, {}))
    if read is same:
        return same

    def decode(value: Json) -> Any:
        try:
            return read(value)
        except Mismatch as error:
            others = tuple(Flaw(each.path, each.expected, each.missing) for each in error.others)
            found = InvalidInput(error.path, error.expected, missing=error.missing, others=others)
        raise found  # out here, so that nothing of the input goes along as the context

    return decode


def reader_of(annotation: Any, where: AnnotationPlace) -> Reader:
    """Return what reads one type."""
    from typing import Annotated, get_args, get_origin

    if hasattr(annotation, "__supertype__"):  # NewType
        return reader_of(annotation.__supertype__, where)
    if type(annotation).__name__ == "TypeAliasType":  # ``type X = ...``, since Python 3.12
        return reader_of(annotation.__value__, where)
    origin = get_origin(annotation)
    if origin is Annotated:
        return reader_of(get_args(annotation)[0], where)
    if origin is not None:
        return _generic(annotation, origin, get_args(annotation), where)
    plain = _plain(annotation)
    if plain is not None:
        return plain
    if isinstance(annotation, type):
        from leeward.app.structures import structure_reader

        structured = structure_reader(annotation, where, reader_of)
        if structured is not None:
            return structured
    raise ConfigError(
        f"{where.told} is annotated with {short_name(annotation)}, which nothing reads from JSON; "
        "use a "
        "dataclass, a NamedTuple, a TypedDict, or a type of JSON"
    )


def same(value: Json) -> Json:
    """Return the value as it is: for what has no annotation."""
    return value


def _plain(annotation: Any) -> Reader | None:
    """Return what reads a type without parts."""
    if annotation in (Any, object):
        return same
    if annotation is None or annotation is type(None):
        return _exactly(type(None), "null")
    if annotation is float:
        return _float
    names = {bool: "bool", int: "int", str: "str", list: "array", dict: "object"}
    if annotation in names:
        return _exactly(annotation, names[annotation])
    from leeward.app.scalars import scalar_reader

    return scalar_reader(annotation)


def _generic(
    annotation: Any, origin: Any, arguments: tuple[Any, ...], where: AnnotationPlace
) -> Reader:
    from types import UnionType
    from typing import Literal, Union

    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, UnionType):
        return _union(arguments, where)
    if origin is tuple and arguments[-1:] != (...,):
        return _tuple(arguments, where)
    if isinstance(origin, type):
        if issubclass(origin, Mapping):
            return _mapping(arguments[1], where)
        if origin in (list, set, frozenset, tuple) or issubclass(Sequence, origin):
            make = origin if origin in (set, frozenset, tuple) else list
            return _array(make, arguments[0], where)
    raise ConfigError(
        f"{where.told} is annotated with {short_name(annotation)}, which nothing reads from JSON"
    )


def _exactly(kind: type, name: str) -> Reader:
    def read(value: Json) -> Any:
        if type(value) is not kind:
            raise Mismatch(name)
        return value

    return read


def _float(value: Json) -> float:
    if type(value) is float:
        return value
    if type(value) is not int:
        raise Mismatch("float")
    try:
        return float(value)
    except OverflowError:
        flaw = Mismatch("float")
    raise flaw


def _array(make: Callable[..., Any], kind: Any, where: AnnotationPlace) -> Reader:
    each = reader_of(kind, where)

    def read(value: Json) -> Any:
        if type(value) is not list:
            raise Mismatch("array")
        found: list[Any] = []
        flaws: list[Mismatch] = []
        for number, element in enumerate(value):
            try:
                found.append(each(element))
            except Mismatch as error:
                flaws.append(error.inside(f"[{number}]"))
                if len(flaws) == MOST:
                    break
        if flaws:
            raise together(flaws) from None
        try:
            return found if make is list else make(found)
        except TypeError:  # of a set, whose elements have no hash
            flaw = Mismatch("array")
        raise flaw

    return read


def _tuple(kinds: Sequence[Any], where: AnnotationPlace) -> Reader:
    readers = [reader_of(kind, where) for kind in kinds]

    def read(value: Json) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(readers):
            raise Mismatch(f"array of {len(readers)}")
        found: list[Any] = []
        try:
            for each, element in zip(readers, value, strict=True):
                found.append(each(element))
        except Mismatch as error:
            raise error.inside(f"[{len(found)}]") from None
        return tuple(found)

    return read


def _mapping(kind: Any, where: AnnotationPlace) -> Reader:
    each = reader_of(kind, where)

    def read(value: Json) -> dict[str, Any]:
        if type(value) is not dict:
            raise Mismatch("object")
        if each is same:
            return value.copy()
        try:
            return {name: each(inner) for name, inner in value.items()}
        except Mismatch as error:
            raise error.inside(KEY) from None

    return read


def _literal(values: tuple[Any, ...]) -> Reader:
    name = " or ".join(map(repr, values))

    def read(value: Json) -> Any:
        for each in values:
            if type(each) is type(value) and each == value:
                return each
        raise Mismatch(name)

    return read


def _union(kinds: tuple[Any, ...], where: AnnotationPlace) -> Reader:
    """Return what takes the first type that fits; with one type and None, errors lead into that."""
    others = [kind for kind in kinds if kind is not type(None)]
    readers = [reader_of(kind, where) for kind in others]
    takes_none = len(others) < len(kinds)
    name = " or ".join(type_name(kind) for kind in kinds)

    def read(value: Json) -> Any:
        if value is None and takes_none:
            return None
        if len(readers) == 1:
            return readers[0](value)
        for each in readers:
            try:
                return each(value)
            except Mismatch:
                continue
        raise Mismatch(name)

    return read
