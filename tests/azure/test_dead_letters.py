"""Dead letters of Storage queues: on azurite, through a worker that is killed on the way."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from leeward.adapter import TargetConfig
from leeward.calls import HideMessage, PutMessage, QueueMessage, RemoveMessage, TakeMessages
from leeward.errors import Outcome
from leeward_azure.driver import open_driver
from tests.app import dead_letter_app as proof
from tests.servers.azure.azurite import Azurite, connection_string
from tests.servers.azure.clients import transport_apart
from tests.servers.azure.worker_process import FunctionsWorker, Raised, of_queue
from tests.servers.deploying import deploy

HANDLER = """from parcels import app as shop

function_app = shop.handler("azure", dead_letters={"parcels": "parcels-dead"})
"""


class Queues:
    """The queues of one account, as Microsoft's client and as leeward ask them."""

    def __init__(self, stack: ExitStack, connection: str) -> None:
        self._stack = stack
        self._connection = connection
        options = {"storage_connection_string": connection}
        self.driver = open_driver(TargetConfig("azure", "azure", None, options, {}))
        stack.callback(self.driver.close)

    def made(self, name: str) -> Any:
        """Make a queue; return a client of it."""
        kind: Any = import_module("azure.storage.queue").QueueClient
        client = self._stack.enter_context(
            kind.from_connection_string(
                self._connection, name, retry_total=0, transport=transport_apart()
            )
        )
        client.create_queue()
        return client


def deliver(queues: Queues, code: Path, environment: dict[str, str]) -> int:
    """Do what the host does with a queue; return how often the worker was killed."""
    killed = 0
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        worker = stack.enter_context(FunctionsWorker(code, environment))
        function = of_queue(worker)
        while True:
            found = queues.driver.perform(TakeMessages("parcels", 600), 10).value
            if not found:
                return killed
            for each in found:
                counts[each.id] += 1
                metadata = {"Id": each.id, "DequeueCount": str(counts[each.id])}
                try:
                    worker.by_queue(function, each.body, metadata)
                    queues.driver.perform(RemoveMessage("parcels", each.receipt, each.id), 10)
                    continue
                except Raised:
                    pass
                except (http.client.HTTPException, OSError):
                    killed += 1
                    worker = stack.enter_context(FunctionsWorker(code, environment))
                again = HideMessage("parcels", each.receipt, 0, each.id)
                assert queues.driver.perform(again, 10).outcome is Outcome.OK


@pytest.mark.vendors
def test_what_never_works_is_given_up_with_its_reason_and_nothing_is_lost(tmp_path: Path) -> None:
    """A tenth fails once, a fiftieth for good, and one message kills the process."""
    messages = proof.count()
    memory = tmp_path / "memory"
    code = deploy(tmp_path / "code", "azure", {"parcels.py": proof.APP}, "parcels")
    (code / "function_app.py").write_text(HANDLER, encoding="utf-8")
    with ExitStack() as stack:
        azurite = stack.enter_context(Azurite("shop"))
        connection = connection_string(azurite.url, "shop")
        queues = Queues(stack, connection)
        queues.made("parcels")
        for n in range(messages):
            put = PutMessage("parcels", b'{"n":  %d}' % n)
            assert queues.driver.perform(put, 10).outcome is Outcome.OK
        environment = {
            "MEMORY": str(memory),
            "KILLER": str(messages // 2),
            "AzureWebJobsStorage": connection,
        }
        # Until there is a dead-letter queue, what is given up stays where it is.
        with FunctionsWorker(code, environment) as worker:
            function = of_queue(worker)
            with pytest.raises(Raised):
                worker.by_queue(function, b'{"n": 1}', {"Id": "x", "DequeueCount": "1"})
        memory.unlink()
        queues.made("parcels-dead")
        killed = deliver(queues, code, environment)
        letters = proof.all_of(queues.driver, "parcels-dead")
        check(letters, memory, messages)
        assert proof.moved_back(queues.driver, "parcels-dead") == len(letters)
        assert deliver(queues, code, environment | {"MENDED": "1"}) == 0
        assert proof.all_of(queues.driver, "parcels-dead") == []
    assert killed == 1
    assert proof.handled(memory).done == set(range(messages))


def check(letters: list[QueueMessage], memory: Path, messages: int) -> None:
    """Check what was done, and what was given up with which words."""
    broken = proof.broken(messages)
    done, tries = proof.handled(memory)
    assert done == set(range(messages)) - set(broken)
    assert len(letters) == len(broken)
    for each in letters:
        n = json.loads(each.body)["n"]
        assert each.body == b'{"n":  %d}' % n
        ((name, told, _),) = each.attributes
        assert name == "leeward-dead-letter"
        facts = json.loads(told)
        assert (facts["queue"], facts["handler"], facts["reason"]) == ("parcels", "send", broken[n])
        assert (facts["ran"], facts["attempts"]) == ("maybe", 1 if broken[n] == "broken" else 3)
        assert tries[n] == facts["attempts"]
    assert all(tries[n] >= 2 for n in done if n % 10 == 2)
