from __future__ import annotations

import ast

import pytest

from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT

FORBIDDEN_MODULES = {"cPickle", "cloudpickle", "dill", "marshal", "pickle", "shelve", "yaml"}
"""What turns bytes into code or objects of any class."""

FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


def forbidden_in(source: str) -> set[str]:
    """Give the modules and calls in `source` by which data could become code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {each.name.partition(".")[0] for each in names} & FORBIDDEN_MODULES
            case ast.ImportFrom(module=str(module)):
                found |= {module.partition(".")[0]} & FORBIDDEN_MODULES
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                found.add(name)
            case ast.Call(args=[ast.Constant(value=str(name)), *_]):  # import_module("pickle")
                found |= {name.partition(".")[0]} & FORBIDDEN_MODULES
    return found


@pytest.mark.threat("S14")
def test_data_never_becomes_code() -> None:
    """No shipped module unpickles, reads YAML or evaluates text: JSON and TOML are all there is."""
    wrong = {
        str(path.relative_to(ROOT)): found
        for folder in (
            "src",
            "adapters",
            "extras/backup/src",
            "extras/dev/src",
            "extras/integrations/src",
            "extras/ran/src",
            "extras/deploy/src",
            "contract_tests/src",
            "examples",
        )
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (found := forbidden_in(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


@each_row(
    "source, found",
    [
        ("import os, pickle", {"pickle"}),
        ("def f():\n    from yaml import load", {"yaml"}),
        ("import marshal as json", {"marshal"}),
        ("from importlib import import_module\nimport_module('shelve')", {"shelve"}),
        ("eval('1')\nexec(x)", {"eval", "exec"}),
        ("import json, re\nre.compile('x')\ncompiled = evaluate(1)", set()),
    ],
)
def test_the_search_sees_every_way(source: str, found: set[str]) -> None:
    """Imports at any place and under any name, and calls; look-alikes do not count."""
    assert forbidden_in(source) == found
