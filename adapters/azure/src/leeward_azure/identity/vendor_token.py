"""leeward's tokens, shared with the vendor's own clients.

Imported only where azure-core is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from azure.core.credentials import AccessToken, AccessTokenInfo

from leeward_azure.identity.credentials import Bearer

SHARED_SECONDS: Final = 360
"""How long a vendor's client may keep a token. azure-core asks for another when 300 are left, so
every minute, and leeward gives one that it has renewed in time."""


class SharedTokenCredential:
    """What a vendor's client asks for tokens: by its methods, a `TokenCredential` of azure-core.

    Args:
        get: gives a token that still holds. What it raises comes out of the client's methods.
    """

    def __init__(self, get: Callable[[], Bearer]) -> None:
        self._get = get

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return a token; for what, was settled when this was made."""
        return AccessToken(self._get().token, int(time.time()) + SHARED_SECONDS)

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """Return a token in the newer form."""
        return AccessTokenInfo(self._get().token, int(time.time()) + SHARED_SECONDS)

    def close(self) -> None:
        """Do nothing: the token's source is the driver's."""
