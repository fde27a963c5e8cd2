"""Faults of backups: what is uploaded, checked, restored, promised and pruned."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

BACKUP: Final = "backup/src/leeward_backup"
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
        "if not wait_for_prunes(\n            run.folder,",
        "if False and not wait_for_prunes(\n            run.folder,",
        f"{TESTS}/test_prunes.py::test_a_backup_that_is_made_during_a_prune_is_whole",
    ),
    Mutant(
        "a prune does not look for backups that have come since",
        f"{BACKUP}/prune.py",
        "dead = dead - _in_doubt(folder, newer, sizes)",
        "dead = dead - set()",
        f"{TESTS}/test_prunes.py::test_a_backup_that_is_made_during_a_prune_is_whole",
    ),
    Mutant(
        "a check that is not deep passes for one that is",
        f"{BACKUP}/check.py",
        "        _check_texts(folder, sealing, manifest, look)\n        if deep\n",
        "        _check_sizes(folder, manifest, look)\n        if deep\n",
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
        "            work.note({_CHECKED: True, _MISSING: [*fit.missing]})\n",
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
        f"{BACKUP}/manifest.py",
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
        "    if not is_sealed(sealing, json_text.encode(body), seal):",
        "    if False:",
        f"{TESTS}/test_manifests.py::test_any_changed_word_is_found",
    ),
    Mutant(
        "two runs of a backup go on beside each other",
        "backup/src/leeward_backup/checkpoints.py",
        "if not self._folder.put(name, self._keys.current.close(name, pack(text))):",
        "if self._folder.put(name, self._keys.current.close(name, pack(text))) is None:",
        "tests/backup/test_checkpoints.py::test_of_two_runs_one_gives_way",
    ),
    Mutant(
        "a run that has no time does nothing",
        "backup/src/leeward_backup/create.py",
        "    if late or scanned.whole:\n        run.checkpoints.write(told)\n",
        "    if scanned.whole:\n        run.checkpoints.write(told)\n",
        "tests/backup/test_checkpoints.py::test_a_run_gets_on_by_a_page_and_goes_on_anywhere",
    ),
    Mutant(
        "checkpoints of two runs are taken for those of one",
        "backup/src/leeward_backup/checkpoints.py",
        "(before is not None and _start_of(found.told) != _start_of(before))",
        "False",
        "tests/backup/test_checkpoints.py::test_checkpoints_of_two_runs_are_not_taken_for_those_of_one",
    ),
    Mutant(
        "a run looks which backups there are before it looks for checkpoints",
        "backup/src/leeward_backup/create.py",
        "        if run.checkpoints is not None:\n            run.checkpoints.load(_STATE)\n"
        "        # Behind the checkpoints: a run that ends meanwhile writes its manifest, then "
        "removes them.\n        known = run.folder.backups()\n",
        "        known = run.folder.backups()\n        if run.checkpoints is not None:\n"
        "            run.checkpoints.load(_STATE)\n",
        "tests/backup/test_checkpoints.py"
        "::test_a_run_that_ends_while_another_one_begins_leaves_one_backup",
    ),
    Mutant(
        "a set, a point or a number that is not finite becomes a plain value in silence",
        "src/leeward/_items/decoding.py",
        "    if exact and not known:\n",
        "    if False:\n",
        "tests/backup/test_natives.py::test_a_value_of_another_program_is_written_again_as_it_was",
    ),
    Mutant(
        "another provider's table takes what it cannot hold",
        "backup/src/leeward_backup/restore.py",
        "    if foreign:\n",
        "    if False:\n",
        "tests/backup/test_natives.py"
        "::test_into_another_provider_they_are_named_and_become_plain_if_that_is_asked_for",
    ),
    Mutant(
        "a restore that has made values plain is VERIFIED",
        f"{BACKUP}/restore.py",
        "        plain += lossy\n",
        "",
        "tests/backup/test_natives.py"
        "::test_into_another_provider_they_are_named_and_become_plain_if_that_is_asked_for",
    ),
    Mutant(
        "a number that is not finite is written into a line",
        f"{BACKUP}/lines.py",
        "    if not value.is_finite():\n",
        "    if False:\n",
        "tests/backup/test_natives.py::test_a_number_that_no_line_holds_ends_the_backup_by_name",
    ),
    Mutant(
        "names of any length are taken",
        f"{BACKUP}/restore.py",
        "    if longest > limits.name_bytes:\n",
        "    if False:\n",
        "tests/backup/test_natives.py"
        "::test_a_name_that_is_too_long_is_refused_before_anything_is_written",
    ),
    Mutant(
        "the keys of all places are alike",
        f"{BACKUP}/sealing.py",
        "root = key if place is None else",
        "root = key if place else",
        "tests/backup/test_trust.py"
        "::test_equal_tables_look_different_and_a_backup_belongs_to_its_place",
    ),
    Mutant(
        "a backup of another place is taken for one of this",
        f"{BACKUP}/folder.py",
        "if manifest.place not in self._places:",
        "if False:",
        "tests/backup/test_trust.py"
        "::test_equal_tables_look_different_and_a_backup_belongs_to_its_place",
    ),
    Mutant(
        "an older key opens nothing",
        f"{BACKUP}/sealing.py",
        "known = (Encryption(key, place) for key in self._keys)",
        "known = (Encryption(key, place) for key in self._keys[:1])",
        "tests/backup/test_trust.py::test_keys_rotate",
    ),
    Mutant(
        "a prune takes what a backup needs whose manifest it cannot prove",
        f"{BACKUP}/prune.py",
        "- needed - _in_doubt(folder, wrong, sizes)",
        "- needed",
        "tests/backup/test_trust.py::test_keys_rotate",
    ),
    Mutant(
        "nobody misses a backup that was deleted",
        f"{BACKUP}/folder.py",
        "if id in gone] if gone else []",
        "if False]",
        "tests/backup/test_trust.py::test_a_backup_that_somebody_has_deleted_is_missed",
    ),
    Mutant(
        "a backup that a prune deletes meanwhile is missed",
        f"{BACKUP}/folder.py",
        "return [id for id in self._made_after(since) if id in gone] if gone else []",
        "return gone",
        "tests/backup/test_trust.py::test_what_others_do_between_two_looks_is_no_gap",
    ),
    Mutant(
        "a backup that is deleted while it is read is told as damaged",
        f"{BACKUP}/check.py",
        "    if folder.info(named.object) is None:\n",
        "    if False:\n",
        "tests/backup/test_trust.py"
        "::test_a_backup_that_is_deleted_while_it_is_read_is_not_told_as_damaged",
    ),
    Mutant(
        "what is damaged behind the check of a restore is left out in silence",
        f"{BACKUP}/restore.py",
        "lines = _lines_of(restore, segment, missing)",
        "lines = _lines_of(restore, segment, [])",
        "tests/backup/test_trust.py::test_a_segment_that_goes_while_a_restore_is_at_work_is_named",
    ),
    Mutant(
        "a damaged segment goes into every later backup",
        f"{BACKUP}/create.py",
        "if run.verify and segment.name in before and not _is_sound(run, segment):",
        "if False:",
        "tests/backup/test_trust.py::test_a_damaged_segment_is_mended_or_left_out_by_name",
    ),
    Mutant(
        "a killed prune is waited for without end",
        f"{BACKUP}/prune.py",
        "at_work += here - seen[name][1] < DEAD_AFTER",
        "at_work += here - seen[name][1] < 3600",
        "tests/backup/test_trust.py::test_a_prune_that_was_killed_is_waited_for_briefly",
    ),
    Mutant(
        "a prune of the year 9999 is heeded",
        f"{BACKUP}/prune.py",
        "return not early <= name <= late",
        "return not early <= name",
        "tests/backup/test_trust.py::test_a_prune_that_was_killed_is_waited_for_briefly",
    ),
    Mutant(
        "a machine that is behind never has the latest backup",
        f"{BACKUP}/create.py",
        "at = max(started, before + _BEHIND) if before < now + _LARGEST_SKEW else started",
        "at = started",
        "tests/backup/test_trust.py::test_the_backup_that_was_begun_last_is_the_latest",
    ),
    Mutant(
        "lines are split before they are counted",
        f"{BACKUP}/manifest.py",
        '    many = text.count(b"\\n")\n',
        '    many = len(text.split(b"\\n")) - 1\n',
        "tests/backup/test_trust.py"
        "::test_a_segment_that_is_a_bomb_is_refused_in_the_memory_of_its_text",
    ),
    Mutant(
        "a line of an export has no end",
        f"{BACKUP}/tables.py",
        "if size > LONGEST_LINE:",
        "if False:",
        "tests/backup/test_trust.py::test_an_export_that_is_a_bomb_is_refused_in_linear_time",
    ),
    Mutant(
        "an item goes under another key than its line says",
        f"{BACKUP}/check.py",
        "if kept.key != tuple(map(kept.item.get, manifest.key)):",
        "if False:",
        "tests/backup/test_trust.py::test_a_deep_check_compares_keys",
    ),
    Mutant(
        "a table that is not there is an empty one",
        f"{BACKUP}/create.py",
        "if not (scanned.items or known or table.is_declared):",
        "if False:",
        "tests/backup/test_trust.py::test_a_table_that_is_not_there_is_an_error",
    ),
    Mutant(
        "a full disk has no name at the end of a transaction",
        "src/leeward/_sqlite/errors.py",
        "the transaction's end failed, since {meaning}:",
        "the transaction's end failed:",
        "tests/backup/test_trust.py::test_a_full_disk_is_named",
    ),
    Mutant(
        "a key that others can change is used",
        f"{BACKUP}/sealing.py",
        "mode & (S_IWOTH | S_IWGRP)",
        "mode & 0",
        "tests/backup/test_trust.py::test_a_key_that_others_can_change_is_refused",
    ),
    Mutant(
        "a file is written through whatever link lies there",
        "src/leeward/cli/output/output.py",
        'part = path.with_name(f".{path.name[:100]}.{os.urandom(8).hex()}.part")\n'
        '    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)',
        'part = path.with_name(f"{path.name}.{os.getpid()}.part")\n'
        "    how = os.O_WRONLY | os.O_CREAT",
        "tests/cli/test_objects.py::test_a_file_is_written_through_no_link",
    ),
    Mutant(
        "a source writes down the environment that it was given",
        "adapters/aws/src/leeward_aws/identity/sources.py",
        "return ConfiguredFirst(source, source)",
        "return ConfiguredFirst(__import__('functools').partial(source, env), source)",
        "tests/security/test_reachable.py::test_no_value_of_a_driver_shows_a_secret",
    ),
    Mutant(
        "the table of a drill takes no more than others",
        f"{BACKUP}/drill.py",
        "item_bytes=most, nesting=most",
        "nesting=20",
        "tests/backup/test_trust.py::test_a_drill_takes_what_any_provider_takes",
    ),
    Mutant(
        "a backup keeps the register of a table of keys",
        f"{BACKUP}/tables.py",
        " or not str(each.item[KEY]).startswith(REGISTER)\n",
        " or True\n",
        f"{TESTS}/test_keys.py::test_a_call_since_the_time_of_a_backup_of_its_key_is_not_denied",
    ),
)
