"""``make drill``: a game day over three clouds on this machine, and its report.

The clouds are the tests' own servers; what is called is the function ``charge-card`` of the bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.demo.bench import FOLDER, bench, write
from tests.demo.flagship import CLOUDS

FAULT = "aws:blackout@10s-30s"


def main(*more: str) -> int:
    """Run the drill; return its exit code. Words of the command line are options of the drill."""
    print(f"starting {', '.join(CLOUDS)}", file=sys.stderr, flush=True)  # noqa: T201
    with bench() as standing:
        write(standing, FOLDER)
        file = Path(FOLDER).absolute() / "leeward.toml"
        command = [sys.executable, "-m", "leeward", "--config", str(file), "drill", "charge-card"]
        usual = ['{"order": "42"}', "--effect", "idempotent", "--report", "drill.html"]
        faults = [] if "--fault" in more else ["--fault", FAULT]
        env = {**os.environ, **standing.variables()}
        return subprocess.run([*command, *usual, *faults, *more], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
