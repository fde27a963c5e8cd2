"""Whose account, in which region, and with which role for the functions."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from boto3 import Session  # type: ignore[import-untyped]

from cloud_tests.aws.policies import ROLE, of_functions, trust
from cloud_tests.options import Refused

ROLE_VARIABLE: Final = "LEEWARD_TEST_AWS_ROLE"

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")

_REGIONS: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")


class Account(NamedTuple):
    """Where resources are created.

    Attributes:
        number: twelve digits.
        region: such as ``us-east-1``.
        role: the ARN of the functions' role.
        session: of boto3, on the credentials that boto3 finds.
    """

    number: str
    region: str
    role: str
    session: Any

    def client(self, service: str) -> Any:
        """Return a client of boto3; closing it is the caller's."""
        return self.session.client(service)


def check(env: Mapping[str, str]) -> None:
    """Find what is missing in `env`, without asking AWS.

    Raises:
        Refused: no role, or no region.
    """
    if not _ROLE.fullmatch(env.get(ROLE_VARIABLE, "")):
        raise Refused(f"{ROLE_VARIABLE} must be the ARN of a role for Lambda.\n{_recipe()}")
    if not any(env.get(each) for each in _REGIONS):
        raise Refused("AWS_REGION must name the region to create resources in, such as us-east-1")


def open_account(env: Mapping[str, str] = os.environ) -> Account:
    """Ask AWS whose credentials these are.

    Raises:
        Refused: as of `check`, or the role is in another account.
        botocore's errors: there are no credentials, or they are not good.
    """
    check(env)
    region = next(env[each] for each in _REGIONS if env.get(each))
    session = Session(region_name=region)
    sts = session.client("sts")
    try:
        number: str = sts.get_caller_identity()["Account"]
    finally:
        sts.close()
    role = env[ROLE_VARIABLE]
    if f":{number}:" not in role:
        raise Refused(f"{ROLE_VARIABLE} is a role of another account; these credentials: {number}")
    return Account(number, region, role, session)


def _recipe() -> str:
    """Return how to make the role, with commands of AWS's own command line."""
    account = "<account>"
    return (
        "To make one that may do what the functions need and no more:\n\n"
        f"  aws iam create-role --role-name {ROLE} \\\n"
        f"    --assume-role-policy-document '{json.dumps(trust())}'\n"
        f"  aws iam put-role-policy --role-name {ROLE} --policy-name {ROLE} \\\n"
        f"    --policy-document '{json.dumps(of_functions(account))}'\n"
        f"  export {ROLE_VARIABLE}=arn:aws:iam::{account}:role/{ROLE}\n\n"
        "with the account's number for <account>."
    )
