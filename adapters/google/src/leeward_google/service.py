"""Ask Google: how a request says who sends it, and what a refusal means."""

from __future__ import annotations

from typing import Any, Final

from leeward.adapter.service import Service, plausible_wait, wait_in
from leeward.adapter.wire import Request, Response
from leeward.calls import Result
from leeward.json_text import DEEPEST, Undecodable, decode
from leeward_google.errors import ErrorDetails, outcome_of, read_error
from leeward_google.identity.credentials import ACCESS_TOKEN, Bearer

OWNER: Final = Bearer("owner")
"""Who asks at an emulator. Firestore's takes it for somebody who may do everything, as Google's
own clients do; Pub/Sub's takes anybody."""


def authorise(request: Request, bearer: Bearer) -> Request:
    """Return `request` with the headers that say who sends it, and who is charged for it."""
    headers = (*request.headers, ("Authorization", f"Bearer {bearer.token}"))
    if bearer.quota_project is not None:
        headers = (*headers, ("X-Goog-User-Project", bearer.quota_project))
    return request._replace(headers=headers)


def read_refusal(response: Response, details: ErrorDetails, now: float) -> Result[Any]:
    """Return the result of an error that a service has told.

    Args:
        response: where it stood.
        details: what it says.
        now: Unix seconds.
    """
    meaning = outcome_of(response.status, details)
    return Result(
        meaning.outcome,
        code=details.status or f"http.{response.status}",
        reason=meaning.reason,
        request_id=details.request_id,
        retry_after=retry_after(response, details, now),
    )


def elements_of(response: Response, deepest: int = DEEPEST) -> list[dict[str, Any]]:
    """Return the elements of a streamed answer, which as a whole is a list of objects.

    Raises:
        Undecodable: it is something else, or empty: every stream has at least one element.
    """
    elements = decode(response.body, deepest=deepest)
    if not isinstance(elements, list) or not elements:
        raise Undecodable("the JSON is not a list, or is empty")
    if not all(isinstance(element, dict) for element in elements):
        raise Undecodable("an element of the answer is not an object")
    return elements


def retry_after(response: Response, details: ErrorDetails, now: float) -> float | None:
    """Return the seconds that the service asks to wait; None for none, or for nonsense."""
    text = response.headers.get("retry-after", "").strip()
    return wait_in(text, now) if text else plausible_wait(details.retry_delay)


GOOGLE: Final = Service(
    ACCESS_TOKEN,
    lambda response, now: read_refusal(response, read_error(response), now),
    authorize=lambda request, bearer, _now: authorise(request, bearer or OWNER),
)
"""How Google's own services are asked."""
EMULATOR: Final = GOOGLE._replace(need=None)
"""How an emulator is asked: for it no credential is fetched."""
