"""How facts look to a person."""

from __future__ import annotations

from typing import Any

from leeward.cli import exact_json
from leeward.cli.exits import EXITS
from leeward.cli.facts import Facts
from leeward.cli.paper import Paper, Papers

ATTEMPTS = ("target", "after", "took", "outcome", "code", "request id")
STYLES = ("cyan", "dim", "dim", "", "dim", "dim")
"""Of the columns of the attempts."""

APART = frozenset(
    {"type", "message", "outcome", "attempts", "exit_code", "may_have_run", "field", "trace"}
)
"""What the panel of an error shows elsewhere than in its list of details."""


def draw_value(facts: Facts, papers: Papers) -> None:
    """Show a function's answer, and how it came."""
    _draw_main("value", facts, papers)


def draw_item(facts: Facts, papers: Papers) -> None:
    """Show an item, and where it was."""
    _draw_main("item", facts, papers)


def draw_absence(facts: Facts, papers: Papers) -> None:
    """Return that there is no such item."""
    papers.err.text(f"{facts['table']!r} has no item with this key.")


def draw_receipt(facts: Facts, papers: Papers) -> None:
    """Show what was promised."""
    papers.out.pairs(_details(facts))
    _draw_attempts(facts["attempts"], papers.err, least=2)


def draw_failure(facts: Facts, err: Paper) -> None:
    """Show an error: what happened, whether the call may have run, what to do, what was tried."""
    code = facts["exit_code"]
    with err.panel(f"{facts['type']} (exit code {code})", "red"):
        err.text(facts["message"])
        err.text("")
        err.pairs(
            [
                ("may have run", _ran(facts["may_have_run"])),
                ("safe to repeat", next(each.again for each in EXITS if each.code == code)),
                *_details(facts),
            ]
        )
        for line in facts.get("trace", ()):
            err.text(line, "dim")
        _draw_attempts(facts.get("attempts", ()), err, least=1)


def spoken(value: Any) -> str:
    """Return a fact in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _draw_main(main: str, facts: Facts, papers: Papers) -> None:
    papers.out.json(exact_json.write(facts[main], indent=2))
    rest = {name: value for name, value in facts.items() if name not in (main, "found")}
    papers.err.text(", ".join(f"{name} {value}" for name, value in _details(rest)), "dim")
    _draw_attempts(facts["attempts"], papers.err, least=2)


def _draw_attempts(attempts: Any, err: Paper, *, least: int) -> None:
    """Show attempts, if there are so many; columns in which nothing stands are left out."""
    if len(attempts) < least:
        return
    rows = [_attempt(each) for each in attempts]
    told = [column for column, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    err.text("")
    err.table(
        [ATTEMPTS[column] for column in told],
        [[row[column] for column in told] for row in rows],
        [STYLES[column] for column in told],
    )


def _attempt(facts: Facts) -> tuple[str, ...]:
    asked = "read back: " if facts["read_back"] else ""
    return (
        facts["target"],
        f"{facts['started']:.3f} s",
        f"{facts['duration']:.3f} s",
        f"{asked}{facts['outcome']}",
        facts["code"] or "",
        facts["request_id"] or "",
    )


def _details(facts: Facts) -> list[tuple[str, str]]:
    """Return the facts that say something, in words."""
    return [
        (name.replace("_", " "), spoken(value))
        for name, value in facts.items()
        if name not in APART and value is not None and value is not False
    ]


def _ran(ran: bool | None) -> str:
    return "perhaps: nothing can prove either" if ran is None else spoken(ran)
