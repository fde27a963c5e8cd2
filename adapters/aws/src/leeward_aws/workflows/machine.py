"""A definition as a state machine in the Amazon States Language, with JSONata.

A level is the machine itself, or a branch or an element of one: states in there cannot assign the
variables outside, so each level has its own, and a branch gives its back in its output. An error is
a value in a variable, and raising it is going to the state that handles it; so inner handlers come
first, and what a saga has done so far is a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.adapter.workflows import (
    AMBIGUOUS,
    DEADLINE,
    INPUT,
    Attempt,
    Block,
    Choose,
    Definition,
    Each,
    Fail,
    Handler,
    Node,
    Parallel,
    Saga,
    Step,
    Stop,
    Wait,
    repeats_ambiguous,
)
from leeward_aws.workflows.calls import Calls
from leeward_aws.workflows.compensation import compensation
from leeward_aws.workflows.errors import name_of_error
from leeward_aws.workflows.jsonata import (
    expression_of,
    field_of,
    holds,
    literal,
    output_of,
    read,
    whole,
)
from leeward_aws.workflows.variables import (
    State,
    Surroundings,
    error_of,
    is_taken,
    lists_of,
    names_of,
    path_of,
    reachable,
    returned_by,
    variable_of,
)


class Machine:
    """Writes one definition.

    Args:
        definition: checked.
        functions: own names of functions, by logical name.
    """

    def __init__(self, definition: Definition, functions: Mapping[str, str]) -> None:
        self._definition = definition
        self._calls = Calls(definition.name, functions)

    def written(self) -> State:
        """Return the state machine."""
        definition = self._definition
        states: dict[str, State] = {}
        begin: dict[str, str] = {"v0_input": whole("$states.input"), "s0": whole('""')}
        names = {INPUT: "$v0_input", **names_of(definition.body, 0)}
        around = Surroundings(0, states, names, '""', None, "failed")
        states["begin"] = {"Type": "Pass"}
        states["begin"]["Next"] = self._block(definition.body, "succeeded", around)
        begin |= self._initial(definition.body, around)
        if definition.timeout is not None:
            begin["deadline"] = whole(f"$millis() + {definition.timeout * 1000}")
        states["begin"]["Assign"] = begin
        states["succeeded"] = {"Type": "Succeed", "Output": whole("null")}
        states["failed"] = {
            "Type": "Fail",
            "Error": whole("$e0.name"),
            "Cause": whole("$string($e0)"),
        }
        return {
            "Comment": f"{definition.name} {definition.digest}",
            "QueryLanguage": "JSONata",
            "StartAt": "begin",
            "States": reachable(states, "begin"),
        }

    def _initial(self, block: Block, around: Surroundings) -> dict[str, Any]:
        """Return the variables of a level, as they are at its start."""
        level = around.level
        return {
            f"e{level}": whole("null"),
            f"g{level}": whole("true" if level == 0 else f"$g{level - 1}"),
            **{name[1:]: whole("null") for name in names_of(block, level).values()},
            **{name[1:]: whole("[]") for name in lists_of(block, level)},
        }

    def _block(self, block: Block, then: str, around: Surroundings) -> str:
        """Write the nodes of a block; return the state to begin with."""
        for node in reversed(block):
            then = self._node(node, then, around)
        return then

    def _node(self, node: Node, then: str, around: Surroundings) -> str:
        match node:
            case Step():
                return self._step(node, then, around)
            case Attempt():
                return self._attempt(node, then, around)
            case Saga():
                return self._saga(node, then, around)
            case Parallel() | Each():
                return self._inside(node, then, around)
            case Choose():
                return self._choose(node, then, around)
            case Wait():
                return self._wait(node, then, around)
            case Stop():
                around.states[node.id] = {
                    "Type": "Succeed",
                    "Output": output_of(node.result, around.names),
                }
            case Fail():
                self._raise(node.id, error_of(literal(node.error)), around)
        return node.id

    def _step(self, step: Step, then: str, around: Surroundings) -> str:
        path = path_of(step.id, around)
        name = around.names[step.id]
        payload = field_of(step.payload, around.names)
        task = self._calls.task(step.function, payload, path, step.timeout, step.retry)
        error = f"($n := {name_of_error()}; {error_of('$n', ambiguous=True)})"
        caught: dict[str, str] = {around.own("e")[1:]: whole(error)}
        assigned: dict[str, str] = {name[1:]: whole(returned_by("$states.result"))}
        if step.undo is not None and around.undo is not None:
            told = expression_of(step.payload, around.names)
            entry = f'{{"id": {literal(step.id)}, "path": {path}, "payload": {told}, "result": '
            done = f"$append({around.undo}, [{entry}{returned_by('$states.result')}}}])"
            maybe = f"$append({around.undo}, [{entry}null}}])"
            if not repeats_ambiguous(step.retry):
                maybe = f"{name_of_error()} in {literal([*AMBIGUOUS])} ? {maybe} : {around.undo}"
            assigned[around.undo[1:]] = whole(done)
            caught[around.undo[1:]] = whole(maybe)
        task |= {"Assign": assigned, "Next": then}
        task["Catch"] = [{"ErrorEquals": ["States.ALL"], "Assign": caught, "Next": around.raising}]
        around.states[step.id] = task
        return self._guarded(step.id, around)

    def _guarded(self, id: str, around: Surroundings) -> str:
        """Put a look at the deadline before a state; return the state to begin with."""
        if self._definition.timeout is None:
            return id
        late = f"{around.own('g')} and $millis() >= $deadline"
        self._raise(f"{id} is late", error_of(literal(DEADLINE), final=True), around)
        around.states[f"{id} in time"] = {
            "Type": "Choice",
            "Choices": [{"Condition": whole(late), "Next": f"{id} is late"}],
            "Default": id,
        }
        return f"{id} in time"

    def _raise(self, state: str, error: str, around: Surroundings) -> None:
        around.states[state] = {
            "Type": "Pass",
            "Assign": {around.own("e")[1:]: whole(error)},
            "Next": around.raising,
        }

    def _attempt(self, node: Attempt, then: str, around: Surroundings) -> str:
        error = around.own("e")
        choices = []
        for number, handler in enumerate(node.handlers):
            state = f"{node.id} on {number}"
            choices.append({"Condition": whole(is_taken(handler, error)), "Next": state})
            self._handler(node, handler, state, then, around)
        around.states[f"{node.id} failed"] = {
            "Type": "Choice",
            "Choices": choices,
            "Default": around.raising,
        }
        return self._block(node.body, then, around._replace(raising=f"{node.id} failed"))

    def _handler(
        self, node: Attempt, handler: Handler, state: str, then: str, around: Surroundings
    ) -> None:
        """Write a handler; behind it the run goes on, or the error does, if it is final."""
        error, name = around.own("e"), around.names[node.id]
        told = f'{{"name": {error}.name, "steps": $lookup({error}, "steps")}}'
        assigned = {name[1:]: whole(told)}
        if self._definition.timeout is not None:
            kept, behind = f"$x{around.level}_{variable_of(node.id)}", f"{state} done"
            guard = around.own("g")
            assigned[kept[1:]] = whole(error)
            assigned[guard[1:]] = whole(f"{error}.final ? false : {guard}")
            self._raise(f"{state} again", kept, around)
            around.states[behind] = {
                "Type": "Choice",
                "Choices": [{"Condition": whole(f"{kept}.final"), "Next": f"{state} again"}],
                "Default": then,
            }
            then, fell = behind, f"{state} fell"
            told = f'$merge([{error}, {{"final": {kept}.final or {error}.final}}])'
            self._raise(fell, told, around)
            entry = self._block(handler.body, then, around._replace(raising=fell))
        else:
            entry = self._block(handler.body, then, around)
        around.states[state] = {"Type": "Pass", "Assign": assigned, "Next": entry}

    def _saga(self, node: Saga, then: str, around: Surroundings) -> str:
        done = f"$u{around.level}_{variable_of(node.id)}"
        if around.undo is not None:
            around.states[f"{node.id} done"] = {
                "Type": "Pass",
                "Assign": {around.undo[1:]: whole(f"$append({around.undo}, {done})")},
                "Next": then,
            }
            then = f"{node.id} done"
        around.states[f"{node.id} undo"] = compensation(node, done, around, self._calls)
        inside = around._replace(undo=done, raising=f"{node.id} undo")
        entry = self._block(node.body, then, inside)
        around.states[f"{node.id} begin"] = {
            "Type": "Pass",
            "Assign": {done[1:]: whole("[]")},
            "Next": entry,
        }
        return f"{node.id} begin"

    def _inside(self, node: Parallel | Each, then: str, around: Surroundings) -> str:
        """Write branches or elements, which end with an error in their output or none."""
        result: str = "$states.result"
        errors = f"$filter({result}, function($r) {{ $type($r.error) = 'object' }})"
        first = f"($c := [{errors}]; $count($c) = 0 ? null : $c[0].error)"
        assigned = {around.own("e")[1:]: whole(first)}
        state: State
        if isinstance(node, Parallel):
            branches = [(each.id, each.body) for each in node.branches]
            machines = [self._level(name, body, around, None) for name, body in branches]
            state = {"Type": "Parallel", "Branches": machines}
            for index, (_, body) in enumerate(branches):
                for name in names_of(body, 0):
                    given = f'$lookup($lookup({result}[{index}], "names"), {literal(name)})'
                    assigned[around.names[name][1:]] = whole(given)
            if around.undo is not None:
                parts = around.undo
                for index in range(len(branches)):
                    parts = f'$append({parts}, $lookup({result}[{index}], "undo"))'
                assigned[around.undo[1:]] = whole(parts)
        else:
            items = read(node.items, around.names)
            state = {
                "Type": "Map",
                "Items": whole(f"($i := {items}; $type($i) = 'array' ? $i : [])"),
                "MaxConcurrency": node.at_once,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    **self._level(node.id, node.body, around._replace(undo=None), node.id),
                },
            }
        around.states[node.id] = {**state, "Assign": assigned, "Next": f"{node.id} ended"}
        around.states[f"{node.id} ended"] = {
            "Type": "Choice",
            "Choices": [
                {"Condition": whole(f"$type({around.own('e')}) = 'object'"), "Next": around.raising}
            ],
            "Default": then,
        }
        return node.id

    def _level(self, name: str, body: Block, outer: Surroundings, element: str | None) -> State:
        """Return the machine of a branch, or of an element, which is then readable by its name."""
        level = outer.level + 1
        states: dict[str, State] = {}
        names = {**outer.names, **names_of(body, level)}
        begin: dict[str, Any] = {}
        suffix = outer.suffix
        if element is not None:
            names[element] = f"$v{level}_{variable_of(element)}"
            begin[names[element][1:]] = whole("$states.input")
            index = "$string($states.context.Map.Item.Index)"
            begin[f"s{level}"] = whole(f'{outer.suffix} & "/" & {index}')
            suffix = f"$s{level}"
        undo = None if outer.undo is None else f"$u{level}_{variable_of(name)}"
        around = Surroundings(level, states, names, suffix, undo, f"{name} failed")
        begin |= self._initial(body, around)
        if undo is not None:
            begin[undo[1:]] = whole("[]")
        own = [f"{literal(each)}: {names[each]}" for each in names_of(body, level)]
        given = f'"names": {{{", ".join(own)}}}, "undo": {undo or "[]"}'
        error = around.own("e")
        for state, told in ((f"{name} ended", "null"), (f"{name} failed", error)):
            output = whole(f'{{"error": {told}, {given}}}')
            states[state] = {"Type": "Succeed", "Output": output}
        if element is not None:
            # The state behind a map has that name too, and names are unique in the whole machine.
            states[f"{name} element ended"] = states.pop(f"{name} ended")
            states[f"{name} element failed"] = states.pop(f"{name} failed")
            around = around._replace(raising=f"{name} element failed")
        then = f"{name} element ended" if element is not None else f"{name} ended"
        entry = self._block(body, then, around)
        first = f"{name} begin" if element is None else f"{name} element begin"
        states[first] = {"Type": "Pass", "Assign": begin, "Next": entry}
        return {"StartAt": first, "States": reachable(states, first)}

    def _choose(self, node: Choose, then: str, around: Surroundings) -> str:
        choices = [
            {
                "Condition": whole(holds(case.when, around.names)),
                "Next": self._block(case.body, then, around),
            }
            for case in node.cases
        ]
        around.states[node.id] = {
            "Type": "Choice",
            "Choices": choices,
            "Default": self._block(node.otherwise, then, around),
        }
        return node.id

    def _wait(self, node: Wait, then: str, around: Surroundings) -> str:
        seconds: Any = node.seconds
        if self._definition.timeout is not None:
            left = "$ceil(($deadline - $millis()) / 1000)"
            shorter = f"$max([0, $min([{node.seconds}, {left}])])"
            seconds = whole(f"{around.own('g')} ? {shorter} : {node.seconds}")
            late = f"{around.own('g')} and $millis() >= $deadline"
            around.states[f"{node.id} ended"] = {
                "Type": "Choice",
                "Choices": [{"Condition": whole(late), "Next": f"{node.id} is late"}],
                "Default": then,
            }
            then = f"{node.id} ended"
        around.states[node.id] = {"Type": "Wait", "Seconds": seconds, "Next": then}
        return self._guarded(node.id, around)
