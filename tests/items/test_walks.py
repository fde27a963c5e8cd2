"""An item is walked twice on its way out, and each walk takes few calls of Python functions."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import leeward._items
from leeward._items import check_json
from leeward._items.checks import checked_size
from leeward.adapter.items import Profile, decode, encode
from leeward_contract_tests.rows import each_row
from tests.items.respelling import PROFILES
from tests.profiling import functions_entered

by_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)

SMALL = {"id": "42"}
ORDER = {
    "id": "42",
    "customer": "c-1",
    "total": Decimal("9.90"),
    "paid": True,
    "lines": [
        {"sku": "a", "count": 2, "price": Decimal("3.30")},
        {"sku": "b", "count": 1, "price": Decimal("3.30")},
    ],
}
CODE = (str(Path(leeward._items.__file__).parent), "tables/profile.py")


def calls_of(work: Callable[[], Any]) -> Counter[str]:
    """Give the calls of Python functions, by name, of the items package and the profiles."""
    work()  # what is loaded or made once is not counted
    return Counter(
        code.co_qualname
        for code in functions_entered(work)
        if any(part in code.co_filename for part in CODE)
    )


def store(item: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Do with an item what is done on its way out."""
    checked_size(item)
    return encode(item, profile, write_id="w-1", expires_at=None)


@by_profile
@each_row("item, most", [(SMALL, 10), (ORDER, 40)])
def test_storing_takes_few_calls(item: dict[str, Any], most: int, profile: Profile) -> None:
    """For a minimal item, and for an order with two lines and three Decimals."""
    calls = calls_of(lambda: store(item, profile))
    print(calls.total(), dict(calls))  # noqa: T201 - to be seen where it fails
    assert calls.total() <= most


@by_profile
@each_row("item, most", [(SMALL, 15), (ORDER, 60)])
def test_loading_takes_few_calls(item: dict[str, Any], most: int, profile: Profile) -> None:
    """The document is walked once, and its plain values once more where there is a type tree."""
    native = store(item, profile)
    calls = calls_of(lambda: decode(native, profile))
    print(calls.total(), dict(calls))  # noqa: T201 - to be seen where it fails
    assert calls.total() <= most


@by_profile
def test_each_walk_calls_once_for_each_container(profile: Profile) -> None:
    """A list of a hundred records of texts, truth values and integers: no call for a leaf."""
    item = {"rows": [{"name": "x", "n": n, "ok": True, "no": None} for n in range(100)]}
    assert calls_of(lambda: checked_size(item)).total() == 1 + 102
    assert calls_of(lambda: check_json(item)).total() == 1 + 103
    calls = calls_of(lambda: encode(item, profile, write_id="w-1", expires_at=None))
    writers = sum(count for name, count in calls.items() if name.startswith("_write"))
    assert calls.total() - writers <= 102 + 7
