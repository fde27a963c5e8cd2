"""Code of others inside of a call: it may have sent what no frame and no history shows."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import PurePath
from typing import Final

from leeward_integrations.ran.frames import frames_of, library_of, parts_of

_SENDS_ONCE: Final = frozenset(
    {
        "OpenSSL",
        "aiohappyeyeballs",
        "anyio",
        "boto3",
        "ddtrace",
        "django",  # around what its models send
        "eventlet",
        "gevent",
        "h11",
        "h2",
        "idna",
        "opentelemetry",
        "psycopg_binary",
        "psycopg_c",
        "pytest_socket",
        "s3transfer",
        "sentry_sdk",
        "sniffio",
        "socks",
        "socksio",
        "tenacity",  # of which `retries` asks
        "trio",
        "truststore",
        "uvloop",
        "wrapt",
        "yarl",
    }
)
"""Libraries between the functions of a client, and under them, that send nothing themselves."""

_PASS_ON: Final = _SENDS_ONCE | sys.stdlib_module_names

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
    for each in parts_of(error):
        client, between = "", ""
        for frame in frames_of(each):
            library = frame.library
            is_client = library in clients or frame.module.startswith("django.db.")
            if is_client and not frame.module.startswith("google.api_core.retry"):
                if frame.is_cleared:
                    return f"the frames are cleared, and with them what {library} had sent before"
                if library == "requests" and frame.function in _SEND_AGAIN:
                    return "requests had sent another request before, and got an answer"
                if between:
                    break
                client = library
            elif client and not library.startswith("leeward") and library not in _PASS_ON:
                between = frame.module or "code without a module"
        if between:
            return f"{between} was called inside of {client}, and may have sent more"
    return ""


def doubt_by_class(error: BaseException, clients: Collection[str]) -> str:
    """Return why the cause of an exception proves nothing; empty if it is one of your own.

    A library that is not known here may have called again before it gave up.
    """
    library, module = library_of(error), type(error).__module__
    if error.__cause__ is None or library in clients or library in _RAISES_AT_ONCE:
        return ""
    if library in sys.stdlib_module_names:  # an exception of Python: whose code has raised it?
        module = next((frame.module for frame in reversed([*frames_of(error)])), "")
        library = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    if not {"site-packages", "dist-packages"} & set(PurePath(file).parts):
        return ""
    return f"it is not known whether {library} had called before; if not, ask of the __cause__"
