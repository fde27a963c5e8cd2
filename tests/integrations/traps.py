"""Traps for `leeward.ran` that need clients of models and gRPC; exit with 1 at a wrong answer.

python -m tests.integrations.traps
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, Final

from leeward_ran import explain_ran
from tests.integrations.failing import REFUSE, Answer, FailingServer, Step

MARKS: Final = (("x-request-id", "1"), ("request-id", "1"), ("content-type", "application/json"))
SEARCH: Final = [{"type": "web_search_20250305", "name": "web_search"}, {"type": "web_search"}]
LOCAL: Final = [{"type": "custom", "name": "t", "input_schema": {"type": "object"}}]

REFUSALS: Final[tuple[tuple[int, str, dict[str, Any], str], ...]] = (
    (400, "invalid_request_error", {}, "maybe"),
    (429, "rate_limit_error", {}, "no"),
    (429, "rate_limit_error", {"tools": SEARCH[:1]}, "maybe"),
    (429, "rate_limit_error", {"tools": SEARCH[1:]}, "maybe"),
    (429, "rate_limit_error", {"tools": LOCAL}, "no"),
    (429, "rate_limit_error", {"extra_body": {"mcp_servers": [{"url": "x"}]}}, "maybe"),
    (429, "api_error", {}, "maybe"),
    (401, "authentication_error", {}, "no"),
)
"""By status, type of the error, and what else is asked: what a refusal of a model proves."""

RETRIES: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)
"""A configuration of a channel that calls again by itself."""


def main() -> int:
    """Set the traps, report, and return the exit status."""
    wrong = 0
    with FailingServer({}) as server:
        for name, call, answer in chain(models(server), channels()):
            try:
                call()
            except Exception as error:
                found = explain_ran(error)
            else:
                found = "nothing failed"
            if not found.startswith(f"{answer}:"):
                wrong += 1
                print(f"WRONG {name}: {found}, not {answer}")
    print(f"wrong: {wrong}")
    return 1 if wrong else 0


Trap = tuple[str, Callable[[], object], str]


def models(server: FailingServer) -> Iterator[Trap]:
    """Return calls of models, which a service refuses, or which find nobody."""
    import anthropic
    import openai

    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    options: dict[str, Any] = {"api_key": "k", "max_retries": 0}

    def ask(kind: str, port: int, **more: Any) -> object:
        url = f"http://127.0.0.1:{port}"
        if kind == "openai":
            client = openai.OpenAI(base_url=url, **options)
            return client.chat.completions.create(**asked, **more)
        return anthropic.Anthropic(base_url=url, **options).messages.create(
            **asked, max_tokens=1, **more
        )

    for kind in ("openai", "anthropic"):
        for status, word, more, answer in REFUSALS:
            body = json.dumps({"type": "error", "error": {"type": word, "message": "no"}}).encode()
            case = server.open([Step("answer", answer=Answer(status, MARKS, body))])
            name = f"{kind} {status} {word} {more}"
            yield name, partial(ask, kind, case.port, **more), answer
        away = server.open([REFUSE])
        yield f"{kind} refused", partial(ask, kind, away.port), "no"


def channels() -> Iterator[Trap]:
    """Return calls over gRPC: the channel calls again, and only the last answer is seen."""
    import grpc
    from google.api_core import gapic_v1

    effects: list[str] = []

    def answer(_request: bytes, context: Any) -> None:
        effects.append("")
        kind = grpc.StatusCode.UNAVAILABLE if len(effects) % 2 else grpc.StatusCode.ABORTED
        context.abort(kind, "no")

    handler = grpc.method_handlers_generic_handler(
        "shop", {"Charge": grpc.unary_unary_rpc_method_handler(answer)}
    )
    server = grpc.server(ThreadPoolExecutor(2), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = f"127.0.0.1:{port}"

    class Again(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
        def intercept_unary_unary(self, send: Any, details: Any, request: Any) -> Any:
            first = send(details, request)
            return send(details, request) if first.code() is grpc.StatusCode.UNAVAILABLE else first

    for name, channel in (
        ("retries", grpc.insecure_channel(address, [("grpc.service_config", RETRIES)])),
        ("interceptor", grpc.intercept_channel(grpc.insecure_channel(address), Again())),
    ):
        wrap: Any = gapic_v1.method.wrap_method
        method = wrap(channel.unary_unary("/shop/Charge"))
        yield name, partial(method, b"", timeout=2), "maybe"
    assert len(effects) == 4
    server.stop(None)


if __name__ == "__main__":
    sys.exit(main())
