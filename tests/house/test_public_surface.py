from __future__ import annotations

import leeward

PUBLIC = [
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
"""Adding a name is a promise to keep it; taking one away breaks somebody."""


def test_the_public_names_are_these() -> None:
    """`leeward.__all__` holds the promised names, sorted, and nothing else."""
    assert leeward.__all__ == PUBLIC


def test_every_public_name_is_there() -> None:
    """Each promised name can be taken from `leeward`, and `dir` shows it."""
    assert [name for name in PUBLIC if getattr(leeward, name).__name__ != name] == []
    assert set(PUBLIC) <= set(dir(leeward))
