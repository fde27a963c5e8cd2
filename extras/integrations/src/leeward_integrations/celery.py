"""Celery: ``@retry_if_did_not_run`` under ``@app.task(bind=True)`` runs a task again only on proof.

`autoretry_for` takes classes of exceptions, and one class stands for what ran and what did not. The
decorator asks about the call that raised; what the task did before that call wants a key.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from leeward_ran.retries import did_not_run


def retry_if_did_not_run(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a bound task's function that asks for a retry where nothing ran, and else raises."""

    @wraps(run)
    def run_or_retry(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return run(self, *args, **kwargs)
        except Exception as error:
            if did_not_run(error):
                raise self.retry(exc=error) from error
            raise

    return run_or_retry
