"""Functions that are configured, and that no target of the order can have."""

from __future__ import annotations

from leeward.cli.output.json_view import JsonObject
from leeward.config import Config, TargetName
from leeward.config.model import Names
from leeward.local.config import listed_functions
from leeward.opening import target_config
from leeward.values import NOTHING


def unknown_functions(config: Config) -> list[JsonObject]:
    """Return name and remedy of each. What a cloud has, the file does not say: it may have any."""
    listed = [(target, _listed(target, config)) for target in config.order]
    return [
        {"name": name, "remedy": _remedy(name, config)}
        for name, each in config.functions.items()
        if all(
            own is not None and _own_name(target, each.names, name) not in own
            for target, own in listed
        )
    ]


def _listed(target: TargetName, config: Config) -> frozenset[str] | None:
    if target.provider != "local":
        return None
    return listed_functions(target_config(target, config, NOTHING))


def _own_name(target: TargetName, names: Names, logical: str) -> str:
    return names.get(str(target), names.get(target.provider, logical))


def _remedy(name: str, config: Config) -> str:
    from difflib import get_close_matches

    known = {each for target in config.order for each in _listed(target, config) or ()}
    near = get_close_matches(name, sorted(known - config.functions.keys()), n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "no target has it: correct the name, add it to the functions of a target, or remove it"
