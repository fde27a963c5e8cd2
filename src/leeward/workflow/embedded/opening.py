"""The embedded engine on a journal, as a client opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from leeward.clock import Clock
from leeward.workflow.embedded.engine import Engine
from leeward.workflow.embedded.journal import Journal
from leeward.workflow.embedded.sqlite_journal import SqliteJournal
from leeward.workflow.model import Definition
from leeward.workflow.steps import StepFunctions


def open_engine(
    functions: StepFunctions,
    definitions: Iterable[Definition],
    journal: Path | None,
    clock: Clock,
) -> Engine:
    """Open the engine that runs `definitions`; its journal is a file, or in memory for None.

    Raises:
        ConfigError: two definitions have one name, or the file cannot be trusted.
    """
    return Engine(functions, definitions, SqliteJournal(journal, clock))


def open_engine_at(
    target: str,
    functions: StepFunctions,
    definitions: Iterable[Definition],
    open_journal: Callable[[], Journal],
    workers: int,
) -> Engine:
    """Open the same engine over the journal of a target, which other machines may share.

    Args:
        target: its name.
        functions: of the steps.
        definitions: of the workflows that are run here.
        open_journal: opens it.
        workers: runs that are driven at one time here; none where other processes drive them.

    Raises:
        ConfigError: two definitions have one name, or the journal cannot be opened.
    """
    return Engine(functions, definitions, open_journal(), workers=workers, target=target)
