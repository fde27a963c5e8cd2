"""Write the tables of the router into the pages, from the values that it decides by."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from leeward._routing import policy
from leeward._routing.commands import ENDINGS, REASONS
from leeward._routing.outcomes import TABLE
from leeward.operations.errors import CLASSES

DOCS = Path(__file__).parent


def main() -> None:
    """Write the tables of the pages that stand beside this file."""
    put("outcomes.md", "| outcome |", outcome_table())
    put("routing.md", "| number |", policy_table())
    put("routing.md", "| reason |", code_table("reason", "why the target was asked", REASONS))
    endings = {code: words for code, words in ENDINGS.items() if code}
    put("routing.md", "| end |", code_table("end", "why nothing more was done", endings))


def put(page: str, heading: str, rows: list[str]) -> None:
    """Replace the table of `page` that begins with `heading`."""
    path = DOCS / page
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(heading))
    end = start
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    path.write_text("\n".join([*lines[:start], *rows, *lines[end:]]) + "\n", encoding="utf-8")


def outcome_table() -> list[str]:
    """Return the outcome table, as Markdown."""
    rows = [
        "| outcome | frees it to move | the target is | same target | next target | exception |",
        "|---|---|---|---|---|---|",
    ]
    for outcome, row in TABLE.items():
        raised = f"`{CLASSES[outcome].__name__}`" if outcome in CLASSES else ""
        cells = ["yes" if row.proved else "no", row.sign.value]
        cells += [may.value.replace("_", " ") for may in (row.again, row.move)]
        rows.append(f"| `{outcome.name}` | {' | '.join(cells)} | {raised} |".replace("|  |", "| |"))
    return rows


def policy_table() -> list[str]:
    """Return the numbers of the policy, with what the code says of each."""
    rows = ["| number | value | what it is |", "|---|---|---|"]
    for name, value in policy.DEFAULT._asdict().items():
        shown = (
            ", ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else f"{value:g}"
        )
        rows.append(f"| `{name}` | {shown} | {_said_of(name)} |")
    return rows


def _said_of(field: str) -> str:
    (cls,) = ast.parse(inspect.getsource(policy.RoutingPolicy)).body
    assert isinstance(cls, ast.ClassDef)
    for node, after in zip(cls.body, cls.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == field:
            assert isinstance(after, ast.Expr)
            return re.sub(r"\s+", " ", ast.literal_eval(after.value)).strip()
    raise LookupError(field)


def code_table(code: str, meaning: str, codes: dict[str, str]) -> list[str]:
    """Return what codes mean, as Markdown."""
    rows = [f"| {code} | {meaning} |", "|---|---|"]
    return rows + [f"| `{each}` | {words} |" for each, words in codes.items()]


if __name__ == "__main__":
    main()
