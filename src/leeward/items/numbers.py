"""Which numbers a provider holds exactly, and how it is seen that one came back unchanged.

Providers hold numbers by one of two models: decimals of so many digits, or IEEE doubles, most
often beside integers of some range. A *native number* is what a model writes and reads: int and
Decimal in the first, int and float in the second. A double stands for the shortest decimal that
rounds to it, which is what `repr` and every JSON printer write.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from typing import Final, NamedTuple, Protocol, TypeAlias

Number: TypeAlias = int | float | Decimal

_EXACT: Final = Context(
    prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation]
)
"""Arithmetic that never rounds; the caller's own decimal context plays no part."""


class NumberModel(Protocol):
    """How one provider holds numbers."""

    def hold(self, value: Number) -> Number | None:
        """Return the native number of exactly that value, or None where there is none.

        `value` is finite, and no negative zero: no model is trusted with its sign.
        """

    def spell(self, number: Number) -> str:
        """Spell a native number so that equal numbers, however the provider prints them, agree."""


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
        if isinstance(value, Decimal) and value and value.adjusted() not in self.exponents:
            return None  # before anything else: written out, it might fill the memory
        number = by_value(value)
        if isinstance(number, int):
            return number if number in self.integers else None
        few = len(number.as_tuple().digits) <= self.digits
        return number if few and number.adjusted() in self.exponents else None

    def spell(self, number: Number) -> str:
        """Spell an int, or a Decimal without trailing zeros."""
        return str(number)


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
        return self._hold_decimal(value) if self.decimals else None

    def _hold_decimal(self, value: Decimal) -> float | None:
        double = float(value)
        if Decimal(repr(double)) != value:
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


def by_value(number: Number) -> int | Decimal:
    """Return int where `number` is integral, else a Decimal without trailing zeros."""
    if isinstance(number, int):
        return number
    if isinstance(number, float):
        exact = Decimal(repr(number))  # of a fraction, repr writes no trailing zeros
        return int(exact) if number.is_integer() else exact
    normal = _EXACT.normalize(number)
    exponent = normal.as_tuple().exponent
    integral = isinstance(exponent, int) and exponent >= 0  # it is a letter in NaN and Infinity
    return int(normal) if integral else normal


def with_exponent(number: Number, exponent: int) -> Decimal:
    """Return `number` as the Decimal that has this exponent: 9.9 and -2 give ``9.90``."""
    exact = number if isinstance(number, Decimal) else Decimal(by_value(number))
    return _EXACT.quantize(exact, Decimal((0, (1,), exponent)))
