"""The process that watches: it holds the port, starts the app's process, and renews it.

The sockets belong to this process. While there is no process of the app, connections wait in their
backlog, so a call during a reload takes longer and does not fail.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import cache_from_source
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryFile
from threading import Event, Thread
from typing import Final, NamedTuple, TypeAlias

from watchfiles import Change, DefaultFilter, watch

from leeward.errors import ConfigError
from leeward_dev.plan import Plan
from leeward_dev.server import address_of_console, listen, new_token
from leeward_dev.terminal import Terminal

SUFFIXES: Final = (".py", ".toml", ".yaml", ".yml")
"""Of files whose change counts: code, configuration, workflows."""

GRACE: Final = 3.0
"""Seconds that the app's process has beyond its drain, before it is killed."""

LOOK_MILLISECONDS: Final = 200
"""Between two looks whether the watching is to end."""

MOST_SIGNALS: Final = 2
"""After which nothing is put in order any more."""

MOST_NAMES: Final = 3
"""FileChange files that are named."""


class FileChange(NamedTuple):
    """Files have changed."""

    paths: tuple[Path, ...]


class ProcessEnd(NamedTuple):
    """A process of the app has ended."""

    process: subprocess.Popen[bytes]
    plan: Plan


class EndRequest(NamedTuple):
    """Somebody wants this process to end."""

    signal: int


class WatchFailure(NamedTuple):
    """The folder cannot be watched any more."""

    why: str


Happening: TypeAlias = FileChange | ProcessEnd | EndRequest | WatchFailure


class _Filter(DefaultFilter):
    """Lets the files through whose change counts."""

    def __call__(self, change: Change, path: str) -> bool:
        """Return whether a change counts."""
        return path.endswith(SUFFIXES) and super().__call__(change, path)


class Supervisor:
    """Runs an app until it is asked to end, and loads it again after each change.

    Args:
        plan: of the app; its sockets, port and token are filled in here.
        port: that is asked for; None for a free one.
        folders: that are watched; none for no reload.
        terminal: where to write.
    """

    def __init__(
        self, plan: Plan, port: int | None, folders: Sequence[Path], terminal: Terminal
    ) -> None:
        self._sockets = listen(port)
        number = self._sockets[0].getsockname()[1]
        descriptors = tuple(socket.fileno() for socket in self._sockets)
        self._history = TemporaryFile()  # noqa: SIM115 - closed when `run` ends
        self._plan = replace(
            plan,
            sockets=descriptors,
            history=self._history.fileno(),
            port=number,
            token=new_token(),
        )
        self._folders = folders
        self._terminal = terminal
        self._happenings: SimpleQueue[Happening] = SimpleQueue()
        self._signals = 0
        self._watch_ends = Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._plan.port

    @property
    def console(self) -> str:
        """The address of the console, with its token."""
        return address_of_console(self._plan.port, self._plan.token)

    def run(self) -> bool:
        """Run the app until this process is asked to end: by SIGINT, SIGTERM or SIGHUP.

        Returns:
            Whether one request was enough, so that the app could end its work.

        Raises:
            ConfigError: a process ends by itself that has not even loaded the app.
        """
        try:
            with self._take_signals():
                if self._folders:
                    Thread(target=self._watch, name="leeward-dev-watch", daemon=True).start()
                self._start(self._plan)
                while not self._is_over(self._happenings.get()):
                    pass
                self._stop()
            return self._signals == 1
        finally:
            self._watch_ends.set()
            if self._child is not None:
                self._child.kill()
            self._history.close()
            for socket in self._sockets:
                socket.close()

    def _is_over(self, happening: Happening) -> bool:
        """Do what a happening needs; return whether this process is to end."""
        match happening:
            case EndRequest():
                self._terminal.say("ends; a second Ctrl-C ends it at once")
                return True
            case FileChange(paths):
                names = ", ".join(path.name for path in paths[:MOST_NAMES])
                more = f" and {len(paths) - MOST_NAMES} more" if len(paths) > MOST_NAMES else ""
                self._terminal.say(f"{names}{more} changed: the app is loaded again")
                self._stop()
                _forget_code(paths)
                if not self._signals:
                    self._start(self._plan)
            case ProcessEnd(process, plan) if process is self._child:
                self._child = None
                os.close(self._pipe)
                code = process.returncode
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                fault = f"the process of the app has ended by itself, with {how}"
                if plan.fault is not None:
                    raise ConfigError(f"{fault}, and did not even load the app")
                self._start(replace(self._plan, fault=f"{fault}; a change starts it again"))
            case WatchFailure(why):
                self._terminal.say(f"changes are not noticed: {why}")
            case _:
                pass
        return False

    def _start(self, plan: Plan) -> None:
        """Start a process of the app; SIGINT of the terminal is not for it."""
        reading, self._pipe = os.pipe()
        command = [sys.executable, "-P", "-m", "leeward_dev.process", str(reading)]
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._child = child = subprocess.Popen(  # noqa: S603 - this Python, and a number
                command,
                pass_fds=(reading, plan.history, *plan.sockets),
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                stderr=None if plan.as_json else subprocess.STDOUT,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            os.close(reading)
        plan.send(self._pipe)
        Thread(
            target=self._wait_for, args=(child, plan), name="leeward-dev-wait", daemon=True
        ).start()

    def _wait_for(self, child: subprocess.Popen[bytes], plan: Plan) -> None:
        child.wait()
        self._happenings.put(ProcessEnd(child, plan))

    def _stop(self) -> None:
        """End the process of the app: it drains, and is killed if that takes too long."""
        child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(self._plan.drain + GRACE)
        except subprocess.TimeoutExpired:
            self._terminal.say("the app does not end in time, and is killed")
            child.kill()
            child.wait()
        self._child = None
        os.close(self._pipe)

    def _watch(self) -> None:
        """Report changes until the watching is to end."""
        is_said = False
        try:
            for changes in watch(
                *self._folders,
                watch_filter=_Filter(),
                stop_event=self._watch_ends,
                rust_timeout=LOOK_MILLISECONDS,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                if not is_said:
                    places = ", ".join(map(str, self._folders))
                    self._terminal.say(f"watching {places}")
                    is_said = True
                if changes:
                    paths = sorted({Path(path) for _, path in changes})
                    self._happenings.put(FileChange(tuple(paths)))
        except (OSError, RuntimeError) as error:  # the system watches no more folders, say
            self._happenings.put(WatchFailure(type(error).__name__))

    @contextmanager
    def _take_signals(self) -> Iterator[None]:
        """Count requests to end; with the second one the app's process is not waited for."""

        def count(number: int, _: object) -> None:
            self._signals += 1
            if self._signals > 1 and self._child is not None:
                self._child.kill()
            if self._signals > MOST_SIGNALS:
                os._exit(128 + number)
            self._happenings.put(EndRequest(number))

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, count) for number in numbers}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def _forget_code(paths: Sequence[Path]) -> None:
    """Delete what Python has compiled of files that have changed.

    It would take two versions for one if they have one size, and were written in one second.
    """
    for path in paths:
        if path.suffix == ".py":
            with suppress(OSError):
                Path(cache_from_source(str(path))).unlink()
