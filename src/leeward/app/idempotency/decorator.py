"""`idempotent`: a handler whose effect happens once for each key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from os import urandom
from types import CoroutineType
from typing import Any, Literal, TypeVar, cast

from leeward.app.context import Context, Function, current
from leeward.app.idempotency import record
from leeward.app.idempotency.digests import keepable_of, payload_digest, record_ref
from leeward.app.idempotency.errors import (
    Failures,
    KeyMissing,
    PrincipalMissing,
    Treatment,
    earlier_failure,
    recorded_failure_of,
    refusal_problem,
    restore_exception,
    treatment_of,
)
from leeward.app.idempotency.record import (
    Claim,
    Decision,
    Earlier,
    LoadedRecord,
    Reason,
    Refuse,
    Replay,
    ReplayFailure,
    Start,
)
from leeward.app.idempotency.register import Register, digest_of_facts, enter_register
from leeward.app.idempotency.running import IdempotentRun, may_run_without, unavailable
from leeward.app.idempotency.settings import (
    LEASE,
    MARGIN,
    ApprovalSource,
    IdempotencyOptions,
    IdempotencySettings,
    KeySource,
    PrincipalSource,
    Probe,
    check_options,
)
from leeward.app.idempotency.settlement import ask_probe, ask_probe_async, settle_by_record
from leeward.app.idempotency.settling import (
    OpenCase,
    ProbeAnswer,
    SettleRequest,
    claim_with_probe,
    take_case,
)
from leeward.app.idempotency.steps import (
    Away,
    Held,
    Recorded,
    Steps,
    claim_key,
    write_end,
    write_nothing,
)
from leeward.app.idempotency.store import TableClient, perform, perform_async
from leeward.app.signatures import GENERATORS, IDEMPOTENCY, Idempotency
from leeward.clock import Clock
from leeward.envelope import NOT_RECOGNISED
from leeward.errors import ConfigError
from leeward.logs import log_event

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=Exception)

LOGGER = "leeward.idempotency"


def idempotent(
    *,
    table: str,
    key: KeySource = None,
    principal: PrincipalSource = "",
    lease: float | timedelta | None = None,
    keep: float | timedelta = 86_400.0,
    failures: Failures = None,
    unreachable: Literal["refuse", "run_and_flag"] = "refuse",
    effects: Literal["anywhere", "marked"] = "anywhere",
    unknown: Literal["refuse", "run"] = "refuse",
    probe: Probe | None = None,
    approval: ApprovalSource = False,
    dedup_scope: Literal["target", "group"] = "target",
    name: str | None = None,
    client: TableClient | Callable[[], TableClient] | None = None,
    clock: Clock | None = None,
) -> Callable[[F], F]:
    """Run a function once for each key: a repeat gets the first result, or is refused.

    It guards functions and coroutine functions, handlers of an app and other functions.

    Args:
        table: logical name of the table with the records; its key is ``id``.
        key: where the key is: None for the key of the call; a path that begins with a parameter,
            such as ``order.id``; ``header:Name``; or a function of the same arguments.
        principal: the owner of a key, so that callers do not share keys: ``platform`` for the
            caller that the platform has identified (`Context.principal`), a function of the
            `Context` that returns a text, or None for all callers together. A function of an app
            has to name one.
        lease: seconds after which an unfinished run is assumed dead; longer than the platform lets
            it run. By default the call's remaining time, else 60, and 10 more.
        keep: seconds for which a key is remembered; longer than the latest delivery may come.
        failures: what an exception does to the key, by its class, or one word for all: ``release``
            it, because nothing has run; ``replay`` the failure; or let a repeat ``rerun``.
        unreachable: what to do while the table cannot be reached: ``refuse`` the call, or
            ``run_and_flag``, which may run it twice.
        effects: ``marked`` if the function announces all effects with `effect`, or they are calls
            of a leeward client: a failure before the first effect releases the key. Otherwise
            ``anywhere``.
        unknown: whether a repeat may ``run`` when an earlier run may have had its effect;
            `IdempotentRun.earlier` then says so. Or ``refuse``.
        probe: finds out whether a run that ended unknown had its effect. It takes the key, the
            `Context` and the notes of the run (`IdempotentRun.note`), and returns `Done` with the
            result, `NotDone` or `CannotTell`. A repeat and `Client.settle` call it.
        approval: a person has to approve a call before it runs: True for all calls; or a function
            of the same arguments that returns True or False, or what the person is to read. Until
            then a call gets `ApprovalPending`.
        dedup_scope: ``group`` if the function uses one table on all clouds.
        name: of the records in the table; by default the app's name and the handler's, and of any
            other function its module and name.
        client: a `leeward.Client`, for a coroutine function an `AsyncClient`, or a function that
            returns one; by default the client of the app whose handler runs (`App.client`), else
            one for the process, as the environment configures it.
        clock: for tests, `leeward.testing.FakeClock`.

    Raises:
        ConfigError: an argument is wrong; the message names it.
    """
    options = IdempotencyOptions(
        *(table, key, principal, lease, keep, failures, unreachable, effects, unknown),
        *(dedup_scope, name, client, clock, probe, approval),
    )

    def decorate(function: F) -> F:
        settings = check_options(function, options)
        wrap = _wrap_coroutine if settings.awaited else _wrap_function
        call = wraps(function)(wrap(function, settings))
        declared = Idempotency(
            call,
            settings.scope,
            settings.names_principal,
            settle_by_record(settings),
            lambda: digest_of_facts(settings.table, settings.facts),
            settings.table,
            settings.identity.bind,
        )
        setattr(call, IDEMPOTENCY, declared)
        return cast("F", call)

    return decorate


def _wrap_function(function: Callable[..., Any], settings: IdempotencySettings) -> Function:
    def call(*positional: Any, **named: Any) -> Any:
        this = IdempotentCall(settings, call, positional, named)
        client, location = settings.client(this.context), this.location
        decision = perform(client, location, this.claim(client))
        if isinstance(decision, OpenCase):
            reply = ask_probe(settings, *this.question(decision))
            decision = perform(client, location, this.take(decision, reply))
        run = this.begin(decision, client)
        if isinstance(run, Replay):
            return run.result
        try:
            with run:
                run.start()
                result = _check_result(settings.function, function(*positional, **named))
        except Exception as error:
            this.note_failure(run, perform(client, location, this.after_failure(run, error)))
            raise
        end = perform(client, location, this.after_success(run, result))
        return this.finish(run, end, result)

    return call


def _wrap_coroutine(function: Callable[..., Any], settings: IdempotencySettings) -> Function:
    async def call(*positional: Any, **named: Any) -> Any:
        this = IdempotentCall(settings, call, positional, named)
        client, location = settings.client(this.context), this.location
        decision = await perform_async(client, location, this.claim(client))
        if isinstance(decision, OpenCase):
            reply = await ask_probe_async(settings, *this.question(decision))
            decision = await perform_async(client, location, this.take(decision, reply))
        run = this.begin(decision, client)
        if isinstance(run, Replay):
            return run.result
        try:
            with run:
                await run.start_async()
                result = _check_result(settings.function, await function(*positional, **named))
        except Exception as error:
            steps = this.after_failure(run, error)
            this.note_failure(run, await perform_async(client, location, steps))
            raise
        end = await perform_async(client, location, this.after_success(run, result))
        return this.finish(run, end, result)

    return call


def _check_result(function: str, result: Any) -> Any:
    """Return a result; raise `ConfigError` if it is a coroutine or generator that has not run."""
    if type(result) is CoroutineType:
        result.close()
        raise ConfigError(
            f"{function!r} returns a coroutine, which has not run; if another decorator makes a "
            "plain function of it, put @idempotent directly before the coroutine function"
        )
    if type(result) in GENERATORS:
        raise ConfigError(f"{function!r} returns a generator, which runs late; return a list")
    return result


class IdempotentCall:
    """One call of an idempotent function, from its key to its result: no I/O.

    It yields the reads and writes of the table, and decides by their replies.
    """

    def __init__(
        self,
        settings: IdempotencySettings,
        function: Function,
        positional: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> None:
        """Read the key and the digest of the payload of a call of the idempotent `function`."""
        arguments = settings.signature.bind(positional, named, Context)
        self.context = context = arguments.context or current()
        self._own: Context | None = None  # the context, if this guard is the first of its call
        over_wire: Context | None = None
        if context is not None and context.guard is None:
            context.guard, context.dedup = function, settings.scope
            context.did_nothing = True
            self._own = context
            if context.wire is not None and context.wire[0] is function:
                over_wire = context
        self._settings = settings
        try:
            self._key, self.location = settings.locate(arguments, context)
        except (KeyMissing, PrincipalMissing) as error:
            self._say(error)
            raise
        self._claim = Claim(
            urandom(12).hex(),
            payload_digest(arguments.values, over_wire),
            settings.lease or MARGIN + (context.remaining() if context else LEASE),
            settings.effects_marked,
            settings.run_unknown,
            self._own.voids if self._own else 0,  # they are of one key of one function
            settings.read_question(arguments),
        )

    def claim(self, client: object) -> Steps[Decision | OpenCase | Away]:
        """Return the steps that decide whether it runs; an `OpenCase` must go to the probe.

        The first steps by a `client` in a process also write the register.
        """
        is_known = self._settings.identity.entered() is getattr(client, "_operations", client)
        if not is_known and (register := self._settings.register) is not None:
            return self._enter_and_claim(register, client)
        now = self.location.clock.monotonic()
        if self._settings.probe is None:
            return claim_key(self._claim, now)
        return claim_with_probe(self._claim, self._request(), now)

    def _enter_and_claim(
        self, register: Register, client: object
    ) -> Steps[Decision | OpenCase | Away]:
        entries = yield from enter_register(register, self.location.clock.now())
        if isinstance(entries, Away):
            return entries
        self._settings.identity.enter(client)
        return (yield from self.claim(client))

    def question(self, case: OpenCase) -> tuple[str, Context | None, tuple[str, ...]]:
        """Return the arguments of the probe."""
        return self._key, self.context, case.record.notes

    def take(self, case: OpenCase, reply: ProbeAnswer) -> Steps[Decision | Away]:
        """Return the steps that follow the answer of the probe."""
        return take_case(case, reply, self._claim, self._request(), self.location.clock.monotonic())

    def _request(self) -> SettleRequest:
        return self._settings.request(self._claim.payload, self._claim.voids, None)

    def begin(self, decision: Decision | Away, store: TableClient) -> IdempotentRun | Replay:
        """Return the run that may begin, or the result of an earlier one.

        Raises:
            DedupUnavailable: the table cannot be reached.
            RepeatRefused: an earlier run is under way, or its effect is unknown.
            KeyReused: the key belongs to another payload.
            ApprovalPending: a person has to approve it first.
            ApprovalRefused: a person has refused it.
            Exception: the failure of an earlier run.
        """
        settings = self._settings
        held: Held | None = None
        earlier: Earlier | None = None
        if isinstance(decision, Start):
            held, earlier = Held(decision.record, decision.revision or ""), decision.earlier
        elif not isinstance(decision, Away):
            return self._answer(decision)
        elif not (settings.run_unrecorded and may_run_without(decision.error)):
            raise self._say(unavailable(settings.function, decision.error))
        self._prove(nothing_ran=False)
        run = IdempotentRun(
            settings.function,
            held,
            earlier,
            store,
            self.location,
            context=self.context,
            forbid_unrecorded=not settings.run_unrecorded,
            awaited=settings.awaited,
            is_probed=settings.probe is not None,
        )
        if isinstance(decision, Away):
            _log("error", "run_unrecorded", run, type(decision.error).__name__)
            self._mark_answer(run)
        elif run.earlier is not None:
            _log("warning", "run_again", run, run.earlier.name)
        return run

    def after_success(self, run: IdempotentRun, result: Any) -> Steps[Recorded | LoadedRecord]:
        """Return the steps that record what was returned."""
        if run.held is None:
            return write_nothing()
        return write_end(run.held, record.complete_record(run.held.record, keepable_of(result)))

    def after_failure(self, run: IdempotentRun, error: Exception) -> Steps[Recorded | LoadedRecord]:
        """Return the steps that record what was raised."""
        held, settings = run.held, self._settings
        if held is None:
            return write_nothing()
        nothing_ran = not run.started or (settings.effects_marked and run.effects == 0)
        is_own = run.started and error is not run.forbidden  # the function itself has raised it
        if error is run.forbidden:
            self._say(error)
        declared = settings.failures if is_own else {}
        treatment = treatment_of(error, declared, nothing_ran=nothing_ran)
        failure = recorded_failure_of(error, treatment)
        if treatment is Treatment.RELEASE:
            run.withdraw()
            if not held.record.earlier_effects:
                lost = None if run.tried else record.leave_unknown(held.record, failure)
                return write_end(held, record.release_record(held.record), lost)
            # This run did nothing, but an earlier one may have: the next run must know that.
            if settings.run_unknown:
                return write_end(held, record.leave_unknown(held.record, failure))
            return write_end(held, record.fail_record(held.record, failure._replace(rerun=True)))
        if treatment is not Treatment.KEEP:
            return write_end(held, record.fail_record(held.record, failure))
        _log("error", "outcome_unknown", run, failure.type)
        return write_end(held, record.leave_unknown(held.record, failure))

    def note_failure(self, run: IdempotentRun, recorded: Recorded | LoadedRecord) -> None:
        """Note whether the failure of the run was recorded."""
        if recorded is Recorded.MARKED:
            _log("error", "outcome_unknown", run, recorded.value)
        elif recorded not in (Recorded.YES, Recorded.WITHOUT_RESULT):
            self._note_missing_end(run, recorded)
        elif run.released and not (run.held and run.held.record.earlier_effects):
            self._prove(nothing_ran=True)

    def finish(self, run: IdempotentRun, recorded: Recorded | LoadedRecord, result: Any) -> Any:
        """Return the result of the call, after the attempt to record its end."""
        if recorded is Recorded.YES:
            return result
        if recorded is Recorded.WITHOUT_RESULT:
            _log("warning", "result_not_kept", run, type(result).__name__)
            return result
        self._note_missing_end(run, recorded)
        if isinstance(recorded, Recorded):
            return result
        decision = record.decide(recorded, self._claim, self.location.clock.monotonic())
        if isinstance(decision, Start):
            decision = Refuse(Reason.UNKNOWN)
        return self._answer(decision).result

    def _note_missing_end(self, run: IdempotentRun, recorded: Recorded | LoadedRecord) -> None:
        if recorded is Recorded.LOST or self._settings.run_unknown or not run.recorded:
            self._mark_answer(run)
        why = recorded.value if isinstance(recorded, Recorded) else "superseded"
        _log("error", "end_not_recorded", run, why)

    def _mark_answer(self, run: IdempotentRun) -> None:
        """Mark the answer: a repeat of the key may run again. Only the outermost run does so."""
        if self.context is not None and run.is_outermost:
            self.context.dedup = NOT_RECOGNISED

    def _prove(self, *, nothing_ran: bool) -> None:
        """Mark whether it is proved that the function did not run. Only the first guard does so.

        Its caller checks whether that function is the whole handler.
        """
        if self._own is not None:
            self._own.did_nothing = nothing_ran

    def _say(self, error: E) -> E:
        """Return what the guard raises; only the first guard of a call marks it."""
        if self._own is not None:
            self._own.word = error
        return error

    def _answer(self, decision: Replay | ReplayFailure | Refuse) -> Replay:
        function = self._settings.function
        match decision:
            case Replay():
                return decision
            case ReplayFailure(failure):
                self._prove(nothing_ran=False)
                error = restore_exception(failure, self._settings.failures)
                raise error or self._say(earlier_failure(function, failure))
            case Refuse():
                table, ref = self.location.table, record_ref(self.location.id)
                if decision.is_new:
                    facts = {"function": function, "table": table, "record": ref}
                    log_event(LOGGER, "warning", "approval_wanted", **facts)
                raise self._say(refusal_problem(function, decision, table, ref))


def _log(level: Literal["warning", "error"], name: str, run: IdempotentRun, why: str) -> None:
    facts = {"table": run.location.table, "record": record_ref(run.location.id), "why": why}
    log_event(LOGGER, level, name, function=run.function, fence=run.fence, **facts)
