"""Typed inputs: an annotation becomes what reads JSON into it, and names what does not fit.

Known are the types of JSON, `Decimal`, `datetime`, `date`, `UUID`, `bytes` (base64), `Enum`,
`Literal`, unions, containers of those, dataclasses, `NamedTuple` and `TypedDict`. Classes of
libraries that bring their own reading are in `leeward.app.models`. Attributes that no annotation
names are ignored, so that a sender may know more than a receiver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from leeward.app.answers import Flaw, InvalidInput
from leeward.errors import ConfigError
from leeward.json_text import has_many_zeros
from leeward.values import Json

Reader: TypeAlias = Callable[[Json], Any]
"""Returns the value of a type for JSON, or raises `Mismatch`."""

KEY: Final = "[...]"
"""Stands in a path for a key that is part of the input."""


MOST: Final = 20
"""Places of one input that are told."""


class Mismatch(Exception):
    """JSON that is not of its type; `steps` lead to it, the innermost first.

    Attributes:
        others: what else of the same input is not.
    """

    def __init__(self, expected: str, *, missing: bool = False) -> None:
        super().__init__(expected)
        self.expected = expected
        self.missing = missing
        self.steps: list[str] = []
        self.others: list[Mismatch] = []

    def inside(self, step: str) -> Mismatch:
        """Return itself, with one more step on the way to it and to the others."""
        for each in (self, *self.others):
            each.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """The way to it, from the outside."""
        return "".join(["$", *reversed(self.steps)])


def together(flaws: Iterable[Mismatch]) -> Mismatch:
    """Return the first of some flaws, and the rest as its others."""
    first, *rest = [one for each in flaws for one in (each, *each.others)]
    first.others = rest[: MOST - 1]
    return first


def type_name(annotation: Any) -> str:
    """Return a type as a sender of JSON reads it."""
    from typing import get_args, get_origin

    names = {list: "array", tuple: "array", dict: "object", type(None): "null"}
    origin = get_origin(annotation)
    if annotation in names or origin in names:
        return names.get(annotation) or names[origin]
    if origin is not None and get_args(annotation):
        parts = [
            type_name(each) if isinstance(each, type) else short_name(each)
            for each in get_args(annotation)
        ]
        return " or ".join(parts)
    return short_name(annotation)


def short_name(annotation: Any) -> str:
    """Return a type as its code names it."""
    name: str | None = getattr(annotation, "__name__", None)
    return name or repr(annotation)


def scalar_reader(kind: Any) -> Callable[[Json], Any] | None:
    """Return what reads `kind` from JSON; None if it is not such a type.

    Modules are looked at by name: what an annotation names is loaded already, and the others need
    not be loaded to see that it is not theirs.
    """
    from enum import Enum

    name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', '')}"
    if name == "decimal.Decimal":
        return _read(kind, _decimal, "decimal")
    if name in ("datetime.datetime", "datetime.date"):
        return _read(kind, _from_iso_format, name.partition(".")[2])
    if name == "uuid.UUID":
        return _read(kind, _from_text, "uuid")
    if kind is bytes:
        return _read(kind, _base64, "base64")
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _read(kind, _enum, " or ".join(repr(each.value) for each in kind))
    return None


def _read(kind: Any, make: Callable[[Any, Json], Any], name: str) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        try:
            return make(kind, value)
        except (ArithmeticError, TypeError, ValueError):
            flaw = Mismatch(name)
        raise flaw  # out here, so that nothing of the input goes along as the context

    return read


def _decimal(kind: Any, value: Json) -> Any:
    """Read a number, or its text. A float is taken by the shortest text that means it."""
    if type(value) is float:
        value = repr(value)
    if type(value) not in (int, str):
        raise TypeError
    found = kind(value)
    if not found.is_finite() or has_many_zeros(found):
        raise ValueError
    return found


def _from_iso_format(kind: Any, value: Json) -> Any:
    if type(value) is not str:
        raise TypeError
    return kind.fromisoformat(value)


def _from_text(kind: Any, value: Json) -> Any:
    if type(value) is not str:
        raise TypeError
    return kind(value)


def _base64(_: Any, value: Json) -> bytes:
    from base64 import b64decode

    if type(value) is not str:
        raise TypeError
    return b64decode(value, validate=True)


def _enum(kind: Any, value: Json) -> Any:
    """Read a member by its value; ``True`` does not stand for 1."""
    found = kind(value)
    if type(found.value) is not type(value):
        raise ValueError
    return found


ReaderOf: TypeAlias = Callable[[Any, "Location"], Reader]
"""Returns what reads a type: `leeward.app.decoding.reader_of`, for the types of attributes."""


def structure_reader(kind: type, where: Location, reader_of: ReaderOf) -> Reader | None:
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


def _made(kind: type, where: Location, reader_of: ReaderOf) -> Reader | None:
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


def _hints(kind: type, where: Location) -> dict[str, Any]:
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


class Location(NamedTuple):
    """Where an annotation stands.

    Attributes:
        told: such as ``Order.total of the function handler 'pay'``.
        handler: the last part of that.
        readers: of the classes with attributes that the handler's annotation leads to, so far.
    """

    told: str
    handler: str
    readers: dict[type, Reader]

    def at(self, kind: type, name: str) -> Location:
        """Return the location of an attribute of a class."""
        return self._replace(told=f"{kind.__name__}.{name} of {self.handler}")


def decoder_of(annotation: Any, where: str) -> Reader:
    """Return what reads JSON as `annotation` says; it raises `InvalidInput`.

    Args:
        annotation: resolved, and not as text.
        where: what has the annotation, for the message.

    Raises:
        ConfigError: nothing can be read into such a type.
    """
    read = reader_of(annotation, Location(where, where, {}))
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


def reader_of(annotation: Any, where: Location) -> Reader:
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

    return scalar_reader(annotation)


def _generic(annotation: Any, origin: Any, arguments: tuple[Any, ...], where: Location) -> Reader:
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


def _array(make: Callable[..., Any], kind: Any, where: Location) -> Reader:
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


def _tuple(kinds: Sequence[Any], where: Location) -> Reader:
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


def _mapping(kind: Any, where: Location) -> Reader:
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


def _union(kinds: tuple[Any, ...], where: Location) -> Reader:
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
