"""Ask Azure: what the services have in common when they are asked, and refuse.

How each takes a credential stands with its plans.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Final

from leeward.adapter.service import Service, number_in, plausible_wait, result_of_refusal, wait_in
from leeward.adapter.wire import Response
from leeward.calls import Result
from leeward.errors import Outcome
from leeward_azure.errors import Judged
from leeward_azure.identity.credentials import AccountKey

TOLERATED_SKEW: Final = 720.0
"""Seconds by which a clock may be wrong before it is to blame for a refused signature. Cosmos DB
takes 15 minutes; a fifth less than that, as the clocks of its front ends differ too."""


def service_of(
    need: Hashable, judge: Callable[[Response], Judged], request_id: str, *, dated: bool = False
) -> Service:
    """Return how one service is asked.

    Args:
        need: what plans need for its credential; one of `identity.credentials`.
        judge: says what an error answer means.
        request_id: the header with the service's id of the request.
        dated: whether a signature by an `AccountKey` holds for some minutes only.
    """
    service = Service(need, partial(_refusal, judge, request_id), request_id)
    if not dated:
        return service
    return service._replace(may_be_skew=_may_be_skew, tolerated_skew=TOLERATED_SKEW)


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds that a service asks to wait; None for none, or for nonsense."""
    milliseconds = number_in(response.headers.get("x-ms-retry-after-ms", ""))
    if milliseconds is not None:
        return plausible_wait(milliseconds / 1000)
    return wait_in(response.headers.get("retry-after", ""), now)


def _refusal(
    judge: Callable[[Response], Judged], request_id: str, response: Response, now: float
) -> Result[Any]:
    meaning, code = judge(response)
    return result_of_refusal(response, now, meaning, code, request_id, wait=retry_after)


def _may_be_skew(refusal: Result[Any], credential: Any) -> bool:
    return refusal.outcome is Outcome.AUTH and isinstance(credential, AccountKey)
