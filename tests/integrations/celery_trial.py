"""What Celery calls again, with `autoretry_for` and by proof; run where it is installed.

python -m tests.integrations.celery_trial
"""

from __future__ import annotations

import sys
from typing import Any

import requests
from celery import Celery

from leeward_integrations.celery import retry_if_did_not_run
from tests.integrations.failing import REFUSE, Case, FailingServer, Step

LOST = Step("reset", runs=True)
TIMES = {"max_retries": 2, "default_retry_delay": 0}


def main() -> int:
    """Run a task whose answer is lost, and one that finds nobody; return the exit status."""
    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    calls: list[Case] = []

    def post(case: Case) -> None:
        calls.append(case)
        requests.post(f"http://127.0.0.1:{case.port}", json={}, timeout=1)

    @app.task(autoretry_for=(requests.ConnectionError,), retry_backoff=False, **TIMES)
    def charge_by_class(case: Case) -> None:
        post(case)

    @app.task(bind=True, **TIMES)
    @retry_if_did_not_run
    def charge_by_proof(_task: Any, case: Case) -> None:
        post(case)

    with FailingServer({}) as server:
        for task, effects in ((charge_by_class, 3), (charge_by_proof, 1)):
            case = server.open([LOST, LOST, LOST, REFUSE])
            task.apply((case,))
            assert case.effects == effects, (task.name, case.effects)
        calls.clear()
        away = server.open([REFUSE])
        charge_by_proof.apply((away,))
        assert calls == [away] * 3
    print("by class a lost answer is charged again; by proof only what did not run is called again")
    return 0


if __name__ == "__main__":
    sys.exit(main())
