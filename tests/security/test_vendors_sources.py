"""In the hardened mode a vendor's package asks no host of a private network for credentials."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from time import time
from typing import Any

import pytest
import responses

from leeward.adapter.resolver import Unresolved
from leeward.adapter.vendor import refuse_private
from leeward.errors import Outcome
from leeward_aws.identity.vendor import VendorChain
from leeward_google.identity.credentials import ACCESS_TOKEN, Bearer
from leeward_google.identity.sources import source_of
from tests.aws.sources import NOW, empty_home, write_profiles
from tests.aws.sources import target as aws
from tests.google.sources import USER, Canned, no_google
from tests.google.sources import target as google

pytestmark = [pytest.mark.row(15), pytest.mark.threat("S1", "S5")]

TOKEN_URL = "https://oauth2.googleapis.com/token"
INSIDE = ["10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "fd00:ec2::254", "::1"]


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every name resolve to these addresses; at first to one of a private network."""
    addresses = ["10.0.0.1"]

    def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return addresses


def test_aws_chain_asks_nobody_inside(
    resolved: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role of a profile is asked for at STS, whose name leads elsewhere here."""
    home = empty_home(monkeypatch, tmp_path)
    keys = "[dev]\naws_access_key_id = AKDEV\naws_secret_access_key = key\n"
    role = "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = dev\n"
    write_profiles(home, keys, role)
    settings, config = aws(trust_env=False, profile="role")
    with pytest.raises(Unresolved, match="not on the public internet.*allow_private") as caught:
        VendorChain(settings, config, lambda: NOW, str(home))("", 5.0)
    assert (caught.value.outcome, caught.value.code) == (Outcome.AUTH, "private_address")
    settings, config = aws(trust_env=False, profile="role", allow_private=True)
    with pytest.raises(Unresolved) as caught:  # it asks, and nobody may be reached here
        VendorChain(settings, config, lambda: NOW, str(home))("", 5.0)
    assert caught.value.code != "private_address"


def test_google_auth_asks_nobody_inside(
    resolved: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh token of a user is not sent; with the operator's word, or outside, it is."""
    no_google(monkeypatch, tmp_path)
    file = tmp_path / "user.json"
    file.write_text(json.dumps(USER))

    def fetch(**options: Any) -> Any:
        given = google(trust_env=False, project="p", credentials_file=str(file), **options)
        return source_of(*given, Canned(), now=time)(ACCESS_TOKEN, 5.0).value

    with responses.RequestsMock() as mocked:
        with pytest.raises(Unresolved, match="not on the public internet") as caught:
            fetch()
        assert (caught.value.code, len(mocked.calls)) == ("private_address", 0)
        mocked.post(TOKEN_URL, json={"access_token": "t", "expires_in": 3599})
        assert fetch(allow_private=True) == Bearer("t")
        resolved[:] = ["142.250.1.1"]
        assert fetch() == Bearer("t")


def test_every_address_of_a_name_must_be_public(resolved: list[str]) -> None:
    """One that is not is enough; a name that is not found is the package's to tell."""
    for inside in INSIDE:
        resolved[:] = ["142.250.1.1", inside]
        with pytest.raises(Unresolved):
            refuse_private("sts.example.com", "the chain")
    resolved[:] = ["142.250.1.1", "2607:f8b0::1"]
    refuse_private("sts.example.com", "the chain")
    refuse_private("[2607:f8b0::1]", "the chain")


def test_a_name_that_is_not_found_is_left_to_the_package() -> None:
    """It has its own error for that."""
    refuse_private("nobody.invalid", "the chain")
    refuse_private("a" * 300 + ".example", "the chain")
