"""Cold start: a fresh process to its first answers over TLS, and the memory it then holds."""

from __future__ import annotations

from bench.aws.sides import REGION, environment
from bench.cloud import Cloud
from bench.figures import Figure, Unit, compare
from bench.processes import Program, measure_processes

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

_FLOOR = "bare pycurl, one request"
_BARE = """from leeward._http.libcurl import pycurl
from io import BytesIO
from os import environ
handle = pycurl.Curl()
handle.setopt(pycurl.URL, environ["AWS_ENDPOINT_URL"] + "/2015-03-31/functions/f/invocations")
handle.setopt(pycurl.CAINFO, environ["AWS_CA_BUNDLE"])
handle.setopt(pycurl.POSTFIELDS, b"{}")
handle.setopt(pycurl.WRITEDATA, BytesIO())
handle.perform()"""


def measure(cloud: Cloud, rounds: int) -> list[Figure]:
    """Measure each verb alone, and the three in one process."""
    figures = []
    for name in _OURS:
        figure, _ = _measure_verbs(cloud, f"{name}, cold", [name], ONE_GATE, rounds)
        figures.append(figure)
    return [*figures, *_measure_verbs(cloud, "all three, cold", list(_OURS), THREE_GATE, rounds)]


def _measure_verbs(
    cloud: Cloud, name: str, verbs: list[str], gate: float, rounds: int
) -> tuple[Figure, Figure]:
    """Measure processes that make these calls; give the figures of their CPU and memory."""
    opened = ["from leeward import Client", f'client = Client("aws:{REGION}")']
    sides = [
        [*opened, *(_OURS[verb] for verb in verbs)],
        ["import boto3", *(_THEIRS[verb] for verb in verbs)],
        [_BARE],
    ]
    found = environment(cloud, cloud.tls)
    ours, theirs, floor = measure_processes([Program(lines, found) for lines in sides], rounds)
    return (
        compare(name, ours.cpu, theirs.cpu, gate=gate, floor=(_FLOOR, floor.cpu)),
        compare(
            "memory after them",
            ours.memory,
            theirs.memory,
            gate=MEMORY_GATE,
            unit=Unit.MEMORY,
            floor=(_FLOOR, floor.memory),
        ),
    )
