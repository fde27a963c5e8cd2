"""Thirty programs that send an effect again after its answer was lost, without knowing what ran."""

from __future__ import annotations

import asyncio
import http.client
import queue
import ssl
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import backoff
import httpx
import psycopg
import requests
import stamina
import urllib3
from botocore.exceptions import BotoCoreError
from requests.adapters import HTTPAdapter
from tenacity import AsyncRetrying, retry, retry_if_exception_type, stop_after_attempt, wait_fixed
from urllib3.util import Retry

ORDER = {"amount": 5}
POSTS = Retry(3, backoff_factor=0.1, allowed_methods=None)


def test_tenacity_requests(shop: str) -> None:
    """tenacity calls requests again."""

    @retry(stop=stop_after_attempt(3), wait=wait_fixed(2))
    def charge() -> None:
        requests.post(f"{shop}/charges", json=ORDER, timeout=20)

    charge()


def test_tenacity_httpx_timeouts_alone(shop: str) -> None:
    """tenacity calls httpx again after a time-out, and after nothing else."""

    @retry(stop=stop_after_attempt(3), retry=retry_if_exception_type(httpx.TimeoutException))
    def charge() -> None:
        httpx.post(f"{shop}/charges", json=ORDER, timeout=20)

    charge()


def test_tenacity_httpx_tasks(shop: str) -> None:
    """tenacity calls again in a task."""

    async def charge() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            async for attempt in AsyncRetrying(stop=stop_after_attempt(3), wait=wait_fixed(2)):
                with attempt:
                    await client.post(f"{shop}/charges", json=ORDER)

    asyncio.run(charge())


def test_openai(shop: str) -> None:
    """OpenAI's client calls again by itself."""
    import openai  # takes longer than all others

    with openai.OpenAI(api_key="k", base_url=shop, max_retries=2) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])


def test_stamina_httpx(shop: str) -> None:
    """stamina calls httpx again."""

    @stamina.retry(on=httpx.HTTPError, attempts=3)
    def charge() -> None:
        httpx.post(f"{shop}/charges", json=ORDER, timeout=20)

    charge()


def test_stamina_httpx_tasks_tls(secure_shop: str, trust: ssl.SSLContext) -> None:
    """stamina calls again in a task, over TLS."""

    @stamina.retry(on=httpx.HTTPError, attempts=3)
    async def charge() -> None:
        async with httpx.AsyncClient(timeout=20, verify=trust) as client:
            await client.post(f"{secure_shop}/charges", json=ORDER)

    asyncio.run(charge())


def test_backoff_requests(shop: str) -> None:
    """backoff calls requests again."""

    @backoff.on_exception(backoff.expo, requests.RequestException, max_tries=3)
    def charge() -> None:
        requests.post(f"{shop}/charges", data="amount=5", timeout=20)

    charge()


def test_backoff_aiohttp_tls(secure_shop: str, trust: ssl.SSLContext) -> None:
    """backoff calls aiohttp again, over TLS."""

    @backoff.on_exception(backoff.expo, (aiohttp.ClientError, TimeoutError), max_tries=3)
    async def charge() -> None:
        async with aiohttp.ClientSession() as session:
            await session.post(f"{secure_shop}/charges", json=ORDER, ssl=trust)

    asyncio.run(charge())


def test_urllib3(shop: str) -> None:
    """urllib3 is told that any method may be repeated."""
    with urllib3.PoolManager(retries=POSTS) as pool:
        pool.request("POST", f"{shop}/charges", body=b"{}", timeout=20)


def test_urllib3_tls(secure_shop: str, trusted: str) -> None:
    """The same over TLS, for POST alone."""
    retries = Retry(3, allowed_methods={"POST"})
    with urllib3.PoolManager(ca_certs=trusted, retries=retries) as pool:
        pool.request("POST", f"{secure_shop}/charges", body=b"{}", timeout=20)


def test_requests_adapter(shop: str) -> None:
    """An adapter of requests repeats."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=POSTS))
        session.post(f"{shop}/charges", json=ORDER, timeout=20)


def test_urllib_request(shop: str) -> None:
    """A loop around Python's own client."""
    for _ in range(3):
        try:
            urllib.request.urlopen(f"{shop}/charges", data=b"amount=5", timeout=20).read()
            break
        except OSError:
            time.sleep(1)


def test_botocore_legacy(aws: Callable[..., Any]) -> None:
    """boto3 sends a message again by itself."""
    aws("sqs").send_message(QueueUrl="http://localhost/1/q", MessageBody="charge 5")


def test_botocore_standard(aws: Callable[..., Any]) -> None:
    """boto3 invokes a function again by itself."""
    aws("lambda", mode="standard").invoke(FunctionName="charge", Payload=b"{}")


def test_botocore_counter(aws: Callable[..., Any]) -> None:
    """boto3 adds to a counter again by itself."""
    aws("dynamodb", mode="standard").update_item(
        TableName="accounts",
        Key={"id": {"S": "1"}},
        UpdateExpression="ADD amount :five",
        ExpressionAttributeValues={":five": {"N": "5"}},
    )


def test_tenacity_boto3(aws: Callable[..., Any]) -> None:
    """tenacity publishes again, where boto3's own retries are off."""
    topic = aws("sns", total_max_attempts=1)

    @retry(stop=stop_after_attempt(2), retry=retry_if_exception_type(BotoCoreError))
    def publish() -> None:
        topic.publish(TopicArn="arn:aws:sns:eu-west-1:1:t", Message="charge 5")

    publish()


class RetryTransport(httpx.HTTPTransport):
    """A transport of httpx that sends again."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request up to three times."""
        for _ in range(2):
            try:
                return super().handle_request(request)
            except httpx.TransportError:
                time.sleep(1)
        return super().handle_request(request)


def test_httpx_transport(shop: str) -> None:
    """A transport of httpx repeats."""
    with httpx.Client(transport=RetryTransport(), timeout=20) as client:
        client.post(f"{shop}/charges", json=ORDER)


def test_httpx_tasks_loop(shop: str) -> None:
    """A loop in a task, which sleeps between attempts."""

    async def charge() -> None:
        async with httpx.AsyncClient(timeout=20) as client:
            for pause in (1, 2, 4):
                try:
                    return await client.post(f"{shop}/charges", json=ORDER)
                except httpx.TransportError:
                    await asyncio.sleep(pause)

    asyncio.run(charge())


def test_aiohttp_loop(shop: str) -> None:
    """A loop around aiohttp, as aiohttp-retry has it."""

    async def charge() -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for attempt in range(3):
                try:
                    async with session.post(f"{shop}/charges", json=ORDER) as answer:
                        return await answer.read()
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(2**attempt)

    asyncio.run(charge())


def test_two_equal_purchases_one_retried(shop: str) -> None:
    """Two equal purchases are meant; the first of them is sent again."""

    def buy() -> None:
        requests.post(f"{shop}/charges", json=ORDER, timeout=20)

    try:
        buy()
    except requests.RequestException:
        buy()
    buy()


def test_rows_autocommit(rows: str) -> None:
    """A loop around an INSERT."""
    for _ in range(3):
        try:
            with psycopg.connect(rows, autocommit=True) as connection:
                connection.execute("INSERT INTO charges (amount) VALUES (%s)", [5])
            break
        except psycopg.OperationalError:
            time.sleep(1)


def test_rows_transaction(rows: str) -> None:
    """tenacity around a transaction that adds."""

    @retry(stop=stop_after_attempt(3), wait=wait_fixed(1))
    def charge() -> None:
        with psycopg.connect(rows) as connection:
            connection.execute("SELECT amount FROM charges FOR UPDATE").fetchall()
            connection.execute("UPDATE charges SET amount = amount + 5 WHERE id = 0")

    charge()


def test_rows_tasks(rows: str) -> None:
    """A loop around an INSERT in a task."""

    async def charge() -> None:
        for _ in range(3):
            try:
                async with await psycopg.AsyncConnection.connect(rows) as connection:
                    await connection.execute("INSERT INTO charges (amount) VALUES (5)")
                return
            except psycopg.OperationalError:
                await asyncio.sleep(1)

    asyncio.run(charge())


def test_queue_of_tasks(shop: str) -> None:
    """A worker puts a task that failed back, as Celery's autoretry does."""
    tasks: queue.Queue[dict[str, int]] = queue.Queue()
    tasks.put(ORDER)
    for _ in range(3):
        try:
            task = tasks.get_nowait()
        except queue.Empty:
            break
        try:
            requests.post(f"{shop}/charges", json=task, timeout=20)
        except requests.RequestException:
            tasks.put(task)


def test_loop_by_hand(shop: str) -> None:
    """A loop that counts attempts."""
    attempts = 0
    while attempts < 3:
        try:
            httpx.post(f"{shop}/charges", json=ORDER)
        except httpx.HTTPError:
            attempts += 1
        else:
            break


def test_second_attempt_on_another_line(shop: str) -> None:
    """No loop: the handler of the exception sends again."""
    try:
        requests.post(f"{shop}/charges", json=ORDER, timeout=20)
    except requests.RequestException:
        requests.post(f"{shop}/charges", json=ORDER, timeout=60)


def test_wait_for(shop: str) -> None:
    """A task is given some seconds, and then made anew."""

    async def charge() -> None:
        async with aiohttp.ClientSession() as session:
            await session.post(f"{shop}/charges", json=ORDER)

    async def insist() -> None:
        for _ in range(3):
            try:
                return await asyncio.wait_for(charge(), 10)
            except (TimeoutError, aiohttp.ClientError):
                continue

    asyncio.run(insist())


def test_threads(shop: str) -> None:
    """Several orders at once, each tried twice."""

    def charge(number: int) -> None:
        address = shop.removeprefix("http://")
        for _ in range(2):
            connection = http.client.HTTPConnection(address, timeout=20)
            try:
                connection.request("POST", f"/charges/{number}", b"5")
                return connection.getresponse().read()
            except OSError:
                connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(charge, range(3)))


def test_new_key_for_each_attempt(shop: str) -> None:
    """The idempotency key is made inside of the loop."""

    @retry(stop=stop_after_attempt(3))
    def charge() -> None:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        requests.post(f"{shop}/charges", json=ORDER, headers=headers, timeout=20)

    charge()


def test_all_again(shop: str) -> None:
    """Two steps are repeated when the second one fails."""
    for _ in range(2):
        try:
            requests.post(f"{shop}/orders", json=ORDER, timeout=20)
            key = {"Idempotency-Key": "order-1"}
            requests.post(f"{shop}/charges", json=ORDER, headers=key, timeout=20)
            break
        except requests.RequestException:
            pass
