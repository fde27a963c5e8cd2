"""Which project and region, and the table of what is made there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloud_tests.options import check_variables
from cloud_tests.rest import Account, Api, Resource
from leeward import Config
from leeward.config import TargetName

PROJECT: Final = "GOOGLE_CLOUD_PROJECT"
REGION: Final = "GOOGLE_CLOUD_REGION"
FIRESTORE: Final = "LEEWARD_TEST_FIRESTORE"
"""The variable with another address of Firestore, for tests."""

_FIRESTORE: Final = "https://firestore.googleapis.com"

_PATIENCE: Final = 600.0
"""Seconds. A database takes about a minute."""


def check(env: Mapping[str, str]) -> None:
    """Find what is missing in `env`, without asking Google.

    Raises:
        Refused: no project, or no region.
    """
    check_variables(env, **{PROJECT: "the project", REGION: "the region"})


def open_account(env: Mapping[str, str], pause: float = 2.0) -> Account:
    """Return the account; credentials are those that google-auth finds.

    Raises:
        google.auth's errors: there are none.
    """
    import google.auth
    from google.auth.transport.requests import Request

    check(env)
    credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])

    def token() -> str:
        if not credentials.valid:
            credentials.refresh(Request())  # type: ignore[no-untyped-call]
        return str(credentials.token)

    root = f"{env.get(FIRESTORE, _FIRESTORE)}/v1/projects/{env[PROJECT]}/databases"
    where = f"Google Cloud project {env[PROJECT]}, region {env[REGION]}"
    return Account(Api(token, _PATIENCE, pause), root, env[REGION], where)


def resources(account: Account, run: str) -> list[Resource]:
    """Return what is made for a run: one database, in which collections need no making.

    Firestore has no labels for databases: the name says whose it is.
    """
    body = {
        "locationId": account.location,
        "type": "FIRESTORE_NATIVE",
        "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
    }
    create = ("POST", f"{account.root}?databaseId={run}")
    return [Resource(f"database of Firestore {run}", f"{account.root}/{run}", body, create)]


def configure(account: Account, run: str) -> Config:
    """Return leeward's configuration, which leads to what was made."""
    url, _, path = account.root.partition("/v1/projects/")
    options = {"project": path.split("/")[0], "region": account.location, "database": run}
    if url != _FIRESTORE:
        options["firestore_endpoint"] = url
    return Config(order=(TargetName("google"),), options={"google": options})
