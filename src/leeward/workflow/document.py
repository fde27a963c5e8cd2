"""A definition as a document of JSON, which YAML writes as well; and back.

::

    leeward: workflow/1
    workflow: order
    timeout: 24h
    do:
      - step: validate-order
        payload: $input
      - saga: booking
        do:
          - step: take-payment
            payload: {order: $input.id}
            effect: keyed
            undo: {call: refund-payment}

A text that begins with ``$`` is a reference; ``$$`` stands for the sign itself. A field whose name
has other signs than letters, digits, ``_`` and ``-`` is written ``$input["order id"]``. `written`
gives every field, so that equal definitions are equal documents: the digest is taken of that. What
a document may leave out is in `leeward.workflow.reading`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from leeward.json_text import encode
from leeward.values import Json
from leeward.workflow.model import (
    All,
    Attempt,
    Block,
    Choose,
    Compare,
    Condition,
    Definition,
    Each,
    Fail,
    Node,
    Not,
    OneOf,
    Parallel,
    Present,
    Reference,
    Saga,
    Some,
    Step,
    Stop,
    Template,
    Wait,
)
from leeward.workflow.retry import Retry

FORMAT: Final = "workflow/1"

PLAIN_FIELD: Final = r"\.[A-Za-z_][A-Za-z0-9_-]*"
"""A field in a reference; one with another name is a text of JSON, in brackets."""


def written(definition: Definition) -> dict[str, Json]:
    """Return a definition as JSON, with every field."""
    return {
        "leeward": FORMAT,
        "workflow": definition.name,
        "timeout": definition.timeout,
        "do": _block(definition.body),
    }


def digest_of(definition: Definition) -> str:
    """Return 64 hexadecimal digits: the SHA-256 of the definition's canonical document."""
    from hashlib import sha256
    from json import dumps

    text = dumps(written(definition), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode()).hexdigest()


def _block(block: Block) -> list[Json]:
    return [_node(node) for node in block]


def _node(node: Node) -> dict[str, Json]:
    match node:
        case Step():
            return {
                "step": node.id,
                "call": node.function,
                "payload": template_written(node.payload),
                "effect": node.effect.value,
                "timeout": node.timeout,
                "retry": _retry(node.retry),
                "undo": None
                if node.undo is None
                else {
                    "call": node.undo.function,
                    "timeout": node.undo.timeout,
                    "retry": _retry(node.undo.retry),
                },
            }
        case Attempt():
            handlers = [{"errors": [*on.errors], "do": _block(on.body)} for on in node.handlers]
            return {"attempt": node.id, "do": _block(node.body), "on": handlers}
        case Saga():
            return {"saga": node.id, "undo": node.undo, "do": _block(node.body)}
        case Parallel():
            branches = [{"branch": each.id, "do": _block(each.body)} for each in node.branches]
            return {"parallel": node.id, "branches": branches}
        case Choose():
            cases = [
                {"when": condition_written(each.when), "do": _block(each.body)}
                for each in node.cases
            ]
            return {"choose": node.id, "cases": cases, "otherwise": _block(node.otherwise)}
        case Each():
            items = template_written(node.items)
            return {
                "each": node.id,
                "in": items,
                "at_once": node.at_once,
                "do": _block(node.body),
            }
        case Wait():
            return {"wait": node.id, "seconds": node.seconds}
        case Stop():
            return {"stop": node.id, "result": template_written(node.result)}
        case Fail():
            return {"fail": node.id, "error": node.error}


def _retry(retry: Retry) -> dict[str, Json]:
    return {**retry._asdict(), "on": [*retry.on]}


def template_written(template: Template) -> Json:
    """Return a template as JSON, its references as texts."""
    if isinstance(template, Reference):
        return "$" + template.name + "".join(map(_field, template.path))
    if isinstance(template, Mapping):
        return {name: template_written(each) for name, each in template.items()}
    if isinstance(template, tuple):
        return [template_written(each) for each in template]
    return f"${template}" if isinstance(template, str) and template.startswith("$") else template


def _field(name: str) -> str:
    from json import dumps

    plain = f".{name}"
    return plain if re.fullmatch(PLAIN_FIELD, plain) else f"[{dumps(name, ensure_ascii=False)}]"


def condition_written(condition: Condition) -> Json:
    """Return a condition as JSON: an object with one field, the operator."""
    match condition:
        case Compare():
            sides = [template_written(condition.left), template_written(condition.right)]
            return {condition.op: sides}
        case OneOf():
            values = [template_written(each) for each in condition.values]
            return {"in": [template_written(condition.left), values]}
        case Present():
            return {"present": template_written(condition.left)}
        case Not():
            return {"not": condition_written(condition.inner)}
        case All() | Some():
            return {condition.kind: [condition_written(each) for each in condition.inner]}


def stored(definition: Definition) -> str:
    """Return a definition as the text that a journal or a package keeps."""
    return encode(written(definition)).decode()
