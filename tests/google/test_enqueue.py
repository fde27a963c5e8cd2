from __future__ import annotations

from binascii import a2b_base64
from typing import Any

import pytest

from leeward._http.messages import Response
from leeward.adapter.http_functions import Address
from leeward.calls import Enqueue
from leeward.errors import InvalidRequest, Outcome
from leeward_contract_tests.rows import each_row
from leeward_google.functions.messages import tasks, topics
from leeward_google.identity.credentials import ACCESS_TOKEN
from leeward_google.settings.services import Functions, FunctionUrl, Tasks, Topics
from tests.google import oracle
from tests.google.playing import (
    FRESH,
    NOW,
    TOKEN,
    Played,
    answer,
    document,
    headers_of,
    play,
    refusal,
)

PUBSUB = Topics("https://pubsub.googleapis.com", names={"pay": "payments"})
PLAN = topics(PUBSUB, "shop-1")["enqueue"]
CALL = Enqueue("send-receipt", b'{"order":"42"}', "key-1")
TAKEN = answer({"messageIds": ["1"]})

QUEUE = "projects/shop-1/locations/us-central1/queues/calls"
ACCOUNT = "caller@shop-1.iam.gserviceaccount.com"
RUN = "https://send-a1b2c3-uc.a.run.app"
CLOUD_TASKS = Tasks("https://cloudtasks.googleapis.com", QUEUE, ACCOUNT)
CALLED = Functions(urls={"send-receipt": f"{RUN}/receipts"}, region="us-central1")
TASKS = tasks(CLOUD_TASKS, CALLED)["enqueue"]
CREATED = answer({"name": f"{QUEUE}/tasks/1", "scheduleTime": "2026-01-01T00:00:00Z"})


# Pub/Sub.


def test_a_message_of_pub_sub() -> None:
    """The payload is its data, the key an attribute; Google's own class reads it."""
    played = play(PLAN, CALL, TAKEN)
    assert played.result.outcome is Outcome.OK
    (request,) = played.sent
    assert request[:2] == ("POST", "https://pubsub.googleapis.com")
    assert headers_of(request)["authorization"] == f"Bearer {TOKEN.token}"
    assert request.target == "/v1/projects/shop-1/topics/send-receipt:publish"
    (message,) = oracle.read(request).messages
    assert message.data == b'{"order":"42"}'
    assert dict(message.attributes) == {
        "content-type": "application/json",
        "idempotency-key": "key-1",
    }


def test_a_functions_own_topic() -> None:
    """The configuration goes before the function's name; a percent sign goes as an escape."""
    played = play(PLAN, CALL._replace(function="pay"), TAKEN)
    assert played.sent[0].target.endswith("/topics/payments:publish")
    plan = topics(PUBSUB._replace(names={"pay": "a%b"}), "p")["enqueue"]
    assert (
        play(plan, CALL._replace(function="pay"), TAKEN).sent[0].target.endswith("/a%25b:publish")
    )


@each_row("name", ["", "a/b", "f", "goog-x", "a b", "\u00e4bc", "x" * 256])
def test_a_name_that_is_no_topics(name: str) -> None:
    """It is refused before anything is sent, and the message says what to do."""
    with pytest.raises(InvalidRequest, match="enqueue_topics"):
        play(PLAN, CALL._replace(function=name))


# Cloud Tasks.


def test_a_task() -> None:
    """It is the request that calls the function, with a token that Cloud Tasks fetches."""
    played = play(TASKS, CALL, CREATED)
    assert (played.result.outcome, played.needed) == (Outcome.OK, [ACCESS_TOKEN])
    (request,) = played.sent
    assert request[:3] == ("POST", "https://cloudtasks.googleapis.com", f"/v2/{QUEUE}/tasks")
    task = document(request)["task"]
    assert a2b_base64(task["httpRequest"].pop("body")) == b'{"order":"42"}'
    assert task["httpRequest"] == {
        "url": f"{RUN}/receipts",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "Idempotency-Key": "key-1"},
        "oidcToken": {"serviceAccountEmail": ACCOUNT, "audience": RUN},
    }


def test_a_task_is_named_after_function_and_key() -> None:
    """The same call has the same name, another has another, and Cloud Tasks takes all of them."""
    import re

    other = CALL._replace(function="other")
    calls = CALL, CALL, CALL._replace(idempotency_key="key/2 \u00e4"), other
    called = CALLED._replace(url=f"{RUN}/{{name}}")
    plan = tasks(CLOUD_TASKS, called)["enqueue"]
    names = [document(play(plan, each, CREATED).sent[0])["task"]["name"] for each in calls]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    ids = [name.removeprefix(f"{QUEUE}/tasks/") for name in names]
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,500}", each) for each in ids)


def test_a_task_that_is_there_already_was_accepted() -> None:
    """An earlier attempt, whose answer was lost, has made it."""
    result = play(TASKS, CALL, refusal("ALREADY_EXISTS", 409)).result
    assert (result.outcome, result.value) == (Outcome.OK, None)
    assert play(TASKS, CALL, refusal("ABORTED", 409)).result.outcome is Outcome.REJECTED


def looked_up(*answers: Response, learnt: dict[str, Any] | None = None, now: float = NOW) -> Played:
    """Queue a call of a function whose address is looked up."""

    def found(what: Any, refused: Any) -> Any:
        if what == ACCESS_TOKEN:
            return FRESH if refused else TOKEN
        return Address("https://pay-a1b2c3-uc.a.run.app", "/", looked_up=True)

    call = CALL._replace(function="pay")
    return play(TASKS, call, *answers, credential=found, learnt=learnt, now=now)


def test_an_address_that_was_looked_up_is_kept() -> None:
    """It is asked for once, and anew after an hour; nobody fetches an ID token for it."""
    first = looked_up(CREATED)
    assert first.needed == [FunctionUrl("pay"), ACCESS_TOKEN]
    request = document(first.sent[0])["task"]["httpRequest"]
    assert request["url"] == "https://pay-a1b2c3-uc.a.run.app/"
    assert looked_up(CREATED, learnt=first.learnt).needed == [ACCESS_TOKEN]
    later = looked_up(CREATED, learnt=first.learnt, now=NOW + 3601)
    assert later.needed == [FunctionUrl("pay"), ACCESS_TOKEN]
