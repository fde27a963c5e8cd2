"""`make demo TARGET=...` shows who served what, and why."""

from __future__ import annotations

import pytest

from tests.demo.__main__ import main

DARK = "cut off: "


@pytest.mark.vendors
def test_the_demo_over_three_clouds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cloud goes dark, then the second, and the third serves what is proved not to have run."""
    monkeypatch.setenv("COLUMNS", "220")
    assert main("aws,azure,google") == 0
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert "OutcomeUnknown" in text
    for first, then in (("aws:us-east-1", "azure:one"), ("azure:one", "google:us-central1")):
        (invoked,) = [line for line in lines if f"{first} {DARK}invoke" in line]
        assert f"{first} not_sent, {then} ok" in invoked
        (loaded,) = [line for line in lines if f"{first} {DARK}load" in line]
        assert "HomeUnavailable" in loaded


def test_a_cloud_that_cannot_be_started_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says which there are."""
    assert main("ibm") == 2
    assert "aws, azure, google, local" in capsys.readouterr().out.replace("\n", " ")
