"""Faults in how messages are given up, and moved back."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_APP: Final = "tests/app/test_dead_letters.py"
_SETTLING: Final = "tests/app/test_settling.py"

_WAITS: Final = f"{_APP}::test_no_letter_is_made_of_what_waits_or_is_done"

VERSIONS: Final = "tests/worker/test_versions.py"

MUTANTS: Final = (
    Mutant(
        "letters go back to a handler that no version has",
        "src/leeward/cli/dead_letters.py",
        "        if is_taken(to, takers):",
        "        if True:",
        f"{VERSIONS}::test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads",
    ),
    Mutant(
        "letters that are moved to another handler go back to their own",
        "src/leeward/cli/dead_letters.py",
        "self._store.redrive(found.held.id, self._to)",
        "self._store.redrive(found.held.id)",
        f"{VERSIONS}::test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads",
    ),
    Mutant(
        "a status does not say that nobody takes what waits",
        "src/leeward/status/__init__.py",
        "is_taken=is_taken(each.recipient, takers)",
        "is_taken=True",
        f"{VERSIONS}::test_letters_of_a_handler_that_is_gone_are_not_moved_where_nobody_reads",
    ),
    Mutant(
        "a letter is made of a message whose key another run has",
        "src/leeward/app/dead_letters.py",
        "    if failure.waits:  # no attempt",
        "    if False:  # no attempt",
        _WAITS,
    ),
    Mutant(
        "a letter is made of a message that has run",
        "src/leeward/app/dead_letters.py",
        "        if failure is None or failure.is_done:\n            return True\n",
        "        if failure is None:\n            return True\n",
        _WAITS,
    ),
    Mutant(
        "a letter hides what the first run has raised",
        "src/leeward/app/dead_letters.py",
        "            failure.first_type[:LONGEST_WORD],\n",
        "            failure.type[:LONGEST_WORD],\n",
        _WAITS,
    ),
    Mutant(
        "a message is acknowledged whose dead letter may not be there",
        "src/leeward/app/dead_letters.py",
        '"dead_letter_not_sent", outcome=kept, **names)\n            return False',
        '"dead_letter_not_sent", outcome=kept, **names)\n            return True',
        f"{_APP}::test_what_is_not_proved_to_be_given_up_is_not_acknowledged",
    ),
    Mutant(
        "a later attempt is taken for a proof that none has run",
        "src/leeward/app/dead_letters.py",
        '"maybe" if failure.ran == "no" and attempt != 1 else failure.ran',
        "failure.ran",
        f"{_SETTLING}::test_that_nothing_ran_is_said_on_proof_alone",
    ),
    Mutant(
        "a batch that fails as one is given up",
        "src/leeward/app/dead_letters.py",
        "    if together:\n",
        "    if False:\n",
        f"{_SETTLING}::test_a_batch_that_fails_as_one_is_handed_back",
    ),
    Mutant(
        "what may have run is moved back by itself",
        "src/leeward/cli/dead_letters.py",
        'found.ran == "no" or',
        'found.ran != "yes" or',
        f"{_APP}::test_by_itself_only_what_is_proved_not_to_have_run_is_moved",
    ),
    Mutant(
        "a handler runs again while the letter of its message cannot be sent",
        "src/leeward/app/dead_letters.py",
        "            self._unsent.setdefault(key, Unsent(final, letter.attempt))\n",
        "            del final\n",
        f"{_APP}::test_while_letters_cannot_be_sent_a_handler_runs_no_further_time",
    ),
    Mutant(
        "a message that has got the id of another one is given up without a run",
        "src/leeward/app/dead_letters.py",
        "if unsent and (attempt is None or unsent.attempt is None or attempt > unsent.attempt):",
        "if unsent:",
        f"{_APP}::test_what_was_given_up_is_not_run_again_until_its_letter_is_sent",
    ),
    Mutant(
        "a letter chooses where it goes back to",
        "src/leeward/cli/dead_letters.py",
        "return found.queue if found.queue in self._sources else None",
        "return found.queue",
        f"{_APP}::test_a_letter_chooses_neither_its_way_nor_that_nobody_is_asked",
    ),
    Mutant(
        "a letter says that nobody need be asked",
        "src/leeward/cli/dead_letters.py",
        '"yes" if told.ran == "yes" else "maybe"',
        "told.ran",
        f"{_APP}::test_a_letter_chooses_neither_its_way_nor_that_nobody_is_asked",
    ),
    Mutant(
        "one letter of a wrong type ends the list",
        "src/leeward/cli/dead_letters.py",
        "if told is None or not _is_plain(told):",
        "if told is None:",
        f"{_APP}::test_what_is_forged_of_a_letter_is_nobodys_word",
    ),
    Mutant(
        "the question shows a letter's own control characters",
        "src/leeward/cli/commands/dlq.py",
        "typer.confirm(escape_text(question), err=True)",
        "typer.confirm(question, err=True)",
        "tests/cli/test_dead_letters.py::test_the_question_is_shown_and_not_obeyed",
    ),
    Mutant(
        "a dead-letter queue may be that of a misspelt name",
        "src/leeward/app/checks.py",
        "        if key not in known:\n            near =",
        "        if False:\n            near =",
        f"{_APP}::test_a_dead_letter_queue_of_nobody_is_refused",
    ),
    Mutant(
        "a letter that is not there is not missed",
        "src/leeward/cli/commands/dlq.py",
        "    missing = sorted(wish.ids - known)\n",
        "    missing = []\n",
        "tests/cli/test_dead_letters.py::test_dead_letters_are_deleted_by_id",
    ),
    Mutant(
        "a letter is moved that others may have by now",
        "src/leeward/cli/dead_letters.py",
        "            if hidden.outcome is not Outcome.OK:\n",
        "            if False:\n",
        "tests/app/test_dead_letters.py::test_a_slow_redrive_doubles_no_letter",
    ),
)
