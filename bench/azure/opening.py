"""What importing and constructing the clients costs a fresh process."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.azure.sides import KEY, options
from bench.cloud import Cloud
from bench.figures import Figure, compare
from bench.processes import Program, measure_processes
from bench.work import BUS

GATE = 0.30


def measure_opening(cloud: Cloud, rounds: int) -> Figure:
    """Measure both sides. To construct its client, azure-cosmos asks for the account."""
    with TemporaryDirectory() as directory:
        file = Path(directory, "leeward.toml")
        file.write_text(section("azure", options(cloud, cloud.plain)), encoding="utf-8")
        ours, theirs = measure_processes(
            [
                Program(OURS, {"CLOUD_PROVIDER": "azure", "LEEWARD_CONFIG": str(file)}),
                Program(vendors(cloud), {}),
            ],
            rounds,
        )
    return compare(
        "imported and constructed", ours.cpu, theirs.cpu, gate=GATE, yardstick="3 azure packages"
    )


OURS = ["from leeward import Client", "client = Client()"]


def section(target: str, settings: dict[str, str]) -> str:
    """Return the section of a ``leeward.toml`` for a target; a text is spelt as in JSON."""
    lines = (f"{name} = {json.dumps(value)}" for name, value in settings.items())
    return "\n".join((f"[targets.{target}]", *lines, ""))


def vendors(cloud: Cloud) -> list[str]:
    """Return the lines that construct Azure's clients for the same verbs, and a credential."""
    return f"""from azure.core.credentials import AzureKeyCredential
from azure.cosmos import CosmosClient
from azure.eventgrid import EventGridPublisherClient
from azure.identity import DefaultAzureCredential
credential = DefaultAzureCredential()
grid = EventGridPublisherClient("{cloud.plain}/{BUS}/api/events", AzureKeyCredential("{KEY}"))
cosmos = CosmosClient("{cloud.plain}", "{KEY}", enable_endpoint_discovery=False)
""".splitlines()
