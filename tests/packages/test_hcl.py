"""A configuration in Terraform's own language says what it said in JSON."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward import ConfigError
from leeward_contract_tests.rows import each_row
from leeward_deploy.hcl import module
from leeward_deploy.terraform import literal

SCHEMAS = {
    "x_queue": {
        "=": ["arn"],
        "name!": "string",
        "tags": "map",
        "policy": "string",
        "retry": {"most": "number", "step": [{"seconds!": "number"}]},
    }
}


def text_of(value: object) -> str:
    """Return how a value of an argument is written."""
    (made,) = module({"resource": {"x_queue": {"a": {"name": value}}}}, SCHEMAS, {})
    found = re.search(r"name = (.*)\n\}\n$", made.text, re.DOTALL)
    assert found is not None
    return found[1]


WRITTEN: dict[str, tuple[object, str]] = {
    "a text": ("a", '"a"'),
    "a reference": ("${x_queue.b.arn}", "x_queue.b.arn"),
    "a text with references": ("${var.a}-${var.b}", '"${var.a}-${var.b}"'),
    "a text with a text in a reference": (
        '${filesha256("${path.module}/a}b.zip")}.zip',
        '"${filesha256("${path.module}/a}b.zip")}.zip"',
    ),
    "an object in a reference": ('${merge(var.tags, { a = "}" })}', 'merge(var.tags, { a = "}" })'),
    "what looks like a reference": ("$${a} %%{b}", '"$${a} %%{b}"'),
    "what has to be escaped": ('"\\\n\t\x00\u2028', '"\\"\\\\\\n\\t\\u0000\\u2028"'),
    "letters of all kinds": ("ä 水 😀", '"ä 水 😀"'),
    "a number": (3, "3"),
    "a truth": (True, "true"),
    "JSON": ('{"a": ["${x_queue.b.arn}"]}', "jsonencode({\n    a = [x_queue.b.arn]\n  })"),
    "JSON within JSON": (
        json.dumps({"a": '{"b": 1}'}),
        'jsonencode({\n    a = "{\\"b\\": 1}"\n  })',
    ),
    "a list": (["a", 1], '["a", 1]'),
    "a long list": (["a" * 60, "b" * 60], f'[\n    "{"a" * 60}",\n    "{"b" * 60}",\n  ]'),
    "a key that is no name": ({"a b": 1, "if": 2}, '{\n    "a b" = 1\n    "if"  = 2\n  }'),
}


@each_row("value, text", WRITTEN)
def test_a_value_is_written_as_terraform_reads_it(value: object, text: str) -> None:
    """Texts are templates; what is wholly a reference, and what is JSON, stand without quotes."""
    assert text_of(value) == text


ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def read(quoted: str) -> str:
    """Return what a text between quotes says, by the rules of HCL."""
    assert '"' not in re.sub(r"\\.", "", quoted[1:-1])
    assert "\n" not in quoted
    plain = re.sub(
        r"\\(u([0-9a-f]{4})|.)",
        lambda found: chr(int(found[2], 16)) if found[2] else ESCAPES[found[1]],
        quoted[1:-1],
    )
    return plain.replace("$${", "${").replace("%%{", "%{")


@given(st.text(st.sampled_from('${}%"\\\n\t aä\x7f{') | st.characters(exclude_categories=["Cs"])))
def test_every_text_is_read_as_it_was(text: str) -> None:
    """Also with what looks like a reference, quotes, and letters of all kinds."""
    if not text.startswith(("{", "[{")):
        assert read(text_of(literal(text))) == text


def test_blocks_are_those_of_the_schema_and_comments_stand_before_them() -> None:
    """Arguments come first, and equals signs are aligned; what it depends on comes last."""
    given = {
        "//": "It waits for b.",
        "depends_on": ["x_queue.b"],
        "retry": {"most": 3, "step": [{"seconds": 1}, {"seconds": 2}]},
        "tags": {"team": "orders"},
        "name": "a",
        "policy": None,
    }
    (made,) = module(
        {"resource": {"x_queue": {"a": given}}}, SCHEMAS, {"x_queue": "q.tf"}, {"q.tf": "Queues."}
    )
    assert made.name == "q.tf"
    assert made.text == (
        '# Queues.\n\n# It waits for b.\nresource "x_queue" "a" {\n'
        '  tags = {\n    team = "orders"\n  }\n'
        '  name = "a"\n\n'
        "  retry {\n    most = 3\n\n    step {\n      seconds = 1\n    }\n\n"
        "    step {\n      seconds = 2\n    }\n  }\n\n"
        "  depends_on = [x_queue.b]\n}\n"
    )


def test_a_module_has_a_file_for_each_subject() -> None:
    """Variables have types that are no texts; the first file carries the configuration."""
    given = {
        "terraform": {"required_providers": {"x": {"source": "a/x", "version": ">= 1"}}},
        "variable": {
            "tags": {"type": "map(string)", "description": "of all", "default": {}},
            "days": {
                "description": "of logs",
                "type": "number",
                "validation": {
                    "condition": "${var.days > 0}",
                    "error_message": "it must be more than 0",
                },
            },
        },
        "locals": {"name": "${var.days}-a"},
        "data": {"x_account": {"this": {}}},
        "resource": {"x_queue": {"a": {"name": "a"}}, "x_other": {"b": {}}},
        "output": {"arn": {"value": "${x_queue.a.arn}"}},
    }
    made = {each.name: each for each in module(given, SCHEMAS, {"x_queue": "queues.tf"})}
    assert [*made] == ["main.tf", "outputs.tf", "queues.tf", "variables.tf", "versions.tf"]
    assert made["main.tf"].document == given
    assert made["main.tf"].text == (
        'locals {\n  name = "${var.days}-a"\n}\n\ndata "x_account" "this" {}\n\n'
        'resource "x_other" "b" {}\n'
    )
    assert made["outputs.tf"].text == 'output "arn" {\n  value = x_queue.a.arn\n}\n'
    assert "  type        = map(string)\n  default     = {}\n" in made["variables.tf"].text
    assert "    condition     = var.days > 0\n" in made["variables.tf"].text


@pytest.mark.parametrize("text", ["${a", '${f("}', "a ${ {} ", '${"${"}'])
def test_an_expression_that_does_not_end_is_refused(text: str) -> None:
    """Whatever stands in it, with the remedy."""
    with pytest.raises(ConfigError, match="does not end; close it, or write"):
        text_of(text)
