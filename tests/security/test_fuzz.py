"""A few of the 200,000 cases of `python -m tests.security.fuzz`, and that it would see a fault."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from leeward.calls import UnreadableItem
from leeward.errors import ConfigError
from tests.security import fuzz, fuzz_kinds
from tests.security.fuzz import CASES, Case, Escaped, check, kinds, run

pytestmark = pytest.mark.threat("S14", "S15", "S19")


def test_nothing_but_documented_errors_comes_out() -> None:
    """Of files, environments, stored items and answers; and memory stays as it is."""
    assert sum(CASES.values()) == 200_000
    assert check((0, 1), 7, {"toml": 300, "environment": 200, "items": 900, "answers": 600}) < 64


def check_kind(kind: str, found: Mapping[str, Case]) -> None:
    """Run some cases of one kind."""
    for number in range(200):
        run(kind, found[kind], 7, number)


def test_an_error_of_another_kind_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the number of the case, by which it can be run again."""
    monkeypatch.setattr(fuzz_kinds, "ConfigError", UnreadableItem)
    monkeypatch.setattr(fuzz_kinds, "UnreadableItem", ConfigError)
    for kind in ("toml", "environment", "items"):
        with kinds() as found, pytest.raises(Escaped, match=rf"^{kind}:\d+ of seed 7 raised"):
            check_kind(kind, found)


def test_memory_that_is_taken_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that keeps some of it does not go on for long."""
    kept: list[bytes] = []

    def hoard(_: random.Random) -> None:
        kept.append(b"x" * 2**20)

    monkeypatch.setattr(fuzz_kinds, "items", hoard)
    monkeypatch.setattr(fuzz, "WARM", 1)
    monkeypatch.setattr(fuzz, "MEMORY", -1)
    with pytest.raises(Escaped, match=r"^items:0 of seed 7: more than"):
        check((0, 1), 7, {"toml": 0, "environment": 0, "items": 500, "answers": 0})
    assert len(kept) < 500
