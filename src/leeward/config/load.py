"""Which setting is in force: the argument, the environment, the file, or the default."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from leeward.config.location import Location
from leeward.config.model import Config
from leeward.config.order import TargetName, parse_order, parse_target
from leeward.config.target_names import check_providers, check_unused
from leeward.errors import ConfigError
from leeward.registry import check_provider
from leeward.values import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_FILE = "leeward.toml"

ORDER = "CLOUD_PROVIDER"

VARIABLES = (
    "LEEWARD_CONFIG",
    "LEEWARD_DATA_TARGET",
    "LEEWARD_DEBUG",
    "LEEWARD_FUNCTION",
    "LEEWARD_KEYS_SECRET",
)
"""Variables of leeward's own, beside `ORDER`."""

_MOST_WRONG = 2
"""Letters, side by side, by which a name is still taken for a misspelt one."""

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
    trust_env: bool = True,
) -> Config:
    """Return the configuration that is in force.

    Args:
        targets: an order, as in ``CLOUD_PROVIDER``; it wins over everything else.
        file: path of a ``leeward.toml``; by default the one that ``LEEWARD_CONFIG`` names, else
            ``leeward.toml`` in the working directory, if there is one.
        env: the environment. A variable that is empty counts as not set.
        trust_env: False for the hardened mode, whatever a file says: no variable of `env` counts,
            and no file that is not named by `file`.

    Raises:
        ConfigError: for anything wrong; the message names the file, key or variable.
    """
    settings = load_settings(file=file, env=env, trust_env=trust_env)
    return with_order(settings, targets, env, trust_env=trust_env)


def with_order(
    config: Config, targets: str | None, env: Mapping[str, str], *, trust_env: bool = True
) -> Config:
    """Return `config` with the order of the argument, the environment, itself, or the default.

    Arguments as for `load_config`.

    Raises:
        ConfigError: the order cannot be read, or `config` names a target that is misspelt.
    """
    order = _order(targets, config, env, env if trust_env else NOTHING)
    settled = config._replace(order=order, trust_env=trust_env and config.trust_env)
    check_providers(settled)
    check_unused(settled, config.order)
    return settled


def load_settings(
    *, file: str | Path | None = None, env: Mapping[str, str], trust_env: bool = True
) -> Config:
    """Return everything but the order; arguments and errors as for `load_config`."""
    if not trust_env:
        settings = Config() if file is None else _from_file(file, NOTHING)
        return settings._replace(trust_env=False)
    _refuse_misspelt(env, VARIABLES)
    config = _from_file(file, env)
    home = env.get("LEEWARD_DATA_TARGET")
    if not home:
        return config
    _refuse_when_hardened(config, "LEEWARD_DATA_TARGET", "set data_target in the file")
    target = parse_target(home, "LEEWARD_DATA_TARGET")
    check_provider(target.provider, "LEEWARD_DATA_TARGET")
    # It wins over the homes that the file gives to single tables.
    tables = {name: table._replace(home=None) for name, table in config.tables.items()}
    buckets = {name: bucket._replace(home=None) for name, bucket in config.buckets.items()}
    return config._replace(data_target=str(target), tables=tables, buckets=buckets)


def _refuse_misspelt(env: Mapping[str, str], variables: Sequence[str]) -> None:
    """Refuse a variable whose name is nearly one of `variables`: ignored, it would lead elsewhere.

    Beside the right one it leads nowhere.
    """
    for name in env:
        if name in variables:
            continue
        for known in variables:
            if not env.get(known) and _is_nearly(name.upper(), known):
                raise ConfigError(f"{name} is unknown; did you mean {known}? Rename or unset it")


def _is_nearly(name: str, known: str) -> bool:
    """Return whether two names are the same but for a few letters in one place."""
    if abs(len(name) - len(known)) > _MOST_WRONG:
        return False
    shorter, longer = sorted((name, known), key=len)
    begins = next((n for n, each in enumerate(shorter) if each != longer[n]), len(shorter))
    left, right = shorter[begins:], longer[begins:]
    while left and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    return len(right) <= _MOST_WRONG


def _refuse_when_hardened(config: Config, variable: str, remedy: str) -> None:
    """Refuse a variable that would divert calls or data, beside a configuration that trusts none.

    To ignore it in silence would surprise whoever has set it in good faith.
    """
    if not config.trust_env:
        raise ConfigError(
            f"{variable} is set, and {Location(config.file).child('trust_env')} is false: unset "
            f"the variable, and {remedy}; with Client(trust_env=False), or --no-trust-env on the "
            "command line, it does not count"
        )


def _from_file(file: str | Path | None, env: Mapping[str, str]) -> Config:
    if file is not None and not isinstance(file, str | PathLike):
        raise ConfigError(f"config must be a path or a Config, not {type(file).__name__}")
    named = file if file is not None else env.get("LEEWARD_CONFIG") or None
    path = str(DEFAULT_FILE if named is None else named)
    try:
        opener = _at_once if named is None else None
        with open(path, "rb", opener=opener) as opened:
            if named is None:
                from leeward.config.found_file import check_found_file

                check_found_file(path, opened.fileno())
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


def _at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that was put there would have it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _parse(text: bytes, file: str) -> Config:
    import tomllib

    from leeward.config.sections import read_sections

    flaw = ""
    try:
        document = tomllib.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        flaw = f"UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        flaw = f"TOML: {error}"
    if flaw:
        # Out here, because the errors above carry the text, and would go along as the context.
        raise ConfigError(f"{file} is not {flaw}")
    return read_sections(document, file)


def _order(
    targets: str | None, config: Config, env: Mapping[str, str], trusted: Mapping[str, str]
) -> tuple[TargetName, ...]:
    if targets is not None:
        return _known(parse_order(targets, "targets"), "targets")
    if variable := trusted.get("CLOUD_PROVIDER"):
        _refuse_when_hardened(config, "CLOUD_PROVIDER", "name the order in the file or as targets")
        return _known(parse_order(variable, "CLOUD_PROVIDER"), "CLOUD_PROVIDER")
    _refuse_misspelt(trusted, (ORDER,))
    if config.order:
        return _known(config.order, str(Location(config.file).child("cloud_provider")))
    for variable, runtime in RUNTIMES.items():
        if env.get(variable):
            where = "CLOUD_PROVIDER" if trusted and config.trust_env else "the order of targets"
            raise ConfigError(
                f"{where} is not set, and this is {runtime} ({variable} is set), where the "
                f"embedded store would lose its data; set {where} to a target, or to 'local' "
                "if that is what you want"
            )
    return (TargetName("local"),)


def _known(order: tuple[TargetName, ...], where: str) -> tuple[TargetName, ...]:
    for target in order:
        check_provider(target.provider, where)
    return order
