"""Call a tool of an MCP server over streamable HTTP, and know what its answer proves.

https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http: each
message is a POST; the answer is JSON, or a stream of events with the answer in one of them. Before
its first call a server is asked by `server/discover` whether it speaks this version, which has no
sessions. Else (2025-11-25 and earlier) a session begins with `initialize`, and the server may end
it: then it answers 404.

An answer to `tools/call` proves nothing of whether the tool ran: a tool, or a gateway, can give any
status and any error. So the server is asked before, and for an unsafe call whether its session
still lives: what fails there has not run.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any, Final

from leeward.adapter.classification import AMBIGUOUS, APP_ERROR, REJECTED
from leeward.adapter.http_functions import MAYBE_RAN, Address, FunctionPlatform, outcome_of
from leeward.adapter.plans import STALE_CREDENTIALS, Answer, Learn, Plan, Send, Step, View
from leeward.adapter.service import UNDECODABLE
from leeward.adapter.wire import Failure, Request, Response
from leeward.calls import Invoke, Result
from leeward.envelope import TRACEPARENT, request_headers
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode, encode
from leeward.records import NamedTuple
from leeward.values import Effect, FunctionFault, Json

VERSION: Final = "2026-07-28"
"""Of the protocol: the one without sessions that is spoken."""

VERSION_WITH_SESSIONS: Final = "2025-11-25"
"""The newest one that has sessions. A server may name an earlier one instead."""

KEY: Final = "leeward/key"
"""In ``_meta`` of a call: its idempotency key, the same on every attempt."""

FUNCTIONS_ERRORS: Final = frozenset({-32700, -32600, -32601, -32602, -32603})
"""Errors of JSON-RPC (section 5.1 of its specification) that end a call for good. Any other may
come from a gateway."""

OTHER_VERSION: Final = -32022
"""The error of a server that speaks other versions than a message's (2026-07-28, basic/index)."""

_SESSION: Final = "mcp-session-id"
_CLIENT: Final = {"name": "leeward", "version": "1"}
_NOT_OF_MCP: Final = frozenset({401, 403, 429, 502, 503, 504})
"""Statuses that say nothing of the version: servers, and what is before them, refuse so."""

_META: Final[dict[str, Json]] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
"""What each message says of its sender, where there is no session."""


class Session(NamedTuple):
    """How a server is spoken to.

    Attributes:
        id: of the session; empty if the server has none.
        version: of the protocol.
    """

    id: str
    version: str


SESSIONLESS: Final = Session("", VERSION)


class Server(NamedTuple):
    """An MCP server, and how it is spoken to; None before that is known."""

    platform: FunctionPlatform
    address: Address
    session: Session | None = None

    def request(
        self,
        method: str,
        id: Json,
        params: dict[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """Return a message to it, with more headers; without an id it is a notification."""
        headers = (
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            *headers,
            *self.platform.credentials(self.address),
        )
        if self.session is not None:
            headers = (*headers, ("MCP-Protocol-Version", self.session.version))
            if self.session.id:
                headers = (*headers, (_SESSION, self.session.id))
        if self.session == SESSIONLESS:
            params = params or {}
            params = {**params, "_meta": {**_META, **params.get("_meta", {})}}
            headers = (*headers, ("Mcp-Method", method))
            if "name" in params:
                headers = (*headers, ("Mcp-Name", params["name"]))
        message: dict[str, Json] = {"jsonrpc": "2.0", "method": method}
        if id is not None:
            message["id"] = id
        if params is not None:
            message["params"] = params
        return Request("POST", self.address.origin, self.address.target, headers, encode(message))


def call_tool(
    platform: FunctionPlatform, call: Invoke, view: View, address: Address, tool: str
) -> Plan:
    """Call a tool, and wait for its answer.

    Args:
        platform: what the settings say of the function.
        call: of the function; its payload holds the arguments of the tool, an object or null.
        view: of the plan.
        address: of the server.
        tool: its name there.
    """
    arguments = decode(call.payload) if call.payload else None
    if not isinstance(arguments, dict | None):
        problem = "the payload of a tool must be an object: its arguments by name"
        return Result(Outcome.CALLER, code="arguments", message=problem)
    name = f"mcp {call.function}"
    session: Session | None = view.learnt.get(name)
    if session is not None and session.id and call.effect is Effect.UNSAFE:
        ping = Server(platform, address, session).request("ping", 0)
        alive: Response | Failure = yield Send(ping, effect=False)
        if isinstance(alive, Failure) or alive.status not in (200, 400, 404):
            return _read_refusal(platform, alive, view)
        session = session if alive.status == 200 else None
    if session is None:
        opened = yield from _open(Server(platform, address), view)
        if isinstance(opened, Result):
            return opened
        session = opened
        yield Learn(name, session)
    meta: dict[str, Json] = {KEY: call.idempotency_key}
    if call.trace is not None:
        meta[TRACEPARENT] = call.trace
    id = f"{call.idempotency_key} {view.now:.6f}"
    params = {"name": tool, "arguments": arguments or {}, "_meta": meta}
    headers = request_headers(call.idempotency_key, view.timeout, call.trace)
    server = Server(platform, address, session)
    # A stream begins, with its status, before the tool does.
    response: Response = yield Send(server.request("tools/call", id, params, headers), proves=False)
    answer = _answer_in(response, id)
    number = _number_of(answer.get("error"))
    # Has the session ended, or is another version spoken now?
    if response.status == 404 or (response.status == 400 and number in (None, OTHER_VERSION)):
        yield Learn(name, None)
    return _result_of(platform, response, session, view, answer)


def _open(server: Server, view: View) -> Generator[Step, Answer, Session | Result[Any]]:
    """Return how a server is spoken to, or the result of a call that was not made."""
    look_up = server._replace(session=SESSIONLESS).request("server/discover", 0)
    response: Response | Failure = yield Send(look_up, effect=False)
    if isinstance(response, Failure) or response.status in _NOT_OF_MCP:
        return _read_refusal(server.platform, response, view)
    answer_fields = _answer_in(response, 0).get("result")
    versions = answer_fields.get("supportedVersions") if isinstance(answer_fields, dict) else None
    if isinstance(versions, list) and VERSION in versions:
        return SESSIONLESS
    params = {
        "protocolVersion": VERSION_WITH_SESSIONS,
        "capabilities": {},
        "clientInfo": _CLIENT,
    }
    response = yield Send(server.request("initialize", 0, params), effect=False)
    answer = {} if isinstance(response, Failure) else _answer_in(response, 0)
    result = answer.get("result")
    version = result.get("protocolVersion") if isinstance(result, dict) else None
    if isinstance(response, Failure) or not isinstance(version, str):
        return _read_refusal(server.platform, response, view)
    session = Session(response.headers.get(_SESSION, ""), version)
    if not all(text.isascii() and text.isprintable() for text in session):
        return _read_refusal(server.platform, response, view)
    begun = server._replace(session=session).request("notifications/initialized", None)
    response = yield Send(begun, effect=False)
    if isinstance(response, Failure) or not 200 <= response.status < 300:
        return _read_refusal(server.platform, response, view)
    return session


def _read_refusal(
    platform: FunctionPlatform, response: Response | Failure, view: View
) -> Result[Any]:
    """Return the result of a call whose session was not opened: the tool was not called."""
    if isinstance(response, Failure):
        return Result(Outcome.NOT_SENT, code=response.code, cause=response.cause)
    status, wait = response.status, platform.retry_after(response, view.now)
    code = f"http.{status}"
    if status in (401, 403):
        reason = STALE_CREDENTIALS if status == 401 else None
        return Result(Outcome.AUTH, code=code, reason=reason)
    if status == 429 or status >= 500:
        return Result(Outcome.REJECTED, code=code, retry_after=wait)
    if status == 404:
        return Result(Outcome.NOT_FOUND, code=code, message="there is no MCP server at its URL")
    problem = f"its server speaks neither MCP {VERSION} nor a version with sessions (`initialize`)"
    return Result(Outcome.UNUSABLE, code=code, message=problem)


def _result_of(
    platform: FunctionPlatform,
    response: Response,
    session: Session,
    view: View,
    answer: dict[str, Any],
) -> Result[Any]:
    """Return what the answer to a call of a tool means; `answer` is the message in it."""
    code, request_id = f"http.{response.status}", platform.request_id(response)
    error, result = answer.get("error"), answer.get("result")
    number, fault = _number_of(error), None
    if isinstance(error, dict):
        fault = FunctionFault("JsonRpcError", _text(error.get("message")))
    if not 200 <= response.status < 300:
        meaning = outcome_of(response, platform.proofs, marks=False)
        if response.status == 404 and session.id:  # the session has ended: another one may serve it
            is_proved = any(proof.holds(response) for proof in platform.proofs)
            meaning = REJECTED if is_proved else AMBIGUOUS
        elif number == OTHER_VERSION:
            meaning = AMBIGUOUS
        wait = platform.retry_after(response, view.now)
        return Result(
            meaning.outcome,
            code=code,
            reason=meaning.reason,
            request_id=request_id,
            retry_after=wait,
            fault=fault or MAYBE_RAN if meaning.outcome is Outcome.APP_ERROR else None,
        )
    if fault is not None:
        meaning = APP_ERROR if number in FUNCTIONS_ERRORS else AMBIGUOUS
        return Result(meaning.outcome, code=f"jsonrpc.{number}", request_id=request_id, fault=fault)
    kind = result.get("resultType", "complete") if isinstance(result, dict) else None
    if kind == "input_required":
        fault = FunctionFault("InputRequired", "the tool asks back, which leeward does not answer")
        return Result(APP_ERROR.outcome, code=kind, request_id=request_id, fault=fault)
    if not isinstance(result, dict) or kind != "complete":
        return Result(AMBIGUOUS.outcome, code=code, reason=UNDECODABLE, request_id=request_id)
    if result.get("isError") is True:
        fault = FunctionFault("ToolError", _text(_content_of(result)))
        return Result(APP_ERROR.outcome, code="tool_error", request_id=request_id, fault=fault)
    return Result.ok(_value_of(result), request_id=request_id)


def _number_of(error: object) -> int | None:
    """Return the number of an error of JSON-RPC; None if there is none."""
    number = error.get("code") if isinstance(error, dict) else None
    return number if type(number) is int and number.bit_length() <= 32 else None


def _value_of(result: dict[str, Any]) -> Json:
    """Return what a tool has returned: its structured content, else its text, else its blocks."""
    structured: Json = result.get("structuredContent")
    return _content_of(result) if structured is None else structured


def _content_of(result: dict[str, Any]) -> Json:
    content: Json = result.get("content")
    if isinstance(content, list) and len(content) == 1:
        (block,) = content
        if isinstance(block, dict) and block.get("type") == "text":
            return block.get("text")
    return content


def _answer_in(response: Response, id: Json) -> dict[str, Any]:
    """Return the answer to the message with this id; empty if there is none."""
    for message in _messages_in(response):
        if isinstance(message, dict) and message.get("id") == id and "method" not in message:
            return message
    return {}


def _messages_in(response: Response) -> Iterator[Any]:
    """Yield the messages in an answer, whether it is JSON or a stream of events."""
    parts = [response.body]
    if response.headers.get("content-type", "").lower().startswith("text/event-stream"):
        parts = [_data_of(event) for event in re.split(rb"(?:\r\n|\r|\n){2}", response.body)]
    for part in parts:
        try:
            yield decode(part)
        except Undecodable:
            continue  # an event without a message, such as the one that opens the stream


def _data_of(event: bytes) -> bytes:
    """Return the data of an event; see https://html.spec.whatwg.org/#event-stream-interpretation."""
    lines = (line for line in re.split(rb"\r\n|\r|\n", event) if line.startswith(b"data:"))
    return b"\n".join(line.removeprefix(b"data:").removeprefix(b" ") for line in lines)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
