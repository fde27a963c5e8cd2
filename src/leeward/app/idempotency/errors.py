"""What a call gets instead of a result, and what an exception does to its key.

After each of these problems the handler did not run. The statuses follow
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, TypeAlias

from leeward.app.answers import GuardProblem
from leeward.app.idempotency.record import Reason, RecordedFailure, Refuse
from leeward.errors import ConfigError, Ran


class KeyMissing(GuardProblem):
    """The function needs an idempotency key, but the call has none; status 400. It did not run.

    Attributes:
        field: where the key was looked for.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message, status=400, reason="key_missing")
        self.field = field


class PrincipalMissing(GuardProblem):
    """The function keeps each caller's keys apart, but the caller is not known; status 401.

    It did not run.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, status=401, reason="principal_missing")


class KeyReused(GuardProblem):
    """The key belongs to a call with another payload; status 422. This one did not run."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=422, reason="key_reused")


class RepeatRefused(GuardProblem):
    """The key is known; the call did not run again, and there is no result; status 409.

    Attributes:
        reason: ``running``, ``unknown``, ``not_kept`` or ``voided``.
        retry_after: seconds after which a new call may help; None if it cannot.
        ran: whether the earlier call had its effect: ``no``, ``maybe`` or ``yes``.
        voids: how often the key was settled as not run; a call that knows that may run.
        record: table and record, for ``leeward keys show``.
        error_type: class name of what the earlier call raised, if that is known.
    """

    def __init__(
        self,
        message: str,
        reason: Reason,
        retry_after: float | None = None,
        voids: int = 0,
        record: str = "",
        *,
        error_type: str | None = None,
    ) -> None:
        super().__init__(
            message,
            status=409,
            reason=reason.value,
            retryable=reason is Reason.RUNNING,
            retry_after=retry_after,
        )
        self.ran = _RAN.get(reason, "maybe")
        self.voids = voids
        self.record = record
        self.error_type = error_type


_RAN: Final[Mapping[Reason, Ran]] = {Reason.NOT_KEPT: "yes", Reason.VOIDED: "no"}


class ApprovalPending(GuardProblem):
    """A person has to approve the call first; status 409. It did not run.

    The same call with the same key runs once it is approved.

    Attributes:
        record: table and record, for ``leeward keys show``.
        retry_after: seconds after which another call may help.
    """

    def __init__(self, message: str, *, record: str, retry_after: float | None = None) -> None:
        super().__init__(
            message,
            status=409,
            reason=Reason.WAITING.value,
            retryable=True,
            retry_after=retry_after,
        )
        self.record = record


class ApprovalRefused(GuardProblem):
    """A person has refused the call; status 409. It did not run, and no call with its key will.

    Attributes:
        record: table and record, for ``leeward keys show``.
    """

    def __init__(self, message: str, *, record: str) -> None:
        super().__init__(message, status=409, reason=Reason.REFUSED.value, retryable=False)
        self.record = record


class LeaseLost(GuardProblem):
    """This run must begin no further effect: another run has its key, or it failed; status 409."""

    ran = "maybe"

    def __init__(self, message: str) -> None:
        super().__init__(message, status=409, reason="lease_lost")


class EarlierFailure(GuardProblem):
    """The first run with this key failed, and repeats get the same failure; status 500.

    Attributes:
        error_type: class name of its exception.
    """

    def __init__(self, message: str, *, error_type: str) -> None:
        super().__init__(message, status=500, reason="earlier_failure", retryable=False)
        self.error_type = error_type


_REFUSALS: Final = {
    Reason.RUNNING: "is still running; ask again later",
    Reason.UNKNOWN: (
        "may have had its effect, and nothing proves whether it had. Find out, then settle its "
        "record: leeward keys show {table} {ref}"
    ),
    Reason.NOT_KEPT: (
        "has completed, and its result was not kept; it did not run again. Its record: "
        "{table} {ref}"
    ),
    Reason.VOIDED: (
        "was settled as not run, so this delivery came too late: it did not run. A new call with "
        "the same key may run"
    ),
}


def refusal_problem(function: str, refusal: Refuse, table: str, ref: str) -> GuardProblem:
    """Return the exception of a refused call; it does not contain the key."""
    reason, retry_after, voids, _, error_type = refusal
    if reason is Reason.MISMATCH:
        return KeyReused(
            f"the idempotency key of this call to {function!r} belongs to another payload. It did "
            "not run; send the same payload, or another key"
        )
    if reason is Reason.WAITING:
        return ApprovalPending(
            f"this call of {function!r} waits for a person's approval, and did not run. Read and "
            f"decide: leeward keys show {table} {ref}. Then make the same call again",
            record=f"{table} {ref}",
            retry_after=retry_after,
        )
    if reason is Reason.REFUSED:
        return ApprovalRefused(
            f"a person has refused this call of {function!r}. It did not run, and no call with "
            f"this idempotency key will; its record: {table} {ref}",
            record=f"{table} {ref}",
        )
    return RepeatRefused(
        f"an earlier call of {function!r} with this idempotency key "
        f"{_REFUSALS[reason].format(table=table, ref=ref)}",
        reason,
        retry_after,
        voids,
        f"{table} {ref}",
        error_type=error_type,
    )


def earlier_failure(function: str, failure: RecordedFailure) -> EarlierFailure:
    """Return the failure of an earlier run again."""
    return EarlierFailure(
        f"an earlier call of {function!r} with this idempotency key has failed with "
        f"{failure.type}. It did not run again",
        error_type=failure.type,
    )


FailureName: TypeAlias = Literal["release", "replay", "rerun"]
Failures: TypeAlias = Mapping[type[Exception], FailureName] | Literal["replay", "rerun"] | None


class Treatment(Enum):
    """What becomes of the key when a handler has raised."""

    RELEASE = "release"
    """Nothing has run: the key is free again."""
    REPLAY = "replay"
    """It has failed for good: repeats get the same failure."""
    RERUN = "rerun"
    """It has failed in part, and the handler can continue: repeats run, and know that."""
    KEEP = "keep"
    """Nobody knows: the key is kept, and repeats are refused."""


def check_failures(failures: Failures, what: str) -> Mapping[type[Exception], Treatment]:
    """Return the declared failures by class; `what` names the handler."""
    if failures is None:
        return {}
    declared: object = {Exception: failures} if isinstance(failures, str) else failures
    if not isinstance(declared, Mapping):
        raise ConfigError(f"failures of {what} must be a mapping of exceptions, or one word")
    treatments: dict[type[Exception], Treatment] = {}
    for kind, word in declared.items():
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise ConfigError(f"failures of {what}: {kind!r} is not a class of exceptions")
        if word not in ("release", "replay", "rerun"):
            raise ConfigError(
                f"failures of {what}: {kind.__name__} must be release, replay or rerun, "
                f"not {word!r}"
            )
        treatments[kind] = Treatment(word)
    return treatments


def treatment_of(
    error: Exception, declared: Mapping[type[Exception], Treatment], *, nothing_ran: bool
) -> Treatment:
    """Return what `error` does to the key: as declared for its nearest class, else as proved."""
    for kind in type(error).__mro__:
        if kind in declared:
            return declared[kind]
    return Treatment.RELEASE if nothing_ran else Treatment.KEEP


def recorded_failure_of(error: Exception, treatment: Treatment) -> RecordedFailure:
    """Return the failure to keep; with the plain arguments if it is to be raised again."""
    is_plain = all(type(value) in (str, int, bool, float, type(None)) for value in error.args)
    arguments = error.args if treatment is Treatment.REPLAY and is_plain else ()
    return RecordedFailure(type(error).__name__, arguments, rerun=treatment is Treatment.RERUN)


def restore_exception(
    failure: RecordedFailure, declared: Mapping[type[Exception], Treatment]
) -> Exception | None:
    """Return the exception again, if its class was declared and can be made; else None."""
    for kind in declared:
        if kind.__name__ == failure.type:
            try:
                return kind(*failure.arguments)
            except Exception:  # noqa: BLE001 - the code of somebody else's class
                return None
    return None
