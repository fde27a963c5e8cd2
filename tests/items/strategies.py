"""Hypothesis strategies for items: any legal one, leaning towards the nasty."""

from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from leeward._items.checks import checked_size
from leeward.adapter import Limits
from tests.items import corpus

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.sampled_from(corpus.ODD_NAMES) | TEXT

_DAY = timedelta(hours=24) - timedelta(microseconds=1)
_OFFSETS = st.timedeltas(-_DAY, _DAY) | st.sampled_from(
    [timedelta(0), timedelta(hours=2), timedelta(hours=-9, minutes=-30)]
)
_MOMENTS = st.builds(
    lambda moment, offset: moment.replace(tzinfo=timezone(offset)), st.datetimes(), _OFFSETS
)
_DECIMALS = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=45),
    st.integers(-8, 8) | st.integers(-200, 200),
)

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(corpus.SCALARS),
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**60), 10**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    _DECIMALS,
    st.binary(max_size=40),
    _MOMENTS,
    TEXT,
)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=5)
        | st.dictionaries(NAMES, inner, max_size=5)
        | inner.map(lambda value: [[value], {"list": [value]}])
    )


def _alike() -> st.SearchStrategy[list[Any]]:
    """Lists of one type, for which the type tree has short forms."""
    kinds = (st.floats(-1e9, 1e9), _DECIMALS, _MOMENTS, st.integers(), st.binary(max_size=4))
    return st.one_of(*(st.lists(kind, max_size=12) for kind in kinds))


VALUES: st.SearchStrategy[Any] = st.recursive(SCALARS | _alike(), _containers, max_leaves=12)


def _bury(value: Any, kinds: list[str]) -> Any:
    for kind in kinds:
        value = [value] if kind == "list" else {kind: value}
    return value


_BURIED = st.builds(
    _bury, SCALARS, st.lists(st.sampled_from(["list", "a", "~", "__x__"]), max_size=19)
)


def _is_portable(item: dict[str, Any]) -> bool:
    size = checked_size(item)
    return size.depth <= Limits().nesting and size.bytes <= Limits().item_bytes


ITEMS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES, VALUES | _BURIED, max_size=6
).filter(_is_portable)
"""Items within the portable limits. None needs a key: add one as ``{**item, "id": ...}``."""
