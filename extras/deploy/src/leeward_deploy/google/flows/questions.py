"""A step that is settled, as subworkflows: its attempts, and the questions what became of it.

A retry of Workflows cannot ask a function before it tries again, so the attempts are a loop, in one
subworkflow for each time limit and retry. The questions are a second one, in one subworkflow for
each time limit; what it returns says ``how`` the step has been: ``ran``, ``settled`` (the retry
decides what comes then) or ``unknown``.
"""

from __future__ import annotations

from typing import Any, Final

from leeward.envelope import DEADLINE, PROBLEM, SETTLE, VOIDS
from leeward.workflow.kernel import LONGER, QUESTION_SECONDS, repeats_ambiguous
from leeward.workflow.model import AMBIGUOUS, NOT_SENT, THROTTLED, UNKNOWN
from leeward.workflow.retry import Retry
from leeward.workflow.steps import UNKNOWN_CLASSES
from leeward_deploy.google.flows.library import (
    DID_NOT_RUN,
    ERROR,
    FIELD,
    Steps,
    assign,
    function_call,
    one_of,
    set_name,
    when,
)
from leeward_deploy.needs import most_waits

_UNANSWERED: Final = (*AMBIGUOUS, THROTTLED, NOT_SENT, "DedupUnavailable")
"""What a question ends with that may be answered later."""

_FAILURE: Final = {"name": "${name}", "ambiguous": "${ambiguous}", "steps": [], "final": False}


def attempts_of(timeout: int, retry: Retry, predicate: str | None) -> dict[str, Any]:
    """Return the subworkflow of the attempts of a settled step.

    Args:
        timeout: seconds of an attempt.
        retry: which failures are tried again.
        predicate: the subworkflow that says whether an error is; None for none.
    """
    count, asks = retry.attempts, "failure.ambiguous"
    if repeats_ambiguous(retry):
        asks = "true"
    again: Steps = [{"no": assign(again=False)}]
    if predicate is not None and count > 1:
        again = [
            {"covers": {"call": predicate, "args": {"e": "${failure}"}, "result": "again"}},
            {"left": assign(again=f"${{again and attempt < {count}}}")},
        ]
    given = {"url": "${url}", "key": "${key}", "payload": "${payload}", "marks": "${marks}"}
    known = {name: f"${{{name}}}" for name in ("began", "voids", "left", "pause", "failure")}
    question = {"call": f"leeward_settle_{timeout}", "args": given | known, "result": "said"}
    learnt = {name: f"${{said.{name}}}" for name in ("voids", "left", "pause", "failure")}
    settled = [
        {"ask": question},
        {"learn": assign(**learnt)},
        {"ran": when(('said.how == "ran"', [{"it": {"return": "${said.value}"}}]))},
        {"settled": when(('said.how == "settled"', _rename("again-", again)))},
    ]
    call = {
        "try": function_call(
            {DEADLINE: str(timeout * 1000), VOIDS: "${string(voids)}"}, "${payload}", timeout
        ),
        "except": {
            "as": "e",
            "steps": [
                {
                    "name": {
                        "call": ERROR,
                        "args": {"e": "${e}", "marks": "${marks}"},
                        "result": "failure",
                    }
                }
            ],
        },
    }
    loop: Steps = [
        {"begin-attempt": assign(failure=None)},
        {"call": call},
        {"well": when(("failure == null", [{"value": {"return": "${answer.body}"}}]))},
        *again,
        {"unsure": when((f"not again and {asks}", settled))},
        {"last": when(("not again", [{"fail": {"raise": "${failure}"}}]))},
    ]
    if count > 1:
        wait = {"call": "sys.sleep", "args": {"seconds": "${pauses[attempt - 1]}"}}
        loop.append({"wait": wait})
    begin = assign(
        began="${sys.now()}",
        voids=0,
        left=timeout,
        pause=1,
        failure=None,
        answer=None,
        again=False,
        pauses=[int(retry.pause(number, 1.0)) for number in range(1, count)],
    )
    numbers = list(range(1, count + 1))
    return {
        "params": ["url", "key", "payload", "marks"],
        "steps": [
            {"begin": begin},
            {"attempts": {"for": {"value": "attempt", "in": numbers, "steps": loop}}},
        ],
    }


def _rename(prefix: str, steps: Steps) -> Steps:
    """Return steps under other names: a workflow has each name once."""
    return [{f"{prefix}{name}": body for name, body in step.items()} for step in steps]


def _field(name: str, value: str, *path: str) -> dict[str, Any]:
    args = {"value": f"${{{value}}}", "path": list(path)}
    return {f"read-{name}": {"call": FIELD, "args": args, "result": name}}


_MEANING: Final[Steps] = [
    _field("about", "body", "key"),
    _field("verdict", "body", "verdict"),
    _field("fault", "body", "failure"),
    _field("kept", "body", "kept"),
    _field("wait", "body", "retry_after"),
    _field("known", "body", "voids"),
    {"default": assign(after="${default(wait, 0)}", how="unknown")},
    {
        "meaning": when(
            ("about != key", [{"not-about": assign(how="unknown")}]),
            ('verdict == "running"', [{"runs": assign(how="running")}]),
            (
                'verdict == "not_run"',
                [
                    {"void": assign(how="settled", voids="${math.max(voids, default(known, 0))}")},
                    {"why": assign(name="${failure.name}", ambiguous=False)},
                    {"proved": when((one_of("name", AMBIGUOUS), set_name(NOT_SENT)))},
                    {"not-run": assign(failure=_FAILURE)},
                ],
            ),
            ('verdict != "ran"', [{"cannot-tell": assign(how="unknown")}]),
            (
                "fault != null",
                [
                    _field("name", "fault", "errorType"),
                    _field("reason", "fault", "reason"),
                    {
                        "problem": when(
                            (
                                f'name == "{PROBLEM}"',
                                [{"by-reason": assign(name="${default(reason, name)}")}],
                            )
                        )
                    },
                    {"unsure": when((one_of("name", UNKNOWN_CLASSES), set_name(UNKNOWN)))},
                    {"claimed": when((one_of("name", DID_NOT_RUN), set_name("Call.Failed")))},
                    {"as-told": assign(ambiguous=False)},
                    {
                        "failed": assign(
                            how="settled",
                            failure=_FAILURE,
                            voids="${math.max(voids, default(known, 0))}",
                        )
                    },
                ],
            ),
            (
                "default(kept, true)",
                [_field("value", "body", "result"), {"ran": assign(how="ran")}],
            ),
            ("true", [{"lost": assign(name=UNKNOWN)}]),
        )
    },
]


def questions_of(timeout: int) -> dict[str, Any]:
    """Return the subworkflow that asks what became of a step, until that is known or too late.

    Args:
        timeout: seconds that the step may take.
    """
    seconds = min(timeout, QUESTION_SECONDS)
    document = {"settle": "${key}", "age": "${sys.now() - began}", "payload": "${payload}"}
    headers = {DEADLINE: "0", SETTLE: str(seconds * 1000), VOIDS: "${string(voids)}"}
    question = {
        "try": {
            "steps": [
                {"post": function_call(headers, document, seconds)},
                {"told": assign(body="${answer.body}")},
                *_MEANING,
            ]
        },
        "except": {
            "as": "e",
            "steps": [
                {
                    "error": {
                        "call": ERROR,
                        "args": {"e": "${e}", "marks": "${marks}"},
                        "result": "named",
                    }
                },
                {"no-answer": assign(how="unknown", after=0)},
                {
                    "later": when(
                        (one_of("named.name", _UNANSWERED), [{"again": assign(how="running")}])
                    )
                },
            ],
        },
    }
    returned = {
        name: f"${{{name}}}" for name in ("how", "value", "failure", "voids", "left", "pause")
    }
    unknown = assign(how="unknown", name="${failure.name}", ambiguous=True)
    loop: Steps = [
        {"begin-question": assign(name="${failure.name}", ambiguous=True)},
        {"question": question},
        {"over": when(('how == "running" and left <= 0', [{"stop-waiting": unknown}]))},
        {"open": when(('how == "unknown"', [{"keep": assign(failure=_FAILURE)}]))},
        {"known": when(('how != "running"', [{"end": {"return": returned}}]))},
        {"longest": assign(seconds="${math.min(left, math.max(pause, after))}")},
        {"wait": {"call": "sys.sleep", "args": {"seconds": "${seconds}"}}},
        {"less": assign(left="${left - seconds}", pause=f"${{pause * {LONGER}}}")},
    ]
    begin = assign(
        how="unknown",
        value=None,
        body=None,
        answer=None,
        after=0,
        name=None,
        ambiguous=True,
        seconds=0,
        named=None,
    )
    numbers = list(range(1, most_waits(timeout) + 2))
    given = ["url", "key", "payload", "marks", "began", "voids", "left", "pause", "failure"]
    return {
        "params": given,
        "steps": [
            {"begin": begin},
            {"questions": {"for": {"value": "number", "in": numbers, "steps": loop}}},
        ],
    }
