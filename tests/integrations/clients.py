"""A call by each client that `leeward.ran` knows, with its own settings of retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from random import Random
from threading import Lock
from typing import Any, NamedTuple

TIMEOUT = 0.15


class Target(NamedTuple):
    """Where a client calls.

    Attributes:
        url: without a path.
        trusted: the file with the authority that is trusted.
        random: decides which settings the client has.
    """

    url: str
    trusted: str
    random: Random


def call_httpx(target: Target) -> None:
    """POST with httpx."""
    import httpx

    random = target.random
    transport = httpx.HTTPTransport(retries=random.choice([0, 2]), verify=context(target))
    follow = random.random() < 0.4
    auth = httpx.DigestAuth("a", "b") if random.random() < 0.2 else None
    with httpx.Client(
        transport=transport, timeout=TIMEOUT, follow_redirects=follow, auth=auth
    ) as client:
        client.post(target.url, json={"n": 1}).raise_for_status()


def call_httpx_async(target: Target) -> None:
    """POST with httpx's client for tasks."""
    import httpx

    async def post() -> None:
        follow = target.random.random() < 0.4
        async with httpx.AsyncClient(
            timeout=TIMEOUT, follow_redirects=follow, verify=context(target)
        ) as client:
            (await client.post(target.url, json={"n": 1})).raise_for_status()

    asyncio.run(post())


def call_requests(target: Target) -> None:
    """POST with requests."""
    import requests
    from requests.adapters import HTTPAdapter
    from requests.auth import HTTPDigestAuth

    with requests.Session() as session:
        adapter = HTTPAdapter(max_retries=retries_of_urllib3(target.random))
        if target.random.random() < 0.5:
            session.mount("http://", adapter)
            session.mount("https://", adapter)
        if target.random.random() < 0.2:
            session.auth = HTTPDigestAuth("a", "b")
        method = target.random.choice(["POST", "PUT"])
        session.request(
            method, target.url, json={"n": 1}, timeout=TIMEOUT, verify=target.trusted
        ).raise_for_status()


def call_urllib3(target: Target) -> None:
    """POST or PUT with urllib3."""
    import urllib3

    with urllib3.PoolManager(
        ca_certs=target.trusted, retries=retries_of_urllib3(target.random)
    ) as p:
        method = target.random.choice(["POST", "PUT"])
        p.request(method, target.url, body=b"{}", timeout=TIMEOUT)


def call_aiohttp(target: Target) -> None:
    """POST or PUT with aiohttp, now and then on a connection that was kept."""
    import aiohttp

    async def post() -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
        method = target.random.choice(["POST", "PUT"])
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, target.url, json={"n": 1}, ssl=context(target)) as answer,
        ):
            answer.raise_for_status()
            await answer.read()

    asyncio.run(post())


def call_boto3(target: Target) -> None:
    """Write an item, or invoke a function, with boto3."""
    from botocore.config import Config  # type: ignore[import-untyped]

    random = target.random
    retries: dict[str, Any] = {
        "total_max_attempts": 3 if random.random() < 0.1 else 1,
        "mode": random.choice(["standard", "legacy"]),
    }
    config = Config(retries=retries, connect_timeout=TIMEOUT, read_timeout=TIMEOUT)
    session = session_of_boto3()
    made = {
        "region_name": "us-east-1",
        "endpoint_url": target.url,
        "verify": target.trusted,
        "config": config,
    }
    is_write = random.random() < 0.5
    with _LOCK:  # a session is not for several threads, its clients are
        client = session.client("dynamodb" if is_write else "lambda", **made)
    if is_write:
        client.put_item(TableName="t", Item={"id": {"S": "1"}})
    else:
        client.invoke(FunctionName="f", Payload=b"{}")


_LOCK = Lock()
_SESSION: list[Any] = []


def session_of_boto3() -> Any:
    """Return a session; reading the models takes long."""
    import boto3  # type: ignore[import-untyped]

    with _LOCK:
        if not _SESSION:
            keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
            _SESSION.append(boto3.Session(**keys, region_name="us-east-1"))
    return _SESSION[0]


def call_azure(target: Target) -> None:
    """Publish an event with azure-eventgrid."""
    from azure.core.credentials import AzureKeyCredential
    from azure.eventgrid import EventGridEvent, EventGridPublisherClient

    with EventGridPublisherClient(
        target.url,
        AzureKeyCredential("key"),
        connection_verify=target.trusted,
        retry_total=target.random.choice([0, 0, 2]),
        retry_backoff_factor=0.01,
    ) as client:
        event = EventGridEvent("s", "t", {}, "1")
        client.send([event], connection_timeout=TIMEOUT, read_timeout=TIMEOUT)


def call_google(target: Target) -> None:
    """Call a function over REST as the libraries of Google do."""
    import requests
    from google.api_core import exceptions, retry

    def post() -> None:
        answer = requests.post(target.url, json={}, timeout=TIMEOUT, verify=target.trusted)
        if answer.status_code >= 300:
            raise exceptions.from_http_response(answer)

    if target.random.random() < 0.5:
        kinds: list[type[Exception]] = [exceptions.TooManyRequests, exceptions.ServiceUnavailable]
        if target.random.random() < 0.5:
            kinds.append(requests.ConnectionError)
        again = retry.if_exception_type(*kinds)
        retry.Retry(predicate=again, initial=0.01, maximum=0.02, timeout=0.5)(post)()
    else:
        post()


def call_openai(target: Target) -> None:
    """Ask a model with OpenAI's client."""
    import openai

    with openai.OpenAI(api_key="k", base_url=target.url, **settings_of_model(target)) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])


def call_anthropic(target: Target) -> None:
    """Ask a model with Anthropic's client."""
    import anthropic

    with anthropic.Anthropic(
        api_key="k", base_url=target.url, **settings_of_model(target)
    ) as client:
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}])


def settings_of_model(target: Target) -> dict[str, Any]:
    """Return settings that both clients of models have."""
    retries = 1 if target.random.random() < 0.1 else 0
    return {"max_retries": retries, "timeout": TIMEOUT}


def call_tenacity(target: Target) -> None:
    """POST with httpx, again and again by tenacity."""
    import httpx
    from tenacity import Retrying, retry, retry_if_exception_type, stop_after_attempt

    def post() -> None:
        httpx.post(target.url, timeout=TIMEOUT, verify=context(target)).raise_for_status()

    attempts = target.random.choice([1, 3])
    settings: dict[str, Any] = {
        "stop": stop_after_attempt(attempts),
        "retry": retry_if_exception_type(httpx.HTTPError),
        "reraise": target.random.random() < 0.7,
    }
    if target.random.random() < 0.5:
        retry(**settings)(post)()
    else:
        for attempt in Retrying(**settings):
            with attempt:
                post()


def call_stamina(target: Target) -> None:
    """POST with requests, again and again by stamina."""
    import requests
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])

    @stamina.retry(on=requests.RequestException, attempts=3, wait_initial=0.001, wait_max=0.01)
    def post() -> None:
        requests.post(target.url, timeout=TIMEOUT, verify=target.trusted).raise_for_status()

    post()


def call_backoff(target: Target) -> None:
    """POST with httpx, again and again by backoff."""
    import backoff
    import httpx

    @backoff.on_exception(backoff.constant, httpx.HTTPError, max_tries=2, interval=0.001)
    def post() -> None:
        httpx.post(target.url, timeout=TIMEOUT, verify=context(target)).raise_for_status()

    post()


def retries_of_urllib3(random: Random) -> Any:
    """Return some `Retry` or a number."""
    from urllib3.util import Retry

    return random.choice(
        [
            0,
            2,
            False,
            Retry(2, backoff_factor=0),
            Retry(2, allowed_methods=None, backoff_factor=0),
            Retry(2, allowed_methods=None, status_forcelist=[429, 503], backoff_factor=0),
            Retry(2, redirect=1, raise_on_redirect=False),
        ]
    )


def context(target: Target) -> Any:
    """Return a context of TLS that trusts one authority."""
    import ssl

    return ssl.create_default_context(cafile=target.trusted)


NEEDS: dict[str, tuple[str, Callable[[Target], None]]] = {
    "httpx": ("httpx", call_httpx),
    "httpx, tasks": ("httpx", call_httpx_async),
    "requests": ("requests requests.auth", call_requests),
    "urllib3": ("urllib3 urllib3.util", call_urllib3),
    "aiohttp": ("aiohttp", call_aiohttp),
    "boto3": ("boto3 botocore.config", call_boto3),
    "azure": ("azure.eventgrid azure.core.credentials", call_azure),
    "google": ("requests google.api_core.retry", call_google),
    "openai": ("openai openai.resources.chat", call_openai),
    "anthropic": ("anthropic anthropic.resources.messages", call_anthropic),
    "tenacity": ("httpx tenacity", call_tenacity),
    "stamina": ("requests stamina", call_stamina),
    "backoff": ("httpx backoff", call_backoff),
}


def clients() -> dict[str, Callable[[Target], None]]:
    """Return the calls of what is installed here.

    Their modules are imported now: threads that import one another's libraries may block.
    """
    found = {}
    for name, (modules, call) in NEEDS.items():
        try:
            for module in modules.split():
                import_module(module)
        except ModuleNotFoundError:
            continue
        found[name] = call
    return found
