"""Keys that are made of several parts: no two of them are alike."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from leeward import Event
from leeward.app.idempotency.digests import record_id
from leeward.app.triggers import ObjectEvent, event_key, object_key

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


_KEYS = st.text("sha256:f1a \n\x00", max_size=12)
_OWNED = st.tuples(_KEYS, st.none() | st.text("1:a", min_size=1, max_size=4))


@given(_OWNED, _OWNED, st.sampled_from([b"", b"secret"]))
@example(("a b", None), ("sha256:c8687a08aa5d6ed2044328fa6a697ab8", None), b"")
@example(("42", "1"), (":142", None), b"")
@example(("11:a", "a"), ("a", "a11:"), b"secret")
def test_two_keys_never_have_one_record(
    one: tuple[str, str | None], other: tuple[str, str | None], secret: bytes
) -> None:
    """Nor one key of two principals, whether it stands in the table as it is, or as a digest."""
    known, another = (record_id("f", *owned, secret) for owned in (one, other))
    assert (known == another) is (one == other)
    assert known.startswith("f:hmac:" if secret else "f:")
