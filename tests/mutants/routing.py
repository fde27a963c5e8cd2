"""Faults that a program plants in `leeward._routing`: each small change must be noticed.

Every comparison, operator, number, truth value and call statement is changed, one at a time, in the
tree of its module. A process that has loaded the tests forks for each change, loads the changed
routing, and runs the tests that need no wait.

python -m tests.mutants.routing [--most N] [--seconds S] [--workers N] [--seed N] [--module NAME]
"""

from __future__ import annotations

import ast
import importlib
import io
import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "src/leeward/_routing"

SKIPPED: Final = ("__init__", "policy")
"""Modules without decisions: the numbers are compared with their page."""

TESTS: Final = (
    *("test_bounds.py", "test_objects.py"),
    *("test_details.py", "test_evidence.py", "test_recovery.py", "test_outages.py"),
    *("test_budgets.py", "test_by_hand.py", "test_sharing.py", "test_call.py"),
    *("test_execution.py", "test_keys.py", "test_readback.py", "test_batches.py", "test_select.py"),
    *("test_results.py", "test_failover.py", "test_policy.py", "test_beside.py"),
    *("test_runners.py", "test_heartbeat.py", "test_silence.py"),
    *("test_runs.py", "test_corners.py", "test_circuits.py", "test_cost.py"),
    *("test_probers.py", "test_snapshots.py", "test_hedges.py"),
)

IMPORTED: Final = "ignore::pytest.PytestAssertRewriteWarning"
"""What the tests import is here already, before pytest could look at it."""

HANGS: Final = 60.0
"""Seconds after which a change that makes the tests hang has been noticed."""

GATE: Final = 0.85
"""Share of the changes that must be noticed."""

SWAPPED: Final[dict[type[ast.AST], type[ast.AST]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
}


class Change(NamedTuple):
    """One change: where it is, and what it is.

    Attributes:
        module: its dotted name.
        number: which node of the tree, as `ast.walk` counts.
        kind: what is done to it.
        line: where it stands.
    """

    module: str
    number: int
    kind: str
    line: int


def changes_of(path: Path) -> Iterator[Change]:
    """Yield every change that can be made in a module."""
    module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = _of_no_effect(tree)
    for number, node in enumerate(ast.walk(tree)):
        kind = "" if id(node) in skipped else _kind_of(node)
        if kind:
            yield Change(module, number, kind, getattr(node, "lineno", 0))


def _of_no_effect(tree: ast.Module) -> set[int]:
    """Return the nodes that no test can notice: annotations, assertions, slots, type checking."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            parts = [node.returns, *(each.annotation for each in node.args.args)]
        elif (
            isinstance(node, ast.Assert)
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
            or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__")
        ):
            parts = [node]
        for part in parts:
            skipped.update(id(each) for each in (ast.walk(part) if part is not None else ()))
    return skipped


def _kind_of(node: ast.AST) -> str:
    match node:
        case ast.Compare(ops=[only]) if type(only) in SWAPPED:
            return "comparison"
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign() if type(node.op) in SWAPPED:
            return "operator"
        case ast.UnaryOp(op=ast.Not()):
            return "not"
        case ast.Constant(value=bool()):
            return "truth"
        case ast.Constant(value=int() | float()):
            return "number"
        case ast.Expr(value=ast.Call()):
            return "statement"
        case _:
            return ""


def changed(source: str, change: Change) -> ast.Module:
    """Return the tree of a module with the change in it."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[change.number]
    match node:
        case ast.Compare():
            node.ops = [SWAPPED[type(node.ops[0])]()]  # type: ignore[list-item]
        case ast.BoolOp() | ast.BinOp() | ast.AugAssign():
            node.op = SWAPPED[type(node.op)]()  # type: ignore[assignment]
        case ast.UnaryOp():
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value) | float(value)):
            node.value = value + 1
        case ast.Expr():
            node.value = ast.Constant(None)
        case _:
            assert change.kind == NOTHING
    return ast.fix_missing_locations(tree)


NOTHING: Final = "nothing"
"""The change that the tests have to pass with: else they would notice everything."""


def survives(change: Change) -> bool:
    """Return whether the tests pass with the change; in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = _run_with(change)
        os.write(writer, b"1" if code == 0 else b"0")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        passed = answer.read() == b"1"
    os.waitpid(child, 0)
    return passed


def _run_with(change: Change) -> int:
    from signal import SIG_DFL, SIGALRM, alarm, signal

    signal(SIGALRM, SIG_DFL)
    alarm(int(HANGS))  # a change that makes the tests hang ends here, and is noticed
    quiet = io.StringIO()
    with redirect_stdout(quiet), redirect_stderr(quiet):
        try:
            _load(change)
            options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", IMPORTED]
            files = [str(ROOT / "tests/routing" / name) for name in TESTS]
            return int(pytest.main([*options, "--timeout=30", *files]))
        except BaseException:  # noqa: BLE001 - a change that cannot even be loaded is noticed
            return 1


def _load(change: Change) -> None:
    """Load the routing anew, with the change in one module of it."""
    for name in [name for name in sys.modules if name.startswith(("leeward", "tests.routing"))]:
        del sys.modules[name]
    path = ROOT / "src" / Path(*change.module.split(".")).with_suffix(".py")
    code = compile(changed(path.read_text(encoding="utf-8"), change), str(path), "exec")

    class Finder:
        """Gives the changed module instead of the file's."""

        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> object:
            if name != change.module:
                return None
            from importlib.machinery import ModuleSpec

            return ModuleSpec(name, Loader())  # type: ignore[arg-type]

    class Loader:
        """Runs the changed code."""

        @staticmethod
        def create_module(spec: object) -> None:
            return None

        @staticmethod
        def exec_module(module: object) -> None:
            exec(code, vars(module))

    sys.meta_path.insert(0, Finder())  # type: ignore[arg-type]
    importlib.import_module("leeward._routing")


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant, count, report, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.mutants.routing", description=__doc__)
    parser.add_argument("--most", type=int, default=160, help="changes (%(default)s); 0 for all")
    parser.add_argument("--seconds", type=float, default=900.0, help="at most (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1, help="which changes (%(default)s)")
    parser.add_argument("--module", default="", help="only modules with this in their name")
    options = parser.parse_args(arguments)
    paths = [path for path in sorted(FOLDER.rglob("*.py")) if path.stem not in SKIPPED]
    found = [
        change for path in paths for change in changes_of(path) if options.module in change.module
    ]
    Random(options.seed).shuffle(found)
    chosen = found[: options.most] if options.most else found
    if not survives(Change("leeward._routing.call", 0, NOTHING, 0)):
        print("The tests fail without a change; mend them first.")
        return 1
    survived, made = _run_all(chosen, options.workers, options.seconds)
    for change in sorted(survived):
        print(f"SURVIVED {change.module}:{change.line} {change.kind}")
    kinds = Counter(change.kind for change in survived)
    caught = made - len(survived)
    print(
        f"routing: {caught} of {made} changes noticed ({caught / max(1, made):.1%}), of "
        f"{len(found)} possible, seed {options.seed}; survived: {dict(kinds)}"
    )
    return 0 if caught >= GATE * made else 1


def _run_all(chosen: list[Change], workers: int, seconds: float) -> tuple[list[Change], int]:
    """Return the changes that survived, and how many were made before the time was over."""
    from concurrent.futures import ThreadPoolExecutor

    import tests.conftest  # noqa: F401 - loaded once, for every child

    end = monotonic() + seconds
    survived: list[Change] = []
    made = 0

    def work(change: Change) -> bool | None:
        return survives(change) if monotonic() < end else None

    with ThreadPoolExecutor(workers) as pool:
        for change, passed in zip(chosen, pool.map(work, chosen), strict=True):
            made += passed is not None
            if passed:
                survived.append(change)
    return survived, made


if __name__ == "__main__":
    sys.exit(main())
