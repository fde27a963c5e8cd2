"""One library's workflows, by the interpreter that has it: ``workflow_side.py LIBRARY STORE``.

For each line that it reads it makes some runs of `STEPS` steps and waits for all; it prints the CPU
seconds of one step, and how many steps a second were made. Steps do nothing. The runs are kept in
SQLite in a folder, as they are by default, or in PostgreSQL at a url.

The library ``sleeper`` is leeward with 8 runs whose 20 steps sleep for 50 ms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

RUNS = {"leeward": 100, "dbos": 100, "prefect": 2, "sleeper": 8}
"""Enough for half a second or more; of prefect, which takes a tenth of a second for a step, few."""

STEPS = {"leeward": 5, "dbos": 5, "prefect": 5, "sleeper": 20}
ORDER = {"id": "42", "lines": [{"sku": "a-1", "count": 2}], "total": "9.50"}


def leeward(store: str, library: str = "leeward") -> Callable[[], None]:
    """Run flows on the embedded engine, whose steps are calls of a client."""
    seconds = 0.05 if library == "sleeper" else 0.0
    from leeward import Client
    from leeward.config import Config
    from leeward.local import Local
    from leeward.workflow import Flow, Ref, workflow

    def flow(w: Flow, order: Ref) -> None:
        for number in range(STEPS[library]):
            w.step("work", order, id=f"step-{number}", effect="idempotent")

    if is_url(store):
        from leeward.adapter import TargetConfig
        from leeward_postgres.driver import open_driver

        options = {"url": store, "sslmode": "disable"}
        local = Local()
        targets = [open_driver(TargetConfig("postgres", "postgres", None, options, {})), local]
    else:
        Path(store).chmod(0o700)
        local = Local(path=Path(store) / "local.sqlite3")
        targets = [local]

    @local.function("work")
    def work(order: Any) -> Any:
        if seconds:
            sleep(seconds)
        return {"done": order["id"]}

    config = Config(workflow_target=targets[0].target)
    client = Client(targets, workflows=[workflow("five")(flow)], config=config)
    numbers = count()

    def run() -> None:
        ids = [f"run-{os.getpid()}-{next(numbers)}" for _ in range(RUNS[library])]
        for id in ids:
            client.start_workflow("five", ORDER, id=id)
        for id in ids:
            state = client.wait_for_run("five", id, timeout=120).state.value
            assert state == "succeeded", state

    return run


def is_url(store: str) -> bool:
    """Return whether runs are kept in PostgreSQL."""
    return store.startswith("postgresql://")


def dbos(store: str) -> Callable[[], None]:
    """Run flows on DBOS, whose steps are calls of functions."""
    from dbos import DBOS

    database = store if is_url(store) else f"sqlite:///{store}/dbos.sqlite3"
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
        for _ in range(STEPS["dbos"]):
            step(order)

    five = DBOS.workflow()(flow)
    DBOS.launch()

    def run() -> None:
        handles = [DBOS.start_workflow(five, ORDER) for _ in range(RUNS["dbos"])]
        for handle in handles:
            handle.get_result()

    return run


def prefect(store: str) -> Callable[[], None]:
    """Run flows on prefect, whose steps are tasks that a server of its own keeps."""
    os.environ |= {
        "PREFECT_HOME": store,
        "PREFECT_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "DO_NOT_TRACK": "1",
    }
    from prefect import flow, task  # type: ignore[import-not-found]

    def work(order: Any) -> Any:
        return {"done": order["id"]}

    step = task(work)

    def five(order: Any) -> None:
        for _ in range(STEPS["dbos"]):
            step(order)

    made = flow(five)

    def run() -> None:
        for _ in range(RUNS["prefect"]):
            made(ORDER)

    return run


def main() -> None:
    """Answer each line with the cost of one step, and the rate."""
    library, store = sys.argv[1:]
    sides = {"leeward": leeward, "dbos": dbos, "prefect": prefect}
    run = leeward(store, library) if library == "sleeper" else sides[library](store)
    steps = RUNS[library] * STEPS[library]
    for _ in sys.stdin:
        cpu, wall = process_time(), perf_counter()
        run()
        print((process_time() - cpu) / steps, steps / (perf_counter() - wall), flush=True)


if __name__ == "__main__":
    main()
