"""Cold start: a fresh process to its first answers over TLS, and the memory it then holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from bench.cloud import Cloud
from bench.figures import Figure, Unit, compare, measure_in_turn

ONE_GATE = 0.32
THREE_GATE = 0.26
MEMORY_GATE = 0.62

_OURS = {
    "invoke": 'client.invoke("send-receipt", {"order": "o-42"}).value',
    "publish_event": 'client.publish_event("orders", "order.created", {"id": "o-42"})',
    "store_data": 'client.store_data("orders", {"id": "o-42", "customer": "c-7"})',
}
_THEIRS = {
    "invoke": """import json
lambda_ = boto3.client("lambda")
payload = json.dumps({"order": "o-42"}).encode()
json.loads(lambda_.invoke(FunctionName="send-receipt", Payload=payload)["Payload"].read())""",
    "publish_event": """import json
entry = {"Source": "bench", "DetailType": "order.created", "EventBusName": "orders"}
events = boto3.client("events")
events.put_events(Entries=[entry | {"Detail": json.dumps({"id": "o-42"})}])""",
    "store_data": """tables = boto3.client("dynamodb")
tables.put_item(TableName="orders", Item={"id": {"S": "o-42"}, "customer": {"S": "c-7"}})""",
}
_REPORT = """from time import process_time
cpu = process_time()
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[1])
from os import sysconf
print(cpu, pages * sysconf("SC_PAGE_SIZE") / 2**20)"""


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure each verb alone, and the three in one process."""
    figures = []
    for name in _OURS:
        ours, theirs = _measure_verbs(cloud, [name], rounds)
        figures.append(compare(f"{name}, cold", ours.cpu, theirs.cpu, gate=ONE_GATE))
    ours, theirs = _measure_verbs(cloud, list(_OURS), rounds)
    figures.append(compare("all three, cold", ours.cpu, theirs.cpu, gate=THREE_GATE))
    figures.append(
        compare(
            "memory after the three", ours.memory, theirs.memory, gate=MEMORY_GATE, unit=Unit.MEMORY
        )
    )
    return figures


class _Processes:
    """Processes of one kind; each run's memory is kept beside the CPU that it gives."""

    def __init__(self, cloud: Cloud, lines: Sequence[str]) -> None:
        self._program = "\n".join((*lines, _REPORT))
        self._environment = cloud.environment(cloud.tls)
        self.memory: list[float] = []
        self.cpu: list[float] = []

    def run(self) -> float:
        """Run one; give the seconds of CPU from its start, the interpreter's own included."""
        done = subprocess.run(
            [sys.executable, "-c", self._program],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
        )
        cpu, memory = map(float, done.stdout.split())
        self.memory.append(memory)
        return cpu


def _measure_verbs(cloud: Cloud, names: list[str], rounds: int) -> tuple[_Processes, _Processes]:
    opened = ["from leeward import Client", 'client = Client("aws:us-east-1")']
    ours = _Processes(cloud, [*opened, *(_OURS[name] for name in names)])
    theirs = _Processes(cloud, ["import boto3", *(_THEIRS[name] for name in names)])
    ours.cpu, theirs.cpu = measure_in_turn([ours.run, theirs.run], rounds)
    # The first run of each was not counted.
    del ours.memory[0], theirs.memory[0]
    return ours, theirs
