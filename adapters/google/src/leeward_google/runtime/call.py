"""One request that is not a call: what it is for, and how its sender is answered."""

from __future__ import annotations

from leeward.app.kit import Answer, DeadLetters, Host, HttpAnswer, HttpRequest, http_answer
from leeward.records import NamedTuple


class Run(NamedTuple):
    """One request.

    Attributes:
        host: with the app.
        request: as it came.
        id: the platform's id of this run.
        seconds: until the platform stops waiting.
        dead_letters: where messages go that are given up.
    """

    host: Host
    request: HttpRequest
    id: str
    seconds: float
    dead_letters: DeadLetters


def answer_sender(answer: Answer) -> HttpAnswer:
    """Return the answer to a sender that only looks at the status.

    It sends again after whatever is not a success. So 503 says "again", and any other status that
    it will not help; what the subscription's own dead-letter policy sees is the same.
    """
    failure = answer.failure
    answer_ = http_answer(answer)
    if failure is None:
        headers = tuple(header for header in answer_.headers if header[0] != "content-type")
        return HttpAnswer(204, headers)
    return answer_._replace(status=503) if failure.retryable else answer_
