"""The same handler in the same mishaps under each library, and a table of what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench.idempotency.side import LIBRARIES, MISHAPS
from tests.servers.aws.clients import client
from tests.servers.aws.keys import make_key
from tests.servers.aws.ministack import Ministack

SIDE: Final = Path(__file__).with_name("side.py")
PYTHON: Final = Path(__file__).parents[2] / ".servers/idempotency/bin/python"
"""Made by ``make bench``."""

REGION: Final = "us-east-1"
TABLES: Final = {"leeward": "id", "powertools": "id", "idemkit": "effective_key"}


def play(library: str, mishap: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Play one mishap in a process of its own; return its effects, and what was told."""
    python = sys.executable if library.startswith("leeward") else str(PYTHON)
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, str(SIDE), library, mishap],
            env={**environment, "PATH": os.environ["PATH"], "HOME": folder, "FOLDER": folder},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def play_all() -> dict[str, dict[str, dict[str, Any]]]:
    """Play every mishap under every library, each with tables of its own."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    with Ministack() as ministack:
        for mishap in MISHAPS:
            found[mishap] = {}
            for library in LIBRARIES:
                ministack.wipe()
                found[mishap][library] = play(library, mishap, _environment(ministack))
    return found


@contextmanager
def opened_table() -> Iterator[dict[str, str]]:
    """Start a DynamoDB with everybody's tables; return the variables that lead there."""
    with Ministack() as ministack:
        yield _environment(ministack)


def _environment(ministack: Ministack) -> dict[str, str]:
    key = make_key(ministack, "*")
    dynamodb = client("dynamodb", ministack.url, REGION, *key)
    for table, field in TABLES.items():
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": field, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": field, "KeyType": "HASH"}],
        )
    dynamodb.close()
    return {
        **key.env,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_DYNAMODB": ministack.url,
    }


def table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Write the table: how often money moved, and what the deliveries were told."""
    lines = [
        "| mishap | " + " | ".join(LIBRARIES) + " |",
        "|---" * (len(LIBRARIES) + 1) + "|",
    ]
    for mishap, sides in found.items():
        told = (MISHAPS[mishap].__doc__ or "").rstrip(".")
        cells = []
        for each in sides.values():
            answers = ", ".join(_counted(each["told"]))
            cells.append(f"**{each['effects']}**: {answers}")
        lines.append(f"| {told} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _counted(told: list[str]) -> list[str]:
    """Write equal neighbours once, with their number."""
    found: list[list[Any]] = []
    for each in told:
        if found and found[-1][0] == each:
            found[-1][1] += 1
        else:
            found.append([each, 1])
    return [what if number == 1 else f"{number} x {what}" for what, number in found]
