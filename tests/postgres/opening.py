"""Targets of PostgreSQL for tests."""

from __future__ import annotations

from typing import Any

from leeward.adapter import TargetConfig


def config_for(url: str, **options: Any) -> TargetConfig:
    """Return the configuration of a target ``postgres`` at `url`."""
    return TargetConfig(
        "postgres", "postgres", None, {"url": url, "sslmode": "disable", **options}, {}
    )
