"""Play the plans of Google Cloud: its credentials, and its answers."""

from __future__ import annotations

from functools import partial
from typing import Any

from leeward._http.messages import Response
from leeward_google.identity.credentials import Bearer
from tests import playing
from tests.playing import LATER, NOW, Played, document, headers_of, json_answer

__all__ = ["LATER", "NOW", "Played", "document", "headers_of"]

TOKEN = Bearer("token-of-the-tests")
FRESH = Bearer("fresh-token-of-the-tests")
"""What is given once `TOKEN` has been refused."""

play = partial(playing.play, credential=TOKEN, fresh=FRESH)


def answer(body: Any = None, status: int = 200, **headers: str) -> Response:
    """Make an answer: JSON of `body`, unless that is bytes; ``_`` stands for ``-`` in headers."""
    return json_answer(body, status, {}, headers)


def error(word: str, status: int, message: str = "", *details: Any) -> dict[str, Any]:
    """Give the body of a refusal."""
    told = {"code": status, "message": message, "status": word}
    return {"error": told | ({"details": list(details)} if details else {})}


def refusal(word: str, status: int, message: str = "", *details: Any, **headers: str) -> Response:
    """Make the answer of a service that refuses."""
    return answer(error(word, status, message, *details), status, **headers)


def info(reason: str, domain: str = "googleapis.com") -> dict[str, str]:
    """Give the detail that tells the reason of a refusal."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}
