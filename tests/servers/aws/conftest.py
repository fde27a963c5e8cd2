"""AWS and its single servers, started once for each process that runs tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest

from tests.servers.aws.clients import client
from tests.servers.aws.function import Function
from tests.servers.aws.invoke_api import Place
from tests.servers.aws.lambda_server import LambdaServer
from tests.servers.aws.ministack import ACCOUNT
from tests.servers.aws.moto import Moto
from tests.servers.loopback import PATIENCE

REGION: Final = "eu-west-1"

ODD: Final = ("context", "leave", "die", "large", "sleep", "unprintable")


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """Give moto."""
    with Moto() as server:
        yield server


@pytest.fixture(scope="session")
def functions() -> Iterator[LambdaServer]:
    """Give Lambda with the odd functions, and room for more."""
    with LambdaServer(Place(ACCOUNT, REGION)) as server:
        server.deploy(*(Function(each, f"odd.{each}", PATIENCE) for each in ODD))
        yield server


@pytest.fixture(scope="session")
def caller(functions: LambdaServer) -> Iterator[Any]:
    """Give boto3's client of it, without any retry."""
    with closing(client("lambda", functions.url, REGION)) as lambda_client:
        yield lambda_client
