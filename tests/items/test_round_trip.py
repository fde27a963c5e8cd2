"""Every item comes back exactly, through every profile and through JSON text."""

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, note

from leeward._items.checks import checked_size
from leeward.adapter.items import Profile, decode, encode
from leeward_contract_tests.rows import each_row
from tests.items.corpus import NASTY_ITEMS
from tests.items.exactness import assert_exact
from tests.items.respelling import PROFILES, respell, through_json
from tests.items.strategies import ITEMS

by_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
by_item = each_row("item", dict(NASTY_ITEMS))


def _document(item: dict[str, Any], profile: Profile) -> Any:
    return through_json(encode(item, profile, write_id="w-1", expires_at=None))


@by_profile
@by_item
def test_nasty_item_comes_back(item: dict[str, Any], profile: Profile) -> None:
    """A hand-made nasty item comes back exactly through the provider's JSON."""
    decoded = decode(_document(item, profile), profile)
    assert_exact(decoded.item, item)
    assert not decoded.foreign


@by_profile
@by_item
def test_nasty_item_survives_respelling(item: dict[str, Any], profile: Profile) -> None:
    """It does so too where the provider spells numbers, times and empties its own way."""
    decoded = decode(respell(_document(item, profile), profile), profile)
    assert_exact(decoded.item, item)
    assert not decoded.foreign


@given(item=ITEMS)
def test_any_item_comes_back(item: dict[str, Any]) -> None:
    """Any legal item comes back exactly, as it was written and as each provider respells it."""
    checked_size(item)
    for profile in PROFILES:
        note(profile.name)
        document = _document(item, profile)
        for native in (document, respell(document, profile)):
            decoded = decode(native, profile)
            assert_exact(decoded.item, item)
            assert not decoded.foreign


@by_profile
def test_document_shares_nothing_with_the_item(profile: Profile) -> None:
    """Changing an item after it was encoded does not change the document, nor the other way."""
    item: dict[str, Any] = {"list": [1, [2]], "map": {"a": {}}}
    native = encode(item, profile, write_id="w", expires_at=None)
    item["list"].append(3)
    item["map"]["a"]["b"] = 1
    decoded = decode(native, profile)
    decoded.item["list"][1].append(4)
    again = decode(native, profile)
    assert_exact(again.item, {"list": [1, [2]], "map": {"a": {}}})
    assert not again.foreign


@by_profile
def test_the_decimal_context_plays_no_part(profile: Profile) -> None:
    """One of three digits, set by the application, rounds nothing; nor does it spell a digest."""
    numbers = [Decimal("123456.7890"), Decimal("1E+5"), Decimal("1E-100"), Decimal("1E+999")]
    item = {"d": numbers, "f": [123456.789, 1e23, 1e-100]}
    with localcontext(Context(prec=3, capitals=0)):
        document = _document(item, profile)
        assert_exact(decode(document, profile).item, item)
    assert document == _document(item, profile)
    decoded = decode(document, profile)
    assert_exact(decoded.item, item)
    assert not decoded.foreign
