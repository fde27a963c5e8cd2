"""Names of a template, and what a handler may do on AWS: what ``leeward.toml`` names, and its own.

Names are logical ids, and what AWS calls the functions of an app. Its own are its log and queues.

Source: the tables of actions in the service authorization reference; docs/aws.md, "Permissions".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from leeward.app.kit import Handler
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_deploy.needs import ORDERED
from leeward_deploy.recipe import Declared, PackageSpec, Rights, Site

Json = dict[str, Any]

LOGS: Final = ["logs:CreateLogStream", "logs:PutLogEvents"]
TRACES: Final = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
TABLE: Final = ("GetItem", "PutItem", "DeleteItem", "Query")
ON_TABLES: Final = {
    "reads": {"GetItem", "Query"},
    "stores": {"GetItem", "PutItem"},
    "removes": {"GetItem", "DeleteItem"},
    "writes": {*TABLE},
}
"""Actions by rights; after a lost answer an item is looked at."""
BUS: Final = ["events:PutEvents", "events:DescribeEventBus"]
PUTS: Final = ["s3:GetObject", "s3:PutObject"]
PUT: Final = ["sqs:SendMessage", "sqs:GetQueueUrl"]
RECEIVE: Final = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
"""What Lambda does with a queue in the name of the function."""

BOUNDARY: Final = "PermissionsBoundary"
"""The parameter with the policy that bounds every role."""

HAS_BOUNDARY: Final = "HasPermissionsBoundary"

DEFAULT_BUS: Final = "default"
"""The bus that every account has."""


def arn(service: str, resource: str, region: str = "${AWS::Region}") -> Json:
    """Return the ARN of something in the account, in the region of the stack or another one."""
    place = f"{region}:${{AWS::AccountId}}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}


def arn_for(service: str, kind: str, name: str, homes: Mapping[str, str] = NOTHING) -> Json | str:
    """Return the ARN of what ``leeward.toml`` names: there, too, it may be an ARN."""
    if name.startswith("arn:"):
        return name
    return arn(service, f"{kind}{name}", homes.get(name) or "${AWS::Region}")


def resource(type: str, /, **properties: Any) -> Json:
    """Return a resource of CloudFormation; a property that is None is left out."""
    given = {name: value for name, value in properties.items() if value is not None}
    return {"Type": f"AWS::{type}", "Properties": given}


def arn_of(id: str) -> Json:
    """Return the ARN of a resource of the same template."""
    return {"Fn::GetAtt": [id, "Arn"]}


def may_invoke(id: str, service: str, source: Json, account: Json | None = None) -> Json:
    """Return what lets a service call the function `id` for one source."""
    return resource(
        "Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName={"Ref": id},
        Principal=service,
        SourceArn=source,
        SourceAccount=account,
    )


def may_send(id: str, service: str, queue: str, condition: Json) -> Json:
    """Return the policy of the queue `id`, whose name is `queue`: a service may send to it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn(queue),
        "Condition": condition,
    }
    return resource("SQS::QueuePolicy", Queues=[{"Ref": id}], PolicyDocument=policy_of([statement]))


def policy_of(statements: list[Json]) -> Json:
    """Return a policy."""
    return {"Version": "2012-10-17", "Statement": statements}


def queue_arn(queue: str) -> Json:
    """Return the ARN of a queue."""
    return arn("sqs", queue)


def allow(actions: list[str], *resources: Json | str) -> Json:
    """Return a statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def of_app(
    rights: Rights,
    declared: Declared,
    homes: Mapping[str, str] = NOTHING,
    others: Iterable[Site] = (),
    queues: Collection[str] = (),
) -> list[Json]:
    """Return statements for what the calls of a handler need.

    Args:
        rights: what it uses.
        declared: the names of that.
        homes: the region of each table, where that is another one.
        others: further regions of the order, to which calls may fail over: a standby's begin there.
        queues: logical names of functions that are queues.
    """
    sites = (Site("${AWS::Region}", declared), *others)
    found: list[Json] = []
    used: dict[str, set[str]] = {}
    for right, own in ON_TABLES.items():
        for table in _own(_some(declared.tables, getattr(rights, right))):
            used.setdefault(table, set()).update(own)
    for allowed in sorted({tuple(each for each in TABLE if each in has) for has in used.values()}):
        tables = (each for each in sorted(used) if used[each] == {*allowed})
        arns = (arn_for("dynamodb", "table/", each, homes) for each in tables)
        found.append(allow([f"dynamodb:{each}" for each in allowed], *arns))
    if rights.publishes:
        buses = {site.region: _some(site.declared.buses, rights.publishes) for site in sites}
        found.append(allow(BUS, *_arns_of_regions("events", "event-bus/", buses)))
    for service, kind, actions, names in (
        ("lambda", "function:", ["lambda:InvokeFunction"], rights.calls.difference(queues)),
        ("sqs", "", PUT, rights.calls.intersection(queues)),
    ):
        if names:
            called = {site.region: {n: site.declared.own(n) for n in names} for site in sites}
            found.append(allow(actions, *_arns_of_regions(service, kind, called)))
    if rights.starts:
        found += _of_runs(
            {site.region: {n: _machine(site.declared, n) for n in rights.starts} for site in sites}
        )
    return [*found, *_of_objects(rights, declared)]


def _machine(declared: Declared, name: str) -> str:
    return declared.workflows.get(name) or declared.usual(name)


def _some(names: Mapping[str, str], wanted: Collection[str]) -> dict[str, str]:
    return {name: own for name, own in names.items() if name in wanted}


def _of_objects(rights: Rights, declared: Declared) -> Iterator[Json]:
    """Yield statements for objects: to look for them, to read, to write and to delete them."""
    own = _some(declared.buckets, rights.gets | rights.puts | rights.deletes)
    if own:
        yield allow(["s3:ListBucket"], *(_bucket_arn(each) for each in _own(own)))
    for actions, names in (
        (["s3:GetObject"], rights.gets - rights.puts),
        (PUTS, rights.puts),
        (["s3:DeleteObject"], rights.deletes),
    ):
        objects = _own(_some(declared.buckets, names))
        if objects:
            yield allow(actions, *(_bucket_arn(f"{each}/*") for each in objects))


def _bucket_arn(path: str) -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{path}"}


def _of_runs(workflows: Mapping[str, Mapping[str, str]]) -> Iterator[Json]:
    """Yield statements for the runs of workflows, by region: to start, look at and abort them."""
    machines = _arns_of_regions("states", "stateMachine:", workflows)
    yield allow(["states:StartExecution"], *machines)
    runs = [
        {"Fn::Sub": f"{machine['Fn::Sub'].replace(':stateMachine:', ':execution:')}:*"}
        if isinstance(machine, dict)
        else f"{machine.replace(':stateMachine:', ':execution:')}:*"
        for machine in machines
    ]
    yield allow(["states:DescribeExecution", "states:StopExecution"], *runs)
    # By its name, a machine is looked for among all of a region.
    for region, there in workflows.items():
        if not all(each.startswith("arn:") for each in there.values()):
            yield allow(["states:ListStateMachines"], arn("states", "stateMachine:*", region))


def _arns_of_regions(
    service: str, kind: str, names: Mapping[str, Mapping[str, str]]
) -> list[Json | str]:
    """Return the ARNs of what regions name, each once: there, too, it may be an ARN."""
    found: list[Json | str] = []
    for region, there in names.items():
        arns = (arn_for(service, kind, each, {each: region}) for each in _own(there))
        found += [each for each in arns if each not in found]
    return found


def function_role(function: str, statements: list[Json], *, traces: bool) -> Json:
    """Return the role of a function, which may write its own log besides, and traces.

    X-Ray knows no right that is narrower than everything.
    """
    logs = allow(LOGS, arn("logs", f"log-group:/aws/lambda/{function}:*"))
    more = [allow(TRACES, "*")] if traces else []
    return role("lambda.amazonaws.com", [logs, *more, *statements])


def role(
    service: str | list[str],
    statements: list[Json],
    *,
    of_account: bool = False,
    bounded: bool = True,
) -> Json:
    """Return a role that a service of AWS takes on, or each of some.

    Args:
        service: such as ``lambda.amazonaws.com``.
        statements: what it may do.
        of_account: only in the name of this account.
        bounded: by the policy that the parameter `BOUNDARY` names, if it is given.
    """
    trust: Json = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if of_account:
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    boundary = {"Fn::If": [HAS_BOUNDARY, {"Ref": BOUNDARY}, {"Ref": "AWS::NoValue"}]}
    return resource(
        "IAM::Role",
        PermissionsBoundary=boundary if bounded else None,
        AssumeRolePolicyDocument=policy_of([trust]),
        Policies=[{"PolicyName": "leeward", "PolicyDocument": policy_of(statements)}],
    )


def _own(names: Any) -> list[str]:
    return sorted(set(names.values()))


def own_name(spec: PackageSpec, handler: Handler) -> str:
    """Return the name of a handler's function: that by which clients call it.

    They may know it by an ARN, and by one of its versions or aliases.
    """
    known = spec.declared.own(handler.name)
    return known.rpartition(":function:")[2].partition(":")[0]


def bus_id(bus: str) -> str:
    """Return the logical id of a bus."""
    return f"{logical(bus)}Bus"


def logical(name: str) -> str:
    """Return the logical id of something: letters and digits."""
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words)


def check_names(resources: Mapping[str, Any]) -> None:
    """Check that no two functions or queues have one name, which an apply would make one.

    Raises:
        ConfigError: two have.
    """
    known: dict[tuple[str, str], str] = {}
    for id, each in resources.items():
        properties = each["Properties"]
        name = properties.get("QueueName") or properties.get("FunctionName")
        if isinstance(name, str) and known.setdefault((each["Type"], name), id) != id:
            raise ConfigError(
                f"{known[each['Type'], name]} and {id} would both be {name!r}; give one of them "
                "another name, in the app, in dead_letters of the entry file, or in leeward.toml"
            )


def check_order(dead: str, *, ordered: bool, told: str) -> None:
    """Check that a dead-letter queue is of the same kind as what it is for: SQS takes no other.

    Args:
        dead: its name.
        ordered: what it is for keeps an order.
        told: what that is, for the message.

    Raises:
        ConfigError: one of them keeps an order, and the other does not.
    """
    if dead.endswith(ORDERED) != ordered:
        no, how = ("an", "with") if ordered else ("no", "without")
        raise ConfigError(
            f"{told} {no} order, and so must the queue of its dead letters, {dead!r}; name one "
            f"{how} {ORDERED} at its end in dead_letters of the entry file"
        )
