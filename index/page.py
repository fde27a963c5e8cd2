"""Write ``docs/retry-safety.md`` and what `leeward_ran` says from the results: `make docs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from index.__main__ import ROOT, read_results, read_table
from index.server import WAYS

PAGE: Final = ROOT / "docs/retry-safety.md"
HABITS: Final = ROOT / "extras/ran/src/leeward_ran/habits.json"
LOST: Final = [way for way in WAYS if way != "refused"]
FOR_EVER: Final = "never returns"


def is_double(runs: Mapping[str, Any]) -> bool:
    """Return whether an effect happened more than once in one of the ways."""
    return any(run["effects"] > 1 for run in runs.values())


def is_repeated(runs: Mapping[str, Any]) -> bool:
    """Return whether the call was sent again after it was done."""
    return any(runs[way]["tries"] > 1 for way in LOST if way in runs)


def has_key(runs: Mapping[str, Any]) -> bool:
    """Return whether a key went along."""
    return any(run["key"] for run in runs.values())


def summarize(results: Mapping[str, Any]) -> list[str]:
    """Return the table of the SDKs by what they do."""
    runs = {name: result["runs"] for name, result in sorted(results.items())}
    groups = {
        "**does the effect again**": [name for name, each in runs.items() if is_double(each)],
        "sends the call again, harmless by its key or by what it writes": [
            name for name, each in runs.items() if is_repeated(each) and not is_double(each)
        ],
        "sends the call once, with a key": [
            name for name, each in runs.items() if not is_repeated(each) and has_key(each)
        ],
        "sends the call once, without a key": [
            name for name, each in runs.items() if not is_repeated(each) and not has_key(each)
        ],
        "returns, as if all were well, where the answer is cut": [
            name for name, each in runs.items() if not each["cut"]["raised"]
        ],
        "returns where a gateway's 503 came": [
            name for name, each in runs.items() if not each.get("gateway", each["reset"])["raised"]
        ],
        "waits for ever where nothing comes": [
            name for name, each in runs.items() if each["silence"]["raised"] == FOR_EVER
        ],
    }
    rows = [f"| {title} | {len(names)} | {', '.join(names)} |" for title, names in groups.items()]
    return ["| when an answer is lost, it | SDKs | which |", "|---|---|---|", *rows]


def list_all(results: Mapping[str, Any]) -> list[str]:
    """Return the table with a row for each SDK."""
    rows = []
    for name, result in sorted(results.items(), key=lambda item: (item[1]["kind"], item[0])):
        runs = result["runs"]
        keys = sorted({run["key"] for run in runs.values() if run["key"]})
        note = f" ({result['note']})" if result["note"] else ""
        cells = [result["kind"], name + note, result["version"], "; ".join(keys)]
        cells += [_describe(runs[way]) if way in runs else "" for way in LOST]
        cells += [_limit(result), f"{runs['refused']['tries']}, `{runs['refused']['ran']}`"]
        rows.append(_row(cells))
    heads = ["kind", "SDK", "version", "key", *LOST, "time limit, s", "refused"]
    return [_row(heads), _row(["---"] * len(heads)).replace(" ", ""), *rows]


def _describe(run: Mapping[str, Any]) -> str:
    effects = f"**{run['effects']}**" if run["effects"] > 1 else f"{run['effects']}"
    of_tries = f" of {run['tries']}" if run["tries"] != run["effects"] else ""
    return effects + of_tries + ("" if run["raised"] else ", returns")


def _limit(result: Mapping[str, Any]) -> str:
    if result["runs"]["silence"]["raised"] == FOR_EVER:
        return "none"
    return "" if result["limit"] is None else f"{result['limit']:g}"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def write_tables(text: str, results: Mapping[str, Any]) -> str:
    """Return the text of the page with the tables as the results have them."""
    for table in (summarize(results), list_all(results)):
        lines = text.splitlines()
        heading = table[0].split(" | ")[0]
        start = next(i for i, line in enumerate(lines) if line.startswith(heading))
        end = start
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        text = "\n".join([*lines[:start], *table, *lines[end:]]) + "\n"
    return text


def habits_of(results: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `leeward_ran` reads: how often a call is sent, and code that calls once."""
    habits: dict[str, Any] = {name: {"once": ".*"} for name in table["around"]["once"]}
    for name, result in sorted(results.items()):
        package = re.sub("[-_.]+", "-", result["package"]).lower()
        habit = habits.setdefault(package, {})
        calls = max(result["runs"][way]["tries"] for way in LOST if way in result["runs"])
        habit["calls"] = max(calls, habit.get("calls", 0))
        if once := table[name].get("once"):
            habit["once"] = once
    return dict(sorted(habits.items()))


if __name__ == "__main__":
    habits = habits_of(read_results(), read_table())
    lines = (f"{json.dumps(name)}: {json.dumps(habit)}" for name, habit in habits.items())
    HABITS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    PAGE.write_text(write_tables(PAGE.read_text("utf-8"), read_results()), encoding="utf-8")
