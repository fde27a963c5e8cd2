"""What a function raised reaches its caller in the same attributes, wherever it ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward import Client, FunctionError
from leeward.adapter import Invoke, Result
from leeward.adapter.http_functions import Address
from leeward.app import App, Problem
from leeward.app.answers import failure_answer, failure_of
from leeward.envelope import BY_HANDLER, MARK, fault_document, fault_of, mark_of, seal_failure
from leeward.errors import Ran
from leeward.http.messages import Response
from leeward.json_text import decode, encode
from leeward.local import Local
from leeward_azure.functions import plans as azure
from leeward_azure.settings.services import Functions as AzureFunctions
from leeward_contract_tests.rows import each_row
from leeward_google.functions import plans as google
from leeward_google.settings.services import Functions as GoogleFunctions
from tests.aws.test_functions import PLANS as AWS
from tests.playing import play
from tests.scripted import Scripted

CALL = Invoke("find", b'{"order":"canary-42"}', "key-1")
BOUND = mark_of("find", "key-1")
BY_LEEWARD = BOUND + BY_HANDLER

ORDER = {"order": "canary-42"}


class NoSuchOrderError(Exception):
    """What the function raises."""


def find(order: Any) -> None:
    raise NoSuchOrderError(f"no such order {order['order']}")


def document() -> bytes:
    """Return what leeward's handler answers, and the runtime of Lambda likewise."""
    try:
        find(ORDER)
    except NoSuchOrderError as error:
        return fault_document(fault_of(error))
    raise AssertionError


def on_local() -> Result[Any]:
    local = Local()
    local.function("find")(find)
    try:
        return local.perform(CALL, 5.0)
    finally:
        local.close()


def on_aws() -> Result[Any]:
    from tests.aws.playing import play as play_aws

    headers = {"x-amz-function-error": "Unhandled"}
    result: Result[Any] = play_aws(AWS["invoke"], CALL, Response(200, headers, document())).result
    return result


def on_azure() -> Result[Any]:
    plan = azure.functions(AzureFunctions("https://shop.azurewebsites.net"))["invoke"]
    address = Address("https://shop.azurewebsites.net", "/api/find")
    return play(
        plan, CALL, Response(500, {MARK: BY_LEEWARD}, document()), credential=address
    ).result


def on_google() -> Result[Any]:
    plan = google.functions(GoogleFunctions("https://shop.a.run.app"))["invoke"]
    address = Address("https://shop.a.run.app", "/find")
    return play(
        plan, CALL, Response(500, {MARK: BY_LEEWARD}, document()), credential=address
    ).result


SOLD_OUT = Problem("no tickets", status=409, reason="sold_out", retryable=False)


def problem_on_local() -> Result[Any]:
    app = App("shop")

    @app.function(name="find")
    def sell(_: Any) -> None:
        raise SOLD_OUT

    local = Local()
    local.mount(app)
    try:
        return local.perform(CALL, 5.0)
    finally:
        local.close()


def told() -> bytes:
    """Return what leeward's handler tells of it."""
    return failure_answer(failure_of(SOLD_OUT, (), "maybe")).body


def problem_on_aws() -> Result[Any]:
    from tests.aws.playing import play as play_aws

    text = encode(seal_failure(None, decode(told()), None, BOUND)).decode()
    body = encode({"errorType": "Problem", "errorMessage": text, "stackTrace": []})
    response = Response(200, {"x-amz-function-error": "Unhandled"}, body)
    result: Result[Any] = play_aws(AWS["invoke"], CALL, response).result
    return result


def problem_on_azure() -> Result[Any]:
    plan = azure.functions(AzureFunctions("https://shop.azurewebsites.net"))["invoke"]
    address = Address("https://shop.azurewebsites.net", "/api/find")
    return play(plan, CALL, Response(409, {MARK: BY_LEEWARD}, told()), credential=address).result


def problem_on_google() -> Result[Any]:
    plan = google.functions(GoogleFunctions("https://shop.a.run.app"))["invoke"]
    address = Address("https://shop.a.run.app", "/find")
    return play(plan, CALL, Response(409, {MARK: BY_LEEWARD}, told()), credential=address).result


@each_row("attempt", [problem_on_local, problem_on_aws, problem_on_azure, problem_on_google])
def test_what_a_handler_tells_of_a_problem_reaches_its_caller(
    attempt: Callable[[], Result[Any]],
) -> None:
    """Its reason, whether it ran, and whether to call again: attributes, and one word on that."""
    told: tuple[tuple[Ran, str], ...] = (
        ("no", "was refused by the function, before it had any effect"),
        ("maybe", "it may have had an effect"),
        ("yes", "ran, and the function raised"),
    )
    for ran, sentence in told:
        result = attempt()
        assert result.fault is not None
        result = result._replace(fault=result.fault._replace(ran=ran))
        with Client(Scripted("one", result)) as client, pytest.raises(FunctionError) as raised:
            client.invoke("find")
        error = raised.value
        assert (error.error_type, error.error_message) == ("Problem", "no tickets")
        assert (error.reason, error.ran, error.retryable) == ("sold_out", ran, False)
        assert sentence in str(error)
        assert ("did not run" in str(error)) is (ran == "no")


@pytest.mark.parametrize("attempt", [on_local, on_aws, on_azure, on_google])
def test_the_function_error_has_what_the_function_said(
    attempt: Callable[[], Result[Any]],
) -> None:
    """Class, text and trace are attributes; the text may hold a payload, and is in no message."""
    driver = Scripted("one", attempt())
    with Client(driver) as client, pytest.raises(FunctionError) as raised:
        client.invoke("find", {"order": "canary-42"})
    error = raised.value
    assert (error.error_type, error.error_message) == (
        "NoSuchOrderError",
        "no such order canary-42",
    )
    assert "in find" in "".join(error.trace)
    assert "canary" not in f"{error} {error!r} {vars(error)!r}"
    assert "NoSuchOrderError" in str(error)
