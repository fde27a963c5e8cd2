"""Tables of real stores for the rounds of `stores.py`: a client for threads, and one for tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from leeward.adapter import Driver, TargetConfig
from leeward.local import Local
from leeward.registry import open_target

OpenDriver = Callable[[], Driver]

REGION: Final = "us-east-1"
TABLE: Final = "keys"


@contextmanager
def sqlite() -> Iterator[OpenDriver]:
    """SQLite, in a file that both clients share."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "keys.sqlite3")
        yield lambda: Local("local:keys", path=path)


@contextmanager
def ministack() -> Iterator[OpenDriver]:
    """DynamoDB as ministack has it."""
    from tests.servers.aws.keys import make_key
    from tests.servers.aws.ministack import Ministack

    with Ministack() as server:
        key = make_key(server, "*")
        yield _dynamodb(server.url, key.env)


@contextmanager
def moto() -> Iterator[OpenDriver]:
    """DynamoDB as moto has it, where one thing happens at a time."""
    from tests.servers.aws.moto import AtomicMoto

    with AtomicMoto() as server:
        key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        yield _dynamodb(server.url, key)


def _dynamodb(url: str, key: Mapping[str, str]) -> OpenDriver:
    from tests.servers.aws.clients import client

    name, secret = key.values()
    dynamodb = client("dynamodb", url, REGION, name, secret)
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    dynamodb.close()
    env = {**key, "AWS_ENDPOINT_URL_DYNAMODB": url, "AWS_EC2_METADATA_DISABLED": "true"}
    return lambda: open_target(TargetConfig("aws:keys", "aws", REGION, {}, env))


@contextmanager
def cosmos() -> Iterator[OpenDriver]:
    """Cosmos DB as the server of the tests has it."""
    from tests.servers.azure.cloud import azure_clouds

    with azure_clouds(1, paths={TABLE: ("/id",)}) as (cloud,):
        options = {**cloud.options, "cosmos_endpoint": cloud.cosmos.url}  # past the proxy
        config = TargetConfig(cloud.target, "azure", cloud.name, options, {})
        yield lambda: open_target(config)


@contextmanager
def firestore() -> Iterator[OpenDriver]:
    """Firestore as the server of the tests has it."""
    from tests.servers.google.cloud import open_clouds

    with open_clouds(1) as (cloud,):
        qualifier = cloud.target.partition(":")[2]
        url = "http://{}:{}".format(*cloud.firestore.address)
        options = {**cloud.options, "firestore_endpoint": url}  # past the proxy
        config = TargetConfig(cloud.target, "google", qualifier, options, cloud.env)
        yield lambda: open_target(config)


@contextmanager
def postgres() -> Iterator[OpenDriver]:
    """A real PostgreSQL."""
    import psycopg

    from leeward_postgres.schema import schema_sql
    from tests.postgres.opening import config_for
    from tests.postgres.server import Server

    server = Server()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(schema_sql("leeward").encode())
        yield lambda: open_target(config_for(server.url))
    finally:
        server.stop()


STORES: Final[Mapping[str, Callable[[], AbstractContextManager[Any]]]] = {
    "sqlite": sqlite,
    "ministack": ministack,
    "moto": moto,
    "cosmos": cosmos,
    "firestore": firestore,
    "postgres": postgres,
}
