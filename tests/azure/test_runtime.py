"""An app on Azure: Microsoft's own worker, the host of the tests, and a delivery of every kind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from leeward import App
from leeward.errors import ConfigError
from leeward_azure.runtime.inputs import SECONDS, UNLIMITED, limit_of
from tests.house.workspace import ROOT
from tests.servers.answering import Answer, Executed
from tests.servers.azure.worker_process import FunctionsWorker, Raised, Route
from tests.servers.deploying import deploy, log_all
from tests.servers.installed import NotInstalled, executable
from tests.servers.process import ServerDied

CANARY = "canary-8e03"
EVERY = (ROOT / "tests/app/deployed/every.py").read_text(encoding="utf-8")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop",
    "type": "order.created",
    "time": "2026-01-31T12:00:00Z",
    "subject": "42",
    "traceparent": TRACE,
    "datacontenttype": "application/json",
    "data": {"id": "42"},
}
SCHEMA: dict[str, Any] = {
    "id": "g-1",
    "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
    "subject": "/blobServices/default/containers/c/blobs/b.txt",
    "eventType": "order.created",
    "eventTime": "2026-01-31T12:00:00Z",
    "dataVersion": "1",
    "metadataVersion": "1",
    "data": {"api": "PutBlob"},
}
"""An event in the schema of Event Grid, which has no `specversion`."""


class Deployed:
    """The functions of an app, on one of the workers."""

    def __init__(self, worker: FunctionsWorker) -> None:
        self.worker = worker
        self.functions = {each.name: each for each in worker.functions()}

    def call(self, name: str, payload: Any, body: bytes | None = None, **headers: str) -> Answer:
        """Call a function with HTTP."""
        named = {"Content-Type": "application/json"}
        named |= {key.replace("_", "-"): value for key, value in headers.items()}
        data = json.dumps(payload).encode() if body is None else body
        request = Executed("POST", f"/api/{name}", tuple(named.items()), data)
        url = f"https://shop.azurewebsites.net/api/{name}?code=secret"
        return self.worker.by_http(self.functions[name], request, url, Route({}, {"code": "s"}))

    def queue(self, name: str, body: bytes, **metadata: str) -> None:
        """Deliver a message of a Storage queue."""
        told = {"Id": "m-1", "DequeueCount": "2", **metadata}
        self.worker.by_queue(self.functions[name], body, told)

    def service_bus(self, name: str, body: bytes, properties: Mapping[str, Any]) -> None:
        """Deliver a message of Service Bus."""
        told = {"MessageId": "m-2", "DeliveryCount": "3", "EnqueuedTimeUtc": "2026-01-31T12:00:00Z"}
        told["ApplicationProperties"] = json.dumps(properties)
        self.worker.by_service_bus(self.functions[name], body, told)

    def event(self, name: str, event: Any) -> None:
        """Deliver an event of Event Grid."""
        self.worker.by_event(self.functions[name], event)

    def seen(self) -> Any:
        """Return what handlers were given since the last look."""
        return json.loads(self.call("seen", {}).body)


def code(folder: Path, options: str = "", app: str = EVERY) -> Path:
    """Write what is deployed; the entry file has two lines besides the empty one."""
    made = deploy(folder, "azure", {"every.py": app}, "every")
    line = f'function_app = shop.handler("azure"{options})'
    (made / "function_app.py").write_text(f"from every import app as shop\n\n{line}\n")
    (made / "host.json").write_text('{"version": "2.0", "functionTimeout": "00:05:00"}')
    return made


@pytest.fixture(scope="module", params=["library", "runtime"])
def runtime(request: pytest.FixtureRequest) -> bool:
    """Return whether functions run on Microsoft's own worker, or on the one of the tests' host."""
    is_runtime: bool = request.param == "runtime"
    if is_runtime:
        try:
            executable("azure-functions-runtime", "python")
        except NotInstalled:
            pytest.skip("Microsoft's own worker needs Python 3.13")
    return is_runtime


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory, runtime: bool) -> Iterator[Deployed]:
    """Deploy the app once for each worker."""
    made = code(tmp_path_factory.mktemp("azure") / "code", ', service_bus={"raw": "SERVICE_BUS"}')
    with FunctionsWorker(made, {}, runtime=runtime) as worker:
        yield Deployed(worker)


@pytest.fixture
def nothing_left(function: Deployed) -> None:
    """Forget what other tests have left."""
    function.seen()


pytestmark = pytest.mark.usefixtures("nothing_left")


def test_each_handler_is_a_function_with_its_trigger(function: Deployed) -> None:
    """Under its own name, and a warm-up where the app has something to make."""
    found = {name: each.trigger for name, each in function.functions.items()}
    kinds = {name: each["type"] for name, each in found.items()}
    assert kinds == {
        **dict.fromkeys(("seen", "echo", "order", "later", "fail"), "httpTrigger"),
        "leeward-health": "httpTrigger",
        **dict.fromkeys(("created", "stored", "arrive-directly"), "eventGridTrigger"),
        **dict.fromkeys(("send", "arrive"), "queueTrigger"),
        "raw": "serviceBusTrigger",
        "sweep": "timerTrigger",
        "warmup": "warmupTrigger",
    }
    assert (found["order"]["route"], found["order"]["authLevel"]) == ("order", "FUNCTION")
    health = found["leeward-health"]
    assert (health["route"], health["authLevel"]) == ("health", "ANONYMOUS")
    answer = function.call("leeward-health", None)
    assert (answer.status, answer.body) == (200, b'{"status":"ok"}')
    assert found["send"]["queueName"] == "parcels"
    assert found["send"]["connection"] == "AzureWebJobsStorage"
    assert found["raw"]["connection"] == "SERVICE_BUS"
    assert found["sweep"]["schedule"] == "0 */5 * * * *"


def test_a_call_is_answered(function: Deployed) -> None:
    """With any JSON, the mark, and what came beside it."""
    payloads: list[Any] = [None, 1.5, "é", [], {"specversion": "1.0"}]
    for payload in payloads:
        answer = function.call("echo", payload)
        assert (answer.status, json.loads(answer.body)) == (200, payload)
        headers = {name.lower(): value for name, value in answer.headers}
        assert (headers["x-leeward"], headers["content-type"]) == ("1", "application/json")
    answer = function.call("order", {"id": "42"}, IDEMPOTENCY_KEY='"k-1"', traceparent="00-a")
    told = json.loads(answer.body)
    assert told == {"order": {"id": "42", "qty": 1}, "left": True, "opened": True}
    assert json.loads(function.call("later", [1]).body) == [1]
    assert function.seen()[-1][1:] == ["42", "k-1", None, "azure", "00-a"]


def test_a_failure_has_a_status_and_the_mark(function: Deployed) -> None:
    """It tells its class, and a text that was written for the caller; nothing of the input."""
    table: list[tuple[Answer, int, dict[str, Any]]] = [
        (function.call("fail", {"problem": 1}), 409, {"reason": "sold_out", "retryable": False}),
        (function.call("fail", {"canary": CANARY}), 500, {"errorType": "ValueError"}),
        (function.call("fail", {"canary": CANARY, "exit": 1}), 500, {"errorType": "SystemExit"}),
        (function.call("order", {"id": [CANARY]}), 400, {"path": "$.id", "expected": "str"}),
        (function.call("order", {}, b"{canary"), 400, {"path": "$"}),
        (function.call("order", {"id": "1"}, x_leeward_deadline_ms="0"), 503, {"ran": "no"}),
    ]
    for answer, status, told in table:
        assert answer.status == status
        assert ("x-leeward", "1") in [(name.lower(), value) for name, value in answer.headers]
        assert told.items() <= json.loads(answer.body).items()
        assert CANARY.encode() not in answer.body
    assert function.seen() == []


@pytest.mark.threat("S17")
def test_what_a_caller_forges_stays_a_call(function: Deployed) -> None:
    """Each trigger is a function of its own; headers and bodies change neither kind nor key."""
    for body in (EVENT, SCHEMA, {"x-leeward": "1", "value": 1}):
        answer = function.call("echo", body, x_leeward="1", x_leeward_dedup="group", ce_type="x")
        assert (answer.status, json.loads(answer.body)) == (200, body)
        assert "x-leeward-dedup" not in {name.lower() for name, _ in answer.headers}
    assert [each[:4] for each in function.seen()] == [["echo", None, "", None]] * 3


def test_messages_of_queues_are_handled_or_come_again(function: Deployed) -> None:
    """A failure is raised, so that the host counts it; a success returns nothing."""
    function.queue("send", b'{"n": 1}')
    function.service_bus("raw", b"x", {"Idempotency-Key": "k", "traceparent": "00-t", "n": 1})
    function.service_bus("raw", b"", {"Diagnostic-Id": "00-d"})
    for body in (b'{"fail": true}', b"{"):
        with pytest.raises(Raised):
            function.queue("send", body)
    properties = {"idempotency-key": "k", "traceparent": "00-t"}
    assert function.seen()[:3] == [
        ["send", {"n": 1}, "m-1", 2, "azure", None],
        ["raw", ["raw", "x", properties], "k", 3, "azure", "00-t"],
        ["raw", ["raw", "", {"diagnostic-id": "00-d"}], "m-2", 3, "azure", "00-d"],
    ]


def test_a_handler_of_the_pool_knows_its_trace(function: Deployed, runtime: bool) -> None:
    """Microsoft's worker attaches it on its event loop alone; the context has it."""
    if runtime:
        metadata = {"Id": "m-1", "DequeueCount": "1"}
        function.worker.by_queue(function.functions["send"], b"{}", metadata, trace=TRACE)
        assert function.seen() == [["send", {}, "m-1", 1, "azure", TRACE]]


def test_events_of_both_schemas_reach_their_subscriber(function: Deployed) -> None:
    """Whichever the function is told about; one of another type is acknowledged."""
    function.event("created", EVENT)
    function.event("created", SCHEMA)
    function.event("created", {**EVENT, "data": None, "data_base64": "AAE="} | {"type": "other"})
    blob = {**EVENT, "type": "blob", "data_base64": "AAE="}
    del blob["data"]
    function.event("stored", blob)
    assert function.seen() == [
        ["created", ["order.created", {"id": "42"}, "42"], "/shop#e-1", None, "azure", TRACE],
        [
            "created",
            ["order.created", {"api": "PutBlob"}, SCHEMA["subject"]],
            f"{SCHEMA['topic']}#g-1",
            None,
            "azure",
            None,
        ],
        ["stored", ["blob", "/shop", "42"], "/shop#e-1", None, "azure", TRACE],
    ]
    with pytest.raises(Raised):
        function.event("created", {**EVENT, "subject": "fail"})


def test_timers_and_warm_ups(function: Deployed) -> None:
    """A timer's time is the last at which it was due: a retry has the same key."""
    function.worker.by_warm_up(function.functions["warmup"])
    function.worker.by_timer(function.functions["sweep"])
    ((name, time, key, *_),) = function.seen()
    assert (name, key) == ("sweep", f"sweep#{time}")
    assert time.endswith(("0:00+00:00", "5:00+00:00"))


@pytest.mark.threat("S8")
def test_the_host_is_told_nothing_of_a_call(tmp_path: Path, runtime: bool) -> None:
    """Neither text nor cause of an exception: what leeward and the worker write, on every level."""
    made = log_all(code(tmp_path / "code"), "azure")
    with FunctionsWorker(made, {}, runtime=runtime) as worker:
        function = Deployed(worker)
        function.call("fail", {"canary": CANARY}, X_Canary=CANARY, Idempotency_Key=CANARY)
        function.call("order", {"id": [CANARY]})
        for body in (b'{"fail": "canary-8e03"}', b"canary-8e03"):
            with pytest.raises(Raised):
                function.queue("send", body)
        with pytest.raises(Raised):
            function.event("created", {**EVENT, "subject": "fail", "data": CANARY})
        log = worker.log()
    assert log.count("handler_failed") == 5
    assert re.search(r"error='\w+'.* at='[^']*every.py:\d+ \w+", log)
    assert "InvalidInput: bad_input" in log
    assert CANARY not in log


def test_what_would_make_the_app_vanish_is_refused_early() -> None:
    """A name that the runtime takes for itself, and options that there are not."""
    for first in ("warmup", "order-queued"):
        app = App("shop")
        app.warm(int)
        app.function(name="order", queued=True)(len)
        app.function(name=first)(len)
        with pytest.raises(ConfigError, match=f"has a handler '{first}'"):
            app.handler("azure")
    app = App("shop")
    for options, message in (
        ({"auth_level": "none"}, "known: anonymous, function, admin"),
        ({"target": "x"}, "known: auth_level, dead_letters, service_bus, storage"),
    ):
        with pytest.raises(ConfigError, match=message):
            app.handler("azure", **options)


def test_the_entry_file_binds_one_app(tmp_path: Path, runtime: bool) -> None:
    """Two names of one app are two to Microsoft's worker, which then finds no function at all."""
    made = code(tmp_path / "code")
    with (made / "function_app.py").open("a") as file:
        file.write("app = function_app\n")
    with pytest.raises(ServerDied, match="More than one" if runtime else "too many values"):
        FunctionsWorker(made, {}, runtime=runtime).__enter__()


def test_the_time_limit_is_that_of_the_settings(tmp_path: Path) -> None:
    """The variable goes before host.json; without either it is the shortest that there is."""
    host = tmp_path / "host.json"
    assert limit_of(None, host) == SECONDS
    host.write_text('{"functionTimeout": "1.02:03:04"}')
    assert limit_of(None, host) == 86_400 + 2 * 3600 + 3 * 60 + 4
    assert limit_of("00:00:30", host) == 30.0
    assert limit_of("-1", host) == UNLIMITED
    for text in ("[]", "{", '{"functionTimeout": 3}', '{"functionTimeout": "soon"}'):
        host.write_text(text)
        assert limit_of(None, host) == SECONDS
