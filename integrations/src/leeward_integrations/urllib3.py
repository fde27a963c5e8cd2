"""urllib3 and requests: call again only where it is proved that nothing ran.

``session.mount("https://", HTTPAdapter(max_retries=retries_if_did_not_run()))``
"""

from __future__ import annotations

from typing import Any

from urllib3.util import Retry


def retries_if_did_not_run(times: int = 3, *, backoff: float = 0.1) -> Retry:
    """Return a `Retry` for all methods: only connections that could not be made are made again.

    Args:
        times: that a connection is tried again.
        backoff: seconds of the first wait, doubled each time.
    """
    never: Any = dict.fromkeys(("read", "redirect", "status", "other"), 0)
    return Retry(times, connect=times, allowed_methods=None, backoff_factor=backoff, **never)
