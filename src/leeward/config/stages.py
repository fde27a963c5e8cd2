"""Stages: what of a ``leeward.toml`` differs between test and production.

``[stage.prod]`` holds keys of the same file, which are laid over the others where that stage is
chosen: tables are merged, everything else is replaced. That happens before anything is checked, so
each key has the type and the errors that it has without a stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from leeward.config.model import Config, ConfigKey
from leeward.config.sections import read_sections
from leeward.errors import ConfigError
from leeward.text import did_you_mean

SECTION: Final = "stage"


def read_document(document: Mapping[str, Any], file: str, stage: str | None) -> Config:
    """Check a parsed file, and return what it configures in a stage.

    Raises:
        ConfigError: something in it is wrong.
    """
    if SECTION not in document:
        return read_sections(document, file)
    stage = choose_stage(document, stage)
    whole = lay_over(document, stage, file)
    try:
        return read_sections(whole, file)
    except ConfigError as error:
        if stage is None:
            raise
        problem = f"{error}; [stage.{stage}] is laid over the rest of the file"
        raise ConfigError(problem) from error


def choose_stage(document: Mapping[str, Any], stage: str | None) -> str | None:
    """Return the stage that is in force: the given one, else that of ``deploy.stage``."""
    deploy = document.get("deploy")
    if stage is None and isinstance(deploy, Mapping):
        active = deploy.get(SECTION)
        return active if isinstance(active, str) else None
    return stage


def lay_over(document: Mapping[str, Any], stage: str | None, file: str) -> dict[str, Any]:
    """Return a parsed file with what one of its stages says instead, and without its stages.

    Raises:
        ConfigError: the file has stages, and not this one; or a section of one is not a table.
    """
    rest = {name: value for name, value in document.items() if name != SECTION}
    if SECTION not in document:
        return rest
    where = ConfigKey(file).child(SECTION)
    stages = document[SECTION]
    sections = stages.values() if isinstance(stages, Mapping) else ()
    if not sections or not all(isinstance(section, Mapping) for section in sections):
        raise ConfigError(f"{where} must be tables, one for each stage, such as [stage.prod]")
    for name, section in stages.items():
        deploy = section.get("deploy")
        if SECTION in section or (isinstance(deploy, Mapping) and SECTION in deploy):
            raise ConfigError(f"{where.child(name)} is a stage itself; remove stage from it")
    if stage is None:
        return rest
    if stage not in stages:
        names = ", ".join(sorted(stages)) or "none"
        raise ConfigError(
            f"the stage is {stage!r}, and {where} has no such stage"
            f"{did_you_mean(str(stage), stages) or ';'} known: {names}; write a section "
            f"[stage.{stage}], which may be empty"
        )
    return _merge(rest, stages[stage])


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for name, value in over.items():
        old = merged.get(name)
        is_table = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[name] = _merge(old, value) if is_table and isinstance(old, Mapping) else value
    return merged
