"""Work that takes longer than a lease: ``LEEWARD_LONG=1 pytest tests/worker/test_long_jobs.py``.

With the variable jobs have the size that they have in life: 35 seconds, and leases of 30.
"""

from __future__ import annotations

import os

from tests.worker.places import PATIENT, Place, until

SECONDS, LEASE = (35.0, 30.0) if "LEEWARD_LONG" in os.environ else (5.0, 2.0)
"""Of a job, and of a lease."""

LONG = """
import time
from leeward import App
from notes import note

app = App("shop")

@app.on_message("parcels", timeout=300)
def send(parcel, context):
    if parcel["id"] == 0:
        note("left", int(context.remaining()))
    note("begin", parcel["id"])
    time.sleep(parcel["takes"] if context.attempt == 1 else 0)
    note("end", parcel["id"])
"""


def test_a_job_that_outlives_its_lease_runs_once(place: Place) -> None:
    """Workers are killed beside it, and their own job is made again, when its lease has ended."""
    place.write(LONG)
    place.add([{"id": 0, "takes": SECONDS}])
    place.worker(concurrency=1, lease=LEASE)
    place.wait_for("begin", 1)
    place.add([{"id": 1, "takes": 3600}])  # the first attempt, which is killed
    victim = place.worker(concurrency=1, lease=LEASE)
    place.wait_for("begin", 2)
    victim.child.kill()
    for _ in range(2):
        place.worker(concurrency=1, lease=LEASE)
    until(lambda: len(place.ledger("end")) == 2, 3 * SECONDS + PATIENT)
    assert sorted(id for _, id, _ in place.ledger("begin")) == ["0", "1", "1"]
    assert sorted(id for _, id, _ in place.ledger("end")) == ["0", "1"]
    assert 290 <= int(place.ledger("left")[0][1]) <= 300
    until(lambda: not place.stores.deliveries.measure(None))


def test_a_job_that_a_worker_drains_keeps_its_lease(place: Place) -> None:
    """Until it has ended: nobody else takes it meanwhile."""
    place.write(LONG)
    place.add([{"id": 0, "takes": SECONDS}])
    first = place.worker(concurrency=1, lease=LEASE, drain=SECONDS + 5)
    place.wait_for("begin", 1)
    first.terminate()
    place.worker(concurrency=1, lease=LEASE)
    until(lambda: place.ledger("end"), SECONDS + PATIENT)
    until(lambda: not place.stores.deliveries.measure(None))
    assert len(place.ledger("begin")) == 1
