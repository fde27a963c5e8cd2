"""What holds for every cloud: asked for or refused, the network open, and a word to the person."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from cloud_tests.asked import FOLDER, VARIABLE, Refused, asked

_LONGEST: Final = 900
"""Seconds for one test, the first of which waits until everything is made, and the last until it
is gone. A guard against a hang; the root's is too short for a real cloud."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that nobody asked for; open the network to the rest."""
    here = [item for item in items if item.path.parent == FOLDER]
    try:
        for path in {item.path for item in here}:
            _check(path)
    except Refused as refused:
        raise pytest.UsageError(str(refused)) from refused
    for item in here:
        # pytest-socket holds every other test to loopback, by the root's options.
        item.add_marker(pytest.mark.enable_socket)
        item.add_marker(pytest.mark.timeout(_LONGEST))


def _check(path: Path) -> None:
    cloud = asked(os.environ)
    if path.stem != f"test_{cloud}":
        raise Refused(f"{VARIABLE} names {cloud}, and {path.name} is about another cloud")
    import_module(f"cloud_tests.{cloud}.account").check(os.environ)


@pytest.fixture(scope="session", autouse=True)
def ends_orderly() -> Iterator[None]:
    """Let a polite request to end be a Ctrl-C: what was made is removed then, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Return what writes a line on the terminal at once, whatever pytest captures."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    terminal = pytestconfig.get_terminal_writer()

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.line()
            terminal.line(text)
            terminal.flush()

    return tell
