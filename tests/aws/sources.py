"""A home without AWS's files, targets, and stand-ins for what hands out credentials."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.resolver import Resolved, Source, Unresolved
from leeward_aws.settings.options import Settings, settings_from

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

KEYS = {"AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "canary-env"}

GIVEN = {
    "AccessKeyId": "AKCONTAINER",
    "SecretAccessKey": "canary-secret",
    "Token": "canary-token",
    "Expiration": "2027-01-15T09:00:00Z",
}


def empty_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """Make `home` this process's, and take away every variable of AWS's and every proxy."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO", "REQUESTS_CA")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    # The metadata service of an instance would be a host outside this machine.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return home


def target(
    env: Mapping[str, str] | None = None, *, trust_env: bool = True, **options: Any
) -> tuple[Settings, TargetConfig]:
    """Give the settings and the configuration of one target."""
    config = TargetConfig("aws:us-east-1", "aws", "us-east-1", options, env or {}, trust_env)
    return settings_from(config), config


def http(status: int, document: Any) -> bytes:
    """Give an HTTP answer; a `document` other than bytes goes as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def refused(source: Source) -> Unresolved:
    """Fetch, and give the refusal, whose texts hold no canary."""
    try:
        found = source("", 5.0)
    except Unresolved as error:
        each: BaseException | None = error
        while each is not None:
            assert "canary" not in f"{each!r} {each}"
            each = each.__cause__
        return error
    raise AssertionError(f"{found} is no refusal")


def fetched(source: Source) -> tuple[str, str, str | None, float | None]:
    """Fetch, and give the parts of the credentials, whose texts hold no canary."""
    found: Resolved = source("", 5.0)
    assert "canary" not in f"{found!r} {found} {found.value!r} {found.value}"
    assert found.expires_at == found.value.expires_at
    return tuple(found.value)


def write_profiles(home: Path, credentials: str = "", config: str = "") -> None:
    """Write the files of ``.aws`` below `home`."""
    folder = home / ".aws"
    folder.mkdir(exist_ok=True)
    if credentials:
        (folder / "credentials").write_text(credentials)
    if config:
        (folder / "config").write_text(config)
