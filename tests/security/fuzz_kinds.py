"""One odd case of each kind: what is done with it, and which exceptions are documented for that."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any, Final, NamedTuple

import pytest

import leeward_aws.settings.options as aws
import leeward_azure.settings.options as azure
import leeward_google.settings.options as google
from leeward import Client, Config, ConfigError, LeewardError
from leeward._http.messages import Failure, Phase, Request, Response
from leeward._items.checks import checked_size
from leeward.adapter import Driver, opening
from leeward.adapter.items import decode, encode
from leeward.calls import Page, Result, Stored, UnreadableItem
from leeward.config import TableConfig
from leeward.config.load import _parse, load_settings, with_order
from leeward.errors import Outcome
from leeward.opening import target_config
from leeward.registry import open_target
from leeward.testing import FakeClock
from tests.items.forging import forged
from tests.items.respelling import PROFILES
from tests.scripted import Scripted
from tests.security.odd import NUMBERS, TEXTS, as_body, bent, odd, torn
from tests.security.test_canaries import GOOD
from tests.security.test_reachable import _targets

FILE: Final = """
cloud_provider = "aws:us-east-1,google"
data_target = "google"
source = "shop"
trust_env = false
[targets."aws:us-east-1"]
profile = "prod"
endpoint_url = "https://x.example"
allowed_hosts = ["x.example"]
[targets.azure]
function_app = "shop"
function_keys = { f = "key" }
[targets.google]
project = "shop-1"
identity = "metadata"
[targets.local]
path = ":memory:"
functions = { f = "json:dumps" }
subscriptions = [{ bus = "b", type = "t", function = "json:dumps" }]
[functions.send-receipt]
effect = "keyed"
dedup_scope = "group"
timeout = 30
names = { aws = "prod-send-receipt" }
[buses.orders]
timeout = 2.5
[tables.orders]
key = ["customer", "order"]
home = "aws:us-east-1"
"""

_LINES = FILE.strip().splitlines()
_OPTIONS = {"aws": aws.OPTIONS, "azure": azure.OPTIONS, "google": google.OPTIONS}
_VARIABLES = (
    *"CLOUD_PROVIDER LEEWARD_DATA_TARGET AWS_LAMBDA_FUNCTION_NAME K_SERVICE HTTPS_PROXY".split(),
    *"ALL_PROXY NO_PROXY SSL_CERT_FILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY".split(),
    *"AWS_SESSION_TOKEN AWS_CONTAINER_CREDENTIALS_FULL_URI IDENTITY_ENDPOINT".split(),
    *"IDENTITY_HEADER GCE_METADATA_HOST AWS_CREDENTIAL_EXPIRATION".split(),
    *{name for rows in _OPTIONS.values() for row in rows for name in row.variables.split()},
)


def _literal(dice: random.Random) -> str:
    found = odd(dice, 2)
    text = json.dumps(found).replace("{", "[").replace("}", "]").replace('": ', '", ')
    return dice.choice((text, "'" + dice.choice(TEXTS) + "'", "1979-05-27T07:32:00Z", "inf", "0x_"))


def toml(dice: random.Random) -> None:
    """Read a ``leeward.toml`` with odd lines, and open what it names; ConfigError is documented."""
    lines = dice.sample(_LINES, dice.randrange(len(_LINES))) if dice.random() < 0.4 else [*_LINES]
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(lines) + 1)
        name = dice.choice((*TEXTS, *re.findall(r"(?m)^[\w]+", FILE)))
        lines.insert(at, f"{dice.choice((name, json.dumps(name)))} = {_literal(dice)}")
        if lines and dice.random() < 0.7:
            at = dice.randrange(len(lines))
            lines[at] = f"{lines[at].partition('=')[0]}= {_literal(dice)}"
    text = "\n".join(lines).encode(errors="surrogatepass")
    with suppress(ConfigError):
        config = _parse(torn(dice, text) if dice.random() < 0.3 else text, "leeward.toml")
        _opened(with_order(config, None, {}), {})


def environment(dice: random.Random) -> None:
    """Read odd variables, and open every target with them; ConfigError is documented."""
    names = dice.sample(_VARIABLES, dice.randrange(1, 12))
    env = {name: dice.choice(TEXTS) for name in names}
    with suppress(ConfigError):
        env.setdefault("CLOUD_PROVIDER", dice.choice(("aws", "azure", "google", "local")))
        config = with_order(load_settings(file="/dev/null", env=env), None, env)
        _opened(config, env)


def _opened(config: Config, env: dict[str, str]) -> None:
    """Open the targets that may not make a file; what opening asks of libcurl is not made."""
    for target in config.order:
        given = target_config(target, config, env)
        if target.provider != "local" or given.options.get("path") == ":memory:":
            with suppress(ConfigError):
                open_target(given).close()


_ITEMS: Final[tuple[dict[str, Any], ...]] = (
    {"id": "1", "total": 9.5, "n": 3, "b": b"ab", "list": [1, {"a": None}], "t": True},
    {"id": "2", "m": {"_leeward": "x", "d": 1e300}},
)


def items(dice: random.Random) -> None:
    """Read a stored document that is odd, or whose type tree is; UnreadableItem is documented."""
    profile = dice.choice(PROFILES)
    native = encode(dice.choice(_ITEMS), profile, write_id="w", expires_at=None)
    if dice.random() < 0.5:
        document = bent(dice, native)
    else:
        types = json.dumps(bent(dice, {"total": "f", "b": "B", "list": ["L", {"1": {"a": "d-3"}}]}))
        document = forged(native, types, profile)
    with suppress(UnreadableItem):
        found = decode(document, profile)
        if not found.foreign:
            checked_size(found.item)


class _Answering:
    """A transport, and the wire around it, that answers from dice."""

    def __init__(self) -> None:
        self.dice = random.Random()
        self.threads = self

    def transport(self) -> _Answering:
        return self

    def send(self, request: Request, timeout: float) -> Response | Failure:
        dice = self.dice
        if dice.random() < 0.1:
            return Failure(dice.choice(list(Phase)), dice.random() < 0.5, dice.choice(TEXTS))
        document = bent(dice, dice.choice(_ANSWERS)) if dice.random() < 0.8 else odd(dice)
        headers = {dice.choice(_HEADERS): dice.choice(TEXTS) for _ in range(dice.randrange(4))}
        return Response(dice.choice(_STATUSES), headers, as_body(dice, document))

    def drop(self, origin: str) -> None:
        pass

    def close(self) -> None:
        pass


_STATUSES = (*[200] * 8, 201, 202, 204, 206, 302, 400, 401, 403, 404, 409, 412, 429, 500, 503)
_HEADERS = (
    *"date retry-after x-amzn-requestid x-amz-function-error x-amzn-errortype etag".split(),
    *"x-ms-request-id x-ms-error-code x-ms-retry-after-ms x-ms-continuation content-type".split(),
    *"x-amz-crc32 www-authenticate x-ms-session-token x-leeward-error".split(),
)
_ANSWERS: Final[tuple[Any, ...]] = (
    {"a": 1, "errorType": "E", "errorMessage": "m", "stackTrace": ["a"], "trace": []},
    {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]},
    {"Item": encode(_ITEMS[0], PROFILES[0], write_id="w", expires_at=None), "Attributes": {}},
    {"__type": "ns#ConditionalCheckFailedException", "message": "m", "Item": {}},
    {"Items": [], "LastEvaluatedKey": {"id": {"S": "1"}}, "Count": 0},
    encode(_ITEMS[0], PROFILES[1], write_id="w", expires_at=None) | {"_etag": '"1"', "id": "1"},
    {"Documents": [], "_rid": "x", "code": "NotFound", "message": "m"},
    [{"found": {"name": "n", "fields": {}, "updateTime": "2026-01-01T00:00:00.1Z"}}],
    [{"missing": "n", "readTime": "2026-01-01T00:00:00Z"}],
    {"writeResults": [{"updateTime": "2026-01-01T00:00:00Z"}], "commitTime": "x"},
    {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m", "details": [{}]}},
    {"messageIds": ["1", "2", "3"], "name": "n", "access_token": "t", "expires_in": 3599},
    "<?xml version='1.0'?><QueueMessagesList><QueueMessage><MessageId>1</MessageId></QueueMessage>",
)


class Clouds(NamedTuple):
    """The three clouds, opened over a transport that answers from dice."""

    clients: list[Client]
    wire: _Answering


def clouds(stack: ExitStack) -> Clouds:
    """Open them; `stack` closes them."""
    wire = _Answering()
    config = Config(tables={"orders": TableConfig()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "curl_wire", lambda _: wire)
        drivers = [open_target(each) for each in _targets("http://127.0.0.1:1").values()]
    clients = [Client(each, config=config, clock=FakeClock(1.8e9)) for each in drivers]
    return Clouds([stack.enter_context(each) for each in clients], wire)


def _odd_result(dice: random.Random) -> Any:
    value = dice.choice((odd(dice), Page((), dice.choice(TEXTS)), Stored({}, "r", None), (), None))
    outcome = dice.choice([*Outcome, Outcome.OK])
    told = Result(
        outcome,
        value,
        code=dice.choice((None, *TEXTS)),
        message=dice.choice((None, *TEXTS)),
        reason=dice.choice((None, *TEXTS)),
        retry_after=dice.choice((None, *NUMBERS)),
        request_id=dice.choice((None, *TEXTS)),
    )
    other = dice.choice((None, 7, "text", ValueError("x"), KeyError(), RecursionError(), told))
    return told if dice.random() < 0.8 else other


def answers_of(made: Clouds) -> Callable[[random.Random], None]:
    """Make what lets a call meet odd answers: of a cloud, or of an adapter that is wrong itself.

    LeewardError is documented.
    """
    doors = list(GOOD.values())

    def answers(dice: random.Random) -> None:
        if dice.random() < 0.2:
            driver: Driver = Scripted("fake", *[_odd_result(dice) for _ in range(8)])
            with suppress(LeewardError), Client(driver, config=Config(), clock=FakeClock()) as one:
                dice.choice(doors)(one)
            return
        made.wire.dice = dice
        with suppress(LeewardError):
            dice.choice(doors)(dice.choice(made.clients))

    return answers
