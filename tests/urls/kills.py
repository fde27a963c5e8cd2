"""Servers of functions that are killed in the middle of calls: no effect twice.

python -m tests.urls.kills [--cases N] [--seed N]

Two processes serve one function, which writes down each of its effects. Four threads call it, all
calls unsafe, over ``http:a,http:b``. The first process is killed (SIGKILL) among the calls, and
started again, so many times; each time there is another client, which knows of no failure. Exit
status 1 if a call had its effect twice, if one that was answered had none, or if one that is said
not to have run has run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final, NamedTuple

from leeward import App, Client, Context
from leeward.app.serving import serve_functions
from leeward.errors import CallError, OutcomeUnknown
from tests.urls.served import client_of

PATIENCE: Final = 30.0
CALLERS: Final = 4
ROOT: Final = Path(__file__).parents[2]


class Process:
    """A process that serves the function, always at the same port.

    Args:
        effects: the file in which it writes them down.
    """

    def __init__(self, effects: Path) -> None:
        self._effects, self._port = effects, 0
        self.start()

    @property
    def url(self) -> str:
        """Return where it serves."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        command = [sys.executable, "-m", __name__, "--serve", str(self._port), str(self._effects)]
        if __name__ == "__main__":
            command[2] = "tests.urls.kills"
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """Kill it at once, unless it was killed before."""
        if self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


def serve(port: int, effects: Path) -> None:
    """Serve the function until the process is killed."""
    app = App("shop")
    file = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @app.function()
    def charge(payload: dict[str, Any], context: Context) -> str:
        time.sleep(payload["before"])
        os.write(file, f"{context.idempotency_key}\n".encode())
        time.sleep(payload["behind"])
        return "charged"

    with serve_functions(app, f"127.0.0.1:{port}") as server:
        print(server.address.rpartition(":")[2], flush=True)
        server.wait()


class Counts(NamedTuple):
    """What has become of all calls.

    Attributes:
        answered: calls that were answered.
        moved: of these, those that the second process has answered.
        unknown: calls whose outcome is unknown.
        not_run: calls that are said not to have run.
        wrong: what must not be.
    """

    answered: int
    moved: int
    unknown: int
    not_run: int
    wrong: list[str]


def run(cases: int, seed: int) -> Counts:
    """Kill the first process so many times under load, and count."""
    with TemporaryDirectory() as folder:
        effects = Path(folder, "effects")
        first, second = Process(effects), Process(effects)
        ends: dict[str, str] = {}
        random = Random(seed)
        try:
            for case in range(cases):
                _kill_among_calls(first, second, random, ends)
                if case + 1 < cases:
                    first.start()
        finally:
            first.kill()
            second.kill()
        return _judge(ends, Counter(effects.read_text().split()))


def _kill_among_calls(
    first: Process, second: Process, random: Random, ends: dict[str, str]
) -> None:
    """Kill the first process while calls go there; they go on to the second one for a while."""
    over = Event()
    with client_of(first.url, second.url) as client:
        threads = [
            Thread(target=_call, args=(client, Random(random.getrandbits(64)), ends, over))
            for _ in range(CALLERS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.05, 0.15))
        first.kill()
        time.sleep(0.1)
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def _call(client: Client, random: Random, ends: dict[str, str], over: Event) -> None:
    while not over.is_set():
        key = f"key-{random.getrandbits(64):x}"
        payload = {"before": random.uniform(0, 0.01), "behind": random.uniform(0, 0.01)}
        try:
            ends[key] = client.invoke("charge", payload, idempotency_key=key, timeout=10).target
        except OutcomeUnknown:
            ends[key] = "unknown"
        except CallError as error:
            ends[key] = f"not run: {type(error).__name__}"


def _judge(ends: dict[str, str], effects: Counter[str]) -> Counts:
    wrong = [f"{key} had its effect {count} times" for key, count in effects.items() if count > 1]
    wrong += [f"{key} has an effect, and nobody has called" for key in effects if key not in ends]
    for key, end in ends.items():
        if end.startswith("http:") and not effects[key]:
            wrong.append(f"{key} was answered by {end} without an effect")
        if end.startswith("not run") and effects[key]:
            wrong.append(f"{key} has run, and is {end}")
    told = Counter(end.partition(": ")[0] for end in ends.values())
    answered = told["http:a"] + told["http:b"]
    return Counts(answered, told["http:b"], told["unknown"], told["not run"], wrong)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill, print what has become of the calls, and return the exit status."""
    parser = ArgumentParser(prog="python -m tests.urls.kills", description=__doc__)
    parser.add_argument("--cases", type=int, default=100, help="kills (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides when (%(default)s)")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "FILE"), help="serve the function")
    options = parser.parse_args(arguments)
    if options.serve:
        serve(int(options.serve[0]), Path(options.serve[1]))
        return 0
    counts = run(options.cases, options.seed)
    print(
        f"{options.cases} kills: {counts.answered} answered, {counts.moved} of them by the second "
        f"target, {counts.unknown} unknown, {counts.not_run} not run, {len(counts.wrong)} wrong"
    )
    for told in counts.wrong:
        print(f"  {told}")
    return 1 if counts.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
