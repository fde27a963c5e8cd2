"""Values that only one provider has come back as they were, or are named: none is lost silently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import Client, PayloadTooLarge, Promise
from leeward._items.decoding import decode
from leeward._items.encoding import NativeValue, encode, natives_in, without_natives
from leeward._items.profile import EMBEDDED, Profile
from leeward._operations.upkeep import TableHome
from leeward.adapter import Limits
from leeward_aws.driver import LIMITS as AWS
from leeward_aws.tables.profile import DYNAMODB
from leeward_azure.driver import LIMITS as AZURE
from leeward_azure.tables.documents import COSMOS
from leeward_backup import BackupError
from leeward_backup.lines import Damaged, Kept, kept_in, line_of
from leeward_backup.restore import misfit
from leeward_contract_tests.contracts.exact import exact
from leeward_contract_tests.rows import each_row
from leeward_google.driver import LIMITS as GOOGLE
from leeward_google.tables.documents import FIRESTORE
from tests.backup.conftest import World

VECTOR = {
    "mapValue": {
        "fields": {
            "__type__": {"stringValue": "__vector__"},
            "value": {"arrayValue": {"values": [{"doubleValue": 1.5}]}},
        }
    }
}
"""As Firestore answers a vector."""

LOSSY = [
    (DYNAMODB, {"SS": ["b", "a"]}, ["a", "b"]),
    (DYNAMODB, {"NS": ["2", "1.5"]}, [1.5, 2]),
    (DYNAMODB, {"BS": ["AAE="]}, [b"\0\1"]),
    (DYNAMODB, {"N": "1" + "0" * 40}, 10**40),
    (FIRESTORE, {"geoPointValue": {"latitude": 1.5}}, {"latitude": 1.5, "longitude": 0.0}),
    (FIRESTORE, {"referenceValue": "projects/p/databases/d/documents/a/b"}, None),
    (FIRESTORE, {"doubleValue": "NaN"}, None),
    (FIRESTORE, {"doubleValue": "-Infinity"}, None),
    (FIRESTORE, {"doubleValue": -0.0}, 0),
    (FIRESTORE, {"doubleValue": 5}, 5),
    (DYNAMODB, {"M": {"~x": {"S": "y"}}}, {"~x": "y"}),
    (FIRESTORE, {"doubleValue": 1e300}, 10**300),
    (FIRESTORE, {"timestampValue": "2026-01-31T12:00:00.123456789Z"}, None),
    (FIRESTORE, VECTOR, None),
    (COSMOS, 1e300, 10**300),
    (COSMOS, -0.0, 0),
    (COSMOS, 2**60, 2**60),
    (EMBEDDED, 1.5, None),
]
"""Values that another program has written, and that an item cannot say, with their plain values."""

PLAIN = [
    (DYNAMODB, {"N": "1.50"}),
    (DYNAMODB, {"M": {"x": {"L": [{"BOOL": True}]}}}),
    (FIRESTORE, {"doubleValue": 1.5}),
    (FIRESTORE, {"integerValue": "5"}),
    (FIRESTORE, {"timestampValue": "2026-01-31T12:00:00.123456000Z"}),
    (FIRESTORE, {"mapValue": {}}),
    (COSMOS, 1.5),
    (COSMOS, 5),
    (COSMOS, [{"a": None}]),
]


def _document(profile: Profile, value: Any) -> dict[str, Any]:
    plain = {"DynamoDB": {"S": "a"}, "Firestore": {"stringValue": "a"}}
    inside: Any = value
    if profile.typed_json is not None:
        inside = {profile.typed_json.write[dict][0]: {"in": value}}
        if profile is FIRESTORE:
            inside = {"mapValue": {"fields": {"in": value}}}
    return {"id": plain.get(profile.name, "a"), "deep": inside, "top": value}


@each_row("profile, value, plain", LOSSY)
def test_a_value_of_another_program_is_written_again_as_it_was(
    profile: Profile, value: Any, plain: Any
) -> None:
    """Read exactly, kept in a line, and written: the same value, still of another program."""
    document = _document(profile, value)
    found = decode(document, profile, exact=True)
    natives = [native for _, native in natives_in(found.item)]
    assert {native.model for native in natives} == {profile.name}
    assert plain is None or natives[0].plain == plain
    finite = "NaN" not in str(value) and "Inf" not in str(value)
    if finite:
        assert exact(without_natives(found.item)) == exact(decode(document, profile).item)
    line = line_of(("a",), found.item, None)
    kept = kept_in(line)
    assert line_of(*kept) == line
    written = encode(kept.item, profile, write_id="w", expires_at=None)
    again = decode(json.loads(json.dumps(written)), profile, exact=True)
    assert again.foreign
    assert line_of(("a",), again.item, None) == line
    if profile not in (COSMOS, EMBEDDED):
        label = next(iter(value))
        assert next(iter(written["top"])) == label
    assert misfit(kept, TableHome("here", Limits(model=profile.name), True)) == ""
    number = all(native.is_number for native in natives)
    assert (misfit(kept, TableHome("there", Limits(), True)) == "") is number
    assert misfit(kept, TableHome("there", Limits(), True), plain=True) == ""


@each_row("profile, value", PLAIN)
def test_what_an_item_says_is_not_tagged(profile: Profile, value: Any) -> None:
    """Most documents of other programs are items like any other, in every cloud's backups."""
    item = decode(_document(profile, value), profile, exact=True).item
    assert [*natives_in(item)] == []
    written = encode(item, profile, write_id="w", expires_at=None)
    assert exact(decode(written, profile).item) == exact(item)


DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.sampled_from("ab~_$"), min_size=1, max_size=3).filter(
    lambda name: not name.startswith("_leeward")
)


def _inside(values: Any, a_list: str, a_map: str) -> Any:
    """Give values of a typed JSON, some of them in lists and maps."""
    in_list = (lambda v: {"values": v}) if a_list == "arrayValue" else (lambda v: v)
    in_map = (lambda v: {"fields": v}) if a_map == "mapValue" else (lambda v: v)
    return st.recursive(
        values,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda v: {a_list: in_list(v)})
            | st.dictionaries(NAMES, inner, max_size=3).map(lambda v: {a_map: in_map(v)})
        ),
        max_leaves=6,
    )


THEIRS = [
    (
        DYNAMODB,
        _inside(
            st.decimals(allow_nan=False, allow_infinity=False, places=3).map(
                lambda n: {"N": str(n)}
            )
            | st.sets(st.text(max_size=3), min_size=1, max_size=3).map(lambda v: {"SS": [*v]})
            | st.sets(st.integers(), min_size=1, max_size=3).map(lambda v: {"NS": [*map(str, v)]})
            | st.sampled_from([{"NULL": True}, {"BOOL": False}, {"S": "x"}, {"BS": ["AAE="]}]),
            "L",
            "M",
        ),
    ),
    (
        FIRESTORE,
        _inside(
            DOUBLES.map(lambda n: {"doubleValue": n})
            | st.integers(-(2**63), 2**63 - 1).map(lambda n: {"integerValue": str(n)})
            | st.sampled_from([{"doubleValue": "NaN"}, VECTOR, {"nullValue": None}])
            | st.just({"geoPointValue": {"latitude": 1, "longitude": 2}}),
            "arrayValue",
            "mapValue",
        ),
    ),
    (
        COSMOS,
        st.recursive(
            DOUBLES
            | st.integers(-(2**80), 2**80)
            | st.none()
            | st.booleans()
            | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
            max_leaves=6,
        ),
    ),
]
"""What other programs may store, in each provider's own JSON."""


@pytest.mark.parametrize(("profile", "values"), THEIRS, ids=[each.name for each, _ in THEIRS])
@given(data=st.data())
def test_whatever_another_program_stores_has_one_line(
    profile: Profile, values: Any, data: Any
) -> None:
    """Read, written and read again, it is the same line; and `load_data` returns the same."""
    document = _document(profile, data.draw(values))
    found = decode(document, profile, exact=True)
    line = line_of(("a",), found.item, None)
    written = encode(kept_in(line).item, profile, write_id="w", expires_at=None)
    again = decode(json.loads(json.dumps(written)), profile, exact=True)
    assert line_of(("a",), again.item, None) == line
    if "NaN" not in str(document):
        plain = exact(decode(document, profile).item)
        assert exact(without_natives(found.item)) == plain
        assert exact(decode(written, profile).item) == plain


def test_each_cloud_keeps_its_own() -> None:
    """The limits of a target name the data model of its profile."""
    for limits, profile in ((AWS, DYNAMODB), (AZURE, COSMOS), (GOOGLE, FIRESTORE)):
        assert limits.model == profile.name


@each_row(
    "line",
    [
        b'{"k":["a"],"v":{"n":{"$native":5}}}',
        b'{"k":["a"],"v":{"n":{"$native":{"of":"X","raw":1}}}}',
        b'{"k":["a"],"v":{"n":{"$native":{"of":5,"raw":1,"as":1}}}}',
        b'{"k":["a"],"v":{"n":{"$native":{"of":"X","raw":1,"as":{"$dec":"x"}}}}}',
    ],
)
def test_a_native_value_is_read_with_distrust(line: bytes) -> None:
    """A tag that does not name its provider is damage."""
    with pytest.raises(Damaged):
        kept_in(line)


def _foreign(client: Client, key: str, document: dict[str, Any]) -> None:
    """Write a document past leeward, as another program does."""
    client.store_data("orders", {"id": key})
    connection: Any = client.native("local", "tables")
    connection.execute(
        "UPDATE items SET document = ? WHERE name = 'orders' AND key = ?",
        (json.dumps(document), json.dumps([key])),
    )
    connection.commit()
    connection.close()


def test_a_backup_of_other_programs_values_is_restored_verified(world: World) -> None:
    """Where they can be kept, the drill included; elsewhere they are named before a write."""
    client = world.client()
    client.store_data("orders", {"id": "own", "n": 1.0})
    _foreign(client, "theirs", {"id": "theirs", "price": 1.5})
    backups = world.backups(client)
    backups.create()
    assert backups.check(deep=True).findings == ()
    restored = backups.restore(into="again")
    assert (restored.promise, restored.why) == (Promise.VERIFIED, "")
    held: Any = client.native("local", "tables")
    query = "SELECT document FROM items WHERE name = 'again' AND key LIKE '%theirs%'"
    assert json.loads(held.execute(query).fetchone()[0])["price"] == 1.5
    held.close()
    assert backups.drill().promise is Promise.VERIFIED


def test_into_another_provider_they_are_named_and_become_plain_if_that_is_asked_for(
    world: World,
) -> None:
    """A dry run names each; a restore that was told so counts them, and never is VERIFIED."""
    client = world.client()
    client.store_data("orders", {"id": "own"})
    backups = world.backups(client)
    backups.create()
    tags = NativeValue("DynamoDB", {"SS": ["a"]}, ["a"])
    _smuggle(world, client, {"id": "own", "tags": tags})
    found = backups.dry_run(into="again").findings
    assert ["own: ['tags']: only DynamoDB" in each for each in found] == [True]
    with pytest.raises(BackupError, match="cannot be restored"):
        backups.restore(into="again")
    assert client.load_data("again", "own") is None
    assert backups.drill().promise is Promise.VERIFIED
    restored = backups.restore(into="again", plain=True)
    assert (restored.promise, restored.written) == (Promise.RESTORED, 1)
    assert "1 items have values as load_data returns them" in restored.why
    record = client.load_data("again", "own")
    assert record is not None
    assert record.item == {"id": "own", "tags": ["a"]}


def _smuggle(world: World, client: Client, item: dict[str, Any]) -> None:
    """Make the last backup one of this item alone, as a target of another provider has it."""
    from leeward.adapter import WrappingDriver
    from leeward.calls import Page, Result, Scan, Stored

    class Theirs(WrappingDriver):
        def perform(self, call: Any, timeout: float) -> Result[Any]:
            if isinstance(call, Scan):
                assert call.exact
                return Result.ok(Page((Stored(item, "r", foreign=True),), None))
            return super().perform(call, timeout)

    world.clock.advance(1)
    world.backups(world.client(Theirs)).create()


@each_row("number", ["NaN", "Infinity"])
def test_a_number_that_no_line_holds_ends_the_backup_by_name(number: str) -> None:
    """Of a target that does not read exactly, such as an adapter of somebody else."""
    from decimal import Decimal

    for value in (Decimal(number), float(number)):
        with pytest.raises(ValueError, match=r"finite|compliant"):
            line_of(("a",), {"id": "a", "n": value}, None)


def test_a_name_that_is_too_long_is_refused_before_anything_is_written(world: World) -> None:
    """By the dry run, and by `store_data`, each with the sum."""
    long = {"id": "a", "list": [{"n" * 1501: 1}]}
    home = TableHome("there", GOOGLE, keeps_expiry=True)
    assert "a name in it has 1501 bytes, and at most 1500" in misfit(Kept(("a",), long, None), home)
    assert misfit(Kept(("a",), {"id": "a", "n" * 1500: 1}, None), home) == ""
    assert "1501" in misfit(Kept(("a",), {"id": "a", "_" * 1500: 1}, None), home)

    def narrow(driver: Any) -> Any:
        driver.limits = driver.limits._replace(name_bytes=1500)
        return driver

    with pytest.raises(PayloadTooLarge, match="local takes at most 1500"):
        world.client(narrow).store_data("orders", long)
