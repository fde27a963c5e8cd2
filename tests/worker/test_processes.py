"""Workers as processes: what is shared, drained, killed, and left to another version."""

from __future__ import annotations

import signal
from collections import Counter
from typing import Any

from tests.postgres.server import Server
from tests.worker.places import Place, until


def parcels(count: int, **more: Any) -> list[dict[str, Any]]:
    """Return messages with ids from 0 on."""
    return [{"id": id, **more} for id in range(count)]


def test_workers_share_what_is_due_and_end(place: Place) -> None:
    """With ``once`` each ends when nothing is due; a row is handled by one of them."""
    place.add(parcels(40))
    first, second = place.worker(once=True), place.worker(once=True)
    assert (first.wait(), second.wait()) == (0, 0)
    assert Counter(id for _, id, _ in place.ledger("end")) == {str(id): 1 for id in range(40)}


def test_a_worker_that_made_dead_letters_once_says_so(place: Place) -> None:
    """Its exit code does; the row is kept as a dead letter."""
    place.add([{"no": "id", "id": 1}], "parcels")
    place.write(
        'from leeward import App\napp = App("shop")\n@app.on_message("parcels", retries=0)\n'
        "def send(parcel):\n    raise ValueError\n"
    )
    assert place.worker(once=True).wait() == 6
    (dead,) = place.stores.deliveries.dead_rows()
    assert dead.failure.error == "ValueError"


def test_after_a_kill_another_worker_makes_the_attempt_again(place: Place) -> None:
    """When the lease of the dead one has ended; nothing is lost."""
    place.add(parcels(3, waits=True))
    first = place.worker(concurrency=2, lease=1.0)
    place.wait_for("begin", 2)
    first.child.kill()
    place.open_gate()
    second = place.worker()
    place.wait_for("end", 3)
    assert {id for _, id, _ in place.ledger("end")} == {"0", "1", "2"}
    second.terminate()
    assert second.wait() == 0


def test_a_worker_that_is_asked_to_end_drains(place: Place) -> None:
    """Attempts end, what has not begun is due for others at once, and nothing is done twice."""
    place.add(parcels(6, waits=True))
    first = place.worker(concurrency=2, health="0")
    place.wait_for("begin", 2)
    status, facts = first.health()
    assert (status, facts["status"], facts["under_way"]) == (200, "ready", 2)
    assert facts["last_look"] >= 0
    first.terminate()
    until(lambda: first.health()[0] == 503)
    assert first.health()[1]["status"] == "draining"
    place.open_gate()
    assert first.wait() == 0
    assert len(place.ledger("begin")) == len(place.ledger("end")) == 2
    assert place.worker(once=True).wait() == 0
    assert Counter(id for _, id, _ in place.ledger("begin")) == {str(id): 1 for id in range(6)}


def test_attempts_have_so_long_to_end_and_a_second_signal_ends_at_once(place: Place) -> None:
    """The first signal ends within the drain time; the second waits for nothing."""
    place.add(parcels(2, waits=True))
    patient, brief = place.worker(concurrency=1), place.worker(concurrency=1, drain=0.2)
    place.wait_for("begin", 2)
    brief.terminate()
    assert brief.wait() == 0
    assert "attempts_left=1" in brief.wait_for("worker_drained")
    patient.terminate()
    until(lambda: patient.child.poll() is None)
    patient.child.send_signal(signal.SIGINT)
    assert patient.wait() in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert not place.ledger("end")


def test_while_the_server_is_away_nothing_is_lost_or_done_twice(
    postgres: Place, server: Server
) -> None:
    """A worker keeps how its attempts have ended, says once that it waits, and goes on."""
    postgres.add(parcels(4, waits=True))
    worker = postgres.worker(concurrency=2, health="0")
    postgres.wait_for("begin", 2)
    server.kill()
    until(lambda: worker.health()[1]["status"] == "store_away")
    postgres.open_gate()
    postgres.wait_for("end", 2)
    server.restart()
    postgres.wait_for("end", 4)
    until(lambda: worker.health()[0] == 200)
    worker.terminate()
    assert worker.wait() == 0
    assert Counter(id for _, id, _ in postgres.ledger("begin")) == {str(id): 1 for id in range(4)}
    assert len(worker.log("delivery_stalled")) == 1


BOTH = """
from leeward import App
from leeward.workflow import Flow, Ref
from notes import note, wait_for_gate

app = App("shop")

@app.function(effect="idempotent")
def pack(order):
    note("pack", order["id"])
    if order["id"] == "new":
        wait_for_gate()

@app.on_message("starts")
def start(order, context):
    context.client.start_workflow("ship", order, id=order["id"])
"""
OLD = f"""{BOTH}
@app.workflow("ship")
def ship(w: Flow, order: Ref) -> None:
    w.step(pack, order)
    w.wait(1)
    w.step(pack, order, id="again")
"""
NEW = f"""{BOTH}
@app.function(effect="idempotent")
def label(order):
    note("label", order["id"])

@app.on_message("letters")
def post(letter):
    note("post", letter["id"])

@app.workflow("ship")
def ship(w: Flow, order: Ref) -> None:
    w.step(pack, order)
    w.step(label, order)
"""


def test_versions_work_side_by_side(place: Place) -> None:
    """A run stays with its definition; what only a new version can do is left to a new version."""
    place.write(NEW)
    place.add([{"id": "new"}], "starts")
    first = place.worker()
    place.wait_for("pack", 1)
    first.child.kill()
    place.open_gate()
    place.write(OLD)
    place.add([{"id": "old"}], "starts")
    place.add([{"id": "1"}], "letters")
    old = place.worker()
    old.wait_for("version_left")
    until(lambda: "old" in {id for _, id, _ in place.ledger("pack")})
    assert not place.ledger("label")
    assert not place.ledger("post")
    place.write(NEW)
    new = place.worker()
    assert place.wait_for("label", 1) == [["label", "new", str(new.child.pid)]]
    assert place.wait_for("post", 1) == [["post", "1", str(new.child.pid)]]
    until(lambda: Counter(id for _, id, _ in place.ledger("pack"))["old"] == 2)
    old.terminate()
    new.terminate()
    assert (old.wait(), new.wait()) == (0, 0)
    assert len(place.ledger("label")) == 1
