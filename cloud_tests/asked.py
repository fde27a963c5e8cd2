"""Which cloud was asked for. Without a clear word, none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "LEEWARD_TEST_CLOUD"

FOLDER: Final = Path(__file__).parent


class Refused(Exception):
    """Nothing was made or sent; the message names the remedy."""


def asked(env: Mapping[str, str]) -> str:
    """Return the cloud that `env` names.

    Raises:
        Refused: it names none, or one that has no tests here.
    """
    known = clouds()
    cloud = env.get(VARIABLE, "")
    if cloud not in known:
        names = " or ".join(known)
        given = f"and {cloud!r} is not one that has tests here" if cloud else "and it is not set"
        raise Refused(
            f"these tests make things in a real account, which costs money: {VARIABLE} has to "
            f"name the cloud ({names}), {given}. Try: {VARIABLE}={known[0]} make test-cloud"
        )
    return cloud


def clouds() -> list[str]:
    """Return the clouds that have tests here."""
    return sorted(path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py"))
