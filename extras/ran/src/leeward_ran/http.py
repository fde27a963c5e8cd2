"""Exceptions of HTTP clients: aiohttp, httpx, requests and urllib3; OpenAI's and Anthropic's.

They follow redirects, some logins send a request twice, and some clients send it once more where a
connection that they kept is gone. What was sent before the last request, the frames still hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from leeward_ran.evidence import Evidence
from leeward_ran.frames import (
    Frame,
    frames_in,
    frames_of,
    is_of_handshake,
    kinds_of,
    library_of,
    why_by_class,
)

MARK: Final = "x-leeward"
"""The header by which a function behind leeward says that it ran."""

MAY_HAVE_LEFT: Final = Evidence("maybe", "the request may have left before the connection failed")

NEVER_LEFT: Final[Mapping[str, Mapping[str, str]]] = {
    "aiohttp": {
        "ClientConnectorError": "no connection could be made",
        "ClientConnectorCertificateError": "the server's certificate was refused",
        "ConnectionTimeoutError": "no connection could be made in time",
        "ClientHttpProxyError": "the proxy made no connection",
        "InvalidURL": "the address is wrong",
    },
    "httpx": {
        "ConnectError": "no connection could be made",
        "ConnectTimeout": "no connection could be made in time",
        "InvalidURL": "the address is wrong",
        "PoolTimeout": "no connection of the pool was free",
        "ProxyError": "the proxy made no connection",
        "UnsupportedProtocol": "the address is wrong",
    },
    "requests": dict.fromkeys(
        ("InvalidURL", "MissingSchema", "InvalidSchema"), "the address is wrong"
    ),
    "urllib3": {
        "NewConnectionError": "no connection could be made",
        "ConnectTimeoutError": "no connection could be made in time",
        "EmptyPoolError": "no connection of the pool was free",
        "ClosedPoolError": "the pool is closed",
        "LocationValueError": "the address is wrong",
    },
}
"""By library: classes of exceptions before any byte of a request, and the reason."""

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
"""Methods of requests that aiohttp sends once more."""

_SENDING: Final = frozenset(
    {
        *("_send_handling_auth", "_send_handling_redirects"),
        *("async_send_with_auth_retry", "sync_send_with_auth_retry"),  # of openai
    }
)
"""Functions around httpx that have an answer which came before, to a login or with a redirect."""

_COUNT: Final = "x-stainless-retry-count"
_IDS: Final = ("x-request-id", "request-id")
"""Headers of the model services' own answers."""
_REFUSED: Final = {
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "unsupported_country_region_territory"),
    404: ("not_found_error", "model_not_found"),
    413: ("request_too_large",),
    429: ("insufficient_quota", "rate_limit_error", "rate_limit_exceeded"),
}
"""Types and codes of errors with which they refuse a request before a model runs. An
``invalid_request_error`` may come afterwards, and of a turn of their own with a tool of theirs.
https://docs.claude.com/en/api/errors, https://platform.openai.com/docs/guides/error-codes"""
_QUESTIONS: Final = ("completions", "embeddings", "messages", "moderations", "responses")
"""Ends of the paths where a model is asked once."""
_PLAIN: Final = frozenset(
    "dimensions encoding_format frequency_penalty input instructions logprobs max_output_tokens "
    "max_completion_tokens max_tokens messages metadata model n parallel_tool_calls reasoning "
    "presence_penalty reasoning_effort response_format seed service_tier stop stop_sequences store "
    "stream stream_options system temperature text thinking tool_choice tools top_k top_logprobs "
    "top_p user verbosity".split()
)
"""Fields of a question that bring no tool that the service runs by itself."""

_SEND_ONCE: Final = frozenset({"anthropic", "httpx", "httpx2", "openai"})
"""Libraries whose transports send what they are given once."""


def judge_aiohttp(error: BaseException) -> Evidence | None:
    """Return what an exception of aiohttp proves."""
    why = why_by_class(NEVER_LEFT["aiohttp"], error)
    if why is None:
        status, headers = getattr(error, "status", None), getattr(error, "headers", None)
        return MAY_HAVE_LEFT if status is None else of_status(status or None, headers)
    requests = frames_in(error, "aiohttp.client", "_request")
    if not requests:
        return Evidence("maybe", "the traceback is lost, and with it what aiohttp had sent before")
    if _aiohttp_sent_before(requests[-1]):
        return Evidence("maybe", "aiohttp had sent the request before, or followed a redirect")
    return Evidence("no", why)


def _aiohttp_sent_before(frame: Frame) -> bool:
    """Return whether `_request`, or a middleware inside of it, may have sent something before.

    It keeps a list of redirects, and a switch that the one retry turns off.
    """
    values = frame.values
    if values.get("history") or values.get("effective_middlewares"):
        return True
    may_retry = str(values.get("method", "")).upper() in _IDEMPOTENT
    return may_retry and not values.get("retry_persistent_connection", True)


def judge_httpx(error: BaseException) -> Evidence | None:
    """Return what an exception of httpx, httpx2 or their transports proves."""
    response = getattr(error, "response", None)
    if response is not None:
        return of_status(response.status_code, response.headers)
    why = why_by_class(NEVER_LEFT["httpx"], error)
    if why is None:
        return MAY_HAVE_LEFT
    sending = [frame.values for frame in frames_in(error, "", *_SENDING)]
    if any(values.get("history") or "response" in values for values in sending):
        return Evidence("maybe", "httpx had sent another request before, and got an answer")
    return Evidence("no", why)


def judge_requests(error: BaseException) -> Evidence | None:
    """Return what an exception of requests proves, whose own cause is one of urllib3."""
    response = getattr(error, "response", None)
    if response is not None:
        return of_status(response.status_code, response.headers)
    if why := why_by_class(NEVER_LEFT["requests"], error):
        return Evidence("no", why)
    inner = next((each for each in error.args if isinstance(each, BaseException)), None)
    if inner is None or library_of(inner) != "urllib3":
        return MAY_HAVE_LEFT
    return judge_urllib3(inner)


def is_first(response: Any) -> bool:
    """Return whether an answer shows that its request was sent once, and by requests itself."""
    retries = getattr(response.raw, "retries", None)
    adapter = type(getattr(response, "connection", None)).__module__
    if retries is None or adapter != "requests.adapters":
        return False
    return not retries.history and not response.history


def judge_urllib3(error: BaseException) -> Evidence | None:
    """Return what an exception of urllib3 proves, version 1.26 and later.

    `Retry` calls again inside of the client. What it saw before is in its history.
    """
    why = why_nothing_left(getattr(error, "reason", None) or error)
    if why is None:
        return MAY_HAVE_LEFT
    calls = [frame.values for frame in frames_in(error, "urllib3.", "urlopen")]
    history: tuple[Any, ...] = ()
    for values in calls:
        history = getattr(values.get("retries"), "history", history)
    is_redirected = any(values.get("response") is not None for values in calls)
    if is_redirected or any(
        each.status is not None or why_nothing_left(each.error) is None for each in history
    ):
        return Evidence("maybe", "urllib3 had sent the request before; see urllib3.Retry")
    return Evidence("no", why)


def why_nothing_left(error: Any) -> str | None:
    """Return why no byte of a request left by urllib3; None if some may have."""
    if why := why_by_class(NEVER_LEFT["urllib3"], error):
        return why
    if "ProxyError" in kinds_of(error):
        inner = getattr(error, "original_error", None) or (error.args or (None,))[-1]
        if isinstance(inner, BaseException) and any(
            frame.function in ("_tunnel", "_prepare_proxy") for frame in frames_of(inner)
        ):
            return "the proxy made no connection"
        return None if inner is None else why_nothing_left(inner)
    if isinstance(error, BaseException) and is_of_handshake(error):
        return "TLS came to no connection"
    return None


def judge_model(error: BaseException) -> Evidence | None:
    """Return what an exception of the clients of OpenAI and Anthropic proves.

    One generator writes both. They retry twice by default; each request says how often in a header.
    """
    kinds = kinds_of(error)
    if "APIStatusError" not in kinds and "APIConnectionError" not in kinds:
        return Evidence("maybe", "it is not known what this exception proves")
    request = getattr(error, "request", None)
    if request is None or request.headers.get(_COUNT) != "0":
        return Evidence("maybe", "the client had sent the request before; see max_retries")
    if "APIConnectionError" in kinds:
        cause = error.__cause__
        return None if cause is None else judge_httpx(cause)
    return _of_model_answer(error)


def _of_model_answer(error: Any) -> Evidence:
    status, headers = error.status_code, error.response.headers
    if error.response.history or not _is_plain_client(error):
        return Evidence("maybe", "a transport, a hook or a redirect may have sent it before")
    kinds = _refusal_in(error.response)
    is_refused = any(kind in _REFUSED.get(status, ()) for kind in kinds)
    if not is_refused or not any(headers.get(mark) for mark in _IDS):
        return Evidence("maybe", f"the status {status} proves nothing")
    if not _is_plain_question(error.request):
        return Evidence("maybe", "a tool of the service may have run before")
    return Evidence("no", f"the service refuses with {status} before a model runs")


def _refusal_in(response: Any) -> tuple[Any, Any]:
    """Return the type and the code of an error in an answer."""
    try:
        error = response.json()["error"]
        return error.get("type"), error.get("code")
    except (AttributeError, KeyError, TypeError, ValueError):  # a proxy's
        return None, None


def _is_plain_question(request: Any) -> bool:
    """Return whether a request asks a model, and the service has no tools to run for it."""
    try:
        question = json.loads(request.content)
        tools = [tool.get("type", "custom") for tool in question.get("tools") or ()]
    except (AttributeError, RuntimeError, TypeError, ValueError):  # it was a stream, or not JSON
        return False
    is_question = request.url.path.endswith(_QUESTIONS) and question.keys() <= _PLAIN
    return is_question and {*tools} <= {"custom", "function"}


def _is_plain_client(error: BaseException) -> bool:
    """Return whether a client with nothing of the user's inside has sent the request."""
    frame = next((each for each in frames_of(error) if each.function == "request"), None)
    sender: Any = None if frame is None else frame.values.get("self")
    client: Any = getattr(sender, "_client", None)
    if client is None or client.auth or any(client.event_hooks.values()):
        return False
    if getattr(sender, "_middleware", ()):
        return False
    parts = vars(client)
    senders = (client, parts["_transport"], *parts["_mounts"].values())
    return all(each is None or library_of(each) in _SEND_ONCE for each in senders)


def of_status(status: object, headers: Mapping[str, Any] | None) -> Evidence:
    """Return what an error answer of a service that is not known proves: nothing by its status.

    A client hands it out before anybody raises, and keeps nothing of what it had sent by then.
    """
    if headers is not None and headers.get(MARK):
        return Evidence("yes", f"the function marked its answer with the header {MARK}")
    if not isinstance(status, int):
        return Evidence("maybe", "it is not known what was answered")
    return Evidence("maybe", f"the status {status} proves nothing")
