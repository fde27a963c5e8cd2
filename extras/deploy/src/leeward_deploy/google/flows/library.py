"""Subworkflows that every export brings along: one meaning of values and errors.

Expressions of Workflows fail where types do not fit, and an HTTP error says little. These say for
every value what a flow means by it, and for every error what a flow calls it. Types are compared
with those of samples.

Source: the reference of Workflows' syntax and standard library, and its list of errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from leeward.envelope import DEADLINE, IDEMPOTENCY_KEY, PROBLEM
from leeward.workflow.model import AMBIGUOUS, FAILED, NOT_SENT, REFUSED, THROTTLED, TIMEOUT, UNKNOWN
from leeward.workflow.steps import UNKNOWN_CLASSES

Steps = list[dict[str, Any]]

FIELD: Final = "leeward_field"
LIST: Final = "leeward_list"
COMPARE: Final = "leeward_compare"
ERROR: Final = "leeward_error"


def when(*cases: tuple[str, Steps]) -> dict[str, Any]:
    """Return a switch: expressions, and what is done."""
    return {
        "switch": [{"condition": f"${{{condition}}}", "steps": steps} for condition, steps in cases]
    }


def one_of(value: str, names: Iterable[str]) -> str:
    """Return an expression: whether a text is one of a few. Lists are not sure to be taken."""
    return " or ".join(f'{value} == "{name}"' for name in names)


def assign(**values: Any) -> dict[str, Any]:
    """Return an assignment."""
    return {"assign": [{name: value} for name, value in values.items()]}


_FIELD_STEPS: Final[Steps] = [
    {"begin": assign(found="${value}", sample={})},
    {
        "fields": {
            "for": {
                "value": "name",
                "in": "${path}",
                "steps": [
                    {
                        "look": when(
                            (
                                "get_type(found) == get_type(sample)",
                                [{"inside": assign(found="${map.get(found, name)}")}],
                            ),
                            ("true", [{"nothing": assign(found=None)}]),
                        )
                    }
                ],
            }
        }
    },
    {"end": {"return": "${found}"}},
]

_LIST_STEPS: Final[Steps] = [
    {"begin": assign(sample=[])},
    {"is_list": when(("get_type(value) == get_type(sample)", [{"it": {"return": "${value}"}}]))},
    {"end": {"return": []}},
]

_COMPARE: Final[Steps] = [
    {
        "begin": assign(
            a="${get_type(left)}",
            b="${get_type(right)}",
            number="${get_type(1)}",
            fraction="${get_type(1.5)}",
            a_text='${get_type("")}',
            an_object={},
            a_list=[],
        )
    },
    {"left_number": when(("a == fraction", [{"as_left": assign(a="${number}")}]))},
    {"right_number": when(("b == fraction", [{"as_right": assign(b="${number}")}]))},
    {
        "differ": when(
            (
                "a != b or a == get_type(an_object) or a == get_type(a_list)",
                [{"no": {"return": '${op == "!="}'}}],
            ),
            ('op == "=="', [{"equal": {"return": "${left == right}"}}]),
            ('op == "!="', [{"unequal": {"return": "${left != right}"}}]),
            ("a != number and a != a_text", [{"no_order": {"return": False}}]),
            ('op == "<"', [{"less": {"return": "${left < right}"}}]),
            ('op == "<="', [{"at_most": {"return": "${left <= right}"}}]),
            ('op == ">"', [{"more": {"return": "${left > right}"}}]),
        )
    },
    {"end": {"return": "${left >= right}"}},
]


def step_of(timeout: int) -> dict[str, Any]:
    """Return the subworkflow of a step with this timeout, in seconds: it must be a constant."""
    call = {
        "try": function_call({DEADLINE: str(timeout * 1000)}, "${payload}", timeout),
        "except": {
            "as": "e",
            "steps": [
                {
                    "name": {
                        "call": ERROR,
                        "args": {"e": "${e}", "marks": "${marks}"},
                        "result": "named",
                    }
                },
                {"fail": {"raise": "${named}"}},
            ],
        },
    }
    steps = [{"call": call}, {"end": {"return": "${answer.body}"}}]
    return {"params": ["url", "key", "payload", "marks"], "steps": steps}


def function_call(headers: Mapping[str, str], body: Any, timeout: int) -> dict[str, Any]:
    """Return the call of the function at `url` with a key, whose result is `answer`.

    Args:
        headers: beside the key.
        body: of the request.
        timeout: seconds.
    """
    return {
        "call": "http.post",
        "args": {
            "url": "${url}",
            "headers": {
                "Content-Type": "application/json",
                IDEMPOTENCY_KEY: "${key}",
                **headers,
            },
            "body": body,
            "timeout": timeout,
            "auth": {"type": "OIDC"},
        },
        "result": "answer",
    }


def set_name(name: str) -> Steps:
    """Return the step that calls an error so."""
    return [{"named": assign(name=name)}]


DID_NOT_RUN: Final = (THROTTLED, NOT_SENT, REFUSED)
"""What is proved by others than the function, so that it must not call its own error so."""

_REASON: Final[Steps] = [
    {
        "look": {
            "call": FIELD,
            "args": {"value": "${e}", "path": ["body", "reason"]},
            "result": "reason",
        }
    },
    {"by_reason": assign(name="${default(reason, name)}")},
]

_ERROR: Final[Steps] = [
    {"ours": when(('"ambiguous" in e', [{"as_it_is": {"return": "${e}"}}]))},
    {"empty": assign(no_tags=[], no_headers={})},
    {
        "begin": assign(
            name=UNKNOWN,
            code='${default(map.get(e, "code"), 0)}',
            tags='${default(map.get(e, "tags"), no_tags)}',
            headers='${default(map.get(e, "headers"), no_headers)}',
        )
    },
    {
        "mark": assign(
            mark='${default(map.get(headers, "X-Leeward"), map.get(headers, "x-leeward"))}'
        )
    },
    {
        "kind": when(
            ('"ConnectionFailedError" in tags', set_name(NOT_SENT)),
            ('"TimeoutError" in tags', set_name(TIMEOUT)),
            ('"AuthError" in tags', set_name(REFUSED)),
            (
                "mark != null",
                [
                    {
                        "class": {
                            "call": FIELD,
                            "args": {"value": "${e}", "path": ["body", "errorType"]},
                            "result": "raised",
                        }
                    },
                    {"known": assign(name=f'${{default(raised, "{FAILED}")}}')},
                    {"problem": when((f'name == "{PROBLEM}"', _REASON))},
                    {"unsure": when((one_of("name", UNKNOWN_CLASSES), set_name(UNKNOWN)))},
                    {"claimed": when((one_of("name", DID_NOT_RUN), set_name(FAILED)))},
                ],
            ),
            # Whoever does not mark its answers may pass on somebody else's.
            ("marks and code == 429", set_name(THROTTLED)),
            ("marks and (code == 401 or code == 403 or code == 404)", set_name(REFUSED)),
        )
    },
    {
        "end": {
            "return": {
                "name": "${name}",
                "ambiguous": f"${{{one_of('name', AMBIGUOUS)}}}",
                "steps": [],
                "final": False,
            }
        }
    },
]

LIBRARY: Final[dict[str, dict[str, Any]]] = {
    FIELD: {"params": ["value", "path"], "steps": _FIELD_STEPS},
    LIST: {"params": ["value"], "steps": _LIST_STEPS},
    COMPARE: {"params": ["left", "op", "right"], "steps": _COMPARE},
    ERROR: {"params": ["e", "marks"], "steps": _ERROR},
}
