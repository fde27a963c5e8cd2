"""When what an app shares is made: while Lambda loads it, unless that is kept as a snapshot."""

from __future__ import annotations

import os
from typing import Final

from leeward.app.kit import Host

_SNAPSHOT: Final = "snap-start"
_TYPE: Final = "AWS_LAMBDA_INITIALIZATION_TYPE"


def before_first_call(host: Host) -> None:
    """Make what the app shares while Lambda loads the function, whose time is not charged by calls.

    Before a snapshot nothing is made: connections would not outlive it, and every copy would have
    the same random numbers.
    """
    if os.environ.get(_TYPE, _SNAPSHOT) != _SNAPSHOT:
        host.warm_up_early()
