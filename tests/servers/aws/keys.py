"""Access keys on ministack: those of IAM users, whose signatures it checks.

It checks none of the key test / test, nor of one that is an account's number: these are good for
setting things up, and for nothing that tests a signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple
from uuid import uuid4

from tests.servers.aws.clients import client
from tests.servers.aws.ministack import Ministack


class AccessKey(NamedTuple):
    """An access key of a user."""

    name: str
    secret: str

    @property
    def env(self) -> dict[str, str]:
        """Give the variables that hold it."""
        return {"AWS_ACCESS_KEY_ID": self.name, "AWS_SECRET_ACCESS_KEY": self.secret}


def make_key(ministack: Ministack, *actions: str) -> AccessKey:
    """Make a user who may do some things, on everything, and give its key.

    Args:
        ministack: in whose one account, for all regions.
        actions: as policies name them: ``events:PutEvents``, ``dynamodb:*``, ``*``.
    """
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return key_with(ministack, {"Version": "2012-10-17", "Statement": [statement]})


def key_with(ministack: Ministack, document: Mapping[str, Any]) -> AccessKey:
    """Make a user with a policy, and give its key."""
    user, policy = uuid4().hex, json.dumps(document)
    with closing(client("iam", ministack.url, "us-east-1")) as iam:
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=policy)
        made = iam.create_access_key(UserName=user)["AccessKey"]
    return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
