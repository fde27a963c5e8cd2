"""Real clouds, started once for each process that runs tests; their functions share a memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from leeward.adapter import Driver, TargetConfig
from leeward.registry import open_target
from leeward.testing import FaultyDriver
from leeward_contract_tests import faults_of
from tests.contract.memory import Memory
from tests.contract.over import Standing

if TYPE_CHECKING:
    from tests.postgres.server import Server
    from tests.postgres.working import Worker

PAYLOAD_BYTES = 8 * 1024 * 1024
"""In the place of Azure's 100 MB, which cost half a minute here, and say no more of a limit."""


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory") / "memory.sqlite3"


@pytest.fixture(scope="session")
def aws(memory: Path) -> Iterator[Standing]:
    from tests.servers.aws.cloud import REGIONS, open_clouds

    with open_clouds(REGIONS[0], memory=memory) as (cloud,):
        yield _standing(cloud, "aws", cloud.region, {}, cloud.env)


@pytest.fixture(scope="session")
def azure(memory: Path) -> Iterator[Standing]:
    from tests.servers.azure.cloud import azure_clouds

    with azure_clouds(1, memory=memory) as (cloud,):
        standing = _standing(cloud, "azure", cloud.name, cloud.options, {})

        def opened() -> Driver:
            driver = standing.open()
            driver.limits = driver.limits._replace(payload_bytes=PAYLOAD_BYTES)
            return driver

        yield standing._replace(open=opened)


@pytest.fixture(scope="session")
def google(memory: Path) -> Iterator[Standing]:
    from tests.servers.google.cloud import open_clouds

    with open_clouds(1, memory=memory) as (cloud,):
        qualifier = cloud.target.partition(":")[2]
        yield _standing(cloud, "google", qualifier, cloud.options, cloud.env)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    from tests.postgres.opening import open_server

    with open_server() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: Server) -> Standing:
    from leeward_postgres.driver import open_driver
    from tests.postgres.opening import config_for

    driver = FaultyDriver(open_driver(config_for(postgres_server.url)))
    return Standing(lambda: driver, faults_of(driver))


@pytest.fixture
def worker(postgres_server: Server, memory: Path) -> Iterator[Worker]:
    """Run what is queued at PostgreSQL, with the memory of the others."""
    from leeward_postgres.driver import open_driver
    from tests.postgres.opening import config_for
    from tests.postgres.working import Worker

    local = Memory(memory).cloud()
    bus: Any = local.native("events")
    functions: Any = local.native("functions")
    (subscription,) = bus.subscriptions
    with (
        closing(local),
        closing(open_driver(config_for(postgres_server.url))) as driver,
        closing(Worker(driver, functions, subscription.function)) as worker,
    ):
        yield worker


@pytest.fixture
def local(memory: Path) -> Standing:
    driver = FaultyDriver(Memory(memory).cloud())
    return Standing(lambda: driver, faults_of(driver))


def _standing(
    cloud: Any, provider: str, qualifier: str, options: dict[str, str], env: dict[str, str]
) -> Standing:
    config = TargetConfig(cloud.target, provider, qualifier, options, env)
    return Standing(lambda: open_target(config), cloud.faults())
