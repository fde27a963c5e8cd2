"""The engines, which take a second or two to start: one process of each for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from leeward_contract_tests.workflows.programs import EngineProcess
from tests.workflow.engines import ENGINES, Start


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Return an engine by its name; it is started when a test asks for it first."""
    with ExitStack() as stack:
        processes: dict[str, EngineProcess] = {}

        def process_of(name: str) -> EngineProcess:
            if name not in processes:
                processes[name] = stack.enter_context(ENGINES[name]())
            return processes[name]

        yield process_of
