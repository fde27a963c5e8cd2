"""One call of an idempotent function, from its key to what is told of it: no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from os import urandom
from typing import Any, Literal

from leeward.app.context import Context, Function, current
from leeward.app.idempotency import record
from leeward.app.idempotency.errors import earlier_failure, refusal
from leeward.app.idempotency.failures import Treatment, again, failure_of, treatment_of
from leeward.app.idempotency.keys import keyed_digest, own_secret, record_id, record_ref
from leeward.app.idempotency.payload import digest_of
from leeward.app.idempotency.plain import plain_of
from leeward.app.idempotency.record import (
    Claim,
    Decision,
    Found,
    Reason,
    Refuse,
    Replay,
    ReplayFailure,
    Start,
)
from leeward.app.idempotency.running import (
    IdempotentRun,
    current_run,
    may_run_without,
    unavailable,
)
from leeward.app.idempotency.settings import LEASE, MARGIN, Settings
from leeward.app.idempotency.steps import (
    Away,
    Held,
    Recorded,
    Steps,
    claim_key,
    write_end,
    write_nothing,
)
from leeward.app.idempotency.store import Location, TableClient
from leeward.envelope import NOT_RECOGNISED
from leeward.logs import log_event
from leeward.text import class_name

LOGGER = "leeward.idempotency"


class Attempt:
    """One call: what it asks of the table, and what follows from the replies.

    Attributes:
        location: where its record is.
    """

    def __init__(
        self,
        settings: Settings,
        function: Function,
        positional: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> None:
        """Find the key, and compare-by digest, of a call of the idempotent `function`.

        Raises:
            PrincipalMissing: nothing says whose it is.
            KeyMissing: it has no key.
            ConfigError: its payload cannot be compared.
        """
        arguments = settings.signature.bind(positional, named, Context)
        self._context = context = arguments.context or current()
        if context is not None and current_run() is None:
            context.guard, context.dedup = function, settings.scope
        self._prove(nothing_ran=True)
        principal = settings.read_principal(context)
        key = settings.read_key(arguments, context)
        secret = own_secret()
        payload = digest_of(arguments.values)
        self._settings = settings
        self.location = Location(
            settings.table,
            record_id(settings.function, key, principal, secret),
            settings.keep,
            settings.clock.now,
        )
        self._claim = Claim(
            urandom(12).hex(),
            keyed_digest(payload, secret) if secret else payload,
            settings.lease or MARGIN + (context.remaining() if context else LEASE),
            settings.effects_marked,
            settings.run_unknown,
        )

    def claim(self) -> Steps[Decision | Away]:
        """Return the steps that decide whether it runs."""
        return claim_key(self._claim, self._settings.clock.now())

    def begin(self, decision: Decision | Away, store: TableClient) -> IdempotentRun | Replay:
        """Return the run that may begin, or the result of an earlier one.

        Raises:
            DedupUnavailable: the table cannot be reached.
            RepeatRefused: an earlier run is under way, or nobody knows what it has done.
            KeyReused: the key belongs to another payload.
            Exception: an earlier run has failed so.
        """
        settings = self._settings
        if isinstance(decision, Away):
            if not (settings.run_unrecorded and may_run_without(decision.error)):
                raise unavailable(settings.function, decision.error)
            self._prove(nothing_ran=False)
            run = self._run(None, None, store)
            run.recorded = False
            _log("error", "run_unrecorded", run, type(decision.error).__name__)
            self._unprotected(run)
            return run
        if isinstance(decision, Start):
            self._prove(nothing_ran=False)
            run = self._run(Held(decision.record, decision.revision or ""), decision.earlier, store)
            if run.earlier is not None:
                _log("warning", "run_again", run, run.earlier.name)
            return run
        return self._answer(decision)

    def after_success(self, run: IdempotentRun, result: Any) -> Steps[Recorded | Found]:
        """Return the steps that write down what was returned."""
        if run.held is None:
            return write_nothing()
        try:
            result = plain_of(result)
        except Exception:  # noqa: BLE001 - the code of somebody else's class; or a list in itself
            result = object()  # which no table takes, so that the end is written without it
        return write_end(run.held, record.completed(run.held.record, result))

    def after_failure(self, run: IdempotentRun, error: Exception) -> Steps[Recorded | Found]:
        """Return the steps that write down what was raised."""
        held, settings = run.held, self._settings
        if held is None:
            return write_nothing()
        nothing_ran = not run.started or (settings.effects_marked and run.effects == 0)
        declared = settings.failures if run.started else {}  # of what the function itself raises
        treatment = treatment_of(error, declared, nothing_ran=nothing_ran)
        failure = failure_of(error, treatment)
        if treatment is Treatment.RELEASE:
            run.withdraw()
            if run.earlier is None:
                return write_end(held, record.released(held.record))
            # This run did nothing, but one before it may have: the next one has to know, too.
            if settings.run_unknown:
                return write_end(held, record.unknown(held.record, failure))
            return write_end(held, record.failed(held.record, failure._replace(rerun=True)))
        if treatment is not Treatment.KEEP:
            return write_end(held, record.failed(held.record, failure))
        _log("error", "outcome_unknown", run, failure.type)
        return write_end(held, record.unknown(held.record, failure))

    def failed(self, run: IdempotentRun, recorded: Recorded | Found) -> None:
        """Note whether it was written down what the run has raised."""
        if recorded not in (Recorded.YES, Recorded.WITHOUT_RESULT):
            self._unrecorded(run, recorded)
        elif run.released and run.earlier is None:
            self._prove(nothing_ran=True)

    def ended(self, run: IdempotentRun, recorded: Recorded | Found, result: Any) -> Any:
        """Return what the call gives, now that its end is written, or is not.

        Raises:
            RepeatRefused: another run had taken over, and its result is not there yet.
        """
        if recorded is Recorded.YES:
            return result
        if recorded is Recorded.WITHOUT_RESULT:
            _log("warning", "result_not_kept", run, class_name(result))
            return result
        self._unrecorded(run, recorded)
        if isinstance(recorded, Recorded):
            return result
        decision = record.decide(recorded, self._claim, self.location.now())
        if isinstance(decision, Start):
            decision = Refuse(Reason.UNKNOWN)
        return self._answer(decision).result

    def _unrecorded(self, run: IdempotentRun, recorded: Recorded | Found) -> None:
        if recorded is Recorded.LOST or self._settings.run_unknown or not run.recorded:
            self._unprotected(run)
        why = recorded.value if isinstance(recorded, Recorded) else "superseded"
        _log("error", "end_not_recorded", run, why)

    def _run(
        self, held: Held | None, earlier: record.Earlier | None, store: TableClient
    ) -> IdempotentRun:
        return IdempotentRun(
            self._settings.function,
            held,
            earlier,
            store,
            self.location,
            forbid_unrecorded=not self._settings.run_unrecorded,
            run_unknown=self._settings.run_unknown,
            awaited=self._settings.awaited,
        )

    def _unprotected(self, run: IdempotentRun) -> None:
        """Note for the answer that a repeat of the key may run again; the outermost run does."""
        if self._context is not None and run.is_outermost:
            self._context.dedup = NOT_RECOGNISED

    def _prove(self, *, nothing_ran: bool) -> None:
        """Note whether it is proved that nothing of the function has run; the outermost run does.

        Its caller looks whether that function is all that there is of the handler.
        """
        if self._context is not None and current_run() is None:
            self._context.did_nothing = nothing_ran

    def _answer(self, decision: Decision) -> Replay:
        function = self._settings.function
        match decision:
            case Replay():
                return decision
            case ReplayFailure(failure):
                self._prove(nothing_ran=False)
                known = again(failure, self._settings.failures)
                raise known or earlier_failure(function, failure)
            case Refuse(reason, retry_after):
                table, ref = self.location.table, record_ref(self.location.id)
                raise refusal(function, reason, retry_after, table, ref)
            case _:
                raise AssertionError("a start is not an answer")


def _log(level: Literal["warning", "error"], name: str, run: IdempotentRun, why: str) -> None:
    facts = {"table": run.location.table, "record": record_ref(run.location.id), "why": why}
    log_event(LOGGER, level, name, function=run.function, fence=run.fence, **facts)
