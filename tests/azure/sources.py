"""Targets of Azure, and what hands out credentials to them."""

from __future__ import annotations

import json
import os
from collections.abc import Hashable, Mapping
from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.adapter.resolver import Source, Unresolved
from leeward_azure.settings.options import Settings, settings_from

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""

KEY = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="

TOKEN = {"access_token": "canary-token", "expires_on": str(int(NOW) + 3600), "token_type": "Bearer"}

COSMOS: dict[str, Any] = {
    "cosmos_endpoint": "https://shop.documents.azure.com:443/",
    "cosmos_database": "shop",
}


def no_azure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every variable of Azure's and every proxy."""
    prefixes = (
        "AZURE_",
        "Azure",
        "COSMOS_",
        "EVENTGRID_",
        "IDENTITY_",
        "MSI_",
        "IMDS_",
        "REQUESTS",
    )
    for name in list(os.environ):
        if name.startswith(prefixes) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def target(
    env: Mapping[str, str] | None = None,
    *,
    trust_env: bool = True,
    qualifier: str | None = None,
    **options: Any,
) -> tuple[Settings, TargetConfig]:
    """Give the settings and the configuration of one target."""
    name = f"azure:{qualifier}" if qualifier else "azure"
    given = dict(env or {}) if trust_env else {}
    config = TargetConfig(name, "azure", qualifier, options, given, trust_env)
    return settings_from(config), config


def settings(env: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """Give the settings of one target."""
    return target(env, **options)[0]


def http(status: int, document: Any) -> bytes:
    """Give an HTTP answer; a `document` other than bytes goes as JSON."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def refused(source: Source, what: Hashable) -> Unresolved:
    """Fetch, and give the refusal, whose texts hold no canary."""
    with pytest.raises(Unresolved) as caught:
        source(what, 5.0)
    assert "canary" not in f"{caught.value!r} {caught.value}"
    return caught.value
