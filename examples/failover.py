"""Failover: the first target is broken on purpose, and the call is served by the next."""

from __future__ import annotations

from leeward import AllTargetsUnavailable, Client
from leeward.local import Local
from leeward.testing import FakeClock, Fault, FaultyDriver


def target(name: str) -> FaultyDriver:
    """Deploy the function to a target that can be broken."""
    local = Local(name)
    local.function("send-receipt")(lambda order: f"receipt {order} sent by {name}")
    return FaultyDriver(local)


def main() -> None:
    """Break one target, then both."""
    first, second = target("local:a"), target("local:b")
    # The clock is fake only so that the pauses between attempts take no time here.
    with Client([first, second], clock=FakeClock()) as cloud:
        print("both are up:  ", cloud.invoke("send-receipt", "42").value)

        first.fail(Fault.REFUSE)
        answer = cloud.invoke("send-receipt", "42")
        print("a is down:    ", answer.value)
        for attempt in answer.attempts:
            print(f"               {attempt.target} {attempt.outcome.value}")

        second.fail(Fault.THROTTLE)
        try:
            cloud.invoke("send-receipt", "42")
        except AllTargetsUnavailable as error:
            print("both are down:", error)


if __name__ == "__main__":
    main()
