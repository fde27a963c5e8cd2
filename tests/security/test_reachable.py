"""Nothing that a driver holds, or an error carries, writes a secret down when it is printed.

What can be reached is walked as the garbage collector walks it: closures, caches, the locals of the
frames that a traceback keeps. Whatever logs a value, or the locals of a frame, finds it there.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from leeward import Client, Config
from leeward.adapter import TargetConfig
from leeward.config.load import _parse
from leeward.errors import ConfigError, LeewardError
from leeward.registry import open_target
from leeward.testing import FakeClock
from tests.http.wire import Wire, answer
from tests.security.test_canaries import CANARY, GOOD

pytestmark = [pytest.mark.row(8), pytest.mark.threat("S8")]

SECRET = CANARY * 2
"""Base64, too, as some keys are."""

PROXY = {"HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:1"}
AWS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
}


def _targets(origin: str) -> dict[str, TargetConfig]:
    """Give targets with a canary wherever they take a secret."""
    storage = f"AccountName=shop;AccountKey={SECRET};QueueEndpoint={origin}/shop"
    signed = f"QueueEndpoint={origin}/shop;SharedAccessSignature=?sig={CANARY}"
    keys: dict[str, Any] = {
        "function_url": origin,
        "function_key": CANARY,
        "function_keys": {"echo": CANARY},
        "storage_connection_string": storage,
        "eventgrid_topic_url": origin + "/{topic}/api/events",
        "eventgrid_key": CANARY,
        "eventgrid_keys": {"orders": CANARY},
        "cosmos_endpoint": origin,
        "cosmos_key": SECRET,
        "cosmos_database": "shop",
    }
    signatures: dict[str, Any] = {
        "storage_connection_string": signed,
        "eventgrid_namespace_url": origin,
        "eventgrid_sas": CANARY,
        "cosmos_connection_string": f"AccountEndpoint={origin};AccountKey={SECRET}",
        "cosmos_database": "shop",
    }
    tokens: dict[str, Any] = {
        "project": "shop-1",
        "function_url": origin + "/{name}",
        "pubsub_endpoint": origin,
        "firestore_endpoint": origin,
        "access_token": CANARY,
        "id_token": CANARY,
    }
    region = "aws:us-east-1"
    return {
        "aws": TargetConfig(region, "aws", "us-east-1", {"endpoint_url": origin}, AWS | PROXY),
        "azure, keys": TargetConfig("azure", "azure", None, keys, PROXY),
        "azure, signatures": TargetConfig("azure", "azure", None, signatures, PROXY),
        "google": TargetConfig("google", "google", None, tokens, PROXY),
    }


def reachable(*roots: object) -> Iterator[object]:
    """Give everything that can be reached, but for what belongs to modules and classes."""
    seen, found = set(), list(roots)
    while found:
        each = found.pop()
        if id(each) in seen or isinstance(each, ModuleType | type) or _is_of_a_module(each):
            continue
        seen.add(id(each))
        yield each
        found += gc.get_referents(each)


def _is_of_a_module(value: object) -> bool:
    return isinstance(value, dict) and "__builtins__" in value


def showing(*roots: object) -> list[str]:
    """Give the types of leeward's values that show a canary, however they are written.

    A `partial` is one: it writes down what it was given.
    """
    return [
        f"{type(each).__module__}.{type(each).__name__}"
        for each in reachable(*roots)
        if (type(each).__module__.startswith("leeward") or isinstance(each, partial))
        and CANARY in f"{each!r} {each!s}"
    ]


@pytest.mark.parametrize("name", _targets("http://127.0.0.1:1"))
@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_no_value_of_a_driver_shows_a_secret(name: str, status: int) -> None:
    """Nor one in an error, or in the frames behind it; with every plan and credential in use."""
    errors = []
    body = f'{{"message": "{CANARY}"}}'
    head = f"HTTP/1.1 {status} X\r\nX-Token: {CANARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    with Wire(answer(f"{head}{body}".encode())) as wire:
        driver = open_target(_targets(wire.origin())[name])
        with Client(driver, config=Config(), clock=FakeClock()) as client:
            for do in GOOD.values():
                try:
                    do(client)
                except LeewardError as error:
                    errors.append(error)
            assert showing(driver, client, *errors) == []
    texts = [each for each in reachable(driver) if isinstance(each, str) and CANARY in each]
    assert texts, "the walk has reached no secret at all"
    assert errors or status == 200


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "aws, url": ("aws:us-east-1", {"endpoint_url": f"https://user:{CANARY}@host"}),
    "azure, key": ("azure", {"function_app": "a", "function_key": f"{CANARY} "}),
    "azure, keys": ("azure", {"function_app": "a", "function_keys": {"f": f"{CANARY}\n"}}),
    "azure, topic": ("azure", {"eventgrid_topic_url": f"https://{CANARY}@x/{{topic}}"}),
    "azure, connection": ("azure", {"storage_connection_string": f"AccountKey={SECRET}"}),
    "azure, account": (
        "azure",
        {"cosmos_database": "a", "cosmos_connection_string": f"AccountKey={CANARY}"},
    ),
    "google, token": ("google", {"access_token": f"{CANARY}\n"}),
    "google, url": ("google", {"function_url": f"https://{CANARY}@x/{{name}}"}),
    "google, twice": ("google", {"id_token": CANARY, "identity": "metadata"}),
}


@pytest.mark.parametrize(("target", "options"), WRONG.values(), ids=WRONG)
def test_no_error_of_opening_shows_a_secret(target: str, options: dict[str, Any]) -> None:
    """Nor a value in the frames that it keeps."""
    provider, _, qualifier = target.partition(":")
    config = TargetConfig(target, provider, qualifier or None, options, PROXY)
    with pytest.raises(ConfigError) as caught:
        open_target(config)
    assert CANARY not in f"{caught.value!r} {caught.value}"
    assert showing(caught.value, caught.tb) == []


@pytest.mark.parametrize("text", [b"key = '\xff{}'", b"key = '{}' '", b"a = 1\nkey = '{}'\na = 2"])
def test_no_error_of_a_configuration_carries_its_text(text: bytes) -> None:
    """Neither the error nor what it came from, in no attribute: a file holds keys."""
    with pytest.raises(ConfigError) as caught:
        _parse(text.replace(b"{}", CANARY.encode()), "leeward.toml")
    todo: list[BaseException | None] = [caught.value]
    while todo:
        each = todo.pop()
        if each is not None:
            kept = [getattr(each, name, None) for name in ("object", "doc")]
            assert CANARY not in f"{each!r} {each} {each.args} {vars(each)} {kept}"
            todo += [each.__cause__, each.__context__]


def test_the_walk_reaches_frames_and_closures() -> None:
    """So that an empty list is no accident."""

    class Bare:
        def __repr__(self) -> str:
            return CANARY

    def outer() -> Any:
        kept = Bare()
        return lambda: kept

    def failing() -> None:
        local = Bare()
        raise ValueError(bool(local))

    assert any(isinstance(each, Bare) for each in reachable(outer()))
    with suppress(ValueError):
        failing()
    with pytest.raises(ValueError, match="True") as caught:
        failing()
    assert any(isinstance(each, Bare) for each in reachable(caught.tb))
