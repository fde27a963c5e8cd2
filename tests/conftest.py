"""What holds for every test: the same examples in every run, and no way beyond loopback."""

import gc
import logging
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from leeward import masking
from tests.guard import clone_only, loopback_only

settings.register_profile("leeward", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("few", settings.get_profile("leeward"), max_examples=20)
settings.load_profile("leeward")

clone_only()

masking.TESTING = "LEEWARD_OWN_TESTS"
"""These tests hold what programs see, and not what a user's tests do."""


class _Loggers(dict[str, logging.Logger | logging.PlaceHolder]):
    """All loggers: pytest goes through them for each subtest, while threads may make new ones."""

    def values(self) -> Any:
        return list(super().values())


logging.Logger.manager.loggerDict = _Loggers(logging.Logger.manager.loggerDict)

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes: several times what the tests of one run write."""


def use_memory() -> None:
    """Let pytest make its folders in memory, where there is room and programs may be run.

    Where they are on a disk, the embedded target waits for it longer than all else takes. What
    survives when a process is killed is the same; no test takes away a machine's power.
    """
    may_be_used = os.access(MEMORY, os.W_OK) and not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if may_be_used and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


use_memory()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Return three workers for two processors: many tests wait, for a server or for a moment."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return (len(affinity(0)) if affinity else os.cpu_count() or 1) * 3 // 2


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Keep what is collected out of every search for garbage.

    It stays until the end, and there is much of it: a full collection would take seconds.
    """
    gc.disable()
    try:
        _import_a_share(session.config)
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _import_a_share(config: pytest.Config) -> None:
    """Import a share of the tests in each worker before it collects all.

    pytest rewrites the asserts of a module when it is imported first, which takes longer than all
    else, and keeps the result. In a new clone every worker would rewrite every module.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    folders = [Path(argument) for argument in config.args if Path(argument).is_dir()]
    paths = sorted({path.resolve() for each in folders for path in each.rglob("test_*.py")})
    first, step = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in paths[first::step]:
        if path.is_relative_to(HERE):
            # What cannot be imported is reported when it is collected.
            with suppress(Exception, pytest.skip.Exception):
                import_module(".".join(path.relative_to(HERE.parent).with_suffix("").parts))


@pytest.fixture(scope="session", autouse=True)
def no_wire_beyond_loopback() -> Iterator[None]:
    """Stop a handle of libcurl that would leave loopback; pytest-socket stops Python's sockets."""
    with loopback_only():
        yield


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """Let the next test see its logs, whatever this one has called: simulators disable them."""
    yield
    logging.disable(logging.NOTSET)
    assert logging.getLogger("leeward").level == logging.NOTSET
