"""Exceptions of the clients of OpenAI and Anthropic, which one generator writes.

Both retry twice by default; each request says how often in a header. ``max_retries=0`` turns that
off.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.evidence import Evidence
from leeward_integrations.ran.frames import frames_of, kinds_of, library_of
from leeward_integrations.ran.http import judge_httpx

COUNT: Final = "x-stainless-retry-count"
MARKS: Final = ("x-request-id", "request-id")
"""Headers of the services' own answers."""
REFUSED: Final = frozenset({400, 401, 403, 404, 413, 422, 429})
"""Statuses with which the services refuse a request before a model runs."""

_SEND_ONCE: Final = frozenset({"anthropic", "httpx", "httpx2", "openai"})
"""Libraries whose transports send what they are given once."""

MANY_REQUESTS: Final = ("_and_poll", "_chunked", "poll")
"""How functions end that send several requests; those in `lib` may, too."""


def judge_model(error: BaseException) -> Evidence | None:
    """Return what an exception of a model's client proves."""
    kinds = kinds_of(error)
    if "APIStatusError" not in kinds and "APIConnectionError" not in kinds:
        return Evidence("maybe", "it is not known what this exception proves")
    request = getattr(error, "request", None)
    if request is None or request.headers.get(COUNT) != "0":
        return Evidence("maybe", "the client had sent the request before; see max_retries")
    if any(
        ".lib." in frame.module or frame.function.endswith(MANY_REQUESTS)
        for frame in frames_of(error)
    ):
        return Evidence("maybe", "the call sends several requests")
    if "APIConnectionError" in kinds:
        cause = error.__cause__
        return None if cause is None else judge_httpx(cause)
    return _of_answer(error)


def _of_answer(error: Any) -> Evidence:
    status, headers = error.status_code, error.response.headers
    if error.response.history or not _is_plain(error):
        return Evidence("maybe", "a transport, a hook or a redirect may have sent it before")
    if status in REFUSED and any(headers.get(mark) for mark in MARKS):
        return Evidence("no", f"the service refuses with {status} before a model runs")
    return Evidence("maybe", f"the status {status} proves nothing")


def _is_plain(error: BaseException) -> bool:
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
