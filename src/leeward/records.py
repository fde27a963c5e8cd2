"""`NamedTuple`, as `typing` has it, for classes that a cold start defines by the hundred.

`typing.NamedTuple` compiles a constructor for each class, and each annotation of it: a fifth of a
cold start. Here a class takes a constructor of the same length, puts its own names on it, and reads
its fields as named tuples do, so that nothing is compiled.
"""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]  # what named tuples read with
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

if TYPE_CHECKING:
    from typing import NamedTuple

__all__ = ["NamedTuple"]


class _Record(tuple[Any, ...]):
    """What all records share."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]]
    _field_defaults: ClassVar[dict[str, Any]]

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Self:
        """Return a record of these values, one for each field."""
        return cls(*values)

    def _replace(self, /, **changes: Any) -> Self:
        """Return the record with some fields changed."""
        record = tuple.__new__(type(self), map(changes.pop, self._fields, self))
        if changes:
            raise TypeError(f"{type(self).__name__} has no fields {sorted(changes)}")
        return record

    __replace__ = _replace

    def _asdict(self) -> dict[str, Any]:
        """Return the values by the names of their fields."""
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        """Return an expression that makes the record."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({fields})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return what a copy is made of; of a view, what is in it."""
        return tuple(dict(value) if type(value) is MappingProxyType else value for value in self)


class _RecordMaker(type):
    """Makes of each subclass of `NamedTuple` a record whose own type is `type`.

    `isinstance` is slower for a class of another type.
    """

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]
    ) -> type[_Record]:
        """Return the record whose fields `namespace` annotates."""
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace[field] for field in fields if field in namespace}
        length = len(fields)
        construct = _CONSTRUCTORS[length] if length < len(_CONSTRUCTORS) else _construct
        code = construct.__code__.replace(
            co_argcount=1 + length,
            co_nlocals=1 + length,
            co_varnames=("cls", *fields),
            co_name="__new__",
            co_qualname=f"{name}.__new__",
            co_filename="<record>",
        )
        namespace |= {
            "__slots__": (),
            "__new__": FunctionType(code, globals(), argdefs=tuple(defaults.values())),
            "__match_args__": fields,
            "_fields": fields,
            "_field_defaults": defaults,
            **{field: _tuplegetter(place, None) for place, field in enumerate(fields)},
        }
        return type(name, (_Record, *bases[1:]), namespace)


_new: Final[Callable[..., Any]] = tuple.__new__

_CONSTRUCTORS: Final[Sequence[Any]] = (
    lambda cls: _new(cls, ()),
    lambda cls, a: _new(cls, (a,)),
    lambda cls, a, b: _new(cls, (a, b)),
    lambda cls, a, b, c: _new(cls, (a, b, c)),
    lambda cls, a, b, c, d: _new(cls, (a, b, c, d)),
    lambda cls, a, b, c, d, e: _new(cls, (a, b, c, d, e)),
    lambda cls, a, b, c, d, e, f: _new(cls, (a, b, c, d, e, f)),
    lambda cls, a, b, c, d, e, f, g: _new(cls, (a, b, c, d, e, f, g)),
    lambda cls, a, b, c, d, e, f, g, h: _new(cls, (a, b, c, d, e, f, g, h)),
    lambda cls, a, b, c, d, e, f, g, h, i: _new(cls, (a, b, c, d, e, f, g, h, i)),
    lambda cls, a, b, c, d, e, f, g, h, i, j: _new(cls, (a, b, c, d, e, f, g, h, i, j)),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k: _new(cls, (a, b, c, d, e, f, g, h, i, j, k)),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m: _new(cls, (a, b, c, d, e, f, g, h, i, j, k, m)),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u, v: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u, v)
    ),
    lambda cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u, v, w: _new(
        cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q, r, s, t, u, v, w)
    ),
)
"""By the number of fields, up to those of a call's state; Python keeps these compiled."""


def _construct(cls: Any) -> Any:
    """Return a record of whatever arguments follow `cls`, once the code names some."""
    return _new(cls, tuple(locals().values())[1:])


if not TYPE_CHECKING:
    NamedTuple = type.__new__(_RecordMaker, "NamedTuple", (), {})
