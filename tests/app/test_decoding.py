"""Typed inputs: what an annotation takes, and how what does not fit is told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.app.answers import InvalidInput, encode_value, json_of, refusal_answer
from leeward.app.decoding import decoder_of
from leeward.errors import ConfigError

CANARY = "canary-8e03"


class Colour(Enum):
    RED = "red"
    ONE = 1


class Line(NamedTuple):
    sku: str
    qty: int = 1


class Address(TypedDict):
    street: str
    flat: NotRequired[int]


@dataclass
class Order:
    id: str
    items: list[Line]
    total: Decimal
    placed: datetime
    address: Address | None = None
    notes: dict[str, str] = field(default_factory=dict)
    parent: Order | None = None


@dataclass
class Odd:
    inner: list[Odd]
    number: complex


@dataclass
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError(f"{self.number} is odd, {CANARY}")


class Struct(msgspec.Struct):
    number: int
    lines: list[Line] = []
    by_name: dict[str, int] = {}
    kind: Literal["a", "b"] = "a"


class Checked(msgspec.Struct):
    at: datetime
    qty: Annotated[int, msgspec.Meta(ge=1)]


class Exact(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    a_b: int


class Limited(pydantic.BaseModel, extra="forbid"):
    qty: int = pydantic.Field(gt=3)
    name: str = pydantic.Field(max_length=2)


class Model(pydantic.BaseModel):
    number: int
    lines: list[ModelLine] = []
    by_name: dict[str, int] = {}


class ModelLine(pydantic.BaseModel):
    kind: Literal["a", "b"]


Model.model_rebuild()
Sku = NewType("Sku", str)

GOOD: dict[str, Any] = {
    "id": "42",
    "items": [{"sku": "a", "qty": 2}, {"sku": "b"}],
    "total": "9.90",
    "placed": "2026-01-31T12:00:00Z",
    "address": {"street": "Quay", "unknown": 1},
    "unknown": None,
}
READ = Order(
    "42",
    [Line("a", 2), Line("b", 1)],
    Decimal("9.90"),
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    {"street": "Quay"},
)


def read(annotation: Any, value: Any) -> Any:
    """Read a value into a type."""
    return decoder_of(annotation, "a test")(value)


def test_json_is_read_into_types() -> None:
    """Scalars that JSON lacks stand in it as text; unknown attributes are ignored."""
    table: list[tuple[Any, Any, Any]] = [
        (Order, GOOD, READ),
        (Any, GOOD, GOOD),
        (float, 1, 1.0),
        (Decimal, 1.1, Decimal("1.1")),
        (date, "2026-01-31", date(2026, 1, 31)),
        (bytes, "AAE=", b"\x00\x01"),
        (
            UUID,
            "12345678-1234-5678-1234-567812345678",
            UUID(int=0x12345678123456781234567812345678),
        ),
        (Colour, "red", Colour.RED),
        (Literal["a", 1], 1, 1),
        (Sku, "x", "x"),
        (int | str | None, None, None),
        (int | Line, {"sku": "a"}, Line("a")),
        (Sequence[int], [1], [1]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 1], {1}),
        (Mapping[str, Line], {"x": {"sku": "a"}}, {"x": Line("a")}),
        (Even, {"number": 2}, Even(2)),
        (Model, {"number": 3}, Model(number=3)),
        (Struct, {"number": 3, "unknown": 1}, Struct(3)),
        (list[Struct | None], [{"number": 3}, None], [Struct(3), None]),
    ]
    for annotation, value, expected in table:
        found = read(annotation, value)
        assert (found, type(found)) == (expected, type(expected)), annotation


def test_what_does_not_fit_is_told_by_path_and_type() -> None:
    """The message names both; neither it nor what goes along with it repeats the input."""
    text = {"qty": CANARY}
    table: list[tuple[Any, Any, str, str]] = [
        (Order, {**GOOD, "items": [{"sku": "a"}, {"sku": "b", **text}]}, "$.items[1].qty", "int"),
        (Order, {**GOOD, "id": 3}, "$.id", "str"),
        (Order, {**GOOD, "total": CANARY}, "$.total", "decimal"),
        (Order, {**GOOD, "total": "NaN"}, "$.total", "decimal"),
        (Order, {**GOOD, "total": "1E+999999999"}, "$.total", "decimal"),
        (Order, {**GOOD, "placed": CANARY}, "$.placed", "datetime"),
        (Order, {**GOOD, "notes": {CANARY: 1}}, "$.notes[...]", "str"),
        (Order, {**GOOD, "address": {"flat": CANARY}}, "$.address.street", "str"),
        (Order, {**GOOD, "parent": {**GOOD, "id": None}}, "$.parent.id", "str"),
        (Order, [CANARY], "$", "object"),
        (int, True, "$", "int"),
        (float, CANARY, "$", "float"),
        (float, 10**400, "$", "float"),
        (bool, 1, "$", "bool"),
        (None, CANARY, "$", "null"),
        (bytes, CANARY + "!", "$", "base64"),
        (Colour, CANARY, "$", "'red' or 1"),
        (Colour, True, "$", "'red' or 1"),
        (Literal["a", "b"], CANARY, "$", "'a' or 'b'"),
        (int | str, [CANARY], "$", "int or str"),
        (tuple[int, str], [1], "$", "array of 2"),
        (tuple[int, str], [1, 2], "$[1]", "str"),
        (set[Any], [[CANARY]], "$", "array"),
        (Even, {"number": 3}, "$", "Even"),
        (Model, {"number": CANARY}, "$.number", "valid (int_parsing)"),
        (Struct, {"number": CANARY}, "$.number", "int"),
        (Struct, {"number": 1, "by_name": {CANARY: "x"}}, "$.by_name[...]", "int"),
        (Struct, {"number": 1, "kind": CANARY}, "$.kind", "one of its values"),
        (list[Struct], [{"number": 1}, CANARY], "$[1]", "object"),
        (Checked, {"at": CANARY, "qty": 0}, "$.at", "a time as RFC 3339 has it"),
        (Checked, {"at": "2026-01-31T12:00:00Z", "qty": 0}, "$.qty", "int >= 1"),
        (Exact, {"aB": CANARY}, "$.aB", "int"),
        (Exact, {"aB": 1, CANARY: 1}, "$", "without further fields"),
        (
            Model,
            {"number": 1, "lines": [{"kind": CANARY}]},
            "$.lines[0].kind",
            "valid (literal_error)",
        ),
        (Model, {"number": 1, "by_name": {CANARY: "x"}}, "$.by_name[...]", "valid (int_parsing)"),
    ]
    for annotation, value, path, expected in table:
        with pytest.raises(InvalidInput) as caught:
            read(annotation, value)
        error = caught.value
        assert (error.path, error.expected) == (path, expected), annotation
        assert (error.status, error.reason, error.retryable) == (400, "bad_input", False)
        assert path in error.message
        assert CANARY not in repr((error, error.message, error.__cause__, error.__context__))


def test_everything_that_does_not_fit_is_told_at_once() -> None:
    """Of dataclasses and models, inside of lists too; twenty places at most."""
    wrong = {"number": CANARY, "lines": [{"kind": "c"}, {}], "by_name": 3}
    lines = [("$.lines[0].kind", "valid (literal_error)"), ("$.lines[1].kind", "valid (missing)")]
    table: list[tuple[Any, Any, list[tuple[str, str]]]] = [
        (
            Order,
            {"id": 1, "items": [{"qty": "x"}, {"sku": 2}], "total": None, "address": {}},
            [
                ("$.id", "str"),
                ("$.items[0].sku", "str"),
                ("$.items[0].qty", "int"),
                ("$.items[1].sku", "str"),
                ("$.total", "decimal"),
                ("$.placed", "datetime"),
                ("$.address.street", "str"),
            ],
        ),
        (
            Model,
            wrong,
            [
                ("$.number", "valid (int_parsing)"),
                *lines,
                ("$.by_name", "valid (dict_type)"),
            ],
        ),
        (
            Limited,
            {"qty": 1, "name": CANARY, "more": 1},
            [
                ("$.qty", "valid (greater_than 3)"),
                ("$.name", "valid (string_too_long 2)"),
                ("$[...]", "valid (extra_forbidden)"),
            ],
        ),
        (dict[str, int], {"a": "x", "b": 1, "c": "y"}, [("$[...]", "int")] * 2),
        (tuple[int, str, int], ["x", 1, 2], [("$[0]", "int"), ("$[1]", "str")]),
        (
            dict[str, Line],
            {"a": {"sku": 1, "qty": "x"}, "b": {}},
            [("$[...].sku", "str"), ("$[...].qty", "int"), ("$[...].sku", "str")],
        ),
        (list[int], ["x"] * 50, [(f"$[{n}]", "int") for n in range(20)]),
        (dict[str, int], dict.fromkeys(map(str, range(30)), "x"), [("$[...]", "int")] * 20),
    ]
    for annotation, value, expected in table:
        with pytest.raises(InvalidInput) as caught:
            read(annotation, value)
        error = caught.value
        assert [each[:2] for each in error.flaws] == expected, annotation
        assert all(str(each) in error.message for each in error.flaws)
        fields = json.loads(refusal_answer(error).body)
        assert fields["flaws"] == [{"path": path, "expected": told} for path, told in expected]
        assert CANARY not in repr((error, error.message, fields, error.__context__))


def test_a_missing_attribute_is_told() -> None:
    """By the path at which it belongs, of an object and of a model alike."""
    for annotation in (Order, Model, Struct):
        with pytest.raises(InvalidInput, match=r"\$\.\w+ is missing; it must be"):
            read(annotation, {})


def test_a_type_that_nothing_reads_is_refused_early() -> None:
    """When the handler is checked, by its name and with what to use instead."""
    for annotation in (
        complex,
        test_json_is_read_into_types,
        list[complex],
        dict[str, object | type],
        Odd,
        list[Odd] | None,
    ):
        with pytest.raises(
            ConfigError, match=r"a test is annotated with .* use a dataclass|nothing"
        ):
            decoder_of(annotation, "a test")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    """No input makes a reader raise anything but `InvalidInput`."""
    for annotation in (Order, list[Line], dict[str, Decimal], Model, Struct, Colour):
        with suppress(InvalidInput):
            read(annotation, value)


@given(
    st.builds(
        Order,
        id=st.text(),
        items=st.lists(st.builds(Line, st.text(), st.integers())),
        total=st.decimals(allow_nan=False, allow_infinity=False),
        placed=st.datetimes(timezones=st.just(UTC)),
        address=st.none() | st.builds(lambda street: Address(street=street), st.text()),
        notes=st.dictionaries(st.text(), st.text()),
    )
)
def test_what_is_returned_is_read_again(order: Order) -> None:
    """The JSON of an answer is an input of the same type."""
    assert read(Order, json.loads(encode_value(order, None))) == order


def test_values_become_json() -> None:
    """Those of the types that are read, and of models."""
    assert json_of(
        [Colour.RED, UUID(int=0), b"\x00", date(2026, 1, 2), (1, None), Model(number=1)]
    ) == [
        "red",
        "00000000-0000-0000-0000-000000000000",
        "AA==",
        "2026-01-02",
        [1, None],
        {"number": 1, "lines": [], "by_name": {}},
    ]
