"""What Google's APIs take for a credential, as a value. It does not show its secret."""

from __future__ import annotations

from typing import NamedTuple

from leeward.masking import masked


class Bearer(NamedTuple):
    """A token that says who asks.

    Attributes:
        token: an OAuth access token, a self-signed JWT, or an ID token.
        quota_project: the project that is charged for a request, where that is not the one of the
            identity; user credentials need one.
    """

    token: str
    quota_project: str | None = None

    def __repr__(self) -> str:
        return masked(self, "quota_project")
