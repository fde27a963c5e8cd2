"""Workflows: one definition, run embedded and durably, or by an engine of a cloud's own.

```python
from leeward.workflow import ANY, Flow, Ref, Retry, workflow


@workflow("order", timeout="24h")
def order_flow(w: Flow, order: Ref) -> None:
    with w.saga("booking"):
        payment = w.step("take-payment", order, undo="refund-payment", effect="keyed")
        w.step("ship-order", {"order": order, "payment": payment})
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leeward.workflow.flow import Flow, workflow
    from leeward.workflow.model import ANY, Definition
    from leeward.workflow.reading import read_definition
    from leeward.workflow.retry import Retry
    from leeward.workflow.symbols import Ref

__all__ = ["ANY", "Definition", "Flow", "Ref", "Retry", "read_definition", "workflow"]

_MODULES = {
    "ANY": "leeward.workflow.model",
    "Definition": "leeward.workflow.model",
    "Flow": "leeward.workflow.flow",
    "Ref": "leeward.workflow.symbols",
    "Retry": "leeward.workflow.retry",
    "read_definition": "leeward.workflow.reading",
    "workflow": "leeward.workflow.flow",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
