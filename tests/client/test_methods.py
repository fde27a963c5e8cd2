"""The methods of the client over a scripted driver: calls that go in, receipts that come out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from leeward import (
    AllTargetsUnavailable,
    App,
    AuthError,
    Client,
    Config,
    ConfigError,
    Conflict,
    Effect,
    Event,
    FunctionError,
    HomeUnavailable,
    InvalidRequest,
    LeewardError,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    Promise,
    TargetUnavailable,
    TargetUnusable,
    Throttled,
    Unsupported,
)
from leeward.adapter import Capability, Driver, Limits, TargetConfig
from leeward.calls import (
    Call,
    Enqueue,
    FunctionFault,
    Invoke,
    Key,
    Load,
    Publish,
    Result,
    Store,
    Stored,
)
from leeward.config import FunctionConfig, TableConfig
from leeward.errors import Outcome
from leeward.local import open_driver
from leeward.testing import FakeClock, FaultyDriver
from leeward_contract_tests.rows import each_row
from tests.scripted import (
    AMBIGUOUS,
    AUTH,
    CALLER,
    CONFLICT,
    LOCAL,
    NOT_FOUND,
    NOT_SENT,
    OK,
    REJECTED,
    UNUSABLE,
    Scripted,
)


def client(
    *drivers: Driver, config: Config | None = None, clock: FakeClock | None = None
) -> Client:
    return Client(drivers, config=config or Config(), clock=clock or FakeClock())


def published(count: int = 1) -> Result[tuple[Result[None], ...]]:
    return Result.ok((OK,) * count)


def test_a_key_is_minted_for_each_call() -> None:
    """Two calls never share a key that nobody gave."""
    driver = Scripted("a")
    keys = {client(driver).invoke("f").idempotency_key for _ in range(50)}
    assert len(keys) == 50


def test_the_configured_effect_counts_unless_the_call_says_otherwise() -> None:
    """Per call or per function."""
    driver = Scripted("a")
    config = Config(functions={"f": FunctionConfig(Effect.KEYED, shared_dedup=True)})
    with client(driver, config=config) as cloud:
        cloud.invoke("f")
        cloud.invoke("f", effect="read_only")
        cloud.enqueue("f", effect=Effect.IDEMPOTENT)
    effects = [call.effect for call in driver.calls if isinstance(call, Invoke | Enqueue)]
    assert effects == [Effect.KEYED, Effect.READ_ONLY, Effect.IDEMPOTENT]


def test_deadlines_have_defaults_by_verb() -> None:
    """60 s for invoke, 10 s for events and queueing, 15 s for data."""
    driver = Scripted("a", OK, OK, published(), Result.ok("r"))
    with client(driver) as cloud:
        cloud.invoke("f")
        cloud.enqueue("f", effect="unsafe")
        cloud.publish_event("b", "t", timeout=100)
        cloud.store_data("t", {"id": "1"})
    assert driver.timeouts == pytest.approx([60.0, 10.0, 60.0, 9.0])


def test_what_is_a_queue_is_known_of_the_app_or_of_the_configuration() -> None:
    """A target that could call a function instead is told; what is configured counts first."""
    app = App("shop")
    app.on_message("mails", name="send")(print)
    app.function(name="f", queued=True)(print)
    for config, told in (
        (Config(), [True, False]),
        (Config(functions={"mails": FunctionConfig(queue=False)}), [False, False]),
        (Config(functions={"f": FunctionConfig(queue=True)}), [True, True]),
    ):
        driver = Scripted("a")
        with Client([driver], config=config, app=app) as cloud:
            cloud.enqueue("mails")
            cloud.enqueue("f")
        assert [each.to_queue for each in driver.calls if isinstance(each, Enqueue)] == told


def test_an_event_is_minted_once() -> None:
    """Id, source and time are the same on every attempt and on every target."""
    clock = FakeClock()
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b", published())
    receipt = client(a, b, clock=clock).publish_event("orders", "order.created", {"id": "42"})
    sent = [call.events[0] for call in a.calls + b.calls if isinstance(call, Publish)]
    assert len(sent) == 3
    assert len(set(map(id, sent))) == 1
    assert (sent[0].id, sent[0].source) == (receipt.id, "leeward")
    assert sent[0].time == datetime.fromtimestamp(1_750_000_000, UTC)
    assert (receipt.promise, receipt.target) == (Promise.PUBLISHED, "b")


def test_what_an_event_says_of_itself_is_kept() -> None:
    """Given attributes are not overwritten."""
    driver = Scripted("a", published())
    time = datetime(2026, 1, 1, tzinfo=UTC)
    client(driver, config=Config(source="shop")).publish_event(
        "b", "t", b"raw", subject="s", id="e-1", time=time, ordering_key="k"
    )
    assert driver.calls == [
        Publish("b", (Event("t", b"raw", "e-1", "shop", time, "s", "k"),)),
    ]


def test_a_batch_is_split_by_the_smallest_limits() -> None:
    """Number and bytes of every target's request are respected."""
    a = Scripted("a", published(2), published(2), published(1), limits=Limits(batch_events=2))
    report = client(a).publish_events("b", [Event("t", index) for index in range(5)])
    assert [len(call.events) for call in a.calls if isinstance(call, Publish)] == [2, 2, 1]
    assert [entry.promise for entry in report.entries] == [Promise.PUBLISHED] * 5
    big = Scripted("a", published(1), published(1), limits=Limits(batch_bytes=300))
    client(big).publish_events("b", [Event("t", "x" * 100)] * 2)
    assert len(big.calls) == 2


def test_a_request_holds_one_ordering_key() -> None:
    """Events of another key, or of none, go in a request of their own, in the order given."""
    keys = ["k", "k", None, None, "other", "k"]
    a = Scripted("a", published(2), published(2), published(1), published(1))
    client(a).publish_events("b", [Event("t", ordering_key=key) for key in keys])
    sent = [
        [event.ordering_key for event in call.events]
        for call in a.calls
        if isinstance(call, Publish)
    ]
    assert sent == [["k", "k"], [None, None], ["other"], ["k"]]


def test_a_report_names_each_failure_in_order() -> None:
    """Entries keep their order; the error of each is at hand."""
    wrong: Result[None] = Result(Outcome.CALLER, code="MalformedDetail")
    report = client(Scripted("a", Result.ok((OK, wrong)))).publish_events(
        "b", [Event("t", id="1"), Event("t", id="2")]
    )
    assert [entry.id for entry in report.failed] == ["2"]
    assert isinstance(report.failed[0].error, InvalidRequest)
    assert report.failed[0].error.code == "MalformedDetail"
    with pytest.raises(InvalidRequest):
        report.raise_if_failed()
    assert client(Scripted("a")).publish_events("b", []).entries == ()


def test_nothing_overtakes_a_failed_event_of_its_key() -> None:
    """After a failure, later requests of the batch leave out events of that ordering key."""
    events = [
        Event("t", id="1", ordering_key="k"),
        Event("t", id="2", ordering_key="k"),
        Event("t", id="3", ordering_key="other"),
    ]
    a = Scripted("a", CALLER, published(1), limits=Limits(batch_events=1))
    report = client(a).publish_events("b", events)
    sent = [call.events[0].id for call in a.calls if isinstance(call, Publish)]
    assert sent == ["1", "3"]
    held = report.entries[1].error
    assert type(held) is Overloaded
    assert (held.reason, held.attempts) == ("held_back", ())
    assert report.entries[2].promise is Promise.PUBLISHED


def test_a_batch_has_one_deadline() -> None:
    """What there is no time for is not sent, and says so."""
    clock = FakeClock()

    class Slow(Scripted):
        def perform(self, call: Call, timeout: float) -> Result[Any]:
            clock.advance(6.0)
            return super().perform(call, timeout)

    slow = Slow("a", *[published(1)] * 3, limits=Limits(batch_events=1))
    report = client(slow, clock=clock).publish_events("b", [Event("t")] * 3, timeout=10)
    assert [entry.promise for entry in report.entries] == [
        Promise.PUBLISHED,
        Promise.PUBLISHED,
        None,
    ]
    error = report.entries[2].error
    assert error is not None
    assert error.reason == "deadline"


def test_store_carries_key_condition_and_expiry() -> None:
    """The key is taken from the item; the write id is fresh; expiry is absolute."""
    driver = Scripted("a", Result.ok("r-1"))
    item = {"id": "42", "total": Decimal("9.90")}
    receipt = client(driver).store_data(
        "orders", item, if_revision="r-0", expires_in=timedelta(hours=1)
    )
    (call,) = driver.calls
    assert isinstance(call, Store)
    assert call.key == Key(("id",), ("42",))
    assert (call.if_revision, call.expires_at) == ("r-0", 1_750_003_600.0)
    assert (receipt.promise, receipt.revision, receipt.resolved) == (
        Promise.COMMITTED,
        "r-1",
        False,
    )


def test_an_item_that_is_changed_later_changes_no_call() -> None:
    """A call keeps the item as it was checked, whoever puts other members into the caller's."""
    driver = Scripted("a")
    item: dict[str, Any] = {"id": "42"}
    client(driver).store_data("orders", item)
    item["id"] = object()
    (call,) = driver.calls
    assert isinstance(call, Store)
    assert call.item == {"id": "42"}


def test_composite_keys() -> None:
    """A key of two fields is taken from the item, or given as a mapping in any order."""
    driver = Scripted("a", Result.ok("r"), Result.ok(None))
    cloud = client(driver, config=Config(tables={"t": TableConfig(("customer", "order"))}))
    cloud.store_data("t", {"order": "42", "customer": "c1"})
    assert cloud.load_data("t", {"order": "42", "customer": "c1"}) is None
    key = Key(("customer", "order"), ("c1", "42"))
    assert [call.key for call in driver.calls if isinstance(call, Store | Load)] == [key, key]


def test_the_item_of_another_key_is_refused() -> None:
    """A changed request or answer gives no foreign item out; what others wrote is marked."""
    wrong = Stored({"id": "107"}, "r")
    cloud = client(Scripted("a", *map(Result.ok, (wrong, wrong._replace(foreign=True)))))
    with pytest.raises(TargetUnusable, match="the item of another key"):
        cloud.load_data("t", "109")
    record = cloud.load_data("t", "109")
    assert record is not None
    assert record.foreign


TOO_LARGE: Result[None] = Result(Outcome.CALLER, reason="payload_too_large")
APP: Result[None] = Result(
    Outcome.APP_ERROR, fault=FunctionFault("ValueError", "secret", ("at x",))
)


@each_row(
    "script, kind",
    [
        ([LOCAL] * 3, Overloaded),
        ([NOT_SENT] * 3, TargetUnavailable),
        ([REJECTED] * 3, Throttled),
        ([UNUSABLE], TargetUnusable),
        ([AMBIGUOUS], OutcomeUnknown),
        ([APP], FunctionError),
        ([CALLER], InvalidRequest),
        ([TOO_LARGE], PayloadTooLarge),
        ([AUTH], AuthError),
        ([NOT_FOUND], NotFound),
        ([CONFLICT], Conflict),
    ],
)
def test_each_outcome_has_its_exception(
    script: list[Result[None]], kind: type[LeewardError]
) -> None:
    """One class for each, with target, attempts and a message that says what to do."""
    with pytest.raises(LeewardError) as caught:
        client(Scripted("a", *script)).invoke("f")
    assert type(caught.value) is kind
    assert caught.value.target == "a"
    assert caught.value.attempts
    assert "invoke 'f' on a" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_all_targets_down_has_its_own_exception() -> None:
    """It is a TargetUnavailable too, so one except clause is enough."""
    a, b = Scripted("a", NOT_SENT, NOT_SENT), Scripted("b", REJECTED)
    with pytest.raises(AllTargetsUnavailable) as caught:
        client(a, b).invoke("f")
    assert "on a, b" in str(caught.value)


def test_a_home_that_is_down_is_not_an_absent_item() -> None:
    """Reads and writes say HomeUnavailable, never 'not found'."""
    with pytest.raises(HomeUnavailable):
        client(Scripted("a", NOT_SENT, NOT_SENT)).load_data("t", "1")


def test_an_unknown_outcome_says_what_to_do() -> None:
    """The key to look for is in the message and on the exception."""
    with pytest.raises(OutcomeUnknown, match="Find out what happened.*k-1") as caught:
        client(Scripted("a", AMBIGUOUS)).invoke("charge", idempotency_key="k-1")
    assert (caught.value.idempotency_key, caught.value.executed) == ("k-1", None)
    lost: Result[None] = Result(Outcome.AMBIGUOUS, executed=True)
    with pytest.raises(OutcomeUnknown, match="ran, but its answer was lost or cannot be read"):
        client(Scripted("a", lost)).invoke("charge")
    with pytest.raises(OutcomeUnknown, match="Nothing was changed; load again"):
        client(Scripted("a", *[AMBIGUOUS] * 3)).load_data("t", "1")


def test_the_native_cause_is_kept() -> None:
    """What the vendor's library raised is one attribute away."""
    native = TimeoutError("read timed out")
    with pytest.raises(OutcomeUnknown) as caught:
        client(Scripted("a", Result(Outcome.AMBIGUOUS, cause=native))).invoke("f")
    assert caught.value.__cause__ is native


def test_a_refusal_by_the_adapter_keeps_its_class() -> None:
    """What an adapter refuses before sending is raised as it is, with the attempts."""
    with pytest.raises(InvalidRequest) as caught:
        client(Scripted("a", InvalidRequest("too odd", field="item['x']"))).invoke("f")
    assert (caught.value.field, caught.value.target) == ("item['x']", "a")
    assert len(caught.value.attempts) == 1


def test_a_function_that_raises_leewards_own_error_has_run() -> None:
    """Its exception is not taken for one about the call itself."""
    inner = TargetUnavailable("the function's own call failed")
    raised: Result[None] = Result(Outcome.APP_ERROR, cause=inner)
    with pytest.raises(FunctionError) as caught:
        client(Scripted("a", raised)).invoke("outer")
    assert caught.value.__cause__ is inner
    assert inner.attempts == ()


def test_a_closed_client_says_so() -> None:
    """Nothing is sent, and nothing is waited for."""
    driver = Scripted("a")
    cloud = client(driver)
    cloud.close()
    with pytest.raises(LeewardError, match="closed.*open a new one"):
        cloud.invoke("f")
    assert driver.calls == []


def test_a_configuration_without_an_order_has_the_default_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded target, as with no configuration at all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOUD_PROVIDER", raising=False)
    with Client(config=Config()) as cloud:
        assert [target.name for target in cloud.targets()] == ["local"]


def test_a_missing_capability_is_refused_before_anything_is_sent() -> None:
    """The message names the target and the remedy."""
    some = frozenset(Capability) - {Capability.ENQUEUE, Capability.ORDERING}
    a, b = Scripted("a", capabilities=some), Scripted("b", capabilities=some)
    with pytest.raises(Unsupported, match="a does not support enqueue.*use invoke") as caught:
        client(a, b).enqueue("f")
    assert caught.value.target == "a"
    assert "does not support enqueue; nothing was sent" in str(caught.value)  # the word once
    c = Scripted("c")
    ordering = "b does not support ordering, which this publish needs; .*without ordering_key"
    with pytest.raises(Unsupported, match=ordering):
        client(c, b).publish_event("bus", "t", None, ordering_key="k")
    assert not a.calls + b.calls + c.calls


def test_a_target_that_cannot_serve_a_verb_takes_no_part_in_its_calls() -> None:
    """The others of the order serve it, and its limits count for none of them."""
    everything = frozenset(Capability)
    small = Limits(payload_bytes=10, queued_bytes=10, event_bytes=10)
    store = Scripted(
        "store",
        capabilities=everything - {Capability.INVOKE, Capability.ENQUEUE, Capability.PUBLISH},
        limits=small,
    )
    a, b = Scripted("a", NOT_SENT), Scripted("b", capabilities=everything - {Capability.ENQUEUE})
    cloud = client(store, a, b, config=Config(data_target="store"))
    attempts = cloud.invoke("f", "x" * 100).attempts
    assert {attempt.target for attempt in attempts} <= {"a", "b"}
    assert cloud.enqueue("f", "x" * 100).target == "a"
    assert cloud.store_data("t", {"id": "1"}).target == "store"
    assert [call.verb for call in store.calls] == ["store"]


def test_a_target_that_is_not_configured_for_a_verb_is_no_silent_loss() -> None:
    """It could serve as a fallback, so a forgotten setting is refused and not passed over."""

    class Bare(Scripted):
        missing = MappingProxyType({Capability.INVOKE: "set a region"})

    bare = Bare("b", capabilities=frozenset(Capability) - {Capability.INVOKE})
    with pytest.raises(Unsupported, match="'invoke' is not configured for 'b': set a region"):
        client(Scripted("a"), bare).invoke("f")


def test_a_wrapped_target_says_what_it_misses() -> None:
    """Own names before it, or a wrapper around it, take nothing of the message away."""

    class Bare(Scripted):
        missing = MappingProxyType({Capability.ENQUEUE: "set a queue"})

    config = Config(functions={"f": FunctionConfig(names={"a": "own"})})
    driver = FaultyDriver(Bare("a", capabilities=frozenset({Capability.INVOKE})))
    with pytest.raises(Unsupported, match="'enqueue' is not configured for 'a': set a queue"):
        client(driver, config=config).enqueue("f")


def test_a_limit_names_its_target() -> None:
    """Of an order, the one that takes the least is named."""
    least = Limits(
        payload_bytes=10,
        queued_bytes=9,
        event_bytes=800,
        attribute_bytes=50,
        item_bytes=500,
        nesting=3,
        key_bytes=20,
    )
    a, b = Scripted("a"), Scripted("b", limits=least)
    cloud = client(a, b, config=Config(data_target="a"))
    with pytest.raises(PayloadTooLarge, match="22 bytes of JSON, and b takes at most 10;"):
        cloud.invoke("f", "x" * 20)
    with pytest.raises(PayloadTooLarge, match="22 bytes of JSON, and b takes at most 9;"):
        cloud.enqueue("f", "x" * 20)
    with pytest.raises(PayloadTooLarge, match="bytes, and b takes at most 500;"):
        cloud.store_data("t", {"id": "1", "x": "x" * 600})
    with pytest.raises(PayloadTooLarge, match="key has 21 bytes, and b takes at most 20;"):
        cloud.load_data("t", "x" * 21)
    with pytest.raises(PayloadTooLarge, match="bytes, and b takes at most 800;"):
        cloud.publish_event("b", "t", "x" * 800)
    with pytest.raises(PayloadTooLarge, match="and b takes at most 50 in an event attribute;"):
        cloud.publish_event("b", "x" * 60)
    with pytest.raises(PayloadTooLarge, match="deep, and b takes at most 3;"):
        cloud.store_data("t", {"id": "1", "x": {"x": {"x": {"x": 1}}}})
    assert not a.calls + b.calls


def test_a_number_of_the_library_s_gives_way_to_words() -> None:
    """It stays in `code`; where there are no words it is shown."""
    absent = Result[Any](Outcome.AMBIGUOUS, code="curl.6", message="no such host example.com")
    with pytest.raises(OutcomeUnknown, match=r"\(no such host example.com\)") as caught:
        client(Scripted("a", absent)).invoke("f")
    assert caught.value.code == "curl.6"
    with pytest.raises(OutcomeUnknown, match=r"\(curl.6\)"):
        client(Scripted("a", absent._replace(message=None))).invoke("f")


def test_data_needs_only_the_home_to_be_able() -> None:
    """Another target of the order may lack tables."""
    a = Scripted("a", capabilities=frozenset({Capability.INVOKE}))
    b = Scripted("b", Result.ok("r"))
    receipt = client(a, b, config=Config(data_target="b")).store_data("t", {"id": "1"})
    assert receipt.target == "b"


def test_names_are_mapped_for_each_target() -> None:
    """Logical names become the target's own; the whole name wins over the provider's."""
    config = Config(
        functions={"f": FunctionConfig(names={"x": "f-everywhere", "x:2": "f-two"})},
        tables={"t": TableConfig(names={"x:1": "prod-t"}, home="x:1")},
    )
    one, two = Scripted("x:1", NOT_SENT, NOT_SENT, Result.ok("r")), Scripted("x:2")
    cloud = client(one, two, config=config)
    cloud.invoke("f")
    cloud.invoke("other")
    cloud.store_data("t", {"id": "1"})
    functions = [call.function for call in one.calls + two.calls if isinstance(call, Invoke)]
    assert functions == ["f-everywhere", "f-everywhere", "other", "f-two"]
    assert [call.table for call in one.calls if isinstance(call, Store)] == ["prod-t"]


def test_a_target_without_a_section_has_its_provider_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole name wins over the provider's, and messages name the section that counted."""
    seen: list[TargetConfig] = []

    def opened(config: TargetConfig) -> Scripted:
        seen.append(config)
        return Scripted(config.name)

    monkeypatch.setattr("leeward.local.open_driver", opened)
    options: dict[str, dict[str, Any]] = {"local": {"path": "all"}, "local:b": {"functions": {}}}
    Client("local:a,local:b", config=Config(options=options)).close()
    assert [each.options for each in seen] == [{"path": "all"}, {"functions": {}}]
    assert [each.section for each in seen] == ['[targets."local"]', '[targets."local:b"]']


def test_a_client_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but the environment, the embedded store serves, from its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLOUD_PROVIDER", "local:a")
    with Client() as cloud:
        cloud.store_data("orders", {"id": "42", "total": Decimal("9.90")})
    with Client() as cloud:
        record = cloud.load_data("orders", "42")
    assert record is not None
    assert record.item == {"id": "42", "total": Decimal("9.90")}
    assert record.target == "local:a"


def test_drivers_that_were_opened_are_closed_when_a_later_one_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A half-open order leaves nothing behind."""
    closed: list[str] = []
    opened = Scripted("local:a")
    monkeypatch.setattr(opened, "close", lambda: closed.append("a"))
    monkeypatch.setattr(
        "leeward.local.open_driver",
        lambda config: opened if config.name == "local:a" else open_driver(config),
    )
    config = Config(options={"local:b": {"paht": "x"}})
    with pytest.raises(ConfigError, match="unknown key 'paht'"):
        Client("local:a,local:b", config=config)
    assert closed == ["a"]


def test_a_name_that_is_nearly_a_known_one_is_named(tmp_path: Path) -> None:
    """Of a function, a bus and a table that a target does not have; nothing else is said of it."""
    app = App("shop")
    app.function(name="create-ticket")(print)
    file = tmp_path / "leeward.toml"
    file.write_text("[buses.tickets]\n[tables.orders]\n[functions.cancel-ticket]\n")
    calls: list[tuple[Callable[[Client], Any], str]] = [
        (lambda cloud: cloud.invoke("create_ticket"), "Did you mean 'create-ticket'?"),
        (lambda cloud: cloud.enqueue("cancel_ticket"), "Did you mean 'cancel-ticket'?"),
        (lambda cloud: cloud.publish_event("ticket", "t", {}), "Did you mean 'tickets'?"),
        (lambda cloud: cloud.load_data("order", "1"), "Did you mean 'orders'?"),
        (lambda cloud: cloud.store_data("order", {"id": "1"}), "Did you mean 'orders'?"),
        (lambda cloud: cloud.delete_data("order", "1"), "Did you mean 'orders'?"),
        (lambda cloud: cloud.invoke("create-ticket"), "in leeward.toml."),
        (lambda cloud: cloud.invoke("other"), "in leeward.toml."),
    ]
    missing = Scripted("a", *[NOT_FOUND] * len(calls))
    with Client(missing, config=file, app=app, clock=FakeClock()) as cloud:
        for call, told in calls:
            with pytest.raises(NotFound) as caught:
                call(cloud)
            assert str(caught.value).endswith(told)
    with client(Scripted("a", NOT_FOUND)) as bare, pytest.raises(NotFound, match=r"toml\.$"):
        bare.invoke("create_ticket")
