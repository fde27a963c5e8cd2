"""A document that somebody has forged costs little, and gives an item of leeward's types or none.

Whoever may write a document can compute a digest that fits, so the digest protects from nobody.
"""

import json
import tracemalloc
from contextlib import suppress
from decimal import Context, localcontext
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from leeward._items.checks import checked_size
from leeward.adapter.items import (
    EMBEDDED,
    Decoded,
    Profile,
    decode,
    digest_of,
    encode,
    encode_value,
)
from leeward.calls import UnreadableItem
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.tables.documents import COSMOS
from leeward_contract_tests.rows import each_row
from leeward_google.tables.documents import FIRESTORE
from tests.items.forging import forged
from tests.items.respelling import PROFILES, through_json
from tests.items.strategies import ITEMS, NAMES
from tests.items.values import native_of

pytestmark = [pytest.mark.row(4), pytest.mark.threat("S14")]

by_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def read(plain: dict[str, Any], tree: Any, profile: Profile) -> Decoded:
    """Decode a forgery of plain values and a type tree, or the text of one."""
    native = {name: native_of(value, profile) for name, value in plain.items()}
    text = tree if isinstance(tree, str) else json.dumps(tree)
    return decode(through_json(forged(native, text, profile)), profile)


def decoded(document: dict[str, Any], profile: Profile) -> Decoded | None:
    """Decode a document, or give None where it is refused, in memory that its text accounts for."""
    refusal = None
    tracemalloc.start()
    try:
        return decode(document, profile)
    except UnreadableItem as error:
        refusal = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4 * 2**20 + 100 * len(json.dumps(document))
    # What is in them may be secret, and would go along with the refusal.
    assert (refusal.__cause__, refusal.__context__) == (None, None)
    return None


MISFITS: list[tuple[Any, Any]] = [
    # exponents without end, or that are none
    *((1, f"d{exponent}") for exponent in ("-999999999", "-2097153", "1", "99999999999999999999")),
    *(
        (1, f"d{exponent}")
        for exponent in ("", "-", "x", " 5", "-02", "1e9", "+1", "1_0", "9" * 99)
    ),
    *((0, f"d{exponent}") for exponent in ("-9999999999999999999", "9999999999999999999", "²")),
    # numbers that are not finite, or not written as leeward does
    *(("nan", "F"), ("inf", "F"), ("-Infinity", "F"), ("1e999", "F"), ("1.50", "F"), ("x", "F")),
    *(("NaN", "D"), ("sNaN", "D"), ("Infinity", "D"), ("x", "D"), ("", "D")),
    *(("9" * 4301, "I"), (" 5", "I"), ("1_0", "I"), ("1.0", "I"), ("", "I"), ("٣", "I")),
    # values of another type than the node is for
    *(("1.5", "f"), (True, "f"), (None, "f"), ([], "f"), ({}, "f")),
    *(("1.5", "d-2"), (True, "d-2"), (None, "d-2"), ([], "d-2"), ({}, "d-2")),
    *(("2024-01-01T00:00:00Z", "t+02:00"), (5, "t+02:00"), (None, "t+02:00"), ([], "t+02:00")),
    *((5, code) for code in "IFDBT"),
    *((True, "I"), (None, "B"), ([], "B"), ({}, "T")),
    # texts that are none of their type
    *(("!!!!", "B"), ("AA=", "B"), ("AAE=AAE=", "B"), ("é", "B")),
    *(("2024-01-01", "T"), ("2024-01-01T00:00:00", "T"), ("2024-01-01T00:00:00Z", "T")),
    *(("2024-W01-1T00:00:00+00:00", "T"), ("2024-01-01T00:00:00+25:00", "T"), ("", "T")),
    # lists that are none
    *(({"list": "abc"}, "L"), ({"list": {}}, "L"), ({"list": None}, ["L", "f"]), ({}, "L")),
    *(({"list": [1], "more": 1}, "L"), ("abc", "L"), ("abc", ["L", "f"]), ([1], "L")),
    *(({"list": [1]}, ["L"]), ({"list": [1]}, ["L", "f", "f"]), ({"list": [1]}, ["M", "f"])),
    *(({"list": [1]}, [["L"]]), ({"list": ["x"]}, ["L", ["f"]])),
    # nodes that are none
    *((1, node) for node in ("", "Z", "ff", "f ", 1, 1.5, True, [], {}, ["f"], {"a": "f"})),
    *(([1], node) for node in ("f", 1, True, [], ["f", "f"], ["f", {}, {}], ["f", []])),
    *(([1], {index: "f"}) for index in ("1", "-1", "00", "x", "", " 0", "9" * 999, "²")),
    *(([1], ["f", {"1": "f"}]), ([1], {"0": "f", "1": "f"}), ([[1]], [{"0": "D"}])),
    *(({"a": 1}, {"b": "f"}), ({"a": 1}, {"a": "f", "b": "f"}), ({"a": 1}, ["f"]), ({"a": 1}, 1)),
]


@pytest.mark.parametrize("profile", [COSMOS, DYNAMODB], ids=lambda profile: profile.name)
def test_a_node_that_does_not_suit_its_value_is_refused(profile: Profile) -> None:
    """The item is unreadable: never one with an odd value in it, and never another error."""
    accepted = []
    for plain, node in MISFITS:
        with suppress(UnreadableItem):
            accepted.append((plain, node, read({"v": plain}, {"v": node}, profile)))
    assert accepted == []


@by_profile
@each_row(
    "text",
    [
        "",
        "{",
        "x",
        "NaN",
        '{"v":NaN}',
        '"f"',
        "[]",
        "5",
        "[" * 100_000,
        '{"v":' * 100_000,
        "\ud800",
    ],
)
def test_a_tree_that_is_no_tree_is_refused(text: str, profile: Profile) -> None:
    """Text that is no JSON, is nested without end, or has no dict at its top."""
    with pytest.raises(UnreadableItem):
        decode(forged({"v": native_of(1, profile)}, text, profile), profile)


@by_profile
@each_row("kind", ["list", "dict"])
def test_a_document_without_end_is_refused_or_read_whole(kind: str, profile: Profile) -> None:
    """One that is nested deeper than Python can follow; newer Pythons follow further."""
    native, depth = native_of(1, profile), 10_000
    for _ in range(depth):
        native = encode_value([native] if kind == "list" else {"n": native}, profile)
    with suppress(UnreadableItem):
        digest_of({"v": native}, profile)
    try:
        value = decode({"v": native}, profile).item["v"]
    except UnreadableItem:
        return
    for _ in range(depth):
        (value,) = value if kind == "list" else value.values()
    assert value == 1


def test_a_moment_that_leaves_the_calendar_is_refused() -> None:
    """So is an offset that is none, or is not written as leeward does."""
    native = {"v": {"timestampValue": "9999-12-31T23:59:59Z"}}
    for node in ("t+02:00", "t", "t+", "t+24:00", "t-00:00", "t02:00", "t+0200", "f", "d-2", "T"):
        with pytest.raises(UnreadableItem):
            decode(forged(native, json.dumps({"v": node}), FIRESTORE), FIRESTORE)


def test_a_number_that_is_not_finite_is_refused_where_leeward_is_said_to_have_written_it() -> None:
    """Other programs may store such, and get it back as foreign."""
    native = {"v": {"doubleValue": "NaN"}}
    assert decode(native, FIRESTORE).foreign
    for odd in ("NaN", "Infinity", "-Infinity"):
        for tree in (None, '{"v":"f"}'):
            with pytest.raises(UnreadableItem):
                decode(forged({"v": {"doubleValue": odd}}, tree, FIRESTORE), FIRESTORE)
            with pytest.raises(UnreadableItem):
                decode(forged({"v": float(odd)}, tree, EMBEDDED), EMBEDDED)


@pytest.mark.parametrize("context", [Context(traps=[]), Context(prec=3, traps=[])], ids=range(2))
def test_a_context_without_traps_lets_nothing_through(context: Context) -> None:
    """Where the application has `decimal` signal nothing, a bad number is not one either."""
    with localcontext(context):
        for plain, node in (
            ("x", "D"),
            ("NaN", "D"),
            (1, "d1"),
            (1, f"d{10**18}"),
            (0, f"d{10**18}"),
        ):
            with pytest.raises(UnreadableItem):
                read({"v": plain}, {"v": node}, COSMOS)


BOMBS: list[tuple[Any, Any]] = [
    (1, "d-999999999"),
    *((text, "D") for text in ("1E+1000000", "-1E+999999999", "1E-999999999", "0E+999999999")),
    *((0, f"d{exponent}") for exponent in (1_000_000, -1_000_000)),
    ([1] * 50_000, ["d-200000"]),
    ([1.5] * 50_000, ["d-2000000"]),
    ([[1]] * 5_000, [["d-2000000"]]),
    ([{}] * 10_000, [{f"n{number}": "f" for number in range(10_000)}]),
    ([[]] * 10_000, [["f", {str(number): "f" for number in range(10_000)}]]),
]
"""(plain value, node): a few bytes that would become gigabytes, or hours."""


@pytest.mark.parametrize("profile", [COSMOS, DYNAMODB], ids=lambda profile: profile.name)
@each_row("plain, node", BOMBS)
def test_a_bomb_does_not_go_off(plain: Any, node: Any, profile: Profile) -> None:
    """It is refused, and takes no more memory than an item of that size does anyway."""
    native = {"v": native_of(plain, profile)}
    document = forged(native, json.dumps({"v": node}), profile)
    assert decoded(document, profile) is None


_CODES = st.sampled_from(
    ["f", "F", "I", "D", "B", "T", "L", "d-2", "d0", "d5", "t+02:00", "t-09:30"]
)
_NODES: st.SearchStrategy[Any] = st.recursive(
    _CODES
    | st.integers(-(10**12), 10**12).map("d{}".format)
    | st.text("dftLIFDBT-+:0129", max_size=6)
    | st.sampled_from([None, 0, True, 1.5]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.sampled_from("0123"), inner, max_size=4)
        | inner.map(lambda node: ["L", node])
    ),
    max_leaves=12,
)


def _bent(tree: Any, node: Any, path: list[int]) -> Any:
    """Put a node somewhere into a tree."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return node
    if isinstance(tree, list):
        index = path[0] % len(tree)
        return [*tree[:index], _bent(tree[index], node, path[1:]), *tree[index + 1 :]]
    name = list(tree)[path[0] % len(tree)]
    return {**tree, name: _bent(tree[name], node, path[1:])}


def _tree_of(native: dict[str, Any], profile: Profile) -> Any:
    kept = native["_leeward"]
    while isinstance(kept, dict) and "t" not in kept and len(kept) == 1:
        kept = next(iter(kept.values()))
    text = kept.get("t")
    while isinstance(text, dict):
        text = next(iter(text.values()))
    return {} if text is None else json.loads(text)


@given(item=ITEMS, node=_NODES, path=st.lists(st.integers(0, 9), max_size=4))
def test_any_forged_tree_gives_a_legal_item_or_none(
    item: dict[str, Any], node: Any, path: list[int]
) -> None:
    """An item with types that leeward keeps, in memory that its text accounts for; or one error."""
    for profile in PROFILES:
        note(profile.name)
        native = encode(item, profile, write_id="w", expires_at=None)
        types = json.dumps(_bent(_tree_of(native, profile), node, path))
        document = through_json(forged(native, types, profile))
        found = decoded(document, profile)
        if found is not None:
            assert not found.foreign
            checked_size(found.item)


_LABELS = (
    *("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS", "w", "d", "t", "e", "list", "id"),
    *("stringValue", "integerValue", "doubleValue", "booleanValue", "nullValue", "bytesValue"),
    *("timestampValue", "arrayValue", "mapValue", "values", "fields", "geoPointValue", "latitude"),
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["1E+126", "NaN", "AAE=", "2024-01-01T00:00:00Z", "9" * 5000, "-1E-99999999"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_LABELS) | NAMES, inner, max_size=3)
        | st.tuples(st.sampled_from(_LABELS), inner).map(lambda pair: dict([pair]))
    ),
    max_leaves=15,
)


@given(document=st.dictionaries(NAMES | st.just("_leeward"), _JSON, max_size=4) | _JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    """Whatever another program stores, there is one kind of error."""
    for profile in PROFILES:
        note(profile.name)
        with suppress(UnreadableItem):
            told = digest_of(document, profile)
            found = decoded(document, profile)
            assert found is None or found.digest in (None, told)
        with suppress(UnreadableItem):
            decoded(document, profile)


@by_profile
def test_a_foreign_document_is_spelled_once(profile: Profile) -> None:
    """Its digest comes along where it is the item alone, and where it is not, it has to be made."""
    native = {"v": native_of(1, profile)}
    assert decode(native, profile).digest == digest_of(native, profile)
    assert decode(native | {"_leeward": native_of("x", profile)}, profile).digest is None
    ours = encode({"v": 1}, profile, write_id="w", expires_at=None)
    assert decode(ours, profile).digest is None


def test_the_message_repeats_no_value() -> None:
    """What is stored may be secret; a refusal says what kind of thing is wrong."""
    secrets: list[dict[str, Any]] = [
        {"N": "s3cret"},
        {"B": "s3cret!"},
        {"S": 5},
        {"SS": ["s3cret", 1]},
    ]
    for native in secrets:
        with pytest.raises(UnreadableItem) as caught:
            decode({"v": native}, DYNAMODB)
        assert "s3cret" not in str(caught.value)
    with pytest.raises(UnreadableItem) as caught:
        read({"v": "s3cret"}, {"v": "F"}, COSMOS)
    assert "s3cret" not in str(caught.value)
