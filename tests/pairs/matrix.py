"""Every pair of features: a test, the random triples, a reason why they cannot meet, or not tried.

`python -m tests.pairs.matrix` writes ``docs/pairs.md`` from here; `make docs` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations_with_replacement
from typing import Final, NamedTuple

from tests.house.workspace import ROOT
from tests.pairs.features import combine
from tests.pairs.worlds import Plan

APP, IDEMPOTENT, CLIENT = "tests/app/", "tests/app/idempotent/", "tests/client/"
CLOUDS, ROUTING, WEB = "tests/clouds/", "tests/routing/", "tests/integrations/"
POSTGRES, WORKFLOW, WORKER = "tests/postgres/", "tests/workflow/", "tests/worker/"
LOCAL, SPOOL, CLI, HTTP = "tests/local/", "tests/spool/test_spool.py", "tests/cli/", "tests/http/"

AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "unsafe calls": ("an unsafe call",),
    "records of keys": ("records", "a keyed call"),
    "marked effects": ("marked effects",),
    "probes": ("a probe", "a probe that cannot tell"),
    "approvals": ("an approval",),
    "principals": ("principals",),
    "settling": ("settling by the error", "settling by the key"),
    "nested calls": ("a nested call",),
    "threads and forks": ("a thread of a handler",),
    "repeats": ("a repeat", "repeats that may run"),
    "failures of handlers": (
        "a failure before the effect",
        "a failure after the effect",
        "a declared failure",
    ),
    "lost requests and answers": ("a lost request", "a lost answer", "a late request"),
    "refusals": ("a refusal", "throttling"),
    "failover orders": ("failover", "a turned order"),
    "hedges": ("hedges",),
    "isolation": ("isolation",),
    "ordering keys": ("an ordering key",),
    "spool and outboxes": ("the spool",),
    "batches": (),
    "residency": (),
    "events": ("an event",),
    "queues and workers": ("a queue",),
    "dead letters": (),
    "schedules": (),
    "workflows": ("a workflow",),
    "cancelling": (),
    "deploys": (
        "a moved module",
        "a renamed function",
        "another table",
        "another principal",
        "a longer keep",
        "records from a version on",
    ),
    "apps and stages": (),
    "kills": (),
    "clocks": (),
    "layouts of stores": (),
    "backups": (),
    "logs and telemetry": ("a log that fails",),
    "awaited clients": ("an awaited client",),
    "gateways and relays": (),
    "Idempotency-Key": (),
    "lists": (),
    "console and dev": (),
}
"""The areas, each with the features of `tests.pairs.features` that stand for it."""

TESTS: Final[Mapping[tuple[str, str], str]] = {
    (
        "unsafe calls",
        "failover orders",
    ): f"{APP}test_payments.py::test_an_unsafe_payment_is_never_sent_again",
    (
        "unsafe calls",
        "gateways and relays",
    ): f"{HTTP}test_gateways.py::test_a_gateway_proves_nothing",
    (
        "records of keys",
        "failover orders",
    ): f"{APP}test_payments.py::test_a_keyed_payment_is_charged_once_on_whichever_cloud",
    (
        "records of keys",
        "kills",
    ): f"{IDEMPOTENT}test_overtaken.py::test_a_program_that_ends_within_a_handler_leaves_the_lease",
    (
        "records of keys",
        "clocks",
    ): f"{IDEMPOTENT}test_overtaken.py::test_no_clock_of_another_machine_ends_a_lease",
    (
        "records of keys",
        "queues and workers",
    ): f"{APP}test_words.py::test_a_doubled_message_waits_while_the_first_runs",
    (
        "records of keys",
        "dead letters",
    ): f"{APP}test_words.py::test_a_redelivery_of_what_has_run_is_no_dead_letter",
    (
        "records of keys",
        "deploys",
    ): f"{IDEMPOTENT}test_versions.py::test_a_payload_is_the_same_whatever_its_handler_reads_it_into",
    (
        "records of keys",
        "records of keys",
    ): f"{IDEMPOTENT}test_handlers.py::test_nested_functions_keep_their_records_apart",
    ("records of keys", "backups"): "tests/backup/test_trust.py",
    (
        "records of keys",
        "gateways and relays",
    ): f"{IDEMPOTENT}test_settled.py::test_no_number_of_voids_burns_a_key",
    (
        "records of keys",
        "Idempotency-Key",
    ): f"{WEB}test_idempotency_key.py::test_a_repeat_gets_the_first_answer",
    (
        "approvals",
        "probes",
    ): f"{IDEMPOTENT}test_approvals.py::test_a_settle_that_learns_nothing_opens_no_way_around_the_approval",
    (
        "approvals",
        "settling",
    ): f"{IDEMPOTENT}test_approvals.py::test_a_caller_learns_that_its_call_waits_and_that_settling_it_drops_the_question",
    (
        "approvals",
        "queues and workers",
    ): f"{APP}test_words.py::test_what_waits_for_a_person_is_counted_and_runs_once_it_is_approved",
    (
        "approvals",
        "dead letters",
    ): f"{APP}test_words.py::test_on_clouds_no_letter_is_made_of_what_waits",
    (
        "approvals",
        "console and dev",
    ): "tests/console/test_actions.py::test_who_decides_sees_the_whole_question",
    (
        "approvals",
        "approvals",
    ): f"{IDEMPOTENT}test_approvals.py::test_an_approval_is_for_one_payload_and_stays_for_it",
    (
        "approvals",
        "kills",
    ): f"{IDEMPOTENT}test_approvals.py::test_a_dead_run_that_needed_no_approval_waits_if_the_next_call_needs_one",
    (
        "principals",
        "probes",
    ): f"{IDEMPOTENT}test_probes.py::test_a_stranger_learns_nothing_of_a_key_that_is_not_its_own",
    (
        "principals",
        "settling",
    ): f"{IDEMPOTENT}test_settled.py::test_a_principal_settles_its_own_keys_only",
    (
        "principals",
        "Idempotency-Key",
    ): f"{WEB}test_idempotency_key.py::test_one_caller_learns_nothing_of_another",
    (
        "settling",
        "Idempotency-Key",
    ): f"{WEB}test_idempotency_key.py::test_a_stranger_settles_nothing",
    (
        "settling",
        "failover orders",
    ): f"{CLIENT}test_settling_targets.py::test_a_call_whose_targets_nobody_names_may_have_run_elsewhere",
    (
        "settling",
        "spool and outboxes",
    ): f"{SPOOL}::test_an_event_that_the_spool_may_have_is_not_settled_as_not_run",
    (
        "settling",
        "failures of handlers",
    ): f"{IDEMPOTENT}test_settling.py::test_settling_replaces_no_answer_that_has_come",
    (
        "settling",
        "batches",
    ): f"{CLIENT}test_unknowns.py::test_of_a_batch_each_event_is_left_that_may_have_gone_out",
    (
        "settling",
        "workflows",
    ): f"{WORKFLOW}test_settling.py::test_a_payment_that_fails_behind_its_charge_is_taken_back",
    (
        "settling",
        "clocks",
    ): f"{IDEMPOTENT}test_settled.py::test_no_wrong_clock_makes_a_verdict_wrong",
    ("settling", "settling"): f"{IDEMPOTENT}test_settled.py::test_two_settle_a_key_at_once",
    (
        "settling",
        "console and dev",
    ): "tests/console/test_actions.py::test_a_key_is_settled_by_a_click_and_an_answer",
    (
        "nested calls",
        "queues and workers",
    ): f"{APP}test_words.py::test_neither_a_letter_nor_a_step_believes_it",
    (
        "nested calls",
        "failures of handlers",
    ): f"{APP}test_words.py::test_no_word_of_a_nested_call_travels_up",
    (
        "nested calls",
        "settling",
    ): f"{APP}test_words.py::test_voids_of_a_call_let_no_void_of_an_inner_key_run",
    (
        "nested calls",
        "workflows",
    ): f"{WORKFLOW}test_versions.py::test_a_step_that_waits_for_a_run_holds_no_place",
    (
        "nested calls",
        "gateways and relays",
    ): f"{HTTP}test_relays.py::test_a_lambda_that_raises_what_it_was_told_has_run",
    (
        "hedges",
        "refusals",
    ): f"{ROUTING}test_in_flight.py::test_no_failure_is_told_while_an_attempt_is_in_flight",
    (
        "hedges",
        "batches",
    ): f"{ROUTING}test_in_flight.py::test_no_event_is_told_as_refused_while_it_is_in_flight",
    (
        "batches",
        "lost requests and answers",
    ): f"{CLIENT}test_methods.py::test_a_report_names_each_failure_in_order",
    (
        "batches",
        "ordering keys",
    ): f"{CLIENT}test_methods.py::test_nothing_overtakes_a_failed_event_of_its_key",
    (
        "residency",
        "failover orders",
    ): f"{CLIENT}test_operating.py::test_no_failure_takes_a_call_out_of_its_residency",
    ("ordering keys", "spool and outboxes"): f"{SPOOL}",
    (
        "workflows",
        "deploys",
    ): f"{WORKFLOW}test_versions.py::test_a_run_is_left_to_a_version_that_can_call_its_functions",
    (
        "workflows",
        "workflows",
    ): f"{WORKFLOW}test_versions.py::test_what_nobody_here_can_run_delays_nothing",
    ("workflows", "kills"): f"{WORKFLOW}test_crashes.py",
    ("workflows", "cancelling"): f"{WORKFLOW}test_engine.py",
    (
        "apps and stages",
        "events",
    ): f"{POSTGRES}test_apps.py::test_each_of_two_apps_gets_each_event_under_one_name_of_a_handler",
    (
        "apps and stages",
        "queues and workers",
    ): f"{POSTGRES}test_apps.py::test_a_queue_that_a_live_app_serves_is_refused_to_another",
    (
        "apps and stages",
        "workflows",
    ): f"{POSTGRES}test_apps.py::test_runs_of_another_app_are_left_to_it",
    (
        "apps and stages",
        "layouts of stores",
    ): f"{POSTGRES}test_apps.py::test_a_schema_belongs_to_one_stage",
    ("schedules", "deploys"): f"{POSTGRES}test_apps.py::test_a_changed_schedule_begins_now",
    ("deploys", "layouts of stores"): f"{POSTGRES}test_apps.py::test_programs_of_version_2_go_on",
    ("events", "dead letters"): f"{LOCAL}test_dead_letters.py",
    ("queues and workers", "kills"): f"{WORKER}test_processes.py",
    ("lists", "deploys"): f"{CLIENT}test_lists.py::test_a_cursor_outlives_the_process",
    (
        "lists",
        "lost requests and answers",
    ): f"{CLIENT}test_lists.py::test_a_lost_answer_is_asked_for_again",
    ("lists", "failover orders"): f"{CLIENT}test_lists.py::test_a_cursor_stays_at_its_home",
    (
        "gateways and relays",
        "refusals",
    ): f"{CLOUDS}test_service_marks.py::test_a_refusal_without_the_services_mark_proves_nothing",
    (
        "gateways and relays",
        "deploys",
    ): f"{HTTP}test_relays.py::test_an_answer_of_its_own_without_the_mark_takes_the_word_back",
    ("threads and forks", "spool and outboxes"): f"{SPOOL}",
    (
        "Idempotency-Key",
        "failures of handlers",
    ): f"{WEB}test_idempotency_key.py::test_a_whole_answer_is_the_answer",
    (
        "Idempotency-Key",
        "clocks",
    ): f"{WEB}test_idempotency_key.py::test_a_run_that_was_taken_over_is_not_denied",
}
"""Pairs, in the order of `AREAS` or not, and the test in which they meet."""

APART: Final[Mapping[tuple[str, str], str]] = {
    ("ordering keys", "hedges"): "an event with a key has one target and is never hedged",
    ("unsafe calls", "hedges"): "only harmless calls are hedged",
    ("unsafe calls", "approvals"): "an approval belongs to a key",
    ("unsafe calls", "probes"): "a probe is asked about a key",
    ("unsafe calls", "principals"): "principals keep keys apart",
    ("unsafe calls", "Idempotency-Key"): "without a key the middleware passes a request on",
    ("approvals", "Idempotency-Key"): "the middleware has no approvals",
    ("marked effects", "Idempotency-Key"): "the middleware takes effects anywhere",
    ("schedules", "batches"): "a moment of a schedule is one row",
    ("schedules", "hedges"): "a moment is run by its own target",
    ("schedules", "principals"): "nobody calls a schedule",
    ("schedules", "ordering keys"): "moments have no key",
    ("schedules", "gateways and relays"): "a moment crosses no gateway",
    ("schedules", "Idempotency-Key"): "a moment is not a web request",
    ("cancelling", "Idempotency-Key"): "a caller that leaves ends no run",
    **{
        ("lists", area): "a list only reads, and keeps nothing"
        for area in (
            "unsafe calls",
            "records of keys",
            "marked effects",
            "probes",
            "approvals",
            "principals",
            "settling",
            "nested calls",
            "events",
            "spool and outboxes",
            "ordering keys",
            "queues and workers",
            "dead letters",
            "schedules",
            "workflows",
            "hedges",
            "batches",
            "gateways and relays",
            "Idempotency-Key",
        )
    },
    **{
        ("Idempotency-Key", area): "the middleware guards a web app that is not leeward's"
        for area in (
            "failover orders",
            "hedges",
            "isolation",
            "ordering keys",
            "spool and outboxes",
            "batches",
            "events",
            "queues and workers",
            "dead letters",
            "workflows",
            "gateways and relays",
        )
    },
}
"""Pairs that cannot meet, and why."""


class Cell(NamedTuple):
    """What is known of a pair: one of the four.

    Attributes:
        sign: ``test``, ``triples``, ``apart`` or ``not tried``.
        text: the test, or the reason.
    """

    sign: str
    text: str = ""


def cell_of(one: str, other: str) -> Cell:
    """Return what is known of a pair of areas, in any order."""
    for pair in ((one, other), (other, one)):
        if pair in TESTS:
            return Cell("test", TESTS[pair])
    for pair in ((one, other), (other, one)):
        if pair in APART:
            return Cell("apart", APART[pair])
    return Cell("triples") if _meet_in_triples(one, other) else Cell("not tried")


@cache
def _meet_in_triples(one: str, other: str) -> bool:
    return any(
        isinstance(combine((first, second)), Plan)
        for first in AREAS[one]
        for second in AREAS[other]
        if first != second
    )


SIGNS: Final = {"test": "T", "triples": "r", "apart": "-", "not tried": ""}

HEAD: Final = """# Pairs of features

Two features can each hold alone and break together. This page says of every pair what was tried.

| sign | meaning |
|---|---|
| T | a test of its own, [below](#their-tests) |
| r | it is met by chance: `python -m tests.pairs.triples --triples 100000` makes one call in a world with three features, and counts its effect outside |
| - | the two cannot meet; [why](#why-some-cannot-meet) |
| | not tried |

"""


def page() -> str:
    """Return ``docs/pairs.md``."""
    names = [*AREAS]
    cells = {pair: cell_of(*pair) for pair in combinations_with_replacement(names, 2)}
    counts = {sign: sum(each.sign == sign for each in cells.values()) for sign in SIGNS}
    head = " | ".join(str(number) for number in range(1, len(names) + 1))
    summary = (
        f"{len(names)} features make {len(cells)} pairs. {counts['test']} have a test of their "
        f"own, {counts['triples']} are met by chance, {counts['apart']} cannot meet, and "
        f"{counts['not tried']} were not tried."
    )
    lines = [
        summary,
        "",
        f"| | | {head} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for row, one in enumerate(names):
        signs = [SIGNS[cells[other, one].sign] for other in names[: row + 1]]
        signs += [""] * (len(names) - len(signs))
        lines.append(f"| {row + 1} | {one} | {' | '.join(signs)} |".replace("  ", " "))
    lines += ["", "## Their tests", "", "| feature | with | test |", "|---|---|---|"]
    lines += [
        f"| {one} | {other} | `{each.text}` |"
        for (one, other), each in cells.items()
        if each.sign == "test"
    ]
    reasons: dict[str, list[str]] = {}
    for (one, other), each in cells.items():
        if each.sign == "apart":
            reasons.setdefault(each.text, []).append(f"{one} and {other}")
    lines += ["", "## Why some cannot meet", "", "| reason | pairs |", "|---|---|"]
    lines += [f"| {reason} | {'; '.join(pairs)} |" for reason, pairs in reasons.items()]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/pairs.md").write_text(page(), encoding="utf-8")
