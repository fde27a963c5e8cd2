"""What runs the fast tests on every Python of a machine."""

from __future__ import annotations

from tests.pythons import FAST, ROOT, supported


def test_the_fast_tests_are_there() -> None:
    """A path that is not there would make pytest stop."""
    assert [path for path in FAST if not (ROOT / path.partition("::")[0]).exists()] == []


def test_the_supported_versions_are_those_that_are_declared() -> None:
    """From the lowest that the distribution takes, without a gap."""
    numbers = [int(version.partition(".")[2]) for version in supported()]
    assert numbers == list(range(11, 11 + len(numbers)))
