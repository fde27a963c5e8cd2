"""Retries that ask what ran: ``@stamina.retry(on=did_not_run)``, backoff, loops of your own.

`leeward_ran.tenacity` has the same for tenacity, `leeward_integrations.celery` for Celery.
"""

from __future__ import annotations

from leeward_ran import ran


def did_not_run(error: BaseException) -> bool:
    """Return whether it is proved that the call did not run, so that it is safe to call again."""
    return ran(error) == "no"


def may_have_run(error: BaseException) -> bool:
    """Return the contrary: for backoff's `giveup=`."""
    return not did_not_run(error)


did_not_run.leeward_decides_by_proof = True  # type: ignore[attr-defined]  # see doubts
may_have_run.leeward_decides_by_proof = True  # type: ignore[attr-defined]
