"""Libraries that call again: a proof of the last attempt proves nothing of those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leeward.evidence import Finder as Judge
from leeward_integrations.ran import azure
from leeward_integrations.ran.frames import Frame, frames_of

DECIDES_BY_PROOF: Final = "leeward_decides_by_proof"
"""An attribute of a predicate that allows a retry only where it is proved that nothing ran."""


def retries_around(error: BaseException, judge: Judge) -> str:
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
            return (
                f"{frame.library} called again, and proves nothing of the attempts before the last"
            )
    return ""


def _proves_all_of_tenacity(frame: Frame, _error: BaseException, _judge: Judge) -> bool:
    """Return whether a frame of tenacity shows a first attempt, or a predicate that goes by proof.

    Its state is in `__call__` of both kinds; where a loop is written out, in `iter` and `__exit__`.
    """
    state: Any = frame.values.get("retry_state")
    number = getattr(state, "attempt_number", None)
    if number is None:
        return True  # a frame that only passes on; another one has the state
    return number == 1 or goes_by_proof(getattr(state.retry_object, "retry", None))


def goes_by_proof(predicate: Any) -> bool:
    """Return whether a predicate of tenacity retries only what is proved not to have run."""
    inner = getattr(predicate, "predicate", predicate)  # of retry_if_exception
    if getattr(inner, DECIDES_BY_PROOF, False):
        return True
    parts = getattr(predicate, "retries", None)  # of retry_all and retry_any
    if not isinstance(parts, tuple) or not parts:
        return False
    needed = all if type(predicate).__name__ == "retry_any" else any
    return needed(goes_by_proof(part) for part in parts)


def _proves_all_of_backoff(frame: Frame, _error: BaseException, _judge: Judge) -> bool:
    if frame.function != "retry" or frame.values.get("tries") == 1:
        return True
    return bool(getattr(frame.values.get("giveup"), DECIDES_BY_PROOF, False))


def _proves_all_of_google(frame: Frame, error: BaseException, judge: Judge) -> bool:
    """Return whether each exception in the list of google-api-core proves that nothing ran."""
    if frame.function == "wait_and_retry":  # of uploads: it keeps the last exception alone
        return False
    if frame.values.get("_credential_refresh_attempt"):  # it sends again, with another token
        return False
    failed = frame.values.get("error_list")
    if not frame.module.startswith("google.api_core.retry") or not isinstance(failed, list):
        return True  # a frame that only passes on; another one has the list
    found = [judge(each) for each in failed if each is not error]
    return all(each is not None and each.ran == "no" for each in found)


_ATTEMPTS: Final[dict[str, Callable[[Frame, BaseException, Judge], bool]]] = {
    "aiohttp_retry": lambda *_: False,
    "azure": lambda frame, *_: azure.proves_all(frame),
    "backoff": _proves_all_of_backoff,
    "google": _proves_all_of_google,
    "httpx_retries": lambda *_: False,
    "opnieuw": lambda *_: False,
    "retry": lambda *_: False,
    "retrying": lambda *_: False,
    "tenacity": _proves_all_of_tenacity,
}
"""By library: whether a frame of it proves that no attempt before the last one ran. stamina uses
tenacity."""
