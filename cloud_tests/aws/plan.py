"""What will be created: names that no other run has, and a text about them for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cloud_tests.aws.account import Account
from cloud_tests.aws.policies import PREFIX
from cloud_tests.deployed.contract import MEMORY
from cloud_tests.deployed.package import TABLE
from leeward import Config
from leeward.config import BusConfig, FunctionConfig, TableConfig, TargetName
from leeward_contract_tests.fixtures import COUNT, ECHO, EVENTS, FAIL, ITEMS, PAIR, PAIRS, SEEN

REMEMBER: Final = "contract-remember"
"""The function that hears the bus."""

FUNCTIONS: Final = (ECHO, FAIL, COUNT, SEEN, REMEMBER)
"""Logical names; the handlers of the app are called the same."""

TABLES: Final[dict[str, Sequence[str]]] = {ITEMS: ("id",), PAIRS: PAIR, MEMORY: TABLE}
"""Logical name to the attributes of the key."""


class Plan(NamedTuple):
    """The names of one run; `run` is what tells it from any other."""

    run: str

    @property
    def prefix(self) -> str:
        """Return what all the names begin with, which is also the value of the tag."""
        return f"{PREFIX}{self.run}"

    def own(self, logical: str) -> str:
        """Return the name on AWS of what the contract calls `logical`."""
        return f"{self.prefix}-{logical.removeprefix('contract-')}"

    def config(self, region: str) -> Config:
        """Return leeward's configuration, which says what is called what on AWS."""

        def names(logical: str) -> dict[str, str]:
            return {"aws": self.own(logical)}

        return Config(
            order=(TargetName("aws", region),),
            functions={each: FunctionConfig(names=names(each)) for each in FUNCTIONS},
            buses={EVENTS: BusConfig(names=names(EVENTS))},
            tables={each: TableConfig(names=names(each)) for each in TABLES},
        )

    def text(self, account: Account) -> str:
        """Return what will be created and where, as a text for the user."""
        functions, tables = (", ".join(map(self.own, each)) for each in (FUNCTIONS, TABLES))
        return (
            f"AWS account {account.number}, region {account.region}. About to be created:\n"
            f"  DynamoDB tables (on demand): {tables}\n"
            f"  Lambda functions: {functions}\n"
            f"    with the role {account.role}\n"
            f"  EventBridge bus, with a rule of the same name: {self.own(EVENTS)}\n"
            f"All of it has the tag {PREFIX.rstrip('-')}={self.prefix}, and is removed at the end."
        )
