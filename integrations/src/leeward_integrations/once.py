"""`once`: a tool of an agent whose effect happens once, however often libraries and models try.

```python
@once(table="keys", probe=find_charge)
def charge(order: str, cents: int) -> dict: ...

with agent_run("order-17"):
    agent.run(...)
```

It is `leeward.app.idempotent` with a key that is made of the tool, the run and the place in it:
never of an id that the model or a retry makes anew, and never of the arguments alone. The modules
for the libraries of agents say which place a call has, by `tool_call`.

A model that gets no answer calls again, at another place. So a page is kept for the calls of a run
that have equal arguments: while one of them has no answer, a later one is that one again, and has
its key. The page is a record in the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import is_dataclass
from functools import wraps
from inspect import Signature, signature
from threading import Lock
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast, get_origin, get_type_hints

from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import KeyReused, RepeatRefused, current_run, effect_async, idempotent
from leeward.app.idempotency import effect as announce
from leeward.app.idempotency.digests import (
    digest_of_text,
    own_secret,
    payload_digest,
    record_id,
    record_ref,
)
from leeward.app.idempotency.errors import Failures
from leeward.app.idempotency.record import KeyRecord, KeyState, LoadedRecord, Reason
from leeward.app.idempotency.running import unavailable
from leeward.app.idempotency.settings import LONGEST_KEY, IdempotencyOptions, Probe, check_options
from leeward.app.idempotency.settlement import PROBE_TIME
from leeward.app.idempotency.steps import ROUNDS, Away, LoadRecord, Saved, SaveRecord, Steps
from leeward.app.idempotency.store import RecordLocation, TableClient, perform, perform_async
from leeward.app.signatures import IDEMPOTENCY, Idempotency, is_coroutine_function
from leeward.clock import Clock, SystemClock
from leeward.errors import ConfigError, Ran
from leeward.evidence import ran
from leeward.logs import log_event
from leeward.records import NamedTuple
from leeward.values import Effect, EffectName
from leeward.values.settled import Verdict

F = TypeVar("F", bound=Callable[..., Any])

LOGGER = "leeward.once"

LEASE: Final = 60.0
"""Seconds within which a tool ends, and what it has sent has arrived."""

_EFFECT: Final = "leeward_effect"
"""The attribute of a tool's function that has its `Effect`."""

_JSON: Final = (str, int, float, bool, bytes, type(None), dict, list, tuple, Mapping)

Work: TypeAlias = Generator[Callable[[], Any], Any, Any]
"""Yields what to call, or to call and await, and is sent what that returns."""


class NotCalledAgain(Problem):
    """A tool was not called: an earlier call may have had the effect, or has had it.

    Its text is for a model: it does not invite another try. It names the record for a person.

    Attributes:
        reason: ``unknown``, ``running``, ``not_kept`` or ``other_arguments``.
        ran: whether the effect took place: ``no``, ``maybe`` or ``yes``.
        retry_after: seconds after which the same call may be asked for again, if that helps.
    """

    def __init__(self, message: str, reason: str, ran: Ran, retry_after: float | None) -> None:
        super().__init__(
            message, status=409, reason=reason, retryable=False, retry_after=retry_after
        )
        self.ran = ran


_TEXTS: Final[Mapping[str, tuple[Ran, str]]] = {
    "unknown": (
        "maybe",
        "It is not known whether this call of {tool} took effect. Do not call it again, and do "
        "not do the same by other means: it could happen twice. Say that a person has to find "
        "out: leeward keys show {table} {record}",
    ),
    "running": (
        "maybe",
        "A call of {tool} with these arguments has not ended, or what it has sent is still under "
        "way. Do not do the same by other means: it could happen twice. After {seconds:.0f} "
        "seconds the same call can be asked for again, and is found out about first. Its record: "
        "{table} {record}",
    ),
    "not_kept": (
        "yes",
        "This call of {tool} took effect, and its result was not kept. Do not call it again. Its "
        "record: {table} {record}",
    ),
    "other_arguments": (
        "maybe",
        "At this place of the run {tool} was called before, with other arguments, and that call "
        "may have taken effect. This one did not run. Say that a person has to look: leeward keys "
        "show {table} {record}",
    ),
}


class Place:
    """Where in a run a call is made.

    Attributes:
        run: names the run, the same after a crash.
        turn: of the model, within which calls are made at once; None where nobody knows it.
        index: of the call within its turn.
        names: of the arguments that the model gives; None for all that the function has.
        releases: exceptions of the library that are no failure of the tool.
    """

    def __init__(
        self,
        run: str,
        turn: str | None = None,
        index: str = "",
        names: Collection[str] | None = None,
        releases: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.run, self.turn, self.index = run, turn, index
        self.names, self.releases = names, releases
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = Lock()

    def next_position(self, tool: str, digest: str) -> str:
        """Return the position of the next call of a tool here, within the run."""
        with self._lock:  # calls of one message may be made on several threads
            number = self._counts.get((tool, digest), 0)
            self._counts[tool, digest] = number + 1
        place = digest if self.turn is None else f"{self.turn}/{self.index}"
        return f"{place}/{number}"


_PLACE: Final[ContextVar[Place | None]] = ContextVar("place", default=None)


@contextmanager
def agent_run(run: str) -> Iterator[None]:
    """Name the run of an agent for the tools that it calls in the block.

    Args:
        run: the same for this run when it is begun again, and for no other, such as the number of
            the order that it is about.
    """
    if not isinstance(run, str) or not run:
        raise ConfigError(f"a run must be named by a text, such as 'order-17', not {run!r}")
    token = _PLACE.set(Place(run))
    try:
        yield
    finally:
        _PLACE.reset(token)


@contextmanager
def tool_call(
    turn: object,
    index: object,
    *,
    run: str | None = None,
    names: Collection[str] | None = None,
    releases: tuple[type[BaseException], ...] = (),
) -> Iterator[None]:
    """Say where in its run the call is that is made in the block; for the modules of libraries.

    Args:
        turn: in which the model has asked for it, the same after a crash.
        index: of the call in the message of the model.
        run: that the library knows; `agent_run` comes first.
        names: of the arguments that the model gives.
        releases: exceptions of the library that are no failure of the tool.

    Raises:
        ConfigError: nothing names the run.
    """
    outer = _PLACE.get()
    if outer is not None:
        within = "" if outer.turn is None else f"/{outer.turn}/{outer.index}"
        run = f"{outer.run}{within}"
    if not run:
        raise _no_run()
    token = _PLACE.set(Place(run, str(turn), str(index), names, releases))
    try:
        yield
    finally:
        _PLACE.reset(token)


def _no_run() -> ConfigError:
    return ConfigError(
        "nothing names the run of this tool's call, so a repeat could not be told from a new call. "
        'It did not run. Name it: `with agent_run("order-17"):` around the agent, with a name that '
        "the run has again after a crash; docs/agents.md says which libraries know it themselves"
    )


def call_key() -> str:
    """Return the key of the tool's call that runs: hand it on to whoever has the effect.

    It is what a probe is asked about.

    Raises:
        ConfigError: no tool of `once` runs here.
    """
    call = _CALL.get()
    if call is None:
        raise ConfigError("call_key() is for the function of a tool that @once stands before")
    return call.key


def effect_of(tool: object) -> Effect | None:
    """Return the effect that a tool's function declares; None if `once` does not stand before."""
    declared: Effect | None = getattr(tool, _EFFECT, None)
    return declared


def once(
    *,
    table: str = "",
    probe: Probe | None = None,
    effect: EffectName = "unsafe",
    effects: Literal["anywhere", "marked"] = "anywhere",
    failures: Failures = None,
    lease: float = LEASE,
    keep: float = 31 * 86_400.0,
    name: str | None = None,
    client: TableClient | Callable[[], TableClient] | None = None,
    clock: Clock | None = None,
) -> Callable[[F], F]:
    """Let the effect of a tool happen once for each call that a run of an agent makes.

    A repeat gets the first result: a retry of a library, a resumed run, a second process, and a
    model that calls again because it got no answer. A call that failed is settled at once; if that
    cannot be done, it is not repeated, and the model is told so: `NotCalledAgain`.

    Args:
        table: of the records; its key is ``id``. It is needed for an ``unsafe`` tool.
        probe: finds out whether a call had its effect: see `leeward.app.idempotent`. It is asked
            for what `call_key` has returned.
        effect: what a repeat would do: ``read_only`` and ``idempotent`` tools run each time.
        effects: ``marked`` if the function announces all effects: then a failure before the first
            frees the call. Otherwise ``anywhere``.
        failures: what an exception does to a call: see `leeward.app.idempotent`. By default the
            call is free if `leeward.ran` says ``no``.
        lease: seconds within which the tool ends, and what it has sent has arrived. A process that
            dies, and a probe that found nothing, hold a call for so long.
        keep: seconds for which a call is remembered; longer than a run may be resumed.
        name: of the records; by default the function's name.
        client: a `leeward.Client`, for a coroutine function an `AsyncClient`, or a function that
            returns one; by default one for the process.
        clock: for tests.

    Raises:
        ConfigError: an argument is wrong; or the function returns what no table keeps.
    """
    declared = Effect(effect) if effect in {kind.value for kind in Effect} else None
    if declared is None or declared is Effect.KEYED:
        raise ConfigError(
            f"effect of @once must be 'read_only', 'idempotent' or 'unsafe', not {effect!r}"
        )

    def decorate(function: F) -> F:
        if declared is not Effect.UNSAFE:
            setattr(function, _EFFECT, declared)
            return function
        options = IdempotencyOptions(
            table=table,
            key=None,
            principal=None,
            lease=lease,
            keep=keep,
            failures=failures,
            unreachable="refuse",
            effects="marked",
            unknown="refuse",
            scope="target",
            name=name or function.__name__,
            client=client,
            clock=clock,
            probe=probe,
        )
        tool = _Tool(function, options, announces=effects == "marked")
        call = wraps(function)(tool.wrap())
        setattr(call, _EFFECT, declared)
        return cast("F", call)

    return decorate


class _Call:
    """A call of a tool.

    Attributes:
        first: the position whose key it has: its own, or that of the call which it is again.
        is_open: that call has had no answer so far.
        voids: of how many voids of its key it knows.
        error: what the function has raised.
    """

    def __init__(self, tool: _Tool, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        place = _PLACE.get()
        if place is None:
            raise _no_run()
        self.tool, self.positional, self.named, self.place = tool, positional, named, place
        bound = tool.signature.bind(*positional, **named)
        bound.apply_defaults()
        given = bound.arguments
        asked = place.names if place.names is not None and {*place.names} <= {*given} else given
        self.arguments = {argument: given[argument] for argument in asked}
        digest = payload_digest(self.arguments)
        self.page = tool.locate(f"{place.run}/{digest}", "/calls")
        self.position = self.first = place.next_position(tool.name, digest)
        self.is_open = False
        self.voids = 0
        self.error: Exception | None = None

    @property
    def key(self) -> str:
        return self.tool.key_of(self.place.run, self.first)

    def context(self) -> Context:
        """Return the context of the call, for its record and the probe."""
        clock = self.tool.clock
        until = clock.monotonic() + PROBE_TIME
        return Context(self.tool.name, self.key, None, until, clock, voids=self.voids)

    def is_beside(self, position: str) -> bool:
        """Return whether the model has asked for the call there in one message with this one."""
        turn, index = self.place.turn, self.place.index
        if turn is None or not position.startswith(f"{turn}/"):
            return False
        return not position.startswith(f"{turn}/{index}/")

    def is_after(self, position: str) -> bool:
        """Return whether the model has asked for this one in a later message than that one."""
        turn = self.place.turn
        return turn is not None and not position.startswith(f"{turn}/")


_CALL: Final[ContextVar[_Call | None]] = ContextVar("call", default=None)


class _Tool:
    """A tool's function, and its records."""

    def __init__(
        self, function: Callable[..., Any], options: IdempotencyOptions, *, announces: bool
    ) -> None:
        settings = check_options(function, options)
        check_result(function)
        self.function, self.name, self.signature = function, settings.function, signature(function)
        self.clock = options.clock or SystemClock()
        self._client, self._table, self._keep = settings.client, settings.table, settings.keep
        self._lease, self._announces, self._awaited = options.lease, announces, settings.awaited
        guard = idempotent(
            table=options.table,
            principal=None,
            lease=options.lease,
            keep=options.keep,
            failures=options.failures,
            effects="marked",
            probe=options.probe,
            name=options.name,
            client=options.client,
            clock=options.clock,
        )
        self._guard = guard(self._run_async if self._awaited else self._run)
        declared: Idempotency = getattr(self._guard, IDEMPOTENCY)
        self._settle = declared.settle

    def wrap(self) -> Callable[..., Any]:
        """Return the function that libraries call in place of the tool's own."""

        def call(*positional: Any, **named: Any) -> Any:
            return _do(self._answer(_Call(self, positional, named)))

        async def call_async(*positional: Any, **named: Any) -> Any:
            return await _do_async(self._answer(_Call(self, positional, named)))

        return call_async if self._awaited else call

    def key_of(self, run: str, position: str) -> str:
        """Return the key of a call; one that is too long by its digest."""
        key = f"{run}/{self.name}/{position}"
        return key if len(key) <= LONGEST_KEY else digest_of_text(key)

    def locate(self, key: str, suffix: str = "") -> RecordLocation:
        """Return where the record of a key is, or that of a page."""
        id = record_id(f"{self.name}{suffix}", key, None, own_secret())
        return RecordLocation(self._table, id, self._keep, self.clock.now)

    def _answer(self, call: _Call) -> Work:
        """Return the result of a call, the first one for a repeat.

        Raises:
            NotCalledAgain: it is not to be repeated.
        """
        yield from self._find_first(call)
        token = _CALL.set(call)
        try:
            result = yield from self._guarded(call)
        except GeneratorExit:
            raise
        except BaseException as error:
            is_held = isinstance(error, NotCalledAgain) and error.reason in ("unknown", "running")
            if is_held or not isinstance(error, Exception):  # or it was cancelled
                yield self._with(call.page, change_page(lambda page: page.open(call.first)))
            raise
        finally:
            _CALL.reset(token)
        if call.is_open:
            yield self._with(call.page, change_page(lambda page: page.close(call.first)))
        return result

    def _guarded(self, call: _Call) -> Work:
        while True:
            try:
                return (yield lambda: self._guard(call.arguments, call.context()))
            except RepeatRefused as refusal:
                if refusal.reason != Reason.VOIDED.value or refusal.voids <= call.voids:
                    raise self._refusal(call, refusal.reason, refusal.retry_after) from refusal
                call.voids = refusal.voids  # this call is made after it was settled
            except KeyReused as error:
                raise self._refusal(call, "other_arguments") from error
            except Exception as error:
                if call.error is not error or ran(error) == "no":
                    raise
                return (yield from self._settle_failure(call, error))

    def _settle_failure(self, call: _Call, error: Exception) -> Work:
        """Return the result of a call that has raised, if it is found out that it ran."""
        told = yield lambda: self._settle(None, (call.arguments,), call.context())
        verdict = Verdict(told["verdict"])
        if verdict in (Verdict.RUNNING, Verdict.UNKNOWN):
            raise self._refusal(call, verdict.value, told.get("retry_after")) from error
        if verdict is Verdict.NOT_RUN or "failure" in told:
            raise error
        if not told["kept"]:
            raise self._refusal(call, Reason.NOT_KEPT.value) from error
        return told["result"]

    def _refusal(
        self, call: _Call, reason: str | None, seconds: float | None = None
    ) -> NotCalledAgain:
        proof, text = _TEXTS[reason or "unknown"]
        record = record_ref(self.locate(call.key).id)
        facts = {"tool": self.name, "table": self._table, "record": record}
        log_event(LOGGER, "error", "not_called_again", why=reason, **facts)
        return NotCalledAgain(
            text.format(seconds=seconds or self._lease, **facts), reason or "", proof, seconds
        )

    def _find_first(self, call: _Call) -> Work:
        """Find out whether a call is an earlier one again, and note where it was made."""
        for _ in range(ROUNDS):
            page = yield self._with(call.page, open_page(call.position))
            if isinstance(page, Away):
                raise unavailable(self.name, page.error)
            if page.revision is None:
                return
            first = page.places.get(call.position) or (yield from self._choose(call, page))
            call.first, call.is_open = first, first in page.unanswered
            if call.position in page.places:
                return
            if (yield self._with(call.page, save_page(page.add(call.position, first)))):
                return
        raise self._refusal(call, Reason.RUNNING.value, 1.0)

    def _choose(self, call: _Call, page: Page) -> Work:
        """Return the position of the earlier call that has had no answer, or its own."""
        for first in dict.fromkeys(page.places.values()):
            if any(call.is_beside(at) for at, of in page.places.items() if of == first):
                continue
            if first in page.unanswered:
                return first
            place = self.locate(self.key_of(call.place.run, first))
            loaded = yield self._with(place, load_record())
            if isinstance(loaded, Away):
                raise unavailable(self.name, loaded.error)
            if not is_answered(loaded, self.clock.now(), is_after=call.is_after(first)):
                return first
        return call.position

    def _with(self, location: RecordLocation, steps: Steps[Any]) -> Callable[[], Any]:
        carry_out = perform_async if self._awaited else perform
        return lambda: carry_out(self._client(), location, steps)

    def _run(self, arguments: Mapping[str, Any], context: Context) -> Any:
        """Run the function for a call whose key is new."""
        call = cast("_Call", _CALL.get())
        if not self._announces:
            announce()
        with _inside(call):
            return self.function(*call.positional, **call.named)

    async def _run_async(self, arguments: Mapping[str, Any], context: Context) -> Any:
        """Do the same for a coroutine function."""
        call = cast("_Call", _CALL.get())
        if not self._announces:
            await effect_async()
        with _inside(call):
            return await self.function(*call.positional, **call.named)


@contextmanager
def _inside(call: _Call) -> Iterator[None]:
    """Run the function of a tool: tools that it calls have a run of their own."""
    token = _PLACE.set(Place(call.key))
    try:
        yield
    except Exception as error:
        call.error = error
        run = current_run()
        if run is not None and (isinstance(error, call.place.releases) or ran(error) == "no"):
            run.proved_not_run()
        raise
    finally:
        _PLACE.reset(token)


class Page(NamedTuple):
    """The calls of a tool in one run that have equal arguments.

    Attributes:
        places: where they were made, and which call each of them is: the position of the first.
        unanswered: the positions of calls that may have had their effect, and got no result.
        revision: of the page; None if this call has made it.
    """

    places: dict[str, str]
    unanswered: list[str]
    revision: str | None

    def add(self, position: str, first: str) -> Page:
        """Return it with one more call."""
        return self._replace(places={**self.places, position: first})

    def open(self, first: str) -> Page:
        """Return it with a call that got no result."""
        return self._replace(unanswered=[*dict.fromkeys([*self.unanswered, first])])

    def close(self, first: str) -> Page:
        """Return it after that call got its result."""
        return self._replace(unanswered=[one for one in self.unanswered if one != first])


def open_page(position: str) -> Steps[Page | Away]:
    """Make the page with its first call, or load it."""
    reply, _ = yield SaveRecord(_page_record(Page({position: position}, [], None)), None)
    if isinstance(reply, Saved):
        return Page({position: position}, [], None)
    if isinstance(reply, Away) and not reply.written:
        return reply
    return (yield from load_page())


def load_page() -> Steps[Page | Away]:
    """Load a page; one that has expired is empty."""
    loaded, _ = yield LoadRecord()
    if isinstance(loaded, Away):
        return loaded
    if not isinstance(loaded, LoadedRecord) or loaded.record is None:
        return Page({}, [], "")
    kept = loaded.record.result
    return Page(dict(kept["places"]), list(kept["unanswered"]), loaded.revision)


def save_page(page: Page) -> Steps[bool]:
    """Save a page, and return whether it was as it had been loaded."""
    reply, _ = yield SaveRecord(_page_record(page), page.revision or None)
    return isinstance(reply, Saved)


def change_page(change: Callable[[Page], Page]) -> Steps[None]:
    """Change a page, whoever changes it meanwhile."""
    for _ in range(ROUNDS):
        page = yield from load_page()
        if isinstance(page, Away) or change(page) == page or (yield from save_page(change(page))):
            return


def load_record() -> Steps[Any]:
    """Load a record."""
    loaded, _ = yield LoadRecord()
    return loaded


def _page_record(page: Page) -> KeyRecord:
    kept = {"places": page.places, "unanswered": page.unanswered}
    return KeyRecord(KeyState.COMPLETED, "", 1, 0.0, "", effects=False, result=kept)


def is_answered(loaded: LoadedRecord | None, now: float, *, is_after: bool) -> bool:
    """Return whether a call has had its answer, so that an equal one is a new one.

    Args:
        loaded: its record.
        now: Unix seconds.
        is_after: the model has asked for the equal one later: it does not wait for the first.
    """
    record = None if loaded is None else loaded.record
    if loaded is not None and record is None:
        return False
    if record is None or (record.state is KeyState.IN_PROGRESS and now < record.lease_until):
        return not is_after  # it may run at this moment, beside the other
    if record.state is KeyState.FAILED and record.failure is not None:
        return not record.failure.rerun
    return record.state is KeyState.COMPLETED


def check_result(function: Callable[..., Any]) -> None:
    """Check what a tool says that it returns.

    Raises:
        ConfigError: no table keeps that.
    """
    try:
        kind = get_type_hints(function).get("return", Any)
    except Exception:  # noqa: BLE001 - a name that does not exist here; then the result decides
        return
    kind = get_origin(kind) or kind
    if not isinstance(kind, type) or kind in (object, Signature.empty):
        return
    is_model = (
        is_dataclass(kind) or hasattr(kind, "model_dump") or hasattr(kind, "__struct_fields__")
    )
    if not (is_model or issubclass(kind, _JSON) or hasattr(kind, "isoformat")):
        raise ConfigError(
            f"{function.__name__} returns a {kind.__name__}, and a repeat gets what the table has "
            "kept. Return JSON, a dataclass or a model"
        )


def _do(work: Work) -> Any:
    """Carry out the work of a tool on this thread."""
    try:
        make = next(work)
        while True:
            try:
                value = make()
            except BaseException as error:
                make = work.throw(error)
            else:
                make = work.send(value)
    except StopIteration as end:
        return end.value


async def _do_async(work: Work) -> Any:
    """Carry it out without blocking the event loop."""
    try:
        make = next(work)
        while True:
            try:
                value = await make()
            except BaseException as error:
                make = work.throw(error)
            else:
                make = work.send(value)
    except StopIteration as end:
        return end.value
