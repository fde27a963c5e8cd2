"""Records behave as those of `typing`, and define themselves without compiling."""

from __future__ import annotations

import copy
import inspect
import pickle
import types
import typing
from typing import Any, Generic, TypeVar, get_type_hints

import pytest

from leeward import records

T = TypeVar("T")


class Place(records.NamedTuple):
    """Where a thing is.

    Attributes:
        street: its name.
        number: of the house.
        floor: 0 is the street's.
    """

    street: str
    number: int
    floor: int = 0

    @property
    def door(self) -> str:
        """Return the words on a letter."""
        return f"{self.street} {self.number}"


class Model(typing.NamedTuple):
    """The same, as `typing` makes it."""

    street: str
    number: int
    floor: int = 0


class Nothing(records.NamedTuple):
    """A record of no fields."""


class Boxed(records.NamedTuple, Generic[T]):
    """A record of a type to be named."""

    value: T


PLACE = Place("Kade", 4)
MODEL = Model("Kade", 4)


def test_fields_are_read_by_name_and_by_position() -> None:
    """A field is an attribute, an element, and a part of a pattern."""
    assert (PLACE.street, PLACE.number, PLACE.floor, PLACE.door) == ("Kade", 4, 0, "Kade 4")
    assert tuple(PLACE) == ("Kade", 4, 0)
    match PLACE:
        case Place(street, number=4):
            assert street == "Kade"
        case _:
            pytest.fail("the pattern did not match")


def test_a_record_equals_tuples_of_its_values_and_is_hashed_as_they_are() -> None:
    """A record is the tuple of its values."""
    assert PLACE == ("Kade", 4, 0)
    assert hash(PLACE) == hash(("Kade", 4, 0))
    assert PLACE._replace(floor=1) != PLACE


def test_the_constructor_is_that_of_typing() -> None:
    """It takes fields by name or by position, and names what is missing."""
    assert Place(number=4, street="Kade", floor=0) == PLACE
    ours, theirs = inspect.signature(Place).parameters, inspect.signature(Model).parameters
    assert {name: one.default for name, one in ours.items()} == {
        name: one.default for name, one in theirs.items()
    }
    with pytest.raises(TypeError, match=r"Place\.__new__\(\) missing 1 .* 'number'"):
        Place("Kade")  # type: ignore[call-arg]


def test_a_record_of_many_fields_is_made_as_any_other() -> None:
    """More fields than there are constructors at hand change nothing."""
    names = [f"field{number}" for number in range(40)]
    namespace = {
        "__module__": __name__,
        "__annotations__": dict.fromkeys(names, "int"),
        names[-1]: 7,
    }
    wide: Any = types.new_class(
        "Wide", (records.NamedTuple,), exec_body=lambda body: body.update(namespace)
    )
    assert wide(*range(39)) == (*range(39), 7)
    assert wide(**dict(zip(names, range(40), strict=True))).field39 == 39
    assert list(inspect.signature(wide).parameters) == names


def test_helpers_answer_as_those_of_typing() -> None:
    """What `typing` documents of its records is here too, and a wrong field is named."""
    assert Place._fields == Model._fields
    assert Place._field_defaults == Model._field_defaults
    assert Place._make(MODEL) == PLACE
    assert PLACE._asdict() == MODEL._asdict()
    assert repr(PLACE) == repr(MODEL).replace("Model", "Place")
    assert PLACE._replace(floor=2) == Place("Kade", 4, 2)
    with pytest.raises(TypeError, match="Place has no fields \\['town'\\]"):
        PLACE._replace(town="Delft")  # type: ignore[call-arg]


VIEW = Boxed(types.MappingProxyType({"town": "Delft"}))


@pytest.mark.parametrize("record", [PLACE, Nothing(), Boxed(PLACE), VIEW], ids=repr)
def test_copies_are_equal_and_of_the_same_class(record: Any) -> None:
    """`copy` and `pickle` make the same record again."""
    for copied in (copy.copy(record), copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert copied == record
        assert type(copied) is type(record)


def test_a_record_takes_no_other_attribute() -> None:
    """Nothing of a record can be set."""
    for name in ("street", "town"):
        with pytest.raises(AttributeError):
            setattr(PLACE, name, "Delft")


def test_annotations_can_be_read() -> None:
    """The types of the fields can be looked up."""
    assert get_type_hints(Place).items() >= {"street": str, "number": int, "floor": int}.items()


def test_isinstance_asks_a_plain_class() -> None:
    """The metaclass is gone once a record is defined."""
    assert type(Place) is type
    assert issubclass(Place, tuple)
    assert Boxed[int](4).value == 4


def test_a_class_is_defined_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defining a record of usual length calls neither `compile` nor `eval`."""

    def refuse(*_: Any) -> None:
        pytest.fail("it compiled")

    monkeypatch.setattr("builtins.compile", refuse)
    monkeypatch.setattr("builtins.eval", refuse)

    class Later(records.NamedTuple):
        street: str
        number: int
        floor: str = ""

    assert Later("Kade", 4) == ("Kade", 4, "")
