"""The page of threats and the markers of the tests say the same."""

from __future__ import annotations

from tests.house.workspace import ROOT
from tests.security.threats import PAGE, ROWS, THREATS, marks, places, rewritten


def test_the_page_is_made_of_the_markers() -> None:
    """Whoever adds or moves one runs ``python -m tests.security.threats``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == rewritten(page)


def test_every_threat_has_a_test_or_a_reason() -> None:
    """All 25 of the checklist and the two that came since, and all fifteen of the audit."""
    assert list(THREATS) == [f"S{number}" for number in range(1, 28)]
    assert [
        each for each, threat in THREATS.items() if not (places("threat", each) or threat.not_yet)
    ] == []
    assert [row for row in ROWS if not places("row", row)] == []
    assert list(ROWS) == list(range(1, 16))


def test_no_marker_names_another_threat() -> None:
    """A misspelt one would show nothing."""
    known = set(THREATS) | set(ROWS)
    assert [each for each in marks() if not set(each.names) <= known] == []


def test_the_places_are_there() -> None:
    """What the page names can be run as it stands."""
    for mark in marks():
        file, _, name = mark.place.partition("::")
        assert f"def {name or 'test_'}" in (ROOT / file).read_text(encoding="utf-8")
