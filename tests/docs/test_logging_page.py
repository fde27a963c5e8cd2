"""The page on logging lists what the code logs: no event more, and none less."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from leeward._routing.background import LEVELS as LEVELS_OF_ROUTING
from tests.docs.test_pages import table
from tests.house.workspace import ROOT

LEVELS = {"debug", "info", "warning", "error"}


def logged() -> Iterator[tuple[str, str, str]]:
    """Return logger, event and level of each call that logs, out of the source."""
    folders = ("src/leeward", "extras/backup/src", "extras/deploy/src", "extras/integrations/src")
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(f"{name}(" in text for name in ("_log", "log_event")):
            continue
        tree = ast.parse(text)
        loggers = [
            node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and [ast.unparse(each) for each in node.targets] == ["LOGGER"]
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"_log", "log_event"}:
                texts = [each.value for each in node.args if isinstance(each, ast.Constant)]
                if LEVELS & {*texts}:
                    (level, name) = texts
                    yield str(loggers[0]), str(name), str(level)


def test_the_page_lists_every_event() -> None:
    """With its logger and its level."""
    decided = {("leeward.routing", name, level) for name, level in LEVELS_OF_ROUTING.items()}
    assert {tuple(row[:3]) for row in table("logging.md", "logger |")} == set(logged()) | decided
