"""Minted ids are UUIDs of version 7, and sort by time."""

from __future__ import annotations

from uuid import UUID

from leeward.entropy import new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    """Version, variant and time stand where RFC 9562 puts them."""
    minted = UUID(new_id(1_750_000_000.123))
    assert (minted.version, minted.variant) == (7, "specified in RFC 4122")
    assert minted.int >> 80 == 1_750_000_000_123


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    """Ten thousand of one moment differ; later ones are greater."""
    assert len({new_id(1.0) for _ in range(10_000)}) == 10_000
    assert new_id(1000.0) < new_id(1000.001)
