"""Libraries that call again: a proof of the last attempt proves nothing of those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from leeward_integrations.ran.frames import Frame, frames_of

DECIDES_BY_PROOF: Final = "leeward_decides_by_proof"
"""An attribute of a predicate that allows a retry only where it is proved that nothing ran."""


def retries_around(error: BaseException) -> str:
    """Return why earlier attempts may have run; empty if no library here has made any."""
    for frame in frames_of(error):
        library = frame.module.partition(".")[0]
        if (first := _ATTEMPTS.get(library)) is not None and not first(frame):
            return f"{library} called again, and proves nothing of the attempts before the last"
    return ""


def _is_first_of_tenacity(frame: Frame) -> bool:
    """Return whether a frame of tenacity shows a first attempt, or a predicate that goes by proof.

    Its state is in `__call__` of both kinds; where a loop is written out, in `iter` and `__exit__`.
    """
    state = frame.values.get("retry_state")
    number = getattr(state, "attempt_number", None)
    if number is None:
        return True  # a frame that only passes on; another one has the state
    return number == 1 or goes_by_proof(getattr(state.retry_object, "retry", None))


def goes_by_proof(predicate: Any) -> bool:
    """Return whether a predicate of tenacity retries only what is proved not to have run."""
    if getattr(predicate, DECIDES_BY_PROOF, False):
        return True
    parts = getattr(predicate, "retries", None)  # of retry_all and retry_any
    if not isinstance(parts, tuple) or not parts:
        return False
    needed = all if type(predicate).__name__ == "retry_any" else any
    return needed(goes_by_proof(part) for part in parts)


def _is_first_of_backoff(frame: Frame) -> bool:
    tries = frame.values.get("tries")
    return frame.function != "retry" or tries == 1


def _never(_frame: Frame) -> bool:
    return False


_ATTEMPTS: Final[dict[str, Callable[[Frame], bool]]] = {
    "aiohttp_retry": _never,
    "backoff": _is_first_of_backoff,
    "httpx_retries": _never,
    "opnieuw": _never,
    "retry": _never,
    "retrying": _never,
    "tenacity": _is_first_of_tenacity,
}
"""By library: whether a frame of it shows that no attempt came before. stamina uses tenacity."""
