"""What a state machine calls things: variables by level, expressions of errors and paths."""

from __future__ import annotations

from typing import Any, NamedTuple

from leeward.adapter.workflows import (
    AMBIGUOUS,
    ANY,
    AttemptNode,
    Block,
    Each,
    ErrorHandler,
    Parallel,
    Saga,
    Step,
    blocks_of,
)
from leeward_deploy.aws.flows.jsonata import literal

State = dict[str, Any]


class Around(NamedTuple):
    """A handler that stands around a node.

    Attributes:
        error: variable with the error that it handles.
        again: the state that raises this error again.
        undo: variable with what the saga around the handler is to take back; None without one.
        sagas: how many sagas stand around the handler.
    """

    error: str
    again: str
    undo: str | None
    sagas: int


class Surroundings(NamedTuple):
    """Where a node stands.

    Attributes:
        level: 0 for the machine, 1 and 2 for what is inside `parallel` and `each`.
        states: of the level.
        names: variables by the names of the flow.
        suffix: expression for what stands behind ids in paths.
        undo: variable with what is to be taken back; None without a saga around.
        raising: the state that an error goes to.
        most: variable with the bytes that the results of a branch may have; None elsewhere.
        share: expression for the events of the history that one `each` may take.
        sagas: variables with what the sagas around have done, the outermost first.
        handlers: around it, the outermost first, where errors may be final.
    """

    level: int
    states: dict[str, State]
    names: dict[str, str]
    suffix: str
    undo: str | None
    raising: str
    most: str | None
    share: str
    sagas: tuple[str, ...] = ()
    handlers: tuple[Around, ...] = ()

    def own(self, kind: str) -> str:
        """Return a variable of this level."""
        return f"${kind}{self.level}"


def error_of(name: str, *, ambiguous: bool = False, final: bool = False) -> str:
    """Return an expression for an error of that name, given as an expression."""
    unsure = f"{name} in {literal([*AMBIGUOUS])}" if ambiguous else "false"
    return (
        f'{{"name": {name}, "ambiguous": {unsure}, "steps": [], '
        f'"final": {"true" if final else "false"}}}'
    )


def is_taken(handler: ErrorHandler, error: str) -> str:
    """Return an expression: whether a handler takes an error."""
    if ANY in handler.errors:
        return "true"
    return f"{error}.name in {literal([*handler.errors])}"


def path_of(id: str, around: Surroundings) -> str:
    """Return an expression for the path of a node."""
    return literal(id) if around.suffix == '""' else f"({literal(id)} & {around.suffix})"


def returned_by(result: str) -> str:
    """Return an expression for what a function has returned; null for nothing."""
    return f'($exists($lookup({result}, "Payload")) ? $lookup({result}, "Payload") : null)'


def variable_of(id: str) -> str:
    """Return what a variable may be called that belongs to a node."""
    return id.replace("-", "_")


def names_of(block: Block, level: int) -> dict[str, str]:
    """Return the variables for what is readable behind a block."""
    found: dict[str, str] = {}
    for node in block:
        if isinstance(node, Step | AttemptNode):
            found[node.id] = f"$v{level}_{variable_of(node.id)}"
        if not isinstance(node, Each):
            for inner in blocks_of(node):
                found |= names_of(inner, level)
    return found


def lists_of(block: Block, level: int) -> list[str]:
    """Return the variables for what the sagas of a level have done."""
    found = []
    for node in block:
        if isinstance(node, Saga):
            found.append(f"$u{level}_{variable_of(node.id)}")
        if not isinstance(node, Each | Parallel):
            for inner in blocks_of(node):
                found += lists_of(inner, level)
    return found


def reachable(states: dict[str, State], first: str) -> dict[str, State]:
    """Return the states that can be reached, from the first one on."""
    found: dict[str, State] = {}
    left = [first]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = state = states[name]
        following = [state.get("Next"), state.get("Default")]
        following += [each["Next"] for each in state.get("Choices", ())]
        following += [each["Next"] for each in state.get("Catch", ())]
        left += [each for each in reversed(following) if each is not None]
    return found
