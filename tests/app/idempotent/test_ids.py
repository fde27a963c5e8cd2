"""Keys that are made of several parts: no two of them are alike."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from leeward import Event
from leeward.app.host import event_key
from leeward.app.idempotency.keys import record_id
from leeward.app.objects import object_key
from leeward.app.triggers import ObjectEvent

_TEXTS = st.text("#%23a:/ ", max_size=8)
_PAIRS = st.tuples(_TEXTS, _TEXTS)
_TIME = datetime(2026, 1, 31, tzinfo=UTC)


@given(_PAIRS, _PAIRS)
@example(("/shop#1", "2"), ("/shop", "1#2"))
@example(("", "1#a"), ("a#", "1"))
@example(("#", ""), ("", "#1##"))
def test_two_events_never_have_one_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Nor have two writes of objects; a source without special characters stands as it is."""

    def keys(first: str, last: str) -> tuple[str, str]:
        event = Event("t", None, source=first, id=last, time=_TIME)
        return event_key(event), object_key(ObjectEvent("b", first, last))

    for key, another in zip(keys(*one), keys(*other), strict=True):
        assert (key == another) is (one == other)
    assert keys("/shop", "1#2") == ("/shop#1#2", "b//shop#1#2")


@given(st.text("sha256:f \n\x00", max_size=12), st.text("sha256:f \n\x00", max_size=12))
@example("a b", "sha256:c8687a08aa5d6ed2044328fa6a697ab8")
def test_two_keys_never_have_one_record(one: str, other: str) -> None:
    """Whether a key stands in the table as it is, or as a digest."""
    assert (record_id("f", one) == record_id("f", other)) is (one == other)
