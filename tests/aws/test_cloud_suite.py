"""`make test-cloud`, with ministack in the place of AWS.

What ministack cannot stand in for: time that passes until a rule, a role or a table is in force;
delivery that comes late, twice or in another order; quotas, throttling and cold starts; Lambda's
own runtime (functions run on ministack's Python); and permissions by name, where `BEYOND` says so.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from cloud_tests.aws.account import check
from cloud_tests.aws.plan import TABLES
from cloud_tests.aws.policies import of_functions, of_tests, trust
from cloud_tests.options import Refused, check_price, requested_cloud
from leeward_contract_tests.rows import each_row
from tests.docs.test_pages import DOCS, ROOT, blocks
from tests.packages.wheels import HERE, make_wheels, repacked
from tests.servers.aws.clients import client
from tests.servers.aws.keys import AccessKey, make_key
from tests.servers.aws.ministack import ACCOUNT, Ministack

PATIENCE = 280.0
"""Seconds: what pytest gives a test, less a few."""

PLACE = {"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true"}

ASKED = {"LEEWARD_TEST_CLOUD": "aws", "LEEWARD_TEST_USD": "1"}

ROLE = {"LEEWARD_TEST_AWS_ROLE": f"arn:aws:iam::{ACCOUNT}:role/leeward-test"}

BEYOND = {
    "Effect": "Allow",
    "Action": [
        "lambda:CreateFunction",
        "lambda:UpdateFunctionCode",  # for which it takes PutFunctionEventInvokeConfig
        *(f"events:{each}EventBus" for each in ("Create", "Describe", "Delete")),
    ],
    "Resource": "*",
}
"""Where ministack looks at no name: it permits these on everything, or not at all."""

SUITE = ("-m", "cloud_tests")
ONCE = (*SUITE, "-k", "not (Awaited or every or own_answers or odd or many)")
"""Who awaits, asks for much, or from many threads, needs the same permissions, and no others.
tests/contract does all of it, over the same server."""
ONE_TEST = (*SUITE, "-k", "TestAws and test_the_target_has_a_name")


class Stage:
    """An account, and a user in it who may do what the page says and no more."""

    def __init__(self, stack: ExitStack, packages: dict[str, str]) -> None:
        self._stack, self._packages = stack, packages
        self.ministack = stack.enter_context(Ministack())
        iam = self.client("iam")
        name, mine = "leeward-test", json.dumps(of_functions(ACCOUNT))
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust()))
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=mine)
        policy = of_tests(ACCOUNT, *ROLE.values())
        policy["Statement"].append(BEYOND)
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(policy))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        self._key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"])

    def client(self, service: str) -> Any:
        made = client(service, self.ministack.url, PLACE["AWS_REGION"])
        return self._stack.enter_context(closing(made))

    def env(self, *actions: str) -> dict[str, str]:
        """Give the variables that lead here, for the user of the page or one who may do less."""
        key = make_key(self.ministack, *actions) if actions else self._key
        endpoint = {"AWS_ENDPOINT_URL": self.ministack.url}
        return {**ASKED, **ROLE, **PLACE, **self._packages, **key.env, **endpoint}

    def left(self) -> list[str]:
        """Give the names of everything that is in the account."""
        buses = self.client("events").list_event_buses()["EventBuses"]
        functions = self.client("lambda").list_functions()["Functions"]
        groups = self.client("logs").describe_log_groups()["logGroups"]
        return [
            *self.client("dynamodb").list_tables()["TableNames"],
            *(each["FunctionName"] for each in functions),
            *(each["Name"] for each in buses if each["Name"] != "default"),
            *(each["logGroupName"] for each in groups),
        ]


def packed_here(out: Path) -> dict[str, str]:
    """Make the wheels of packages; return the variables that lead to them alone."""
    make_wheels(out)
    # Lambda's Python 3.11 has an older glibc than pycurl's wheel is for; here both are the same.
    own = Path(sys.prefix) / f"lib/python{HERE}/site-packages"
    repacked(own, {"pycurl"}, out, "manylinux2014_x86_64")
    return {"LEEWARD_TEST_WHEELS": str(out), "LEEWARD_TEST_PYTHON": HERE}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack, packed_here(tmp_path_factory.mktemp("wheels")))


def begun(arguments: tuple[str, ...], env: dict[str, str]) -> subprocess.Popen[str]:
    """Start Python with nothing of this process's environment."""
    common = {"PATH": os.environ["PATH"], "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=common | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(arguments: tuple[str, ...], env: dict[str, str]) -> tuple[int, str]:
    """Run it to its end; give the status and all that it said."""
    with begun(arguments, env) as process:
        try:
            said, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return process.returncode, said


def test_the_suite_passes_and_leaves_nothing(stage: Stage) -> None:
    """With the permissions of the page each contract is kept, and everything is removed."""
    status, said = run(ONCE, stage.env())
    assert status == 0, said
    assert re.search(r"^=+ \d{2} passed", said, re.MULTILINE), said
    assert stage.left() == []


def test_what_cannot_be_removed_is_named(stage: Stage) -> None:
    """The run fails and says what to remove by hand; everything else goes all the same."""
    allowed = ("lambda:*", "logs:*", "iam:*", "events:*", "dynamodb:CreateTable", "dynamodb:Desc*")
    status, said = run(ONE_TEST, stage.env(*allowed))
    left = stage.left()
    for table in left:
        stage.client("dynamodb").delete_table(TableName=table)
    assert (status, len(left)) == (1, len(TABLES)), said
    assert [each for each in left if f"could not remove table {each}:" not in said] == []
    assert "remove by hand: table" in said


@each_row(
    "env, reason",
    {
        "no price": (ASKED | {"LEEWARD_TEST_USD": "0.5"}, "to agree, set LEEWARD_TEST_USD=1"),
        "unknown cloud": ({"LEEWARD_TEST_CLOUD": "oz"}, "there are no tests for 'oz'"),
        "no role": (ASKED | PLACE, "aws iam put-role-policy --role-name leeward-test"),
        "no ARN": (ASKED | PLACE | {"LEEWARD_TEST_AWS_ROLE": "admin"}, "ARN of a role for Lambda"),
    },
)
def test_the_remedy_is_named(env: dict[str, str], reason: str) -> None:
    """The runs above make these checks before they begin a test."""
    with pytest.raises(Refused, match=reason):
        raise_what_is_missing(env)


def raise_what_is_missing(env: dict[str, str]) -> None:
    """Make the checks, as cloud_tests/conftest.py does."""
    check_price(requested_cloud(env), env)
    check(env)


@pytest.mark.threat("S20")
def test_the_page_shows_the_policies_that_are_enough() -> None:
    """What one copies from the page are the policies that the tests above were run with."""
    account = "111122223333"
    role = f"arn:aws:iam::{account}:role/leeward-test"
    shown = [json.loads(each) for each in blocks(DOCS / "aws.md", "json")]
    assert shown[-2:] == [of_functions(account), of_tests(account, role)]
