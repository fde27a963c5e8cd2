"""A definition as a state machine in the Amazon States Language, with JSONata.

A level is the machine itself, or a branch or an element of one: states in there cannot assign the
variables outside, so each level has its own, and a branch gives its back in its output. An error is
a value in a variable, and raising it is going to the state that handles it; so inner handlers come
first, and what a saga has done so far is a list of ids: the variables have the rest.

Step Functions ends an execution whose data or history is too large, and then takes nothing back. So
a machine looks before: at a payload before the step, at the results of a branch behind each step,
and at the number of elements before the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.errors import ConfigError
from leeward.workflow.kernel import repeats_ambiguous
from leeward.workflow.model import (
    AMBIGUOUS,
    DEADLINE,
    INPUT,
    REFUSED,
    TOO_LARGE,
    AttemptNode,
    Block,
    Choose,
    Definition,
    Each,
    ErrorHandler,
    Fail,
    Node,
    Parallel,
    Saga,
    Step,
    Stop,
    Wait,
    blocks_of,
)
from leeward_deploy.aws.flows.jsonata import (
    LARGEST,
    field_of,
    holds,
    literal,
    output_of,
    read,
    size_of,
    unfit,
    unsure,
    whole,
)
from leeward_deploy.aws.flows.questions import SettledStep
from leeward_deploy.aws.flows.states import (
    HISTORY,
    LambdaCalls,
    OuterHandler,
    State,
    StateScope,
    assignment,
    choice,
    compensation,
    error_of,
    events_of,
    is_taken,
    lists_of,
    name_of_error,
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
        self._calls = LambdaCalls(definition.name, functions)
        self._share = HISTORY
        """Events of the history that one `each` may take, with everything in it."""
        self._loops: dict[str, int] = {}
        """By state, the events of the loop that it begins."""

    def document(self) -> State:
        """Return the state machine.

        Raises:
            ConfigError: a run of it can take more events than Step Functions keeps.
        """
        lists = _lists_in(self._definition.body)
        events = events_of(self._machine()["States"], "begin", self._loops)
        left = HISTORY - events
        if left < 0:
            raise ConfigError(
                f"a run of the workflow {self._definition.name!r} can take {events} events with "
                f"all its attempts, and Step Functions keeps {HISTORY}; lower `attempts`, or make "
                "two workflows"
            )
        self._share = left // max(lists, 1)
        return self._machine()

    def _machine(self) -> State:
        definition = self._definition
        states: dict[str, State] = {}
        begin: dict[str, str] = {"v0_input": whole("$states.input"), "s0": whole('""')}
        names = {INPUT: "$v0_input", **names_of(definition.body, 0)}
        around = StateScope(0, states, names, '""', None, "failed", None, str(self._share))
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

    def _initial(self, block: Block, around: StateScope) -> dict[str, Any]:
        """Return the variables of a level, as they are at its start."""
        level = around.level
        return {
            f"e{level}": whole("null"),
            f"g{level}": whole("true" if level == 0 else f"$g{level - 1}"),
            **{name[1:]: whole("null") for name in names_of(block, level).values()},
            **{name[1:]: whole("[]") for name in lists_of(block, level)},
        }

    def _block(self, block: Block, then: str, around: StateScope) -> str:
        """Write the nodes of a block; return the state to begin with."""
        for node in reversed(block):
            then = self._node(node, then, around)
        return then

    def _node(self, node: Node, then: str, around: StateScope) -> str:
        match node:
            case Step():
                return self._step(node, then, around)
            case AttemptNode():
                return self._attempt(node, then, around)
            case Saga():
                return self._saga(node, then, around)
            case Parallel():
                return self._parallel(node, then, around)
            case Each():
                return self._each(node, then, around)
            case Choose():
                return self._choose(node, then, around)
            case Wait():
                return self._wait(node, then, around)
            case Stop():
                return self._stop(node, around)
            case Fail():
                self._raise(node.id, error_of(literal(node.error)), around)
        return node.id

    def _stop(self, node: Stop, around: StateScope) -> str:
        """Write an end of the run; behind a final error, it is the end of its handler only."""
        output = output_of(node.result, around.names)
        around.states[node.id] = {"Type": "Succeed", "Output": output}
        too_large = unfit(node.result, around.names, as_payload=False)
        entry = self._guard(node.id, around, too_large, TOO_LARGE, in_time=False)
        choices = []
        for number, handler in enumerate(reversed(around.handlers)):
            following, inside = handler.again, around.sagas[handler.sagas :]
            if handler.undo is not None and inside:
                # What the sagas inside the handler have done is left to the saga around it.
                done = handler.undo
                for each in inside:
                    done = f"$append({done}, {each})"
                following = f"{node.id} leaves {number}"
                left = {handler.undo: whole(done)}
                around.states[following] = assignment(left, handler.again)
            choices.append((f"{handler.error}.final", following))
        if not choices:
            return entry
        around.states[f"{node.id} of which"] = choice(*choices, default=entry)
        return f"{node.id} of which"

    def _step(self, step: Step, then: str, around: StateScope) -> str:
        path = path_of(step.id, around)
        name = around.names[step.id]
        payload = field_of(step.payload, around.names)
        if step.settle:
            return self._settled_step(step, payload, then, around)
        task = self._calls.task(step.function, payload, path, step.timeout, step.retry)
        error = f"($n := {name_of_error()}; {error_of('$n', ambiguous=True)})"
        caught: dict[str, str] = {around.own("e")[1:]: whole(error)}
        assigned: dict[str, str] = {name[1:]: whole(returned_by("$states.result"))}
        refused: dict[str, str] = {}
        if step.undo is not None and around.undo is not None:
            done = f"$append({around.undo}, [{literal(step.id)}])"
            maybe = done
            if repeats_ambiguous(step.retry):
                refused[around.undo[1:]] = whole(done)
            else:
                maybe = f"{name_of_error()} in {literal([*AMBIGUOUS])} ? {done} : {around.undo}"
            assigned[around.undo[1:]] = whole(done)
            caught[around.undo[1:]] = whole(maybe)
        if around.most is not None:
            kept = around.own("n")
            assigned[kept[1:]] = whole(f"{kept} + {size_of(returned_by('$states.result'))}")
            then = self._check_results(step.id, name, then, around)
        task |= {"Assign": assigned, "Next": then}
        task["Catch"] = [{"ErrorEquals": ["States.ALL"], "Assign": caught, "Next": around.raising}]
        around.states[step.id] = task
        too_large = unfit(step.payload, around.names, as_payload=True)
        return self._guard(step.id, around, too_large, REFUSED, refused)

    def _settled_step(self, step: Step, payload: Any, then: str, around: StateScope) -> str:
        """Write a step whose function is asked what became of it."""
        path, name = path_of(step.id, around), around.names[step.id]
        done = None
        if step.undo is not None and around.undo is not None:
            done = f"$append({around.undo}, [{literal(step.id)}])"
        value = {name[1:]: "$r"}
        if around.most is not None:
            kept = around.own("n")
            value[kept[1:]] = f"{kept} + {size_of('$r')}"
            then = self._check_results(step.id, name, then, around)
        written = SettledStep(step, path, payload, done, around, self._calls)
        loop = written.write(value, then)
        inside = ("missed", "pause", "settle", "settled", "waits")
        self._loops |= dict.fromkeys((f"{step.id} {each}" for each in inside), 0)
        self._loops[step.id] = loop
        too_large = unfit(step.payload, around.names, as_payload=True)
        return self._guard(step.id, around, too_large, REFUSED, first=f"{step.id} begins")

    def _check_results(self, id: str, name: str, then: str, around: StateScope) -> str:
        """Write a look at the results of a branch, which are one output; return its state."""
        kept = around.own("n")
        error = error_of(literal(TOO_LARGE))
        self._raise(f"{id} is too large", error, around, {name[1:]: whole("null")})
        too_large = (f"{kept} > {around.most}", f"{id} is too large")
        around.states[f"{id} is kept"] = choice(too_large, default=then)
        return f"{id} is kept"

    def _guard(
        self,
        id: str,
        around: StateScope,
        too_large: str | None = None,
        refusal: str = "",
        refused: Mapping[str, str] | None = None,
        *,
        in_time: bool = True,
        first: str = "",
    ) -> str:
        """Put a look at the deadline, and at the data, before a state; return what comes first."""
        choices, first = [], first or id
        if in_time and self._definition.timeout is not None:
            late = f"{around.own('g')} and $millis() >= $deadline"
            self._raise(f"{id} is late", error_of(literal(DEADLINE), final=True), around)
            choices.append((late, f"{id} is late"))
        if too_large is not None:
            self._raise(f"{id} is refused", error_of(literal(refusal)), around, refused)
            choices.append((too_large, f"{id} is refused"))
        if not choices:
            return first
        around.states[f"{id} in time"] = choice(*choices, default=first)
        return f"{id} in time"

    def _raise(
        self, state: str, error: str, around: StateScope, more: Mapping[str, str] | None = None
    ) -> None:
        values = {around.own("e"): whole(error), **(more or {})}
        around.states[state] = assignment(values, around.raising)

    def _attempt(self, node: AttemptNode, then: str, around: StateScope) -> str:
        error = around.own("e")
        choices = []
        for number, handler in enumerate(node.handlers):
            state = f"{node.id} on {number}"
            choices.append((is_taken(handler, error), state))
            self._handler(node, handler, state, then, around)
        around.states[f"{node.id} failed"] = choice(*choices, default=around.raising)
        return self._block(node.body, then, around._replace(raising=f"{node.id} failed"))

    def _handler(
        self, node: AttemptNode, handler: ErrorHandler, state: str, then: str, around: StateScope
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
            around.states[behind] = choice((f"{kept}.final", f"{state} again"), default=then)
            then, fell = behind, f"{state} fell"
            told = f'$merge([{error}, {{"final": {kept}.final or {error}.final}}])'
            self._raise(fell, told, around)
            this = OuterHandler(kept, f"{state} again", around.undo, len(around.sagas))
            inside = around._replace(raising=fell, handlers=(*around.handlers, this))
            entry = self._block(handler.body, then, inside)
        else:
            entry = self._block(handler.body, then, around)
        around.states[state] = assignment(assigned, entry)

    def _saga(self, node: Saga, then: str, around: StateScope) -> str:
        done = f"$u{around.level}_{variable_of(node.id)}"
        if around.undo is not None:
            both = {around.undo: whole(f"$append({around.undo}, {done})")}
            around.states[f"{node.id} done"] = assignment(both, then)
            then = f"{node.id} done"
        around.states[f"{node.id} undo"] = compensation(node, done, around, self._calls)
        inside = around._replace(undo=done, raising=f"{node.id} undo", sagas=(*around.sagas, done))
        entry = self._block(node.body, then, inside)
        around.states[f"{node.id} begin"] = assignment({done: whole("[]")}, entry)
        return f"{node.id} begin"

    def _parallel(self, node: Parallel, then: str, around: StateScope) -> str:
        """Write branches, which end with an error in their output or none."""
        count = len(node.branches)
        room = str(LARGEST) if around.most is None else f"({around.most} - {around.own('n')})"
        share = f"$floor({room} / {count})"
        branches = [self._branch(each.id, each.body, around, share) for each in node.branches]
        result = "$states.result"
        assigned = {}
        if around.most is not None:
            kept = around.own("n")
            assigned[kept[1:]] = whole(f"{kept} + {size_of(f'{result}.names')}")
        for index, branch in enumerate(node.branches):
            for name in names_of(branch.body, 0):
                given = f'$lookup($lookup({result}[{index}], "names"), {literal(name)})'
                assigned[around.names[name][1:]] = whole(given)
        if around.undo is not None:
            parts = around.undo
            for index in range(count):
                parts = f'$append({parts}, $lookup({result}[{index}], "undo"))'
            assigned[around.undo[1:]] = whole(parts)
        state = {"Type": "Parallel", "Branches": branches, "Assign": assigned}
        return self._catch_inside(node.id, state, then, around)

    def _each(self, node: Each, then: str, around: StateScope) -> str:
        """Write the machine of an element, and a look at how many there are."""
        items = f"($i := {read(node.items, around.names)}; $type($i) = 'array' ? $i : [])"
        machine = self._element(node, around, items)
        events = events_of(machine["States"], machine["StartAt"], self._loops) + 2
        state = {
            "Type": "Map",
            "Items": whole(items),
            "MaxConcurrency": node.at_once,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **machine},
            "Assign": {},
        }
        entry = self._catch_inside(node.id, state, then, around)
        self._raise(f"{node.id} is too long", error_of(literal(TOO_LARGE)), around)
        too_long = f"$count({items}) > $floor({around.share} / {events})"
        around.states[f"{node.id} fits"] = choice(
            (too_long, f"{node.id} is too long"), default=entry
        )
        return f"{node.id} fits"

    def _catch_inside(self, id: str, state: State, then: str, around: StateScope) -> str:
        """Write the state that raises the first error of branches or elements."""
        error = around.own("e")
        errors = "$filter($states.result, function($r) { $type($r.error) = 'object' })"
        state["Assign"][error[1:]] = whole(
            f"($c := [{errors}]; $count($c) = 0 ? null : $c[0].error)"
        )
        around.states[id] = {**state, "Next": f"{id} ended"}
        failed = (f"$type({error}) = 'object'", around.raising)
        around.states[f"{id} ended"] = choice(failed, default=then)
        return id

    def _branch(self, name: str, body: Block, outer: StateScope, share: str) -> State:
        """Return the machine of a branch, whose output has what is readable behind it.

        Args:
            name: of the branch.
            body: of it.
            outer: what is around the branches.
            share: expression for the bytes that its results may have.
        """
        level = outer.level + 1
        undo = None if outer.undo is None else f"$u{level}_{variable_of(name)}"
        names = {**outer.names, **names_of(body, level)}
        own = [f"{literal(each)}: {names[each]}" for each in names_of(body, level)]
        given = f'"names": {{{", ".join(own)}}}, "undo": {undo or "[]"}'
        around = outer._replace(
            level=level, states={}, names=names, undo=undo, raising=f"{name} failed"
        )
        around = around._replace(most=around.own("m"))
        begin = {f"n{level}": whole("0"), f"m{level}": whole(share)}
        if undo is not None:
            begin[undo[1:]] = whole("[]")
        return self._level(name, body, around, begin, given)

    def _element(self, node: Each, outer: StateScope, items: str) -> State:
        """Return the machine of an element, which is readable by the name of the block."""
        level = outer.level + 1
        element = f"$v{level}_{variable_of(node.id)}"
        names = {**outer.names, **names_of(node.body, level), node.id: element}
        index = "$string($states.context.Map.Item.Index)"
        around = outer._replace(
            level=level,
            states={},
            names=names,
            suffix=f"$s{level}",
            undo=None,
            raising=f"{node.id} element failed",
            most=None,
            share=f"$h{level}",
        )
        begin = {
            element[1:]: whole("$states.input"),
            f"s{level}": whole(f'{outer.suffix} & "/" & {index}'),
        }
        if _lists_in(node.body):
            begin[f"h{level}"] = whole(f"$floor({outer.share} / $count({items}))")
        # The state behind a map has the block's name too, and names are unique in a machine.
        return self._level(f"{node.id} element", node.body, around, begin, None)

    def _level(
        self, name: str, body: Block, around: StateScope, begin: State, given: str | None
    ) -> State:
        """Return the machine of a level, whose output has its error, and what is given out."""
        for state, error in ((f"{name} ended", "null"), (f"{name} failed", around.own("e"))):
            output = f'"error": {error}' + ("" if given is None else f", {given}")
            around.states[state] = {"Type": "Succeed", "Output": whole(f"{{{output}}}")}
        entry = self._block(body, f"{name} ended", around)
        first = f"{name} begin"
        assigned = {**begin, **self._initial(body, around)}
        around.states[first] = assignment(assigned, entry)
        return {"StartAt": first, "States": reachable(around.states, first)}

    def _choose(self, node: Choose, then: str, around: StateScope) -> str:
        choices = [
            (holds(case.when, around.names), self._block(case.body, then, around))
            for case in node.cases
        ]
        in_doubt = unsure([case.when for case in node.cases], around.names)
        if in_doubt is not None:
            self._raise(f"{node.id} is refused", error_of(literal(REFUSED)), around)
            choices.insert(0, (in_doubt, f"{node.id} is refused"))
        otherwise = self._block(node.otherwise, then, around)
        around.states[node.id] = choice(*choices, default=otherwise)
        return node.id

    def _wait(self, node: Wait, then: str, around: StateScope) -> str:
        seconds: Any = node.seconds
        if self._definition.timeout is not None:
            left = "$ceil(($deadline - $millis()) / 1000)"
            shorter = f"$max([0, $min([{node.seconds}, {left}])])"
            seconds = whole(f"{around.own('g')} ? {shorter} : {node.seconds}")
            late = f"{around.own('g')} and $millis() >= $deadline"
            around.states[f"{node.id} ended"] = choice((late, f"{node.id} is late"), default=then)
            then = f"{node.id} ended"
        around.states[node.id] = {"Type": "Wait", "Seconds": seconds, "Next": then}
        return self._guard(node.id, around)


def _lists_in(block: Block) -> int:
    """Return how many `each` a block has that are in no other one."""
    return sum(
        1 if isinstance(node, Each) else sum(map(_lists_in, blocks_of(node))) for node in block
    )
