"""What an adapter author implements: `Driver`, with the calls that are put to it.

A driver is dumb on purpose. `leeward.Client` has validated every argument, minted every id and
checked every limit before a driver sees a call; the router owns retries, failover and the
deadline. A driver makes **one** attempt and says how it ended.

The modules beside this one are the kit for drivers that are made of plans, `leeward.adapter.plans`.
"""

from __future__ import annotations

from leeward.adapter.capabilities import (
    NO_NETWORK,
    NO_PLACE,
    NONE_MISSING,
    TOO_LARGE,
    UNMARKED,
    UNMARKED_REFUSAL,
    Capability,
    Limits,
)
from leeward.adapter.driver import Driver
from leeward.adapter.target import Opener, TargetConfig
from leeward.adapter.wrapper import WrappingDriver
from leeward.calls import (
    AttemptTime,
    Call,
    Delete,
    Enqueue,
    FunctionFault,
    Invoke,
    Key,
    Load,
    Page,
    Publish,
    Result,
    Scan,
    Store,
    Stored,
    StoreMany,
)

__all__ = [
    "NONE_MISSING",
    "NO_NETWORK",
    "NO_PLACE",
    "TOO_LARGE",
    "UNMARKED",
    "UNMARKED_REFUSAL",
    "AttemptTime",
    "Call",
    "Capability",
    "Delete",
    "Driver",
    "Enqueue",
    "FunctionFault",
    "Invoke",
    "Key",
    "Limits",
    "Load",
    "Opener",
    "Page",
    "Publish",
    "Result",
    "Scan",
    "Store",
    "StoreMany",
    "Stored",
    "TargetConfig",
    "WrappingDriver",
]
