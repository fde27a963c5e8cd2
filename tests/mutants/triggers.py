"""Faults in what becomes of what a cloud delivers."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a bus that configuration has given another name keeps its handlers out",
        "src/leeward/app/host.py Host.subscribers",
        "[taker for taker in takers if taker.bus == bus] if self.has_bus(bus) else takers",
        "[taker for taker in takers if bus in (None, taker.bus)]",
        "tests/app/test_triggers.py::test_a_deployment_for_all_hands_each_delivery_to_who_takes_it",
    ),
    Mutant(
        "an event of a topic goes to the handler of the queue of that name",
        "adapters/google/src/leeward_google/runtime/pushes.py handle",
        "run.host.has_bus(bus)",
        "False",
        "tests/app/test_triggers.py::test_a_deployment_for_all_hands_each_delivery_to_who_takes_it",
    ),
    Mutant(
        "the attributes of a message are among what it is about",
        "src/leeward/app/idempotency/digests.py _identity",
        "value.body",
        "[value.body, value.attributes]",
        "tests/app/test_wrappings.py::test_a_message_is_one_however_it_comes",
    ),
    Mutant(
        "a handler of objects acknowledges what another service tells",
        "adapters/azure/src/leeward_azure/runtime/objects.py _created_in",
        "str(event.type).startswith(_EVENTS)",
        "str(event.type)",
        "tests/app/test_triggers.py::test_a_handler_of_objects_passes_over_its_own_store_alone",
    ),
    Mutant(
        "the headers of a balancer that tells all values are lost",
        "adapters/aws/src/leeward_aws/runtime/gateway.py request_of",
        "event['multiValueHeaders'] if tells_all(event) else event.get('headers')",
        "event.get('headers')",
        "tests/app/test_triggers.py::test_a_balancer_that_tells_all_values_is_heard_and_answered",
    ),
    Mutant(
        "a result that no item holds is not kept",
        "src/leeward/app/idempotency/record.py with_text",
        "if record.state is not KeyState.COMPLETED:\n    return None",
        "return None",
        "tests/app/idempotent/test_repeats.py::"
        "test_a_repeat_gets_what_a_table_cannot_keep_as_it_goes_over_a_wire",
    ),
    Mutant(
        "a client does not know the queues of its app",
        "src/leeward/opening.py _with_app",
        "True if known.queue is None else known.queue",
        "known.queue",
        "tests/client/test_methods.py::"
        "test_what_is_a_queue_is_known_of_the_app_or_of_the_configuration",
    ),
)
