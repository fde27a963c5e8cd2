from collections.abc import Callable
from typing import Any

import pytest

from leeward.errors import ConfigError, Outcome
from leeward.local import Context, Local
from leeward.values import Event
from tests.local.calls import PATIENT, event, publish, value_of


def test_subscribers_choose_bus_and_type(cloud: Local) -> None:
    """An event goes to each subscriber of its bus that takes its type."""
    seen: list[str] = []

    def subscriber(name: str) -> Callable[[Event], None]:
        return lambda event: seen.append(f"{name}-{event.id}")

    cloud.subscribe("orders", "order.created", name="typed")(subscriber("typed"))
    cloud.subscribe("orders", name="all")(subscriber("all"))
    cloud.subscribe("other", name="all")(subscriber("other"))
    cloud.perform(publish(event("1"), event("2", "order.paid")), 5)
    cloud.wait_idle(PATIENT)
    assert sorted(seen) == ["all-1", "all-2", "typed-1"]


def test_an_event_without_a_subscriber_is_dropped(cloud: Local) -> None:
    """It is OK, and a later subscriber does not get it."""
    seen: list[Event] = []
    assert value_of(cloud.perform(publish(), 5))[0].outcome is Outcome.OK
    cloud.subscribe("orders")(seen.append)
    cloud.perform(publish(event("2")), 5)
    cloud.wait_idle(PATIENT)
    assert [each.id for each in seen] == ["2"]


def test_one_bad_event_does_not_hold_back_the_others(cloud: Local) -> None:
    """Each event has its own result, which names the data and not its content."""
    seen: list[Event] = []
    cloud.subscribe("orders")(seen.append)
    bad, good = value_of(cloud.perform(publish(event("1", data=object()), event("2")), 5))
    assert (bad.outcome, good.outcome) == (Outcome.CALLER, Outcome.OK)
    assert bad.message == "events[0].data is neither JSON nor bytes"
    cloud.wait_idle(PATIENT)
    assert [each.id for each in seen] == ["2"]


def test_the_context_names_the_subscription(cloud: Local) -> None:
    """Source and id together are the key by which an event is recognised."""
    seen: list[Context] = []

    @cloud.subscribe("orders", name="remember")
    def subscriber(event: Event, context: Context) -> None:
        seen.append(context)

    cloud.perform(publish(), 5)
    cloud.wait_idle(PATIENT)
    context = seen[0]
    assert (context.function, context.idempotency_key) == ("remember", "/tests#1")
    assert context.attempt == 1
    assert 0 < context.remaining() <= 30


def remember(event: Event) -> None:
    """Do nothing."""


def test_a_subscription_has_one_name_on_its_bus(cloud: Local) -> None:
    """The default is the qualified name; a second one is refused with the remedy."""
    cloud.subscribe("orders", "a")(remember)
    cloud.subscribe("other", "a")(remember)
    with pytest.raises(ConfigError, match=r"'remember' already.*name="):
        cloud.subscribe("orders", "b")(remember)
    cloud.subscribe("orders", "b", name="second")(remember)
    bus: Any = cloud.native("events")
    assert [(each.bus, each.name) for each in bus.subscriptions] == [
        ("orders", "remember"),
        ("other", "remember"),
        ("orders", "second"),
    ]


class Nameless:
    """A callable without a name of its own."""

    def __call__(self, event: Event) -> None:
        """Do nothing."""


def test_a_nameless_subscriber_needs_a_name(cloud: Local) -> None:
    """A callable object has no qualified name to go by."""
    with pytest.raises(ConfigError, match="name="):
        cloud.subscribe("orders")(Nameless())
    cloud.subscribe("orders", name="nameless")(Nameless())


@pytest.mark.parametrize("bus", ["", remember, None])
def test_a_subscription_needs_a_bus(cloud: Local, bus: Any) -> None:
    """A decorator without its parentheses is noticed at once."""
    with pytest.raises(ConfigError, match=r"@cloud\.subscribe"):
        cloud.subscribe(bus)
