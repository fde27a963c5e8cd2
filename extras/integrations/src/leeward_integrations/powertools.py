"""AWS Lambda Powertools: ``@idempotent(persistence_store=LeewardPersistenceLayer("keys"))``.

powertools deletes the record of a function that raises, so a repeat runs again, whatever the
function had done (https://github.com/aws-powertools/powertools-lambda-python/issues/8049). Here the
record becomes *unknown* then, unless the exception proves that nothing ran (`leeward.ran`), and so
does that of a run that was killed, or in which a client of leeward has had another effect. An
exception is about its own call alone. `leeward keys` lists and settles such records.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

from leeward.app.context import Context
from leeward.app.idempotency import KeyReused, RepeatRefused
from leeward.app.idempotency.decorator import IdempotentCall
from leeward.app.idempotency.record import Reason, Replay, release_record
from leeward.app.idempotency.running import IdempotentRun, note_forks
from leeward.app.idempotency.settings import IdempotencyOptions, check_options
from leeward.app.idempotency.settlement import ask_probe
from leeward.app.idempotency.settling import OpenCase
from leeward.app.idempotency.steps import write_end
from leeward.app.idempotency.store import perform
from leeward.watching import RUNNING, UNDER_WAY, watched_by
from leeward_ran import ran

LEASE: Final = 60.0
"""Seconds of a run where powertools does not know how long it has."""


class OutcomeUnknownError(IdempotencyValidationError):
    """An earlier run with this key may have had its effect, and nothing proves whether it had.

    It is a class of powertools that its decorators pass on as it is. The text names the record and
    the command that settles it.
    """


class LeewardPersistenceLayer(BasePersistenceLayer):
    """Keeps the records of powertools in a table of leeward.

    Args:
        table: its key is ``id``.
        client: a `leeward.Client`, or a function that returns one; by default one for the process.
        keep: seconds for which a key is remembered; it counts in place of `expires_after_seconds`.
        probe: finds out what a run did that broke off, as of `leeward.app.idempotent`.
    """

    def __init__(
        self, table: str, *, client: Any = None, keep: float = 86_400.0, probe: Any = None
    ) -> None:
        super().__init__()
        options = IdempotencyOptions(
            table, principal=None, keep=keep, name="powertools", client=client, probe=probe
        )
        self._settings = check_options(_run, options)
        self._runs: dict[str, tuple[IdempotentCall, IdempotentRun, Any]] = {}

    def delete_record(self, data: dict[str, Any], exception: Exception) -> None:
        """Record a failure: the key is free only if it is proved that nothing ran."""
        key = self._get_hashed_idempotency_key(data=data)
        if key is None or (begun := self._end(key)) is None:
            return
        call, run = begun
        run.released = ran(exception) == "no"  # a thread that goes on begins no effect any more
        if run.released and run.effects == 0 and run.held is not None:
            steps = write_end(run.held, release_record(run.held.record))
        else:
            run.released = False
            steps = call.after_failure(run, exception)
        call.note_failure(run, perform(self._settings.client(None), call.location, steps))

    def _put_record(self, data_record: DataRecord) -> None:
        key, payload = data_record.idempotency_key, data_record.payload_hash
        client = self._settings.client(None)
        clock, ends = self._settings.clock, data_record.in_progress_expiry_timestamp
        seconds = LEASE if ends is None else max(0.0, ends / 1000 - clock.now())
        context = Context(key, key, None, clock.monotonic() + seconds, clock)
        call = IdempotentCall(self._settings, _run, (payload,), {"context": context})
        decision = perform(client, call.location, call.claim(client))
        if isinstance(decision, OpenCase):
            answer = ask_probe(self._settings, *call.question(decision))
            decision = perform(client, call.location, call.take(decision, answer))
        try:
            run = call.begin(decision, client)
        except RepeatRefused as refusal:
            if refusal.reason == Reason.RUNNING.value:
                running = DataRecord(key, status="INPROGRESS")
                raise IdempotencyItemAlreadyExistsError(old_data_record=running) from refusal
            raise OutcomeUnknownError(str(refusal)) from refusal
        except KeyReused as error:
            raise IdempotencyValidationError(str(error)) from error
        if isinstance(run, Replay):
            text = json.dumps(run.result)
            done = DataRecord(key, "COMPLETED", response_data=text, payload_hash=payload)
            raise IdempotencyItemAlreadyExistsError(old_data_record=done)
        run.start()
        note_forks()
        UNDER_WAY.add(run)
        self._runs[key] = call, run, watched_by(run)

    def _update_record(self, data_record: DataRecord) -> None:
        if (begun := self._end(data_record.idempotency_key)) is None:
            return
        call, run = begun
        result = json.loads(data_record.response_data)
        steps = call.after_success(run, result)
        call.finish(run, perform(self._settings.client(None), call.location, steps), result)

    def _end(self, key: str) -> tuple[IdempotentCall, IdempotentRun] | None:
        """Return a run that has ended, and its call; no effect counts as its own any more."""
        if (begun := self._runs.pop(key, None)) is None:
            return None
        call, run, token = begun
        UNDER_WAY.discard(run)
        RUNNING.reset(token)
        return call, run

    def _get_record(self, idempotency_key: str) -> DataRecord:
        # `_put_record` has told what is there; who asks again finds that it has changed meanwhile.
        raise IdempotencyItemNotFoundError(idempotency_key)

    def _delete_record(self, data_record: DataRecord) -> None:
        """Do nothing: `delete_record` knows the exception, and has done it."""


def _run(payload: str) -> str:
    """Return the payload, in place of the user's function: a record is of key and payload."""
    return payload
