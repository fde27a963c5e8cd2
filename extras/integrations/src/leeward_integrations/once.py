"""`once`: a tool of an agent whose effect happens once, however often libraries and models try.

It is `leeward.app.idempotent` with a key of its own: the run, the tool, the arguments, and a number
among the equal calls of the run. No id that a model or a retry makes anew is part of it. A call
that got no answer does not count: whoever makes it again makes the same call.

`agent_run` and `tool_call` say where calls are made. Numbers are counted in memory, so a run that
begins anew counts the same. Where a library resumes a run in the middle, `tool_call` names the
place of a call, and a page, one more record in the table, keeps the number of each place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from inspect import signature
from itertools import count
from threading import Lock
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from leeward.app import idempotency
from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import digests, errors, running, settings, steps, store
from leeward.app.idempotency.record import KeyRecord, KeyState, Reason
from leeward.app.idempotency.settlement import PROBE_TIME, without_waiting
from leeward.app.signatures import is_coroutine_function
from leeward.clock import Clock
from leeward.errors import ConfigError, DedupUnavailable
from leeward.logs import log_event
from leeward.records import NamedTuple
from leeward.values import Effect, EffectName
from leeward_ran import ran

F = TypeVar("F", bound=Callable[..., Any])

LOGGER = "leeward.once"

_TEXTS: Final = {
    "unknown": "It is not known whether this call of {tool} took effect. Do not call it again or "
    "do the same by other means: it could happen twice. Say that a person has to find out",
    "running": "This call of {tool} has not ended, or what it sent is still under way. Do not do "
    "the same by other means: it could happen twice. It can be asked about in {seconds:.0f} s",
    "waiting": "This call of {tool} waits for a person's approval and was not made. Do not do the "
    "same by other means. It can be asked about in {seconds:.0f} s",
    "refused": "A person has refused this call of {tool}; it was not made. Do not call it again or "
    "do the same by other means",
    "not_kept": "This call of {tool} took effect; its result was not kept. Do not call it again",
}


class NotCalledAgain(Problem):
    """A tool was not called, because an earlier call may have had the effect.

    Its text is for a model: it does not invite another try, and names the record for a person. Its
    `reason` is ``unknown``, ``running``, ``not_kept``, or ``waiting`` or ``refused`` by a person.
    """

    ran = "maybe"


class Position(NamedTuple):
    """Where calls are made: one block of `agent_run` or `tool_call`, which explain the rest.

    Attributes:
        busy: the calls that run or have an answer, until the run ends; its blocks share them.
        outer: the block around this one.
        at: the index in the turn.
    """

    run: Any
    busy: dict[tuple[str, int], _Slot]
    outer: Position | None = None
    turn: str | None = None
    at: str = ""
    names: Collection[str] | None = None
    releases: tuple[type[BaseException], ...] = ()
    as_text: bool = False


_LOCK: Final = Lock()
_POSITION: Final[ContextVar[Position | None]] = ContextVar("position", default=None)


def agent_run(run: str) -> Any:
    """Name the run of an agent, for the tools that it calls in the block.

    The name is the same for this run when it is begun again, and for no other run. The block is one
    attempt: what is retried has it inside.
    """
    return _enter(Position(run, {}))


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
    """Describe where in its run the call in the block is made; for the modules of libraries.

    Args:
        turn: of the model in which it has asked for the call, the same after a crash; None to
            count the calls of the `agent_run` around it.
        index: of the call in that turn.
        run: as the library knows it; an `agent_run` comes first. One of the two is needed.
        within: which part of the run.
        names: of the arguments that the model gives; others are not compared.
        releases: exceptions of the library after which the tool counts as not run.
        as_text: return the text of `NotCalledAgain` as the tool's result, for the model.
    """
    outer = _POSITION.get()
    given: dict[str, Any] = {"names": names, "releases": releases, "as_text": as_text}
    if turn is None:
        around = outer or Position(run or "", {})
        return _enter(around._replace(outer=outer, **given))
    if outer is not None:
        run = outer.run if outer.turn is None else f"{outer.run}/{outer.turn}/{outer.at}"
    run = f"{run}/{within}" if run and within else run or ""
    return _enter(Position(run, {}, None, str(turn), str(index), **given))


@contextmanager
def _enter(position: Position) -> Iterator[None]:
    if not isinstance(position.run, str) or not position.run:
        raise _no_run()
    token, is_over = _POSITION.set(position), False
    try:
        yield
        is_over = True
    finally:
        _POSITION.reset(token)
        with _LOCK:
            for key, slot in [*position.busy.items()]:
                is_heard = slot.end and (is_over or slot.end == "failure")
                if slot.block is position and is_heard:
                    slot.block = position.outer
                elif slot.block is position:  # a thread of it may go on, but nobody waits for it
                    del position.busy[key]


def _no_run() -> ConfigError:
    return ConfigError(
        "nothing names the run of this tool's call, so a repeat looks like a new call. It did not "
        'run. Write `with agent_run("order-17"):` around the agent, with a name that the run has '
        "again after a crash; docs/agents.md says which library knows its run"
    )


def once(
    *,
    table: str = "",
    probe: settings.Probe | None = None,
    effect: EffectName = "unsafe",
    failures: errors.Failures = None,
    approval: settings.ApprovalSource = False,
    key: Callable[..., str] | None = None,
    lease: float = 60.0,
    keep: float = 31 * 86_400.0,
    name: str | None = None,
    client: store.TableClient | Callable[[], store.TableClient] | None = None,
    clock: Clock | None = None,
) -> Callable[[F], F]:
    """Return a decorator: a tool has its effect once for each call that a run of an agent makes.

    A repeat gets the first result: a retry of a library, a resumed run, a second process, a model
    that calls again because it got no answer. After a failure the probe is asked at once. A call
    that stays in doubt is not repeated, and raises `NotCalledAgain`.

    Args:
        table: an ``unsafe`` tool needs one.
        probe: it is asked for the `call_key`.
        effect: what a repeat would do. Tools that are ``read_only`` or ``idempotent`` just run.
        failures: by default a call is free if `leeward.ran` says ``no``.
        lease: seconds within which the tool ends and what it has sent arrives. A process that has
            died, and a probe that finds nothing, hold a call for so long.
        keep: seconds for which a call is remembered; longer than a run may be resumed.
        approval: as of `leeward.app.idempotent`.
        key: returns the name of what the tool does, from its arguments: with it a call needs no
            run, and happens once in any, also if the model asks again after an answer.
        name: as of `leeward.app.idempotent`.
        client: as of `leeward.app.idempotent`.
        clock: as of `leeward.app.idempotent`.

    Raises:
        ConfigError: an argument is wrong.
    """
    if effect not in ("read_only", "idempotent", "unsafe"):
        raise ConfigError(f"effect of @once must be read_only, idempotent or unsafe, not {effect}")
    given: dict[str, Any] = {"table": table, "probe": probe, "failures": failures, "lease": lease}
    given |= {"keep": keep, "client": client, "clock": clock, "effects": "marked"}
    given |= {"principal": None, "approval": approval}
    if callable(approval) and not is_coroutine_function(approval):
        given["approval"] = lambda arguments: approval(**_this_call().question)

    def decorate(function: F) -> F:
        given["name"] = name or getattr(function, "__name__", None)
        tool: Any = _Tool(function, given, key).call if effect == "unsafe" else function
        setattr(getattr(tool, "__func__", tool), _EFFECT, Effect(effect))
        return cast("F", tool)

    return decorate


def call_key() -> str:
    """Return the key of the tool's call that runs: hand it on to whoever has the effect."""
    return _this_call().key


def effect_of(tool: object) -> Effect | None:
    """Return the effect that a tool's function declares with `once`; None if it does not."""
    return getattr(tool, _EFFECT, None)


_EFFECT: Final = "leeward_effect"


class _Tool:
    """A tool's function, and where its records are.

    Attributes:
        call: the function that libraries call.
        key: names what a call does, from its arguments.
        run_once: takes arguments and a `Context`, and runs `_Call.run` once for a key.
    """

    def __init__(
        self, function: Callable[..., Any], given: dict[str, Any], key: Callable[..., Any] | None
    ) -> None:
        self.settings = settings.check_options(function, settings.IdempotencyOptions(**given))
        self.function, self.signature, self.key = function, signature(function), key

        async def call(*positional: Any, **named: Any) -> Any:
            return await _Call(self, positional, named).answer()

        async def run(arguments: Mapping[str, Any], context: Context) -> Any:
            return await _this_call().run()

        self.call = wraps(function)(call if self.settings.awaited else without_waiting(call))
        guard = idempotency.idempotent(**given)
        self.run_once = guard(run if self.settings.awaited else without_waiting(run))

    async def value(self, result: Any) -> Any:
        """Return a result; that of a coroutine function is awaited."""
        return await result if self.settings.awaited else result

    def locate(self, key: str, suffix: str = "") -> store.RecordLocation:
        """Return where the record of a key is, or a page."""
        table, name, keep = self.settings.table, self.settings.function, self.settings.keep
        id = digests.record_id(f"{name}{suffix}", key, None, digests.own_secret())
        return store.RecordLocation(table, id, keep, self.settings.clock)


class _Slot:
    """The place of a call among the equal ones of its run.

    Attributes:
        end: the call's answer: a result, or a failure that was declared as one; else empty.
        block: in which its answer is waited for.
    """

    __slots__ = ("block", "end")

    def __init__(self, block: Position) -> None:
        self.end: Literal["", "result", "failure"] = ""
        self.block: Position | None = block


class _Call:
    """A call of a tool.

    Attributes:
        question: its arguments, for whoever approves it.
        arguments: those by which it is compared.
        equals: names the run's calls of the tool with these arguments.
        number: among those; where a page keeps it, as soon as that was read.
        turn: of the model, as its places begin.
        place: in its run.
        key: of its record.
        voids: of how many voids of its key it knows.
        doubt: what the function has raised, where that does not prove that nothing ran.
    """

    def __init__(self, tool: _Tool, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        position, key = _POSITION.get(), tool.key
        if position is None and key is None:
            raise _no_run()
        position = position or Position("", {})
        bound = tool.signature.bind(*positional, **named)
        bound.apply_defaults()
        given, names, parameters = bound.arguments, position.names, tool.signature.parameters
        if names is None or not given.keys() >= {*names}:
            names = given
        # A default is the same argument, whether the model writes it or leaves it out.
        default = {name for name, it in given.items() if _is_default(it, parameters[name].default)}
        self.question = {name: it for name, it in given.items() if name in names or name in default}
        self.arguments = {name: it for name, it in self.question.items() if name not in default}
        self.make = partial(tool.function, *positional, **named)
        self.equals = f"{position.run}/{tool.settings.function}/"
        if key is None:
            self.equals += digests.payload_digest(self.arguments)
        elif not isinstance(name := key(**self.question), str) or not name:
            raise ConfigError("key of @once must return a text, not an empty one; it did not run")
        else:
            self.equals = f"{tool.settings.function}/{name}"
            position = position._replace(busy={}, outer=None, turn=None)
        self.tool, self.position, self.name = tool, position, tool.settings.function
        self.doubt: Exception | None = None
        self.turn = f"{position.turn!r}/"  # in quotes: no turn begins with another one
        self.number, self.voids, self.place, self.key = 0, 0, "", ""
        self._counted, self._slot = (self.equals, 0), _Slot(position)

    def _take_number(self) -> None:
        """Reserve the first number that no equal call of the run has."""
        with _LOCK:  # calls of one message may be made on several threads
            self.number = next(it for it in count() if (self.equals, it) not in self.position.busy)
            self._counted = self.equals, self.number
            self.position.busy[self._counted] = self._slot
        self.place = f"{self.turn}{self.position.at}/{self.number}"

    async def answer(self) -> Any:
        """Return the result of the call; for a repeat the first one."""
        token, has_place = _CALL.set(self), self.position.turn is not None
        try:  # a signal may raise anywhere, such as that of Celery's soft time limit
            self._take_number()
            if has_place:
                self.number = await self._find_number()
            key = f"{self.equals}/{self.number}"
            self.key = key if len(key) <= settings.LONGEST_KEY else digests.digest_of_text(key)
            result = await self._run_until_known()
            await self._note_end("result")
            return result
        except NotCalledAgain as refusal:
            if refusal.reason == Reason.NOT_KEPT.value:
                await self._note_end("result")
            # A run that is resumed in the middle asks again at this place, once that has ended.
            if not self.position.as_text or (has_place and refusal.reason == Reason.RUNNING.value):
                raise
            return str(refusal)
        except Exception as error:
            self._slot.end = ""  # nobody has heard a result
            declared = errors.treatment_of(error, self.tool.settings.failures, nothing_ran=True)
            if declared is errors.Treatment.REPLAY and not isinstance(error, DedupUnavailable):
                await self._note_end("failure")
            raise
        finally:
            _CALL.reset(token)
            with _LOCK:
                if not self._slot.end and self.position.busy.get(self._counted) is self._slot:
                    del self.position.busy[self._counted]  # whoever makes it again makes this one

    async def _run_until_known(self) -> Any:
        clock = self.tool.settings.clock
        for _ in range(steps.ROUNDS):
            until = clock.monotonic() + PROBE_TIME
            context = Context(self.name, self.key, None, until, clock, voids=self.voids)
            try:
                return await self.tool.value(self.tool.run_once(self.arguments, context))
            except idempotency.RepeatRefused as refusal:
                if refusal is not context.word:  # of another call, which the tool has made
                    raise
                if refusal.reason != Reason.VOIDED.value:
                    cause = self.doubt or refusal
                    raise self._refusal(refusal.reason, refusal.retry_after) from cause
                self.voids = refusal.voids  # this call is made after that was settled
            except (idempotency.ApprovalPending, idempotency.ApprovalRefused) as refusal:
                if refusal is not context.word:
                    raise
                raise self._refusal(refusal.reason, refusal.retry_after) from refusal
            except Exception as error:
                if error is not self.doubt:
                    raise
                # Else the next claim asks the probe.
        raise self.doubt or self._refusal("running")

    async def run(self) -> Any:
        """Run the function. Tools that it calls have a run of their own."""
        is_awaited = self.tool.settings.awaited
        announce: Any = idempotency.effect_async if is_awaited else idempotency.effect
        await self.tool.value(announce())
        try:
            with agent_run(self.key):
                return await self.tool.value(self.make())
        except Exception as error:
            run = running.current_run()
            assert run is not None
            if isinstance(error, self.position.releases) or ran(error) == "no":
                run.proved_not_run()
            if run.effects and not isinstance(error, tuple(self.tool.settings.failures)):
                self.doubt = error
            raise

    def _refusal(self, reason: str | None, seconds: float | None = None) -> NotCalledAgain:
        table, id, *_ = self.tool.locate(self.key)
        facts: Any = {"tool": self.name, "table": table, "record": digests.record_ref(id)}
        log_event(LOGGER, "error", "not_called_again", why=reason, **facts)
        text = _TEXTS[reason or "unknown"].format(tool=self.name, seconds=seconds or 1.0)
        text = f"{text} (leeward keys show {table} {facts['record']})."
        return NotCalledAgain(text, status=409, reason=reason, retryable=False, retry_after=seconds)

    async def _find_number(self) -> int:
        """Return the number that the page has for this place, or the first that is free."""

        def choose(page: _Page) -> None:
            taken = {of for place, of, is_over in page if is_over or place.startswith(self.turn)}
            free = next(number for number in count() if number not in taken)
            lines = [line for line in page if line[0] == self.place]
            page[:] = [line for line in page if line not in lines]
            page += lines or [[self.place, free, False]]

        return int((await self._change_page(choose))[-1][1])

    async def _note_end(self, end: Literal["result", "failure"]) -> None:
        """Note that the call has its answer; on its page, unless a later place waits for it."""

        def note(page: _Page) -> None:
            for line in [line for line in page if line[1] == self.number][-1:]:
                line[2] |= line[0] == self.place

        try:
            if self.position.turn is not None:
                await self._change_page(note)
        except DedupUnavailable as error:  # whoever asks again gets the answer
            raise self._refusal(Reason.RUNNING.value, 1.0) from error
        self._slot.end = end

    async def _change_page(self, change: Callable[[_Page], None]) -> _Page:
        location = self.tool.locate(self.equals, "/calls")
        carry_out = store.perform_async if self.tool.settings.awaited else store.perform
        changed = carry_out(self.tool.settings.client(None), location, _save_page(change))
        page = await self.tool.value(changed)
        if isinstance(page, steps.Away | steps.Unfit):
            raise running.unavailable(self.name, page.error)
        return cast("_Page", page)


_CALL: Final[ContextVar[_Call | None]] = ContextVar("call", default=None)

_Page: TypeAlias = list[list[Any]]
"""The equal calls of a run: place, number, and whether it has its answer, in the order in which the
places have asked last. A place whose call has no answer passes its number on to later turns."""


def _this_call() -> _Call:
    if (call := _CALL.get()) is None:
        raise ConfigError("call_key() is for the function of a tool that @once stands before")
    return call


def _save_page(change: Callable[[_Page], None]) -> steps.Steps[Any]:
    """Change a page, whoever changes it meanwhile; it is empty at first."""
    loaded: Any = None
    while True:
        page = loaded.record.result if loaded and loaded.record else []
        change(page)
        record = KeyRecord(KeyState.COMPLETED, "", 1, 0.0, "", effects=False, result=page)
        reply, _ = yield steps.SaveRecord(record, loaded and loaded.revision)
        if not isinstance(reply, steps.Changed):
            return page if isinstance(reply, steps.Saved) else reply
        loaded, _ = yield steps.LoadRecord()
        if isinstance(loaded, steps.Away):
            return loaded


def _is_default(value: Any, default: Any) -> bool:
    """Return whether an argument has its default; that of a field of pydantic is inside of it."""
    default = getattr(default, "default", default)
    return value is default or (type(value) is type(default) and value == default)
