"""The programs of the migration pages, before and after, where an answer is lost.

The servers are real ones: Lambda's own runtime client behind its Invoke API, DynamoDB and SQS of
ministack, and a bank behind a proxy that loses its first answer after the money has moved.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import pytest

from tests.house.workspace import ROOT
from tests.servers.answering import Answer, AnsweringServer, Executed
from tests.servers.aws.clients import client
from tests.servers.aws.direct import DirectLambda, Invoked, event_of
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.aws.ministack import ACCOUNT, Ministack
from tests.servers.deploying import deploy, with_wire
from tests.servers.faultproxy.proxy import FaultProxy
from tests.servers.faultproxy.toxics import answer_lost, refuse
from tests.servers.installed import executable

pytestmark = pytest.mark.vendors

PROGRAMS: Final = ROOT / "examples/migrations"
REGION: Final = "us-east-1"
ORDER: Final = {"id": "42", "cents": 990}
UNKNOWN: Final = "look at the bank before you charge again: 42\n"
AWS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def receipt(request: Executed) -> Answer:
    """Answer as the bank does."""
    paid = json.loads(request.body).get("order", "42")
    return Answer(200, (("Content-Type", "application/json"),), json.dumps({"paid": paid}).encode())


class Bank:
    """A bank, and what stands before it.

    Args:
        stack: closes both.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._server = stack.enter_context(AnsweringServer(receipt))
        self.proxy = stack.enter_context(FaultProxy(self._server.address))

    @property
    def payments(self) -> int:
        """Return how often money has moved."""
        return self._server.count


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Close what a test has opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bank(stack: ExitStack) -> Bank:
    """Give a bank whose first answer is lost, after the money has moved."""
    bank = Bank(stack)
    bank.proxy.inject(answer_lost(), times=1)
    return bank


def run(program: str, environment: Mapping[str, str]) -> str:
    """Run a program for one order; return what it has printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, PROGRAMS / program, "42"],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("program", "payments", "printed"),
    [("before", 2, "{'paid': '42'}\n"), ("after", 1, UNKNOWN)],
)
def test_from_boto3(
    tmp_path: Path, stack: ExitStack, program: str, payments: int, printed: str
) -> None:
    """boto3 calls the function again, because a lost answer looks like a lost request."""
    (tmp_path / "charging.py").write_text(
        "import time\n\ndef charge(order, context):\n    return {'paid': order['id']}\n"
    )
    functions = stack.enter_context(LambdaServer(Place(ACCOUNT, REGION)))
    functions.deploy(Function("charge", "charging.charge", code=tmp_path))
    proxy = stack.enter_context(FaultProxy(functions.address))
    proxy.inject(answer_lost(), times=1)
    assert run(f"boto3/{program}.py", {**AWS, "AWS_ENDPOINT_URL": proxy.url}) == printed
    assert len(functions.begun) == payments


@pytest.mark.parametrize(
    ("program", "payments", "printed"),
    [("before", 2, "{'paid': '42'}\n"), ("after", 1, UNKNOWN)],
)
def test_from_tenacity_and_a_loop(
    stack: ExitStack, bank: Bank, program: str, payments: int, printed: str
) -> None:
    """The loop tries the next place, because it cannot tell what the first one has done."""
    other = Bank(stack)
    places = {"EUROPE": bank.proxy.url, "AMERICA": other.proxy.url}
    assert run(f"tenacity/{program}.py", places) == printed
    assert bank.payments + other.payments == payments


@pytest.mark.parametrize("program", ["before", "after"])
def test_a_place_that_is_down_is_left_by_both(stack: ExitStack, program: str) -> None:
    """What is proved not to have run goes to the next place."""
    down, other = Bank(stack), Bank(stack)
    down.proxy.inject(refuse())
    places = {"EUROPE": down.proxy.url, "AMERICA": other.proxy.url}
    assert run(f"tenacity/{program}.py", places) == "{'paid': '42'}\n"
    assert (down.payments, other.payments) == (0, 1)


@pytest.fixture(scope="module")
def ministack() -> Iterator[Ministack]:
    """Give DynamoDB, with the table of the keys, and SQS."""
    with Ministack() as server:
        yield server


@pytest.fixture
def cloud(ministack: Ministack, bank: Bank) -> dict[str, str]:
    """Give the variables of a function in this cloud, with an empty table of keys."""
    ministack.wipe()
    with closing(client("dynamodb", ministack.url, REGION)) as dynamodb:
        dynamodb.create_table(
            TableName="keys",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    return {**AWS, "AWS_ENDPOINT_URL": ministack.url, "BANK": bank.proxy.url}


def packages() -> str:
    """Return where the libraries are that a program has before."""
    (found,) = executable("migrations", "python").parents[1].glob("lib/python3*/site-packages")
    return str(found)


def text_of(path: str) -> str:
    return (PROGRAMS / path).read_text(encoding="utf-8")


def deployed(folder: Path, example: str, program: str) -> tuple[Path, dict[str, str]]:
    """Deploy a function; return its folder, and further variables."""
    modules = {f"{program}.py": text_of(f"{example}/{program}.py"), "bank.py": text_of("bank.py")}
    entry = f"from {program} import lambda_handler\n"
    if program == "after":
        code = deploy(folder, "aws", modules, program)
        return with_wire(code, "aws", entry), {"CLOUD_PROVIDER": "aws"}
    folder.mkdir()
    for name, text in {**modules, "handler.py": entry}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder, {"PYTHONPATH": packages(), "POWERTOOLS_DEV": "1"}


@pytest.mark.parametrize(("program", "payments"), [("before", 2), ("after", 1)])
def test_from_powertools(
    tmp_path: Path, bank: Bank, cloud: dict[str, str], program: str, payments: int
) -> None:
    """An exception frees powertools' key, whether the money has moved or not."""
    code, more = deployed(tmp_path / "code", "powertools", program)
    with DirectLambda(code, cloud | more) as function:
        first, second = (function.invoke(ORDER, function="charge") for _ in range(2))
        assert first.error is not None
        assert bank.payments == payments, first.posted
        if program == "before":
            assert second.value == {"paid": "42"}
        else:
            assert _error_type(second) == "RepeatRefused"
            assert _error_type(function.invoke(ORDER, function="charge")) == "RepeatRefused"


def _error_type(invoked: Invoked) -> Any:
    assert invoked.error is not None, invoked.posted
    return invoked.error["errorType"]


def test_from_celery_before(tmp_path: Path, bank: Bank, cloud: dict[str, str]) -> None:
    """A task is tried again after any `OSError`, and the money moves again."""
    with closing(client("sqs", cloud["AWS_ENDPOINT_URL"], REGION)) as sqs:
        queue = sqs.create_queue(QueueName="charges")["QueueUrl"]
    for name in ("celery/before.py", "bank.py"):
        (tmp_path / Path(name).name).write_text(text_of(name), encoding="utf-8")
    python, kept = str(executable("migrations", "python")), {"PATH": os.environ["PATH"]}
    environment = {**kept, **cloud, "QUEUE": queue, "PYTHONPATH": str(tmp_path)}
    send = [python, "-c", f"from before import charge; charge.delay({ORDER!r})"]
    subprocess.run(send, env=environment, cwd=tmp_path, check=True, timeout=60)
    options = ["--pool", "solo", "--loglevel", "info", "--without-mingle", "--without-gossip"]
    worker = [python, "-u", "-m", "celery", "-A", "before", "worker", *options]
    with subprocess.Popen(
        worker, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            assert any("succeeded" in line for line in process.stderr)
        finally:
            process.kill()
    assert bank.payments == 2


def test_from_celery_after(tmp_path: Path, bank: Bank, cloud: dict[str, str]) -> None:
    """The key says that the money may have moved, so what comes again does not run."""
    code, more = deployed(tmp_path / "code", "celery", "after")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:charges"
    with ExitStack() as stack:
        sqs = stack.enter_context(closing(client("sqs", cloud["AWS_ENDPOINT_URL"], REGION)))
        queue = sqs.create_queue(QueueName="charges")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(ORDER))
        function = stack.enter_context(DirectLambda(code, cloud | more))
        for _ in range(2):
            about: dict[str, Any] = {"MessageSystemAttributeNames": ["All"], "VisibilityTimeout": 0}
            batch = sqs.receive_message(QueueUrl=queue, **about)["Messages"]
            answer = function.invoke(event_of(batch, arn)).value
            assert len(answer["batchItemFailures"]) == 1
    assert bank.payments == 1
