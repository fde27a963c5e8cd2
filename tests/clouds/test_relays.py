"""A function that charges and then passes on what another one was told, behind the router.

The table of what is passed on is `tests.http.relays`; here a call goes over sockets to the stub of
each cloud, through a client with all three.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from leeward import Client, Config, FunctionError, OutcomeUnknown
from leeward.app import App
from leeward.config import FunctionConfig
from leeward.envelope import answer_headers
from leeward.errors import CallError
from leeward.values import InvokeResult
from leeward_contract_tests.rows import each_row
from tests.http.relays import NO_INSTANCE, PLATFORMS
from tests.servers.answering import Answer, AnsweringServer, Executed

JSON = (("content-type", "application/json"),)
ORDERS = ("aws,azure,google", "azure,google,aws", "google,aws,azure")
LAMBDA = (
    Answer(
        200, (), json.dumps({"x-leeward": "1", "refusal": {"errorType": "RepeatRefused"}}).encode()
    ),
    Answer(
        200,
        (("x-amz-function-error", "Unhandled"),),
        json.dumps({"errorType": "Runtime.ImportModuleError", "errorMessage": "no"}).encode(),
    ),
)
BUSY = Answer(429, (("content-type", "text/plain"),), b"Rate exceeded.")
WITH_JSON = json.dumps({"error": NO_INSTANCE, "charged": True}).encode()


class Clouds(NamedTuple):
    """A stub for each cloud, each with a function that charges.

    Attributes:
        servers: by provider.
        config: by which clients find them.
    """

    servers: dict[str, AnsweringServer]
    config: Config

    def client(
        self, order: str, *, marks: bool | tuple[str, ...] = False, app: App | None = None
    ) -> Client:
        functions = {"charge": FunctionConfig(marks=marks)}
        return Client(order, config=self.config._replace(functions=functions), app=app)

    def say(self, answer: Answer) -> None:
        """Let each function answer so, from now on."""
        for server in self.servers.values():
            server._answer = answer
            server._executed.clear()

    def charges(self) -> int:
        return sum(server.count for server in self.servers.values())


@pytest.fixture(scope="module")
def clouds() -> Iterator[Clouds]:
    """Start the stubs."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(AnsweringServer()) for name in ("aws", "azure", "google")
        }
        urls = {name: server.url for name, server in servers.items()}
        options = {
            "aws": {"region": "eu-west-1", "endpoint_url": urls["aws"]},
            "azure": {"function_url": urls["azure"], "function_key": "a-key"},
            "google": {"function_url": urls["google"] + "/{name}", "id_token": "a-token"},
        }
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield Clouds(servers, Config(options=options))


def ended_with(client: Client) -> InvokeResult | CallError:
    try:
        return client.invoke("charge", {"amount": 1})
    except CallError as error:
        return error


def answers_of(provider: str) -> list[Answer]:
    """Return what a function of a cloud may pass on: answers of its platform, whole and in JSON."""
    if provider == "aws":
        return list(LAMBDA)
    whole = [
        Answer(status, tuple(each.headers.items()), each.body)
        for each in PLATFORMS[provider].specimens
        for status in each.statuses[:3]
    ]
    return [*whole, Answer(500, JSON, WITH_JSON), Answer(429, JSON, WITH_JSON)]


@each_row("order", ORDERS)
def test_an_unsafe_call_whose_function_passes_on_a_proof_runs_once(
    clouds: Clouds, order: str
) -> None:
    """On one cloud, once; and nobody is told that it did not run."""
    for answer in answers_of(order.partition(",")[0]):
        clouds.say(answer)
        with clouds.client(order) as client:
            ended = ended_with(client)
        if isinstance(ended, CallError):
            assert isinstance(ended, OutcomeUnknown | FunctionError)
            assert getattr(ended, "ran", "maybe") == "maybe"
            assert "did not run" not in str(ended)
            assert "is safe" not in str(ended)
        else:
            assert ended.value == json.loads(answer.body)
        assert clouds.charges() == 1, answer


@each_row("marks", [True, ("google",), ("google", "azure")])
def test_a_function_that_marks_its_answers_moves_on(
    clouds: Clouds, marks: bool | tuple[str, ...]
) -> None:
    """What it does not say itself, Google's front end says: nothing ran there; Azure is next."""
    with clouds.client("google,azure", marks=marks) as client:
        clouds.say(Answer(200, JSON, b'"charged"'))
        clouds.servers["google"]._answer = BUSY
        result = client.invoke("charge", {"amount": 1})
    assert (result.target, result.value) == ("azure", "charged")
    assert clouds.servers["azure"].count == 1


@each_row("way", ["nothing", "app", "learnt", "of another target"])
def test_only_the_operators_word_on_a_target_frees_an_unsafe_call(clouds: Clouds, way: str) -> None:
    """Another program may have the name there, or the next release may be another one."""
    app = App("shop")
    app.function(name="charge")(lambda order: order)
    marks = ("azure",) if way == "of another target" else False
    clouds.say(BUSY)
    with clouds.client("google,azure", marks=marks, app=app if way == "app" else None) as client:
        if way == "learnt":
            clouds.servers["google"]._answer = marked
            assert client.invoke("charge").target == "google"
            clouds.say(BUSY)
        with pytest.raises(OutcomeUnknown) as unknown:
            client.invoke("charge", {"amount": 1})
        assert clouds.charges() == 1
        assert "set `marks`" in str(unknown.value)
        clouds.servers["azure"]._answer = Answer(200, JSON, b'"charged"')
        assert client.invoke("charge", {"amount": 1}, effect="idempotent").target == "azure"


def marked(request: Executed) -> Answer:
    """Answer as leeward's handler does."""
    headers = {name.lower(): value for name, value in request.headers}
    mark = answer_headers(None, headers.get("x-leeward-call", "1"))
    return Answer(200, (*JSON, *mark), b'"charged"')
