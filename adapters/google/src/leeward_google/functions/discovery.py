"""Where a function is, looked up at the Cloud Functions API.

Through google-cloud-functions, imported at the first look-up. It takes the permission
``cloudfunctions.functions.get``, which calling a function does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from leeward.adapter import TargetConfig
from leeward.adapter.hosts import check_token_goes_safely
from leeward.adapter.resolver import Resolved, Source, Unresolved
from leeward.adapter.tokens import is_busy
from leeward.adapter.vendor import vendor_errors
from leeward.errors import ConfigError, Outcome
from leeward_google.identity.credentials import ACCESS_TOKEN, Bearer, Project
from leeward_google.settings.endpoints import check_endpoint
from leeward_google.settings.options import Settings
from leeward_google.settings.services import KEPT, parse_address

INSTALL: Final = 'pip install "leeward-google[discovery]"'

SECONDS: Final = 8.0
"""For one look-up. The vendor's own retries would go on for much longer."""

_WHERE: Final = "the Cloud Functions API"


def lookup_source(
    settings: Settings, config: TargetConfig, tokens: Source, now: Callable[[], float]
) -> Source:
    """Make a source of addresses: what has a function's name in, an `Address` without a token out.

    Args:
        settings: of the target.
        config: of the same.
        tokens: gives access tokens and the project's id.
        now: gives Unix seconds.
    """

    def fetch(what: Any, timeout: float) -> Resolved:
        missing = f"google-cloud-functions, which looks functions up, is not installed: {INSTALL}"
        with vendor_errors("google_cloud_functions_missing", missing, _refusal):
            project = settings.project or tokens(Project(), timeout).value
            name = f"projects/{project}/locations/{settings.region}/functions/{what.function}"
            token = lambda: tokens(ACCESS_TOKEN, timeout).value  # noqa: E731
            with functions_client(settings, config, token) as client:
                details = client.get_function(name=name, retry=None, timeout=min(timeout, SECONDS))
            # The URL of a function: that of its service, or of the first generation its own.
            url = details.service_config.uri or details.url
            if re.fullmatch(r"https?://[^/?#@\s]+(?:/[A-Za-z0-9._~/-]*)?", url) is None:
                raise Unresolved(
                    Outcome.NOT_FOUND,
                    "url_missing",
                    f"{_WHERE} gave no URL of the function {what.function!r}: it may still be "
                    "deployed, or be triggered by events alone",
                )
            address = parse_address(url)._replace(looked_up=True)
            configured = settings.functions
            try:
                check_endpoint(config, "functions", address.origin, f"what {_WHERE} gave")
                if configured is None or configured.authenticate:
                    check_token_goes_safely(address.origin, f"what {_WHERE} gave")
            except ConfigError as error:
                raise Unresolved(Outcome.AUTH, "untrusted_host", str(error)) from error
            return Resolved(address, now(), now() + KEPT)

    return fetch


def functions_client(settings: Settings, config: TargetConfig, token: Callable[[], Bearer]) -> Any:
    """Make google-cloud-functions' client, over REST, which asks `token` when it needs one.

    Raises:
        ImportError: google-cloud-functions is not installed.
    """
    from google.cloud.functions_v2 import FunctionServiceClient
    from google.cloud.functions_v2.services.function_service.transports import (
        FunctionServiceRestTransport,
    )

    from leeward_google.identity.vendor_token import SharedTokenCredentials

    credentials = SharedTokenCredentials(token)
    transport = FunctionServiceRestTransport(
        host=_host(settings.admin),
        credentials=credentials,
        url_scheme=settings.admin.partition(":")[0],
    )
    session: Any = transport._session  # noqa: SLF001 - there is no other way to say it
    session.trust_env = config.trust_env
    if settings.http.ca_bundle is not None:
        # Said of each request: of the session, it would give way to REQUESTS_CA_BUNDLE.
        session.request = partial(session.request, verify=settings.http.ca_bundle)
    return FunctionServiceClient(transport=transport)


def _host(origin: str) -> str:
    """Return a host with its port: the vendor's class adds 443 to any other."""
    scheme, _, host = origin.partition("://")
    if re.search(r":[0-9]+$", host):
        return host
    return host + (":80" if scheme == "http" else ":443")


def _refusal(error: Exception) -> Unresolved:
    """Return what an exception means, by class and status alone: its text may repeat anything."""
    from google.api_core.exceptions import GoogleAPICallError

    name = type(error).__name__
    status = int(error.code or 0) if isinstance(error, GoogleAPICallError) else None
    if status == 404:
        problem = "knows no such function, project or region"
        return Unresolved(Outcome.NOT_FOUND, name, f"{_WHERE} {problem}")
    from google.auth.exceptions import TransportError
    from requests import ConnectionError as NoConnection
    from requests import Timeout

    if isinstance(error, NoConnection | Timeout | TransportError) or is_busy(status or 0):
        return Unresolved(Outcome.NOT_SENT, name, f"{_WHERE} could not be asked ({name})")
    return Unresolved(Outcome.AUTH, name, f"{_WHERE} refused the look-up ({name})")
