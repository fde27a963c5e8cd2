"""Calls that begin with two commands at once: by hand, whatever the hedging rules say."""

from __future__ import annotations

import pytest

from leeward._routing import call as machine
from leeward._routing import execution
from leeward._routing.attempts import Core, Decision, dispatch
from leeward._routing.commands import Pause
from leeward.adapter import Call


def two_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let every call begin with an attempt at the first target and one at the second."""

    def begin(
        core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...]
    ) -> Decision:
        state, first = machine.begin(core, call, started, timeout, only)
        state, second = dispatch(state, state.able[1], started, "hedge")
        return state, first + second

    patch.setattr(execution, "begin", begin)


def second_after_a_pause(patch: pytest.MonkeyPatch) -> None:
    """Let every call begin with an attempt at the first target; after 0.1 s, ask the second too."""

    def begin(
        core: Core, call: Call, started: float, timeout: float, only: tuple[str, ...]
    ) -> Decision:
        state, first = machine.begin(core, call, started, timeout, only)
        return state, (*first, Pause(0.1, state.able[1]))

    patch.setattr(execution, "begin", begin)
