"""Dead letters of Pub/Sub: a topic of the function's own project gets what is given up."""

from __future__ import annotations

import os
from collections.abc import Mapping

from leeward.adapter import TargetConfig
from leeward.app.kit import DeadLetters, Perform, dead_letters_at


def dead_letters(topics: Mapping[str, str] | None) -> DeadLetters:
    """Return the dead-letter topics of an app; the target is opened when one is first needed."""

    def target() -> Perform:
        from leeward_google.driver import open_driver

        return open_driver(TargetConfig("google", "google", None, {}, os.environ)).perform

    return dead_letters_at(topics, target)
