"""Runtimes by name: what the entry points ``leeward.runtimes`` of installed adapters offer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, cast

from leeward.entrypoints import all_entry_points, entry_points
from leeward.errors import ConfigError
from leeward.logs import import_flaw
from leeward.masking import show_data
from leeward.records import NamedTuple
from leeward.values import Json

if TYPE_CHECKING:
    from leeward.app.handlers import Handler
    from leeward.app.triggers import Delivery

GROUP: Final = "leeward.runtimes"
TRIALS: Final = "leeward.trials"  # the same runtimes without their platforms, for tests

Runtime: TypeAlias = Callable[..., Any]
"""Takes an `App` and options of its own; returns what the platform calls."""


def runtime_of(platform: str, group: str = GROUP) -> Runtime:
    """Load the runtime of `platform`, or what an adapter offers for it in another `group`.

    Raises:
        ConfigError: no installed package offers it, several do, or it cannot be loaded.
    """
    points = [point for point in entry_points(group) if point.name == platform]
    points = points or [point for point in all_entry_points(group) if point.name == platform]
    if not points:
        names = sorted({point.name for point in all_entry_points(group)})
        raise ConfigError(
            f"no installed adapter has a runtime {platform!r}; "
            f"known here: {', '.join(names) or 'none'}; install the adapter of that name"
        )
    if len(points) > 1:
        packages = ", ".join(sorted(point.distribution for point in points))
        raise ConfigError(f"several packages offer the runtime {platform!r} ({packages})")
    try:
        runtime: Any = points[0].load()
    except ImportError as error:
        raise ConfigError(
            f"the runtime {platform!r} ({points[0].value}) cannot be loaded "
            f"({import_flaw(error)}); install or update what it needs"
        ) from error
    return cast("Runtime", runtime)


def check_options(platform: str, names: Iterable[str], where: str) -> None:
    """Check that the runtime of `platform` has options of these names; `where` gives them."""
    from inspect import signature

    parameters = signature(runtime_of(platform)).parameters.values()
    options = sorted(name.name for name in parameters if name.kind is name.KEYWORD_ONLY)
    for name in names:
        if name not in options:
            raise ConfigError(
                f"{where}: the runtime of {platform} has no option {name!r}; "
                f"known: {', '.join(options)}"
            )


@show_data("error_type again")
class Ran(NamedTuple):
    """The result of a run, as the platform would see it.

    Attributes:
        value: of a call, what was returned.
        error_type: class of the failure; None for a success.
        error_message: what the caller may read of it.
        again: the platform would deliver it again.
    """

    value: Json = None
    error_type: str | None = None
    error_message: str | None = None
    again: bool = False

    @property
    def failed(self) -> bool:
        """Return whether it has failed."""
        return self.error_type is not None or self.again


class Trial(Protocol):
    """A runtime without its platform, which an adapter has for tests."""

    def run(self, handler: Handler, delivery: Delivery) -> Ran:
        """Write a delivery in the platform's own form, run it, and read the answer."""
