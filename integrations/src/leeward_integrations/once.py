"""`once`: a tool of an agent whose effect happens once, however often libraries and models try.

It is `leeward.app.idempotent` with a key of the tool, the run, the arguments, and the number of the
call among those of the run that are equal: never of an id that a model or a retry makes anew, and
never of the arguments alone. A call that got no answer does not count: when the model calls again,
that is the same call. Where a library resumes a run in the middle, `tool_call` says at which turn
and index a call is made, and a page, one more record in the table, keeps its number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from decimal import Decimal
from functools import partial, wraps
from inspect import signature
from itertools import count
from threading import Lock
from typing import Any, Final, TypeVar, cast, get_type_hints
from uuid import UUID

from leeward.app import idempotency
from leeward.app.answers import Problem
from leeward.app.context import Context
from leeward.app.idempotency import digests, steps, store
from leeward.app.idempotency.errors import Failures, Treatment, treatment_of
from leeward.app.idempotency.record import KeyRecord, KeyState, LoadedRecord, Reason
from leeward.app.idempotency.running import unavailable
from leeward.app.idempotency.settings import (
    LONGEST_KEY,
    ApprovalSource,
    IdempotencyOptions,
    Probe,
    check_options,
)
from leeward.app.idempotency.settlement import PROBE_TIME
from leeward.app.signatures import is_coroutine_function
from leeward.clock import Clock
from leeward.errors import ConfigError, DedupUnavailable
from leeward.evidence import ran
from leeward.logs import log_event
from leeward.records import NamedTuple
from leeward.values import Effect, EffectName
from leeward_integrations.coroutines import finish

F = TypeVar("F", bound=Callable[..., Any])

LOGGER = "leeward.once"

_EFFECT: Final = "leeward_effect"
_FIELDS: Final = ("__dataclass_fields__", "__struct_fields__", "model_dump", "isoformat")
_PLAIN: Final = (str, int, float, bytes, type(None), dict, list, tuple, Decimal, UUID)
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
    """Where a call is made: see `tool_call`. `busy` are keys that run or have an answer."""

    run: str
    busy: set[str]
    turn: str | None = None
    at: str = ""
    names: Collection[str] | None = None
    releases: tuple[type[BaseException], ...] = ()
    as_text: bool = False


_LOCK: Final = Lock()
_POSITION: Final[ContextVar[Position | None]] = ContextVar("position", default=None)


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
    return _at(Position(run, set()))


@contextmanager
def _at(position: Position) -> Iterator[None]:
    if not position.run:
        raise _no_run()
    token = _POSITION.set(position)
    try:
        yield
    finally:
        _POSITION.reset(token)


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
    told: dict[str, Any] = {"names": names, "releases": releases, "as_text": as_text}
    if turn is None:
        return _at(outer._replace(**told) if outer else Position(run or "", set(), **told))
    if outer is not None:
        run = outer.run if outer.turn is None else f"{outer.run}/{outer.turn}/{outer.at}"
    run = f"{run}/{within}" if run and within else run or ""
    return _at(Position(run, set(), str(turn), str(index), **told))


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
    approval: ApprovalSource = False,
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
        name: as of `leeward.app.idempotent`.
        client: as of `leeward.app.idempotent`.
        clock: as of `leeward.app.idempotent`.

    Raises:
        ConfigError: an argument is wrong, or the function returns what no table keeps.
    """
    if effect not in ("read_only", "idempotent", "unsafe"):
        raise ConfigError(f"effect of @once must be read_only, idempotent or unsafe, not {effect}")
    given: dict[str, Any] = {"table": table, "probe": probe, "failures": failures, "lease": lease}
    given |= {"keep": keep, "client": client, "clock": clock, "effects": "marked"}
    given |= {"principal": None, "approval": approval}
    if callable(approval) and not is_coroutine_function(approval):
        given["approval"] = lambda arguments: approval(**cast("_Call", _CALL.get()).question)

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
        # The class may be one that only a type checker imports, or no class at all.
        with suppress(NameError, AttributeError, SyntaxError, TypeError):
            _check_result(function.__name__, get_type_hints(function).get("return"))

        def run(arguments: Mapping[str, Any], context: Context) -> Any:
            return finish(cast("_Call", _CALL.get()).run())

        async def run_async(arguments: Mapping[str, Any], context: Context) -> Any:
            return await cast("_Call", _CALL.get()).run()

        guard = idempotency.idempotent(**given)
        self.run_once = guard(run_async if self.settings.awaited else run)

    def wrap(self) -> Callable[..., Any]:
        """Return the function that libraries call."""

        @wraps(self.function)
        def call(*positional: Any, **named: Any) -> Any:
            return finish(_Call(self, positional, named).answer())

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
        question: its arguments, for whoever approves it.
        arguments: those by which it is compared.
        key: of its record; where its number is on a page, as soon as that was read.
        voids: of how many voids of its key it knows.
        error: what the function has raised.
        is_free: that proves that nothing ran; or it was declared what it does to the key.
    """

    def __init__(self, tool: _Tool, positional: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if (position := _POSITION.get()) is None:
            raise _no_run()
        bound = tool.signature.bind(*positional, **named)
        bound.apply_defaults()
        given, names, own = bound.arguments, position.names, tool.signature.parameters
        if names is None or not given.keys() >= {*names}:
            names = given
        self.tool, self.position, self.name = tool, position, tool.settings.function
        self.make = partial(tool.function, *positional, **named)
        # A default is the same argument, whether the model writes it or leaves it out.
        default = {name for name, it in given.items() if _is_default(it, own[name].default)}
        self.question = {name: it for name, it in given.items() if name in names or name in default}
        self.arguments = {name: it for name, it in self.question.items() if name not in default}
        self._digest = digests.payload_digest(self.arguments)
        with _LOCK:  # calls of one message may be made on several threads
            free = (number for number in count() if self._key_of(number) not in position.busy)
            self._number = next(free)
            self.key = self._taken = self._key_of(self._number)
            position.busy.add(self.key)
        self.voids, self.is_free = 0, False
        self.error: Exception | None = None

    def _key_of(self, number: object) -> str:
        """Return the key of a call with these arguments; one that is too long by its digest."""
        key = f"{self.position.run}/{self.name}/{self._digest}/{number}"
        return key if len(key) <= LONGEST_KEY else digests.digest_of_text(key)

    def _place(self) -> str:
        """Return the place of the call in its run."""
        return f"{self.position.turn}/{self.position.at}/{self._number}"

    async def answer(self) -> Any:
        """Return the result of the call; for a repeat the first one."""
        token, is_answered, is_listed = _CALL.set(self), False, self.position.turn is not None
        number = 0
        try:
            if is_listed:
                number = await self._find_number()
                self.key = self._key_of(number)
            result = await self._run_once()
            is_answered = True
        except NotCalledAgain as error:
            is_answered = error.reason == Reason.NOT_KEPT.value
            # A run that is resumed in the middle asks again at this place, once that has ended.
            if not self.position.as_text or (is_listed and error.reason == Reason.RUNNING.value):
                raise
            result = str(error)
        except Exception as error:
            declared = treatment_of(error, self.tool.settings.failures, nothing_ran=True)
            is_answered = declared is Treatment.REPLAY and not isinstance(error, DedupUnavailable)
            raise
        finally:
            _CALL.reset(token)
            if not is_answered:  # whoever makes the call again makes this one
                self.position.busy.discard(self._taken)
            elif is_listed:
                await self._note_answer(number)
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
            except (idempotency.ApprovalPending, idempotency.ApprovalRefused) as refusal:
                raise self._refusal(refusal.reason, refusal.retry_after) from refusal
            except Exception as error:
                if error is not self.error or self.is_free:
                    raise
                # Else the key is in doubt, and the next claim asks the probe.
        raise self.error or self._refusal("running")

    async def run(self) -> Any:
        """Run the function. Tools that it calls have a run of their own."""
        announce: Any = idempotency.effect
        if self.tool.settings.awaited:
            announce = idempotency.effect_async
        await self.tool.value(announce())
        try:
            with agent_run(self.key):  # of the tools that it calls
                return await self.tool.value(self.make())
        except Exception as error:
            run, self.error = idempotency.current_run(), error
            if run and (isinstance(error, self.position.releases) or ran(error) == "no"):
                run.proved_not_run()
                self.is_free = not run.effects
            self.is_free |= isinstance(error, tuple(self.tool.settings.failures))
            raise

    def _refusal(self, reason: str | None, seconds: float | None = None) -> NotCalledAgain:
        location = self.tool.locate(self.key)
        facts: Any = {"table": location.table, "record": digests.record_ref(location.id)}
        log_event(LOGGER, "error", "not_called_again", why=reason, tool=self.name, **facts)
        text = _TEXTS[reason or "unknown"].format(tool=self.name, seconds=seconds or 1.0)
        text = f"{text} (leeward keys show {facts['table']} {facts['record']})."
        return NotCalledAgain(text, status=409, reason=reason, retryable=False, retry_after=seconds)

    async def _find_number(self) -> int:
        """Return the number that the page has for this place, or the first that is free."""
        turn, here = f"{self.position.turn}/", self._place()

        def choose(page: Any) -> None:
            places, answered = page["places"], page["answered"]
            beside = {of for at, of in places.items() if at.startswith(turn)}
            free = (number for number in count() if number not in {*answered, *beside})
            number = places.setdefault(here, next(free))
            page["last"][str(number)] = here

        page = await self._change_page(choose)
        return int(page["places"][here])

    async def _note_answer(self, number: int) -> None:
        """Note that the call with this number has its answer, unless a later place waits for it.

        Raises:
            NotCalledAgain: the table is away. Whoever asks again gets the answer then.
        """
        here = self._place()

        def note(page: Any) -> None:
            if page["last"].get(str(number), here) == here:
                page["answered"] = [*{*page["answered"], number}]

        try:
            await self._change_page(note)
        except DedupUnavailable as error:
            raise self._refusal(Reason.RUNNING.value, 1.0) from error

    async def _change_page(self, change: Callable[[Any], None]) -> Any:
        """Change the page of the calls with these arguments, and return it.

        It says which number the call at each place has, which place has asked for a number last,
        and which numbers have an answer.
        """
        settings = self.tool.settings
        location = self.tool.locate(f"{self.position.run}/{self._digest}", "/calls")
        carry_out = store.perform_async if settings.awaited else store.perform
        client = settings.client()
        page = await self.tool.value(carry_out(client, location, _save_page(change)))
        if isinstance(page, steps.Away):
            raise unavailable(self.name, page.error)
        return page


_CALL: Final[ContextVar[_Call | None]] = ContextVar("call", default=None)


def _save_page(change: Callable[[Any], None]) -> steps.Steps[Any]:
    """Change a page, whoever changes it meanwhile; there is none at first."""
    revision: str | None = None
    page: Any = {"places": {}, "last": {}, "answered": []}
    while True:
        change(page)
        record = KeyRecord(KeyState.COMPLETED, "", 1, 0.0, "", effects=False, result=page)
        reply, _ = yield steps.SaveRecord(record, revision)
        if isinstance(reply, steps.Saved):
            return page
        if isinstance(reply, steps.Unfit):
            return steps.Away(reply.error)
        if isinstance(reply, steps.Changed):
            reply, _ = yield steps.LoadRecord()
        if isinstance(reply, steps.Away):
            return reply
        if isinstance(reply, LoadedRecord) and reply.record is not None:
            revision, page = reply.revision, reply.record.result


def _is_default(value: Any, default: Any) -> bool:
    """Return whether an argument has its default; that of a field of pydantic is inside of it."""
    default = getattr(default, "default", default)
    return value is default or (type(value) is type(default) and value == default)


def _check_result(tool: str, kind: Any) -> None:
    """Check what a tool says that it returns: a class that no table keeps is an error."""
    has_fields = kind is object or any(hasattr(kind, field) for field in _FIELDS)
    if type(kind) is type and not (has_fields or issubclass(kind, _PLAIN)):
        raise ConfigError(
            f"{tool} returns a {kind.__name__}, which no table keeps for a repeat. Return JSON, a "
            "dataclass or a model"
        )
