"""What differs between the providers' data models, as data.

Providers hold numbers by one of two models: decimals of so many digits, or IEEE doubles, most
often beside integers of some range. A *native number* is what a model writes and reads: int and
Decimal in the first, int and float in the second. A double stands for the shortest decimal that
rounds to it, which is what `repr` and every JSON printer write.

A model has two methods. `hold` returns the native number of exactly the value it is given, or None
where there is none; the value is finite, and no negative zero: no model is trusted with its sign.
`spell` spells a native number so that equal numbers, however the provider prints them, agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

from leeward.records import NamedTuple
from leeward.values import NOTHING

Number: TypeAlias = int | float | Decimal

_EXACT: Final = Context(
    prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation]
)
"""Arithmetic that never rounds; the caller's own decimal context plays no part."""


decimal_text: Final = _EXACT.to_sci_string
"""Write a Decimal as `str` does, whatever the caller's own decimal context says."""

quantized: Final = _EXACT.quantize
"""Give a Decimal the exponent of another one; it raises `decimal.Inexact` where that rounds."""


class DecimalModel(NamedTuple):
    """Decimals with a bounded number of digits.

    Attributes:
        integers: those that are held.
        digits: the most significant digits of any other number, trailing zeros not counted.
        exponents: the power of ten of the first digit, for any number but zero.
    """

    integers: range
    digits: int
    exponents: range

    def hold(self, value: Number) -> int | Decimal | None:
        """Return the int, or the Decimal without trailing zeros, if it is in range."""
        if type(value) is Decimal and value and value.adjusted() not in self.exponents:
            return None  # before anything else: written out, it might fill the memory
        number = by_value(value)
        if isinstance(number, int):
            return number if number in self.integers else None
        few = (
            len(decimal_text(number)) <= self.digits or len(number.as_tuple().digits) <= self.digits
        )
        return number if few and number.adjusted() in self.exponents else None

    def spell(self, number: Number) -> str:
        """Spell an int, or a Decimal without trailing zeros."""
        return decimal_text(number) if type(number) is Decimal else str(number)


class DoubleModel(NamedTuple):
    """IEEE doubles, beside integers that are exact in some range.

    Attributes:
        integers: those that are held exactly; None for all.
        decimals: whether a Decimal is held as a double where no digit of it is lost.
    """

    integers: range | None
    decimals: bool

    def hold(self, value: Number) -> int | float | None:
        """Return the int or float, if it loses nothing."""
        if isinstance(value, float):
            return value
        if isinstance(value, int):
            return value if self._holds_int(value) else None
        double = float(value) if self.decimals else None
        if double is None or Decimal(repr(double)) != value:
            return None
        # An integer out of range may come back with digits that the Decimal does not have.
        return double if not double.is_integer() or self._holds_int(int(double)) else None

    def _holds_int(self, value: int) -> bool:
        return self.integers is None or value in self.integers

    def spell(self, number: Number) -> str:
        """Spell an int or a float; an int out of range is a double that was printed as one."""
        if isinstance(number, float) and not number.is_integer():
            return repr(number)
        if self._holds_int(int(number)):
            return str(int(number))
        try:
            return repr(float(number))
        except OverflowError:  # no double: the provider holds more than its profile says
            return str(number)


NumberModel: TypeAlias = DecimalModel | DoubleModel


def by_value(number: Number) -> int | Decimal:
    """Return int where `number` is integral, else a Decimal without trailing zeros."""
    if isinstance(number, int):
        return number
    if isinstance(number, float):
        exact = Decimal(repr(number))  # of a fraction, repr writes no trailing zeros
        return int(exact) if number.is_integer() else exact
    normal = _EXACT.normalize(number)
    integral = normal.is_finite() and normal == normal.to_integral_value()
    return int(normal) if integral else normal


class TypedJson(NamedTuple):
    """A JSON in which each value is an object of one member, named for its type: ``{"S": "a"}``.

    Attributes:
        write: for the type of each plain value that the profile holds, the member's name, and what
            makes its value of the plain one, or of a list or dict of native ones; None where that
            is written as it is.
        same: for the names of members whose values are read as they are, the type that these must
            have; among them may be those of lists and dicts, which have native values inside.
        read: for the names of all others that the provider documents, what makes the plain value,
            or the list or dict of native ones. Raises `UnreadableItem`, ValueError or TypeError.
        kept: for the names of members that no plain value is written as, what makes the value that
            is written again of the one that was read, and of its plain value; it returns None where
            the plain value says as much.
    """

    write: Mapping[type, tuple[str, Callable[[Any], Any] | None]]
    same: Mapping[str, type]
    read: Mapping[str, Callable[[Any], Any]]
    kept: Mapping[str, Callable[[Any, Any], Any]] = NOTHING


class Profile(NamedTuple):
    """One provider's data model.

    Attributes:
        name: for people.
        numbers: which numbers are held exactly.
        typed_json: the provider's own JSON; None where a document is made of plain values.
        binary: whether bytes are a type of its own; else they are base64.
        timestamps: whether moments in UTC, to the microsecond, are; else they are ISO 8601.
        nested_lists: whether a list may stand directly in a list.
        dunder_names_reserved: whether names of the form ``__x__`` are the provider's.
        system_names: top-level names that are the provider's; ignored where they come back.
        expiry: how the provider is told what it may collect: Unix seconds, a timestamp, or seconds
            to live from the write on; None where it collects nothing.
    """

    name: str
    numbers: NumberModel
    typed_json: TypedJson | None = None
    binary: bool = False
    timestamps: bool = False
    nested_lists: bool = True
    dunder_names_reserved: bool = False
    system_names: frozenset[str] = frozenset()
    expiry: Literal["epoch", "timestamp", "ttl"] | None = None


EMBEDDED: Final = Profile("embedded", DoubleModel(integers=None, decimals=False))
"""Plain JSON, as Python reads and writes it: integers of any size, Decimals as text."""
