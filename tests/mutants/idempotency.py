"""Faults of idempotent functions."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

_ROOM: Final = "src/leeward/app/idempotency"
_KEYS: Final = "tests/routing/test_keys.py"
_APPS: Final = "tests/local/test_apps.py"
_GATE: Final = "tests/app/idempotent/test_gate.py"
_HANDLERS: Final = "tests/app/idempotent/test_handlers.py"
_IDS: Final = "tests/app/idempotent/test_ids.py"
_OVERTAKEN: Final = "tests/app/idempotent/test_overtaken.py"
_PRINCIPALS: Final = "tests/app/idempotent/test_principals.py"
_PROOFS: Final = "tests/app/idempotent/test_proofs.py"
_REPEATS: Final = "tests/app/idempotent/test_repeats.py"
_TABLE: Final = "tests/app/idempotent/test_table_away.py"
_MODEL: Final = "tests/app/test_idempotency_model.py"
_WORDS: Final = "tests/app/test_words.py"

MUTANTS: Final = (
    Mutant(
        "a name that an authorizer makes is taken for a user of IAM, or of a token",
        "adapters/aws/src/leeward_aws/runtime/gateway.py",
        'join_key("authorizer", name) if isinstance',
        "name if isinstance",
        "tests/app/idempotent/test_principals.py"
        "::test_a_name_of_an_authorizers_own_is_nobody_elses",
    ),
    Mutant(
        "an exception of which nothing is known releases the key",
        f"{_ROOM}/errors.py",
        "Treatment.RELEASE if nothing_ran else Treatment.KEEP",
        "Treatment.RELEASE",
        f"{_PROOFS}::test_a_lost_answer_keeps_the_key",
    ),
    Mutant(
        "a part that has done nothing is taken for the whole handler",
        "src/leeward/app/handlers.py",
        "        if is_guarded and context.did_nothing:\n",
        "        if context.did_nothing:\n",
        f"{_PROOFS}::test_that_nothing_ran_is_told_where_the_key_is_released",
    ),
    Mutant(
        "what an inner guard says is told as the handler's own",
        "src/leeward/app/handlers.py",
        "        is_own = is_guarded and (settles or error is context.word)\n",
        "        is_own = isinstance(error, GuardProblem)\n",
        f"{_WORDS}::test_no_word_of_a_nested_call_travels_up",
    ),
    Mutant(
        "an inner refusal is told with its reason",
        "src/leeward/app/answers.py",
        "        if isinstance(error, GuardProblem) and not is_own:\n",
        "        if False:\n",
        f"{_WORDS}::test_no_word_of_a_nested_call_travels_up",
    ),
    Mutant(
        "a class of the name of a host's refusal passes for one",
        "src/leeward/app/handlers.py",
        "        if not is_own and (failure.type in _PROTOCOL or failure.reason == NO_FUNCTION):\n",
        "        if False:\n",
        f"{_WORDS}::test_no_word_of_a_nested_call_travels_up",
    ),
    Mutant(
        "an inner guard with the handler's context speaks for the handler",
        f"{_ROOM}/decorator.py",
        "        if context is not None and context.guard is None:\n",
        "        if context is not None:\n",
        f"{_WORDS}::test_voids_of_a_call_let_no_void_of_an_inner_key_run",
    ),
    Mutant(
        "the voids of a call count for a key that a part of its handler reads",
        "src/leeward/app/handlers.py",
        "delivery.voids if delivery.voids and handler.keeps_records else 0",
        "delivery.voids",
        f"{_WORDS}::test_voids_of_a_call_let_no_void_of_an_inner_key_run",
    ),
    Mutant(
        "a message that has run is a dead letter when it comes again",
        "src/leeward/app/handlers.py",
        "        if failure.is_done and not handler.is_call:",
        "        if False:",
        f"{_WORDS}::test_on_clouds_no_letter_is_made_of_what_waits",
    ),
    Mutant(
        "a part that knows keys is taken for the whole handler",
        "src/leeward/app/handlers.py",
        "(is_whole or context.dedup == NOT_RECOGNISED)",
        "True",
        f"{_PROOFS}::test_that_nothing_ran_is_told_where_the_key_is_released",
    ),
    Mutant(
        "an unsafe call waits for a run with its key, and is sent again",
        "src/leeward/_routing/call.py",
        "if why != RUNNING or not state.rules.same:",
        "if why != RUNNING:",
        f"{_KEYS}::test_an_unsafe_call_waits_for_nothing",
    ),
    Mutant(
        "the refusal of a repeat counts against its target",
        "src/leeward/_routing/execution.py",
        "Outcome.APP_ERROR if is_well else outcome",
        "outcome",
        f"{_KEYS}::test_what_is_settled_is_not_asked_again",
    ),
    Mutant(
        "a function that knows no keys is believed to know them",
        "src/leeward/_routing/outcomes.py",
        "        if NOT_RECOGNISED in words:\n",
        "        if False:\n",
        f"{_KEYS}::test_what_a_function_says_of_its_keys_counts_more_than_the_configuration",
    ),
    Mutant(
        "a run that is dead is taken over although its effect may have begun",
        f"{_ROOM}/record.py",
        "        case KeyState.IN_PROGRESS if claim.run_unknown:\n",
        "        case KeyState.IN_PROGRESS:\n",
        f"{_MODEL}::test_money_moves_once_whatever_happens",
    ),
    Mutant(
        "a run begins an effect although another has taken over",
        f"{_ROOM}/running.py",
        "        elif isinstance(marked, Recorded):",
        "        elif isinstance(marked, bool):",
        f"{_OVERTAKEN}::test_a_dead_run_is_taken_over_where_no_effect_had_begun",
    ),
    Mutant(
        "the claim replaces whatever is there",
        f"{_ROOM}/store.py",
        "        if_absent=revision is None,",
        "        if_absent=False,",
        f"{_REPEATS}::test_a_repeat_gets_the_first_result",
    ),
    Mutant(
        "the payload does not count",
        f"{_ROOM}/record.py",
        "    if is_of_other(record, claim.payload):",
        "    if record.payload is None:",
        f"{_REPEATS}::test_a_key_belongs_to_one_payload",
    ),
    Mutant(
        "calls of a leeward client are not heard of",
        "src/leeward/watching.py",
        'reads or getattr(call, "effect", None) in _HARMLESS',
        "True",
        f"{_PROOFS}::test_calls_of_a_leeward_client_are_seen",
    ),
    Mutant(
        "an unknown outcome is taken for a proof",
        "src/leeward/watching.py",
        "frozenset({Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR})",
        "frozenset({Outcome.OK, Outcome.APP_ERROR})",
        f"{_PROOFS}::test_calls_of_a_leeward_client_are_seen",
    ),
    Mutant(
        "an end that could not be written is raised",
        f"{_ROOM}/decorator.py",
        "        if isinstance(recorded, Recorded):\n            return result\n",
        "        if isinstance(recorded, Recorded):\n            raise AssertionError\n",
        f"{_TABLE}::test_an_end_that_cannot_be_written_is_not_a_failed_call",
    ),
    Mutant(
        "a table that is set up wrongly counts as away",
        f"{_ROOM}/running.py",
        "outcome is not None and outcome.value in _AWAY",
        "outcome is not None",
        f"{_TABLE}::test_run_and_flag_runs_without_the_table",
    ),
    Mutant(
        "the child of a fork keeps records of its own",
        "src/leeward/app/clients.py",
        "        del held\n        self._lock",
        "        self._opened, self._lock = [], RLock()\n        self._lock",
        "tests/local/test_fork.py::test_a_child_keeps_its_records_where_the_client_does",
    ),
    Mutant(
        "each probe that hangs keeps a thread",
        f"{_ROOM}/settlement.py",
        ">= MOST_PROBES:",
        ">= 10 * MOST_PROBES:",
        "tests/app/idempotent/test_settling.py::test_probes_that_hang_keep_few_threads",
    ),
    Mutant(
        "a key keeps the quotes of its header",
        "src/leeward/envelope.py",
        "if len(text) < 2 or not text[0]",
        "if True or not text[0]",
        f"{_HANDLERS}::test_the_key_of_a_header",
    ),
    Mutant(
        "two events whose sources hold a # have one key",
        "src/leeward/text.py",
        'if first and "#" not in first else',
        "if True else",
        f"{_IDS}::test_two_events_never_have_one_key",
    ),
    Mutant(
        "a key is one of all callers, whoever sends it",
        f"{_ROOM}/settings.py",
        "record_id(self.identity.name, key, principal, own_secret())",
        "record_id(self.identity.name, key, None, own_secret())",
        f"{_PRINCIPALS}::test_nobody_meets_the_record_of_another_on_aws",
    ),
    Mutant(
        "anybody may send the header that says who calls",
        "adapters/azure/src/leeward_azure/runtime/inputs.py",
        'if not id or os.environ.get("WEBSITE_AUTH_ENABLED", "").lower() not in ("true", "1"):',
        "if not id:",
        f"{_PRINCIPALS}::test_nobody_meets_the_record_of_another_on_azure",
    ),
    Mutant(
        "with a secret, the digest of a payload can be tried all the same",
        f"{_ROOM}/digests.py",
        "keyed_digest(digest, secret) if secret else digest",
        "digest",
        f"{_PRINCIPALS}::test_with_a_secret_no_key_is_in_the_table",
    ),
    Mutant(
        "what an app declares of a function does not count for its calls",
        "src/leeward/opening.py",
        "    config = _with_app(config, app)\n    opened",
        "    opened",
        f"{_APPS}::test_what_an_app_declares_counts_where_it_is_called",
    ),
    Mutant(
        "a section that repeats the effect takes back what the app declares beside it",
        "src/leeward/opening.py",
        "if known.effect in (None, handler.effect):",
        "if known.effect is None:",
        f"{_APPS}::test_a_section_takes_back_only_what_it_says",
    ),
    Mutant(
        "a misspelt target of [residency] is ignored",
        "src/leeward/config/load.py",
        '    yield top.child("residency"), config.residency\n    for section',
        "    for section",
        "tests/config/test_load.py::test_a_misspelt_target_is_refused_wherever_it_stands",
    ),
    Mutant(
        "an idempotent function opens a store beside that of the client which runs it",
        f"{_ROOM}/settings.py",
        "        if known is not None and known.clients is not None:\n",
        "        if False:\n",
        f"{_APPS}::test_a_handler_has_the_client_that_runs_it",
    ),
    Mutant(
        "a clock that is ahead ends a key",
        f"{_ROOM}/record.py",
        "return keep + CLOCKS + (",
        "return keep + (",
        f"{_OVERTAKEN}::test_no_wrong_clock_ends_a_key",
    ),
    Mutant(
        "a late note passes for the effect that is to be recorded",
        "src/leeward/app/idempotency/steps.py",
        "        if is_there(own.record):\n",
        "        if own.record != held.record:\n",
        "tests/app/idempotent/test_proofs.py"
        "::test_a_late_note_does_not_pass_for_the_effect_that_is_to_be_recorded",
    ),
    Mutant(
        "a run that is under way is settled by hand",
        "src/leeward/cli/key_records.py",
        "    if not is_open(record, now):\n",
        "    if False:\n",
        "tests/cli/test_keys.py::test_only_what_nobody_knows_is_settled",
    ),
    Mutant(
        "an error names no record to settle",
        "src/leeward/_operations/errors.py",
        'return "TABLE RECORD" if told is None else told[0]',
        'return "TABLE RECORD"',
        "tests/cli/test_keys.py::test_unknown_records_are_listed_and_settled",
    ),
    Mutant(
        "a service that shows nothing yet has done nothing",
        "src/leeward/app/idempotency/probes.py",
        "        clock.sleep(settled_after)\n",
        "",
        "tests/app/idempotent/test_probes.py::test_nothing_done_is_said_at_the_second_look",
    ),
    Mutant(
        "a probe waits beyond the time of its call",
        "src/leeward/app/idempotency/probes.py",
        "if ends - clock.monotonic() <= settled_after:",
        "if False:",
        "tests/app/idempotent/test_probes.py::test_nothing_done_is_said_at_the_second_look",
    ),
    Mutant(
        "an event that nobody has seen was not published",
        "src/leeward/app/idempotency/probes.py",
        "return _look_up(table, key or _last_note, result, client, CannotTell())",
        "return _look_up(table, key or _last_note, result, client, NotDone())",
        "tests/app/idempotent/test_probes.py::test_an_event_that_nobody_has_seen_may_still_come",
    ),
    Mutant(
        "a probe takes a redirect for a result",
        "src/leeward/app/idempotency/probes.py",
        "if status != 200:",
        "if status >= 400:",
        "tests/app/idempotent/test_probes.py::test_other_answers_tell_nothing",
    ),
    Mutant(
        "a payload is compared as its handler reads it, which another version reads otherwise",
        "src/leeward/app/handlers.py",
        "            context.wire = handler.function, delivery.input\n",
        "",
        "tests/app/idempotent/test_versions.py"
        "::test_a_payload_is_the_same_whatever_its_handler_reads_it_into",
    ),
    Mutant(
        "a start of a run passes the gate by",
        "src/leeward/client.py",
        "return self._operations.act(self._operations.runs.start, workflow, value, id)",
        "return self._operations.runs.start(workflow, value, id)",
        f"{_GATE}::test_each_effect_passes_the_gate_once_and_a_read_does_not",
    ),
    Mutant(
        "an event is counted where it is sent, and not where it is kept",
        "src/leeward/client.py",
        "return finish(call, self._operations.send(call, seconds, only, sender))",
        "return finish(call, sender.perform(call, seconds, only))",
        f"{_GATE}::test_a_kept_event_is_an_effect",
    ),
    Mutant(
        "the effect of a thread that knows of no run is nobody's",
        "src/leeward/_operations/operations.py",
        "            return sender.perform(call, left, only)\n"
        "        watcher = watcher or PossibleRuns(UNDER_WAY)\n"
        "        watcher.begin()",
        "            return sender.perform(call, left, only)\n"
        "        watcher = watcher or UNWATCHED\n"
        "        watcher.begin()",
        f"{_GATE}::test_no_way_to_an_effect_leads_past_the_gate",
    ),
    Mutant(
        "a context announces effects by the thread alone",
        "src/leeward/app/context.py",
        "own = [*self.runs] or [self.last_run or self]",
        "own = [self]",
        f"{_GATE}::test_the_context_knows_its_run_on_every_thread",
    ),
    Mutant(
        "a context forgets that its run has failed",
        "src/leeward/app/context.py",
        "[self.last_run or self]",
        "[self]",
        f"{_GATE}::test_a_task_of_a_failed_run_begins_nothing_on_any_thread",
    ),
    Mutant(
        "what a child does is nothing of its parent's",
        f"{_ROOM}/running.py",
        "            run.cross_fork(is_child=False)\n",
        "            pass\n",
        f"{_GATE}::test_the_mark_of_a_child_is_not_overwritten",
    ),
    Mutant(
        "a release is written over the effect that somebody else has recorded",
        f"{_ROOM}/steps.py",
        "if if_marked is not None and own.record.effects and not held.record.effects:",
        "if False:",
        f"{_GATE}::test_an_end_without_effect_replaces_no_record_with_one",
    ),
    Mutant(
        "a handler that has lost its key stops whatever the process does",
        f"{_ROOM}/running.py",
        "        except LeaseLost:\n            UNDER_WAY.discard(self)\n",
        "        except LeaseLost:\n            raise\n",
        f"{_GATE}::test_a_run_that_has_lost_its_key_forbids_no_others_effects",
    ),
    Mutant(
        "a part on a thread opens the client of the environment",
        f"{_ROOM}/settings.py",
        "for known in (context, current()):",
        "for known in (current(),):",
        f"{_GATE}::test_a_part_on_a_thread_keeps_its_records_where_the_handler_does",
    ),
    Mutant(
        "a part on a thread counts for nobody",
        f"{_ROOM}/running.py",
        "    return [find_watcher()], around",
        "    return [watcher] if watcher else [], around",
        f"{_GATE}::test_a_part_on_a_thread_that_nothing_names_counts_for_whoever_waits",
    ),
    Mutant(
        "a call in the user's transaction is no effect",
        "src/leeward/outbox.py",
        "find_watcher() if counts else UNWATCHED",
        "UNWATCHED",
        f"{_GATE}::test_a_call_in_the_users_transaction_is_an_effect",
    ),
    Mutant(
        "a thread of a coroutine function may begin an effect that is not recorded",
        f"{_ROOM}/running.py",
        "            self._mark_on_loop()\n",
        "            pass\n",
        f"{_GATE}::test_threads_of_a_coroutine_function_are_counted",
    ),
    Mutant(
        "a note that no table keeps is told as a run that was taken over",
        f"{_ROOM}/running.py",
        " or not is_printable(text):",
        ":",
        "tests/app/idempotent/test_probes.py::test_a_note_that_no_table_keeps_is_refused_by_name",
    ),
)
