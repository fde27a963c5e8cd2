"""Bad input: the named exception, with field and remedy, and nothing sent or lost."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from leeward import (
    Client,
    Config,
    ConfigError,
    Event,
    InvalidRequest,
    PayloadTooLarge,
    Unsupported,
    registry,
)
from leeward.adapter import Capability, Driver, Limits
from leeward.app import App
from leeward.config import FunctionConfig, TableConfig, load_config
from leeward.errors import LeewardError
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_contract_tests.rows import each_row
from tests.scripted import Scripted

CONFIG = Config(
    functions={"slow": FunctionConfig(timeout=30.0)},
    tables={"pairs": TableConfig(key=("customer", "order"))},
)

Do = Callable[[Any], object]
HALF: Any = 1.5
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - it has no zone


class Nowhere(tzinfo):
    """A time zone that cannot tell its offset."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        raise RuntimeError("no idea")

    dst = utcoffset

    def tzname(self, when: datetime | None) -> str:
        return "nowhere"


class Colour(IntEnum):
    """An int that is not exactly an int."""

    RED = 1


def item(**values: object) -> dict[str, Any]:
    return {"id": "1", **values}


def deep(levels: int) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(levels):
        nested = {"x": nested}
    return item(nested=nested)


def cyclic() -> dict[str, Any]:
    knot = item()
    knot["self"] = knot
    return knot


# call, field, words of the remedy
INVALID: dict[str, tuple[Do, str, str]] = {
    "function is empty": (lambda c: c.invoke(""), "function", "give it a value"),
    "function is blank": (lambda c: c.invoke("  "), "function", "give it a value"),
    "function is a number": (lambda c: c.invoke(7), "function", "must be a string"),
    "function has a line feed": (lambda c: c.invoke("a\nHost: evil"), "function", "remove it"),
    "function is endless": (lambda c: c.invoke("f" * 257), "function", "at most"),
    "bus is None": (lambda c: c.publish_event(None, "t", 1), "bus", "must be a string"),
    "bus has a NUL": (lambda c: c.publish_event("b\0", "t", 1), "bus", "remove it"),
    "table is empty": (lambda c: c.load_data("", "1"), "table", "give it a value"),
    "type is a whole event": (
        lambda c: c.publish_event("orders", Event("order.created")),
        "event.type",
        "publish_events(bus, [event])",
    ),
    "queue is empty": (lambda c: c.enqueue(""), "function", "give it a value"),
    "effect is unknown": (
        lambda c: c.invoke("f", effect="safe"),
        "effect",
        "read_only, idempotent, keyed, unsafe",
    ),
    "key is empty": (
        lambda c: c.invoke("f", idempotency_key=""),
        "idempotency_key",
        "give it a value",
    ),
    "key is not ASCII": (
        lambda c: c.invoke("f", idempotency_key="schlüssel"),
        "idempotency_key",
        "ASCII",
    ),
    "key is long": (lambda c: c.invoke("f", idempotency_key="k" * 256), "idempotency_key", "hash"),
    "timeout is zero": (lambda c: c.invoke("f", timeout=0), "timeout", "more than 0"),
    "timeout is negative": (lambda c: c.load_data("t", "1", timeout=-1), "timeout", "more than 0"),
    "timeout is NaN": (lambda c: c.invoke("f", timeout=float("nan")), "timeout", "more than 0"),
    "timeout is endless": (lambda c: c.invoke("f", timeout=float("inf")), "timeout", "at most"),
    "timeout is text": (lambda c: c.invoke("f", timeout="5"), "timeout", "number of seconds"),
    "timeout is True": (lambda c: c.invoke("f", timeout=True), "timeout", "number of seconds"),
    "timeout below an unsafe function's own limit": (
        lambda c: c.invoke("slow", timeout=5),
        "timeout",
        "raise timeout",
    ),
    "payload holds a Decimal": (
        lambda c: c.invoke("f", {"price": Decimal("9.90")}),
        "payload['price']",
        "str",
    ),
    "payload holds bytes": (lambda c: c.invoke("f", {"raw": b"x"}), "payload['raw']", "JSON"),
    "payload holds a datetime": (
        lambda c: c.invoke("f", [datetime.now(UTC)]),
        "payload[0]",
        "isoformat",
    ),
    "payload holds NaN": (
        lambda c: c.invoke("f", {"x": [float("nan")]}),
        "payload['x'][0]",
        "None",
    ),
    "payload has a number as key": (lambda c: c.invoke("f", {1: "x"}), "payload", "str"),
    "payload holds an object": (lambda c: c.invoke("f", {"x": object()}), "payload['x']", "object"),
    "type is empty": (lambda c: c.publish_event("b", "", 1), "event.type", "empty"),
    "type is long": (lambda c: c.publish_event("b", "t" * 129, 1), "event.type", "at most 128"),
    "event id is empty": (lambda c: c.publish_event("b", "t", 1, id=""), "event.id", "non-empty"),
    "time is naive": (lambda c: c.publish_event("b", "t", 1, time=NAIVE), "event.time", "tzinfo"),
    "time that UTC has no year for": (
        lambda c: c.publish_event(
            "b", "t", 1, time=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
        ),
        "event.time",
        "1 to 9999",
    ),
    "time is text": (lambda c: c.publish_event("b", "t", 1, time="now"), "event.time", "datetime"),
    "subject has a control character": (
        lambda c: c.publish_event("b", "t", 1, subject="a\rb"),
        "event.subject",
        "remove it",
    ),
    "data holds a set": (
        lambda c: c.publish_event("b", "t", {"x": {1}}),
        "event.data['x']",
        "list",
    ),
    "extension has a capital": (
        lambda c: c.publish_events("b", [Event("t", extensions={"Trace": "1"})]),
        "events[0].extensions['Trace']",
        "a-z",
    ),
    "extension is reserved": (
        lambda c: c.publish_events("b", [Event("t", extensions={"source": "x"})]),
        "events[0].extensions['source']",
        "attribute of its own",
    ),
    "extension is a float": (
        lambda c: c.publish_events("b", [Event("t", extensions={"x": HALF})]),
        "events[0].extensions['x']",
        "str(value)",
    ),
    "the second event is wrong": (
        lambda c: c.publish_events("b", [Event("t"), Event("")]),
        "events[1].type",
        "non-empty",
    ),
    "events is one event": (lambda c: c.publish_events("b", Event("t")), "events", "list"),
    "an event is a dict": (
        lambda c: c.publish_events("b", [{"type": "t"}]),
        "events[0]",
        "leeward.Event",
    ),
    "item is a list": (lambda c: c.store_data("t", [1]), "item", "dict"),
    "item has no key": (lambda c: c.store_data("t", {"x": 1}), "item['id']", "add it"),
    "item's key is a number": (
        lambda c: c.store_data("t", {"id": 1}),
        "item['id']",
        "write it as text",
    ),
    "item's key is empty": (lambda c: c.store_data("t", {"id": ""}), "item['id']", "at least one"),
    "item holds NaN": (
        lambda c: c.store_data("t", item(lines=[{"price": float("nan")}])),
        "item['lines'][0]['price']",
        "None",
    ),
    "item holds an infinite Decimal": (
        lambda c: c.store_data("t", item(x=Decimal("Infinity"))),
        "item['x']",
        "None",
    ),
    "item holds a naive datetime": (
        lambda c: c.store_data("t", item(at=NAIVE)),
        "item['at']",
        "zone",
    ),
    "item holds a set": (lambda c: c.store_data("t", item(tags={1})), "item['tags']", "list"),
    "item holds a tuple": (lambda c: c.store_data("t", item(tags=(1,))), "item['tags']", "list"),
    "item holds an enum": (
        lambda c: c.store_data("t", item(colour=Colour.RED)),
        "item['colour']",
        "value",
    ),
    "item holds a subclass of dict": (
        lambda c: c.store_data("t", item(x=OrderedDict())),
        "item['x']",
        "dict",
    ),
    "item has a number as name": (lambda c: c.store_data("t", item(x={1: 2})), "item['x']", "str"),
    "item holds a lone surrogate": (
        lambda c: c.store_data("t", item(x="\ud800")),
        "item['x']",
        "surrogate",
    ),
    "item contains itself": (
        lambda c: c.store_data("t", cyclic()),
        "item" + "['self']" * 64,
        "contains itself",
    ),
    "two conditions": (
        lambda c: c.store_data("t", item(), if_absent=True, if_revision="r"),
        "if_revision",
        "give one",
    ),
    "if_absent is text": (
        lambda c: c.store_data("t", item(), if_absent="yes"),
        "if_absent",
        "True or False",
    ),
    "revision is empty": (
        lambda c: c.delete_data("t", "1", if_revision=""),
        "if_revision",
        "give it a value",
    ),
    "expiry is in the past": (
        lambda c: c.store_data("t", item(), expires_in=timedelta(seconds=-1)),
        "expires_in",
        "more than 0",
    ),
    "expiry is text": (
        lambda c: c.store_data("t", item(), expires_in="1h"),
        "expires_in",
        "number of seconds",
    ),
    "metadata is text": (
        lambda c: c.put_object("b", "k", b"", metadata="a=b"),
        "metadata",
        "a mapping of texts",
    ),
    "metadata has a hyphen": (
        lambda c: c.put_object("b", "k", b"", metadata={"source-version": "1"}),
        "metadata",
        "underscores",
    ),
    "metadata is leeward's own": (
        lambda c: c.put_object("b", "k", b"", metadata={"leeward_write": "1"}),
        "metadata",
        "rename it",
    ),
    "metadata is not ASCII": (
        lambda c: c.put_object("b", "k", b"", metadata={"name": "é"}),
        "metadata",
        "escape what is not",
    ),
    "metadata is large": (
        lambda c: c.put_object("b", "k", b"", metadata={"name": "x" * 1021}),
        "metadata",
        "put it into the object",
    ),
    "expiry is the class": (
        lambda c: c.store_data("t", item(), expires_in=timedelta),
        "expires_in",
        "number of seconds",
    ),
    "timeout is a huge number": (lambda c: c.invoke("f", timeout=10**5000), "timeout", "at most"),
    "a time zone that cannot tell": (
        lambda c: c.store_data("t", item(at=datetime(2026, 1, 1, tzinfo=Nowhere()))),
        "item['at']",
        "timezone",
    ),
    "effect holds a payload": (
        lambda c: c.invoke("f", effect={"card": "4111"}),
        "effect",
        "of type dict; it must be one of",
    ),
    "key is a number": (lambda c: c.load_data("t", 42), "key", "write it as text"),
    "key is one of two": (lambda c: c.load_data("pairs", "c1"), "key", "mapping"),
    "key lacks a field": (lambda c: c.delete_data("pairs", {"customer": "c1"}), "key", "order"),
    "key has another field": (lambda c: c.load_data("t", {"name": "1"}), "key", "id"),
    "effect is a huge number": (
        lambda c: c.invoke("f", effect=10**5000),
        "effect",
        "of type int; it must be one of",
    ),
    "target is a list": (lambda c: c.native([], "x"), "target", "must be a string"),
    "targets is a number": (
        lambda c: c.invoke("f", targets=3),
        "targets",
        "the name of a target of the order",
    ),
    "targets is empty": (lambda c: c.enqueue("f", targets=[]), "targets", "or several of them"),
    "targets is not in the order": (
        lambda c: c.publish_event("b", "t", targets="nowhere"),
        "targets",
        "not in the order",
    ),
    "targets twice": (
        lambda c: c.publish_events("b", [Event("t")], targets=["only", "only"]),
        "targets",
        "name each once",
    ),
    "call_id is text": (lambda c: c.explain("1"), "call_id", "a whole number"),
    "listener is not callable": (lambda c: c.listen(None), "listener", "must be callable"),
}
TOO_LARGE: dict[str, tuple[Do, str, str]] = {
    "payload is large": (lambda c: c.invoke("f", "x" * 2_000), "payload", "store it"),
    "queued payload is large": (lambda c: c.enqueue("f", "x" * 600), "payload", "store it"),
    "ordering key is long": (
        lambda c: c.publish_event("b", "t", 1, ordering_key="k" * 101),
        "event.ordering_key",
        "move it into data",
    ),
    "event is large": (lambda c: c.publish_event("b", "t", "x" * 2_000), "event", "store the data"),
    "item's key is long": (lambda c: c.store_data("t", {"id": "k" * 101}), "item['id']", "shorten"),
    "item is nested too deep": (lambda c: c.store_data("t", deep(20)), "item", "flatten"),
    "item is large": (lambda c: c.store_data("t", item(x="x" * 2_000)), "item", "split it"),
}
# call, exception, words of the remedy
OTHER: dict[str, tuple[Do, type[LeewardError], str]] = {
    "no expiry on this target": (
        lambda c: c.store_data("t", item(), expires_in=60),
        Unsupported,
        "store without expires_in",
    ),
    "no target of that name to isolate": (
        lambda c: c.isolate("nowhere"),
        ConfigError,
        "it has only",
    ),
    "no target of that name to restore": (
        lambda c: c.restore("nowhere"),
        ConfigError,
        "it has only",
    ),
    "no target of that name to probe": (lambda c: c.probe("nowhere"), ConfigError, "it has only"),
    "no service of that name": (
        lambda c: c.native("nowhere", "tables"),
        ConfigError,
        "it has only",
    ),
}
CALLS: dict[str, tuple[Do, type[LeewardError], str, str]] = {
    **{name: (do, InvalidRequest, field, words) for name, (do, field, words) in INVALID.items()},
    **{name: (do, PayloadTooLarge, field, words) for name, (do, field, words) in TOO_LARGE.items()},
    **{name: (do, kind, "", words) for name, (do, kind, words) in OTHER.items()},
}


@each_row("case", list(CALLS))
def test_a_bad_argument_is_refused(case: str) -> None:
    """Each call names the field and the remedy, and sends nothing."""
    do, kind, field, remedy = CALLS[case]
    limits = Limits(
        payload_bytes=1_000,
        queued_bytes=500,
        event_bytes=1_000,
        attribute_bytes=100,
        item_bytes=1_000,
        key_bytes=100,
    )
    driver = Scripted(
        "only", capabilities=frozenset(Capability) - {Capability.EXPIRY}, limits=limits
    )
    client = Client(driver, config=CONFIG, clock=FakeClock())
    with pytest.raises(kind) as caught:
        do(client)
    assert type(caught.value) is kind
    assert remedy in str(caught.value)
    if isinstance(caught.value, InvalidRequest):
        assert caught.value.field == field
        assert field[:100] in str(caught.value)
    assert caught.value.attempts == ()
    assert driver.calls == []
    client.invoke("f")
    assert len(driver.calls) == 1


# text of leeward.toml, words of the message; tests/cli/test_planted_mistakes.py has more
FILES: dict[str, tuple[str, str]] = {
    "unknown key": (
        "verbose = 1",
        "unknown key verbose in .*known keys: cloud_provider(?!.*dead_letters.*dead_letters)",
    ),
    "timeout is true": ("[buses.b]\ntimeout = true", "number of seconds"),
    "key is empty": ("[tables.t]\nkey = []", "tables.t.key in .*one field"),
    "misspelt section": (
        "cloud_provider = 'aws:us-east-1'\n[targets.'aws:us-east1']",
        r'targets."aws:us-east1" in .*not in the order.*did you mean \'aws:us-east-1\'',
    ),
    "misspelt target in names": (
        "cloud_provider = 'aws:us-east-1'\n[buses.b]\nnames = { 'aws:us-east1' = 'x' }",
        r'buses.b.names."aws:us-east1" in .*did you mean \'aws:us-east-1\'',
    ),
    "home is no target": ("[tables.t]\nhome = 'aws us'", "tables.t.home in .*provider:qualifier"),
    "names is text": ("[tables.t]\nnames = 'x'", "tables.t.names in .*must be a table"),
    "unknowns is no name": ("unknowns = ''", "unknowns in .*non-empty string"),
    "unknowns_payload is text": (
        "unknowns = 'open'\nunknowns_payload = 'no'",
        "unknowns_payload in .*true or false",
    ),
    "unknowns_payload without a table": ("unknowns_payload = true", "needs unknowns = "),
    "options under two names": ("[targets.gcp]\n[targets.google]", "names 'google' twice"),
    "source with a NUL": ('source = "a\\u0000b"', "no control character"),
    "a secret in the wrong place": (
        "[buses.b]\ntimeout = 'AKIASECRET'",
        "number of seconds, not str$",
    ),
    "numbers without end": ("x = " + "9" * 5000, "not TOML"),
    "lists without end": ("x = " + "[" * 5000, "not TOML"),
    "an export without a zone": (
        "[export.aws]\ndomain = 'a.example.com'",
        "export.aws in .*lacks 'zone'",
    ),
    "an export to no host": (
        "[export.aws]\ndomain = 'Orders_1'\nzone = 'Z1'",
        "export.aws.domain in .*name of a host in lower case",
    ),
    "an export to a zone that is an expression": (
        "[export.aws]\ndomain = 'a.example.com'\nzone = '${file(\"x\")}'",
        "export.aws.zone in .*letters, digits, hyphens and dots",
    ),
    "an export of half a second": (
        "[export.aws]\ninterval = 0.5",
        "export.aws.interval in .*whole number from 1",
    ),
    "an export with a misspelt key": ("[export.aws]\nzones = 'Z1'", "did you mean 'zone'"),
    "an export of an unknown provider": ("[export.awss]", "export.awss in .*did you mean 'aws'"),
    "an export of a target": (
        "[export.'aws:us-east-1']",
        "is for a provider, and not for one of its targets",
    ),
    "a spool that is no bus's": ("on_all_down = 'spool'", "unknown key on_all_down"),
    "another word for all down": ("[buses.b]\non_all_down = 'drop'", "one of spool, raise"),
    "two places of a spool": ("[spool]\npath = 'x'\ntarget = 'postgres'", "remove one of them"),
    "a target of a spool on a volume": ("[spool]\nvolume = true\ntarget = 'aws'", "'volume'"),
    "a spool without room": ("[spool]\nmax_events = 0", "a whole number from 1"),
    "a spool of half an event": ("[spool]\nmax_bytes = 0.5", "a whole number from 1"),
    "an event that is always too old": ("[spool]\nmax_age = 0", "from 1 second to 366 days"),
    "an age in words": ("[spool]\nmax_age = '7d'", "a number of seconds"),
    "a misspelt key of the spool": ("[spool]\nmax_event = 1", "did you mean 'max_events'"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file_is_refused(case: str, tmp_path: Path) -> None:
    """The message names the file, the key and the remedy."""
    text, words = FILES[case]
    path = tmp_path / "leeward.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"(?s){words}") as caught:
        load_config(file=path, env={})
    assert str(path) in str(caught.value)


# environment, words of the message
ENVIRONMENTS: dict[str, tuple[dict[str, str], str]] = {
    "order with a hole": ({"CLOUD_PROVIDER": "aws,"}, "CLOUD_PROVIDER has an empty entry"),
    "provider is a blank": ({"CLOUD_PROVIDER": " "}, "CLOUD_PROVIDER has an empty entry"),
    "provider is a URL": ({"CLOUD_PROVIDER": "https://aws"}, "CLOUD_PROVIDER cannot read"),
    "provider twice": ({"CLOUD_PROVIDER": "aws,aws"}, "CLOUD_PROVIDER names 'aws' twice"),
    "config is nowhere": ({"LEEWARD_CONFIG": "/nowhere.toml"}, "LEEWARD_CONFIG names.*no such"),
    "data target is unknown": (
        {"LEEWARD_DATA_TARGET": "lokal:a"},
        "LEEWARD_DATA_TARGET: unknown provider 'lokal'; did you mean 'local'",
    ),
    "data target is a list": (
        {"LEEWARD_DATA_TARGET": "aws,google"},
        "LEEWARD_DATA_TARGET cannot read",
    ),
}


@pytest.mark.parametrize("case", ENVIRONMENTS)
def test_a_bad_environment_is_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable."""
    monkeypatch.chdir(tmp_path)
    env, words = ENVIRONMENTS[case]
    with pytest.raises(ConfigError, match=words):
        load_config(env=env)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ("aws", r'pip install "leeward\[aws\]"'),
        ("azure", r'pip install "leeward\[azure\]"'),
        ("gcp", r'pip install "leeward\[google\]"'),
        ("awss", "did you mean 'aws'.*known: .*local"),
        ("ibm", "unknown provider 'ibm'; known: .*local"),
    ],
)
def test_an_adapter_that_is_not_there(
    targets: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown provider gets the known names; one that is not installed, the pip line."""
    monkeypatch.setattr(registry, "entry_points", lambda group: [])
    monkeypatch.setattr(registry, "all_entry_points", lambda group: [])
    with pytest.raises(ConfigError, match=words):
        Client(targets, config=Config())


@each_row("targets", [7, b"local", {"a": 1}, [Scripted("a"), "b"], lambda: None])
def test_targets_of_another_type_are_refused(targets: Any) -> None:
    """What is neither an order nor a driver is named by its type."""
    with pytest.raises(ConfigError, match="targets is not a driver but of type.*local:a,local:b"):
        Client(targets, config=Config())


@pytest.mark.parametrize("targets", [Local, [Local], object])
def test_a_class_in_the_place_of_a_driver_is_refused(targets: Any) -> None:
    """Who forgets the brackets is told so."""
    with pytest.raises(ConfigError, match="targets is the class .*; call it to make a driver"):
        Client(targets, config=Config())


@pytest.mark.parametrize("opened", [None, {}, Local])
def test_an_adapter_that_opens_no_driver_is_named(
    opened: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is the adapter's, not the order's."""
    monkeypatch.setattr("leeward.local.open_driver", lambda config: opened)
    with pytest.raises(ConfigError, match="what the adapter 'local' opened for local is") as caught:
        Client("local", config=Config())
    assert "local:a,local:b" not in str(caught.value)


@pytest.mark.parametrize("config", [7, b"leeward.toml", "\0", "\ud800"])
def test_a_config_that_names_no_file_is_refused(config: Any) -> None:
    """Whatever cannot be a path says so."""
    with pytest.raises(ConfigError, match="config must be a path|cannot read"):
        Client("local", config=config)


@each_row("app", [None, App("shop")])
def test_a_driver_of_another_kind_is_refused(app: App | None) -> None:
    """Also one that has all members of a `Driver`; and one that lacks a name, or what it can do."""

    class Half(Driver):
        target = "half"
        perform = None  # type: ignore[assignment]

    members = {name: getattr(Driver, name, None) for name in dir(Driver)[::-1] if name[0] != "_"}
    alike = type("Alike", (), members | {"target": "a", "capabilities": set(), "limits": None})()
    with pytest.raises(ConfigError, match="type Alike, which is not derived from leeward.adapter"):
        Client(alike, config=Config(), app=app)
    with pytest.raises(ConfigError, match="lacks capabilities, limits"):
        Client(Half(), config=Config(), app=app)
