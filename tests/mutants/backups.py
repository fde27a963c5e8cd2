"""Faults of backups: what is uploaded, checked, restored, promised and pruned."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

BACKUP: Final = "src/leeward/backup"
TESTS: Final = "tests/backup"

MUTANTS: Final = (
    Mutant(
        "what is not known to be stored is taken for stored",
        f"{BACKUP}/tables.py",
        "            result.outcome is Outcome.OK or self._put(call)\n",
        "            result.outcome is not Outcome.CONFLICT or self._put(call)\n",
        f"{TESTS}/test_storing.py::test_what_may_not_be_stored_is_stored_alone",
    ),
    Mutant(
        "everything is uploaded each time",
        f"{BACKUP}/create.py",
        "    if name in before:\n        return before[name]\n",
        "",
        f"{TESTS}/test_backups.py"
        "::test_a_backup_uploads_exactly_the_segments_in_which_an_item_changed",
    ),
    Mutant(
        "a backup does not wait for a prune",
        f"{BACKUP}/create.py",
        "if not wait_for_prunes(run.folder, wanted.keys(), run.source.table.clock, run.until):",
        "if False:",
        f"{TESTS}/test_prunes.py::test_a_backup_that_is_made_during_a_prune_is_whole",
    ),
    Mutant(
        "a prune does not look for backups that have come since",
        f"{BACKUP}/prune.py",
        "dead = dead - _of_new_ones(folder, sealing, known)",
        "dead = dead - set()",
        f"{TESTS}/test_prunes.py::test_a_backup_that_is_made_during_a_prune_is_whole",
    ),
    Mutant(
        "a check that is not deep passes for one that is",
        f"{BACKUP}/check.py",
        "    found = _deeply(folder, sealing, manifest, look) if deep else",
        "    found = _listed(folder, manifest, look) if deep else",
        f"{TESTS}/test_backups.py::test_a_segment_that_is_damaged_or_lost_is_named",
    ),
    Mutant(
        "a restore promises without having looked",
        f"{BACKUP}/restore.py",
        "    if lasting != Multiset(done.lasting[1], done.lasting[0]):\n",
        "    if False:\n",
        f"{TESTS}/test_backups.py::test_a_table_with_items_is_not_restored_into",
    ),
    Mutant(
        "a restore that goes on looks for an empty table",
        f"{BACKUP}/restore.py",
        "            work.note({_CHECKED: True})\n",
        "",
        f"{TESTS}/test_crashes.py::test_a_restore_that_was_killed_is_gone_on_with",
    ),
    Mutant(
        "the cursor is kept without the lines before it",
        f"{BACKUP}/create.py",
        "        run.work.note({_STATE: scanned._asdict()}, rows)\n",
        "        run.work.note({_STATE: scanned._asdict()})\n        run.work.note({}, rows)\n",
        f"{TESTS}/test_crashes.py::test_a_backup_that_was_killed_is_gone_on_with",
    ),
    Mutant(
        "segments are cut by their size alone",
        f"{BACKUP}/segments.py",
        "(size >= MOST_BYTES or sha256(key).digest()[1] < _CUTS)",
        "size >= LEAST_BYTES",
        f"{TESTS}/test_segments.py::test_an_item_more_or_less_changes_one_segment",
    ),
    Mutant(
        "names of encrypted segments show who keeps the same",
        f"{BACKUP}/sealing.py",
        '        return hmac_of(self._names, digest, "sha256").hex()',
        "        return digest.hex()",
        f"{TESTS}/test_backups.py::test_only_the_key_opens_an_encrypted_backup",
    ),
    Mutant(
        "a manifest is believed without its seal",
        f"{BACKUP}/manifest.py",
        '    if not is_sealed(sealing, json_text.encode(body), document.get("seal")):',
        "    if False:",
        f"{TESTS}/test_manifests.py::test_any_changed_word_is_found",
    ),
    Mutant(
        "two runs of a backup go on beside each other",
        "src/leeward/backup/parts.py",
        "if not self._folder.put(name, self._sealing.close(name, packed(text))):",
        "if self._folder.put(name, self._sealing.close(name, packed(text))) is None:",
        "tests/backup/test_parts.py::test_of_two_runs_one_gives_way",
    ),
    Mutant(
        "a run that has no time does nothing",
        "src/leeward/backup/create.py",
        "    if late or scanned.whole:\n        run.parts.write(told)\n",
        "    if scanned.whole:\n        run.parts.write(told)\n",
        "tests/backup/test_parts.py::test_a_run_gets_on_by_a_page_and_goes_on_anywhere",
    ),
    Mutant(
        "parts of two runs are taken for those of one",
        "src/leeward/backup/parts.py",
        "(before is not None and _begun(found.told) != _begun(before))",
        "False",
        "tests/backup/test_parts.py::test_parts_of_two_runs_are_not_taken_for_those_of_one",
    ),
    Mutant(
        "a run looks which backups there are before it looks for parts",
        "src/leeward/backup/create.py",
        "        if run.parts is not None:\n            run.parts.load(_STATE)\n"
        "        # Behind the parts: a run that ends meanwhile writes its manifest, and then "
        "removes them.\n        known = run.folder.backups()\n",
        "        known = run.folder.backups()\n        if run.parts is not None:\n"
        "            run.parts.load(_STATE)\n",
        "tests/backup/test_parts.py"
        "::test_a_run_that_ends_while_another_one_begins_leaves_one_backup",
    ),
    Mutant(
        "a target's pages that end too soon are taken for a circle",
        "src/leeward/operations/cursors.py",
        "self._empty = self._empty + 1 if empty else 0",
        "self._empty = self._empty + 1",
        "tests/backup/test_cursors.py::test_pages_that_end_are_read_to_their_end",
    ),
)
