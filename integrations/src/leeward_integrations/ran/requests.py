"""Exceptions of requests, whose own cause is one of urllib3.

requests follows redirects, and some logins send a request twice; then an answer came before.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.evidence import Evidence
from leeward_integrations.ran import urllib3
from leeward_integrations.ran.frames import frames_of, kinds_of, library_of
from leeward_integrations.ran.statuses import of_status

WRONG: Final = frozenset({"InvalidURL", "MissingSchema", "InvalidSchema", "InvalidProxyURL"})


def is_first(response: Any) -> bool:
    """Return whether an answer shows that its request was sent once, and by requests itself."""
    retries = getattr(response.raw, "retries", None)
    adapter = type(getattr(response, "connection", None)).__module__
    if retries is None or adapter != "requests.adapters":
        return False
    return not retries.history and not response.history


def judge(error: BaseException) -> Evidence | None:
    """Return what an exception of requests proves."""
    response = getattr(error, "response", None)
    if response is not None:
        return of_status(response.status_code, response.headers)
    if not any(frame.library == "requests" for frame in frames_of(error)):
        return Evidence("maybe", "the traceback is lost, and with it what requests had sent before")
    if kinds_of(error) & WRONG:
        return Evidence("no", "the address is wrong")
    inner = next((each for each in error.args if isinstance(each, BaseException)), None)
    if inner is None or library_of(inner) != "urllib3":
        return Evidence("maybe", "the request may have left before the connection failed")
    return urllib3.judge(inner)
