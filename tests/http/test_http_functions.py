"""Whose an answer is: every status, said by everybody, with and without the mark."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.adapter.http_functions import UNPROVED, Proof, Who, outcome_of
from leeward.envelope import MARK
from leeward.errors import Outcome
from leeward.http.messages import Response
from leeward_azure.functions.plans import PROOFS as AZURE
from leeward_google.functions.plans import PROOFS as GOOGLE

PLATFORMS = {"azure": AZURE, "google": GOOGLE}
STATUSES = [status for status in range(300, 600) if status < 512 or status % 20 == 0]
GATEWAYS = {408, 413, 425, 429, 502, 503, 504}
JSON: dict[str, Any] = {"headers": {"content-type": "application/json"}, "body": b'{"a":1}'}
PAGE: dict[str, Any] = {"headers": {"content-type": "text/html"}, "body": b"<html>no</html>"}
EMPTY: dict[str, Any] = {"headers": {"content-type": "text/plain"}, "body": b""}


def shown_by(proof: Proof, status: int) -> Response:
    """Make an answer that bears a proof."""
    headers = {} if proof.bare else {"content-type": "text/html"}
    if proof.header is not None:
        headers[proof.header[0]] = proof.header[1].title() or "Bearer"
    return Response(status, headers, proof.whole or proof.text or b"")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("answer", [JSON, PAGE, EMPTY], ids=["json", "page", "empty"])
def test_a_marked_answer_is_the_handlers(platform: str, answer: dict[str, Any]) -> None:
    """Whatever its status, and whatever else it looks like: the function ran."""
    for status in STATUSES:
        marked = Response(status, answer["headers"] | {MARK: "1"}, answer["body"])
        assert outcome_of(marked, PLATFORMS[platform]) == (Who.HANDLER, (Outcome.APP_ERROR, None))
    for proof in PLATFORMS[platform]:
        for status in proof.statuses:
            shown = shown_by(proof, status)
            marked = Response(status, {**shown.headers, MARK: "1"}, shown.body)
            assert outcome_of(marked, PLATFORMS[platform])[0] is Who.HANDLER


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_the_platform_proves(platform: str) -> None:
    """Each of its proofs tells that the function did not run, or that it raised."""
    for proof in PLATFORMS[platform]:
        for status in proof.statuses:
            who, meaning = outcome_of(shown_by(proof, status), PLATFORMS[platform])
            assert who is Who.PLATFORM
            assert meaning.outcome is not Outcome.AMBIGUOUS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_json_is_the_functions_own(platform: str) -> None:
    """It ran, whatever its status says; but gateways have JSON of their own for some."""
    for status in STATUSES:
        who, meaning = outcome_of(Response(status, **JSON), PLATFORMS[platform])
        if status in GATEWAYS:
            assert (who, meaning.outcome) in {
                (Who.NOBODY_KNOWS, Outcome.AMBIGUOUS),
                (Who.NOBODY_KNOWS, UNPROVED.get(status, (None, None))[0]),
            }
        else:
            assert (who, meaning) == (Who.FUNCTION, (Outcome.APP_ERROR, None))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("answer", [PAGE, EMPTY], ids=["page", "empty"])
def test_without_a_proof_nothing_is_said_not_to_have_run(
    platform: str, answer: dict[str, Any]
) -> None:
    """But that a request is too large: nobody takes that in."""
    for status in STATUSES:
        who, meaning = outcome_of(Response(status, **answer), PLATFORMS[platform])
        if status < 400:
            assert (who, meaning) == (Who.FUNCTION, (Outcome.APP_ERROR, None))
        else:
            assert who is Who.NOBODY_KNOWS
            assert status == 413 or meaning.outcome in {Outcome.AMBIGUOUS, Outcome.APP_ERROR}
