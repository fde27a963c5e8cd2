"""Faults of settling writes, events, starts and queued calls."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a store takes place after it was settled",
        "src/leeward/local/tables.py _store",
        "if rows and rows[-1][0] is None:\n    return LATE_WRITE",
        "rows = [row for row in rows if row[0] is not None]",
        "tests/local/test_settlements.py::test_every_interleaving_is_settled_as_it_is",
    ),
    Mutant(
        "an object is put after it was settled",
        "src/leeward/local/objects.py Objects._put",
        "if is_settled(connection, call.write_id):\n    return LATE_WRITE\n...",
        "...",
        "tests/local/test_settlements.py::test_every_interleaving_is_settled_as_it_is",
    ),
    Mutant(
        "that a write ran is not kept, and a late request runs it again",
        "src/leeward/local/settlements.py Settlements.settle",
        "ran = ...\nif verdict is None:\n    ...",
        "ran = ...\nif verdict is None and (not ran):\n    ...",
        "tests/clouds/test_lost_writes.py::test_every_lost_write_is_settled[local]",
    ),
    Mutant(
        "it is looked in one transaction, and the verdict kept in another",
        "src/leeward/local/settlements.py Settlements.settle",
        "with self._database.write(timeout) as connection:\n"
        "    verdict = connection.execute(_VERDICT, (id,)).fetchone()\n"
        "    ran = _has_run(connection, write) if verdict is None else verdict[0]\n"
        "    if verdict is None:\n"
        "        connection.execute(_KEEP_VERDICT, (id, ran, now))\n"
        "        connection.execute(_PRUNE, (now - KEPT_SECONDS,))",
        "with self._database.write(timeout) as connection:\n"
        "    verdict = connection.execute(_VERDICT, (id,)).fetchone()\n"
        "    ran = _has_run(connection, write) if verdict is None else verdict[0]\n"
        "with self._database.write(timeout) as connection:\n"
        "    if verdict is None and (not ran):\n"
        "        connection.execute(_KEEP_VERDICT, (id, ran, now))\n"
        "        connection.execute(_PRUNE, (now - KEPT_SECONDS,))",
        "tests/local/test_settlements.py::test_nothing_comes_between_the_look_and_the_verdict",
    ),
    Mutant(
        "a store that was overwritten counts as not run",
        "src/leeward/local/schema.py",
        "'UPDATE OF revision ON items'",
        "'UPDATE OF name ON items'",
        "tests/local/test_settlements.py::test_every_interleaving_is_settled_as_it_is",
    ),
    Mutant(
        "a deletion of an item leaves no trace",
        "src/leeward/local/tables.py _delete",
        "keep_write(connection, call.write_id)",
        "pass",
        "tests/local/test_settlements.py::test_every_interleaving_is_settled_as_it_is",
    ),
    Mutant(
        "what may have been pruned counts as not run",
        "src/leeward/local/settlements.py _has_run",
        "False if is_younger and time_of_id(write.write_id) is not None else None",
        "False",
        "tests/local/test_settlements.py::test_only_what_may_be_pruned_is_unknown",
    ),
    Mutant(
        "a verdict goes before the last request may have come",
        "src/leeward/local/settlements.py Settlements.settle",
        "now - KEPT_SECONDS",
        "now",
        "tests/local/test_settlements.py::test_a_settlement_outlives_every_request",
    ),
    Mutant(
        "a target that settles writes is only looked at",
        "src/leeward/_operations/settling_data.py settle_write",
        "Capability.SETTLING in capabilities",
        "False",
        "tests/clouds/test_lost_writes.py::test_every_lost_write_is_settled[local]",
    ),
    Mutant(
        "a write without a condition replaces a newer one",
        "src/leeward/_operations/settling_looks.py trace_of",
        "asks_for_nothing or was_changed or (not _is_older(there.write_id, write.write_id))",
        "asks_for_nothing or was_changed",
        "tests/client/test_settling.py::test_what_cannot_be_decided_stays_unknown",
    ),
    Mutant(
        "what another program has changed is replaced",
        "src/leeward/_operations/settling_looks.py trace_of",
        "asks_for_nothing or was_changed or (not _is_older(there.write_id, write.write_id))",
        "asks_for_nothing or not _is_older(there.write_id, write.write_id)",
        "tests/client/test_settling.py::test_what_cannot_be_decided_stays_unknown",
    ),
    Mutant(
        "a deletion whose revision is gone counts as the one that took it",
        "src/leeward/_operations/settling_looks.py _trace_in_nothing",
        "WriteTrace(ReadBackVerdict.LOST, 'gone')",
        "_GONE",
        "tests/client/test_settling.py::test_what_cannot_be_decided_stays_unknown",
    ),
    Mutant(
        "a lost race is not looked at",
        "src/leeward/_operations/settling_data.py settle_write",
        "sent is not None and sent.outcome is Outcome.OK",
        "sent is not None",
        "tests/client/test_settling.py::test_a_race_is_looked_at_again",
    ),
    Mutant(
        "a run with another input counts as this one",
        "src/leeward/_operations/settling_data.py settle_start",
        "has_input(found, call.input)",
        "True",
        "tests/client/test_settling.py::test_a_start_is_settled_by_its_run",
    ),
    Mutant(
        "a queued call that is unsafe to repeat is queued again",
        "src/leeward/_operations/settling.py _settle_enqueue",
        "call.effect is Effect.UNSAFE",
        "False",
        "tests/client/test_settling.py::test_a_queued_call_is_queued_again_where_that_does_no_harm",
    ),
)
