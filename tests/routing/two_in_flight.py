"""Calls that begin with two commands at once: by hand, because nothing hedges yet."""

from __future__ import annotations

import pytest

from leeward.adapter import Call
from leeward.routing import call as machine
from leeward.routing import execution
from leeward.routing.call import Decision, Pause
from leeward.routing.policy import RoutingPolicy
from leeward.routing.select import Targets


def two_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let every call begin with an attempt at the first target and one at the second."""

    def begin(
        call: Call, targets: Targets, policy: RoutingPolicy, started: float, timeout: float
    ) -> Decision:
        state, first = machine.begin(call, targets, policy, started, timeout)
        state, second = machine.dispatch(state, targets.order[1], started)
        return state, first + second

    patch.setattr(execution, "begin", begin)


def second_after_a_pause(patch: pytest.MonkeyPatch) -> None:
    """Let every call begin with an attempt at the first target; after 0.1 s, ask the second too."""

    def begin(
        call: Call, targets: Targets, policy: RoutingPolicy, started: float, timeout: float
    ) -> Decision:
        state, first = machine.begin(call, targets, policy, started, timeout)
        return state, (*first, Pause(0.1, targets.order[1]))

    patch.setattr(execution, "begin", begin)
