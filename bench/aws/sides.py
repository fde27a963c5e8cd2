"""How each side gets to the stand-in for AWS."""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

from boto3.session import Session  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]

from bench.cloud import WIDEST, Cloud
from bench.work import TABLE
from leeward import AsyncClient, Client

REGION = "us-east-1"


def environment(cloud: Cloud, url: str) -> dict[str, str]:
    """Return the variables by which either side, in a process of its own too, finds `url`."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_CA_BUNDLE": cloud.ca_file,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def client(cloud: Cloud, url: str) -> Client:
    """Open leeward on `url`."""
    with mock.patch.dict(os.environ, environment(cloud, url)):
        return Client(f"aws:{REGION}")


def async_client(cloud: Cloud, url: str) -> AsyncClient:
    """Open leeward on `url`, to be awaited."""
    with mock.patch.dict(os.environ, environment(cloud, url)):
        return AsyncClient(f"aws:{REGION}")


def boto3_client(cloud: Cloud, url: str, service: str) -> Any:
    """Open boto3's client of `service` on `url`, with room for `WIDEST` connections."""
    with mock.patch.dict(os.environ, environment(cloud, url)):
        return Session().client(service, config=Config(max_pool_connections=WIDEST))


def boto3_table(cloud: Cloud, url: str) -> Any:
    """Open boto3's resource of the table on `url`."""
    with mock.patch.dict(os.environ, environment(cloud, url)):
        return Session().resource("dynamodb").Table(TABLE)
