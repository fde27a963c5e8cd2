"""What a client that holds all three clouds costs a fresh process, beside the vendors' clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.aws.sides import environment
from bench.azure.opening import OURS, section, vendors
from bench.azure.sides import options as azure_options
from bench.cloud import Cloud, running
from bench.figures import Figure, Unit, compare
from bench.google.sides import emulators
from bench.google.sides import options as google_options
from bench.processes import Program, measure_processes

GATE = 0.14
MEMORY_GATE = 0.35

THEIRS = """import boto3
lambda_, events = boto3.client("lambda"), boto3.client("events")
tables = boto3.resource("dynamodb").Table("orders")
from google.cloud.firestore import Client
from google.cloud.pubsub_v1 import PublisherClient
publisher, documents = PublisherClient(), Client()"""


def measure(rounds: int) -> list[Figure]:
    """Measure importing and constructing, on both sides. azure-cosmos needs a server for it."""
    with running("azure") as cloud, _programs(cloud) as programs:
        ours, theirs = measure_processes(programs, rounds)
    name, yardstick = "imported and constructed", "7 vendor clients"
    return [
        compare(name, ours.cpu, theirs.cpu, gate=GATE, yardstick=yardstick),
        compare(
            "memory of that",
            ours.memory,
            theirs.memory,
            gate=MEMORY_GATE,
            unit=Unit.MEMORY,
            yardstick=yardstick,
        ),
    ]


@contextmanager
def _programs(cloud: Cloud) -> Iterator[tuple[Program, Program]]:
    """Return leeward's program and that of the vendors' clients.

    Both find what they need to open in their environment; leeward its options in a file.
    """
    options = {"azure": azure_options(cloud, cloud.plain), "google": google_options(cloud.plain)}
    found = environment(cloud, cloud.plain) | emulators(cloud.plain.rpartition(":")[2])
    with TemporaryDirectory() as directory:
        file = Path(directory, "leeward.toml")
        file.write_text("".join(starmap(section, options.items())), encoding="utf-8")
        order = {"CLOUD_PROVIDER": "aws,azure,google", "LEEWARD_CONFIG": str(file)}
        yield Program(OURS, found | order), Program([*vendors(cloud), *THEIRS.splitlines()], found)
