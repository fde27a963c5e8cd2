"""Ten set-ups of agents and retries: a charge whose answer is lost, with and without `once`.

python -m tests.integrations.agent_setups

It runs where the libraries are installed. Models are fake: they call again if a tool's text says
that it failed. FastMCP is in `tests.integrations.mcp_trial`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from operator import add
from pathlib import Path
from typing import Annotated, Any, TypedDict

from leeward import Client
from leeward.app.idempotency import Done, NotDone
from leeward.local import Local
from leeward.testing import FakeClock
from leeward_integrations.once import agent_run, call_key, once

LEASE = 60.0
CHARGED = "17 is charged"


class Killed(BaseException):
    """The process dies here."""


class Bank:
    """Charges orders, and loses answers.

    Attributes:
        charges: the orders.
        keys: of the charges, where a tool has one.
        losses: what becomes of the next calls: ``answer`` and ``request`` are lost, ``kill`` ends
            the process behind the charge.
    """

    def __init__(self, *losses: str) -> None:
        self.clock = FakeClock()
        self.charges: list[str] = []
        self.keys: list[str] = []
        self.losses = list(losses)

    def charge(self, order: str, key: str = "") -> str:
        """Charge an order."""
        loss = self.losses.pop(0) if self.losses else ""
        if loss == "request":
            self.clock.advance(LEASE + 1)  # nobody waits any more
            raise TimeoutError("the request was lost")
        self.charges.append(order)
        self.keys.append(key)
        if loss == "kill":
            raise Killed
        if loss:
            raise ConnectionError("the answer was lost")
        return f"{order} is charged"

    def find(self, key: str, *_: object) -> Done | NotDone:
        """Find a charge: the probe."""
        return Done(CHARGED) if key in self.keys else NotDone()


def tool_of(bank: Bank, client: Client | None) -> Callable[[str], str]:
    """Return the tool; with `once` if there is a client for its records."""

    def charge(order: str) -> str:
        """Charge an order."""
        return bank.charge(order, call_key() if client else "")

    if client is None:
        return charge
    guard = once(table="keys", client=client, probe=bank.find, clock=bank.clock, lease=LEASE)
    return guard(charge)


def with_tenacity(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Retry by tenacity."""
    from tenacity import retry, stop_after_attempt

    with agent_run("order-17"):
        return str(retry(stop=stop_after_attempt(3))(tool)("17"))


def with_stamina(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Retry by stamina."""
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])
    with agent_run("order-17"):
        again: Any = stamina.retry(on=Exception, attempts=3, wait_initial=0.001, wait_max=0.01)
        return str(again(tool)("17"))


def with_langgraph(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Retry by the policy of a node."""
    from langgraph.types import RetryPolicy

    policy = RetryPolicy(initial_interval=0.0, jitter=False, retry_on=Exception)
    return last_text(graph_of(tool, guarded, retry_policy=policy).invoke(ASKED, THREAD))


def with_checkpoint(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Resume from the checkpoint, as after a crash."""
    graph = graph_of(tool, guarded)
    try:
        return last_text(graph.invoke(ASKED, THREAD))
    except Exception:  # noqa: BLE001 - the answer was lost
        return last_text(graph.invoke(None, THREAD))


def with_langchain(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Retry by LangChain's middleware, on either side of leeward's."""
    from langchain.agents import create_agent
    from langchain.agents.middleware import ToolRetryMiddleware
    from langgraph.checkpoint.memory import InMemorySaver

    from leeward_integrations.langchain import OnceCalls

    retries = ToolRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False)
    middleware = [retries, OnceCalls()] if guarded else [retries]
    agent = create_agent(chat_model(), [tool], middleware=middleware, checkpointer=InMemorySaver())
    return last_text(agent.invoke(ASKED, THREAD))


def with_dbos(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Retry by a step of DBOS."""
    from dbos import DBOS

    folder = tempfile.mkdtemp()
    url = f"sqlite:///{Path(folder) / 'dbos.sqlite'}"
    config = {"name": "shop", "system_database_url": url, "run_admin_server": False}
    DBOS(config={**config, "log_level": "CRITICAL"})
    try:

        @DBOS.step(retries_allowed=True, interval_seconds=0.001, max_attempts=3)  # type: ignore[untyped-decorator]
        def pay(order: str) -> str:
            with agent_run(f"{DBOS.workflow_id}/{DBOS.step_id}"):
                return tool(order)

        @DBOS.workflow()  # type: ignore[untyped-decorator]
        def flow(order: str) -> str:
            return str(pay(order))

        DBOS.launch()
        return str(flow("17"))
    finally:
        DBOS.destroy(destroy_registry=True)


def with_temporal(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Make the attempts of an activity as Temporal's default policy does.

    Its server cannot be had here: the SDK's own environment for tests stands for it.
    """
    from dataclasses import replace

    from temporalio import activity
    from temporalio.testing import ActivityEnvironment

    @activity.defn  # type: ignore[untyped-decorator]
    def pay(order: str) -> str:
        info = activity.info()
        with agent_run(f"{info.workflow_id}/{info.workflow_run_id}/{info.activity_id}"):
            return tool(order)

    environment = ActivityEnvironment()
    for attempt in (1, 2, 3):
        environment.info = replace(environment.info, attempt=attempt)
        try:
            return str(environment.run(pay, "17"))
        except Exception:  # noqa: BLE001 - the server makes the next attempt
            continue
    return ""


def with_openai(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Let the model try again, as the SDK's default text asks it to."""
    from agents import Agent, RunConfig, Runner, function_tool

    from leeward_integrations.openai_agents import once_tool

    made = function_tool(tool)
    agent = Agent("shop", tools=[once_tool(made) if guarded else made], model=openai_model())
    config = RunConfig(tracing_disabled=True)
    with agent_run("order-17"):
        return str(asyncio.run(Runner.run(agent, "charge 17", run_config=config)).final_output)


def with_pydantic(tool: Callable[[str], str], *, guarded: bool) -> str:
    """Let the model try again, as the tool asks it to."""
    from pydantic_ai import Agent, ModelRetry
    from pydantic_ai.messages import (
        ModelResponse,
        TextPart,
        ToolCallPart,
    )
    from pydantic_ai.models.function import FunctionModel

    from leeward_integrations.pydantic_ai import OnceCalls

    def answer(messages: list[Any], _info: Any) -> Any:
        text = str(messages[-1].parts[-1].content)
        if len(messages) == 1 or "lost" in text:
            return ModelResponse([ToolCallPart("charge", {"order": "17"})])
        return ModelResponse([TextPart(text)])

    def charge(order: str) -> str:
        """Charge an order."""
        try:
            return tool(order)
        except Exception as error:
            raise ModelRetry(str(error)) from error

    capabilities = [OnceCalls()] if guarded else []
    agent = Agent(FunctionModel(answer), tools=[charge], capabilities=capabilities, retries=3)
    with agent_run("order-17"):
        return str(agent.run_sync("charge 17").output)


SETUPS: dict[str, Callable[..., str]] = {
    "tenacity": with_tenacity,
    "stamina": with_stamina,
    "LangGraph RetryPolicy": with_langgraph,
    "LangGraph from a checkpoint": with_checkpoint,
    "LangChain ToolRetryMiddleware": with_langchain,
    "DBOS retries_allowed": with_dbos,
    "Temporal activity": with_temporal,
    "OpenAI Agents": with_openai,
    "Pydantic AI": with_pydantic,
}

ASKED: Any = {"messages": [("user", "charge 17")]}
THREAD: Any = {"configurable": {"thread_id": "order-17"}}


def last_text(state: Any) -> str:
    """Return what the agent has said last."""
    return str(state["messages"][-1].content)


def chat_model(answer: Callable[[list[Any]], Any] | None = None) -> Any:
    """Return a model of LangChain; by default it calls a tool until its text names no failure."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    def call_until_done(messages: list[Any]) -> Any:
        last = messages[-1]
        if last.type == "tool" and last.status != "error":
            return AIMessage(last.content)
        call = {"name": "charge", "args": {"order": "17"}, "id": f"c{len(messages)}"}
        return AIMessage("", tool_calls=[call])

    class Model(BaseChatModel):  # type: ignore[misc]
        @property
        def _llm_type(self) -> str:
            return "fake"

        def bind_tools(self, tools: Any, **_: Any) -> Any:
            return self

        def _generate(self, messages: Any, *_: Any, **__: Any) -> Any:
            said = (answer or call_until_done)(messages)
            return ChatResult(generations=[ChatGeneration(message=said)])

    return Model()


def graph_of(tool: Callable[[str], str], guarded: bool, **settings: Any) -> Any:
    """Return a graph of a model and its tool."""
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, tools_condition

    from leeward_integrations.langgraph import place_call

    model = chat_model()
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    node = ToolNode([tool], **({"wrap_tool_call": place_call} if guarded else {}))
    graph.add_node("tools", node, **settings)
    graph.set_entry_point("model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(checkpointer=InMemorySaver())


def openai_model(answer: Callable[[Any], list[str]] | None = None) -> Any:
    """Return a model of OpenAI's SDK; by default it calls a tool until its text is no failure.

    Args:
        answer: returns the orders to charge, from the items so far; none to end.
    """
    from agents import Model, ModelResponse, Usage
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )

    def call_until_done(given: Any) -> list[str]:
        last = given[-1] if isinstance(given, list) else {}
        return ["17"] if "try again" in last.get("output", "try again") else []

    class Fake(Model):  # type: ignore[misc]
        async def get_response(self, **asked: Any) -> Any:
            given = asked["input"]
            made: list[Any] = [
                ResponseFunctionToolCall(
                    type="function_call",
                    name="charge",
                    call_id=f"c{len(given)}-{number}",
                    arguments=json.dumps({"order": order}),
                )
                for number, order in enumerate((answer or call_until_done)(given))
            ]
            if not made:
                text = given[-1].get("output", "")
                said = ResponseOutputText(type="output_text", text=text, annotations=[])
                made = [
                    ResponseOutputMessage(
                        id="m", type="message", role="assistant", status="completed", content=[said]
                    )
                ]
            return ModelResponse(output=made, usage=Usage(requests=1), response_id=None)

        def stream_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

    return Fake()


def try_setup(name: str, loss: str, *, guarded: bool) -> tuple[int, str]:
    """Return how often an order was charged, and what the agent got."""
    bank = Bank(loss)
    with Client(Local(clock=bank.clock)) as client:
        said = SETUPS[name](tool_of(bank, client if guarded else None), guarded=guarded)
    return len(bank.charges), said


def charge_twice_in_two_tasks(key: str, ids: str) -> int:
    """Return how often two tasks of a step charge, each with two calls.

    Args:
        key: of the messages in the state.
        ids: of the two calls.
    """
    from langchain_core.messages import AIMessage
    from langgraph.graph import StateGraph
    from langgraph.prebuilt import ToolNode
    from langgraph.types import Send

    from leeward_integrations.langgraph import place_call

    class Named(TypedDict):
        messages: Annotated[list[Any], add]
        said: Annotated[list[Any], add]

    @dataclass(slots=True)
    class Slotted:
        said: Annotated[list[Any], add]

    bank = Bank()
    calls = [{"name": "charge", "args": {"order": "17"}, "id": id} for id in ids]
    with Client(Local(clock=bank.clock)) as client, agent_run("order-17"):
        graph: Any = StateGraph(Slotted if key == "said" else Named)
        node = ToolNode([tool_of(bank, client)], messages_key=key, wrap_tool_call=place_call)
        graph.add_node("tools", node)
        graph.set_conditional_entry_point(lambda state: [Send("tools", state)] * 2)
        graph.compile().invoke({key: [AIMessage("", tool_calls=calls)]})
    return len(bank.charges)


def charge_from_each_checkpoint() -> int:
    """Return how often an order is charged by a run that goes on from each of its checkpoints."""
    bank = Bank()
    with Client(Local(clock=bank.clock)) as client:
        graph = graph_of(tool_of(bank, client), guarded=True)
        graph.invoke(ASKED, THREAD)
        for state in [*graph.get_state_history(THREAD)]:
            if state.next in (("model",), ("tools",)):
                graph.invoke(None, state.config)
            if state.next == ("tools",):
                fork = graph.update_state(state.config, {"messages": []}, as_node="model")
                graph.invoke(None, fork)
    return len(bank.charges)


def main(names: list[str]) -> int:
    """Try each set-up, and return the exit status."""
    warnings.simplefilter("ignore")
    cases = [(key, ids) for key in ("messages", "said") for ids in ("11", "12")]
    wrong = int([charge_twice_in_two_tasks(*case) for case in cases] != [4] * 4)
    wrong += charge_from_each_checkpoint() != 1
    for name in names or SETUPS:
        plain, _ = try_setup(name, "answer", guarded=False)
        guarded = [try_setup(name, loss, guarded=True) for loss in ("answer", "request")]
        is_right = plain == 2 and guarded == [(1, CHARGED)] * 2
        wrong += not is_right
        print(f"{'ok   ' if is_right else 'WRONG'} {name}: {plain} without; {guarded} with")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
