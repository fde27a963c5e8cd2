"""Faults of the spool, of the relay and of outboxes."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a kept event is published by whoever shares the spool",
        "src/leeward/_delivery/relay.py Relay.serve",
        "filter(self.is_own, recipients)",
        "recipients",
        "tests/spool/test_owners.py::test_what_another_owner_keeps_is_left_to_it",
    ),
    Mutant(
        "an event overtakes an earlier one of its key in the spool",
        "src/leeward/_delivery/spool.py Spool._needs_look",
        "call.events[0].ordering_key is not None and self.exists",
        "False",
        "tests/spool/test_spool.py::test_events_of_a_key_wait_behind_each_other",
    ),
    Mutant(
        "an event that may be published is raised instead of kept",
        "src/leeward/_delivery/relay.py",
        "{Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE, Outcome.LOCAL, Outcome.AMBIGUOUS}",
        "{Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNUSABLE, Outcome.LOCAL}",
        "tests/spool/test_spool.py::test_an_event_that_no_target_takes_is_kept_and_published_later",
    ),
    Mutant(
        "a full spool takes one more event",
        "src/leeward/_delivery/spool.py Spool._reserve",
        "self._events + len(rows)",
        "self._events",
        "tests/spool/test_spool.py::test_a_full_spool_refuses_what_comes_and_keeps_what_it_has",
    ),
    Mutant(
        "an event goes to a target that its call did not name",
        "src/leeward/_delivery/spool.py Spool._keep",
        "WaitingCall(..., only, now)",
        "WaitingCall(..., (), now)",
        "tests/spool/test_spool.py::test_an_event_that_is_meant_for_one_target_goes_there_alone",
    ),
    Mutant(
        "an unsafe call of an outbox is made again although it may have arrived",
        "src/leeward/_delivery/relay.py Relay._judge",
        "Outcome.AMBIGUOUS",
        "Outcome.CONFLICT",
        "tests/postgres/test_outbox.py::test_a_queued_call_is_relayed_by_its_effect",
    ),
)
