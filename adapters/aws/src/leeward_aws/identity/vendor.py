"""Credentials through the vendor's own chain: profiles, SSO, web identity, roles, metadata.

The chain is botocore's, imported at the first fetch. In the hardened mode it is shortened to what
a profile of the user's own files says, and starts no process.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from leeward.adapter import TargetConfig
from leeward.adapter.resolver import Resolved, Unresolved
from leeward.adapter.tokens import is_busy
from leeward.adapter.vendor import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    out_of_reach,
    refusal,
    refuse_private,
    vendor_errors,
    with_causes,
)
from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward_aws.identity.credentials import make_credentials
from leeward_aws.identity.session import client_options, home_of_user, plugins, session_of
from leeward_aws.settings.options import Settings

INSTALL: Final = 'pip install "leeward-aws[boto3]"'

_BUSY: Final = frozenset(
    "IDPCommunicationError RequestLimitExceeded ServiceUnavailable Throttling ThrottlingException "
    "TooManyRequestsException".split()
)
"""Codes of STS and SSO that say to ask again (their API references, "Common Errors")."""

_WHERE: Final = "the vendor's credential chain"


class VendorChain:
    """A source that asks the vendor's chain anew at each fetch, through one session.

    A fetch is asked for only when what there is will not do, so nothing that the chain itself has
    kept of an earlier one is used. A ``credential_process`` takes as long as it likes.

    Args:
        settings: of the target.
        config: of the same; says whether the environment may be trusted, and holds it.
        now: gives Unix seconds.
        home: in the hardened mode, the directory that holds ``.aws``; by default the user's.
    """

    def __init__(
        self,
        settings: Settings,
        config: TargetConfig,
        now: Callable[[], float],
        home: str | None = None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._now = now
        self._home = home
        self._lock = ForkLock(whole=False)
        self._session: Any = None
        self._gave = False

    def __call__(self, what: Any, timeout: float) -> Resolved:
        """Fetch credentials.

        Raises:
            Unresolved: NOT_SENT if nobody could be asked, else AUTH.
        """
        missing = (
            "no AWS credentials in the environment, and boto3, which would look elsewhere, is not "
            f"installed: {INSTALL}, or {self._remedy()}"
        )
        with (
            vendor_errors("boto3_missing", missing, _refusal),
            self._lock,
            plugins(allowed=self._config.trust_env),
        ):
            if self._session is None:
                self._session = self._make_session()
            credentials = self._make_resolver().load_credentials()
            if credentials is None:
                raise self._none()
            frozen = credentials.get_frozen_credentials()
            # botocore has no public way to ask for the moment.
            end = getattr(credentials, "_expiry_time", None)
            self._gave = True
            keys = frozen.access_key, frozen.secret_key, frozen.token
            return make_credentials(keys, end and end.timestamp(), self._now(), _WHERE)

    def _make_session(self) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]

        trusted = self._config.trust_env
        env = self._config.env if trusted else {}
        session = session_of(self._settings, env, None if trusted else self._hardened_home())
        session.set_default_client_config(
            Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"total_max_attempts": 1},
                **client_options(trust_env=trusted),
            )
        )
        if self._settings.http.public_only:
            session.register("before-send", _refuse_private)
        return session

    def _make_resolver(self) -> Any:
        """Make what walks the chain. One of botocore's is good for one walk along roles."""
        if self._config.trust_env:
            from botocore.credentials import (  # type: ignore[import-untyped]
                create_credential_resolver,
            )

            return create_credential_resolver(self._session, region_name=self._settings.region)
        from leeward_aws.identity.hardened import profile_resolver

        return profile_resolver(self._session, self._settings, self._hardened_home())

    def _hardened_home(self) -> str:
        return self._home or home_of_user()

    def _none(self) -> Unresolved:
        if self._gave:
            # A metadata service that is out of reach looks like one that is not there.
            return Unresolved(
                Outcome.NOT_SENT, "no_credentials", f"{_WHERE} no longer gives any credentials"
            )
        return Unresolved(Outcome.AUTH, "no_credentials", f"no AWS credentials: {self._remedy()}")

    def _remedy(self) -> str:
        profile = f"set profile in {self._config.section}"
        if not self._config.trust_env:
            return profile
        return f"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or {profile}"


def _refuse_private(request: Any, **_: Any) -> None:
    """Look where a client of the chain is about to send a request."""
    refuse_private(urlsplit(request.url).hostname or "", _WHERE)


def _refusal(error: Exception) -> Unresolved:
    """Return what an exception of the chain means, without its own text where that is unsafe."""
    from botocore import exceptions  # type: ignore[import-untyped]

    for cause in with_causes(error):
        if isinstance(cause, exceptions.HTTPClientError | exceptions.ConnectionError):
            return out_of_reach(_WHERE, type(cause).__name__)
        if isinstance(cause, exceptions.ClientError) and _is_busy(cause.response):
            return out_of_reach(_WHERE, _code(cause.response))
    if isinstance(error, exceptions.ClientError):
        return refusal(_WHERE, _code(error.response))
    name = type(error).__name__
    detail = f": {error}" if isinstance(error, _report()) else ""
    return Unresolved(Outcome.AUTH, name, f"{_WHERE} failed with {name}{detail}")


def _is_busy(response: dict[str, Any]) -> bool:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return is_busy(status) or _code(response) in _BUSY


def _code(response: dict[str, Any]) -> str:
    code = str(response.get("Error", {}).get("Code"))
    return code if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,99}", code) else "ClientError"


def _report() -> tuple[type[Exception], ...]:
    """Return the exceptions whose text is made of names and advice, and never of what was read."""
    from botocore import exceptions

    return (
        exceptions.InvalidConfigError,
        exceptions.LoginError,
        exceptions.MissingDependencyException,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.RefreshWithMFAUnsupportedError,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
        exceptions.UnknownCredentialError,
    )
