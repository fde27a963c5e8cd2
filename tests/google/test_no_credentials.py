"""A machine that is not Google's, with nothing set: a mistake to correct, and not an outage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward import AuthError, Client
from leeward.adapter import TargetConfig
from leeward.registry import open_target
from leeward_google.identity import sources
from tests.google.sources import no_google
from tests.http.wire import Wire, hang
from tests.scripted import Scripted

OPTIONS = {"project": "shop-1", "function_url": "https://shop.example.com/{name}"}


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let the metadata server's address lead to somebody who never answers."""
    no_google(monkeypatch, tmp_path)
    with Wire(hang) as wire:
        monkeypatch.setattr(sources, "ADDRESS", f"http://127.0.0.1:{wire.port}")
        monkeypatch.setattr(sources, "PROBE_SECONDS", 0.2)
        yield


@pytest.mark.usefixtures("nobody")
def test_the_error_names_what_to_set_and_no_other_target_is_asked() -> None:
    """Neither data nor a function goes on to the next cloud of the order in silence."""
    google = open_target(TargetConfig("google", "google", None, OPTIONS, {}))
    other = Scripted("other")
    with (
        Client([google, other]) as client,
        pytest.raises(AuthError, match="credentials_file") as invoked,
    ):
        client.invoke("send-receipt", {})
    assert "application-default login" in str(invoked.value)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(invoked.value)
    assert [each.target for each in invoked.value.attempts] == ["google"]
    assert other.calls == []


@pytest.mark.usefixtures("nobody")
def test_data_is_refused_alike() -> None:
    """It is not told that the home of the table is away, and that calling again is safe."""
    google = open_target(TargetConfig("google", "google", None, OPTIONS, {}))
    with Client(google) as client, pytest.raises(AuthError, match="credentials_file"):
        client.load_data("orders", "42")
