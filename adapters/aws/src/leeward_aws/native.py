"""The vendor's own clients, on the credentials and settings of a target."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward_aws.identity.credentials import ACCESS_KEY
from leeward_aws.identity.session import client_options, home_of_user, plugins, session_of
from leeward_aws.settings.endpoints import ServiceName, endpoint
from leeward_aws.settings.options import Settings

SERVICES: Final[dict[str, ServiceName]] = {
    "lambda": "lambda",
    "events": "events",
    "eventbridge": "events",
    "dynamodb": "dynamodb",
    "s3": "s3",
}
"""The services that leeward itself uses, by the names that users know."""


def native(
    service: str,
    settings: Settings,
    config: TargetConfig,
    answer: Callable[[Hashable], Any],
    home: str | None = None,
) -> Any:
    """Return a boto3 client; closing it is the caller's.

    It goes where leeward goes. Credentials are asked for at each request. Retries and time-outs are
    boto3's own.

    Args:
        service: ``lambda``, ``events`` (or ``eventbridge``), ``dynamodb``, ``s3``, or any other
            service that boto3 knows, such as ``sqs``. That one goes to the target's
            ``endpoint_url``, else to the one that the environment names, else to AWS's own.
        settings: of the target.
        config: of the same.
        answer: gives credentials. What it raises comes out of the client's methods.
        home: in the hardened mode, the directory that holds ``.aws``; by default the user's.

    Raises:
        ConfigError: boto3 is not installed, does not know the service, or refuses the settings.
    """
    trusted = config.trust_env
    ours = SERVICES.get(service)
    options = client_options(trust_env=trusted)
    if ours is None:
        place = config.options.get("endpoint_url")
    else:
        # boto3 finds AWS's own endpoint with all that belongs to it.
        fips, dualstack = settings.fips, settings.dualstack
        usual = endpoint(ours, settings.region, fips=fips, dualstack=dualstack)
        place = None if settings.endpoints[ours] == usual else settings.endpoints[ours]
        # leeward has settled where it goes, so no variable moves it.
        options["ignore_configured_endpoint_urls"] = True
    try:
        from boto3 import Session  # type: ignore[import-untyped]
        from botocore import exceptions  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        from leeward_aws.identity.vendor_token import SharedCredentials
    except ImportError as error:
        raise ConfigError(
            'native() gives a boto3 client, and boto3 is missing: pip install "leeward-aws[boto3]"'
        ) from error
    try:
        env, folder = (config.env, None) if trusted else ({}, home or home_of_user())
        session = session_of(settings, env, folder)
        session.register_component(
            "credential_provider", SharedCredentials(lambda: answer(ACCESS_KEY))
        )
        with plugins(allowed=trusted):
            return Session(botocore_session=session).client(
                ours or service, endpoint_url=place, config=Config(**options)
            )
    except exceptions.UnknownServiceError as error:
        raise ConfigError(
            f"boto3 knows no service {service!r}: use lambda, events, dynamodb, s3, or any other "
            f"name that boto3.client takes"
        ) from error
    except exceptions.BotoCoreError as error:
        raise ConfigError(f"boto3 makes no client of {service!r}: {error}") from error
