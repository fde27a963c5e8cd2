"""Create what the contract needs in an account, and wait until it works."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, Final

from cloud_tests.aws.account import Account, open_account
from cloud_tests.aws.plan import FUNCTIONS, REMEMBER, TABLES, Plan
from cloud_tests.aws.policies import PREFIX
from cloud_tests.aws.removal import remover
from cloud_tests.delivery import wait_for_delivery
from cloud_tests.deployed.contract import MEMORY
from cloud_tests.deployed.package import PYTHON, package_app
from cloud_tests.teardown import Teardown
from leeward import Config
from leeward_contract_tests.fixtures import EVENTS, FAIL

_SECONDS: Final = 60
"""What a function may take: more than any call waits for."""
_MEBIBYTES: Final = 512
"""Of memory. With less there is less CPU, and a cold start takes longer than a call waits."""

_WAITER: Final = {"Delay": 2, "MaxAttempts": 90}
"""Seconds, and how often, until a table or a function is there or gone."""


@contextmanager
def open_cloud(run: str, announce: Callable[[str], None]) -> Iterator[Config]:
    """Make everything and yield the configuration that leads to it; remove everything."""
    account, plan = open_account(), Plan(run)
    code = package_app("aws", {}, plan.own(MEMORY))
    announce(plan.text(account))
    with provisioned(plan, account, code, announce):
        yield plan.config(account.region)


@contextmanager
def provisioned(
    plan: Plan, account: Account, code: bytes, announce: Callable[[str], None]
) -> Iterator[None]:
    """Create everything, wait until the bus delivers, and remove everything in the end.

    Args:
        plan: its names.
        account: where.
        code: of the functions, as Lambda loads it.
        announce: see `Teardown`.

    Raises:
        botocore's errors: something could not be created. What was created is removed.
        StillThere: something could not be removed.
    """
    with ExitStack() as stack:
        clients = {
            each: stack.enter_context(closing(account.client(each)))
            for each in ("dynamodb", "lambda", "events", "logs")
        }
        teardown = stack.enter_context(Teardown(announce))
        _create_tables(plan, clients["dynamodb"], teardown)
        _create_functions(plan, account, code, clients, teardown)
        _create_bus(plan, clients, teardown)
        wait_for_delivery(plan.config(account.region))
        yield


def _create_tables(plan: Plan, dynamodb: Any, teardown: Teardown) -> None:
    for logical, key in TABLES.items():
        name = plan.own(logical)
        teardown.register(f"table {name}", _table_remover(dynamodb, name))
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in key],
            KeySchema=[
                {"AttributeName": each, "KeyType": kind}
                for each, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
            Tags=_tags(plan),
        )
    for logical in TABLES:
        _wait(dynamodb.get_waiter("table_exists"), TableName=plan.own(logical))


def _table_remover(dynamodb: Any, name: str) -> Callable[[], None]:
    delete = remover(dynamodb.delete_table, TableName=name)

    def remove() -> None:
        delete()
        _wait(dynamodb.get_waiter("table_not_exists"), TableName=name)

    return remove


def _create_functions(
    plan: Plan, account: Account, code: bytes, clients: dict[str, Any], teardown: Teardown
) -> None:
    caller, logs = clients["lambda"], clients["logs"]
    for logical in FUNCTIONS:
        name = plan.own(logical)
        group = f"/aws/lambda/{name}"
        teardown.register(f"log group {group}", remover(logs.delete_log_group, logGroupName=group))
        teardown.register(f"function {name}", remover(caller.delete_function, FunctionName=name))
        caller.create_function(
            FunctionName=name,
            Runtime=f"python{PYTHON}",
            Role=account.role,
            Handler="handler.lambda_handler",
            Code={"ZipFile": code},
            Timeout=_SECONDS,
            MemorySize=_MEBIBYTES,
            Environment={"Variables": {"LEEWARD_FUNCTION": logical}},
            Tags={each["Key"]: each["Value"] for each in _tags(plan)},
        )
    for logical in FUNCTIONS:
        _wait(caller.get_waiter("function_active_v2"), FunctionName=plan.own(logical))
    # Else a queued call that fails is made again, when the tests have ended.
    caller.put_function_event_invoke_config(FunctionName=plan.own(FAIL), MaximumRetryAttempts=0)


def _create_bus(plan: Plan, clients: dict[str, Any], teardown: Teardown) -> None:
    """Make the bus, and the rule that hands all its events to a function."""
    events, name = clients["events"], plan.own(EVENTS)
    teardown.register(f"bus {name}", remover(events.delete_event_bus, Name=name))
    events.create_event_bus(Name=name, Tags=_tags(plan))
    rule = {"Rule": name, "EventBusName": name}
    teardown.register(f"rule {name}", remover(events.delete_rule, Name=name, EventBusName=name))
    teardown.register(
        f"target of rule {name}", remover(events.remove_targets, Ids=["function"], **rule)
    )
    everything = json.dumps({"source": [{"prefix": ""}]})
    arn = events.put_rule(Name=name, EventBusName=name, EventPattern=everything, Tags=_tags(plan))[
        "RuleArn"
    ]
    listener = plan.own(REMEMBER)
    clients["lambda"].add_permission(
        FunctionName=listener,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )
    function = clients["lambda"].get_function(FunctionName=listener)["Configuration"]["FunctionArn"]
    answer = events.put_targets(Targets=[{"Id": "function", "Arn": function}], **rule)
    assert answer["FailedEntryCount"] == 0, answer["FailedEntries"]


def _wait(waiter: Any, **arguments: Any) -> None:
    waiter.wait(WaiterConfig=_WAITER, **arguments)


def _tags(plan: Plan) -> list[dict[str, str]]:
    return [{"Key": PREFIX.rstrip("-"), "Value": plan.prefix}]
