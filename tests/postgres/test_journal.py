"""The journal in PostgreSQL keeps the contract of journals, and runs flows as the embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import leeward_contract_tests
from leeward.leases.holders import Holder, is_gone, this_process
from leeward.testing import FakeClock
from leeward.workflow.commands import Returned
from leeward.workflow.embedded.journal import LEAP, Journal, RunKey, ServerClock
from leeward_contract_tests.workflows.cases import cases_in
from leeward_contract_tests.workflows.cases import difference_of as difference_of_case
from leeward_contract_tests.workflows.virtual import Embedded
from tests.postgres.flows import difference_of, flaws_of_death
from tests.postgres.journals import Journals, journal_at
from tests.postgres.server import Server
from tests.workflow import meaning
from tests.workflow.journals import NOW, JournalContract, call, end, one
from tests.workflow.killing import Plan, kill
from tests.workflow.sagas import flaws_of

CASES = Path(leeward_contract_tests.__file__).parent / "workflow_cases"


@pytest.fixture(scope="module")
def journals(server: Server) -> Iterator[Journals]:
    """Return what opens empty journals."""
    with closing(Journals(server.url)) as journals:
        yield journals


@pytest.fixture
def journal(journals: Journals) -> Journal:
    """Open an empty journal, by a clock of a test."""
    return journals.open(FakeClock())


class TestPostgresJournal(JournalContract):
    """On a real server."""


def test_random_flows_run_as_on_the_embedded_engine(journals: Journals) -> None:
    """The same calls, notes and ends. `python -m tests.postgres.flows` runs more of them."""
    for seed in range(8):
        assert difference_of(seed, journals) is None, f"seed {seed}"


def test_flows_that_wait_and_run_each_other_mean_the_same(journals: Journals) -> None:
    """Against an interpreter of their own. `python -m tests.postgres.flows --waits 5000`."""
    for seed in range(6):
        assert meaning.difference_of(seed, journals.open) is None, f"seed {seed}"
        assert meaning.flaws_of_death(seed, journals.open) is None, f"seed {seed}"


def test_a_worker_that_dies_repeats_no_unsafe_step(journals: Journals) -> None:
    """At any point, of random flows."""
    for seed in range(4):
        assert flaws_of_death(seed, journals) == [], f"seed {seed}"


def test_no_saga_refunds_what_did_not_run_or_leaves_a_charge(journals: Journals) -> None:
    """Calls and answers are lost and late, and the worker dies."""
    for seed in range(4):
        assert flaws_of(seed, None, journals.open)[0] == [], f"seed {seed}"


def test_every_published_case_ends_alike(journals: Journals, subtests: pytest.Subtests) -> None:
    """As the kernel says."""
    for case in cases_in(CASES):
        with subtests.test(case.name):
            assert difference_of_case(case, Embedded(case, journals.open).run()) is None


def test_processes_that_are_killed_and_stopped_keep_the_promises(
    server: Server, journals: Journals, tmp_path: Path
) -> None:
    """With clocks an hour apart. `python -m tests.postgres.flows --kills 500` does more of it."""
    tmp_path.chmod(0o700)
    journals.open(FakeClock())
    (tmp_path / "url").write_text(server.url, encoding="utf-8")
    plan = Plan(1, 0, 2, 1.0, 3, "tests.postgres.journals")
    outcome = kill(tmp_path, plan)
    assert outcome.wrong == []
    assert outcome.figures["acknowledged starts"] > 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_any_text_comes_back(journal: Journal, texts: list[str]) -> None:
    """Arrays are written here, and read by the server."""
    row, _ = journal.add(one, "r", None, NOW, 1e6)
    assert journal.advance(row.key, 1, NOW, [], [call(f"s{at}") for at in range(len(texts))])
    ended = [end(f"s{at}", Returned(text)) for at, text in enumerate(texts)]
    assert journal.advance(row.key, 1, NOW, ended, []) is True
    events = journal.events(row.key)
    assert [events[f"s{at}", 1].answer for at in range(len(texts))] == [*map(Returned, texts)]


def test_time_is_the_servers(server: Server) -> None:
    """A machine's wall clock does not count, however far it is off."""
    with closing(journal_at(server.url)) as journal, closing(journal_at(server.url)) as other:
        other.clock = ServerClock(other._ask_time, FakeClock())  # of another year
        assert abs(journal.clock.now() - other.clock.now()) < 5
        assert journal.clock.as_wall(NOW) == NOW


def test_a_server_whose_clock_was_set_is_followed() -> None:
    """What differs by less than a network does counts for nothing, and a slow answer neither."""
    told, clock = [1_000.0], FakeClock()
    steady = ServerClock(lambda: steady.learn(told[0], clock.monotonic()), clock)
    assert steady.now() == 1_000.0
    clock.advance(10.0)
    steady.learn(1_010.0 + LEAP / 2, clock.monotonic())
    assert steady.now() == 1_010.0
    asked = clock.monotonic()
    clock.advance(1.0)
    steady.learn(5_000.0, asked)
    assert steady.now() == 1_011.0
    steady.learn(5_000.0, clock.monotonic())
    assert steady.now() == 5_000.0


def test_a_process_of_another_machine_is_not_taken_for_dead(journal: Journal) -> None:
    """It may have any number; its lease ends by its time."""
    me = this_process()
    if me is None:
        pytest.skip("this system has no names of processes")
    elsewhere = Holder("another-boot", me.space, 999_999, 1)
    journal.add(one, "r", None, NOW, 30.0, holder=str(elsewhere))
    (lease,) = journal.holders(["one"], NOW + 30)
    assert lease.holder == f"1 {elsewhere}"
    assert not is_gone(elsewhere, me)
    assert is_gone(elsewhere._replace(boot=me.boot), me)


def test_a_definition_is_sent_once(journal: Journal) -> None:
    """The second start of a workflow leaves it out, and a new process sends it again."""
    journal.add(one, "a", None, NOW, None)
    journal.add(one, "b", None, NOW, None)
    assert journal.definition(one.digest).digest == one.digest
    found = journal.find(RunKey("one", "b"))
    assert found is not None
    assert found.digest == one.digest
