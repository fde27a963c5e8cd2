"""Write the differences on the migration pages: those of the programs in `examples/migrations`."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

DOCS = Path(__file__).parent
PROGRAMS = DOCS.parent / "examples" / "migrations"
PAGES = {
    "from-boto3.md": "boto3",
    "from-tenacity.md": "tenacity",
    "from-powertools.md": "powertools",
    "from-celery.md": "celery",
}


def difference(program: str) -> str:
    """Return the difference of a program before and after, whole."""
    before, after = (
        (PROGRAMS / program / f"{name}.py").read_text(encoding="utf-8").splitlines()
        for name in ("before", "after")
    )
    lines = unified_diff(before, after, "before.py", "after.py", n=1_000, lineterm="")
    return "\n".join(line for line in lines if not line.startswith("@@"))


def with_difference(text: str, program: str) -> str:
    """Return the text of a page with the difference as it is now."""
    return re.sub(
        r"```diff\n.*?```", lambda _: f"```diff\n{difference(program)}\n```", text, flags=re.DOTALL
    )


def main() -> None:
    """Write the pages."""
    for page, program in PAGES.items():
        path = DOCS / page
        text = path.read_text(encoding="utf-8")
        path.write_text(with_difference(text, program), encoding="utf-8")


if __name__ == "__main__":
    main()
