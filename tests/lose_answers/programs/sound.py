"""Thirty programs that send no effect twice, whatever becomes of an answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import psycopg
import requests
import stamina
import urllib3
from requests.adapters import HTTPAdapter
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed
from urllib3.util import Retry

ORDER = {"amount": 5}
again = retry(stop=stop_after_attempt(3), wait=wait_fixed(1))


def test_requests(shop: str) -> None:
    """One attempt."""
    requests.post(f"{shop}/charges", json=ORDER, timeout=20)


def test_httpx(shop: str) -> None:
    """One attempt, whose failure goes on."""
    httpx.post(f"{shop}/charges", json=ORDER).raise_for_status()


def test_aiohttp(shop: str) -> None:
    """One attempt in a task."""

    async def charge() -> None:
        async with aiohttp.ClientSession() as session:
            await session.post(f"{shop}/charges", json=ORDER)

    asyncio.run(charge())


def test_requests_adapter(shop: str) -> None:
    """An adapter that repeats, but no POST."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, backoff_factor=0.1)))
        session.post(f"{shop}/charges", json=ORDER, timeout=20)


def test_urllib3_connections_alone(shop: str) -> None:
    """urllib3 repeats what had no connection."""
    retries = Retry(connect=3, read=0, allowed_methods=None)
    with urllib3.PoolManager(retries=retries) as pool:
        pool.request("POST", f"{shop}/charges", body=b"{}", timeout=20)


def test_key(shop: str) -> None:
    """One key for all attempts."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}

    @again
    def charge() -> None:
        requests.post(f"{shop}/charges", json=ORDER, headers=headers, timeout=20)

    charge()


def test_key_tasks(shop: str) -> None:
    """One key for all attempts of a task."""

    @stamina.retry(on=httpx.HTTPError, attempts=3)
    async def charge(key: str) -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            await client.post(f"{shop}/charges", json=ORDER, headers={"Idempotency-Key": key})

    asyncio.run(charge("order-7"))


def test_token_in_the_body(shop: str) -> None:
    """The key stands in the body."""
    order = {**ORDER, "idempotency_key": str(uuid.uuid4())}
    for _ in range(3):
        with suppress(requests.RequestException):
            requests.post(f"{shop}/charges", json=order, timeout=20)
            break


def test_conditional_put(aws: Callable[..., Any]) -> None:
    """boto3 repeats a put that has a condition."""
    aws("dynamodb").put_item(
        TableName="charges",
        Item={"id": {"S": "1"}},
        ConditionExpression="attribute_not_exists(id)",
    )


def test_named_execution(aws: Callable[..., Any]) -> None:
    """Step Functions refuses a second execution of one name."""
    with suppress(Exception):
        aws("stepfunctions").start_execution(
            stateMachineArn="arn:aws:states:eu-west-1:123456789012:stateMachine:m", name="order-1"
        )


def test_fifo_queue(aws: Callable[..., Any]) -> None:
    """The queue knows a message by its id."""
    aws("sqs").send_message(
        QueueUrl="http://localhost/1/q.fifo",
        MessageBody="charge 5",
        MessageGroupId="g",
        MessageDeduplicationId="order-1",
    )


def test_client_token(aws: Callable[..., Any]) -> None:
    """boto3 adds a token of its own, and keeps it for its retries."""
    item = {"Put": {"TableName": "charges", "Item": {"id": {"S": "1"}}}}
    aws("dynamodb").transact_write_items(TransactItems=[item])


def test_reads_of_items(aws: Callable[..., Any]) -> None:
    """boto3 reads again, by POST."""
    table = aws("dynamodb")
    table.get_item(TableName="charges", Key={"id": {"S": "1"}})
    table.scan(TableName="charges")


def test_no_retries_of_boto3(aws: Callable[..., Any]) -> None:
    """boto3's own retries are off."""
    aws("lambda", total_max_attempts=1).invoke(FunctionName="charge", Payload=b"{}")


def test_reads(shop: str) -> None:
    """GET is repeated."""

    @again
    def read() -> None:
        requests.get(f"{shop}/charges/1", timeout=20)

    read()


def test_other_reads(shop: str) -> None:
    """HEAD and OPTIONS are repeated."""

    async def read() -> None:
        async with aiohttp.ClientSession() as session:
            for method in ("HEAD", "OPTIONS"):
                with suppress(aiohttp.ClientError):
                    await session.request(method, f"{shop}/charges/1")

    asyncio.run(read())


def test_put(shop: str) -> None:
    """PUT says the same twice."""
    with urllib3.PoolManager(retries=Retry(3)) as pool:
        pool.request("PUT", f"{shop}/charges/1", body=b"{}", timeout=20)


def test_delete(shop: str) -> None:
    """DELETE is repeated until it is answered."""
    for _ in range(3):
        with suppress(httpx.HTTPError):
            httpx.delete(f"{shop}/charges/1")
            break


def test_retry_of_what_did_not_run(shop: str) -> None:
    """tenacity repeats what found no connection."""

    @retry(stop=stop_after_attempt(3), retry=retry_if_exception_type(httpx.ConnectError))
    def charge() -> None:
        httpx.post(f"{shop}/charges", json=ORDER)

    charge()


def test_asking_first(shop: str) -> None:
    """The server is asked before anything is sent again."""
    for _ in range(3):
        try:
            requests.post(f"{shop}/charges", json={**ORDER, "name": "a7"}, timeout=20)
        except requests.RequestException:
            if requests.get(f"{shop}/charges/a7", timeout=20).ok:
                break
        else:
            break


def test_if_none_match(shop: str) -> None:
    """The server creates it once."""

    @again
    def create() -> None:
        headers = {"If-None-Match": "*"}
        requests.post(f"{shop}/charges/1", json=ORDER, headers=headers, timeout=20)

    create()


def test_two_equal_purchases_in_a_loop(shop: str) -> None:
    """Two equal purchases are meant."""
    for _ in range(2):
        requests.post(f"{shop}/charges", json=ORDER, timeout=20)


def test_two_equal_purchases_whose_failures_do_not_count(shop: str) -> None:
    """Two equal purchases are meant; each is tried once."""
    for _ in range(2):
        with suppress(httpx.HTTPError):
            httpx.post(f"{shop}/charges", json=ORDER)
    with suppress(httpx.HTTPError):
        httpx.post(f"{shop}/charges", json=ORDER)


def test_equal_purchases_at_once(shop: str) -> None:
    """Three equal purchases in three tasks."""

    async def buy() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            posts = (client.post(f"{shop}/charges", json=ORDER) for _ in range(3))
            await asyncio.gather(*posts, return_exceptions=True)

    asyncio.run(buy())


def test_other_bodies(shop: str) -> None:
    """Purchases that differ."""
    for amount in (5, 6, 7):
        with suppress(requests.RequestException):
            requests.post(f"{shop}/charges", json={"amount": amount}, timeout=20)


def test_rows_read(rows: str) -> None:
    """A loop around a SELECT."""
    for _ in range(3):
        with suppress(psycopg.OperationalError), psycopg.connect(rows) as connection:
            connection.execute("SELECT amount FROM charges").fetchall()
            break


def test_rows_on_conflict(rows: str) -> None:
    """A loop around an INSERT that happens once."""
    statement = "INSERT INTO charges VALUES (7, 5) ON CONFLICT (id) DO NOTHING"
    for _ in range(3):
        with suppress(psycopg.OperationalError), psycopg.connect(rows) as connection:
            connection.execute(statement)
            break


def test_rows_unique(rows: str) -> None:
    """A loop around an INSERT that the server refuses the second time."""
    for _ in range(3):
        try:
            with psycopg.connect(rows) as connection:
                connection.execute("INSERT INTO charges VALUES (8, 5)")
        except psycopg.errors.UniqueViolation:
            break
        except psycopg.OperationalError:
            time.sleep(1)
        else:
            break


def test_rows_serialization(rows: str) -> None:
    """A transaction is repeated when the server says that it did not happen."""
    for _ in range(3):
        with suppress(psycopg.errors.SerializationFailure), psycopg.connect(rows) as connection:
            connection.execute("UPDATE charges SET amount = amount + 5 WHERE id = 0")
            break


def test_graphql(shop: str) -> None:
    """A query is sent again by POST."""

    @again
    def ask() -> None:
        requests.post(f"{shop}/graphql", json={"query": "{ charges { id } }"}, timeout=20)

    ask()
