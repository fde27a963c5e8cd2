"""The process that runs the app: ``python -m leeward_dev.process DESCRIPTOR``.

It gets its plan through a pipe, and ends when it is asked to, or when the pipe is closed: then the
process that watches is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import ExitStack, nullcontext, redirect_stdout, suppress
from functools import partial
from threading import Event, Thread, current_thread, main_thread
from time import monotonic
from typing import Final

from starlette.types import ASGIApp

from leeward.app.answers import Answer
from leeward.app.app import App
from leeward.app.by_hand import run_by_hand
from leeward.app.triggers import Platform
from leeward.cli.global_options import modules_beside, named_app
from leeward.clock import SystemClock
from leeward.config import Config, load_config
from leeward.errors import ConfigError, LeewardError
from leeward.logs import import_flaw, places_of
from leeward.opening import target_config
from leeward.registry import EMBEDDED
from leeward.values import NOTHING
from leeward.views.targets import purpose, row_of_handler
from leeward.worker import Worker
from leeward.worker.opening import open_drivers
from leeward_dev.feed import Entry, Feed
from leeward_dev.observing import ObservedDriver, observe_runs, send_logs_to
from leeward_dev.plan import Plan, for_development, keeps_rows
from leeward_dev.server import PageServer, pages_of_app, pages_of_fault
from leeward_dev.sources import Sources
from leeward_dev.terminal import Terminal

OWN_LOG: Final = "leeward.dev"


class Process:
    """The app of a plan, its worker and its server.

    Args:
        plan: of it.
        terminal: gets a line for each thing that passes.
    """

    def __init__(self, plan: Plan, terminal: Terminal) -> None:
        self._plan = plan
        self._env = os.environ if plan.trust_env else NOTHING
        self._feed = Feed()
        self._history = os.fdopen(plan.history, "r+b")
        self._feed.restore(self._history)
        self._feed.listen(terminal.show)
        self._ends = Event()
        self._is_loading = True
        self._worker: Worker | None = None
        send_logs_to(self._feed)

    def end(self, *_: object) -> None:
        """Ask it to end; while the app is loaded, on the main thread, end that at once.

        Raises:
            SystemExit: the app was being loaded.
        """
        self._ends.set()
        if self._is_loading and current_thread() is main_thread():
            raise SystemExit

    def run(self) -> bool:
        """Run until it is asked to end; return whether all work has ended."""
        plan = self._plan
        with ExitStack() as stack:
            try:
                pages = self._load(stack)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an app is a user's program
                if self._ends.is_set():
                    return False
                pages = self._log_fault(error)
            finally:
                self._is_loading = False
            sockets = [socket.socket(fileno=number) for number in plan.sockets]
            server = PageServer(pages, sockets, plan.drain)
            server.start()
            self._ends.wait()
            until = monotonic() + plan.drain
            self._feed.close()
            is_whole = server.close(plan.drain + 1.0)
            if self._worker is not None:
                is_whole &= self._worker.drain(max(0.5, until - monotonic()))
            self._feed.save(self._history)
            return is_whole

    def _load(self, stack: ExitStack) -> ASGIApp:
        """Open the app of the plan, begin to work for it, and return its pages.

        Raises:
            Exception: whatever a module of the user's raises, or a `ConfigError`.
            SystemExit: a module does that.
        """
        plan, feed = self._plan, self._feed
        if plan.fault is not None:
            raise ConfigError(plan.fault)
        config = self._configuration()
        stack.enter_context(modules_beside(config, is_named=plan.app is not None))
        app = named_app(plan.app, config, self._env, "dev").load()
        observe_runs(app, feed, texts=plan.texts)
        drivers = [ObservedDriver(driver, feed) for driver in open_drivers(None, config)]
        worker = Worker(app, drivers, config=config, drain=plan.drain, trust_env=plan.trust_env)
        self._worker = worker
        limit = next(each.limits for each in drivers if each.target == worker.target).payload_bytes
        platform = Platform(worker.target.partition(":")[0], None, SystemClock(), limit)
        sources = Sources(
            worker.client,
            config,
            feed,
            app=app,
            target=worker.target,
            definitions=worker.definitions,
            can_write=True,
            run_handler=partial(_run_by_hand, app, platform),
        )
        pages = pages_of_app(app, sources, plan.token, plan.port)
        place = next(
            each.describe().get("path") for each in drivers if each.target == worker.target
        )
        # It waits while the store is away, and functions are served meanwhile.
        Thread(
            target=self._start, args=(worker, place), name="leeward-dev-start", daemon=True
        ).start()
        return pages

    def _configuration(self) -> Config:
        """Return the configuration of the plan, without what is for production."""
        plan, env = self._plan, self._env
        config = load_config(
            plan.targets, file=plan.config, env=os.environ, trust_env=plan.trust_env
        )
        if plan.targets is None and not keeps_rows(config):
            order = ",".join(map(str, config.order))
            self._note(f"the order {order} is for the deployed app: {EMBEDDED} runs it here")
        config = for_development(config, plan.targets, trust_env=plan.trust_env)
        if plan.fresh is None:
            return config
        places = {
            str(each): {
                **target_config(each, config, env).options,
                "path": f"{plan.fresh}/{str(each).replace(':', '-')}.sqlite3",
            }
            for each in config.order
            if each.provider == EMBEDDED
        }
        return config._replace(options={**config.options, **places})

    def _start(self, worker: Worker, place: str | None) -> None:
        """Start the worker, and note what runs."""
        try:
            worker.start()
        except LeewardError as error:
            self._note(str(error), "ERROR", error)
            return
        handlers = ", ".join(
            each.name if each.is_call else f"{each.name} ({purpose(row_of_handler(each))})"
            for each in worker.app.handlers.values()
        )
        state = "" if place is None else f"; its state is in {place}"
        self._note(f"{worker.app.name} runs at {worker.target}{state}: {handlers or 'no handlers'}")

    def _log_fault(self, error: BaseException) -> ASGIApp:
        """Log why the app cannot be loaded, and return pages that show it."""
        is_ours = isinstance(error, LeewardError)
        text = str(error) if is_ours else f"the app cannot be loaded: {import_flaw(error)}"
        # A mistake in the configuration is in no code; that of an app is the cause.
        entry = self._note(text, "ERROR", error.__cause__ if is_ours else error)
        return pages_of_fault("\n".join([text, *entry.frames]))

    def _note(self, text: str, level: str = "INFO", error: BaseException | None = None) -> Entry:
        frames = () if error is None else tuple(places_of(error))
        return self._feed.add(
            "log", OWN_LOG, level, text=text, is_good=level == "INFO", frames=frames
        )


def _run_by_hand(app: App, platform: Platform, name: str, document: bytes) -> Answer:
    return run_by_hand(app, name, document, platform)


def _end_with(pipe: int, process: Process) -> None:
    """End the process when nobody holds the other end of the pipe any more."""
    while os.read(pipe, 1):
        pass
    process.end()


def main() -> None:
    """Run the process of a plan that comes through a pipe, named by its descriptor."""
    pipe = int(sys.argv[1])
    plan = Plan.receive(pipe)
    terminal = Terminal(as_json=plan.as_json)
    with redirect_stdout(sys.stderr) if plan.as_json else nullcontext():
        process = Process(plan, terminal)
        signal.signal(signal.SIGTERM, process.end)
        # Ctrl-C is for the process that watches; a handler of one's own is not passed on to what
        # handlers start.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        Thread(target=_end_with, args=(pipe, process), daemon=True).start()
        is_whole = process.run()
    with suppress(OSError, ValueError):  # a closed pipe, a full disk
        sys.stdout.flush()
        sys.stderr.flush()
    if not is_whole:
        os._exit(0)  # what has not ended in time would hold this process


if __name__ == "__main__":
    main()
