"""The cloud that LEEWARD_TEST_CLOUD names. Without it nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "LEEWARD_TEST_CLOUD"

PRICE: Final = "LEEWARD_TEST_USD"
"""What a run may cost, in US dollars: whoever sets it has read what it can cost."""

PRICES: Final = {
    "aws": (1.0, "on-demand tables, a bus, some thousand calls of small functions"),
    "azure": (1.0, "a serverless account of Cosmos DB for an hour, some thousand events and calls"),
    "google": (1.0, "a database of Firestore for an hour, a build, some thousand messages"),
}
"""By cloud the bound of a run in US dollars, many times what it takes, and what for. Sources: the
price pages of DynamoDB, Lambda, EventBridge; Cosmos DB, Functions, Event Grid, Storage; Firestore,
Cloud Run, Cloud Build and Pub/Sub."""

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


def check_price(cloud: str, env: Mapping[str, str]) -> None:
    """Check that a run may cost what it can cost.

    Raises:
        Refused: nobody has agreed to that.
    """
    bound, what = PRICES[cloud]
    given = env.get(PRICE, "")
    if not given.replace(".", "", 1).isdecimal() or float(given) < bound:
        raise Refused(
            f"a run costs less than {bound:g} US dollar ({what}), and {PRICE} is "
            f"{given or 'not set'}: to agree, set {PRICE}={bound:g}"
        )


def check_variables(env: Mapping[str, str], **needed: str) -> None:
    """Check that variables are set, each with what it must name.

    Raises:
        Refused: one is not.
    """
    for variable, what in needed.items():
        if not env.get(variable):
            raise Refused(f"{variable} must name {what} to create resources in")


def clouds() -> list[str]:
    """Return the clouds that have tests here."""
    return sorted(path.stem.removeprefix("test_") for path in FOLDER.glob("test_*.py"))
