"""What a user sees of `--lose-answers`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lose_answers import corpus
from tests.lose_answers.conftest import Seen

Suite = Callable[..., Seen]

TWO = """
def test_twice(bank):
    charge(bank, attempts=2)


def test_once(bank):
    charge(bank, attempts=1)


def test_nothing():
    pass
"""


def test_a_double_is_named_and_fails_the_session(run_suite: Suite) -> None:
    """Test, effect, both lines and the loop; all tests pass, and nothing is really waited for."""
    seen = run_suite(TWO, "--lose-answers-modes=timeout,reset")
    assert seen.status == 1, seen.output
    assert "3 passed" in seen.output
    assert {each["test"] for each in seen.report["doubles"]} == {"test_bank.py::test_twice"}
    assert {each["mode"] for each in seen.report["doubles"]} == {"timeout", "reset"}
    (double, *_) = seen.report["doubles"]
    assert double["first"] == double["again"] == "test_bank.py:36"
    assert double["by"] == "the program itself"
    assert "1 effect sent twice; 2 tests sent effects, 4 answers were lost" in seen.output


def test_a_sound_suite_passes(run_suite: Suite) -> None:
    """The exit status is 0; what the ini file marks as repeatable is left alone."""
    tests = """
def test_once(bank):
    charge(bank, attempts=1)

def test_marked(bank):
    charge(bank, attempts=2, path="/tokens")
"""
    seen = run_suite(tests, ini="lose_answers_repeatable = POST */tokens")
    assert seen.status == 0, seen.output
    assert "no effects sent twice; 2 tests sent effects, 2 answers were lost" in seen.output


def test_the_suites_own_results_stand(run_suite: Suite) -> None:
    """A failure, a skip and a broken fixture are reported once; such tests are not run again."""
    tests = """
@pytest.fixture
def broken(bank):
    yield
    raise OSError

def test_fails(bank):
    charge(bank, attempts=2)
    assert False

def test_skips(bank):
    pytest.skip()

def test_breaks(broken, bank):
    charge(bank, attempts=2)

@pytest.mark.keep_answers
def test_left_alone(bank):
    charge(bank, attempts=2)
"""
    seen = run_suite(tests)
    assert "1 failed, 2 passed, 1 skipped, 1 error" in seen.output
    assert seen.report["runs"] == 0


def test_reports_of_more_runs_are_not_the_suites_own(run_suite: Suite) -> None:
    """Neither subtests nor output; a class that ends with an error is reported once."""
    tests = """
@pytest.fixture(scope="class")
def broken():
    yield
    print("the end")
    raise OSError

class TestClass:
    def test_parts(self, bank, subtests, broken):
        for part in "ab":
            with subtests.test(part):
                charge(bank, attempts=1)
        print("not lost")

def test_fails(bank, subtests):
    with subtests.test("c"):
        charge(bank, attempts=1)
        assert False
"""
    seen = run_suite(tests)
    assert "2 failed, 1 passed, 1 error" in seen.output
    assert "test_parts - contains" not in seen.output
    assert seen.output.count("the end") == 2  # in the source, and where it was caught
    assert seen.report["lost"] == 2


def test_a_run_that_hangs_is_ended(run_suite: Suite) -> None:
    """A thread that fails leaves who waits for it; a program without a time-out waits for ever."""
    tests = """
def test_waits(bank):
    from queue import Queue

    answers = Queue()
    Thread(target=lambda: answers.put(charge(bank, attempts=1)), daemon=True).start()
    answers.get()

def test_waits_for_ever(bank):
    import asyncio

    async def send():
        reader, writer = await asyncio.open_connection("127.0.0.1", bank)
        writer.write(b"POST /charges HTTP/1.1\\r\\nContent-Length: 1\\r\\n\\r\\n5")
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.close()

    asyncio.run(send())
"""
    seen = run_suite(tests, "--lose-answers-times=2")
    assert "2 passed" in seen.output
    assert seen.report["tests"] == 2
    seen = run_suite(tests, "-k", "for_ever")
    assert seen.report["lost"] == 2


def test_the_time_that_a_test_may_take_is_for_one_run(run_suite: Suite) -> None:
    """pytest-timeout, whose thread would end the process, does not count the runs after it."""
    tests = """
@pytest.mark.timeout(2.0, method="thread")
def test_is_slow(bank):
    threading.Event().wait(0.8)
    charge(bank, attempts=2)
"""
    seen = run_suite("import threading\n" + tests, "-p", "pytest_timeout")
    assert "1 passed" in seen.output
    assert seen.report["lost"] == 2


def test_a_connection_that_tests_share_is_not_broken(run_suite: Suite) -> None:
    """Without a pool nobody opens another one; its answers are said to be left out."""
    tests = """
@pytest.fixture(scope="module")
def shared(bank):
    connection = http.client.HTTPConnection("127.0.0.1", bank, timeout=5)
    yield connection
    connection.close()

def test_first(shared):
    shared.request("POST", "/charges", b"5")
    shared.getresponse().read()

def test_second(shared):
    shared.request("POST", "/charges", b"6")
    shared.getresponse().read()
"""
    seen = run_suite(tests)
    assert seen.status == 0, seen.output
    assert "not tried: 4 answers of 2 tests" in seen.output


def test_fixtures_are_fresh_in_each_run(run_suite: Suite) -> None:
    """A test's own fixtures are made anew; those of the module stay."""
    tests = """
made = []

@pytest.fixture
def own():
    made.append(1)

def test_once(bank, own):
    charge(bank, attempts=1)

def test_counts():
    assert len(made) == 3
"""
    assert run_suite(tests).status == 0


def test_what_chance_repeats_is_no_double(run_suite: Suite) -> None:
    """A test that sends another number of effects in each run is not judged."""
    tests = """
runs = []

def test_polls(bank):
    runs.append(1)
    for _ in runs:
        try:
            charge(bank, attempts=1)
        except OSError:
            pass
"""
    seen = run_suite(tests)
    assert seen.status == 0, seen.output


def test_a_task_that_a_loss_left_behind_is_no_double(run_suite: Suite) -> None:
    """A loop that tests share goes on with it in the next run, beside that run's own."""
    tests = """
import asyncio

later, go = [], asyncio.Event()

@pytest.fixture(scope="module")
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()

def test_two_at_once(bank, loop):
    async def send(path):
        if path == "/later" and len(later) == 2:
            await go.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", bank)
        writer.write(f"POST {path} HTTP/1.1\\r\\nContent-Length: 1\\r\\n\\r\\n5".encode())
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.close()

    async def send_both():
        later.append(asyncio.create_task(send("/later")))
        await send("/first")
        await asyncio.wait(later[-1:])
        if len(later) == 3:
            go.set()
        await asyncio.wait(later)

    loop.run_until_complete(send_both())
"""
    seen = run_suite(tests, "--lose-answers-modes=reset")
    assert (seen.status, seen.report["lost"]) == (0, 2), seen.output


def test_what_is_left_out_is_said(run_suite: Suite) -> None:
    """A program that gives up hides later effects; a limit leaves them untried."""
    tests = """
def test_many(bank):
    for number in range(4):
        charge(bank, attempts=1, path=f"/charges/{'abcd'[number]}")
"""
    seen = run_suite(tests, "--lose-answers-max=3")
    assert seen.report["lost"] == 6
    assert "not tried: 2 answers of 1 tests" in seen.output


def test_workers_hand_over_what_they_saw(run_suite: Suite) -> None:
    """With pytest-xdist the summary, the file and the exit status are those of all workers."""
    seen = run_suite(TWO, "-p", "xdist", "-n", "2")
    assert seen.status == 1, seen.output
    assert seen.report["tests"] == 2
    assert "1 effect sent twice" in seen.output


def test_an_unknown_mode_is_refused(run_suite: Suite) -> None:
    """Before any test."""
    seen = run_suite(TWO, "--lose-answers-modes=delay")
    assert seen.status == 4
    assert "--lose-answers-modes: delay is not a mode; modes: timeout, reset" in seen.output


@pytest.mark.vendors
def test_programs_with_the_users_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    """Some of the sixty programs of the corpus; the command runs all."""
    only = "stamina or rows_unique or conditional"
    assert corpus.main(["--only", only]) == 0, capsys.readouterr().out
