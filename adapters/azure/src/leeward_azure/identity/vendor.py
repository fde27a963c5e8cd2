"""Tokens through the vendor's own chain: azure-identity's `DefaultAzureCredential`.

It reads the environment of this process, and may start the command lines of Azure; so it is only
there where the environment is trusted. It is imported at the first fetch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, Final

from leeward.adapter.resolver import Credential, NoCredential
from leeward.errors import Outcome
from leeward.forking import ForkLock
from leeward_azure.identity.credentials import Bearer
from leeward_azure.settings.options import Settings

INSTALL: Final = 'pip install "leeward-azure[identity]"'

CONNECT_TIMEOUT: Final = 3.0
READ_TIMEOUT: Final = 5.0
"""Seconds for a request to Entra. The vendor's own 300 would hold up every renewal."""

_WHERE: Final = "the vendor's credential chain"
_REMEDY: Final = (
    "set keys or a connection string, sign in with the Azure CLI, or set AZURE_TENANT_ID, "
    "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
)


class VendorIdentity:
    """A source that asks one `DefaultAzureCredential`: a scope of Entra in, a `Bearer` out.

    The chain keeps its tokens until five minutes before they end, which is when the cache asks for
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

    def __call__(self, scope: str, timeout: float) -> Credential:
        """Fetch a token.

        Raises:
            NoCredential: NOT_SENT if nobody could be asked, else AUTH.
        """
        try:
            with self._lock:
                found = self._ask(scope)
        except ImportError as error:
            told = f"azure-identity, which would find a credential, is not installed: {INSTALL}"
            raise NoCredential(Outcome.AUTH, "azure_identity_missing", told) from error
        except Exception as error:  # the chain runs whatever the environment says
            raise self._refusal(error) from error
        return Credential(Bearer(found.token), self._now(), float(found.expires_on))

    def _ask(self, scope: str) -> Any:
        if self._credential is None:
            self._credential = self._make()
        self._told.clear()
        found = self._credential.get_token(scope)
        self._gave = True
        return found

    def _make(self) -> Any:
        from azure.identity import DefaultAzureCredential

        settings = self._settings
        options: dict[str, Any] = {
            "authority": settings.authority,
            "managed_identity_client_id": settings.client_id,
            "connection_verify": settings.ca_bundle,
        }
        chain = DefaultAzureCredential(
            retry_total=0,
            connection_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            **{name: value for name, value in options.items() if value is not None},
        )
        # The chain says of all its members' errors no more than their texts.
        chain.credentials = tuple(_overheard(each, self._told) for each in chain.credentials)
        return chain

    def _refusal(self, error: Exception) -> NoCredential:
        from azure.identity import CredentialUnavailableError

        spoke = [each for each in self._told if not isinstance(each, CredentialUnavailableError)]
        if spoke or not self._told:
            return _refusal_of(spoke[-1] if spoke else error)
        if self._gave:
            # What gave a token before is out of reach: the metadata service of a machine that is,
            # looks like one that is not there.
            told = f"{_WHERE} no longer gives any token"
            return NoCredential(Outcome.NOT_SENT, "no_credentials", told)
        return NoCredential(Outcome.AUTH, "no_credentials", f"no Azure credentials: {_REMEDY}")


class _Overheard:
    """A member of the chain whose errors are kept."""

    def __init__(self, credential: Any, told: list[Exception]) -> None:
        self._credential = credential
        self._told = told

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Ask the member."""
        try:
            return self._credential.get_token(*scopes, **options)
        except Exception as error:
            self._told.append(error)
            raise

    def close(self) -> None:
        """Close the member."""
        self._credential.close()


def _overheard(credential: object, told: list[Exception]) -> Any:
    """Wrap a member, under its own name: the chain's log tells what it tried."""
    return type(type(credential).__name__, (_Overheard,), {})(credential, told)


def _refusal_of(error: Exception) -> NoCredential:
    """Return what an exception means, by class and codes alone: its text may repeat anything."""
    name = type(error).__name__
    if reached_nobody(error):
        told = f"{_WHERE} could not reach its source ({name})"
        return NoCredential(Outcome.NOT_SENT, name, told)
    found = re.search(r"AADSTS[0-9]{1,9}", str(error))
    code = found[0] if found else name
    return NoCredential(Outcome.AUTH, code, f"{_WHERE} was refused ({code})")


def reached_nobody(error: BaseException) -> bool:
    """Return whether an exception of azure-core shows a service out of reach, or too busy."""
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    chain: Sequence[BaseException] = list(_with_causes(error))
    if any(isinstance(each, ServiceRequestError | ServiceResponseError) for each in chain):
        return True
    statuses = [each.status_code for each in chain if isinstance(each, HttpResponseError)]
    return any(status == 429 or status >= 500 for status in statuses if status is not None)


def _with_causes(error: BaseException) -> Generator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__
