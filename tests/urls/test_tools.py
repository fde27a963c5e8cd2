"""Tools of MCP servers as functions: what is sent, what answers prove, and sessions that end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from leeward import Client, ConfigError, FunctionError, InvalidRequest, OutcomeUnknown, Verdict, ran
from leeward.adapter.wire import Response
from leeward.config import Config, FunctionConfig
from leeward.errors import Outcome
from leeward.values import Effect
from leeward_contract_tests.rows import each_row
from leeward_http.settings import settings_from
from tests.urls.served import Foreign, config_of
from tests.urls.tool_server import ToolServer

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
TICKET = {"ticket": "42"}
DONE = {"content": [{"type": "text", "text": "done"}], "structuredContent": TICKET}


class McpServer(Foreign):
    """An MCP server that answers calls of tools as it is told; everything else it does well.

    Attributes:
        calls: the messages that call a tool.
        sent: the headers of each message, by its method.
        sessions: that it has opened.
        refuses: method to the answer that refuses it.
        versions: of the protocol without sessions, which it speaks.
    """

    def __init__(self, answer: Callable[[Any], Response]) -> None:
        self.calls: list[Any] = []
        self.sent: dict[str, Mapping[str, str]] = {}
        self.sessions = 0
        self.refuses: dict[str, Response] = {}
        self.versions: list[str] = []
        self._answer_with = answer
        super().__init__(self._respond)

    def _respond(self, headers: Mapping[str, str], body: bytes) -> Response:
        message = json.loads(body)
        method = message["method"]
        self.sent[method] = headers
        if method == "tools/call":
            self.calls.append(message)
        if method in self.refuses:
            return self.refuses[method]
        if method == "server/discover":
            if not self.versions:  # as the official SDK did before it had this method
                return Response(400, JSON, b'{"error": {"code": -32600}, "id": "server-error"}')
            return result(message, {"supportedVersions": self.versions})
        if method == "initialize":
            self.sessions += 1
            told = result(message, {"protocolVersion": "2025-06-18", "capabilities": {}})
            return told._replace(headers={**JSON, "mcp-session-id": f"s-{self.sessions}"})
        if method == "notifications/initialized":
            return Response(202)
        return result(message, {}) if method == "ping" else self._answer_with(message)


def result(message: Any, value: Any) -> Response:
    """Answer a message with a result, as JSON."""
    told = {"jsonrpc": "2.0", "id": message["id"], "result": value}
    return Response(200, JSON, json.dumps(told).encode())


def error(number: object) -> Callable[[Any], Response]:
    """Answer with an error of JSON-RPC."""

    def answer(message: Any) -> Response:
        told = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": number, "message": "no"}}
        return Response(200, JSON, json.dumps(told).encode())

    return answer


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[Any], Response]:
    """Answer with a status."""
    return lambda _message: Response(status, headers, body)


def client_of(stack: ExitStack, *servers: McpServer, **options: Any) -> Client:
    """Open a client over servers, ``http:a``, ``http:b`` and so on."""
    sections = {
        f"http:{letter}": {"url": f"mcp+{server.url}/mcp#{{function}}", **options}
        for letter, server in zip("abc", servers, strict=False)
    }
    return stack.enter_context(Client(",".join(sections), config=Config(options=sections)))


def started(stack: ExitStack, answer: Callable[[Any], Response]) -> McpServer:
    """Start a server."""
    server = McpServer(answer)
    stack.callback(server.stop)
    return server


def test_a_call_of_a_tool_opens_a_session_and_keeps_it() -> None:
    """With the key in `_meta`; an unsafe call asks first whether the session still lives."""
    with ExitStack() as stack:
        server = started(stack, lambda message: result(message, DONE))
        client = client_of(stack, server)
        for _ in range(2):
            found = client.invoke("create_ticket", {"title": "x"}, idempotency_key="k-1")
            assert (found.value, found.target) == (TICKET, "http:a")
        assert server.sessions == 1
        first, second = server.calls
        assert first["params"] == {
            "name": "create_ticket",
            "arguments": {"title": "x"},
            "_meta": {"leeward/key": "k-1"},
        }
        assert first["id"] != second["id"]
        sent = server.sent["tools/call"]
        assert (sent["mcp-session-id"], sent["mcp-protocol-version"]) == ("s-1", "2025-06-18")
        assert (sent["accept"], sent["idempotency-key"]) == (
            *("application/json, text/event-stream", "k-1"),
        )
        assert server.sent["ping"]["mcp-session-id"] == "s-1"
        with pytest.raises(InvalidRequest, match="must be an object"):
            client.invoke("create_ticket", ["x"])
        assert len(server.calls) == 2


def test_a_server_without_sessions_is_told_everything_with_each_message() -> None:
    """It is asked once what it speaks; when it speaks something else, it is asked again."""
    with ExitStack() as stack:
        server = started(stack, lambda message: result(message, DONE | {"resultType": "complete"}))
        server.versions = ["2027-01-01", "2026-07-28"]
        client = client_of(stack, server)
        assert client.invoke("create_ticket", {}, idempotency_key="k-1").value == TICKET
        meta = server.calls[0]["params"]["_meta"]
        assert meta["leeward/key"] == "k-1"
        assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
        discover, call = server.sent["server/discover"], server.sent["tools/call"]
        assert (call["mcp-method"], call["mcp-name"]) == ("tools/call", "create_ticket")
        assert discover["mcp-protocol-version"] == call["mcp-protocol-version"] == "2026-07-28"
        assert server.sent.keys() == {"server/discover", "tools/call"}
        server.sent.clear()
        client.invoke("create_ticket", {})
        assert list(server.sent) == ["tools/call"]

        server.versions = []
        server.refuses["tools/call"] = Response(400, JSON, b'{"error": {"code": -32600}}')
        with pytest.raises(FunctionError):
            client.invoke("create_ticket", {})
        del server.refuses["tools/call"]
        assert client.invoke("create_ticket", {}).value == TICKET
        assert server.sessions == 1


def refuses(status: int, number: int) -> Callable[[Any], Response]:
    """Answer with an error of JSON-RPC and the status that a server without sessions gives it."""
    return lambda message: error(number)(message)._replace(status=status)


@each_row(
    "answer, outcome, told",
    {
        "asks back": (
            lambda message: result(message, {"resultType": "input_required"}),
            *(Outcome.APP_ERROR, "asks back"),
        ),
        "a result of an extension": (
            lambda message: result(message, {"resultType": "task", "content": []}),
            *(Outcome.AMBIGUOUS, None),
        ),
        "wants parameters as headers": (refuses(400, -32020), Outcome.APP_ERROR, "no"),
        "wrong arguments": (refuses(400, -32602), Outcome.APP_ERROR, "no"),
        "speaks another version now": (refuses(400, -32022), Outcome.AMBIGUOUS, None),
    },
)
def test_what_a_server_without_sessions_refuses_may_have_run(
    answer: Callable[[Any], Response], outcome: Outcome, told: str | None
) -> None:
    """And what it says comes with the error."""
    with ExitStack() as stack:
        server = started(stack, answer)
        server.versions = ["2026-07-28"]
        with pytest.raises((FunctionError, OutcomeUnknown)) as caught:
            client_of(stack, server).invoke("create_ticket", {})
        assert [each.outcome for each in caught.value.attempts] == [outcome]
        if told is not None:
            assert isinstance(caught.value, FunctionError)
            assert told in str(caught.value.error_message)


def test_the_answer_is_one_of_the_events_of_a_stream() -> None:
    """Others come before it: an opening, progress, the answer to another message."""

    def answer(message: Any) -> Response:
        told = result(message, {"content": [{"type": "text", "text": "done"}]}).body
        note = b'data: {"jsonrpc": "2.0", "method": "notifications/progress"}\r\n\r\n'
        other = b'data: {"jsonrpc": "2.0",\ndata: "id": 9, "result": {}}\n\n'
        return Response(200, EVENTS, b"id: 1\ndata:\n\n" + note + other + b"data: " + told)

    with ExitStack() as stack:
        assert client_of(stack, started(stack, answer)).invoke("create_ticket").value == "done"


@each_row(
    "answer, outcome, ends",
    {
        "its own failure": (
            lambda message: result(message, {"isError": True, "content": []}),
            *(Outcome.APP_ERROR, FunctionError),
        ),
        "no such tool, it says": (error(-32601), Outcome.APP_ERROR, FunctionError),
        "wrong arguments, it says": (error(-32602), Outcome.APP_ERROR, FunctionError),
        "an error of a gateway": (error(-32001), Outcome.AMBIGUOUS, OutcomeUnknown),
        "an error without a number": (error({"a": ["secret"]}), Outcome.AMBIGUOUS, OutcomeUnknown),
        "an error with a text": (error("secret"), Outcome.AMBIGUOUS, OutcomeUnknown),
        "an answer that breaks off": (
            says(200, b"not gzip", **EVENTS, **{"content-encoding": "gzip"}),
            *(Outcome.AMBIGUOUS, OutcomeUnknown),
        ),
        "busy": (says(503, b"busy"), Outcome.AMBIGUOUS, OutcomeUnknown),
        "no such session": (says(404, b"{}", **JSON), Outcome.AMBIGUOUS, OutcomeUnknown),
        "nothing": (says(202), Outcome.AMBIGUOUS, OutcomeUnknown),
        "a stream without the answer": (
            says(200, b"data: {}\n\n", **EVENTS),
            *(Outcome.AMBIGUOUS, OutcomeUnknown),
        ),
        "the answer to another message": (
            lambda message: result({"id": "x"}, DONE),
            *(Outcome.AMBIGUOUS, OutcomeUnknown),
        ),
    },
)
def test_no_answer_to_a_call_proves_that_the_tool_did_not_run(
    answer: Callable[[Any], Response], outcome: Outcome, ends: type[Exception]
) -> None:
    """A tool may have made each of them: an unsafe call goes nowhere else."""
    with ExitStack() as stack:
        first = started(stack, answer)
        second = started(stack, lambda message: result(message, DONE))
        with pytest.raises(ends) as caught:
            client_of(stack, first, second).invoke("create_ticket", {})
        assert [each.outcome for each in caught.value.attempts] == [outcome]  # type: ignore[attr-defined]
        assert (len(first.calls), second.calls) == (1, [])
        assert ran(caught.value) == "maybe", "a stream begins before the tool does"
        assert "secret" not in str(caught.value)


@each_row(
    "method, refusal",
    {
        "busy": ("server/discover", Response(503, {}, b"busy")),
        "no session": ("initialize", Response(503, {}, b"busy")),
        "another service": ("initialize", Response(400, {}, b"what?")),
        "a version that is no header": (
            "initialize",
            Response(200, JSON, b'{"id": 0, "result": {"protocolVersion": "1\\r\\nX: 1"}}'),
        ),
        "a session that is not begun": ("notifications/initialized", Response(500)),
        "a session that cannot be asked": ("ping", Response(502, {}, b"")),
    },
)
def test_what_fails_before_the_call_has_not_run(method: str, refusal: Response) -> None:
    """An unsafe call moves to the next target."""
    with ExitStack() as stack:
        first, second = (started(stack, lambda message: result(message, DONE)) for _ in range(2))
        client = client_of(stack, first, second)
        if method == "ping":
            assert client.invoke("create_ticket", {}).target == "http:a"
        first.refuses[method] = refusal
        done = len(first.calls)
        assert client.invoke("create_ticket", {}).target == "http:b"
        assert len(first.calls) == done


def test_a_session_that_was_lost_is_opened_again() -> None:
    """An unsafe call learns it before it is made; one that may be repeated, by its answer."""
    lost = Response(404, JSON, b'{"jsonrpc": "2.0", "error": {"code": -32600}, "id": null}')
    with ExitStack() as stack:
        server = started(stack, lambda message: result(message, DONE))
        client = client_of(stack, server)
        client.invoke("create_ticket", {})
        server.refuses["ping"] = lost
        client.invoke("create_ticket", {})
        assert (server.sessions, len(server.calls)) == (2, 2)

        server.refuses["tools/call"] = lost
        with pytest.raises(OutcomeUnknown):
            client.invoke("create_ticket", {}, effect="idempotent", timeout=1)
        assert server.sessions > 2


def test_a_lost_session_that_was_declared_a_refusal_is_a_proof() -> None:
    """The operator's word for the server, and for everything in front of it."""
    answers = [Response(404, JSON, b"{}")]
    with ExitStack() as stack:
        server = started(stack, lambda message: answers.pop() if answers else result(message, DONE))
        client = client_of(stack, server, refusals={"create_ticket": "404"})
        assert client.invoke("create_ticket", {}, timeout=10).value == TICKET
        assert (server.sessions, len(server.calls)) == (2, 2)


def test_a_tool_is_asked_no_question() -> None:
    """It would take one for a call."""
    functions = {"create_ticket": FunctionConfig(effect=Effect.KEYED)}
    with ExitStack() as stack:
        server = started(stack, lambda message: result(message, DONE))
        sections = {"http": {"url": f"mcp+{server.url}/mcp#{{function}}"}}
        config = Config(options=sections, functions=functions)
        client = stack.enter_context(Client("http", config=config))
        settled = client.settle("k-1", function="create_ticket")
        assert (settled.verdict, settled.reason) == (Verdict.UNKNOWN, "not_supported")
        assert server.done == []


@each_row(
    "options, told",
    {
        "no tool": ({"functions": {"a": "mcp+https://t.example/mcp"}}, "must name a tool"),
        "no name of one": ({"functions": {"a": "mcp+https://t.example/mcp#a b"}}, "must name a"),
        "in clear": ({"functions": {"a": "mcp+http://t.example/mcp#a"}}, "must be an https URL"),
        "no place for the name": ({"url": "mcp+https://t.example/mcp#a"}, "must have #{function}"),
        "in the path": ({"url": "mcp+https://t.example/{function}#{function}"}, "must have #"),
    },
)
def test_a_wrong_place_of_a_tool_is_named(options: dict[str, Any], told: str) -> None:
    """With a right one."""
    with pytest.raises(ConfigError, match=told):
        settings_from(config_of(**options))


@pytest.mark.vendors
@pytest.mark.parametrize(
    ("sdk", "answers"),
    [("agents", "events"), pytest.param("agents-before", "json", marks=pytest.mark.before)],
)
def test_a_server_of_the_official_sdk_is_called_once(
    sdk: str, answers: str, tmp_path: Path
) -> None:
    """Both versions, with both kinds of answers; killed in between, its session is gone.

    A tool of `once` has its effect once for the key of a call, whichever process serves it.
    """
    with ExitStack() as stack:
        server = ToolServer(sdk, tmp_path / "effects", answers)
        stack.callback(server.kill)
        names = {"http": f"mcp+{server.url}#create_ticket"}
        functions = {"create-ticket": FunctionConfig(names=names)}
        client = stack.enter_context(Client("http", config=Config(functions=functions)))
        assert client.invoke("create-ticket", {"title": "one"}).value == {"ticket": "one"}
        with pytest.raises(FunctionError) as caught:
            client.invoke("create-ticket", {"title": "refuse"})
        assert (caught.value.error_type, caught.value.ran) == ("ToolError", "maybe")
        assert "create_ticket" in str(caught.value.error_message)
        own = {"http:own": {"url": f"mcp+{server.url}#{{function}}"}}
        shop = stack.enter_context(Client("http:own", config=Config(options=own)))
        charges = [shop.invoke("charge", {"order": "17"}, idempotency_key="k").value]
        if answers == "events":
            server.kill()
            server.start()
        assert client.invoke("create-ticket", {"title": "two"}).value == {"ticket": "two"}
        charges.append(shop.invoke("charge", {"order": "17"}, idempotency_key="k").value)
        assert charges == [{"result": "charged 17"}] * 2
        assert server.effects == ["one", "17", "two"]
