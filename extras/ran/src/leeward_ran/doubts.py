"""Code of others inside of a call, or around it: a proof may be of the last request alone.

Inside of a call it may have sent what no frame and no history shows. Around it, it calls again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pkgutil import get_data
from typing import Any, Final

from leeward_ran.clouds import azure_proves_all
from leeward_ran.evidence import Judge
from leeward_ran.frames import Frame, distribution_of, file_of, frames_of

DECIDES_BY_PROOF: Final = "leeward_decides_by_proof"
"""An attribute of a predicate that allows a retry only where it is proved that nothing ran."""

_RESOURCES: Final = (
    "append archive cancel complete content create del_? delete edit generate list modify pause "
    "remix remove resume retrieve search unarchive update"
)

_ONE_REQUEST: Final = {
    library: re.compile(f"{library}[.](?:{places})")
    for library, places in {
        **dict.fromkeys(
            ("anthropic", "openai"),
            r"(_base_client|_client|_legacy_response|_response|_utils[.]\w+|lib[.]_client_auth):"
            rf"|resources[.][\w.]+:\w+[.]({_RESOURCES.replace(' ', '|')})$",
        ),
        "azure": r"core[.](_pipeline_client\w*|(pipeline|rest|tracing)[.][\w.]+):|identity[.]"
        r"|[\w.]+:\w+[.]send_request$|[\w.]+[.]_?operations[.](?!_patch:)\w+:"
        r"|eventgrid[.]((aio[.])?_operations[.]_patch|_legacy[.](aio[.])?_publisher\w+):\w+[.]send$",
        "boto3": r"resources[.](factory|action):(?!Batch|Waiter)",
        "botocore": "(?!crt[.]|paginate:|waiter:)",
        "google": r"api_core[.](gapic_v1|grpc_helpers|rest_|retry|timeout)|auth[.]|oauth2[.]"
        r"|[\w.]+[.]services[.]\w+[.]((async_)?client|transports[.]\w+):",
    }.items()
}
"""By library: module and function of generated code that sends one request of one call, of what is
below it, and of what is written by hand and was read. What else people write around it may send
several, or call again."""

_BELOW: Final = {
    **dict.fromkeys(("anthropic", "openai"), ("httpx", "httpx2")),
    **dict.fromkeys(("azure", "google"), ("aiohttp", "requests", "urllib3")),
    "boto3": ("botocore",),
    **dict.fromkeys(("botocore", "requests"), ("urllib3",)),
    **dict.fromkeys(("django", "sqlalchemy", "psycopg_pool"), ("psycopg", "psycopg_pool")),
    "httpx": ("httpcore",),
    "httpx2": ("httpcore2",),
}
"""Clients by which a client sends. Any other one inside of it has a request of its own."""

_NEUTRAL: Final = ("botocore.awsrequest", "google.api_core.retry")
"""Modules of clients around your own code, and under another client."""

_ENTRIES: Final = re.compile(
    r"aiohttp[.]client:.*[.]_request|(httpx2?[.]_client|requests[.]sessions):.*[.]send"
    r"|botocore[.]client:.*[.]_make_api_call|urllib3[.].*:RequestMethods[.]request"
)
"""Functions that are once in a call: a hook or a body that calls again is a second one."""

_SEND_AGAIN: Final = frozenset({"resolve_redirects", "handle_401", "handle_407", "dispatch_hook"})
"""Functions of requests that send a request again, to a login or with a redirect."""


def doubt_by_frames(parts: Iterable[BaseException], clients: Collection[str]) -> str:
    """Return why the frames of a call do not show all that it has sent; empty if they do.

    A hook, a transport, a session or a login of somebody else runs inside of a call. Then the
    exception may be of a request of its own, or of the last of many. A library around a call may
    have made it before.

    Args:
        parts: an exception of a client, and those that it is made of; or one of your own.
        clients: the first parts of the modules of clients.
    """
    for each in parts:
        client, entries = "", set[str]()
        for frame in frames_of(each):
            library = frame.library
            if library in sys.stdlib_module_names or library.startswith("leeward"):
                continue
            is_client = library in clients or frame.module.startswith(("boto3.", "django.db."))
            if is_client and not frame.module.startswith(_NEUTRAL):
                is_below = client in ("", library) or library in _BELOW.get(client, ())
                if frame.place in entries or not is_below:
                    return _doubt_of_inner(frame, client)
                if doubt := _doubt_of_client(frame):
                    return doubt
                client = library
                entries.update([frame.place] if _ENTRIES.fullmatch(frame.place) else ())
            elif not is_client and not _calls_once(
                frame.distribution, "" if client else frame.place
            ):
                if client:
                    return _doubt_of_inner(frame, client)
                if frame.distribution:
                    return _doubt_of(frame.distribution)
    return ""


def _doubt_of_inner(frame: Frame, client: str) -> str:
    inner = frame.module or "code without a module"
    return f"{inner} was called inside of {client}, and may have sent more"


def _doubt_of_client(frame: Frame) -> str:
    """Return why a frame of a client may have sent more than one request."""
    library = frame.library
    if not frame.distribution.startswith(library.replace("_", "-")):
        return f"{frame.module} is not of a distribution that is known as {library}"
    if frame.is_cleared:
        return f"the frames are cleared, and with them what {library} had sent before"
    if library == "requests" and frame.function in _SEND_AGAIN:
        return "requests had sent another request before, and got an answer"
    if library in _ONE_REQUEST and not _ONE_REQUEST[library].match(frame.place):
        return f"{frame.module} may have sent several requests"
    return ""


def doubt_by_class(error: BaseException, clients: Collection[str]) -> str:
    """Return why the cause of an exception proves nothing; empty if its class is one of your own.

    A library that is not known here may have called again before it gave up.
    """
    module = type(error).__module__
    owner = distribution_of(file_of(module))
    is_known = module.partition(".")[0] in clients or _calls_once(owner, "")
    return "" if error.__cause__ is None or is_known or not owner else _doubt_of(owner)


@cache
def _habits() -> dict[str, dict[str, Any]]:
    """Return what the index of retry safety (``index/``) knows of a distribution.

    Code that ``once`` matches sends nothing itself and calls what it is given once. ``calls`` is
    how often others send a usual call at most, if its answers are lost.
    """
    habits: dict[str, dict[str, Any]] = json.loads(get_data("leeward_ran", "habits.json") or b"")
    return habits


def _calls_once(owner: str, place: str) -> bool:
    return bool(re.fullmatch(_habits().get(owner, {}).get("once", "-"), place))


def _doubt_of(owner: str) -> str:
    if _habits().get(owner, {}).get("calls", 1) > 1:
        return f"{owner} calls again by itself, and proves nothing of earlier calls"
    return f"it is not known whether {owner} had called before; if not, ask of the __cause__"


def doubt_by_retries(error: BaseException, judge: Judge) -> str:
    """Return why earlier attempts may have run; empty if no library here has made any.

    Args:
        error: of the last attempt.
        judge: returns what an earlier exception proves by itself.
    """
    for frame in frames_of(error):
        proves_all = _ATTEMPTS.get(frame.library)
        if proves_all is None or not frame.distribution:
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


_ATTEMPTS: Final[dict[str, Callable[[Frame, BaseException, Judge], bool]]] = {
    "azure": lambda frame, *_: azure_proves_all(frame),
    "backoff": _proves_all_of_backoff,
    "google": _proves_all_of_google,
    "tenacity": _proves_all_of_tenacity,
}
"""By library: whether a frame of it proves that no attempt before the last one ran."""
