"""The vendor's own clients, on the credentials and settings of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_aws.identity.credentials import Credentials
from leeward_aws.identity.session import client_options, home_of_user, plugins, session_of
from leeward_aws.settings.endpoints import Service, endpoint
from leeward_aws.settings.options import Settings

SERVICES: Final[dict[str, Service]] = {
    "lambda": "lambda",
    "events": "events",
    "eventbridge": "events",
    "dynamodb": "dynamodb",
}
"""The services that leeward itself uses, by the names that users know."""


def native(
    service: str,
    settings: Settings,
    config: TargetConfig,
    get: Callable[[], Credentials],
    home: str | None = None,
) -> Any:
    """Return a boto3 client; closing it is the caller's.

    It asks `get` for credentials at each request, and goes where leeward goes. Retries and
    time-outs are boto3's own.

    Args:
        service: ``lambda``, ``events`` (or ``eventbridge``), ``dynamodb``, or any other service
            that boto3 knows, such as ``sqs``. That one goes to the target's ``endpoint_url``, else
            to the one that the environment names, else to AWS's own.
        settings: of the target.
        config: of the same.
        get: gives credentials that still hold. What it raises comes out of the client's methods.
        home: in the hardened mode, the directory that holds ``.aws``; by default the user's.

    Raises:
        ConfigError: boto3 is not installed, does not know the service, or refuses the settings.
    """
    try:
        from boto3 import Session  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import (  # type: ignore[import-untyped]
            BotoCoreError,
            UnknownServiceError,
        )
    except ImportError as error:
        raise ConfigError(
            'native() gives a boto3 client, and boto3 is missing: pip install "leeward-aws[boto3]"'
        ) from error
    trusted = config.trust_env
    ours = SERVICES.get(service)
    place = None if trusted else home or home_of_user()
    try:
        session = session_of(settings, config.env if trusted else {}, place)
        session.register_component("credential_provider", _Provider(get))
        with plugins(allowed=trusted):
            return Session(botocore_session=session).client(
                ours or service,
                endpoint_url=_own_endpoint(ours, settings)
                if ours
                else config.options.get("endpoint_url"),
                config=Config(**_options(config, settled=ours is not None)),
            )
    except UnknownServiceError as error:
        raise ConfigError(
            f"boto3 knows no service {service!r}: use lambda, events, dynamodb, or any other name "
            f"that boto3.client takes"
        ) from error
    except BotoCoreError as error:
        raise ConfigError(f"boto3 makes no client of {service!r}: {error}") from error


def _options(config: TargetConfig, *, settled: bool) -> dict[str, Any]:
    """Return the client's options; where leeward has settled the endpoint, no variable moves it."""
    options = client_options(trust_env=config.trust_env)
    return options | {"ignore_configured_endpoint_urls": True} if settled else options


def _own_endpoint(service: Service, settings: Settings) -> str | None:
    """Return the endpoint if it is not AWS's own, which boto3 finds with all that belongs to it."""
    usual = endpoint(service, settings.region, fips=settings.fips, dualstack=settings.dualstack)
    found = settings.endpoints[service]
    return None if found == usual else found


class _Provider:
    """What a botocore session asks for credentials."""

    def __init__(self, get: Callable[[], Credentials]) -> None:
        self._get = get

    def load_credentials(self) -> _Shared:
        """Return leeward's own."""
        return _Shared(self._get)


class _Shared:
    """Credentials as botocore wants them, asked for anew each time.

    By its attributes it is a `botocore.credentials.Credentials`.
    """

    method = "leeward"
    account_id = None

    def __init__(self, get: Callable[[], Credentials]) -> None:
        self._get = get

    @property
    def access_key(self) -> str:
        """The name of the key."""
        return self._get().access_key

    @property
    def secret_key(self) -> str:
        """The secret."""
        return self._get().secret_key

    @property
    def token(self) -> str | None:
        """The session token, if there is one."""
        return self._get().token

    def get_frozen_credentials(self) -> Any:
        """Return all three as they are now."""
        from botocore.credentials import ReadOnlyCredentials  # type: ignore[import-untyped]

        now = self._get()
        return ReadOnlyCredentials(now.access_key, now.secret_key, now.token)

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return a function that reads one attribute later."""
        return lambda: getattr(self, name, None)
