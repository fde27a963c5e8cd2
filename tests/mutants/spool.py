"""Faults of the spool, of the relay and of outboxes."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

SPOOL: Final = "src/leeward/_delivery/spool.py"
RELAY: Final = "src/leeward/_delivery/relay.py"
OUTBOXES: Final = "adapters/postgres/src/leeward_postgres/outboxes.py"
TESTS: Final = "tests/spool/test_spool.py"
DATABASE: Final = "tests/postgres/test_outbox.py"
OWNERS: Final = "tests/spool/test_owners.py"

MUTANTS: Final = (
    Mutant(
        "a kept event is published by whoever shares the spool",
        RELAY,
        "        for recipient in filter(self.is_own, recipients):",
        "        for recipient in recipients:",
        f"{OWNERS}::test_what_another_owner_keeps_is_left_to_it",
    ),
    Mutant(
        "a kept event goes to a target that its bus did not have",
        RELAY,
        "                if not {*owner.targets}.issuperset(able):",
        "                if not able:",
        f"{OWNERS}::test_an_event_of_a_group_goes_to_its_targets_alone",
    ),
    Mutant(
        "an event overtakes one that a version of another order has kept",
        RELAY,
        "        return [own, *(each for each in others if each != own)]",
        "        return [own]",
        f"{OWNERS}::test_a_later_event_of_a_key_waits_behind_that_of_another_order",
    ),
    Mutant(
        "a stage takes what another one has kept",
        "src/leeward/stores.py",
        "            self.stage == kept.stage\n            and (self.app",
        "            (self.app",
        f"{OWNERS}::test_who_may_take_what_is_kept",
    ),
    Mutant(
        "an event overtakes an earlier one of its key in the spool",
        SPOOL,
        "        return call.events[0].ordering_key is not None and self.exists",
        "        return False",
        f"{TESTS}::test_events_of_a_key_wait_behind_each_other",
    ),
    Mutant(
        "an event is kept without its key",
        RELAY,
        "            lane, key = event.ordering_key, join_key",
        "            lane, key = None, join_key",
        f"{TESTS}::test_events_of_a_key_wait_behind_each_other",
    ),
    Mutant(
        "an event that may be published is raised instead of kept",
        RELAY,
        "Outcome.LOCAL, Outcome.AMBIGUOUS}",
        "Outcome.LOCAL}",
        f"{TESTS}::test_an_event_that_no_target_takes_is_kept_and_published_later",
    ),
    Mutant(
        "an event waits for a bus that does not exist",
        RELAY,
        "    {Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE,",
        "    {Outcome.NOT_FOUND, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE,",
        f"{TESTS}::test_what_a_target_refuses_for_good_is_raised",
    ),
    Mutant(
        "a full spool takes one more event",
        SPOOL,
        "if self._events + len(rows) > limits.max_events:",
        "if self._events > limits.max_events:",
        f"{TESTS}::test_a_full_spool_refuses_what_comes_and_keeps_what_it_has",
    ),
    Mutant(
        "a full spool says of an unknown event that it was not published",
        "src/leeward/_operations/errors.py",
        "    if result.reason == SPOOL_FULL and result.outcome is not Outcome.AMBIGUOUS:",
        "    if result.reason == SPOOL_FULL:",
        f"{TESTS}::test_a_full_spool_refuses_what_comes_and_keeps_what_it_has",
    ),
    Mutant(
        "an event that is too old is published",
        RELAY,
        "        if clock.now() - waiting.since > self._max_age:",
        "        if clock.now() - waiting.since > 1e9:",
        f"{TESTS}::test_what_waits_too_long_is_given_up_and_told",
    ),
    Mutant(
        "an event waits on a disk that ends with the function",
        "src/leeward/config/load.py",
        "        if env.get(variable) and spool.target is None and not spool.volume:",
        "        if env.get(variable) and spool.target and not spool.volume:",
        f"{TESTS}::test_a_disk_that_ends_with_the_instance_is_refused",
    ),
    Mutant(
        "an event goes to a target that its call did not name",
        SPOOL,
        "WaitingCall(Publish(call.bus, (call.events[at],)), only, now)",
        "WaitingCall(Publish(call.bus, (call.events[at],)), (), now)",
        f"{TESTS}::test_an_event_that_is_meant_for_one_target_goes_there_alone",
    ),
    Mutant(
        "an event that was not kept counts as kept",
        SPOOL,
        "            entries[at] = _KEPT if flaw is None else _join(entries[at], flaw)",
        "            entries[at] = _KEPT",
        f"{TESTS}::test_a_file_that_cannot_be_used_leaves_the_calls_own_error",
    ),
    Mutant(
        "an unsafe call of an outbox is made again although it may have arrived",
        RELAY,
        "        if outcome is Outcome.AMBIGUOUS and is_unsafe:",
        "        if outcome is Outcome.CONFLICT and is_unsafe:",
        f"{DATABASE}::test_a_queued_call_is_relayed_by_its_effect",
    ),
    Mutant(
        "an outbox writes where no transaction is open",
        OUTBOXES,
        "    if connection.autocommit and connection.info.transaction_status == _IDLE:",
        "    if connection.closed:",
        f"{DATABASE}::test_what_is_no_transaction_is_refused",
    ),
)
"""Faults, each with the test that must see it."""
