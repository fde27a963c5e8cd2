"""For every cloud: refused unless it is requested, the network open, announcements."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from cloud_tests.options import FOLDER, VARIABLE, Refused, check_price, requested_cloud

_LONGEST: Final = 3600
"""Seconds for one test. The first one waits until everything is created, the last one until it is
removed. A guard against a hang; the one of the other tests is too short for a real cloud."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests of a cloud that was not requested; open the network to the rest."""
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
    cloud = requested_cloud(os.environ)
    if path.stem != f"test_{cloud}":
        raise Refused(f"{VARIABLE} names {cloud}, and {path.name} is about another cloud")
    check_price(cloud, os.environ)
    import_module(f"cloud_tests.{cloud}.account").check(os.environ)


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Generator[None, object, object]:
    """Interrupt the run from here, whatever was interrupted.

    pytest shows the line of each frame and fails where an instruction has none
    (https://docs.python.org/3/reference/datamodel.html#codeobject.co_lines).
    """
    try:
        return (yield)
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None


@pytest.fixture(scope="session", autouse=True)
def terminate_like_interrupt() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that what was created is removed then, too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def announce(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Return a function that writes a line to the terminal at once, whatever pytest captures."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    terminal = pytestconfig.get_terminal_writer()

    def announce(text: str) -> None:
        with capture.global_and_fixture_disabled():
            terminal.line()
            terminal.line(text)
            terminal.flush()

    return announce
