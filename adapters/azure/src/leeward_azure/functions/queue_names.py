"""Which service a queue is of, by its name: ``servicebus:NAME``, else Queue storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from leeward.errors import Unsupported

if TYPE_CHECKING:
    from leeward.adapter.plans import Plan, Planner, View
    from leeward_azure.settings.options import Settings

SERVICE_BUS: Final = "servicebus:"

JSON: Final = "json"
"""The type of an attribute that is a number or a truth value, as JSON has it."""

VERBS: Final = ("put_message", "take_messages", "remove_message", "hide_message")


def messages(settings: Settings) -> dict[str, Planner]:
    """Return the planners of what is asked of a queue, of either service."""
    return {verb: _planner(settings, verb) for verb in VERBS}


def _planner(settings: Settings, verb: str) -> Planner:
    def plan(call: Any, view: View) -> Plan:
        if call.queue.startswith(SERVICE_BUS):
            if settings.service_bus is None:
                raise Unsupported(
                    f"{call.queue!r} is of Service Bus: set service_bus_connection_string or "
                    "service_bus_url"
                )
            from leeward_azure.functions import service_bus

            named = call._replace(queue=call.queue.removeprefix(SERVICE_BUS))
            return (yield from service_bus.messages(settings.service_bus)[verb](named, view))
        if settings.queues is None:
            raise Unsupported(
                f"{call.queue!r} is of Queue storage: set storage_connection_string or "
                "storage_queue_url"
            )
        from leeward_azure.functions import messages as storage

        return (yield from storage.messages(settings.queues)[verb](call, view))

    return plan
