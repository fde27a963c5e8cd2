"""Measure the house: sizes, cycles, lazy imports, names, writes to another's state.

python -m tests.house.numbers [--names]

Tests, examples and benchmarks do not count. `--names` lists what stands behind the counts that
should be small.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from leeward_deploy.build import EMBEDDED, IDLE, SERVING
from tests.house.workspace import ROOT, members

PARTICIPLE: Final = re.compile(
    r"_*+(?!is_|has_|was_)(?:\w*[a-z]ed|(?:\w+_)?(?:written|told|found|taken|begun|known|made|kept"
    r"|sent|left|given|seen|shown|held|done))"
)
NO_PARTICIPLE: Final = re.compile(
    r"_*(?:\w+_)?(?:feed|need|seed|embed|proceed|exceed|succeed)"
    r"|_*(?:test|check|read|render|raise|note|take|store|refuse|decide|do|probe|json_of|keep|run"
    r"|why)_\w+"
)
"""Words that end like a participle, and names that begin with a verb."""

VALUES: Final = frozenset({"told", "each", "found", "made", "most", "known", "own"})
"""Words that are not names of values."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """One source file: its place, its tree, and where it imports what.

    Attributes:
        name: dotted, such as ``leeward._routing.call``.
        distribution: folder of its pyproject.toml, from the root of the project.
        imports: modules of the project by kind: ``top``, ``lazy`` (in a function), ``typing``.
    """

    name: str
    path: Path
    distribution: str
    text: str
    tree: ast.Module
    imports: Mapping[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return self.text.count("\n")

    @property
    def functions(self) -> list[Function]:
        """All functions and methods, inner ones as well."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @property
    def classes(self) -> list[ast.ClassDef]:
        """All classes."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]


@cache
def modules() -> tuple[Module, ...]:
    """Read every module of every distribution but the examples."""
    read = []
    for member in members():
        distribution = member.relative_to(ROOT).as_posix()
        if distribution.startswith("examples"):
            continue
        for path in sorted((member / "src").rglob("*.py")):
            parts = path.relative_to(member / "src").with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text("utf-8")
            read.append(Module(name, path, distribution, text, ast.parse(text)))
    known = {module.name for module in read}
    for module in read:
        for kind, name in _imports(module.tree, known, "top"):
            module.imports[kind].add(name)
    return tuple(read)


def _imports(node: ast.AST, known: set[str], kind: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the module of each import of the project below `node`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((kind, alias.name) for alias in child.names if alias.name in known)
        elif isinstance(child, ast.ImportFrom) and child.module:
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                name = inner if inner in known else child.module
                if name in known:
                    yield kind, name
        elif isinstance(child, Function) and kind == "top":
            yield from _imports(child, known, "lazy")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from _imports(child, known, "typing")
        else:
            yield from _imports(child, known, kind)


def cycles(kinds: Iterable[str]) -> list[list[str]]:
    """Return the groups of modules that import each other, by imports of these kinds."""
    ahead = {
        module.name: set().union(*(module.imports[kind] for kind in kinds)) - {module.name}
        for module in modules()
    }

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in ahead[waiting.pop()] - seen:
                seen.add(name)
                waiting.append(name)
        return seen

    reach = {name: reachable(name) for name in ahead}
    circular = {name for name in ahead if name in reach[name]}
    groups = {
        tuple(sorted(other for other in circular if other in reach[name] and name in reach[other]))
        for name in circular
    }
    return [list(group) for group in sorted(groups)]


def lazy_imports() -> list[str]:
    """Return each import of the project's own in a function."""
    return [
        f"{module.name}:{node.lineno} {node.module}"
        for module in modules()
        for node in _in_functions(module)
        if node.module and node.module.partition(".")[0].startswith("leeward")
    ]


def _in_functions(module: Module) -> list[ast.ImportFrom]:
    nodes = {
        node.lineno: node
        for function in module.functions
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    }
    return list(nodes.values())


def participles() -> list[str]:
    """Return the functions and methods that are named by a participle; properties are nouns."""
    return [
        f"{module.name}:{function.lineno} {function.name}"
        for module in modules()
        for function in module.functions
        if PARTICIPLE.fullmatch(function.name)
        and not NO_PARTICIPLE.fullmatch(function.name)
        and not any("property" in ast.dump(decorator) for decorator in function.decorator_list)
    ]


def participle_values() -> list[str]:
    """Return the arguments and variables that are named by a participle: a value is a noun."""
    return [
        f"{module.name}:{node.lineno} {name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.arg | ast.Name)
        and not isinstance(getattr(node, "ctx", None), ast.Load | ast.Del)
        and (name := str(getattr(node, "arg", "") or getattr(node, "id", ""))).strip("_") in VALUES
    ]


def private_functions() -> Counter[str]:
    """Return how often each private function is used in its own file."""
    uses: Counter[str] = Counter()
    for module in modules():
        names = Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        for function in module.functions:
            if function.name.startswith("_") and not function.name.startswith("__"):
                uses[f"{module.name}:{function.lineno} {function.name}"] = names[function.name]
    return uses


def classes_with_one_name() -> list[str]:
    """Return the class names that a distribution defines more than once, and where."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in modules():
        for node in module.classes:
            if not node.name.startswith("_"):
                places[module.distribution, node.name].append(module.name)
    return [
        f"{name}: {', '.join(where)}" for (_, name), where in sorted(places.items()) if where[1:]
    ]


def kit_names() -> list[str]:
    """Return the names that the modules of the public kits offer."""
    kits = re.compile(r"leeward\.(adapter(\.[a-z]\w*)?|app\.kit|cli\.kit|workflow\.kit)")
    return [
        f"{module.name}.{name}"
        for module in modules()
        if kits.fullmatch(module.name)
        for name in _offered(module.tree)
    ]


def _offered(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    defined = [node.name for node in tree.body if isinstance(node, Function | ast.ClassDef)]
    return [name for name in defined if not name.startswith("_")]


def foreign_writes(room: str = "leeward._routing") -> list[str]:
    """Return each assignment, in a room, to an attribute of another object than `self`."""
    return [
        f"{module.name}:{node.lineno} {ast.unparse(target)}"
        for module in modules()
        if module.name.startswith(room)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in _attributes(node)
        if ast.unparse(target.value) not in ("self", "cls")
    ]


def _attributes(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> list[ast.Attribute]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    flat = [part for target in targets for part in getattr(target, "elts", [target])]
    return [part for part in flat if isinstance(part, ast.Attribute)]


def sizes() -> dict[str, tuple[int, int]]:
    """Return lines and files of each distribution, by its folder."""
    total: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for module in modules():
        lines, files = total[module.distribution]
        total[module.distribution] = lines + module.lines, files + 1
    return dict(total)


def zip_sizes() -> dict[str, int]:
    """Return the bytes of leeward's Python in a function's zip, by the cloud that it runs on.

    That is the core and one adapter, without the rooms that `leeward package` leaves out.
    """
    sizes: dict[str, int] = defaultdict(int)
    for module in modules():
        inner = module.path.relative_to(ROOT / module.distribution / "src").as_posix()
        if not inner.startswith((*IDLE, *EMBEDDED, *SERVING)):
            sizes[module.distribution] += module.path.stat().st_size
    adapters = [name for name in sizes if name.startswith("adapters/")]
    return {name.partition("/")[2]: sizes["."] + sizes[name] for name in adapters}


def report() -> dict[str, str]:
    """Return every number of the house, with its name."""
    lines = [module.lines for module in modules()]
    lengths = [
        (function.end_lineno or 0) - function.lineno + 1
        for module in modules()
        for function in module.functions
    ]
    uses = private_functions()
    comments = sum(
        line.lstrip().startswith("#") for module in modules() for line in module.text.splitlines()
    )
    groups = {
        "top level": cycles(["top"]),
        "with lazy": cycles(["top", "lazy"]),
        "with typing": cycles(["top", "lazy", "typing"]),
    }
    once = sum(count == 1 for count in uses.values())
    return {
        **{
            f"lines / files of {distribution}": f"{size:,} / {files}"
            for distribution, (size, files) in sizes().items()
        },
        **{
            f"Python in a zip for {cloud}": f"{size / 1e6:.2f} MB"
            for cloud, size in zip_sizes().items()
        },
        "lines / files in all": f"{sum(lines):,} / {len(lines)}",
        "file, median / p90 / longest": _spread(lines),
        "function, median / p90 / longest": _spread(lengths),
        **{
            f"import cycles, {kind}": f"{len(found)}, of {sum(map(len, found))} modules"
            for kind, found in groups.items()
        },
        "own imports in functions": str(len(lazy_imports())),
        "private functions used once": f"{once / len(uses):.0%}, {once} of {len(uses)}",
        "class names twice in a distribution": str(len(classes_with_one_name())),
        "participles as functions": str(len(participles())),
        "participles as values": str(len(participle_values())),
        "names of the kits": str(len(kit_names())),
        "writes to another's state in routing": str(len(foreign_writes())),
        "lines for each comment line": f"{sum(lines) / comments:.0f}",
    }


def _spread(values: list[int]) -> str:
    return f"{median(values):.0f} / {quantiles(values, n=10)[-1]:.0f} / {max(values)}"


def main() -> int:
    """Print the numbers; with `--names`, what stands behind them."""
    for name, value in report().items():
        print(f"{name:<40}{value}")
    if "--names" in sys.argv[1:]:
        behind = {
            "cycles": [" ".join(group) for group in cycles(["top", "lazy", "typing"])],
            "own imports in functions": lazy_imports(),
            "class names twice": classes_with_one_name(),
            "participles": participles(),
            "participles as values": participle_values(),
            "writes to another's state": foreign_writes(),
        }
        for name, found in behind.items():
            print(f"\n{name}\n  " + "\n  ".join(found or ["none"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
