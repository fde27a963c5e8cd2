"""The same payments under four libraries, on one schedule; prints a table in Markdown.

python -m tests.app.payments.beside [--payments N] [--seed N] [--python PATH]

PATH is a Python that has the other libraries: agent-once 0.1.0, exactly-once 0.2.1 and
aws-lambda-powertools 3.37.0. One that is missing there is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
SIDE = Path(__file__).with_name("side.py")
PEERS = ROOT / ".servers/idempotency/bin/python"
LIBRARIES = ("leeward", "agent-once", "exactly-once", "powertools")

ROWS = {
    "insists: result": "calls once more, and gets a result",
    "insists: unknown": "calls once more, and does not",
    "gives up: result": "gives up, and learns the result",
    "gives up: proved not run": "gives up, and has a proof that it has not run",
    "gives up: unknown": "gives up, and does not know",
    "left in doubt, and charged": "left in doubt, and charged",
    "charged, and told that it has not run": "charged, and told that it has not run",
    "charged twice": "charged twice",
}


def play(library: str, payments: int, seed: int, peers: Path) -> dict[str, int] | None:
    """Play under one library, in a process of its own; None if it is not installed."""
    python = sys.executable if library == "leeward" else str(peers)
    command = [python, str(SIDE), library, str(payments), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        return None
    done.check_returncode()
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print, and return the exit status: 1 if a caller of leeward's is wrong or in doubt."""
    parser = ArgumentParser(prog="python -m tests.app.payments.beside", description=__doc__)
    parser.add_argument("--payments", type=int, default=1_000, help="of each (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides everything (%(default)s)")
    parser.add_argument("--python", type=Path, default=PEERS, help="with the libraries")
    options = parser.parse_args(arguments)
    told = {
        library: play(library, options.payments, options.seed, options.python)
        for library in LIBRARIES
        if library == "leeward" or options.python.exists()
    }
    played = {library: counts for library, counts in told.items() if counts is not None}
    print("| a caller | " + " | ".join(played) + " |")
    print("|---" * (len(played) + 1) + "|")
    for name, text in ROWS.items():
        cells = (f"{counts.get(name, 0):,}" for counts in played.values())
        print(f"| {text} | " + " | ".join(cells) + " |")
    for library in told.keys() - played.keys():
        print(f"{library} is not installed for {options.python}")
    own = played["leeward"]
    names = ("charged twice", "left in doubt", "charged, and told that it has not run")
    return 1 if any(own.get(name) for name in names) else 0


if __name__ == "__main__":
    sys.exit(main())
