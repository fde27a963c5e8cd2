"""The wait until what was made does its work: rights, rules and subscriptions take a while."""

from __future__ import annotations

import time
from typing import Final
from uuid import uuid4

from leeward import Client, Config, LeewardError
from leeward_contract_tests.fixtures import EVENTS, SEEN

_LONGEST: Final = 300.0
"""Seconds until something arrives; no cloud names a limit."""

_PAUSE: Final = 1.0


def wait_for_delivery(config: Config) -> None:
    """Publish until an event arrives.

    Raises:
        TimeoutError: none does.
    """
    probe = f"probe-{uuid4()}"
    until, error = time.monotonic() + _LONGEST, None
    with Client(config=config) as client:
        while time.monotonic() < until:
            try:
                client.publish_event(EVENTS, "contract.probe", id=probe)
                time.sleep(_PAUSE)
                if client.invoke(SEEN, {"id": probe}, effect="read_only").value:
                    return
            except LeewardError as refused:
                error = refused
                time.sleep(_PAUSE)
    raise TimeoutError(f"for {_LONGEST:.0f} seconds the bus has delivered nothing") from error
