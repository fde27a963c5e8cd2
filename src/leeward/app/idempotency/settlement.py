"""Settling a key on the function side: the record, the probe, and the answer in JSON.

The answer is the same on every cloud, and other frameworks can give it: see ``docs/settle.md``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from functools import wraps
from queue import Empty, Full, SimpleQueue
from threading import TIMEOUT_MAX, Thread
from threading import enumerate as threads
from typing import Any, Final, TypeVar

from leeward.app.context import Context
from leeward.app.idempotency.digests import keepable_of, payload_digest, record_ref
from leeward.app.idempotency.errors import KeyMissing, KeyReused, PrincipalMissing, earlier_failure
from leeward.app.idempotency.record import Refuse
from leeward.app.idempotency.register import doubt_of, enter_register
from leeward.app.idempotency.running import unavailable
from leeward.app.idempotency.settings import Arguments, IdempotencySettings
from leeward.app.idempotency.settling import (
    CannotTell,
    Done,
    KeyFinding,
    NotDone,
    OpenCase,
    ProbeAnswer,
    SettleRequest,
    close_case,
    settle_key,
    unknown_of,
)
from leeward.app.idempotency.steps import ROUNDS, Away, Steps
from leeward.app.idempotency.store import perform, perform_async
from leeward.logs import failure_facts, log_event
from leeward.values import Json
from leeward.values.settled import Verdict

T = TypeVar("T")

LOGGER = "leeward.idempotency"

PROBE_TIME: Final = 10.0  # seconds of a probe if the call has no limit

MOST_PROBES: Final = 128
"""Of one process at once. One that hangs keeps its thread; with more, the answer is unknown."""

_THREAD: Final = "leeward-probe"

Question = tuple[str, Context | None, tuple[str, ...]]
"""The arguments of a probe: the key, the context, and the notes of the key's runs."""


class KeySettlement:
    """The settling of one key: yields reads and writes of the table, and decides by the replies."""

    def __init__(
        self,
        settings: IdempotencySettings,
        age: float | None,
        given: tuple[Any, ...] | None,
        context: Context,
        *,
        is_here: bool = False,
    ) -> None:
        """Read the key. `age` is in seconds; `is_here`: this process alone may have run the call.

        Raises:
            PrincipalMissing: the owner of the key is not known.
            KeyMissing: there is no key, or it is in the payload, which the asker lacks.
        """
        self._settings, self._context = settings, context
        # A default would be the payload of another call, so without a payload there is no key.
        arguments = Arguments({}) if given is None else settings.signature.bind(given, {}, Context)
        try:
            self.key, self.location = settings.locate(arguments, context)
        except PrincipalMissing:
            raise
        except Exception as error:  # of KeyMissing, and of what the user's own `key` may raise
            if given is not None:
                raise
            field = error.field if isinstance(error, KeyMissing) else "a function of its arguments"
            raise KeyMissing(
                f"{settings.function!r} reads its key at {field}, and nothing is there: "
                "settle with the payload of the call. Nothing was settled",
                field=field,
            ) from error
        over_wire = context if context.wire else None
        payload = None if given is None else payload_digest(arguments.values, over_wire)
        self._request: SettleRequest = settings.request(payload, context.voids, age)
        self._register = None if is_here else settings.register

    def begin(self) -> Steps[KeyFinding | OpenCase | Refuse | Away]:
        """Return the steps that look at the record."""
        away = yield from self._look_into_register()
        clock = self.location.clock
        finding = away or (yield from settle_key(self._request, clock.monotonic()))
        return (yield from self._confirm(finding))

    def _look_into_register(self) -> Steps[Away | None]:
        """Make "no record" unknown, unless the register proves that there would be one."""
        register, request = self._register, self._request
        if register is None or request.doubt is not None:
            return None
        now = self.location.clock.now()
        entries = yield from enter_register(register, now)
        if isinstance(entries, Away):
            return entries
        self._request = request._replace(doubt=doubt_of(register, entries, request.age, now))
        return None

    def _confirm(self, finding: T) -> Steps[T | KeyFinding | Away]:
        """Read the register again before "not run": another version may have begun meanwhile."""
        if isinstance(finding, KeyFinding) and finding.verdict is Verdict.NOT_RUN:
            away = yield from self._look_into_register()
            if away is not None:
                return away
            if self._request.doubt is not None:
                return unknown_of(self._request.doubt)
        return finding

    def question(self, case: OpenCase) -> Question:
        """Return the arguments of the probe."""
        return self.key, self._context, case.record.notes

    def close(self, case: OpenCase, reply: ProbeAnswer) -> Steps[KeyFinding | Away | None]:
        """Return the steps that record the answer of the probe."""
        finding = yield from close_case(case, reply, self._request)
        return (yield from self._confirm(finding))

    def document(self, finding: KeyFinding | OpenCase | Refuse | Away | None) -> dict[str, Json]:
        """Return the answer.

        Raises:
            DedupUnavailable: the table cannot be reached.
            KeyReused: the key belongs to another payload.
        """
        function = self._settings.function
        if isinstance(finding, Away):
            raise unavailable(function, finding.error, "nothing was settled; ask again")
        if isinstance(finding, Refuse):  # as a mismatch
            raise KeyReused(
                f"this idempotency key of {function!r} belongs to a call with another payload. "
                "Nothing was settled; settle with the payload of the call"
            )
        if not isinstance(finding, KeyFinding):  # others have written all the time
            finding = KeyFinding(Verdict.RUNNING, retry_after=1.0)
        verdict, doubt, result, kept, failure, retry_after, voids, detail = finding
        why = None if doubt is None else doubt.value
        facts = {"table": self.location.table, "record": record_ref(self.location.id)}
        facts |= {"verdict": verdict.value}
        log_event(LOGGER, "info", "settled", function=function, why=why, detail=detail, **facts)
        document: dict[str, Any] = {"verdict": verdict.value, "reason": why, "voids": voids}
        document["record"] = f"{facts['table']} {facts['record']}"
        if verdict is Verdict.RAN:
            document |= {"kept": kept, "result": result if kept else None}
        if failure is not None:
            problem = earlier_failure(function, failure)
            document["failure"] = {
                "errorType": failure.type,
                "errorMessage": problem.message,
                "reason": problem.reason,
                "retryable": failure.rerun,
                "ran": "yes",
            }
        if retry_after is not None:
            document["retry_after"] = retry_after
        if detail:
            document["detail"] = detail
        return document


def settle_by_record(settings: IdempotencySettings) -> Callable[..., Any]:
    """Return what settles a key of a function; see `leeward.app.signatures.Idempotency`."""
    is_awaited = settings.awaited
    carry_out: Any = perform_async if is_awaited else perform
    ask: Any = ask_probe_async if is_awaited else ask_probe

    async def value(of: Any) -> Any:
        return await of if is_awaited else of

    async def settle(
        age: float | None, given: tuple[Any, ...] | None, context: Context, *, is_here: bool = False
    ) -> dict[str, Json]:
        this = KeySettlement(settings, age, given, context, is_here=is_here)
        client = settings.client(context)
        finding: Any = None
        for _ in range(ROUNDS):
            finding = await value(carry_out(client, this.location, this.begin()))
            if isinstance(finding, OpenCase):
                reply = await value(ask(settings, *this.question(finding)))
                finding = await value(carry_out(client, this.location, this.close(finding, reply)))
            if finding is not None:
                break
        return this.document(finding)

    return settle if is_awaited else without_waiting(settle)


def without_waiting(work: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Return a plain function in place of a coroutine function that never waits."""

    @wraps(work)
    def call(*given: Any, **named: Any) -> Any:
        try:
            work(*given, **named).send(None)
        except StopIteration as end:
            return end.value
        raise AssertionError("it waits")

    return call


def ask_probe(
    settings: IdempotencySettings, key: str, context: Context | None, notes: tuple[str, ...]
) -> ProbeAnswer:
    """Ask the probe of a function, and wait for it as long as the call may take.

    An exception or a late answer is `CannotTell`.
    """
    answers: SimpleQueue[object] = SimpleQueue()
    probe: Any = settings.probe
    within = copy_context()

    def ask() -> None:
        try:
            answers.put(within.run(probe, key, context, notes))
        except BaseException as error:  # noqa: BLE001 - it tells nothing, and is logged
            answers.put(error)

    if sum(thread.name == _THREAD for thread in threads()) >= MOST_PROBES:
        return _read(settings, key, Full())
    Thread(target=ask, name=_THREAD, daemon=True).start()
    seconds = PROBE_TIME if context is None else context.remaining()
    try:
        return _read(settings, key, answers.get(timeout=min(seconds, TIMEOUT_MAX)))
    except Empty as error:
        return _read(settings, key, error)


async def ask_probe_async(
    settings: IdempotencySettings, key: str, context: Context | None, notes: tuple[str, ...]
) -> ProbeAnswer:
    """Do the same without blocking the event loop."""
    from asyncio import to_thread, wait_for

    seconds = PROBE_TIME if context is None else context.remaining()
    probe: Any = settings.probe

    async def ask() -> object:
        reply = await to_thread(probe, key, context, notes)
        return await reply if isinstance(reply, Awaitable) else reply

    try:
        return _read(settings, key, await wait_for(ask(), seconds))
    except Exception as error:  # noqa: BLE001 - it tells nothing, and is logged
        return _read(settings, key, error)


def _read(settings: IdempotencySettings, key: str, word: object) -> ProbeAnswer:
    """Return the answer of a probe if it is valid and about this key, else `CannotTell`."""
    if isinstance(word, Done | NotDone) and word.key in (None, key):
        return word._replace(result=keepable_of(word.result)) if isinstance(word, Done) else word
    if not isinstance(word, CannotTell):
        is_about_other = isinstance(word, Done | NotDone)
        why = "another_key" if is_about_other else type(word).__name__
        facts = failure_facts(word) if isinstance(word, Exception) else {}
        log_event(LOGGER, "error", "probe_failed", function=settings.function, why=why, **facts)
    return CannotTell()
