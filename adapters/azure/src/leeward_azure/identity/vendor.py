"""Tokens through the vendor's own chain: azure-identity's `DefaultAzureCredential`.

It reads the environment of this process, and may start the command lines of Azure; so it is only
there where the environment is trusted. It is imported at the first fetch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from leeward.adapter.resolver import Resolved, Unresolved
from leeward.adapter.tokens import is_busy
from leeward.adapter.vendor import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    out_of_reach,
    refusal,
    vendor_errors,
    with_causes,
)
from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward_azure.identity.credentials import Bearer
from leeward_azure.settings.options import Settings

INSTALL: Final = 'pip install "leeward-azure[identity]"'

_WHERE: Final = "the vendor's credential chain"
_REMEDY: Final = (
    "set keys or a connection string, sign in with the Azure CLI, or set AZURE_TENANT_ID, "
    "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
)


class VendorChain:
    """A source that asks one `DefaultAzureCredential`: a `Token` of Entra in, a `Bearer` out.

    The chain keeps its tokens until five minutes before they end, which is when leeward asks for
    others.

    Args:
        settings: of the target.
        now: gives Unix seconds.
    """

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._lock = ForkLock(whole=False)
        self._credential: Any = None
        self._told: list[Exception] = []
        self._gave = False

    def __call__(self, what: Any, timeout: float) -> Resolved:
        """Fetch a token.

        Raises:
            Unresolved: NOT_SENT if nobody could be asked, else AUTH.
        """
        missing = f"azure-identity, which would find a credential, is not installed: {INSTALL}"
        # The lock is the outer one: what the members have told is of this fetch alone.
        with self._lock, vendor_errors("azure_identity_missing", missing, self._refusal):
            if self._credential is None:
                self._credential = self._make()
            self._told.clear()
            token = self._credential.get_token(what.scope)
            self._gave = True
            return Resolved(Bearer(token.token), self._now(), float(token.expires_on))

    def _make(self) -> Any:
        from azure.identity import DefaultAzureCredential

        settings = self._settings
        options: dict[str, Any] = {
            "authority": settings.authority,
            "managed_identity_client_id": settings.client_id,
            "connection_verify": settings.http.ca_bundle,
        }
        chain = DefaultAzureCredential(
            retry_total=0,
            connection_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            **{name: value for name, value in options.items() if value is not None},
        )
        # The chain says of all its members' errors no more than their texts.
        chain.credentials = tuple(
            _keep_errors_of(credential, self._told) for credential in chain.credentials
        )
        return chain

    def _refusal(self, error: Exception) -> Unresolved:
        from azure.identity import CredentialUnavailableError

        spoke = [error for error in self._told if not isinstance(error, CredentialUnavailableError)]
        if spoke or not self._told:
            return _refusal_of(spoke[-1] if spoke else error)
        if self._gave:
            # A metadata service that is out of reach looks like one that is not there.
            problem = f"{_WHERE} no longer gives any token"
            return Unresolved(Outcome.NOT_SENT, "no_credentials", problem)
        return Unresolved(Outcome.AUTH, "no_credentials", f"no Azure credentials: {_REMEDY}")


class _Overheard:
    """A member of the chain whose errors are kept."""

    def __init__(self, credential: Any, errors: list[Exception]) -> None:
        self._credential = credential
        self._told = errors

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Return the token of the wrapped credential; keep what it raises."""
        try:
            return self._credential.get_token(*scopes, **options)
        except Exception as error:
            self._told.append(error)
            raise

    def close(self) -> None:
        """Close the member."""
        self._credential.close()


def _keep_errors_of(credential: object, errors: list[Exception]) -> Any:
    """Wrap a member, under its own name: the chain's log tells what it tried."""
    return type(type(credential).__name__, (_Overheard,), {})(credential, errors)


def _refusal_of(error: Exception) -> Unresolved:
    """Return what an exception means, by class and codes alone: its text may repeat anything."""
    name = type(error).__name__
    if reached_nobody(error):
        return out_of_reach(_WHERE, name)
    match = re.search(r"AADSTS[0-9]{1,9}", str(error))
    return refusal(_WHERE, match[0] if match else name)


def reached_nobody(error: BaseException) -> bool:
    """Return whether an exception of azure-core shows a service out of reach, or too busy."""
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    for cause in with_causes(error):
        if isinstance(cause, ServiceRequestError | ServiceResponseError):
            return True
        if isinstance(cause, HttpResponseError) and is_busy(cause.status_code or 0):
            return True
    return False
