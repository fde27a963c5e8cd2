"""The cloud that LEEWARD_TEST_CLOUD names. Without it nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "LEEWARD_TEST_CLOUD"

FOLDER: Final = Path(__file__).parent


class Refused(Exception):
    """Nothing was created or sent; the message names the remedy."""


def requested_cloud(env: Mapping[str, str]) -> str:
    """Return the cloud that `env` names.

    Raises:
        Refused: it names none, or one that has no tests here.
    """
    known = clouds()
    cloud = env.get(VARIABLE, "")
    if cloud not in known:
        names = " or ".join(known)
        given = f"and there are no tests for {cloud!r}" if cloud else "and it is not set"
        raise Refused(
            f"these tests create resources in a real account, which costs money: {VARIABLE} must "
            f"name the cloud ({names}), {given}. Try: {VARIABLE}={known[0]} make test-cloud"
        )
    return cloud


def clouds() -> list[str]:
    """Return the clouds that have tests here."""
    return sorted(path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py"))
