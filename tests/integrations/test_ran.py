"""Single answers of `leeward.ran` that a long trial has found wrong, and leeward's own errors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from leeward import explain_ran, ran
from leeward.errors import (
    Attempt,
    AuthError,
    ConfigError,
    FunctionError,
    LeewardError,
    Outcome,
    OutcomeUnknown,
    Throttled,
    ValidationError,
)

MAYBE = Attempt("a", 0.0, 1.0, Outcome.AMBIGUOUS)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (ConfigError("no"), "no"),
        (Throttled("later"), "no"),
        (AuthError("who?"), "no"),
        (Throttled("later", attempts=(MAYBE,)), "maybe"),
        (OutcomeUnknown("lost"), "maybe"),
        (OutcomeUnknown("lost", executed=True), "yes"),
        (FunctionError("failed"), "maybe"),
        (FunctionError("refused", ran="no"), "no"),
        (FunctionError("failed late", ran="yes"), "yes"),
        (ValidationError("not an Order"), "yes"),
    ],
)
def test_errors_of_leeward_answer_themselves(error: LeewardError, answer: str) -> None:
    """By their outcome, and by what earlier attempts may have done."""
    assert ran(error) == answer
    assert explain_ran(error).startswith(f"{answer}: ")


@pytest.mark.vendors
def test_an_answer_after_a_redirect_proves_nothing() -> None:
    """The first request may have had its effect, as a form does that answers with 302."""
    from google.api_core import exceptions
    from requests import Response
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    def refusal(*before: Response) -> Any:
        response = Response()
        response.status_code = 429
        response._content = b'{"error": {"status": "RESOURCE_EXHAUSTED"}}'
        response.history = list(before)
        response.connection = HTTPAdapter()
        response.raw = SimpleNamespace(retries=Retry(0))
        return exceptions.TooManyRequests("no", response=response)

    assert ran(refusal()) == "no"
    assert ran(refusal(Response())) == "maybe"
