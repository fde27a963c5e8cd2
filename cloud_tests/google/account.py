"""Which project and region, and the table of what is made there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cloud_tests.deployed.package import PYTHON
from cloud_tests.options import check_variables
from cloud_tests.rest import PREFIX, Account, Api, Resource, State
from leeward import Config
from leeward.config import BusConfig, TargetName
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, SEEN

PROVIDER: Final = "google"

PROJECT: Final = "GOOGLE_CLOUD_PROJECT"
REGION: Final = "GOOGLE_CLOUD_REGION"
IDENTITY: Final = "LEEWARD_TEST_GOOGLE_ACCOUNT"

VERSIONS: Final = {"firestore": "v1", "cloudfunctions": "v2", "pubsub": "v1"}
"""The APIs that are asked. ``LEEWARD_TEST_FIRESTORE`` and so on are other addresses, for tests."""

QUEUED: Final = (COUNT, FAIL)
"""Functions whose calls are queued, each in a topic of its own."""

REMEMBER: Final = "contract-remember"

_PATIENCE: Final = 900.0
"""Seconds. A database takes about a minute, and a function some: it is built first."""


def check(env: Mapping[str, str]) -> None:
    """Find what is missing in `env`, without asking Google.

    Raises:
        Refused: no project, no region, or no account for the functions.
    """
    account = "the service account of the functions and of pushes, by its e-mail, for the project"
    check_variables(env, **{PROJECT: "the project", REGION: "the region", IDENTITY: account})


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

    token()  # a metadata server has told by then whose it is
    roots = {
        each: f"{_origin(each, env)}/{version}/projects/{env[PROJECT]}"
        for each, version in VERSIONS.items()
    }
    where = f"Google Cloud project {env[PROJECT]}, region {env[REGION]}, as {env[IDENTITY]}"
    is_own = getattr(credentials, "service_account_email", None) == env[IDENTITY]
    api = Api(token, _PATIENCE, pause)
    return Account(api, roots, env[REGION], where, env[IDENTITY], is_own)


def _origin(service: str, env: Mapping[str, str]) -> str:
    return env.get(f"LEEWARD_TEST_{service.upper()}", f"https://{service}.googleapis.com")


def place(account: Account, run: str) -> dict[str, str]:
    """Return the options of a target that keeps its tables in what is made for a run."""
    url, _, path = account.roots["firestore"].partition("/v1/projects/")
    options = {"project": path, "region": account.location, "database": run}
    is_usual = url == _origin("firestore", {})
    return options if is_usual else options | {"firestore_endpoint": url}


def resources(account: Account, run: str, code: bytes) -> list[Resource]:
    """Return what is made for a run, in order.

    One function has all handlers: the end of the path says which one is meant. Collections of
    Firestore need no making, and databases have no labels: the name says whose one is.
    """
    databases, topics, subscriptions = (
        f"{account.roots['firestore']}/databases",
        f"{account.roots['pubsub']}/topics",
        f"{account.roots['pubsub']}/subscriptions",
    )
    labels = {"labels": {PREFIX: run}}
    database = {
        "locationId": account.location,
        "type": "FIRESTORE_NATIVE",
        "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
    }

    def deliver(topic: str, handler: str) -> list[Resource]:
        name = f"{run}-{topic.removeprefix('contract-')}"

        def push() -> Mapping[str, Any]:
            uri = _uri(account, run)
            token = {"serviceAccountEmail": account.identity, "audience": uri}
            return labels | {
                "topic": f"{topics}/{name}".partition("/v1/")[2],
                "pushConfig": {"pushEndpoint": f"{uri}/{handler}", "oidcToken": token},
                "ackDeadlineSeconds": 60,
                "enableMessageOrdering": True,
            }

        return [
            Resource(f"topic {name}", f"{topics}/{name}", labels),
            Resource(f"subscription {name}", f"{subscriptions}/{name}", push),
        ]

    return [
        Resource(
            f"database of Firestore {run}",
            f"{databases}/{run}",
            database,
            ("POST", f"{databases}?databaseId={run}"),
        ),
        Resource(
            f"Cloud Run function {run}",
            f"{_functions(account)}/{run}",
            partial(_upload, account, labels, code),
            ("POST", f"{_functions(account)}?functionId={run}"),
            State(("state",), "ACTIVE", ("FAILED",)),
        ),
        *(each for name in QUEUED for each in deliver(name, name)),
        *deliver(EVENTS, REMEMBER),
    ]


def _upload(account: Account, labels: Mapping[str, Any], code: bytes) -> Mapping[str, Any]:
    """Upload the code; return the function that is built of it."""
    kind = {"environment": "GEN_2"}
    place = account.api.send("POST", f"{_functions(account)}:generateUploadUrl", kind)
    account.api.send("PUT", place["uploadUrl"], code, is_signed=True)
    return {
        **kind,
        **labels,
        "buildConfig": {
            "runtime": f"python{PYTHON.replace('.', '')}",
            "entryPoint": "main",
            "source": {"storageSource": place["storageSource"]},
        },
        "serviceConfig": {
            "serviceAccountEmail": account.identity,
            "availableMemory": "1Gi",
            "availableCpu": "1",
            "timeoutSeconds": 60,
            "maxInstanceCount": 10,
            "maxInstanceRequestConcurrency": 8,
            "environmentVariables": {"GOOGLE_CLOUD_REGION": account.location},
        },
    }


def configure(account: Account, run: str) -> Config:
    """Return leeward's configuration, which leads to what was made."""
    uri = _uri(account, run)
    options: dict[str, Any] = place(account, run) | {
        "functions": {each: f"{uri}/{each}" for each in (ECHO, FAIL, COUNT, SEEN)},
        "function_audience": uri,
        "enqueue_topics": {each: f"{run}-{each.removeprefix('contract-')}" for each in QUEUED},
    }
    for option, service in {"functions": "cloudfunctions", "pubsub": "pubsub"}.items():
        origin = account.roots[service].partition(f"/{VERSIONS[service]}/")[0]
        if origin != _origin(service, {}):
            options[f"{option}_endpoint"] = origin
    if not account.is_own:
        options["impersonate"] = account.identity
    name = f"{run}-{EVENTS.removeprefix('contract-')}"
    return Config(
        order=(TargetName("google"),),
        options={"google": options},
        buses={EVENTS: BusConfig(names={"google": name})},
    )


def _functions(account: Account) -> str:
    return f"{account.roots['cloudfunctions']}/locations/{account.location}/functions"


def _uri(account: Account, run: str) -> str:
    found = account.api.send("GET", f"{_functions(account)}/{run}")
    return str(found["serviceConfig"]["uri"])
