"""The exported shop, applied to a server of AWS's APIs: the doctor finds all of it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import pytest

from leeward.cli.doctor.exported import read_exported
from leeward.cli.doctor.findings import Finding, State
from leeward.cli.doctor.visit import examine
from leeward.cli.package.deployments import deployment_of
from leeward.config import Config
from tests.packages.exported import ORDERS, SHOP, config_of, example, exported
from tests.servers.aws.clients import client
from tests.servers.aws.keys import make_key
from tests.servers.aws.ministack import Ministack

REGIONS = ("us-east-1", "us-west-2")


@pytest.fixture
def ministack() -> Iterator[Ministack]:
    """Give a server of its own, with a bucket for uploads in each region, as Lambda wants it."""
    with Ministack() as server:
        zipped = io.BytesIO()
        with ZipFile(zipped, "w") as archive:
            archive.writestr("handler.py", "def lambda_handler(event, context):\n    return None\n")
        for region in REGIONS:
            where = {} if region == "us-east-1" else {"LocationConstraint": region}
            more = {"CreateBucketConfiguration": where} if where else {}
            with closing(client("s3", server.url, region)) as s3:
                s3.create_bucket(Bucket=f"uploads-{region}", **more)
                s3.put_object(Bucket=f"uploads-{region}", Key="aws.zip", Body=zipped.getvalue())
        yield server


def written(folder: Path, url: str) -> Config:
    """Export the shop without a domain into a folder; return its configuration."""
    order = ORDERS["aws"]
    text = f'cloud_provider = "{order}"\ndata_target = "aws:us-east-1"\n'
    text += f'[targets.aws]\nendpoint_url = "{url}"\n{(SHOP / "leeward.toml").read_text()}'
    config = config_of(folder, text)
    shop = example("aws")
    for each in exported("aws", "cloudformation", shop, deployment_of(config, "aws", shop.app)):
        (folder / each.name).write_text(each.text)
    return config


def apply(server: Ministack, folder: Path, region: str) -> None:
    """Make the stack of a region, as `aws cloudformation package` and `deploy` would."""
    document = json.loads((folder / f"{region}.template.json").read_text())
    for each in document["Resources"].values():
        if each["Type"] == "AWS::Lambda::Function":
            assert each["Properties"]["Code"] == "aws.zip"
            each["Properties"]["Code"] = {"S3Bucket": f"uploads-{region}", "S3Key": "aws.zip"}
    with (
        closing(client("s3", server.url, region)) as s3,
        closing(client("cloudformation", server.url, region)) as stacks,
    ):
        s3.put_object(
            Bucket=f"uploads-{region}", Key="template.json", Body=json.dumps(document).encode()
        )
        stacks.create_stack(
            StackName="shop",
            TemplateURL=f"{server.url}/uploads-{region}/template.json",
            Capabilities=["CAPABILITY_IAM"],
        )
        until = time.monotonic() + 60
        while (found := stacks.describe_stacks()["Stacks"][0]["StackStatus"]).endswith("PROGRESS"):
            assert time.monotonic() < until
            time.sleep(0.1)
        events = stacks.describe_stack_events(StackName="shop")["StackEvents"]
        assert found == "CREATE_COMPLETE", [
            (each["LogicalResourceId"], each.get("ResourceStatusReason"))
            for each in events
            if "FAILED" in each["ResourceStatus"]
        ]


def told(findings: list[Finding], state: State) -> set[tuple[str, str]]:
    """Give what the doctor says of the exported files, in one state."""
    return {
        (each.target, each.check.removeprefix("exported "))
        for each in findings
        if each.check.startswith("exported") and each.state is state
    }


def test_what_was_applied_is_found_and_what_is_gone_is_told(
    ministack: Ministack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every function, bus and table, each in its region; one that is deleted is a fault."""
    # What the linter thinks of the same templates is shown elsewhere, and takes it long.
    monkeypatch.setattr("leeward_aws.deploy.export.errors_in", lambda *_: ())
    config = written(tmp_path, ministack.url)
    for region in REGIONS:
        apply(ministack, tmp_path, region)
    key = make_key(ministack, "*")
    expected = read_exported(tmp_path)
    found = examine(config, key.env, time.time, expected=expected)
    assert told(found, State.FAULT) == told(found, State.NOTE) == set()
    names = {(each.target, f"{each.kind} {each.name}") for each in expected}
    assert told(found, State.OK) == names
    assert ("aws:us-west-2", "function charge") in names
    assert ("aws:us-east-1", "table orders") in names
    with closing(client("lambda", ministack.url, REGIONS[1])) as functions:
        functions.delete_function(FunctionName="charge")
    found = examine(config, key.env, time.time, expected=expected)
    assert told(found, State.FAULT) == {("aws:us-west-2", "function charge")}
