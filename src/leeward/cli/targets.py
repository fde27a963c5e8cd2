"""``leeward targets``: where calls would go, and what is in force there."""

from __future__ import annotations

import os

import typer

from leeward.cli.drawing import spoken
from leeward.cli.facts import Facts
from leeward.cli.overview import of_config, of_origins, of_target
from leeward.cli.paper import Paper, Papers
from leeward.cli.session import session_of
from leeward.client import Client
from leeward.config import load_config

STYLES = ("cyan",)
"""Of the columns of every table: the name stands out."""


def targets(context: typer.Context) -> None:
    """Show the order, the targets, and where the tables live.

    Every target is opened, so that a wrong setting is found; none is asked anything.
    """
    session = session_of(context)
    config = load_config(session.targets, file=session.config, env=os.environ)
    facts = of_origins(session.targets, session.config, os.environ) | of_config(config)
    with Client(config=config) as cloud:
        facts["targets"] = [of_target(status) for status in cloud.targets()]
    session.screen.show(facts, _draw)


def _draw(facts: Facts, papers: Papers) -> None:
    out = papers.out
    out.pairs(
        [
            ("order", f"{', '.join(facts['order'])} (from {facts['order_from']})"),
            ("file", facts["config"] or "none"),
            ("environment", "trusted" if facts["trust_env"] else "not trusted"),
        ]
    )
    for number, target in enumerate(facts["targets"], 1):
        out.text("")
        with out.panel(f"{number}. {target['name']}", "cyan"):
            out.pairs(_target(target))
    _draw_tables(facts, out)
    _draw_functions(facts["functions"], out)
    _draw_buses(facts["buses"], out)


def _draw_tables(facts: Facts, out: Paper) -> None:
    out.text("")
    out.table(
        ("table", "key", "home", "timeout", "own names"),
        [
            (
                _name(table),
                " + ".join(table["key"]),
                _home(table["home"], facts["order"]),
                *_common(table),
            )
            for table in facts["tables"]
        ],
        STYLES,
    )


def _draw_functions(functions: list[Facts], out: Paper) -> None:
    out.text("")
    out.table(
        ("function", "effect", "timeout", "own names"),
        [(_name(each), _effect(each), *_common(each)) for each in functions],
        STYLES,
    )


def _draw_buses(buses: list[Facts], out: Paper) -> None:
    out.text("")
    out.table(
        ("bus", "timeout", "own names"), [(_name(each), *_common(each)) for each in buses], STYLES
    )


def _target(target: Facts) -> list[tuple[str, str]]:
    seen = "none by this process"
    if target["attempts"]:
        seen = f"{target['attempts']}, {target['failures']} failed, last {target['last_outcome']}"
    return [
        ("can", ", ".join(target["capabilities"])),
        *target["settings"].items(),
        ("attempts", seen),
    ]


def _name(named: Facts) -> str:
    return str(named["name"] or "(any other)")


def _home(home: str | None, order: list[str]) -> str:
    if home is None:
        return "none: refused until set"
    return home if home in order else f"{home}: not in the order"


def _effect(function: Facts) -> str:
    shared = function["dedup_scope"] == "group"
    return f"{function['effect']}, shared dedup" if shared else str(function["effect"])


def _common(named: Facts) -> tuple[str, str]:
    names = ", ".join(f"{target}: {name}" for target, name in named["names"].items())
    return f"{spoken(named['timeout'])} s", names
