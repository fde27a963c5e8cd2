"""A server that is killed in the middle of calls: they go on elsewhere, and none has run twice."""

from __future__ import annotations

from tests.urls.kills import run


def test_no_call_has_its_effect_twice() -> None:
    """Though all calls are unsafe. ``python -m tests.urls.kills`` kills 100 times."""
    counts = run(cases=2, seed=1)
    assert counts.wrong == []
    assert counts.answered > counts.moved > 0
