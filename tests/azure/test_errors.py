from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward._http.messages import Response
from leeward.adapter.plans import STALE_CREDENTIALS
from leeward.calls import TOO_LARGE
from leeward.errors import Outcome
from leeward_azure.errors import (
    COSMOS,
    Judged,
    judge_cosmos,
    judge_events,
)
from leeward_contract_tests.rows import each_row
from tests.azure import oracle

Judge: TypeAlias = Callable[[Response], Judged]


def cosmos(status: int, sub: int = 0, body: object = None, **headers: str) -> Judged:
    named = {"x-ms-activity-id": "a", **({"x-ms-substatus": str(sub)} if sub else {}), **headers}
    return judge_cosmos(Response(status, named, json.dumps(body).encode() if body else b""))


# Status and sub-status: what must come of each, written without a look at the table.
ROWS: list[tuple[int, int, Outcome, str | None]] = [
    (400, 0, Outcome.CALLER, None),
    (400, 1001, Outcome.CALLER, "partition_key_mismatch"),
    (401, 0, Outcome.AUTH, STALE_CREDENTIALS),
    (403, 0, Outcome.AUTH, None),
    (403, 5300, Outcome.AUTH, None),
    (403, 3, Outcome.REJECTED, "write_region_moved"),
    (403, 1005, Outcome.UNUSABLE, "quota_exhausted"),
    (403, 1008, Outcome.UNUSABLE, "account_not_in_region"),
    (403, 1010, Outcome.UNUSABLE, "quota_exhausted"),
    (403, 1014, Outcome.UNUSABLE, "partition_full"),
    (404, 0, Outcome.NOT_FOUND, "absent_item"),
    (404, 1002, Outcome.REJECTED, "session_lagging"),
    (404, 1003, Outcome.NOT_FOUND, None),
    (404, 1013, Outcome.REJECTED, None),
    (408, 0, Outcome.AMBIGUOUS, None),
    (409, 0, Outcome.CONFLICT, None),
    (409, 1006, Outcome.REJECTED, "contention"),
    (410, 0, Outcome.AMBIGUOUS, None),
    (410, 1000, Outcome.REJECTED, "partition_moving"),
    (410, 1002, Outcome.REJECTED, "partition_moving"),
    (410, 1007, Outcome.REJECTED, "partition_moving"),
    (410, 1008, Outcome.REJECTED, "partition_moving"),
    (412, 0, Outcome.CONFLICT, None),
    (413, 0, Outcome.CALLER, TOO_LARGE),
    (429, 0, Outcome.REJECTED, None),
    (429, 3200, Outcome.REJECTED, None),
    (449, 0, Outcome.REJECTED, "contention"),
    (500, 0, Outcome.AMBIGUOUS, None),
    (503, 0, Outcome.AMBIGUOUS, None),
    (503, 1007, Outcome.AMBIGUOUS, None),
]


@each_row("status, sub, outcome, reason", ROWS)
def test_cosmos_means(status: int, sub: int, outcome: Outcome, reason: str | None) -> None:
    """Status and sub-status decide, and make the code."""
    judged = cosmos(status, sub)
    assert judged.meaning == (outcome, reason)
    assert judged.code == (f"{status}/{sub}" if sub else f"http.{status}")


def test_every_sub_status_of_azure_cosmos_is_known() -> None:
    """A new version that names a new one fails here until it is looked at."""
    assert set(oracle.sub_statuses().values()) == {
        *(0, 3, 1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1010, 1013, 5300),
        # Of queries and of the control plane, and made by azure-cosmos itself:
        *(1004, 1009, 1011, 1024, 10004, 21015),
    }


def test_the_body_names_what_has_no_sub_status() -> None:
    """As Cosmos writes it; a name is kept, and nothing that is none."""
    assert cosmos(409, body={"code": "Conflict", "message": "x"}).code == "Conflict"
    assert cosmos(409, 1006, {"code": "Conflict"}).code == "409/1006"
    assert cosmos(409, body={"code": "no name"}).code == "http.409"


def test_an_expired_token_is_told_by_its_text() -> None:
    """Cosmos says it with a plain 403; a fresh token may mend it."""
    text = "The authorization token is not valid at the current time. Please create another token"
    assert cosmos(403, body={"code": "Forbidden", "message": text}).meaning == (
        Outcome.AUTH,
        STALE_CREDENTIALS,
    )
    assert cosmos(403, 5300, {"code": "Forbidden", "message": text}).meaning.reason is None


@pytest.mark.parametrize("status", [400, 401, 412, 449])
def test_an_odd_sub_status_changes_nothing_where_the_status_tells_all(status: int) -> None:
    """The code has it all the same."""
    assert cosmos(status, 4242).meaning == COSMOS[status, 0]
    assert cosmos(status, 4242).code == f"{status}/4242"


@pytest.mark.parametrize("status", [403, 404, 409, 410])
def test_an_odd_sub_status_is_ambiguous_elsewhere(status: int) -> None:
    """A 404 that may mean anything is not an absent item."""
    assert cosmos(status, 4242).meaning == (Outcome.AMBIGUOUS, None)


EVENT_ROWS: list[tuple[int, Outcome, str | None]] = [
    (400, Outcome.CALLER, None),
    (401, Outcome.AUTH, STALE_CREDENTIALS),
    (403, Outcome.AUTH, None),
    (404, Outcome.NOT_FOUND, None),
    (408, Outcome.AMBIGUOUS, None),
    (413, Outcome.CALLER, TOO_LARGE),
    (429, Outcome.REJECTED, None),
    (500, Outcome.AMBIGUOUS, None),
    (503, Outcome.AMBIGUOUS, None),
    (504, Outcome.AMBIGUOUS, None),
]


@each_row("status, outcome, reason", EVENT_ROWS)
def test_event_grid_means(status: int, outcome: Outcome, reason: str | None) -> None:
    """One status for the whole batch; the body names the error."""
    body = b'{"error": {"code": "SomeCode", "message": "x", "details": []}}'
    own = {"x-ms-request-id": "r"}
    assert judge_events(Response(status, own, body)) == ((outcome, reason), "SomeCode")
    assert judge_events(Response(status, own)) == ((outcome, reason), f"http.{status}")
    assert judge_events(Response(status, {}, body)).meaning == (Outcome.AMBIGUOUS, None)


@pytest.mark.parametrize("judge", [judge_cosmos, judge_events])
@given(status=st.integers(400, 599))
def test_what_bears_no_mark_of_the_service_is_ambiguous(judge: Judge, status: int) -> None:
    """It may be the word of any proxy on the way."""
    page = Response(status, {"content-type": "text/html"}, b"<html>no</html>")
    assert judge(page) == ((Outcome.AMBIGUOUS, None), f"http.{status}")


@pytest.mark.parametrize("judge", [judge_cosmos, judge_events])
def test_a_redirect_proves_by_itself(judge: Judge) -> None:
    """It is the answer of a front that runs nothing."""
    assert judge(Response(307)) == ((Outcome.AMBIGUOUS, None), "http.307")
