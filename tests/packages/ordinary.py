"""An app with a handler of every kind, and the changes that happen to every app.

`CHANGES` has each change that a person makes to an app or to its ``leeward.toml``. None of them may
lose what holds state: it is planned without a loss, or refused with the remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from leeward import App
from leeward_deploy.commands.package import declared_for
from leeward_deploy.recipe import Entry, PackageSpec
from leeward_deploy.settings import read_settings
from tests.packages.exported import ORDERS, PYTHON

THIRD: Final = {"aws": "us-east-2", "azure": "francecentral", "google": "europe-west4"}

NAMES: Final = {kind: kind for kind in ("call", "event", "message", "schedule", "object")}


class Case(NamedTuple):
    """An app and its ``leeward.toml``.

    Attributes:
        names: of the Python functions, by the kind of handler.
        order: of targets.
        deploy: lines of ``[deploy]``.
        sections: the rest of the file.
        without: kinds of handlers that the app does not have.
        home: of the data.
    """

    names: Mapping[str, str] = NAMES
    order: tuple[str, ...] = ()
    deploy: str = ""
    sections: str = ""
    without: tuple[str, ...] = ()
    home: str = ""

    @property
    def text(self) -> str:
        """Return ``leeward.toml``."""
        return (
            f'cloud_provider = "{",".join(self.order)}"\ndata_target = "{self.home}"\n'
            f"{self.sections}[deploy]\nalarms = false\n{self.deploy}"
        )

    def app(self) -> App:
        """Return the app."""
        app = App("ordinary")
        handlers: dict[str, Callable[[Any], Any]] = {
            "call": app.function(name=self.names["call"]),
            "event": app.on_event("orders", "order.created", name=self.names["event"]),
            "message": app.on_message("parcels", name=self.names["message"]),
            "schedule": app.on_schedule("*/5 * * * *", name=self.names["schedule"]),
            "object": app.on_object("scans", prefix="in/", name=self.names["object"]),
        }
        for kind, handler in handlers.items():
            if kind not in self.without:
                handler(_work)
        return app


def _work(given: Any) -> None:
    """Do nothing."""


SECTIONS: Final = """
[functions.parcels]
queue = true
[buses.orders]
[tables.orders]
[tables.mails]
[buckets.scans]
"""


def usual(cloud: str) -> Case:
    """Return the app before any change: in two regions, with its data in the first."""
    order = tuple(ORDERS[cloud].split(","))
    return Case(order=order, sections=SECTIONS, home=order[0])


def _renamed(kind: str) -> Callable[[Case, str], Case]:
    return lambda case, _: case._replace(names={**case.names, kind: f"{kind}-renamed"})


CHANGES: Final[Mapping[str, Callable[[Case, str], Case]]] = {
    "nothing": lambda case, _: case,
    "regions swapped": lambda case, _: case._replace(order=case.order[::-1]),
    "a region added": lambda case, cloud: case._replace(
        order=(*case.order, f"{cloud}:{THIRD[cloud]}")
    ),
    "a region taken out": lambda case, _: case._replace(order=case.order[:1]),
    "a table removed": lambda case, _: case._replace(
        sections=case.sections.replace("[tables.mails]\n", "")
    ),
    "a table added": lambda case, _: case._replace(sections=f"{case.sections}[tables.more]\n"),
    "a bus removed": lambda case, _: case._replace(
        sections=case.sections.replace("[buses.orders]\n", ""),
        without=(*case.without, "event"),
    ),
    "a consumer removed": lambda case, _: case._replace(
        sections=case.sections.replace("[functions.parcels]\nqueue = true\n", ""),
        without=(*case.without, "message"),
    ),
    "settings changed": lambda case, _: case._replace(deploy="memory = 512\nlog_days = 7\n"),
    **{f"a handler of kind {kind} renamed": _renamed(kind) for kind in NAMES},
}
"""What is planned without a loss."""

REFUSALS: Final[Mapping[str, tuple[Callable[[Case, str], Case], str]]] = {
    "a prefix": (
        lambda case, _: case._replace(deploy='prefix = "acme"\n'),
        "the prefix would change .* set deploy.prefix back",
    ),
    "a key changed": (
        lambda case, _: case._replace(
            sections=case.sections.replace("[tables.orders]", '[tables.orders]\nkey = ["a", "b"]')
        ),
        "the key of the table 'orders' would change .* set it back",
    ),
    "another home": (
        lambda case, _: case._replace(home=case.order[1]),
        "the home of the table 'mails' would change .* set it back",
    ),
    "named as existing": (
        lambda case, _: case._replace(deploy='existing = ["tables.mails"]\n'),
        "'mails' was made by this module.* take tables.mails out of deploy.existing",
    ),
}
"""What is refused, and what the refusal says."""


def spec_for(case: Case, cloud: str, config: Any) -> PackageSpec:
    """Return the spec of a case, as the command reads it."""
    return PackageSpec(
        case.app(),
        Entry("m", "a"),
        *PYTHON,
        declared=declared_for(config, next(t for t in config.order if t.provider == cloud)),
        settings=read_settings(config),
    )
