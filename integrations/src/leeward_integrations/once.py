"""`once`: a tool of an agent whose effect happens once, however often libraries and models try.

It is `leeward.app.idempotent` with a key made of the tool, the run and the place in it: never of an
id that a model or a retry makes anew, and never of the arguments alone.

A model that gets no answer calls again: that is the same call. Where a run begins anew after a
crash, its calls with equal arguments are counted, and one without an answer does not count. Where
a library resumes a run in between, its module says which turn and index a call has (`tool_call`),
and a page, one more record in the table, lists the calls with equal arguments: while one of them
has no answer, a later one is that one again, and has its key.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial, wraps
from inspect import signature
from itertools import count
from threading import Lock
from typing import Any, Final, TypeVar, cast, get_type_hints

from leeward.app import idempotency
from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import digests, steps, store
from leeward.app.idempotency.errors import Failures, Treatment, treatment_of
from leeward.app.idempotency.record import KeyRecord, KeyState, LoadedRecord, Reason
from leeward.app.idempotency.running import unavailable
from leeward.app.idempotency.settings import LONGEST_KEY, IdempotencyOptions, Probe, check_options
from leeward.app.idempotency.settlement import PROBE_TIME
from leeward.clock import Clock
from leeward.errors import ConfigError
from leeward.evidence import ran
from leeward.logs import log_event
from leeward.records import NamedTuple
from leeward.values import Effect, EffectName

F = TypeVar("F", bound=Callable[..., Any])

LOGGER = "leeward.once"

_EFFECT: Final = "leeward_effect"
_FIELDS: Final = ("__dataclass_fields__", "__struct_fields__", "model_dump", "isoformat")
_PLAIN: Final = (str, int, float, bytes, type(None), dict, list, tuple)
_TEXTS: Final = {
    "unknown": "It is not known whether this call of {tool} took effect. Do not call it again or "
    "do the same by other means: it could happen twice. Say that a person has to find out",
    "running": "This call of {tool} has not ended, or what it sent is still under way. Do not do "
    "the same by other means: it could happen twice. It can be asked about in {seconds:.0f} s",
    "not_kept": "This call of {tool} took effect; its result was not kept. Do not call it again",
    "other_arguments": "This call of {tool} did not run: an earlier one at its place in the run "
    "had other arguments, and may have taken effect. Say that a person has to look",
}


class NotCalledAgain(Problem):
    """A tool was not called, because an earlier call may have had the effect.

    Its text is for a model: it does not invite another try, and names the record for a person. Its
    `reason` is ``unknown``, ``running``, ``not_kept`` or ``other_arguments``.
    """

    ran = "maybe"


class Place(NamedTuple):
    """Where a call is made: see `tool_call`. `busy` are positions that run, or have an answer."""

    run: str
    busy: set[tuple[str, str]]
    turn: str | None = None
    index: str = ""
    names: Collection[str] | None = None
    releases: tuple[type[BaseException], ...] = ()
    as_text: bool = False


_LOCK: Final = Lock()
_PLACE: Final[ContextVar[Place | None]] = ContextVar("place", default=None)


def _no_run() -> ConfigError:
    return ConfigError(
        "nothing names the run of this tool's call, so a repeat looks like a new call. It did not "
        'run. Write `with agent_run("order-17"):` around the agent, with a name that the run has '
        "again after a crash; docs/agents.md says which library knows its run"
    )


def agent_run(run: str) -> Any:
    """Name the run of an agent, for the tools that it calls in the block.

    The name is the same for this run when it is begun again, and for no other run.
    """
    return _at(Place(run, set()))


@contextmanager
def _at(place: Place) -> Iterator[None]:
    if not place.run:
        raise _no_run()
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


def tool_call(
    turn: object = None,
    index: object = "",
    *,
    run: str | None = None,
    within: str = "",
    names: Collection[str] | None = None,
    releases: tuple[type[BaseException], ...] = (),
    as_text: bool = False,
) -> Any:
    """Say where in its run the call is that is made in the block; for the modules of libraries.

    Args:
        turn: of the model in which it has asked for the call, the same after a crash; None to
            count the calls of the `agent_run` around it.
        index: of the call in that turn.
        run: as the library knows it; an `agent_run` comes first. One of the two is needed.
        within: which part of the run.
        names: of the arguments that the model gives; others are not compared.
        releases: exceptions of the library that are no failure of the tool.
        as_text: return the text of `NotCalledAgain` as the tool's result, for the model.
    """
    outer, told = _PLACE.get(), {"names": names, "releases": releases, "as_text": as_text}
    if turn is None:
        return _at(outer._replace(**told) if outer else Place(run or "", set(), **told))
    if outer is not None:
        run = outer.run if outer.turn is None else f"{outer.run}/{outer.turn}/{outer.index}"
    run = f"{run}/{within}" if run and within else run or ""
    return _at(Place(run, set(), str(turn), str(index), **told))


def call_key() -> str:
    """Return the key of the tool's call that runs: hand it on to whoever has the effect."""
    if (call := _CALL.get()) is None:
        raise ConfigError("call_key() is for the function of a tool that @once stands before")
    return call.key


def effect_of(tool: object) -> Effect | None:
    """Return the effect that a tool's function declares with `once`; None if it does not."""
    return getattr(tool, _EFFECT, None)


def once(
    *,
    table: str = "",
    probe: Probe | None = None,
    effect: EffectName = "unsafe",
    failures: Failures = None,
    lease: float = 60.0,
    keep: float = 31 * 86_400.0,
    name: str | None = None,
    client: store.TableClient | Callable[[], store.TableClient] | None = None,
    clock: Clock | None = None,
) -> Callable[[F], F]:
    """Let a tool have its effect once for each call that a run of an agent makes.

    A repeat gets the first result: a retry of a library, a resumed run, a second process, a model
    that calls again because it got no answer. After a failure the probe is asked at once. A call
    that stays in doubt is not repeated, and raises `NotCalledAgain`.

    Args: those of `leeward.app.idempotent`, and
        table: an ``unsafe`` tool needs one.
        probe: it is asked for the `call_key`.
        effect: what a repeat would do. Tools that are ``read_only`` or ``idempotent`` just run.
        failures: by default a call is free if `leeward.ran` says ``no``.
        lease: seconds within which the tool ends and what it has sent arrives. A process that has
            died, and a probe that finds nothing, hold a call for so long.
        keep: seconds for which a call is remembered; longer than a run may be resumed.

    Raises:
        ConfigError: an argument is wrong, or the function returns what no table keeps.
    """
    if effect not in ("read_only", "idempotent", "unsafe"):
        raise ConfigError(f"effect of @once must be read_only, idempotent or unsafe, not {effect}")
    given: dict[str, Any] = {"table": table, "probe": probe, "failures": failures, "lease": lease}
    given |= {"keep": keep, "client": client, "clock": clock, "effects": "marked"}
    given |= {"key": None, "principal": None, "unreachable": "refuse", "unknown": "refuse"}

    def decorate(function: F) -> F:
        tool: Any = function
        if effect == "unsafe":
            tool = _Tool(function, given | {"name": name or function.__name__}).wrap()
        setattr(tool, _EFFECT, Effect(effect))
        return cast("F", tool)

    return decorate


class _Tool:
    """A tool's function, and where its records are."""

    def __init__(self, function: Callable[..., Any], given: dict[str, Any]) -> None:
        self.settings = check_options(function, IdempotencyOptions(**given, scope="target"))
        self.function, self.signature = function, signature(function)
        with suppress(NameError):  # of a class that only a type checker imports
            _check_result(function.__name__, get_type_hints(function).get("return"))

        def run(arguments: Mapping[str, Any], context: Context) -> Any:
            return _finish(cast("_Call", _CALL.get()).run())

        async def run_async(arguments: Mapping[str, Any], context: Context) -> Any:
            return await cast("_Call", _CALL.get()).run()

        guard = idempotency.idempotent(**given)
        self.run_once = guard(run_async if self.settings.awaited else run)

    def wrap(self) -> Callable[..., Any]:
        """Return the function that libraries call."""

        @wraps(self.function)
        def call(*positional: Any, **named: Any) -> Any:
            return _finish(_Call(self, positional, named).answer())

        @wraps(self.function)
        async def call_async(*positional: Any, **named: Any) -> Any:
            return await _Call(self, positional, named).answer()

        return call_async if self.settings.awaited else call

    async def value(self, result: Any) -> Any:
        """Return a result; that of a coroutine function is awaited."""
        return await result if self.settings.awaited else result

    def locate(self, key: str, suffix: str = "") -> store.RecordLocation:
        """Return where the record of a key is, or a page."""
        settings = self.settings
        id = digests.record_id(f"{settings.function}{suffix}", key, None, digests.own_secret())
        return store.RecordLocation(settings.table, id, settings.keep, settings.clock.now)


class _Call:
    """A call of a tool.

    Attributes:
        first: the position whose key it has: its own, or that of the call which it is again.
        is_open: that call has had no answer so far.
        voids: of how many voids of its key it knows.
        error: what the function has raised.
        is_free: that proves that nothing ran; or it was declared what it does to the key.
    """

    def __init__(self, tool: _Tool, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if (place := _PLACE.get()) is None:
            raise _no_run()
        bound = tool.signature.bind(*positional, **named)
        bound.apply_defaults()
        given, names = bound.arguments, place.names
        asked = names if names is not None and given.keys() >= {*names} else given
        self.tool, self.place, self.name = tool, place, tool.settings.function
        self.make = partial(tool.function, *positional, **named)
        self.arguments = {argument: given[argument] for argument in asked}
        digest = digests.payload_digest(self.arguments)
        self.page = tool.locate(f"{place.run}/{digest}", "/calls")
        here = digest if place.turn is None else f"{place.turn}/{place.index}"
        with _LOCK:  # calls of one message may be made on several threads
            numbers = (f"{here}/{number}" for number in count())
            self.position = next(p for p in numbers if (self.name, p) not in place.busy)
            place.busy.add((self.name, self.position))
        self.first = self.position
        self.voids, self.is_open, self.is_free = 0, False, False
        self.error: Exception | None = None

    @property
    def key(self) -> str:
        return self.key_of(self.first)

    def key_of(self, position: str) -> str:
        """Return the key of a call; one that is too long by its digest."""
        key = f"{self.place.run}/{self.name}/{position}"
        return key if len(key) <= LONGEST_KEY else digests.digest_of_text(key)

    async def answer(self) -> Any:
        """Return the result of the call; for a repeat the first one."""
        token, is_answered, is_listed = _CALL.set(self), False, self.place.turn is not None
        try:
            if is_listed:
                await self._find_first()
            result = await self._run_once()
            is_answered = True
        except (NotCalledAgain, CancelledError) as error:
            is_answered = getattr(error, "reason", "unknown") not in ("unknown", "running")
            if is_listed and not is_answered:
                await self._perform(self.page, _mark_page(self.first, is_open=True))
            if not self.place.as_text or not isinstance(error, NotCalledAgain):
                raise
            return str(error)
        except Exception as error:
            declared = treatment_of(error, self.tool.settings.failures, nothing_ran=True)
            is_answered = declared is Treatment.REPLAY
            raise
        finally:
            _CALL.reset(token)
            if not is_answered:  # whoever makes the call again makes this one
                self.place.busy.discard((self.name, self.position))
        if self.is_open:
            await self._perform(self.page, _mark_page(self.first, is_open=False))
        return result

    async def _run_once(self) -> Any:
        clock = self.tool.settings.clock
        for _ in range(steps.ROUNDS):
            until = clock.monotonic() + PROBE_TIME
            context = Context(self.name, self.key, None, until, clock, voids=self.voids)
            try:
                return await self.tool.value(self.tool.run_once(self.arguments, context))
            except idempotency.RepeatRefused as refusal:
                if refusal.reason != Reason.VOIDED.value:
                    cause = self.error or refusal
                    raise self._refusal(refusal.reason, refusal.retry_after) from cause
                self.voids = refusal.voids  # this call is made after that was settled
            except idempotency.KeyReused as reused:
                raise self._refusal("other_arguments") from reused
            except Exception as error:
                if error is not self.error or self.is_free:
                    raise
                # Else the key is in doubt, and the next claim asks the probe.
        raise self.error or self._refusal("running")

    async def run(self) -> Any:
        """Run the function. Tools that it calls have a run of their own."""
        awaited = self.tool.settings.awaited
        await self.tool.value(idempotency.effect_async() if awaited else idempotency.effect())
        try:
            with agent_run(self.key):  # of the tools that it calls
                return await self.tool.value(self.make())
        except Exception as error:
            run, self.error = idempotency.current_run(), error
            if run and (isinstance(error, self.place.releases) or ran(error) == "no"):
                run.proved_not_run()
                self.is_free = not run.effects
            self.is_free |= isinstance(error, tuple(self.tool.settings.failures))
            raise

    def _refusal(self, reason: str | None, seconds: float | None = None) -> NotCalledAgain:
        table, record = self.page.table, digests.record_ref(self.tool.locate(self.key).id)
        facts: Any = {"tool": self.name, "table": table, "record": record}
        log_event(LOGGER, "error", "not_called_again", why=reason, **facts)
        text = _TEXTS[reason or "unknown"].format(tool=self.name, seconds=seconds or 1.0)
        text = f"{text} (leeward keys show {table} {record})."
        return NotCalledAgain(text, status=409, reason=reason, retryable=False, retry_after=seconds)

    async def _find_first(self) -> None:
        """Find out whether the call is an earlier one again, and list it."""
        for _ in range(steps.ROUNDS):
            page = await self._perform(self.page, _open_page(self.position))
            is_listed = self.position in page.places
            self.first = page.places.get(self.position) or await self._choose(page)
            self.is_open = self.first in page.unanswered
            page.places[self.position] = self.first
            if is_listed or await self._perform(self.page, _save_page(page)):
                return
        raise self._refusal("running")

    async def _choose(self, page: Page) -> str:
        """Return the position of an earlier call that has had no answer, or its own."""
        for first in dict.fromkeys(page.places.values()):
            if any(
                at.startswith(f"{self.place.turn}/") and of == first
                for at, of in page.places.items()
            ):
                continue  # the model has asked for both in one message
            loaded = await self._perform(self.tool.locate(self.key_of(first)), _load_record())
            if first in page.unanswered or not _is_answered(loaded):
                return first
        return self.position

    async def _perform(self, location: store.RecordLocation, work: steps.Steps[Any]) -> Any:
        settings = self.tool.settings
        carry_out = store.perform_async if settings.awaited else store.perform
        reply = await self.tool.value(carry_out(settings.client(), location, work))
        if isinstance(reply, steps.Away):
            raise unavailable(self.name, reply.error)
        return reply


_CALL: Final[ContextVar[_Call | None]] = ContextVar("call", default=None)


class Page(NamedTuple):
    """The calls of a tool in one run that have equal arguments.

    Attributes:
        places: the position of each call, and the position of the call which it is.
        unanswered: calls that may have had their effect, and got no result.
        revision: None if there is no page.
    """

    places: dict[str, str]
    unanswered: list[str]
    revision: str | None = None


def _open_page(position: str) -> steps.Steps[Any]:
    """Make the page of a first call, or load it."""
    page = Page({position: position}, [])
    return page if (yield from _save_page(page)) else (yield from _load_page())


def _load_page() -> steps.Steps[Any]:
    loaded = yield from _load_record()
    if isinstance(loaded, steps.Away):
        return loaded
    kept = {"places": {}, "unanswered": []} if loaded is None else loaded.record.result
    return Page(kept["places"], kept["unanswered"], loaded and loaded.revision)


def _save_page(page: Page) -> steps.Steps[bool]:
    kept = {"places": page.places, "unanswered": page.unanswered}
    record = KeyRecord(KeyState.COMPLETED, "", 1, 0.0, "", effects=False, result=kept)
    reply, _ = yield steps.SaveRecord(record, page.revision)
    return isinstance(reply, steps.Saved)


def _mark_page(first: str, *, is_open: bool) -> steps.Steps[None]:
    """Note whether a call waits for its answer, whoever changes the page meanwhile."""
    for _ in range(steps.ROUNDS):
        page = yield from _load_page()
        if isinstance(page, steps.Away) or (first in page.unanswered) is is_open:
            return
        (page.unanswered.append if is_open else page.unanswered.remove)(first)
        if (yield from _save_page(page)):
            return


def _load_record() -> steps.Steps[Any]:
    loaded, _ = yield steps.LoadRecord()
    return loaded


def _is_answered(loaded: LoadedRecord | None) -> bool:
    """Return whether a call with this record has ended, so that a later one is a new one."""
    record = None if loaded is None else loaded.record
    if record is not None and record.state is KeyState.FAILED and record.failure is not None:
        return not record.failure.rerun
    return record is not None and record.state is KeyState.COMPLETED


def _check_result(tool: str, kind: Any) -> None:
    """Check what a tool says that it returns: a class that no table keeps is an error."""
    has_fields = any(hasattr(kind, field) for field in _FIELDS)
    if isinstance(kind, type) and not (has_fields or issubclass(kind, _PLAIN)):
        raise ConfigError(
            f"{tool} returns a {kind.__name__}, which no table keeps for a repeat. Return JSON, a "
            "dataclass or a model"
        )


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")
