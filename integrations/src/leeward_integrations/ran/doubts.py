"""Code of others inside of a call, or around it: a proof may be of the last request alone.

Inside of a call it may have sent what no frame and no history shows. Around it, it calls again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import PurePath
from typing import Any, Final

from leeward.evidence import Finder as Judge
from leeward_integrations.ran.clouds import azure_proves_all
from leeward_integrations.ran.frames import Frame, frames_of, library_of, parts_of

DECIDES_BY_PROOF: Final = "leeward_decides_by_proof"
"""An attribute of a predicate that allows a retry only where it is proved that nothing ran."""

_SENDS_ONCE: Final = frozenset(
    {
        *("anyio", "eventlet", "gevent", "sniffio", "trio", "uvloop"),
        *("OpenSSL", "aiohappyeyeballs", "h11", "h2", "idna", "truststore", "yarl"),
        *("pytest_socket", "socks", "socksio"),
        *("ddtrace", "opentelemetry", "sentry_sdk", "wrapt"),
        *("psycopg_binary", "psycopg_c", "s3transfer"),
        "django",  # around what its models send
        "tenacity",  # of which `doubt_by_retries` asks
    }
)
"""Libraries between the functions of a client, and under them, that send nothing themselves."""

_PASS_ON: Final = _SENDS_ONCE | sys.stdlib_module_names

_SEND_SEVERAL: Final = (
    *("anthropic.lib.", "openai.lib."),
    *("azure.core.polling.", "azure.cosmos.", "azure.search.", "azure.storage.filedatalake."),
    *("boto3.dynamodb.table", "boto3.resources.collection"),
    *("google.api_core.extended_", "google.api_core.future.", "google.api_core.operation"),
)
"""Modules of clients that send several requests in one call, or call again by themselves."""

_RAISES_AT_ONCE: Final = frozenset({"backoff", "django", "stamina", "tenacity"})
"""Libraries whose exceptions are as good as their cause; see `doubt_by_retries`."""

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
            is_client = library in clients or frame.module.startswith(("boto3.", "django.db."))
            if is_client and not frame.module.startswith("google.api_core.retry"):
                if frame.is_cleared:
                    return f"the frames are cleared, and with them what {library} had sent before"
                if library == "requests" and frame.function in _SEND_AGAIN:
                    return "requests had sent another request before, and got an answer"
                if between:
                    break
                if _sends_several(frame):
                    return f"{frame.module} may have sent several requests"
                client = library
            elif client and not library.startswith("leeward") and library not in _PASS_ON:
                between = frame.module or "code without a module"
        if between:
            return f"{between} was called inside of {client}, and may have sent more"
    return ""


def _sends_several(frame: Frame) -> bool:
    if frame.module.startswith(_SEND_SEVERAL) or frame.module.endswith(
        ("uploads", "uploads_async")
    ):
        return True
    if frame.library in ("anthropic", "openai"):
        return frame.function.endswith(("_and_poll", "_chunked", "poll"))
    # Of Google, only the layers below and the clients that are generated send one.
    is_below = frame.module.startswith(("google.api_core.", "google.auth.", "google.oauth2."))
    return frame.library == "google" and not is_below and ".services." not in frame.module


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


def doubt_by_retries(error: BaseException, judge: Judge) -> str:
    """Return why earlier attempts may have run; empty if no library here has made any.

    Args:
        error: of the last attempt.
        judge: returns what an earlier exception proves by itself.
    """
    for frame in frames_of(error):
        proves_all = _ATTEMPTS.get(frame.library)
        if proves_all is None:
            continue
        if frame.is_cleared:
            return f"the frames are cleared, and with them how often {frame.library} has called"
        if not proves_all(frame, error, judge):
            return f"{frame.library} called again, and proves nothing of earlier attempts"
    return ""


def _proves_all_of_tenacity(frame: Frame, _error: BaseException, _judge: Judge) -> bool:
    """Return whether a frame of tenacity shows a first attempt, or a predicate that goes by proof.

    Its state is in `__call__` of both kinds; where a loop is written out, in `iter` and `__exit__`.
    """
    state: Any = frame.values.get("retry_state")
    number = getattr(state, "attempt_number", None)
    if number is None:
        return True  # a frame that only passes on; another one has the state
    return number == 1 or _goes_by_proof(getattr(state.retry_object, "retry", None))


def _goes_by_proof(predicate: Any) -> bool:
    """Return whether a predicate of tenacity retries only what is proved not to have run."""
    inner = getattr(predicate, "predicate", predicate)  # of retry_if_exception
    if getattr(inner, DECIDES_BY_PROOF, False):
        return True
    parts = getattr(predicate, "retries", None)  # of retry_all and retry_any
    if not isinstance(parts, tuple) or not parts:
        return False
    needed = all if type(predicate).__name__ == "retry_any" else any
    return needed(_goes_by_proof(part) for part in parts)


def _proves_all_of_backoff(frame: Frame, _error: BaseException, _judge: Judge) -> bool:
    if frame.function != "retry" or frame.values.get("tries") == 1:
        return True
    return bool(getattr(frame.values.get("giveup"), DECIDES_BY_PROOF, False))


def _proves_all_of_google(frame: Frame, error: BaseException, judge: Judge) -> bool:
    """Return whether each exception in the list of google-api-core proves that nothing ran."""
    if frame.values.get("_credential_refresh_attempt"):  # it sends again, with another token
        return False
    failed = frame.values.get("error_list")
    if not frame.module.startswith("google.api_core.retry") or not isinstance(failed, list):
        return True  # a frame that only passes on; another one has the list
    found = [judge(each) for each in failed if each is not error]
    return all(each is not None and each.ran == "no" for each in found)


_KEEP_NOTHING: Final = ("aiohttp_retry", "httpx_retries", "opnieuw", "retry", "retrying")
"""Libraries that call again, and keep nothing of the attempts before."""

_ATTEMPTS: Final[dict[str, Callable[[Frame, BaseException, Judge], bool]]] = {
    "azure": lambda frame, *_: azure_proves_all(frame),
    "backoff": _proves_all_of_backoff,
    "google": _proves_all_of_google,
    **dict.fromkeys(_KEEP_NOTHING, lambda *_: False),
    "tenacity": _proves_all_of_tenacity,
}
"""By library: whether a frame of it proves that no attempt before the last one ran. stamina uses
tenacity."""
