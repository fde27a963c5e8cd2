"""Opening a cloud costs a cold start nothing but what every call needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.workspace import ROOT

SCRIPT = """
import sys
from {package}.driver import open_driver
from leeward.adapter import TargetConfig
options, env = {options}, {env}
open_driver(TargetConfig("{provider}", "{provider}", {qualifier!r}, options, env)).close()
ours = [name for name in sys.modules if name.startswith("{package}.")]
print(sorted(name for name in ours if name.rpartition(".")[2] in "{late}".split()))
tops = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(tops & set("{vendors} ssl asyncio".split())))
"""

AZURE = {
    "function_app": "shop",
    "function_key": "k",
    "eventgrid_topic_url": "https://{topic}.westeurope-1.eventgrid.azure.net",
}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.mark.parametrize(
    ("provider", "qualifier", "options", "env", "late", "vendors"),
    [
        ("aws", "us-east-1", {}, KEYS, "plans vendor native", "boto3 botocore pathlib"),
        ("azure", None, AZURE, {}, "plans queues", "azure"),
        (
            *("google", None, {"project": "shop-1", "region": "us-central1"}, {}),
            *("plans messages vendor discovery native", "google grpc requests pathlib"),
        ),
    ],
)
def test_opening_loads_no_plan_and_no_vendor_package(
    provider: str,
    qualifier: str | None,
    options: dict[str, str],
    env: dict[str, str],
    late: str,
    vendors: str,
) -> None:
    """A function that only publishes pays at its cold start for nothing else."""
    package = f"leeward_{provider}"
    script = SCRIPT.format(**locals())
    child = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / f'adapters/{provider}/src'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert child.stdout.splitlines() == ["[]", "[]"]
