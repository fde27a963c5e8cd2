"""Faults in what becomes of what a cloud delivers."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_TRIGGERS: Final = "tests/app/test_triggers.py"
_WRAPPINGS: Final = "tests/app/test_wrappings.py"
_PAYLOAD: Final = "src/leeward/app/idempotency/digests.py"

MUTANTS: Final = (
    Mutant(
        "a bus that configuration has given another name keeps its handlers out",
        "src/leeward/app/host.py",
        "if taker.bus == bus] if self.has_bus(bus) else takers",
        "if bus in (None, taker.bus)]",
        f"{_TRIGGERS}::test_a_deployment_for_all_hands_each_delivery_to_who_takes_it",
    ),
    Mutant(
        "an event of a bus of which the app has no handler is acknowledged",
        "src/leeward/app/host.py",
        "                return self.no_function()\n            log_event",
        "                return None\n            log_event",
        f"{_TRIGGERS}::test_a_bus_that_nobody_subscribes_to_is_not_acknowledged",
    ),
    Mutant(
        "what tells of no written object is acknowledged in silence",
        "src/leeward/app/host.py",
        "        if not events:\n",
        "        if False:\n",
        f"{_TRIGGERS}::test_nothing_is_acknowledged_in_silence",
    ),
    Mutant(
        "an event of a topic goes to the handler of the queue of that name",
        "adapters/google/src/leeward_google/runtime/pushes.py",
        "if run.host.has_bus(bus):",
        "if False:",
        f"{_TRIGGERS}::test_a_deployment_for_all_hands_each_delivery_to_who_takes_it",
    ),
    Mutant(
        "an event in a notification goes to the handler of the queue of that name",
        "adapters/aws/src/leeward_aws/runtime/notifications.py",
        "is_bus = run.host.has_bus(topic)",
        "is_bus = False",
        f"{_TRIGGERS}::test_a_deployment_for_all_hands_each_delivery_to_who_takes_it",
    ),
    Mutant(
        "the attributes of a message are among what it is about",
        _PAYLOAD,
        'return {"message": value.body}',
        'return {"message": [value.body, value.attributes]}',
        f"{_WRAPPINGS}::test_a_message_is_one_however_it_comes",
    ),
    Mutant(
        "the time of an event is among what it is about",
        _PAYLOAD,
        "value.type, value.data]",
        "value.type, value.data, value.time]",
        f"{_WRAPPINGS}::test_an_event_is_one_however_it_comes",
    ),
    Mutant(
        "records of an earlier version are refused as another payload's",
        _PAYLOAD,
        'return kept.rpartition(":")[0] != claimed.rpartition(":")[0]',
        "return False",
        f"{_WRAPPINGS}::test_the_records_of_an_earlier_version_hold",
    ),
    Mutant(
        "the objects of one request are one event",
        "adapters/aws/src/leeward_aws/runtime/notifications.py",
        'item.get(each) for each in ("key", "versionId", "sequencer")]',
        'item.get(each) for each in ("versionId", "sequencer")]',
        f"{_TRIGGERS}::test_each_object_of_one_request_is_an_event_of_its_own",
    ),
    Mutant(
        "a handler of objects acknowledges what another service tells",
        "adapters/azure/src/leeward_azure/runtime/objects.py",
        "or not str(event.type).startswith(_EVENTS):",
        "or not str(event.type):",
        f"{_TRIGGERS}::test_a_handler_of_objects_passes_over_its_own_store_alone",
    ),
    Mutant(
        "an attribute is taken for a header whose name begins likewise",
        "adapters/google/src/leeward_google/runtime/pushes.py",
        "if name not in _OWN_HEADERS}",
        "if not name.startswith(tuple(_OWN_HEADERS))}",
        f"{_TRIGGERS}::test_an_unwrapped_message_keeps_its_attributes",
    ),
    Mutant(
        "a call whose payload looks like a push is taken for one",
        "adapters/google/src/leeward_google/runtime/pushes.py",
        "(DEADLINE in headers or not _is_push(document))",
        "DEADLINE in headers",
        f"{_TRIGGERS}::test_a_call_that_looks_like_a_push_is_a_call",
    ),
    Mutant(
        "the headers of a balancer that tells all values are lost",
        "adapters/aws/src/leeward_aws/runtime/gateway.py",
        '(event["multiValueHeaders"] if tells_all(event) else event.get("headers")) or {}',
        'event.get("headers") or {}',
        f"{_TRIGGERS}::test_a_balancer_that_tells_all_values_is_heard_and_answered",
    ),
    Mutant(
        "an error whose class raises ends the platform's run",
        "src/leeward/app/handlers.py",
        "    except Exception:  # noqa: BLE001 - somebody else's class: what a property does\n",
        "    except ZeroDivisionError:\n",
        "tests/app/test_core.py::test_an_error_whose_class_raises_is_a_failure_like_any_other",
    ),
    Mutant(
        "a result that no item holds is not kept",
        "src/leeward/app/idempotency/record.py",
        "    if record.state is not KeyState.COMPLETED:\n        return None\n",
        "    return None\n",
        "tests/app/idempotent/test_repeats.py::"
        "test_a_repeat_gets_what_a_table_cannot_keep_as_it_goes_over_a_wire",
    ),
    Mutant(
        "what is for the handler of a queue calls a function, past the queue",
        "adapters/aws/src/leeward_aws/functions/plans.py",
        "    if call.to_queue:\n",
        "    if False:\n",
        "tests/aws/test_functions.py::test_what_is_for_a_queue_goes_into_it",
    ),
    Mutant(
        "a client does not know the queues of its app",
        "src/leeward/opening.py",
        "queue = True if known.queue is None else known.queue",
        "queue = known.queue",
        "tests/client/test_methods.py::"
        "test_what_is_a_queue_is_known_of_the_app_or_of_the_configuration",
    ),
    Mutant(
        "an object is claimed for the handlers of an app that are there so far",
        "src/leeward/local/object_events.py",
        "        known = self._handlers.copy()\n",
        "        known = self._handlers\n",
        "tests/local/test_object_events.py::"
        "test_an_object_that_nobody_was_told_of_reaches_all_handlers_of_an_app",
    ),
    Mutant(
        "what a process without handlers puts is told to nobody",
        "src/leeward/local/object_events.py",
        "if takers or is_left:",
        "if takers:",
        "tests/local/test_object_events.py::"
        "test_what_a_process_without_handlers_puts_is_told_later",
    ),
    Mutant(
        "an app that runs here hears nothing of a bus that has another name, in silence",
        "src/leeward/opening.py",
        "for handler in app.handlers.values() if runs_apps else ():",
        "for handler in ():",
        "tests/test_name_mapping.py::test_an_app_hears_of_a_bus_or_bucket_by_its_own_name_alone",
    ),
)
