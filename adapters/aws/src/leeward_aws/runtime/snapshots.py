"""When what an app shares is made: while Lambda loads it, and anew where a snapshot is restored."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from leeward.app.kit import App, log_event

_SNAPSHOT: Final = "snap-start"
_TYPE: Final = "AWS_LAMBDA_INITIALIZATION_TYPE"


def before_first_call(app: App) -> None:
    """Make what the app shares while Lambda loads the function, whose time is not charged by calls.

    What fails is made again before the first call, and fails there. Before a snapshot nothing is
    made: connections would not outlive it, and every copy would have the same random numbers.
    """
    if os.environ.get(_TYPE) is None or os.environ.get(_TYPE) == _SNAPSHOT:
        return
    try:
        app.warm_up()
    except BaseException as error:  # noqa: BLE001 - told by the first call, which tries again
        with suppress(Exception):
            log_event("leeward.app", "warning", "warm_up_failed", error=type(error).__name__)
