"""Drivers with one mistake each, around a correct driver; tables are in `broken_tables`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count
from typing import Any

from leeward.adapter import Capability, Driver
from leeward.calls import (
    Call,
    Enqueue,
    Invoke,
    Look,
    LookResult,
    Publish,
    Result,
    Settle,
    Store,
)
from leeward.calls.looks import FUNCTION
from leeward.errors import ConfigError, Outcome, Unsupported
from leeward.json_text import decode, encode
from leeward.testing import FaultyDriver
from leeward.values import Event
from leeward_contract_tests import (
    EnqueueContract,
    InvokeContract,
    LifecycleContract,
    LookContract,
    PublishContract,
    SettleContract,
)
from leeward_contract_tests.contracts.calls import invoke
from tests.contract.cases import breaks


@breaks(InvokeContract, "test_invoke_runs_the_function_once")
class ExecutesTwice(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Invoke):
            super().perform(call, timeout)
        return super().perform(call, timeout)


@breaks(InvokeContract, "test_invoke_raises_what_the_function_raised")
class SwallowsFunctionErrors(FaultyDriver):
    """Gives what a function raised as if it had returned it."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if result.outcome is Outcome.APP_ERROR and result.fault is not None:
            return Result.ok({"errorType": result.fault.type})
        return result


@breaks(InvokeContract, "test_invoke_does_not_repeat_a_function_that_raised")
class TakesFunctionErrorsForItsOwn(FaultyDriver):
    """Reports what a function raised as a fault of the cloud, which is retried."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if result.outcome is Outcome.APP_ERROR:
            return Result(Outcome.AMBIGUOUS, code="500")
        return result


@breaks(InvokeContract, "test_invoke_gives_the_answer", "an empty list")
class TakesEmptyForNothing(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        return result._replace(value=result.value or None) if isinstance(call, Invoke) else result


@breaks(InvokeContract, "test_invoke_knows_an_absent_function")
class AnswersAbsentFunctions(FaultyDriver):
    """Gives None for a function that is not there."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        return Result.ok(None) if result.outcome is Outcome.NOT_FOUND else result


@breaks(SettleContract, "test_settle_reaches_the_function")
class RunsTheQuestion(FaultyDriver):
    """Sends a question as if it were a call."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Settle):
            call = Invoke(call.function, call.payload, call.idempotency_key, marks=call.marks)
        return super().perform(call, timeout)


@breaks(SettleContract, "test_invoke_says_how_many_voids_are_known")
class ForgetsVoids(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Invoke):
            call = call._replace(voids=0)
        return super().perform(call, timeout)


@breaks(SettleContract, "test_settle_runs_nothing")
class CallsInsteadOfAsking(FaultyDriver):
    """Makes the call whose end is unknown once more."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Settle):
            payload = encode(decode(call.payload)["payload"])
            call = Invoke(call.function, payload, call.idempotency_key, marks=call.marks)
        return super().perform(call, timeout)


@breaks(SettleContract, "test_settle_and_a_call_at_once")
class WritesWithoutCondition(FaultyDriver):
    """Lets a settler and a call both write the record of a key."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Store):
            call = call._replace(if_absent=False, if_revision=None)
        return super().perform(call, timeout)


@breaks(EnqueueContract, "test_enqueue_makes_the_call")
class DropsQueuedCalls(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        return Result.ok(None) if isinstance(call, Enqueue) else super().perform(call, timeout)


class _ChangesEvents(FaultyDriver):
    """Publishes something else than it is given."""

    def change(self, event: Event) -> Event:
        raise NotImplementedError

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Publish):
            call = call._replace(events=tuple(self.change(event) for event in call.events))
        return super().perform(call, timeout)


@breaks(PublishContract, "test_publish_keeps_the_id_that_was_given")
class MintsNewEventIds(_ChangesEvents):
    _ids = count()

    def change(self, event: Event) -> Event:
        return event._replace(id=f"own-{next(self._ids)}")


@breaks(PublishContract, "test_publish_keeps_extensions")
class DropsExtensions(_ChangesEvents):
    def change(self, event: Event) -> Event:
        return event._replace(extensions={})


@breaks(PublishContract, "test_publish_keeps_extensions")
class TextsForExtensions(_ChangesEvents):
    def change(self, event: Event) -> Event:
        return event._replace(extensions={name: str(v) for name, v in event.extensions.items()})


@breaks(PublishContract, "test_publish_keeps_source_subject_and_time")
class StampsEventsItself(_ChangesEvents):
    def change(self, event: Event) -> Event:
        return event._replace(time=None)


@breaks(PublishContract, "test_publish_delivers_the_data", "bytes")
class TextsForBytes(_ChangesEvents):
    def change(self, event: Event) -> Event:
        if isinstance(event.data, bytes):
            return event._replace(data=event.data.decode("latin-1"))
        return event


@breaks(PublishContract, "test_publish_delivers_every_event_that_it_reports")
class ReportsABatchAsOne(FaultyDriver):
    """Reports every event of a batch as published, although the last one was not."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if not isinstance(call, Publish) or len(call.events) == 1:
            return super().perform(call, timeout)
        super().perform(call._replace(events=call.events[:-1]), timeout)
        return Result.ok(tuple(Result.ok(None) for _ in call.events))


@breaks(PublishContract, "test_publish_gives_each_event_a_result")
class MiscountsABatch(FaultyDriver):
    """Gives one result for all events of a request."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        result = super().perform(call, timeout)
        if isinstance(call, Publish) and result.value is not None:
            return result._replace(value=result.value[:1])
        return result


@breaks(PublishContract, "test_publish_keeps_the_order_of_a_key")
class ReversesABatch(FaultyDriver):
    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Publish):
            call = call._replace(events=call.events[::-1])
        return super().perform(call, timeout)


@breaks(EnqueueContract, "test_enqueue_makes_the_call")
class DeclaresWhatItLacks(FaultyDriver):
    """Declares ENQUEUE, and declines every call of it."""

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Enqueue):
            raise Unsupported("no queues here", target=self.target)
        return super().perform(call, timeout)


@breaks(LifecycleContract, "test_verbs_that_are_not_declared_are_declined")
class ServesWhatItDoesNotDeclare(FaultyDriver):
    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.capabilities -= {Capability.ENQUEUE}


@breaks(LifecycleContract, "test_capabilities_build_on_each_other")
class DeclaresConditionsWithoutTables(FaultyDriver):
    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.capabilities -= {Capability.TABLES}


@breaks(LifecycleContract, "test_capabilities_are_declared")
class ChangesItsDeclaration(FaultyDriver):
    _asked = count()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        odd = name == "capabilities" and next(ChangesItsDeclaration._asked) % 2
        return found - {Capability.SCAN} if odd else found


@breaks(InvokeContract, "test_invoke_takes_a_payload_of_the_declared_size")
class DeclaresTooMuchRoom(FaultyDriver):
    """Declares a limit on items that it does not keep."""

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.limits = driver.limits._replace(payload_bytes=7 * 1024 * 1024)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        if isinstance(call, Invoke) and len(call.payload) > self._driver.limits.payload_bytes:
            return Result(Outcome.CALLER, reason="payload_too_large")
        return super().perform(call, timeout)


@breaks(LifecycleContract, "test_an_unknown_service_has_no_native_client")
class HasAnyNativeClient(FaultyDriver):
    def native(self, service: str) -> object:
        return None


@breaks(LifecycleContract, "test_a_known_service_has_a_native_client")
class GivesNothingNative(FaultyDriver):
    """Knows its services, and gives None for each."""

    def native(self, service: str) -> object:
        super().native(service)
        return None


@breaks(LifecycleContract, "test_an_unknown_service_has_no_native_client")
class HidesItsServices(FaultyDriver):
    """Refuses an unknown service without a word on those that there are."""

    def native(self, service: str) -> object:
        try:
            return super().native(service)
        except ConfigError as error:
            raise ConfigError("no such service") from error


@breaks(LifecycleContract, "test_the_settings_are_texts")
class DescribesNothing(FaultyDriver):
    def describe(self) -> Mapping[str, str]:
        return {}


@breaks(LifecycleContract, "test_closing_twice_is_harmless")
class ClosesOnce(FaultyDriver):
    _closed = False

    def close(self) -> None:
        if self._closed:
            raise RuntimeError("closed already")
        self._closed = True
        super().close()


@breaks(LifecycleContract, "test_threads_get_their_own_answers")
class MixesThreadsUp(FaultyDriver):
    """Keeps the answer in an attribute, where another thread's answer replaces it."""

    _result: Result[Any] = Result(Outcome.LOCAL)

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        self._result = super().perform(call, timeout)
        time.sleep(0.001)
        return self._result


@breaks(LookContract, "test_what_is_absent_is_not_seen")
class SeesWhatIsNotThere(FaultyDriver):
    def look(self, look: Look, timeout: float) -> Result[Any]:
        return Result.ok(LookResult())


@breaks(LookContract, "test_what_is_there_is_seen")
class LooksByCalling(FaultyDriver):
    """Calls what it is to look for, which changes something, and may fail."""

    def look(self, look: Look, timeout: float) -> Result[Any]:
        if look.verb != FUNCTION:
            return super().look(look, timeout)
        result = super().perform(invoke(look.name, None), timeout)
        return Result.ok(LookResult()) if result.outcome is Outcome.OK else result


@breaks(LookContract, "test_what_is_there_is_seen")
class GivesNoReason(FaultyDriver):
    """Says that nobody can tell, and not why."""

    def look(self, look: Look, timeout: float) -> Result[Any]:
        return Result.ok(LookResult(None))


@breaks(LookContract, "test_the_probe_answers")
class DeclaresAProbeThatIsNotThere(FaultyDriver):
    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.probe_fidelity = "data_plane"
