"""The exported shop, applied to a server of AWS's APIs: all of it is there, and may do its work."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest

from leeward import AuthError, Client
from leeward.adapter import TargetConfig
from leeward.adapter.queues import PutMessage, ask
from leeward.cli.doctor.exported import read_exported
from leeward.cli.doctor.findings import Finding, State
from leeward.cli.doctor.visit import examine
from leeward.cli.package.deployments import deployment_of
from leeward.config import Config
from leeward.errors import Outcome
from leeward.packaging.recipe import Declared
from leeward_aws.driver import open_driver
from tests.packages.everything import document, wish
from tests.packages.exported import ORDERS, SHOP, config_of, example, exported
from tests.servers.aws.clients import client
from tests.servers.aws.keys import AccessKey, key_with, make_key
from tests.servers.aws.ministack import ACCOUNT, Ministack

REGIONS = ("us-east-1", "us-west-2")


class Applied(NamedTuple):
    """The shop in two regions: where it was applied, from which files, and its configuration."""

    server: Ministack
    folder: Path
    config: Config


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """Give a server of its own, with a bucket for uploads in each region, as Lambda wants it."""
    folder = tmp_path_factory.mktemp("shop")
    with Ministack() as server, pytest.MonkeyPatch.context() as patch:
        zipped = io.BytesIO()
        with ZipFile(zipped, "w") as archive:
            archive.writestr("handler.py", "def lambda_handler(event, context):\n    return None\n")
        for region in REGIONS:
            where = {} if region == "us-east-1" else {"LocationConstraint": region}
            more = {"CreateBucketConfiguration": where} if where else {}
            with closing(client("s3", server.url, region)) as s3:
                s3.create_bucket(Bucket=f"uploads-{region}", **more)
                s3.put_object(Bucket=f"uploads-{region}", Key="aws.zip", Body=zipped.getvalue())
        # What the linter thinks of the same templates is shown elsewhere, and takes it long.
        patch.setattr("leeward_aws.deploy.export.errors_in", lambda *_: ())
        config = written(folder, server.url)
        for region in REGIONS:
            apply(server, folder, region)
        yield Applied(server, folder, config)


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


def role_of(shop: Applied, region: str, role: str) -> AccessKey:
    """Give a key that may do what a role of a template allows, and nothing else."""
    template = json.loads((shop.folder / f"{region}.template.json").read_text())
    return key_of(shop.server, template["Resources"][role], region)


def key_of(server: Ministack, role: dict[str, Any], region: str) -> AccessKey:
    """Give a key with the policy of a role, as a region resolves it."""
    policy = role["Properties"]["Policies"][0]["PolicyDocument"]
    known = {"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": ACCOUNT}

    def resolved(found: dict[str, Any]) -> Any:
        text = found.get("Fn::Sub")
        return found if text is None else re.sub(r"\$\{(.*?)\}", lambda each: known[each[1]], text)

    return key_with(server, json.loads(json.dumps(policy), object_hook=resolved))


def test_what_was_applied_is_found_and_what_is_gone_is_told(shop: Applied) -> None:
    """Every function, bus and table, each in its region; one that is deleted is a fault."""
    key = make_key(shop.server, "*")
    expected = read_exported(shop.folder)
    found = examine(shop.config, key.env, time.time, expected=expected)
    assert told(found, State.FAULT) == told(found, State.NOTE) == set()
    names = {(each.target, f"{each.kind} {each.name}") for each in expected}
    assert told(found, State.OK) == names
    assert ("aws:us-west-2", "function charge") in names
    assert ("aws:us-east-1", "table orders") in names
    with closing(client("lambda", shop.server.url, REGIONS[1])) as functions:
        functions.delete_function(FunctionName="charge")
    found = examine(shop.config, key.env, time.time, expected=expected)
    assert told(found, State.FAULT) == {("aws:us-west-2", "function charge")}


def test_a_standby_may_do_what_its_code_does(
    shop: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the role of its template alone: calls of the first region, data, its dead letters."""
    for name, value in role_of(shop, REGIONS[1], "CreateOrderRole").env.items():
        monkeypatch.setenv(name, value)
    with Client(config=shop.config) as cloud:
        assert cloud.invoke("charge", {"order": "1"}).target == "aws:us-east-1"
        cloud.publish_event("orders", "order.created", {"id": "1"})
        cloud.store_data("orders", {"id": "1"}, if_absent=True)
        found = cloud.load_data("orders", "1")
        assert found is not None
        cloud.delete_data("orders", "1", if_revision=found.revision)
        with pytest.raises(AuthError):
            cloud.load_data("pieces", "1")
    options = {"endpoint_url": shop.server.url}
    driver = open_driver(TargetConfig("aws:us-west-2", "aws", "us-west-2", options, os.environ))
    with closing(driver):
        sent = ask(driver, PutMessage("orders-dead", b"{}"), 10)
        assert sent.outcome is Outcome.OK
        assert ask(driver, PutMessage("place-order-dead", b"{}"), 10).outcome is Outcome.AUTH


def test_a_handler_of_objects_may_read_its_prefix_and_write_what_it_names(
    shop: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there is told so; nothing is written where the handler takes from."""
    role = document("aws", wish(declared=Declared()))["Resources"]["CleanRole"]
    for name, value in key_of(shop.server, role, REGIONS[0]).env.items():
        monkeypatch.setenv(name, value)
    with closing(client("s3", shop.server.url, REGIONS[0])) as s3:
        s3.create_bucket(Bucket="scans")
        s3.put_object(Bucket="scans", Key="in/there", Body=b"1")
    with Client(config=shop.config) as cloud:
        assert cloud.get_object("scans", "in/absent") is None
        reader = cloud.get_object("scans", "in/there")
        assert reader is not None
        assert reader.read() == b"1"
        assert cloud.head_object("scans", "out/there") is None
        cloud.put_object("scans", "out/there", b"2", if_absent=True)
        with pytest.raises(AuthError):
            cloud.put_object("scans", "in/another", b"3")
