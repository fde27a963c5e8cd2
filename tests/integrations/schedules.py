"""Random schedules of agents: killed, resumed, two at once, calls in parallel; one effect each.

python -m tests.integrations.schedules --cases 1000

Each agent runs in a process of its own, which dies anywhere: before a call, behind its effect, in
the table, in the checkpoint. The bank loses requests and answers, and does not always answer the
probe. The next process resumes the checkpoint, or begins anew. Models are fake, and call again
until they hear that it is done. Leases are of a clock that moves only while no process runs.

It runs where the libraries are installed: `.servers/agents` and `.servers/agents-before`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sqlite3
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from importlib import import_module
from multiprocessing import Value
from pathlib import Path
from random import Random
from typing import Any

from leeward import Client
from leeward.app.idempotency import Done, NotDone
from leeward.clock import SystemClock
from leeward.local import Local
from leeward_integrations.once import agent_run, call_key, once
from tests.integrations import agent_setups

LEASE = 3600.0
STUCK, KILLED = 3, 9
PATIENCE = 4
"""Turns after which a process whose calls are not answered gives up."""
ROUNDS = 25
"""Processes of one run, after which it is refused for ever."""

SHIFT = Value("d", 0.0)

History = list[list[tuple[str, str]]]
"""The turns of a model: the orders that it has charged, and what the tool said."""
Plan = list[list[str]]


class MovingClock(SystemClock):
    """A clock that somebody moves, for all processes."""

    def now(self) -> float:
        """Return Unix seconds."""
        return super().now() + float(SHIFT.value)


class Stuck(Exception):
    """The model hears no answer; another process goes on."""


class World:
    """What a process of an agent meets.

    Attributes:
        folder: with the bank's charges, the table and the checkpoints.
        run: of the agent.
        plan: the turns that it wants.
    """

    def __init__(self, folder: Path, run: str, plan: Plan, random: Random) -> None:
        self.folder, self.run, self.plan, self._random = folder, run, plan, random
        self._failures = 0
        self._deadly = random.choice([0.0, 0.02, 0.06])
        self._lossy = random.choice([0.0, 0.2, 0.5])

    def may_die(self) -> None:
        """End the process, now and then."""
        if self._random.random() < self._deadly:
            os._exit(KILLED)

    def charge(self, order: str) -> str:
        """Charge an order at the bank: a tool."""
        self.may_die()
        loss = self._random.random()
        if loss < self._lossy / 2:
            raise TimeoutError("the request was lost")
        with (self.folder / "bank").open("ab", buffering=0) as bank:
            bank.write(f"{call_key()} {order}\n".encode())
        self.may_die()
        if loss < self._lossy:
            raise ConnectionError("the answer was lost")
        return f"charged {order}"

    def find(self, key: str, *_: object) -> Done | NotDone:
        """Find a charge: the probe. It is away now and then."""
        if self._random.random() < self._lossy:
            raise TimeoutError("the bank does not answer")
        for line in charges_in(self.folder):
            if line[0] == key:
                return Done(f"charged {line[1]}")
        return NotDone()

    def next_calls(self, history: History) -> list[str]:
        """Return what the model calls next: what has failed, else the next turn of its plan."""
        begun, failed = 0, list[str]()
        for turn in history:
            begun += not failed
            failed = [order for order, said in turn if not said.startswith("charged")]
        if failed:
            self._failures += 1
            if self._failures > PATIENCE:
                raise Stuck
        return failed or (self.plan[begun] if begun < len(self.plan) else [])


class DyingClient:
    """A client whose process may die around each call."""

    def __init__(self, client: Client, world: World) -> None:
        self._client, self._world = client, world

    def store_data(self, *given: Any, **named: Any) -> Any:
        """Store an item."""
        self._world.may_die()
        receipt = self._client.store_data(*given, **named)
        self._world.may_die()
        return receipt

    def load_data(self, *given: Any) -> Any:
        """Load an item."""
        self._world.may_die()
        return self._client.load_data(*given)


Tool = Callable[[str], str]


def run_plain(world: World, tool: Tool) -> None:
    """Run a loop of one's own, with calls in parallel."""
    history: History = []
    with agent_run(world.run), ThreadPoolExecutor(3) as pool:
        while orders := world.next_calls(history):
            calls = [pool.submit(copy_context().run, tool, order) for order in orders]
            history.append(
                [(order, text_of(call.result)) for order, call in zip(orders, calls, strict=True)]
            )


def run_tenacity(world: World, tool: Tool) -> None:
    """Run a loop that retries by tenacity."""
    from tenacity import retry, stop_after_attempt

    run_plain(world, retry(stop=stop_after_attempt(2), reraise=True)(tool))


def run_langchain(world: World, tool: Tool) -> None:
    """Run or resume an agent of LangChain, on its checkpoints in SQLite."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import ToolRetryMiddleware
    from langchain_core.messages import AIMessage
    from langgraph.checkpoint.sqlite import SqliteSaver

    from leeward_integrations.langchain import OnceCalls

    class Saver(SqliteSaver):  # type: ignore[misc]
        def put(self, *given: Any) -> Any:
            world.may_die()
            saved = super().put(*given)
            world.may_die()
            return saved

    def answer(messages: list[Any]) -> Any:
        said = {
            message.tool_call_id: message.content for message in messages if is_of_tool(message)
        }
        history = [
            [(call["args"]["order"], said[call["id"]]) for call in message.tool_calls]
            for message in messages
            if getattr(message, "tool_calls", None)
        ]
        calls = [
            {"name": "charge", "args": {"order": order}, "id": os.urandom(4).hex()}
            for order in world.next_calls(history)
        ]
        return AIMessage("" if calls else "done", tool_calls=calls)

    connection = sqlite3.connect(world.folder / f"{world.run}.sqlite", check_same_thread=False)
    middleware = [OnceCalls()]
    if len(world.plan) % 2:
        middleware.insert(0, ToolRetryMiddleware(max_retries=1, initial_delay=0.0, jitter=False))
    agent = create_agent(
        agent_setups.chat_model(answer),
        [tool],
        middleware=middleware,
        checkpointer=Saver(connection),
    )
    thread: Any = {"configurable": {"thread_id": world.run}, "recursion_limit": 200}
    is_new = agent.get_state(thread).values == {}
    asked = {"messages": [("user", "charge them")]} if is_new else None
    agent.invoke(asked, thread, durability="sync")


def run_openai(world: World, tool: Tool) -> None:
    """Run an agent of OpenAI's SDK, anew each time."""
    from agents import Agent, RunConfig, Runner, function_tool

    from leeward_integrations.openai_agents import once_tool

    def answer(given: Any) -> list[str]:
        items = given if isinstance(given, list) else []
        said = {
            item["call_id"]: item["output"]
            for item in items
            if item.get("type") == "function_call_output"
        }
        history: History = []
        is_open = False
        for item in items:
            if item.get("type") == "function_call":
                if not is_open:
                    history.append([])
                order = item["arguments"].split('"')[3]
                history[-1].append((order, said[item["call_id"]]))
            is_open = item.get("type") == "function_call"
        return world.next_calls(history)

    model = agent_setups.openai_model(answer)
    agent = Agent("shop", tools=[once_tool(function_tool(tool))], model=model)
    config = RunConfig(tracing_disabled=True)
    with agent_run(world.run):
        asyncio.run(Runner.run(agent, "charge them", run_config=config, max_turns=200))


def run_pydantic(world: World, tool: Tool) -> None:
    """Run an agent of Pydantic AI, anew each time."""
    from pydantic_ai import Agent, ModelRetry
    from pydantic_ai.messages import (
        ModelResponse,
        TextPart,
        ToolCallPart,
    )
    from pydantic_ai.models.function import FunctionModel

    from leeward_integrations.pydantic_ai import OnceCalls

    def answer(messages: list[Any], _info: Any) -> Any:
        said = {
            part.tool_call_id: str(part.content)
            for message in messages
            for part in message.parts
            if getattr(part, "tool_call_id", None) and hasattr(part, "content")
        }
        history = [
            [(part.args["order"], said[part.tool_call_id]) for part in message.parts]
            for message in messages
            if isinstance(message, ModelResponse)
        ]
        calls = [ToolCallPart("charge", {"order": o}) for o in world.next_calls(history)]
        return ModelResponse(calls or [TextPart("done")])

    def charge(order: str) -> str:
        """Charge an order."""
        try:
            return tool(order)
        except Exception as error:
            raise ModelRetry(str(error)) from error

    agent = Agent(FunctionModel(answer), tools=[charge], capabilities=[OnceCalls()], retries=99)
    with agent_run(world.run):
        agent.run_sync("charge them")


MODULES = (
    "agents openai.types.responses langchain.agents.middleware langgraph.checkpoint.sqlite "
    "pydantic_ai.models.function tenacity leeward_integrations.langchain "
    "leeward_integrations.openai_agents leeward_integrations.pydantic_ai"
).split()
"""What a process imports, before it has children."""

ENGINES = {
    "plain": run_plain,
    "tenacity": run_tenacity,
    "LangChain": run_langchain,
    "OpenAI Agents": run_openai,
    "Pydantic AI": run_pydantic,
}


def text_of(call: Callable[[], str]) -> str:
    """Return what a tool says, or how it failed."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - the model hears of it
        return str(error)


def is_of_tool(message: Any) -> bool:
    """Return whether a message of LangChain is the answer of a tool."""
    return bool(message.type == "tool")


def charges_in(folder: Path) -> list[list[str]]:
    """Return key and order of each charge at the bank."""
    path = folder / "bank"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def run_process(engine: str, world: World) -> int:
    """Run an agent once in this process, and return how it ended."""
    with Client(Local(path=world.folder / "table.sqlite")) as client:
        guard = once(
            table="keys",
            client=DyingClient(client, world),
            probe=world.find,
            lease=LEASE,
            clock=MovingClock(),
        )

        def charge(order: str) -> str:
            """Charge an order."""
            return world.charge(order)

        try:
            ENGINES[engine](world, guard(charge))
        except Exception as error:  # noqa: BLE001 - the next process goes on
            if os.environ.get("SHOW_ERRORS"):
                print(f"{world.run}: {type(error).__name__}: {error}", file=sys.stderr)
            return STUCK
    return 0


def start(engine: str, world: World) -> int:
    """Start a process of an agent, and return its id."""
    if process := os.fork():
        return process
    code = 1
    try:
        code = run_process(engine, world)
    finally:
        os._exit(code)


def try_schedule(seed: int, names: list[str]) -> str:
    """Return what is wrong with one schedule; empty for nothing."""
    random = Random(seed)
    engine = random.choice(names)
    plans = {
        f"run-{number}": [
            [random.choice("ab") for _ in range(random.choice([1, 1, 2, 3]))]
            for _ in range(random.randint(1, 3))
        ]
        for number in range(random.choice([1, 2]))
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        open_runs = set(plans)
        for _ in range(ROUNDS):
            at_once = sorted(open_runs)
            if engine != "LangChain" and random.random() < 0.2:  # a run of it is of one process
                at_once.append(at_once[0])
            started = {}
            for run in at_once:
                world = World(folder, run, plans[run], Random(random.random()))
                started[start(engine, world)] = run
            for process, run in started.items():
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                if code not in (0, STUCK, KILLED):
                    return f"{engine}: a process ended with {code}"
                if code == 0:
                    open_runs.discard(run)
            if not open_runs:
                break
            SHIFT.value += LEASE + 1
        found = Counter((key.split("/")[0], order) for key, order in charges_in(folder))
    wanted = Counter((run, order) for run, plan in plans.items() for turn in plan for order in turn)
    if open_runs:
        return f"{engine}: {sorted(open_runs)} are refused for ever"
    return "" if found == wanted else f"{engine}: {dict(found)} and not {dict(wanted)}"


def main(arguments: list[str]) -> int:
    """Try schedules, and return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--setups", nargs="*", metavar="NAME", help="try set-ups, too; all")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    logging.disable()
    names = given.engine or list(ENGINES)
    for module in MODULES:
        import_module(module)
    wrong = 0
    for seed in range(given.seed, given.seed + given.cases):
        if flaw := try_schedule(seed, names):
            wrong += 1
            print(f"seed {seed}: {flaw}")
    print(f"{given.cases} schedules, {wrong} wrong")
    if (
        given.setups is not None
    ):  # last: they start threads, and a process with threads is not to be forked
        wrong += agent_setups.main(given.setups)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
