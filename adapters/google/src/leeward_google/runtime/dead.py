"""Dead letters of Pub/Sub: a topic of the function's own project gets what is given up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from leeward.adapter import Driver, Result, TargetConfig
from leeward.adapter.queues import QueueCall, ask
from leeward.app.kit import DeadLetters, SystemClock


def dead_letters(topics: Mapping[str, str] | None) -> DeadLetters:
    """Return the dead-letter topics of an app; the target is opened when one is first needed."""

    @cache
    def target() -> Driver:
        from leeward_google.driver import open_driver

        return open_driver(TargetConfig("google", "google", None, {}, os.environ))

    def perform(call: QueueCall, seconds: float) -> Result[Any]:
        return ask(target(), call, seconds)

    return DeadLetters(topics or {}, perform, SystemClock())
