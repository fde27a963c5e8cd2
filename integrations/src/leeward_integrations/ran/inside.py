"""Code of others inside of a call: it may have sent what no frame and no history shows."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import PurePath
from typing import Final

from leeward_integrations.ran.frames import chain_of_causes, frames_of, library_of

_SENDS_ONCE: Final = frozenset(
    {
        "anyio",
        "boto3",
        "ddtrace",
        "opentelemetry",
        "psycopg_binary",
        "psycopg_c",
        "s3transfer",
        "sentry_sdk",
        "sniffio",
        "tenacity",  # of which `retries` asks
        "trio",
        "wrapt",
    }
)
"""Libraries between the functions of a client that pass a request on, and send none."""

_RAISES_AT_ONCE: Final = frozenset({"backoff", "django", "stamina", "tenacity"})
"""Libraries whose exceptions are as good as their cause; `retries` asks those that call again."""

_SEND_AGAIN: Final = frozenset({"resolve_redirects", "handle_401", "handle_407", "dispatch_hook"})
"""Functions of requests that send a request again, to a login or with a redirect."""


def doubt_by_frames(error: BaseException, clients: Collection[str]) -> str:
    """Return why the frames of a client do not show all that its call has sent; empty if they do.

    A hook, a transport, a session or a login of somebody else runs inside of a call. Then the
    exception may be of a request of its own, or of the last of many.

    Args:
        error: of a client.
        clients: the first parts of the modules of clients.
    """
    for each in chain_of_causes(error):
        client, between = "", ""
        for frame in frames_of(each):
            library = frame.library
            if library in clients and not frame.module.startswith("google.api_core.retry"):
                if frame.is_cleared:
                    return f"the frames are cleared, and with them what {library} had sent before"
                if library == "requests" and frame.function in _SEND_AGAIN:
                    return "requests had sent another request before, and got an answer"
                if between:
                    return f"{between} was called inside of {client}, and may have sent more"
                client = library
            elif client and library not in _SENDS_ONCE | sys.stdlib_module_names:
                between = frame.module
    return ""


def doubt_by_class(error: BaseException, clients: Collection[str]) -> str:
    """Return why the cause of an exception proves nothing; empty if it is one of your own.

    A library that is not known here may have called again before it gave up.
    """
    library = library_of(error)
    if error.__cause__ is None or library in clients or library in _RAISES_AT_ONCE:
        return ""
    file = getattr(sys.modules.get(type(error).__module__), "__file__", None) or ""
    if not {"site-packages", "dist-packages"} & set(PurePath(file).parts):
        return ""
    return f"it is not known whether {library} had called before; if not, ask of the __cause__"
