"""One library's workflows, run by the interpreter that has it: ``workflow_side.py LIBRARY FOLDER``.

For each line that it reads it starts `RUNS` runs of `STEPS` steps at once and waits for all; it
prints the CPU seconds of one step, and how many steps a second were made. Steps do nothing. Both
keep their runs in SQLite, as they do by default.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

RUNS = 100
STEPS = 5
ORDER = {"id": "42", "lines": [{"sku": "a-1", "count": 2}], "total": "9.50"}


def leeward(folder: Path) -> Callable[[], None]:
    """Run flows on the embedded engine, whose steps are calls of a client."""
    from leeward import Client
    from leeward.local import Local
    from leeward.workflow import Flow, Ref, workflow

    def flow(w: Flow, order: Ref) -> None:
        for number in range(STEPS):
            w.step("work", order, id=f"step-{number}", effect="idempotent")

    folder.chmod(0o700)
    local = Local(path=folder / "local.sqlite3")
    local.function("work")(lambda order: {"done": order["id"]})
    client = Client(local, workflows=[workflow("five")(flow)])
    numbers = count()

    def run() -> None:
        ids = [f"run-{next(numbers)}" for _ in range(RUNS)]
        for id in ids:
            client.start_workflow("five", ORDER, id=id)
        for id in ids:
            state = client.wait_for_run("five", id, timeout=120).state.value
            assert state == "succeeded", state

    return run


def dbos(folder: Path) -> Callable[[], None]:
    """Run flows on DBOS, whose steps are calls of functions."""
    from dbos import DBOS  # type: ignore[import-not-found]

    database = f"sqlite:///{folder / 'dbos.sqlite3'}"
    config: Any = {
        "name": "bench",
        "system_database_url": database,
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    DBOS(config=config)

    def work(order: Any) -> Any:
        return {"done": order["id"]}

    step = DBOS.step()(work)

    def flow(order: Any) -> None:
        for _ in range(STEPS):
            step(order)

    five = DBOS.workflow()(flow)
    DBOS.launch()

    def run() -> None:
        handles = [DBOS.start_workflow(five, ORDER) for _ in range(RUNS)]
        for handle in handles:
            handle.get_result()

    return run


def main() -> None:
    """Answer each line with the cost of one step, and the rate."""
    library, folder = sys.argv[1], Path(sys.argv[2])
    run = {"leeward": leeward, "dbos": dbos}[library](folder)
    for _ in sys.stdin:
        cpu, wall = process_time(), perf_counter()
        run()
        steps = RUNS * STEPS
        print((process_time() - cpu) / steps, steps / (perf_counter() - wall), flush=True)


if __name__ == "__main__":
    main()
