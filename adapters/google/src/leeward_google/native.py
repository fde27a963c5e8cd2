"""The vendor's own clients, on the credentials and settings of a target."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from importlib import import_module
from typing import Any, Final, TypeAlias

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_google.functions.discovery import functions_client
from leeward_google.identity.credentials import ACCESS_TOKEN, Project
from leeward_google.settings.options import Settings

KNOWN: Final = "firestore, functions and pubsub"

INSTALL: Final = 'pip install "leeward-google[native]"'

Answers: TypeAlias = Callable[[Hashable], Any]
"""Gives what is needed as it is now, such as a token."""


def native(service: str, settings: Settings, config: TargetConfig, answer: Answers) -> Any:
    """Return a client of google-cloud-firestore and its kin; closing it is the caller's.

    It goes where leeward goes, over gRPC but for ``functions``. A token is asked for again every
    minute. Retries and time-outs are the client's own, and a channel of gRPC must not cross a fork.
    gRPC takes certificates, proxies, a client certificate and emulators from the environment of
    this process, so with ``trust_env = false`` there is no such client.

    Args:
        service: ``firestore`` (a `google.cloud.firestore.Client`), ``functions`` (a
            `google.cloud.functions_v2.FunctionServiceClient`) or ``pubsub`` (a
            `google.cloud.pubsub_v1.PublisherClient`).
        settings: of the target.
        config: of the same.
        answer: gives credentials. What it raises comes out of the client's methods.

    Raises:
        ConfigError: the service is unknown, its package is not installed, or its client would not
            keep to the settings of the target.
    """
    make = _MAKERS.get(service)
    if make is None:
        raise ConfigError(f"native() knows no service {service!r} on Google: use {KNOWN}")
    try:
        return make(settings, config, answer)
    except ImportError as error:
        raise ConfigError(
            f"native({service!r}) gives the vendor's client, which is missing: {INSTALL}"
        ) from error


def _firestore(settings: Settings, config: TargetConfig, answer: Answers) -> Any:
    from google.cloud.firestore import Client

    tables = settings.tables
    _check_grpc("firestore", config, tables.emulator)
    project = settings.project or answer(Project())
    if tables.emulator:
        return Client(project=project, database=tables.database)
    return Client(
        project=project,
        credentials=_make_credentials(answer),
        database=tables.database,
        client_options=_options(tables.origin),
    )


def _pubsub(settings: Settings, config: TargetConfig, answer: Answers) -> Any:
    _check_grpc("pubsub", config, settings.events.emulator)
    kind = import_module("google.cloud.pubsub_v1").PublisherClient
    if settings.events.emulator:
        return kind()
    return kind(
        credentials=_make_credentials(answer), client_options=_options(settings.events.origin)
    )


def _functions(settings: Settings, config: TargetConfig, answer: Answers) -> Any:
    return functions_client(settings, config, lambda: answer(ACCESS_TOKEN))


_MAKERS: Final = {"firestore": _firestore, "functions": _functions, "pubsub": _pubsub}


def _check_grpc(service: str, config: TargetConfig, emulator: bool) -> None:
    """Refuse a client that would follow this process's environment where the target does not."""
    if not config.trust_env:
        raise ConfigError(
            f"native({service!r}) is refused because trust_env is false: the vendor's client, over "
            "gRPC, takes certificates, proxies, a client certificate and emulators from the "
            "environment of this process"
        )
    variable = f"{service.upper()}_EMULATOR_HOST"
    if bool(os.environ.get(variable)) is not emulator:
        raise ConfigError(
            f"native({service!r}) gives a client that finds an emulator by {variable} alone: "
            f"{'set' if emulator else 'unset'} it in the environment of this process"
        )


def _make_credentials(answer: Answers) -> Any:
    from leeward_google.identity.vendor_token import SharedTokenCredentials

    return SharedTokenCredentials(lambda: answer(ACCESS_TOKEN))


def _options(origin: str) -> dict[str, str]:
    return {"api_endpoint": origin.partition("://")[2]}
