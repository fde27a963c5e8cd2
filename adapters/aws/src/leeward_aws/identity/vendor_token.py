"""leeward's credentials, shared with the vendor's own clients.

Imported only where botocore is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.credentials import ReadOnlyCredentials  # type: ignore[import-untyped]

from leeward_aws.identity.credentials import Credentials


class SharedCredentials:
    """Credentials as botocore wants them: by its attributes, a `botocore.credentials.Credentials`.

    Args:
        get: gives credentials that still hold. What it raises comes out of the client's methods.
    """

    method = "leeward"
    account_id = None
    access_key = property(lambda self: self._get().access_key)
    secret_key = property(lambda self: self._get().secret_key)
    token = property(lambda self: self._get().token)

    def __init__(self, get: Callable[[], Credentials]) -> None:
        self._get = get

    def load_credentials(self) -> SharedCredentials:
        """Return itself: it is what a session asks for credentials, too."""
        return self

    def get_frozen_credentials(self) -> Any:
        """Return all three as they are now."""
        return ReadOnlyCredentials(*self._get()[:3])

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Return a function that reads one attribute later."""
        return lambda: getattr(self, name, None)
