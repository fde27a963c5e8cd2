"""Which setting is in force: the argument, the environment, the file, or the default."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

from leeward.config.location import Location
from leeward.config.model import Config
from leeward.config.order import TargetName, parse_order, parse_target
from leeward.config.target_names import check_providers, check_unused
from leeward.errors import ConfigError
from leeward.registry import check_provider

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FILE = "leeward.toml"

RUNTIMES = {
    "AWS_LAMBDA_FUNCTION_NAME": "AWS Lambda",
    "FUNCTIONS_WORKER_RUNTIME": "Azure Functions",
    "K_SERVICE": "Google Cloud Run",
    "KUBERNETES_SERVICE_HOST": "Kubernetes",
}
"""Variables that the clouds' runtimes set. There, the embedded store would lose its data, so the
target has to be named."""


def load_config(
    targets: str | None = None,
    *,
    file: str | Path | None = None,
    env: Mapping[str, str],
) -> Config:
    """Return the configuration that is in force.

    Args:
        targets: an order, as in ``CLOUD_PROVIDER``; it wins over everything else.
        file: path of a ``leeward.toml``; by default the one that ``LEEWARD_CONFIG`` names, else
            ``leeward.toml`` in the working directory, if there is one.
        env: the environment. A variable that is empty counts as not set.

    Raises:
        ConfigError: for anything wrong; the message names the file, key or variable.
    """
    return with_order(load_settings(file=file, env=env), targets, env)


def with_order(config: Config, targets: str | None, env: Mapping[str, str]) -> Config:
    """Return `config` with the order of the argument, the environment, itself, or the default.

    Raises:
        ConfigError: the order cannot be read, or `config` names a target that is misspelt.
    """
    settled = config._replace(order=_order(targets, config, env))
    check_providers(settled)
    check_unused(settled, config.order)
    return settled


def load_settings(*, file: str | Path | None = None, env: Mapping[str, str]) -> Config:
    """Return everything but the order; arguments and errors as for `load_config`."""
    config = _from_file(file, env)
    home = env.get("LEEWARD_DATA_TARGET")
    if not home:
        return config
    target = parse_target(home, "LEEWARD_DATA_TARGET")
    check_provider(target.provider, "LEEWARD_DATA_TARGET")
    # It wins over the homes that the file gives to single tables.
    tables = {name: table._replace(home=None) for name, table in config.tables.items()}
    return config._replace(data_target=str(target), tables=tables)


def _from_file(file: str | Path | None, env: Mapping[str, str]) -> Config:
    if file is not None and not isinstance(file, str | PathLike):
        raise ConfigError(f"config must be a path or a Config, not {type(file).__name__}")
    named = file if file is not None else env.get("LEEWARD_CONFIG") or None
    path = str(DEFAULT_FILE if named is None else named)
    try:
        with open(path, "rb") as opened:  # noqa: PTH123 - pathlib costs 5 ms of import
            text = opened.read()
    except FileNotFoundError:
        if named is None:
            return Config()
        who = "LEEWARD_CONFIG names" if file is None else "config is"
        raise ConfigError(
            f"{who} {path!r}, but there is no such file; correct the path, or create the file"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a text that cannot name a file
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot read {path!r}: {reason}; check the path and its permissions"
        ) from error
    return _parse(text, path)


def _parse(text: bytes, file: str) -> Config:
    import tomllib

    from leeward.config.sections import read_sections

    try:
        document = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file} is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise ConfigError(f"{file} is not TOML: {error}") from error
    return read_sections(document, file)


def _order(targets: str | None, config: Config, env: Mapping[str, str]) -> tuple[TargetName, ...]:
    if targets is not None:
        return _known(parse_order(targets, "targets"), "targets")
    if env.get("CLOUD_PROVIDER"):
        return _known(parse_order(env["CLOUD_PROVIDER"], "CLOUD_PROVIDER"), "CLOUD_PROVIDER")
    if config.order:
        return _known(config.order, str(Location(config.file).child("cloud_provider")))
    for variable, runtime in RUNTIMES.items():
        if env.get(variable):
            raise ConfigError(
                f"CLOUD_PROVIDER is not set, and this is {runtime} ({variable} is set), where the "
                "embedded store would lose its data; set CLOUD_PROVIDER to a target, or to 'local' "
                "if that is what you want"
            )
    return (TargetName("local"),)


def _known(order: tuple[TargetName, ...], where: str) -> tuple[TargetName, ...]:
    for target in order:
        check_provider(target.provider, where)
    return order
