"""Code around a call: a library is known by the distribution that owns its file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import pytest
import requests
import responses
import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_none

from leeward import explain_ran, ran
from leeward.testing import prove
from leeward_contract_tests.rows import each_row
from leeward_ran import frames
from tests.integrations.failing import REFUSE, FailingServer, Step
from tests.integrations.test_retries import failure, post, server

__all__ = ["server"]


class RefusedError(Exception):
    """Says that its call did not run."""

    ran = "no"


DONE = Step("reset", runs=True)

PAY = """
class PaymentError(Exception): pass

def pay(send):
    try:
        send()
    except OSError:
        pass
    send()  # as stripe does: once more, and the last exception passes as it is

def give_up(kind, error):
    raise {"PaymentError": PaymentError, "ConnectionError": ConnectionError}[kind] from error
"""


def write_facts(folder: Path, name: str, requires: str, files: str) -> Path:
    """Write what an installer writes of a distribution; return where."""
    facts = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\nRequires-Dist: {requires}\n")
    (facts / "RECORD").write_text(f"{facts.name}/METADATA,,\n{files}")
    return facts


def install(folder: Path, module: str, requires: str, where: str) -> None:
    """Install a distribution of one module; `where` may be a project that is editable."""
    is_editable = where == "editable"
    name = f"{module}_kit".replace("_", "-")
    facts = write_facts(folder, name, requires, "" if is_editable else f"{module}.py,,\n")
    if is_editable:
        folder = folder / "project" / "src"
        origin = {"url": folder.parent.as_uri(), "dir_info": {"editable": True}}
        (facts / "direct_url.json").write_text(json.dumps(origin))
        folder.mkdir(parents=True)
    (folder / f"{module}.py").write_text(PAY)


def import_from(folder: Path, module: str, where: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module as it is found where it is installed."""
    places = [folder]
    if where == "zip":
        places = [folder / "all.zip"]
        with ZipFile(places[0], "w") as packed:
            for file in [*folder.rglob("*.py"), *folder.rglob("*.dist-info/*")]:
                packed.write(file, file.relative_to(folder))
    elif where == "editable":
        places.append(folder / "project" / "src")
    for place in places:
        monkeypatch.syspath_prepend(str(place))
    invalidate_caches()
    monkeypatch.delitem(sys.modules, module, raising=False)
    return import_module(module)


@pytest.mark.parametrize("where", ["target", "zip", "editable"])
def test_a_library_is_known_wherever_it_is_installed(
    server: FailingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It charges, loses the answer, calls again and finds nobody; your own code is known."""
    for module, requires in (("foreign_pay", "six"), ("own_pay", "leeward[integrations]>=0.1")):
        name = f"{module}_{where}"
        install(tmp_path / name, name, requires, where)
        kit = import_from(tmp_path / name, name, where, monkeypatch)
        case, away = server.open([DONE, REFUSE]), server.open([REFUSE])
        error = failure(partial(kit.pay, partial(post, case)))
        assert case.effects == 1
        if module == "foreign_pay":
            assert ran(error) == "maybe"
        for kind in ("PaymentError", "ConnectionError"):

            def give_up(kit: Any = kit, kind: str = kind, away: Any = away) -> None:
                try:
                    post(away)
                except requests.ConnectionError as cause:
                    kit.give_up(kind, cause)

            error = failure(give_up)
            assert error.__cause__ is not None
            assert ran(error.__cause__) == "no"
            answer = (
                "no:"
                if module == "own_pay"
                else f"maybe: it is not known whether {name.replace('_', '-')}"
            )
            assert explain_ran(error).startswith(answer)


@pytest.fixture(autouse=True)
def _look_again() -> None:
    """Forget what was installed."""
    for look in (frames.distribution_of, frames._tops_in, frames._editable):
        getattr(look, "cache_clear", lambda: None)()


def test_clients_whose_distribution_is_gone_prove_nothing(
    server: FailingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages without their metadata do not show whose code is whose."""
    monkeypatch.setattr(frames, "_tops_in", lambda _: {})
    assert ran(failure(lambda: post(server.open([REFUSE])))) == "maybe"


MODULES = [
    ("azure.core.polling._poller", "call", "maybe"),
    ("azure.cosmos._retry_utility", "call", "maybe"),
    ("azure.ai.agents.operations._patch", "RunsOperations.create_and_process", "maybe"),
    ("azure.monitor.ingestion._operations._patch", "Operations.upload", "maybe"),
    ("azure.monitor.ingestion._operations._operations", "Operations._upload", "no"),
    ("azure.storage.filedatalake._upload_helper", "call", "maybe"),
    ("azure.storage.blob._blob_client", "BlobClient.upload_blob", "maybe"),
    ("azure.eventgrid._operations._patch", "Publisher.send", "no"),
    ("azure.keyvault.secrets._client", "SecretClient.restore", "maybe"),
    ("boto3.resources.collection", "call", "maybe"),
    ("boto3.resources.action", "BatchAction.call", "maybe"),
    ("boto3.resources.action", "ServiceAction.call", "no"),
    ("boto3.s3.inject", "call", "maybe"),
    ("botocore.paginate", "PageIterator.call", "maybe"),
    ("google.api_core.future.polling", "call", "maybe"),
    ("google.cloud.storage.blob", "call", "maybe"),
    ("google.cloud.firestore_v1.services.firestore.client", "FirestoreClient.commit", "no"),
    ("google.cloud.firestore_v1.services.firestore.pagers", "Pager.pages", "maybe"),
    ("our_own.payments", "call", "no"),
]
"""By module and function: what the last request, which finds nobody, proves of the whole call."""


@each_row("module, function, answer", MODULES)
def test_only_what_sends_one_request_proves_that_it_did_not_run(
    server: FailingServer, tmp_path: Path, module: str, function: str, answer: str
) -> None:
    """What is written by hand around generated code may have sent another request before."""
    url = f"http://127.0.0.1:{server.open([REFUSE]).port}"
    top, folder, path = (
        module.partition(".")[0],
        tmp_path / module,
        module.replace(".", "/") + ".py",
    )
    write_facts(folder, f"{top}-kit", "six", "" if top == "our_own" else f"{path},,\n")
    send = functions_at(url) if top in ("boto3", "botocore") else requests.post
    owner, _, name = function.rpartition(".")
    given = "" if send is not requests.post else "url"
    body = f"def {name}(*_): send({given})"
    scope = {"__name__": module, "__file__": str(folder / path), "send": send, "url": url}
    exec(f"class {owner}:\n {body}\ncall = {function}" if owner else body, scope)
    error = failure(scope["call"])  # type: ignore[arg-type]
    assert ran(error) == answer, explain_ran(error)


def functions_at(url: str) -> Callable[..., object]:
    """Return what asks Lambda at an address."""
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.session import get_session  # type: ignore[import-untyped]

    client = get_session().create_client(
        "lambda",
        region_name="x",
        endpoint_url=url,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return partial(client._make_api_call, "ListFunctions", {})


def test_no_word_of_an_exception_hides_what_was_called_before() -> None:
    """It says that it did not run; tenacity had called before, and that call ran."""
    calls = []

    def charge() -> None:
        calls.append(1)
        raise TimeoutError if len(calls) == 1 else RefusedError

    again = Retrying(
        stop=stop_after_attempt(2), wait=wait_none(), retry=retry_if_exception_type(), reraise=True
    )
    assert ran(failure(lambda: again(charge))) == "maybe"
    error = failure(charge)
    assert ran(error) == "no", explain_ran(error)


def test_a_test_says_what_its_mock_proves() -> None:
    """A mock's exception has no frame of a client; who has called again is asked."""

    def pay() -> None:
        with responses.RequestsMock() as mock:
            mock.add("POST", "https://bank.test/", body=prove(requests.ConnectionError("refused")))
            requests.post("https://bank.test/", timeout=1)

    assert ran(failure(pay)) == "no"
    again = Retrying(stop=stop_after_attempt(2), wait=wait_none(), reraise=True)
    assert ran(failure(partial(again, pay))) == "maybe"
    error = LookupError("of one's own")
    error.__cause__ = prove(TimeoutError(), "yes")
    assert ran(error) == "yes"
    assert ran(requests.ConnectionError("refused")) == "maybe"


@pytest.mark.parametrize("library", ["requests", "urllib3"])
def test_a_call_inside_of_a_call_proves_nothing_of_the_outer_one(
    server: FailingServer, library: str
) -> None:
    """A body without code of its own has a request of its own, which finds nobody."""
    away = f"http://127.0.0.1:{server.open([REFUSE]).port}"
    outer = f"http://127.0.0.1:{server.open([DONE]).port}"
    with urllib3.PoolManager(retries=False) as pool:
        ask, tell = partial(pool.request, "GET"), partial(pool.request, "POST")
        calls = {
            "requests": lambda: requests.post(
                outer, data=map(cast("Any", requests.get), [away]), timeout=1
            ),
            "urllib3": lambda: tell(outer, body=map(cast("Any", ask), [away]), timeout=1),
        }
        error = failure(calls[library])
    assert "refused" in str(error)
    assert ran(error) == "maybe", explain_ran(error)
