"""AWS as the contract needs it: its functions, its bus and its tables, behind fault proxies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from leeward_contract_tests import Faults, contract_workflow
from leeward_contract_tests.fixtures import (
    BUCKET,
    COUNT,
    ECHO,
    EVENTS,
    FAIL,
    ITEMS,
    PAIR,
    PAIRS,
    SEEN,
    SETTLE,
    SLOW,
    WORKFLOW,
)
from leeward_deploy.aws.flows.export import export
from tests.servers.aws.clients import client
from tests.servers.aws.faults import ProxyFaults
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.keys import AccessKey, make_key
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.aws.ministack import ACCOUNT, Ministack
from tests.servers.aws.signatures import Key
from tests.servers.certificates import Authority
from tests.servers.faultproxy import FaultProxy

REGIONS: Final = ("us-east-1", "us-west-2", "eu-central-1")

_FUNCTIONS: Final = {
    ECHO: "echo",
    FAIL: "fail",
    SLOW: "slow",
    COUNT: "count",
    SEEN: "seen",
    SETTLE: "settle",
}

_TABLES: Final[Mapping[str, Sequence[str]]] = {ITEMS: ("id",), PAIRS: PAIR}

_VARIABLES: Final = {
    "lambda": "LAMBDA",
    "events": "EVENTBRIDGE",
    "dynamodb": "DYNAMODB",
    "s3": "S3",
    "stepfunctions": "SFN",
}
"""Services as boto3 names them, and as AWS's variables name them."""

_TIMEOUT: Final = 60.0
"""What a function may take, in seconds: more than any test waits for."""


class _Ground(NamedTuple):
    """What clouds stand on together; `keys` are those that Lambda knows."""

    ministack: Ministack
    key: AccessKey
    keys: dict[str, Key]
    tls: Authority | None
    ca_bundle: Path | None
    stack: ExitStack


class AwsCloud:
    """One region of AWS.

    Attributes:
        region: such as ``us-east-1``.
        functions: Lambda, to deploy more functions and to see what has run.
        ministack: everything else. It is shared by the clouds that were opened together, and
            wiping it takes what the contract needs.
        proxies: what stands before each service, by boto3's name of it.
        key: of a user who may do anything.
    """

    def __init__(
        self,
        region: str,
        functions: LambdaServer,
        proxies: Mapping[str, FaultProxy],
        ground: _Ground,
    ) -> None:
        self.region = region
        self.functions = functions
        self.ministack = ground.ministack
        self.proxies = proxies
        self.key = ground.key
        self._ground = ground
        self.boto3 = cache(self._client)

    @property
    def target(self) -> str:
        """Give the name of this cloud as a target of leeward."""
        return f"aws:{self.region}"

    @property
    def env(self) -> dict[str, str]:
        """Give the variables that lead leeward, or any tool for AWS, here: through the proxies."""
        found = {
            **self.key.env,
            "AWS_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        for service, proxy in self.proxies.items():
            found[f"AWS_ENDPOINT_URL_{_VARIABLES[service]}"] = proxy.url
        if self._ground.ca_bundle:
            found["AWS_CA_BUNDLE"] = str(self._ground.ca_bundle)
        return found

    @property
    def options(self) -> dict[str, str]:
        """Give the options of a target that lead here; keys still come from `env`."""
        found = {"region": self.region}
        for service, proxy in self.proxies.items():
            found[f"endpoint_url_{_VARIABLES[service].lower()}"] = proxy.url
        if self._ground.ca_bundle:
            found["ca_bundle"] = str(self._ground.ca_bundle)
        return found

    def faults(self) -> Faults:
        """Give the contract's faults, for all services."""
        return ProxyFaults(self.proxies)

    def _client(self, service: str, *, proxied: bool = False) -> Any:
        """Give boto3's client of a service; the same one every time.

        Args:
            service: boto3's name of it.
            proxied: whether it goes through the proxy.
        """
        if proxied:
            url = self.proxies[service].url
        else:
            url = self.functions.url if service == "lambda" else self.ministack.url
        made = client(service, url, self.region, *self.key, self._ground.ca_bundle)
        return self._ground.stack.enter_context(closing(made))

    def make_key(self, *actions: str) -> AccessKey:
        """Make a key that is good for some actions only, in every cloud opened with this one.

        The Lambda server knows it then, but looks at no permission.

        Args:
            actions: as policies name them, such as ``events:PutEvents``.
        """
        key = make_key(self.ministack, *actions)
        self._ground.keys[key.name] = Key(key.secret)
        return key


def faults_of(*clouds: AwsCloud) -> Faults:
    """Give the faults of several clouds at once."""
    return ProxyFaults(*(cloud.proxies for cloud in clouds))


@contextmanager
def open_clouds(
    *regions: str, tls: Authority | None = None, memory: Path | None = None
) -> Iterator[tuple[AwsCloud, ...]]:
    """Open one cloud for each of `regions`; their functions share what they remember.

    Args:
        regions: none of them twice.
        tls: whose certificates the proxies show; None for plain HTTP.
        memory: the file in which they remember it; another cloud's functions may share it.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        ground = _ground(folder, tls, stack)
        clouds = tuple(_opened(region, ground) for region in regions)
        queues = [_furnished(cloud) for cloud in clouds]
        for cloud in clouds:
            _deploy(cloud, memory or folder / "memory", queues)
        yield clouds


def _ground(folder: Path, tls: Authority | None, stack: ExitStack) -> _Ground:
    ministack = stack.enter_context(Ministack())
    key = make_key(ministack, "*")
    bundle = None
    if tls:
        bundle = folder / "ca.pem"
        bundle.write_bytes(tls.pem)
    return _Ground(ministack, key, {key.name: Key(key.secret)}, tls, bundle, stack)


def _opened(region: str, ground: _Ground) -> AwsCloud:
    enter = ground.stack.enter_context
    functions = enter(LambdaServer(Place(ACCOUNT, region), ground.keys))
    upstreams = {
        "lambda": functions.address,
        "events": ground.ministack.address,
        "dynamodb": ground.ministack.address,
        "s3": ground.ministack.address,
        "stepfunctions": ground.ministack.address,
    }
    proxies = {name: enter(FaultProxy(where, ground.tls)) for name, where in upstreams.items()}
    return AwsCloud(region, functions, proxies, ground)


def _furnished(cloud: AwsCloud) -> dict[str, str]:
    """Make all but the functions: also a queue that gets the bus's events; give the queue."""
    for table, key in _TABLES.items():
        cloud.boto3("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in key],
            KeySchema=[
                {"AttributeName": each, "KeyType": kind}
                for each, kind in zip(key, ("HASH", "RANGE"), strict=False)
            ],
        )
    elsewhere = {} if cloud.region == "us-east-1" else {"LocationConstraint": cloud.region}
    place = {"CreateBucketConfiguration": elsewhere} if elsewhere else {}
    cloud.boto3("s3").create_bucket(Bucket=BUCKET, **place)
    events = cloud.boto3("events")
    events.create_event_bus(Name=EVENTS)
    everything = json.dumps({"source": [{"prefix": ""}]})
    events.put_rule(Name=EVENTS, EventBusName=EVENTS, EventPattern=everything)
    _deploy_workflow(cloud)
    queue = cloud.boto3("sqs").create_queue(QueueName=EVENTS)["QueueUrl"]
    arn = f"arn:aws:sqs:{cloud.region}:{ACCOUNT}:{EVENTS}"
    events.put_targets(Rule=EVENTS, EventBusName=EVENTS, Targets=[{"Id": "queue", "Arn": arn}])
    return {"region": cloud.region, "url": queue}


def _deploy_workflow(cloud: AwsCloud) -> None:
    (machine,) = export(contract_workflow(), {}).files.values()
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = cloud.boto3("iam").create_role(
        RoleName=f"engine-{cloud.region}", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    cloud.boto3("stepfunctions").create_state_machine(
        name=WORKFLOW, definition=machine, roleArn=role
    )


def _deploy(cloud: AwsCloud, memory: Path, queues: Sequence[Mapping[str, str]]) -> None:
    environment = {"MEMORY": str(memory), "QUEUES": json.dumps(queues)}
    cloud.functions.deploy(
        *(
            Function(name, f"contract.{handler}", _TIMEOUT, environment=environment)
            for name, handler in _FUNCTIONS.items()
        )
    )
