"""Stacks of what is exported, on a server of AWS's APIs, as `aws cloudformation` makes them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from leeward.values import NOTHING
from tests.servers.aws.clients import client
from tests.servers.aws.keys import AccessKey, key_with
from tests.servers.aws.ministack import ACCOUNT, Ministack


def apply(
    server: Ministack, folder: Path, region: str, variables: Mapping[str, Any] = NOTHING
) -> None:
    """Make the stack of a region, as `aws cloudformation package` and `deploy` would.

    Args:
        server: where.
        folder: with the template.
        region: of it.
        variables: more of those of each function, by its logical id.
    """
    document = json.loads((folder / f"{region}.template.json").read_text())
    for id, each in document["Resources"].items():
        if each["Type"] == "AWS::Lambda::Function":
            each["Properties"]["Environment"]["Variables"] |= variables.get(id, {})
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
        # The server's stacks leave these out.
        with closing(client("lambda", server.url, region)) as functions:
            for each in document["Resources"].values():
                if each["Type"] == "AWS::Lambda::EventInvokeConfig":
                    put_retries(functions, document["Resources"], each["Properties"], region)
        assert found == "CREATE_COMPLETE", [
            (each["LogicalResourceId"], each.get("ResourceStatusReason"))
            for each in events
            if "FAILED" in each["ResourceStatus"]
        ]


def put_retries(
    functions: Any, resources: dict[str, Any], has: dict[str, Any], region: str
) -> None:
    """Set how often a function is called again, as a stack has it."""
    name = resources[has["FunctionName"]["Ref"]]["Properties"]["FunctionName"]
    more = {}
    if "DestinationConfig" in has:
        id, _ = has["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
        queue = resources[id]["Properties"]["QueueName"]
        arn = f"arn:aws:sqs:{region}:{ACCOUNT}:{queue}"
        more = {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
    functions.put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=has["MaximumRetryAttempts"], **more
    )


def key_of(server: Ministack, role: dict[str, Any], region: str) -> AccessKey:
    """Give a key with the policy of a role, as a region resolves it."""
    policy = role["Properties"]["Policies"][0]["PolicyDocument"]
    known = {"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": ACCOUNT}

    def resolved(found: dict[str, Any]) -> Any:
        text = found.get("Fn::Sub")
        return found if text is None else re.sub(r"\$\{(.*?)\}", lambda each: known[each[1]], text)

    return key_with(server, json.loads(json.dumps(policy), object_hook=resolved))
