"""Writes whose answers are lost, in every way that matters, and what is true of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from threading import Barrier, Thread
from typing import Any, Final, NamedTuple

from leeward import Client, OutcomeUnknown, Settled, Verdict
from leeward._routing.readback import question_of
from leeward.adapter import Capability, Driver, WrappingDriver
from leeward.calls import Call, Result
from leeward.errors import Outcome
from leeward.testing import FakeClock
from leeward_contract_tests import contract_config
from leeward_contract_tests.fixtures import BUCKET, ITEMS

LOST: Final = Result[Any](Outcome.AMBIGUOUS, code="lost")
WRITES: Final = frozenset({"store", "delete", "put_object", "delete_object"})
PATIENT: Final = 60.0

KINDS: Final = (
    *("store", "store older", "store if_absent", "store if_revision"),
    *("delete", "delete if_revision"),
    *("put", "put if_absent", "put if_revision", "delete_object"),
)
WAYS: Final = ("never", "done", "racing", "late", "half then late")
RIVALS: Final = ("none", "write", "delete")
"""What another client does to the same key after the call, and before it is settled."""


class Case(NamedTuple):
    """One write whose answer is lost.

    Attributes:
        kind: of `KINDS`.
        way: of `WAYS`: whether and when its request arrives.
        rival: of `RIVALS`.
        turn: of a racing one, before which request of the settler it arrives, 1 or 2.
    """

    kind: str
    way: str
    rival: str
    turn: int

    @property
    def lands_first(self) -> bool:
        """Whether a request of it arrives before the rival acts."""
        return self.way in ("done", "half then late")


CASES: Final = [
    Case(kind, way, rival, turn)
    for kind, way, rival in product(KINDS, WAYS, RIVALS)
    for turn in ((1, 2) if way == "racing" else (1,))
]


class Post(WrappingDriver):
    """Carries requests, or loses them and their answers.

    Attributes:
        way: of a `Case`, while a call is to end as unknown; else empty.
        held: requests that have not arrived yet.
        effects: how often a request of each write has had an effect, by its id.
        before: is called before each request that is not lost.
    """

    def __init__(self, driver: Driver) -> None:
        super().__init__(driver)
        self.way = ""
        self.held: list[Call] = []
        self.effects: dict[str, int] = {}
        self.before: Callable[[], None] = lambda: None

    def perform(self, call: Call, timeout: float) -> Result[Any]:
        """Carry a request, or lose it."""
        if not self.way:
            self.before()
            return self.deliver(call, timeout)
        if call.verb in WRITES:
            self._lose(call, timeout)
        return LOST

    def deliver(self, call: Call, timeout: float = PATIENT) -> Result[Any]:
        """Let a request arrive, and count it if it has an effect."""
        is_deletion = call.verb in ("delete", "delete_object")
        was_there = not is_deletion or self._looked(call) is not None
        result = self._driver.perform(call, timeout)
        if call.verb in WRITES and result.outcome is Outcome.OK and was_there:
            id = call.write_id  # type: ignore[union-attr]
            self.effects[id] = self.effects.get(id, 0) + 1
        return result

    def arrive(self) -> list[Result[Any]]:
        """Let all that is held arrive."""
        held, self.held = self.held, []
        return [self.deliver(call) for call in held]

    def close(self) -> None:
        """Stay open for the next case."""

    def _lose(self, call: Call, timeout: float) -> None:
        arrives = self.way == "done" or (self.way == "half then late" and not self.effects)
        if arrives:
            self.deliver(call, timeout)
        elif self.way != "never":
            self.held = [call]

    def _looked(self, call: Any) -> Any:
        return self._driver.perform(question_of(call), PATIENT).value


class Scene:
    """One case on one target.

    Attributes:
        post: between the client and the target.
        settles: the target settles writes itself.
    """

    def __init__(self, driver: Driver, case: Case, name: str) -> None:
        self.case = case
        self.post = Post(driver)
        self.settles = Capability.SETTLING in driver.capabilities
        self._name = name
        self._clock = FakeClock()
        self._client = Client(self.post, config=contract_config(), clock=self._clock)
        self._rival = Client(Post(driver), config=contract_config(), clock=self._clock)

    def play(self) -> tuple[Settled, Verdict, str]:
        """Lose the write and settle it.

        Returns:
            What settling said, the verdict that is true, and the reason of an unknown verdict that
            docs/settle.md says, "" for none.
        """
        revision = self._prepare()
        error = self._lose(revision)
        newer = self._act_as_rival()
        settled, truth = self._settle(error)
        self._check_late(settled, error)
        self._check_newer(newer)
        return settled, truth, self._documented()

    def _prepare(self) -> str | None:
        if self.case.kind in ("store", "store if_absent", "put if_absent", "put"):
            return None
        receipt = self._put(self._rival, "older")
        self._clock.advance(120.0)
        revision: str | None = receipt.revision
        return revision

    def _put(self, client: Client, value: str, **condition: Any) -> Any:
        if self._is_of_object:
            return client.put_object(BUCKET, self._name, value.encode(), **condition)
        return client.store_data(ITEMS, {"id": self._name, "value": value}, **condition)

    def _delete(self, client: Client, **condition: Any) -> Any:
        if self._is_of_object:
            return client.delete_object(BUCKET, self._name)
        return client.delete_data(ITEMS, self._name, **condition)

    def _lose(self, revision: str | None) -> OutcomeUnknown:
        kind, _, condition = self.case.kind.partition(" ")
        options: dict[str, Any] = {}
        if condition == "if_absent":
            options = {"if_absent": True}
        elif condition == "if_revision":
            options = {"if_revision": revision}
        self.post.way = self.case.way
        try:
            if kind in ("store", "put"):
                self._put(self._client, "ours", **options)
            else:
                self._delete(self._client, **options)
        except OutcomeUnknown as error:
            return error
        finally:
            self.post.way = ""
        raise AssertionError("the answer was lost")

    def _act_as_rival(self) -> str | None:
        self._clock.advance(1.0)
        if self.case.rival == "write":
            revision: str = self._put(self._rival, "rival").revision
            return revision
        if self.case.rival == "delete":
            self._delete(self._rival)
        return None

    def _settle(self, error: OutcomeUnknown) -> tuple[Settled, Verdict]:
        if self.case.way == "racing":
            return self._settle_racing(error)
        ran = bool(self.post.effects)
        settled = self._client.settle(error)
        return settled, Verdict.RAN if ran or self.post.effects else Verdict.NOT_RUN

    def _settle_racing(self, error: OutcomeUnknown) -> tuple[Settled, Verdict]:
        """Settle while the request arrives: at once where one has to be first, else in turn."""
        if self.settles:
            together = Barrier(2)

            def arrive() -> None:
                together.wait(PATIENT)
                self.post.arrive()

            thread = Thread(target=arrive)
            thread.start()
            together.wait(PATIENT)
            settled = self._client.settle(error)
            thread.join(PATIENT)
        else:
            requests = iter(range(1, 100))

            def before() -> None:
                if next(requests) == self.case.turn:
                    self.post.arrive()

            self.post.before = before
            settled = self._client.settle(error)
            self.post.before = lambda: None
        return settled, Verdict.RAN if self.post.effects else Verdict.NOT_RUN

    def _check_late(self, settled: Settled, error: OutcomeUnknown) -> None:
        """Let what is late arrive: it has no effect after NOT_RUN, or where the target settles."""
        before = sum(self.post.effects.values())
        late = self.post.arrive()
        if settled.verdict is Verdict.NOT_RUN or self.settles:
            assert all(each.reason == "settled" for each in late)
            assert sum(self.post.effects.values()) == before
            assert self._client.settle(error) == settled

    def _check_newer(self, newer: str | None) -> None:
        """Demand that what a rival has written after the call is still there."""
        is_unconditional = " if_" not in self.case.kind
        is_late = self.case.way in ("late", "half then late", "racing")
        if newer is None or (is_late and is_unconditional and not self.settles):
            return  # no cloud can keep a late request of a write without a condition away
        if self.case.way == "racing":
            return
        found: Any = (
            self._rival.head_object(BUCKET, self._name)
            if self._is_of_object
            else self._rival.load_data(ITEMS, self._name)
        )
        assert found is not None
        assert found.revision == newer

    @property
    def _is_of_object(self) -> bool:
        return self.case.kind.startswith("put") or self.case.kind == "delete_object"

    def _documented(self) -> str:
        """Return the reason of an unknown verdict that docs/settle.md says."""
        kind, way, rival, turn = self.case
        if self.settles:
            return ""
        landed = self.case.lands_first
        lands_late = way == "racing"
        there = {"write": "rival", "delete": ""}.get(rival)
        if there is None:
            older = "" if kind in ("store", "put") or kind.endswith("if_absent") else "older"
            deletes = kind.startswith("delete")
            there = ("" if deletes else "ours") if landed else older
        if lands_late and turn == 1:
            there = self._there_after(there)
        return self._unknown_of(there)

    def _there_after(self, there: str) -> str:
        """Return what is there once the request has arrived, where `there` was."""
        kind = self.case.kind
        if kind.endswith("if_absent") and there:
            return there
        if kind.endswith("if_revision") and there != "older":
            return there
        return "" if kind.startswith("delete") else "ours"

    def _unknown_of(self, there: str) -> str:
        kind, way, _, turn = self.case
        if kind == "delete_object":
            return "still_there" if there else ""
        if kind.endswith("if_revision") and not there:
            return "gone"
        if there == "rival":
            return "overwritten"
        if way == "racing" and turn == 2 and kind == "delete if_revision" and there == "older":
            return "gone"
        return ""


def play_all(driver: Driver, name: str) -> Iterator[tuple[Case, Settled, Verdict, str]]:
    """Play all cases on a target."""
    for number, case in enumerate(CASES):
        yield case, *Scene(driver, case, f"{name}-{number}").play()
