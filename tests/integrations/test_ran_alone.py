"""`leeward_ran` without leeward, leeward without it, and what both have to know alike."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from botocore.session import get_session  # type: ignore[import-untyped]

import leeward_ran
from leeward.envelope import MARK
from leeward.errors import Outcome
from leeward.testing import prove
from leeward_aws import errors as aws
from leeward_aws.settings.endpoints import ServiceName
from leeward_google.errors import STATUSES
from leeward_ran import http
from leeward_ran.clouds import REFUSALS
from tests.house.workspace import ROOT

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
"""
NOT_RUN = set(Outcome) - {Outcome.OK, Outcome.AMBIGUOUS, Outcome.APP_ERROR}


def _run_without(hidden: set[str], program: str) -> str:
    """Return what a program prints where these packages are not installed."""
    script = HIDE.replace("{hidden}", repr(hidden)) + program
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


WITHOUT_LEEWARD = {"leeward", "leeward_aws", "leeward_azure", "leeward_google"}


def test_the_readme_says_what_its_program_prints() -> None:
    """Without leeward, on Python and the client alone."""
    page = (ROOT / "extras/ran/README.md").read_text(encoding="utf-8")
    program, output = page.split("```py\n")[1], page.split("charge.py\n")[1]
    printed = _run_without(WITHOUT_LEEWARD, program.partition("```")[0])
    assert printed == output.partition("```")[0]


def test_retries_ask_without_leeward() -> None:
    """tenacity calls again only what did not run; the predicate of stamina says the same."""
    program = """
import requests, tenacity
from leeward_ran.retries import did_not_run
from leeward_ran.tenacity import retry_if_did_not_run

calls = []

@tenacity.retry(retry=retry_if_did_not_run, stop=tenacity.stop_after_attempt(3), reraise=True)
def charge():
    calls.append(1)
    requests.post("http://127.0.0.1:9/")

try:
    charge()
except requests.RequestException as error:
    print(len(calls), did_not_run(error), "leeward" in sys.modules)
"""
    assert _run_without(WITHOUT_LEEWARD, program) == "3 True False\n"


def test_it_loads_the_standard_library_alone() -> None:
    """No client, and nothing of leeward."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT / "extras/ran/src")!r})
import leeward_ran.retries
print(*{{name.partition(".")[0] for name in sys.modules}} - sys.stdlib_module_names)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} - {"__main__"} == {"leeward_ran"}


def test_leeward_answers_alone_for_its_own() -> None:
    """It proves nothing of what others made of its exception: they may have called before."""
    program = """
from leeward import Throttled, explain_ran, ran

error = RuntimeError("gave up")
error.__cause__ = Throttled("later")
print(ran(error.__cause__), explain_ran(error))
"""
    printed = _run_without({"leeward_ran"}, program)
    assert re.fullmatch(r"no maybe: .*pip install leeward-ran.*\n", printed)


def test_both_read_the_same_marks() -> None:
    """The header of a function, and the attribute of a mock."""
    assert http.MARK == MARK
    assert leeward_ran.ran(prove(ValueError("mock"), "yes")) == "yes"


@pytest.mark.parametrize("service", [*aws.SERVICES])
def test_the_codes_are_those_of_the_adapter(service: ServiceName) -> None:
    """A code refuses here if leeward-aws says that nothing ran, and only then."""
    known = "stepfunctions" if service == "states" else service
    refusals = REFUSALS["aws, of any service"] | REFUSALS[f"aws, {known}"]
    doubts = REFUSALS["aws, in doubt whatever the status"]
    tables = {**aws.COMMON, **aws.SERVICES[service]}
    assert refusals == {code for code, said in tables.items() if said.outcome in NOT_RUN}
    assert {code for code, said in tables.items() if said.outcome not in NOT_RUN} <= doubts
    assert not refusals & doubts


def test_the_services_have_the_names_that_botocore_gives_them() -> None:
    """The endpoint of Step Functions is called `states`, and its client is not."""
    services = {key.removeprefix("aws, ") for key in REFUSALS if key.startswith("aws, ")}
    services -= {"of any service", "in doubt whatever the status"}
    assert services <= set(get_session().get_available_services())


def test_the_words_are_those_of_the_adapter() -> None:
    """As leeward-google has them."""
    assert {word for word, said in STATUSES.items() if said.outcome in NOT_RUN} == REFUSALS[
        "google"
    ]
