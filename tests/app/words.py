"""Handlers that do something, and then let a word pass that a call of their own has been told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from leeward import App, Client
from leeward.adapter import Driver
from leeward.adapter.repeats import read_failure
from leeward.app import Context, Problem
from leeward.app.context import call_within
from leeward.app.idempotency import idempotent
from leeward.app.idempotency.store import item_of, record_in
from leeward.app.serving import serve_functions
from leeward.app.signatures import IDEMPOTENCY
from leeward.calls import Invoke, Result
from leeward.cli.key_records import refuse_by_hand
from leeward.clock import SystemClock
from leeward.entropy import new_id
from leeward.envelope import custom_context, open_envelope, request_headers
from leeward.errors import (
    AuthError,
    DedupUnavailable,
    FunctionError,
    NotFound,
    OutcomeUnknown,
    TargetUnavailable,
)
from leeward.json_text import decode, encode
from leeward.local import Local
from tests.urls.served import ANYWHERE, target

ORDER: Final = {"id": "42"}
SECONDS: Final = 10.0
MARK: Final = "0123456789abcdef"


class Sold(Problem):
    """A problem that says of itself what it cannot know of its caller."""

    ran = "no"


class HostRefusal(Problem):
    """Another program's class of the name that a host uses."""


RAISED: Final[Mapping[str, Callable[[], Exception]]] = {
    "it has run": lambda: OutcomeUnknown("x", executed=True),
    "it may have run": lambda: OutcomeUnknown("x", reason="voided", retry_after=3.0),
    "no function": lambda: NotFound("x"),
    "no rights": lambda: AuthError("x"),
    "not sent": lambda: TargetUnavailable("x"),
    "no table": lambda: DedupUnavailable("x"),
    "did not run": lambda: FunctionError("x", ran="no", reason="voided", retryable=True),
    "ran": lambda: FunctionError("x", ran="yes", reason="not_kept"),
    "a problem": lambda: Sold("x", reason="sold_out"),
    "a problem without a function": lambda: Problem("x", reason="no_function"),
    "a host's": lambda: HostRefusal("x", reason="busy"),
}
"""What a call of another function raises, or a library."""


class Table:
    """A table with records of inner functions, each in a state of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def inner(self, state: str, body: Callable[..., Any] = lambda order: None, **more: Any) -> Any:
        """Return an inner idempotent function of this name."""
        given: dict[str, Any] = {"key": "order.id", "principal": None, **more}
        return idempotent(table="keys", name=f"inner-{state}", client=self.client, **given)(body)

    def decide(self, state: str, how: Callable[..., Any]) -> None:
        """Let a person decide what waits."""
        loaded = self.client.load_data("keys", f"inner-{state}:42")
        assert loaded is not None
        record = record_in(loaded, SystemClock()).record
        decided = record and how(record, "maria")
        assert decided is not None
        item = item_of(decided, f"inner-{state}:42", SystemClock())
        self.client.store_data("keys", item, if_revision=loaded.revision)

    def running(self) -> None:
        """Call what runs already."""

        def again(order: Any) -> None:
            inner(order)

        inner = self.inner("running", again)
        inner(ORDER)

    def unknown(self) -> None:
        """Call what has failed, and nobody knows how far it came."""

        def fail(order: Any) -> None:
            raise ConnectionError

        inner = self.inner("unknown", fail)
        with suppress(ConnectionError):
            inner(ORDER)
        inner(ORDER)

    def not_kept(self) -> None:
        """Call what has run, and whose result no table takes."""
        inner = self.inner("not-kept", lambda order: object())
        inner(ORDER)
        inner(ORDER)

    def voided(self) -> None:
        """Call what was settled as not run."""
        inner = self.inner("voided")
        clock = SystemClock()
        context = Context("inner", "", None, clock.monotonic() + SECONDS, clock)
        settled = call_within(context, getattr(inner, IDEMPOTENCY).settle, 1.0, (ORDER,), context)
        assert settled["verdict"] == "not_run"
        inner(ORDER)

    def pending(self) -> None:
        """Call what a person has to approve."""
        self.inner("pending", approval=True)(ORDER)

    def refused(self) -> None:
        """Call what a person has refused."""
        inner = self.inner("refused", approval=True)
        with suppress(Problem):
            inner(ORDER)
        self.decide("refused", refuse_by_hand)
        inner(ORDER)

    def reused(self) -> None:
        """Call with the key of another payload."""
        inner = self.inner("reused")
        inner(ORDER)
        inner({**ORDER, "total": 1})

    def keyless(self) -> None:
        """Call without a key."""
        self.inner("keyless", key="order.missing")(ORDER)

    def failed(self) -> None:
        """Call what has failed for good."""

        def fail(order: Any) -> None:
            raise ConnectionError

        inner = self.inner("failed", fail, failures="replay")
        with suppress(ConnectionError):
            inner(ORDER)
        inner(ORDER)


GUARDED: Final = (
    *("running", "unknown", "not_kept", "voided", "pending", "refused", "reused", "keyless"),
    "failed",
)
"""What an inner guard says: methods of `Table`."""

WORDS: Final = (*GUARDED, *RAISED)
OUTERS: Final = ("plain", "keyed", "guarded", "marked", "undone")


def app_of(client: Client, effects: list[str]) -> App:
    """Return an app of outer functions: each has an effect, and lets the word it is given pass."""
    app, table = App("words"), Table(client)

    def say(word: str) -> None:
        if word in RAISED:
            error = RAISED[word]()
            raise error
        getattr(table, word)()

    @app.function(name="plain")
    def plain(word: str) -> None:
        effects.append(word)
        say(word)

    @app.function(name="keyed", effect="keyed")
    def keyed(word: str) -> None:
        effects.append(word)
        say(word)

    def guard(name: str, body: Callable[..., Any], **more: Any) -> None:
        options: dict[str, Any] = {"name": name, "principal": None, "client": client, **more}
        guarded = idempotent(table="keys", **options)(body)
        app.function(name=name, effect="keyed")(guarded)

    def act(word: str, context: Context) -> None:
        context.effect()
        effects.append(word)
        say(word)

    def undone(word: str, context: Context) -> None:
        say(word)

    guard("guarded", act)
    guard("marked", act, effects="marked")
    guard("undone", undone, effects="marked")
    return app


class Word(NamedTuple):
    """What a caller hears of a call.

    Attributes:
        outcome, reason, executed: of the result.
        ran, voids: of its fault.
    """

    outcome: str
    reason: str | None
    executed: bool | None
    ran: str | None
    voids: int


def word_of(result: Result[Any]) -> Word:
    """Return what a result says of a call."""
    fault = result.fault
    reasons = (result.reason, fault and fault.reason)
    return Word(
        result.outcome.value,
        next(filter(None, reasons), None),
        result.executed,
        fault and fault.ran,
        fault.voids if fault else 0,
    )


Caller = Callable[[str, str], Result[Any]]
"""Calls an outer function with a word."""


def _calling(driver: Driver) -> Caller:
    def call(outer: str, word: str) -> Result[Any]:
        key = new_id(SystemClock.now())
        return driver.perform(Invoke(outer, encode(word), key, marks=True), SECONDS)

    return call


@contextmanager
def _over_http(app: App) -> Iterator[Caller]:
    with (
        serve_functions(app, ANYWHERE) as server,
        closing(target("http", url=f"{server.url}/{{function}}")) as driver,
    ):
        yield _calling(driver)


@contextmanager
def _on_aws(app: App) -> Iterator[Caller]:
    handler = app.handler("aws")

    def call(outer: str, word: str) -> Result[Any]:
        custom = custom_context(new_id(SystemClock.now()), SECONDS, mark=MARK)
        context = SimpleNamespace(
            aws_request_id="run",
            function_name=outer,
            client_context=SimpleNamespace(custom=custom),
            get_remaining_time_in_millis=lambda: 10_000,
        )
        try:
            answer = handler(word, context)
        except Exception as error:  # noqa: BLE001 - as Lambda tells it
            answer = decode(str(error).encode())
        found = open_envelope(answer, MARK)
        assert found is not None
        return read_failure(found.refusal or found.failure, found.dedup, found.retry_after)

    yield call


def _read(body: bytes, headers: Mapping[str, str]) -> Result[Any]:
    named = {name.lower(): value for name, value in headers.items()}
    wait = named.get("retry-after")
    return read_failure(decode(body), named.get("x-leeward-dedup"), float(wait) if wait else None)


@contextmanager
def _on_azure(app: App) -> Iterator[Caller]:
    made = {
        each.get_function_name(): each.get_user_function()
        for each in app.handler("azure").get_functions()
    }

    def call(outer: str, word: str) -> Result[Any]:
        request = SimpleNamespace(
            method="POST",
            headers=dict(request_headers(new_id(SystemClock.now()), SECONDS)),
            get_body=lambda: encode(word),
        )
        answer = made[outer](request, SimpleNamespace(invocation_id="run"))
        return _read(answer.get_body(), answer.headers)

    yield call


@contextmanager
def _on_google(app: App) -> Iterator[Caller]:
    serve = app.handler("google")

    def call(outer: str, word: str) -> Result[Any]:
        headers = dict(request_headers(new_id(SystemClock.now()), SECONDS))
        body = encode(word)
        request = SimpleNamespace(
            method="POST", path=f"/{outer}", headers=headers, get_data=lambda: body
        )
        answer, _, told = serve(request)
        return _read(answer, dict(told))

    yield call


@contextmanager
def _here(app: App) -> Iterator[Caller]:
    local = Local()
    with Client(local, app=app):
        yield _calling(local)


RUNNERS: Final[Mapping[str, Callable[[App], Any]]] = {
    "http": _over_http,
    "aws": _on_aws,
    "azure": _on_azure,
    "google": _on_google,
    "local": _here,
}
"""What runs an app, and lets a caller hear what came of a call."""
