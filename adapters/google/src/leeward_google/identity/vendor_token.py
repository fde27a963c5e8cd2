"""leeward's tokens, shared with the vendor's own clients.

Imported only where google-auth is there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.auth.credentials import CredentialsWithQuotaProject

from leeward_google.identity.credentials import Bearer

SHARED_SECONDS: Final = 285
"""How long a vendor's client may keep a token. google-auth asks for another when 225 are left, so
every minute, and leeward gives one that it has renewed in time."""


class SharedTokenCredentials(CredentialsWithQuotaProject):
    """What a vendor's client asks for tokens.

    Args:
        get: gives a token that still holds. What it raises comes out of the client's methods.
    """

    def __init__(self, get: Callable[[], Bearer]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._get = get

    def refresh(self, request: Any) -> None:
        """Fetch a token; its purpose was set when this was made."""
        bearer = self._get()
        self.token = bearer.token
        self._quota_project_id = bearer.quota_project
        # google-auth keeps the time in UTC without a zone.
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=SHARED_SECONDS)

    def with_quota_project(self, quota_project_id: str) -> SharedTokenCredentials:
        """Return these very credentials: who is charged is settled by the target."""
        return self
