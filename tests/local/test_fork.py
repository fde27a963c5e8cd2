"""Forks are made in a process of their own, where no other thread of the tests is under way."""

from pathlib import Path

import pytest

from tests.local.calls import child

pytestmark = pytest.mark.threat("S22")

PRELUDE = """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is the point here
path = sys.argv[1]

def forked(work):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

DATA = """
cloud = Local(path=path)
value_of(cloud.perform(store({"n": 1}), 5))
parent = cloud._database._connection

def work():
    assert value_of(cloud.perform(load(), 5)).item["n"] == 1
    assert cloud._database._connection is not parent
    value_of(cloud.perform(store({"n": 2}), 5))

forked(work)
assert cloud._database._connection is parent
print(value_of(cloud.perform(load(), 5)).item["n"])
"""


def test_a_child_opens_the_file_anew(path: Path) -> None:
    """It reads and writes on a connection of its own, and the parent sees what it wrote."""
    with child(PRELUDE + DATA, str(path)) as process:
        process.wait_for("0")
        process.wait_for("2")


MEMORY = """
cloud = Local()
cloud.function("f")(lambda _: "called")
value_of(cloud.perform(store(), 5))

def work():
    for call in (load(), store(), delete(), scan()):
        result = cloud.perform(call, 5)
        assert result.outcome is Outcome.LOCAL, result
        assert "does not cross a fork" in result.message
    assert value_of(cloud.perform(invoke(), 5)) == "called"
    value_of(Local().perform(store(), 5))
    cloud.close()

forked(work)
print(value_of(cloud.perform(load(), 5)).item["id"])
"""


def test_a_child_has_no_memory_database(path: Path) -> None:
    """It is told so; functions and new targets work there, and the parent goes on."""
    with child(PRELUDE + MEMORY, str(path)) as process:
        process.wait_for("0")
        process.wait_for("1")


EVENTS = """
cloud = Local(path=path)
seen = []
cloud.subscribe("orders", name="s")(lambda event: seen.append((os.getpid(), event.id)))
value_of(cloud.perform(publish(event("1")), 5))
cloud.wait_idle(30)

def work():
    seen.clear()
    cloud.function("f")(lambda payload: seen.append(payload))
    value_of(cloud.perform(enqueue("f", b"5"), 5))
    cloud.wait_idle(30)
    assert seen == [5], seen
    cloud.close()

forked(work)
value_of(cloud.perform(publish(event("2")), 5))
cloud.wait_idle(30)
print([id for pid, id in seen if pid == os.getpid()])
"""


def test_a_child_has_a_loop_of_its_own(path: Path) -> None:
    """Delivery starts again in the child, and goes on in the parent."""
    with child(PRELUDE + EVENTS, str(path)) as process:
        process.wait_for("0")
        process.wait_for("['1', '2']")


FORKING = """
from leeward.stores import QUEUED_CALL, NewRow, Recipient

cloud = Local(path=path)
def handle(number):
    os.write(ledger, b"%d\\n" % number)
    if number == 60 and os.fork() == 0:
        return  # and not os._exit
    time.sleep(0.01)

rows = [NewRow(Recipient(QUEUED_CALL, "f"), None, str(n), str(n)) for n in range(100)]
cloud.stores().deliveries.add(rows, 5)
ledger = os.open(path + ".ledger", os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o600)
cloud.function("f")(handle)
cloud.wait_idle(30)
time.sleep(0.2)  # for the child
print(sorted(map(int, os.pread(ledger, 10000, 0).split())) == [*range(100)])
"""


def test_a_child_of_a_handler_leaves_the_rows_to_its_parent(path: Path) -> None:
    """It does not take the next one, whatever the handler does there."""
    with child(PRELUDE + FORKING, str(path)) as process:
        process.wait_for("True")


BUSY = """
import leeward._sqlite.database
leeward._sqlite.database.HOLD_SECONDS = 60
cloud = Local(path=path)
value_of(cloud.perform(store(), 5))  # a fork while another thread imports would hang any program
stop = threading.Event()
failed = []

def write(number):
    while not stop.is_set():
        result = cloud.perform(store(at=key(str(number))), 60)
        if result.outcome is not Outcome.OK:
            failed.append(result)

def work():
    value_of(cloud.perform(store(at=key("child")), 60))

threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for _ in range(4):
    forked(work)
stop.set()
for thread in threads:
    thread.join()
print(failed)
"""


def test_a_fork_falls_between_transactions(path: Path) -> None:
    """While other threads write, every child can write too, and no writer is disturbed."""
    with child(PRELUDE + BUSY, str(path)) as process:
        for _ in range(4):
            process.wait_for("0")
        process.wait_for("[]")


TORN = """
import leeward._sqlite.database
leeward._sqlite.database.HOLD_SECONDS = 0.01
cloud = Local(path=path)
value_of(cloud.perform(store(), 5))

def work():
    result = cloud.perform(load(), 5)
    assert result.outcome is Outcome.LOCAL, result
    assert "inside a transaction" in result.message

with cloud._database.write(5):
    forked(work)
print(value_of(cloud.perform(load(), 5)).item["id"])
"""


def test_a_fork_inside_a_transaction_is_refused_in_the_child(path: Path) -> None:
    """Where a transaction would not end in time, the child is told, and the parent goes on."""
    with child(PRELUDE + TORN, str(path)) as process:
        process.wait_for("0")
        process.wait_for("1")


KEYS = """
from leeward import App, Client
from leeward.app import idempotent

app = App("shop")

@app.function(effect="keyed")
@idempotent(table="keys", key="order", principal=None)
def charge(order: str) -> int:
    print("charged", flush=True)
    return os.getpid()

client = Client(Local(path=path), app=app)
first = client.invoke("charge", "42").value

def work():
    assert client.invoke("charge", "42").value == first

forked(work)
"""


def test_a_child_keeps_its_records_where_the_client_does(path: Path) -> None:
    """A key that the parent has used is known to the child's handlers, too."""
    with child(PRELUDE + KEYS, str(path)) as process:
        process.wait_for("charged")
        process.wait_for("0")
