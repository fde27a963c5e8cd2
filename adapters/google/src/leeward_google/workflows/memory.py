"""How large the results of a run may be: Google Workflows has 512 KiB for all variables together.

An execution that takes more is ended by Workflows, and nothing is taken back. So a source counts
the bytes of its results, and how many it may keep depends on how often a definition copies them.

Source: the quotas of Workflows, "memory limit".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leeward.errors import ConfigError
from leeward.workflow.kit import INPUT, Definition, Reference, Step, Stop, most, nodes

MEMORY: Final = 512 * 1024
"""Bytes of all variables of an execution."""
OVERHEAD: Final = 32 * 1024
"""Bytes that are left for what is beside the data of the flow: keys, lists of ids, errors."""


def most_results(definition: Definition) -> int:
    """Return the bytes that all results of a run may have.

    Raises:
        ConfigError: a payload has its parts so often that nothing is left for results.
    """
    worst, where, given, copies = most("results"), definition.name, 0, 1
    for node in nodes(definition.body):
        if isinstance(node, Step | Stop):
            times = _times(node.payload if isinstance(node, Step) else node.result)
            # Beside the payload, an undo gets the result of its step.
            of_results = max([0, *(count for name, count in times.items() if name != INPUT)])
            undo = 1 if isinstance(node, Step) and node.undo is not None else 0
            room = MEMORY - OVERHEAD - most("input") * (1 + times[INPUT])
            left = room // (1 + max(of_results, undo))
            if left < worst:
                worst, where, given, copies = left, node.id, times[INPUT], max(of_results, undo)
    if worst < 1024:
        raise ConfigError(
            f"{where}: its payload has the input {given} times and a result {copies} times, and "
            f"Google Workflows has {MEMORY} bytes for all variables: the input alone may have "
            f"{most('input')}; pass each of them once"
        )
    return worst


def _times(template: Any) -> Counter[str]:
    """Return how often a template has the value of each name; of two fields of one, the larger."""
    whole: Counter[str] = Counter()
    fields: Counter[tuple[str, str]] = Counter()
    for reference in _references(template):
        if reference.path:
            fields[reference.name, reference.path[0]] += 2  # a variable of its own, and the payload
        else:
            whole[reference.name] += 1
    parts: Counter[str] = Counter()
    for (name, _), count in fields.items():
        parts[name] = max(parts[name], count)
    return whole + parts


def _references(template: Any) -> Iterator[Reference]:
    if isinstance(template, Reference):
        yield template
    elif isinstance(template, Mapping | tuple):
        for each in template.values() if isinstance(template, Mapping) else template:
            yield from _references(each)
