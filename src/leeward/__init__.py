"""leeward: your serverless calls, on whichever cloud is up.

```python
from leeward import Client

with Client() as cloud:
    cloud.store_data("orders", {"id": "42"})
    cloud.publish_event("orders", "order.created", {"id": "42"})
    print(cloud.invoke("send-receipt", {"order": "42"}).value)
```

Names load on first use, so importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leeward._operations.downloads import AsyncObjectReader, ObjectReader
    from leeward.aio import AsyncClient
    from leeward.app import App, Context
    from leeward.client import Client
    from leeward.config import Config
    from leeward.errors import (
        AllTargetsUnavailable,
        Attempt,
        AuthError,
        CallError,
        ConfigError,
        Conflict,
        DedupUnavailable,
        FunctionError,
        HomeUnavailable,
        InvalidRequest,
        LeewardError,
        NotFound,
        Outcome,
        OutcomeUnknown,
        Overloaded,
        PayloadTooLarge,
        SpoolFull,
        TargetUnavailable,
        TargetUnusable,
        Throttled,
        Unsupported,
        ValidationError,
    )
    from leeward.evidence import explain_ran, ran
    from leeward.values import (
        Effect,
        Event,
        InvokeResult,
        ItemPage,
        Promise,
        PublishEntry,
        PublishReceipt,
        PublishReport,
        Receipt,
        Record,
        StoreReceipt,
        TargetStatus,
    )
    from leeward.values.objects import ObjectInfo, ObjectPage
    from leeward.values.settled import Settled, Verdict
    from leeward.version import __version__ as __version__

__all__ = [
    "AllTargetsUnavailable",
    "App",
    "AsyncClient",
    "AsyncObjectReader",
    "Attempt",
    "AuthError",
    "CallError",
    "Client",
    "Config",
    "ConfigError",
    "Conflict",
    "Context",
    "DedupUnavailable",
    "Effect",
    "Event",
    "FunctionError",
    "HomeUnavailable",
    "InvalidRequest",
    "InvokeResult",
    "ItemPage",
    "LeewardError",
    "NotFound",
    "ObjectInfo",
    "ObjectPage",
    "ObjectReader",
    "Outcome",
    "OutcomeUnknown",
    "Overloaded",
    "PayloadTooLarge",
    "Promise",
    "PublishEntry",
    "PublishReceipt",
    "PublishReport",
    "Receipt",
    "Record",
    "Settled",
    "SpoolFull",
    "StoreReceipt",
    "TargetStatus",
    "TargetUnavailable",
    "TargetUnusable",
    "Throttled",
    "Unsupported",
    "ValidationError",
    "Verdict",
    "explain_ran",
    "ran",
]

_MODULES = {
    "App": "leeward.app",
    "AsyncClient": "leeward.aio",
    "AsyncObjectReader": "leeward._operations.downloads",
    "Client": "leeward.client",
    "Config": "leeward.config",
    "Context": "leeward.app",
    "ObjectInfo": "leeward.values.objects",
    "ObjectPage": "leeward.values.objects",
    "ObjectReader": "leeward._operations.downloads",
    "Settled": "leeward.values.settled",
    "Verdict": "leeward.values.settled",
    "__version__": "leeward.version",
    "explain_ran": "leeward.evidence",
    "ran": "leeward.evidence",
}
_VALUES = (
    "Effect Event InvokeResult ItemPage Promise PublishEntry PublishReceipt PublishReport Receipt "
    "Record StoreReceipt TargetStatus"
).split()


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    if name not in __all__ and name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    default = "leeward.values" if name in _VALUES else "leeward.errors"
    value: object = getattr(import_module(_MODULES.get(name, default)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return [*__all__, "__version__"]
