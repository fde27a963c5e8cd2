"""Faults of settling writes, events, starts and queued calls."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_DATA: Final = "src/leeward/_operations/settling_data.py"
_SETTLEMENTS: Final = "src/leeward/local/settlements.py"
_LOOKS: Final = "src/leeward/_operations/settling_looks.py"
_OBJECTS: Final = "src/leeward/local/objects.py"
_OTHERS: Final = "src/leeward/_operations/settling.py"
_SCHEMA: Final = "src/leeward/local/schema.py"
_TABLES: Final = "src/leeward/local/tables.py"

_BY_CLIENT: Final = "tests/client/test_settling.py"
_BY_TARGET: Final = "tests/local/test_settlements.py"
_AGAIN: Final = f"{_BY_CLIENT}::test_it_is_sent_again_where_that_replaces_nothing_else"
_ENOUGH: Final = f"{_BY_CLIENT}::test_a_trace_is_enough"
_EVERY: Final = f"{_BY_TARGET}::test_every_interleaving_is_settled_as_it_is"
_LOST: Final = "tests/clouds/test_lost_writes.py::test_every_lost_write_is_settled[local]"
_QUEUED: Final = f"{_BY_CLIENT}::test_a_queued_call_is_queued_again_where_that_does_no_harm"
_RUNS: Final = f"{_BY_CLIENT}::test_a_start_is_settled_by_its_run"
_UNKNOWN: Final = f"{_BY_CLIENT}::test_what_cannot_be_decided_stays_unknown"

MUTANTS: Final = (
    Mutant(
        "a store takes place after it was settled",
        _TABLES,
        "    if rows and rows[-1][0] is None:\n        return LATE_WRITE\n    current",
        "    rows = [row for row in rows if row[0] is not None]\n    current",
        _EVERY,
    ),
    Mutant(
        "a deletion takes place after it was settled",
        _TABLES,
        "    AND NOT EXISTS (SELECT 1 FROM settlements WHERE id = ?)",
        "    AND ? IS NOT NULL",
        _EVERY,
    ),
    Mutant(
        "a deletion that comes after it was settled is told to have run",
        _TABLES,
        "    if is_settled(connection, call.write_id):\n",
        "    if False:\n",
        f"{_BY_TARGET}::test_a_deletion_of_nothing_has_not_run",
    ),
    Mutant(
        "an object is put after it was settled",
        _OBJECTS,
        "            if is_settled(connection, call.write_id):\n                return LATE_WRITE\n"
        "            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()\n"
        "            before",
        "            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()\n"
        "            before",
        _EVERY,
    ),
    Mutant(
        "an object is deleted after it was settled",
        _OBJECTS,
        "            if is_settled(connection, call.write_id):\n                return LATE_WRITE\n"
        "            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()\n"
        "            if",
        "            row = connection.execute(_FIND, (call.bucket, call.name)).fetchone()\n"
        "            if",
        _EVERY,
    ),
    Mutant(
        "that a write ran is not kept, and a late request runs it again",
        _SETTLEMENTS,
        "            if verdict is None:\n",
        "            if verdict is None and not ran:\n",
        _LOST,
    ),
    Mutant(
        "it is looked in one transaction, and the verdict kept in another",
        _SETTLEMENTS,
        "            ran = _has_run(connection, write) if verdict is None else verdict[0]\n"
        "            if verdict is None:\n",
        "            ran = _has_run(connection, write) if verdict is None else verdict[0]\n"
        "        with self._database.write(timeout) as connection:\n"
        "            if verdict is None and not ran:\n",
        f"{_BY_TARGET}::test_nothing_comes_between_the_look_and_the_verdict",
    ),
    Mutant(
        "a store that was overwritten counts as not run",
        _SCHEMA,
        'f"""CREATE TRIGGER item_replaced AFTER UPDATE OF revision ON items\n',
        'f"""CREATE TRIGGER item_replaced AFTER UPDATE OF name ON items\n',
        _EVERY,
    ),
    Mutant(
        "a store whose item was deleted counts as not run",
        _SCHEMA,
        'f"""CREATE TRIGGER item_deleted AFTER DELETE ON items\n    BEGIN',
        'f"""CREATE TRIGGER item_deleted AFTER DELETE ON items WHEN 0\n    BEGIN',
        _EVERY,
    ),
    Mutant(
        "an object that was replaced or deleted counts as never put",
        _SCHEMA,
        'f"""CREATE TRIGGER object_deleted AFTER DELETE ON objects\n    BEGIN',
        'f"""CREATE TRIGGER object_deleted AFTER DELETE ON objects WHEN 0\n    BEGIN',
        _EVERY,
    ),
    Mutant(
        "a deletion of an item leaves no trace",
        _TABLES,
        "        keep_write(connection, call.write_id)\n",
        "        pass\n",
        _EVERY,
    ),
    Mutant(
        "a deletion of an object leaves no trace",
        _OBJECTS,
        "                keep_write(connection, call.write_id)\n",
        "                pass\n",
        _EVERY,
    ),
    Mutant(
        "a deletion of nothing counts as one that ran",
        _TABLES,
        "    if connection.execute(delete, row).rowcount:\n",
        "    if connection.execute(delete, row).rowcount or call.if_revision is None:\n",
        f"{_BY_TARGET}::test_a_deletion_of_nothing_has_not_run",
    ),
    Mutant(
        "what may have been pruned counts as not run",
        _SETTLEMENTS,
        "    return False if is_younger and time_of_id(write.write_id) is not None else None\n",
        "    return False\n",
        f"{_BY_TARGET}::test_only_what_may_be_pruned_is_unknown",
    ),
    Mutant(
        "it is forgotten how far the ids were pruned",
        _SETTLEMENTS,
        "        connection.execute(_RAISE_FLOOR, (last - KEPT_WRITES,))\n",
        "",
        f"{_BY_TARGET}::test_only_what_may_be_pruned_is_unknown",
    ),
    Mutant(
        "another program's ids say how far the ids of leeward's were pruned",
        _SETTLEMENTS,
        " AND (number = 0 OR id GLOB '????????-????-7*')",
        "",
        f"{_BY_TARGET}::test_another_programs_ids_do_not_end_certainty",
    ),
    Mutant(
        "the ids of writes are never pruned",
        _SETTLEMENTS,
        'return id[-3:] == "000"',
        "return False",
        f"{_BY_TARGET}::test_one_of_many_writes_prunes",
    ),
    Mutant(
        "verdicts are never pruned",
        _SETTLEMENTS,
        "                connection.execute(_PRUNE, (now - KEPT_SECONDS,))\n",
        "",
        f"{_BY_TARGET}::test_a_settlement_outlives_every_request",
    ),
    Mutant(
        "a verdict goes before the last request may have come",
        _SETTLEMENTS,
        "(now - KEPT_SECONDS,)",
        "(now,)",
        f"{_BY_TARGET}::test_a_settlement_outlives_every_request",
    ),
    Mutant(
        "a target that settles writes is only looked at",
        _DATA,
        "    if Capability.SETTLING in capabilities:\n",
        "    if False:\n",
        _LOST,
    ),
    Mutant(
        "a write that expired by itself is written again",
        _LOOKS,
        "    if expires_at is not None and expires_at <= write.now:\n",
        "    if False:\n",
        _UNKNOWN,
    ),
    Mutant(
        "a write without a condition replaces a newer one",
        _LOOKS,
        " or not _is_older(there.write_id, write.write_id)",
        "",
        _UNKNOWN,
    ),
    Mutant(
        "two clocks are taken to agree",
        _LOOKS,
        "theirs + SURELY_OLDER < ours",
        "theirs < ours",
        _UNKNOWN,
    ),
    Mutant(
        "what another program has changed is replaced",
        _LOOKS,
        "asks_for_nothing or was_changed or",
        "asks_for_nothing or",
        _UNKNOWN,
    ),
    Mutant(
        "a write that asks for nothing there replaces something",
        _LOOKS,
        "    asks_for_nothing = not deletes and write.if_absent\n",
        "    asks_for_nothing = False\n",
        _UNKNOWN,
    ),
    Mutant(
        "a write is sent again without a condition where nothing is there",
        _LOOKS,
        "again=write._replace(if_absent=True)",
        "again=write",
        _AGAIN,
    ),
    Mutant(
        "a write is sent again without a condition on what is there",
        _LOOKS,
        "again=write._replace(if_revision=there.revision)",
        "again=write",
        _AGAIN,
    ),
    Mutant(
        "a deletion whose revision is gone counts as the one that took it",
        _LOOKS,
        '        return WriteTrace(ReadBackVerdict.LOST, "gone")\n',
        "        return _GONE\n",
        _UNKNOWN,
    ),
    Mutant(
        "an object that is still there counts as deleted",
        _LOOKS,
        "return _GONE if there is None else",
        "return _GONE if there is not None else",
        _UNKNOWN,
    ),
    Mutant(
        "an expired item is still there",
        _LOOKS,
        "there.expires_at <= now:",
        "there.expires_at < now:",
        _ENOUGH,
    ),
    Mutant(
        "a target without conditions is sent a write that needs one",
        _DATA,
        " and Capability.CONDITIONS not in capabilities:",
        " and False:",
        f"{_BY_CLIENT}::test_without_conditions_nothing_is_sent_again",
    ),
    Mutant(
        "a lost race is not looked at",
        _DATA,
        "if sent is not None and sent.outcome is Outcome.OK:",
        "if sent is not None:",
        f"{_BY_CLIENT}::test_a_race_is_looked_at_again",
    ),
    Mutant(
        "events that were taken are published once more",
        _DATA,
        "if entry in failed))",
        "))",
        f"{_BY_CLIENT}::test_events_are_published_again_where_they_were",
    ),
    Mutant(
        "an event of a batch is settled with all others of its request",
        "src/leeward/_operations/results.py",
        "alone = call._replace(events=(event,))",
        "alone = call",
        f"{_BY_CLIENT}::test_an_event_of_a_batch_is_settled_by_itself",
    ),
    Mutant(
        "a run with another input counts as this one",
        _DATA,
        "            if has_input(found, call.input):\n",
        "            if True:\n",
        _RUNS,
    ),
    Mutant(
        "a start is made again where two of one id may both run",
        _DATA,
        "            if not call.repeatable:\n",
        "            if False:\n",
        f"{_BY_CLIENT}::test_a_start_that_two_could_make_is_not_made_again",
    ),
    Mutant(
        "a queued call that is unsafe to repeat is queued again",
        _OTHERS,
        "    if call.effect is Effect.UNSAFE:\n        return (yield from settle_call(",
        "    if False:\n        return (yield from settle_call(",
        _QUEUED,
    ),
    Mutant(
        "what was refused is asked about",
        _OTHERS,
        "    if error.outcome is not Outcome.AMBIGUOUS:\n",
        "    if error.outcome is Outcome.OK:\n",
        f"{_BY_CLIENT}::test_what_was_refused_has_not_run",
    ),
    Mutant(
        "a refused question is asked until the time is over",
        _DATA,
        "            if result.outcome in FINAL:\n",
        "            if False:\n",
        f"{_BY_CLIENT}::test_a_refused_question_is_raised",
    ),
)
