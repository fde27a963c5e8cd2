"""Play the plans of Azure: its credentials, and its answers."""

from __future__ import annotations

from functools import partial
from typing import Any

from leeward._http.messages import Response
from leeward_azure.identity.credentials import AccountKey, Bearer
from tests import playing
from tests.playing import LATER, MIDNIGHT, NOW, Played, document, headers_of, json_answer

__all__ = ["LATER", "MIDNIGHT", "NOW", "Played", "document", "headers_of"]

KEY = AccountKey("c2VjcmV0IG9mIHRoZSB0ZXN0cw==")
FRESH = Bearer("fresh-token-of-the-tests")
"""What is given once the first credential has been refused."""

play = partial(playing.play, credential=KEY, fresh=FRESH)


def answer(body: Any = b"", status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    given = {"x-ms-activity-id": "request-1", "x-ms-request-id": "request-1", "date": MIDNIGHT}
    return json_answer(body, status, given, headers)
