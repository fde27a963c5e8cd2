"""What adapters may import, theirs and ours alike, and how little an adapter needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import leeward_stratus
from leeward_contract_tests.rows import each_row
from tests.house.workspace import ROOT

ALLOWED = (
    "adapter",
    "errors",
    "values",
    "values.settled",
    "calls",
    "envelope",
    "cloudevents",
    "entrypoints",
    "forking",
    "json_text",
    "leases.faults",
    "leases.rules",
    "masking",
    "records",
    "stores",
    "text",
    "app.kit",
    "cli.kit",
    "workflow.embedded.journal",
    "workflow.kit",
)
"""Of `leeward`: the vocabulary, the small tools, and the kits."""

KITS = ("app", "cli", "workflow")
"""Packages of which adapters import the kit alone."""

PACKAGES = sorted(
    path
    for folder in ("adapters", "examples")
    for path in (ROOT / folder).glob("*/src/leeward_*")
    if path.is_dir() and path.suffix == ""
)


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Give the modules of leeward that `source` imports, with their lines.

    Names of modules count, also where one is taken from its package; names of what is in a module
    do not.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield node.lineno, each.name
        elif isinstance(node, ast.ImportFrom) and node.module in _PACKAGES:
            for each in node.names:
                name = f"{node.module}.{each.name}"
                yield node.lineno, name if _is_module(name) else node.module
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


_PACKAGES = ("leeward", "leeward.adapter", *(f"leeward.{each}" for each in KITS))


def _is_module(name: str) -> bool:
    path = ROOT / "src" / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def is_public(module: str) -> bool:
    """Return whether an adapter may import a module, of leeward or of anybody."""
    parts = module.split(".")
    if any(part.startswith("_") and part != "__future__" for part in parts):
        return False
    if parts[0] != "leeward":
        return True
    if parts[1:2] in (["adapter"], ["calls"]):
        return True
    return ".".join(parts[1:]) in ALLOWED


def test_every_adapter_is_looked_at() -> None:
    """The three clouds, PostgreSQL, and both examples."""
    names = [path.name.removeprefix("leeward_") for path in PACKAGES]
    assert names == ["aws", "azure", "google", "postgres", "stratus", "nimbus"]


@each_row("package", PACKAGES)
def test_an_adapter_imports_the_public_kit_alone(package: Path) -> None:
    """And nothing private of anybody, where only types are checked as well."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in sorted(package.rglob("*.py"))
        for line, module in imported(path.read_text(encoding="utf-8"))
        if not is_public(module)
    ]
    assert wrong == []


def test_every_name_of_a_runtimes_kit_is_there() -> None:
    """Some load on first use, from where the types of their names say that they are."""
    from leeward.app import kit

    found = {name: getattr(kit, name) for name in kit.__all__}
    assert None not in found.values()
    tree = ast.parse((ROOT / "src/leeward/app/kit.py").read_text(encoding="utf-8"))
    (typed,) = (node for node in tree.body if isinstance(node, ast.If))
    lazy = {name: module for module, names in kit._LAZY.items() for name in names.split()}
    assert _named(typed) == lazy | {"otel": "leeward"}
    assert sorted(_named(tree)) == sorted(kit.__all__)


def _named(tree: ast.AST) -> dict[str, str | None]:
    """Return the names of leeward that are imported below, and where from."""
    return {
        each.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leeward")
        for each in node.names
    }


@each_row(
    "line, public",
    [
        ("import leeward", False),
        ("from leeward import Client", False),
        ("from leeward import clock", False),
        ("from leeward import json_text", True),
        ("from leeward._http.messages import Request", False),
        ("from leeward.adapter._plan_run import PlanRun", False),
        ("from leeward.adapter import _plan_run", False),
        ("from leeward.adapter._secret import x", False),
        ("from leeward_aws._secret import x", False),
        ("def f():\n    import leeward.clock", False),
        ("from leeward import adapter", True),
        ("from leeward.adapter import Driver, service", True),
        ("from leeward.adapter.items import decode", True),
        ("from leeward.app import Context", False),
        ("from leeward.app.context import Context", False),
        ("from leeward.app.kit import Context", True),
        ("from leeward.workflow import Definition", False),
        ("from leeward.workflow.model import Definition", False),
        ("from leeward.workflow.kit import Definition", True),
        ("from leeward.errors import Outcome", True),
        ("from leeward.calls.looks import BUCKET", True),
        ("from __future__ import annotations", True),
        ("import requests", True),
    ],
)
def test_the_search_sees_every_way_to_import(line: str, public: bool) -> None:
    """A module by its own name, from its package, and late."""
    assert all(is_public(module) for _, module in imported(line)) is public


def test_an_adapter_made_of_plans_has_at_most_200_lines() -> None:
    """Stratus, which passes the whole contract: all of its files together, blank lines too."""
    files = Path(leeward_stratus.__file__).parent.glob("*.py")
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= 200
