"""Faults of backups: what is uploaded, checked, restored, promised and pruned."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "what is not known to be stored is taken for stored",
        "extras/backup/src/leeward_backup/tables.py Table.put",
        "... is Outcome.OK",
        "... is not Outcome.CONFLICT",
        "tests/backup/test_storing.py::test_what_may_not_be_stored_is_stored_alone",
    ),
    Mutant(
        "everything is uploaded each time",
        "extras/backup/src/leeward_backup/create.py _put",
        "if name in before:\n    return before[name]\n...",
        "...",
        "tests/backup/test_backups.py::"
        "test_a_backup_uploads_exactly_the_segments_in_which_an_item_changed",
    ),
    Mutant(
        "a prune does not look for backups that have come since",
        "extras/backup/src/leeward_backup/prune.py prune",
        "dead - _in_doubt(folder, newer, sizes)",
        "dead - set()",
        "tests/backup/test_prunes.py::test_a_backup_that_is_made_during_a_prune_is_whole",
    ),
    Mutant(
        "a restore that goes on looks for an empty table",
        "extras/backup/src/leeward_backup/restore.py restore_into",
        "if ...:\n    ...\n    work.note({_CHECKED: True, _MISSING: [*fit.missing]})",
        "if ...:\n    ...",
        "tests/backup/test_crashes.py::test_a_restore_that_was_killed_is_gone_on_with",
    ),
    Mutant(
        "segments are cut by their size alone",
        "extras/backup/src/leeward_backup/manifest.py drafts",
        "size >= MOST_BYTES or sha256(key).digest()[1] < _CUTS",
        "size >= LEAST_BYTES",
        "tests/backup/test_segments.py::test_an_item_more_or_less_changes_one_segment",
    ),
    Mutant(
        "two runs of a backup go on beside each other",
        "extras/backup/src/leeward_backup/checkpoints.py Checkpoints.write",
        "not self._folder.put(name, self._keys.current.close(name, pack(text)))",
        "self._folder.put(name, self._keys.current.close(name, pack(text))) is None",
        "tests/backup/test_checkpoints.py::test_of_two_runs_one_gives_way",
    ),
    Mutant(
        "a set, a point or a number that is not finite becomes a plain value in silence",
        "src/leeward/_items/decoding.py decode",
        "exact and (not known)",
        "False",
        "tests/backup/test_natives.py::test_a_value_of_another_program_is_written_again_as_it_was",
    ),
    Mutant(
        "the keys of all places are alike",
        "extras/backup/src/leeward_backup/sealing.py Encryption.__init__",
        "place is None",
        "place",
        "tests/backup/test_trust.py::"
        "test_equal_tables_look_different_and_a_backup_belongs_to_its_place",
    ),
    Mutant(
        "a file is written through whatever link lies there",
        "src/leeward/cli/output/output.py write_file",
        "part = path.with_name(f'.{path.name[:100]}.{os.urandom(8).hex()}.part')\n"
        "how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_NOFOLLOW', 0)",
        "part = path.with_name(f'{path.name}.{os.getpid()}.part')\nhow = os.O_WRONLY | os.O_CREAT",
        "tests/cli/test_objects.py::test_a_file_is_written_through_no_link",
    ),
)
