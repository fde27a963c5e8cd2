"""Retries go by what is proved, and a proof of the last attempt is none of those before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from tenacity import Retrying, retry, retry_if_exception_type, stop_after_attempt, wait_none
from urllib3.util import Retry

from leeward import ran
from leeward_ran import explain_ran
from leeward_ran.retries import did_not_run
from leeward_ran.tenacity import retry_if_did_not_run
from tests.integrations.failing import REFUSE, Case, FailingServer, Step


@pytest.fixture(scope="module")
def server() -> Any:
    """Serve cases."""
    with FailingServer({}) as server:
        yield server


def post(case: Case, session: Any = requests) -> None:
    """Have the effect."""
    session.post(f"http://127.0.0.1:{case.port}", json={}, timeout=0.5)


def failure(call: Callable[[], object]) -> Exception:
    """Return the exception of a call."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any
        call()
    return caught.value


def test_nothing_ran_where_no_connection_came_about(server: FailingServer) -> None:
    """A refused connection is the proof."""
    error = failure(lambda: post(server.open([REFUSE])))
    assert explain_ran(error) == "no: no connection could be made"


def test_an_answer_that_is_lost_proves_nothing(server: FailingServer) -> None:
    """The request may have run, and here it has."""
    case = server.open([Step("reset", runs=True)])
    assert ran(failure(lambda: post(case))) == "maybe"


def test_tenacity_calls_again_only_what_did_not_run(server: FailingServer) -> None:
    """A lost answer ends it; a refused connection does not."""
    again: Any = {"stop": stop_after_attempt(3), "reraise": True}
    case = server.open([Step("reset", runs=True), Step("reset", runs=True)])
    careful = retry(retry=retry_if_did_not_run, **again)(lambda: post(case))
    assert ran(failure(careful)) == "maybe"
    assert case.effects == 1
    away = server.open([REFUSE])
    careful = retry(retry=retry_if_did_not_run, **again)(lambda: post(away))
    assert ran(failure(careful)) == "no"
    assert careful.statistics["attempt_number"] == 3


@pytest.mark.parametrize("reraise", [True, False])
def test_the_last_attempt_does_not_answer_for_the_first(
    server: FailingServer, *, reraise: bool
) -> None:
    """The first one ran and its answer was lost; the last one found nobody."""
    case = server.open([Step("reset", runs=True), REFUSE])
    settings: Any = {"stop": stop_after_attempt(2), "reraise": reraise, "wait": wait_none()}
    kinds = retry_if_exception_type(requests.RequestException)
    error = failure(retry(retry=kinds, **settings)(lambda: post(case)))
    assert ran(error) == "maybe"
    assert case.effects == 1


def test_nor_in_a_loop_that_is_written_out(server: FailingServer) -> None:
    """The frames of tenacity are in the traceback there, too."""
    case = server.open([Step("reset", runs=True), REFUSE])

    def loop() -> None:
        for attempt in Retrying(stop=stop_after_attempt(2), wait=wait_none(), reraise=True):
            with attempt:
                post(case)

    assert ran(failure(loop)) == "maybe"


def test_a_session_connects_again_and_sends_once(server: FailingServer) -> None:
    """`Retry` of urllib3 tells connections from answers."""
    case = server.open([Step("reset", runs=True), Step("reset", runs=True)])
    with requests.Session() as session:
        never: Any = dict.fromkeys(("read", "redirect", "status", "other"), 0)
        connect_again = Retry(3, allowed_methods=None, backoff_factor=0.1, **never)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=connect_again))
        assert not did_not_run(failure(lambda: post(case, session)))
    assert case.effects == 1


def test_a_cause_answers_for_an_exception_of_ones_own(server: FailingServer) -> None:
    """What is raised from it says no more than it does."""

    def pay(case: Case) -> None:
        try:
            post(case)
        except requests.ConnectionError as error:
            raise LookupError("no bank") from error

    assert ran(failure(lambda: pay(server.open([REFUSE])))) == "no"
    assert ran(failure(lambda: pay(server.open([Step("reset", runs=True)])))) == "maybe"


def test_a_group_proves_what_all_of_it_proves(server: FailingServer) -> None:
    """One that may have run is enough for maybe."""
    no = failure(lambda: post(server.open([REFUSE])))
    maybe = failure(lambda: post(server.open([Step("reset", runs=True)])))
    assert ran(ExceptionGroup("both", [no, no])) == "no"
    assert ran(ExceptionGroup("both", [no, maybe])) == "maybe"


def test_a_lost_traceback_proves_nothing(server: FailingServer) -> None:
    """Somebody may have sent it before."""
    error = failure(lambda: post(server.open([REFUSE])))
    assert ran(error.with_traceback(None)) == "maybe"


def test_what_nobody_knows_is_maybe() -> None:
    """The reason names the class."""
    assert explain_ran(ZeroDivisionError()).startswith("maybe: nothing is known about exceptions")
