"""Which setting is in force: the argument, the environment, the file, or the default.

A name of a target that looks misspelt is refused, never ignored.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

from leeward.config import model
from leeward.config.model import (
    Config,
    ConfigKey,
    TargetName,
    all_of,
    parse_order,
    parse_target,
    prefix_of,
)
from leeward.errors import ConfigError
from leeward.registry import check_provider
from leeward.text import did_you_mean
from leeward.values import NOTHING, Effect

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
    "LEEWARD_STAGE",
    "LEEWARD_WORKER_TOKEN",
)
"""Variables of leeward's own, beside `ORDER`."""

STAGE = "LEEWARD_STAGE"  # the variable that chooses one of the file's stages

_GUESSES = {
    **dict.fromkeys("CLOUD ORDER PROVIDER PROVIDERS TARGET TARGETS".split(), ORDER),
    **dict.fromkeys(("CONFIG_FILE", "FILE"), "LEEWARD_CONFIG"),
}
"""What people write behind ``LEEWARD_`` for one that has another name."""
_KEYS = {*Config._fields} - {"data_target", "file", "options", "order", "prefix"}
_TABLES = (
    "health_checks",
    "targets",
    *(key for key in _KEYS if isinstance(Config._field_defaults[key], Mapping | tuple)),
)
_FIELDS = tuple(
    f"_{field}" for section in vars(model).values() for field in getattr(section, "_fields", ())
)
_MOST_WRONG = 2  # letters, side by side, by which a name is still taken for a misspelt one

_MOST_BYTES = 1_048_576
"""Of a file. A device that is named in its place would be read for ever."""

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
    all_of((partial(check_providers, settled), partial(check_unused, settled, config.order)))
    return settled


def load_settings(
    *,
    file: str | Path | None = None,
    env: Mapping[str, str],
    trust_env: bool = True,
    stage: str | None = None,
) -> Config:
    """Return everything but the order; arguments and errors as for `load_config`.

    A `stage` of the file wins over that of the environment.
    """
    if not trust_env:
        settings = Config() if file is None else _from_file(file, NOTHING, stage)
        return settings._replace(trust_env=False)
    _refuse_misspelt(env, VARIABLES)
    config = _from_file(file, env, stage or env.get(STAGE) or None)
    if chosen := env.get(STAGE):
        _refuse_when_hardened(config, STAGE, "set stage in [deploy] of the file")
        config = with_stage(config, stage or chosen, STAGE)
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


def with_stage(config: Config, stage: str, where: str) -> Config:
    """Return `config` with the names of a stage, which wins over that of the file.

    `where` names what says so, for the message of the `ConfigError` that a wrong one raises.
    """
    deploy = {**config.deploy, "stage": stage}
    return config._replace(deploy=deploy, prefix=prefix_of(deploy, where))


def _refuse_misspelt(env: Mapping[str, str], variables: Sequence[str]) -> None:
    """Refuse what is nearly one of `variables`, or a guess, where the right one is not set."""
    flaws = []
    for name in filter(env.get, env):
        upper = name.upper()
        bare = upper.removeprefix("LEEWARD_")
        guess, key = (_GUESSES.get(bare), bare.lower()) if bare != upper else (None, "")
        for var in () if name in VARIABLES else variables:
            is_meant = guess == var or _is_nearly(upper, var) or _is_nearly(bare, var)
            if is_meant and name != var and not env.get(var):
                flaws.append(f"{name} is unknown; did you mean {var}? Rename or unset it")
                break
        else:
            if guess is None and (sets := _place_in_file(key)) and name not in VARIABLES:
                flaws.append(f"{name} is unknown: no variable sets {sets}; write it in the file")
    if flaws:
        raise ConfigError("\n".join(flaws))


def _place_in_file(key: str) -> str | None:
    """Return what a variable would set if it did: a key of the file, or of one of its tables."""
    if key in _KEYS:
        return key
    if key.endswith(("_port", "_service_host")) or "_port_" in key:  # by Kubernetes, of a service
        return None
    for table in _TABLES:
        for prefix in (f"{table.removesuffix(end)}_" for end in ("", "s", "es")):
            rest = key.removeprefix(prefix)
            if rest != key and (table == "targets" or f"_{rest}".endswith(_FIELDS)):
                return f"a key of [{table}]"
    return None


def _is_nearly(name: str, variable: str) -> bool:
    """Return whether two names are the same but for a few letters in one place."""
    if abs(len(name) - len(variable)) > _MOST_WRONG:
        return False
    shorter, longer = sorted((name, variable), key=len)
    begins = next((n for n, letter in enumerate(shorter) if letter != longer[n]), len(shorter))
    left, right = shorter[begins:], longer[begins:]
    while left and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    return len(right) <= _MOST_WRONG


def _refuse_when_hardened(config: Config, variable: str, remedy: str) -> None:
    """Refuse a variable that would divert calls or data, beside a file that trusts none."""
    if not config.trust_env:
        raise ConfigError(
            f"{variable} is set, and {ConfigKey(config.file).child('trust_env')} is false: unset "
            f"the variable, and {remedy}; with Client(trust_env=False), or --no-trust-env on the "
            "command line, it does not count"
        )


def _from_file(file: str | Path | None, env: Mapping[str, str], stage: str | None) -> Config:
    if file is not None and not isinstance(file, str | PathLike):
        raise ConfigError(f"config must be a path or a Config, not {type(file).__name__}")
    named = file if file is not None else env.get("LEEWARD_CONFIG") or None
    path = str(DEFAULT_FILE if named is None else named)
    try:
        opener = _at_once if named is None else None
        with open(path, "rb", opener=opener) as opened:
            if named is None:
                check_found_file(path, opened.fileno())
            text = opened.read(_MOST_BYTES + 1)
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
    if len(text) > _MOST_BYTES:
        raise ConfigError(f"{path} has more than {_MOST_BYTES} bytes; name a configuration file")
    return _parse(text, path, stage)


def _at_once(path: str, flags: int) -> int:
    """Open without waiting, as a pipe that was put there would have it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _parse(text: bytes, file: str, stage: str | None = None) -> Config:
    import tomllib

    flaw = ""
    try:
        document = tomllib.loads(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        flaw = f"UTF-8: {error.reason} at byte {error.start}; save it as UTF-8"
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        flaw = f"TOML: {error}"
    if flaw:
        # Out here, because the errors above carry the text, and would go along as the context.
        raise ConfigError(f"{file} is not {flaw}")
    from leeward.config.sections import (
        read_document,
    )  # which a program without a file does not need

    return read_document(document, file, stage)


def _order(
    targets: str | None, config: Config, env: Mapping[str, str], trusted: Mapping[str, str]
) -> tuple[TargetName, ...]:
    if targets is not None:
        return _check_order(parse_order(targets, "targets"), "targets")
    if variable := trusted.get("CLOUD_PROVIDER"):
        _refuse_when_hardened(config, "CLOUD_PROVIDER", "name the order in the file or as targets")
        return _check_order(parse_order(variable, "CLOUD_PROVIDER"), "CLOUD_PROVIDER")
    _refuse_misspelt(trusted, (ORDER,))
    if config.order:
        return _check_order(config.order, str(ConfigKey(config.file).child("cloud_provider")))
    for variable, runtime in RUNTIMES.items():
        if env.get(variable):
            where = "CLOUD_PROVIDER" if trusted and config.trust_env else "the order of targets"
            raise ConfigError(
                f"{where} is not set, and this is {runtime} ({variable} is set), where the "
                f"embedded store would lose its data; set {where} to a target, or to 'local' "
                "if that is what you want"
            )
    return (TargetName("local"),)


def _check_order(order: tuple[TargetName, ...], where: str) -> tuple[TargetName, ...]:
    for target in order:
        check_provider(target.provider, where)
    return order


def check_providers(config: Config, also_known: Iterable[str] = ()) -> None:
    """Raise `ConfigError` if `config` names a provider that does not exist."""
    providers, checks = set(also_known), []
    for where, name in _mentions(config):
        provider = name.partition(":")[0]
        if provider not in providers:
            checks.append(partial(check_provider, provider, str(where)))
            providers.add(provider)
    all_of(checks)


def check_probes(config: Config, *, has_app: bool) -> None:
    """Raise `ConfigError` if a probe is its own function, not known, or does not only read."""
    for name, function in config.functions.items():
        probe = function.probe
        if probe is None:
            continue
        where = ConfigKey(config.file, "functions").child(name).child("probe")
        probed = config.functions.get(probe)
        if probe == name:
            raise ConfigError(f"{where} is the function itself; name another one, which only reads")
        if has_app and probed is None:
            hint = did_you_mean(probe, config.functions) or ";"
            raise ConfigError(
                f"{where}: the app has no function {probe!r}{hint} if it is in another app, write "
                f"a section [functions.{probe}]"
            )
        if probed is not None and probed.effect not in (None, Effect.READ_ONLY):
            raise ConfigError(
                f"{where}: {probe!r} is declared {probed.effect.value!r}, and a probe only reads; "
                f"declare it effect={Effect.READ_ONLY.value!r}"
            )


def check_spool_disk(config: Config, env: Mapping[str, str]) -> None:
    """Raise `ConfigError` if the spool would be a file that ends with a function or a container."""
    spool = config.spool
    for variable, runtime in RUNTIMES.items():
        if env.get(variable) and spool.target is None and not spool.volume:
            where = ConfigKey(config.file).child("spool")
            raise ConfigError(
                f"events of on_all_down = 'spool' would be lost: this is {runtime} ({variable} is "
                f"set), whose disk ends with the instance; set {where.child('target')} to a "
                "database such as 'postgres', or 'path' to a file on a volume that stays, with "
                "volume = true beside it"
            )


def check_unused(config: Config, also_named: Sequence[TargetName]) -> None:
    """Raise `ConfigError` if an entry for a target looks misspelt.

    It counts as misspelt if the order has a target of the same provider that has no entry, and if
    nothing else names the entry's target. Where the file has an order, weights and groups name no
    other target that is nearly one of the order.
    """
    counted = Counter(name for _, name in _mentions(config))
    counted.update({str(target) for target in also_named})
    order, flaws = [str(target) for target in config.order], []
    for where, entries in _entries(config):
        for name in entries:
            provider, colon, _ = name.partition(":")
            without = [
                str(target)
                for target in config.order
                if target.provider == provider and str(target) not in entries
            ]
            if colon and name not in order and counted[name] == 1 and without:
                flaws.append(
                    f"{where.child(name)} is for a target that is not in the order "
                    f"({', '.join(order)}); did you mean {without[0]!r}? Correct the name, remove "
                    f"the entry, or name {name!r} in cloud_provider, too"
                )
    for where, names in _of_sections(config, ConfigKey(config.file)) if also_named else ():
        for name in names:
            near = [target for target in order if _is_nearly(name, target)]
            if near and name not in order and counted[name] == 1:
                flaws.append(
                    f"{where} names {name!r}, which is not in the order ({', '.join(order)}); did "
                    f"you mean {near[0]!r}? Correct the name, or add it to cloud_provider"
                )
    if flaws:
        raise ConfigError("\n".join(flaws))


def unused_sections(config: Config) -> list[str]:
    """Return the names in ``[targets.<name>]`` whose options no target of the order uses."""
    used = {
        str(target) if str(target) in config.options else target.provider for target in config.order
    }
    return [name for name in config.options if name not in used]


def _mentions(config: Config) -> Iterator[tuple[ConfigKey, str]]:
    """Yield every name of a target in `config`, with its location."""
    for where, entries in _entries(config):
        for name in entries:
            yield where.child(name), name
    top = ConfigKey(config.file)
    for section, homes in (("tables", config.homes()), ("buckets", config.bucket_homes())):
        for name, home in homes.items():
            yield top.child(section).child(name).child("home"), home
    for where, names in _of_sections(config, top):
        yield from ((where.child(name), name) for name in names)
    for where, target in (
        (top.child("data_target"), config.data_target),
        (top.child("workflow_target"), config.workflow_target),
        (top.child("spool").child("target"), config.spool.target),
    ):
        if target is not None:
            yield where, target


def _of_sections(config: Config, top: ConfigKey) -> Iterator[tuple[ConfigKey, Iterable[str]]]:
    """Yield the names of targets that other sections have, with their place."""
    yield top.child("weights"), config.weights
    yield top.child("export"), config.export
    for name, group in config.groups.items():
        where = top.child("groups").child(name)
        yield where.child("targets"), group.targets
        yield where.child("weights"), group.weights


def _entries(config: Config) -> Iterator[tuple[ConfigKey, Mapping[str, object]]]:
    """Yield every mapping whose keys are names of targets, with its location."""
    top = ConfigKey(config.file)
    yield top.child("targets"), config.options
    yield top.child("residency"), config.residency
    for section in ("functions", "buses", "tables", "buckets", "workflows"):
        for name, entry in getattr(config, section).items():
            yield top.child(section).child(name).child("names"), entry.names


def check_found_file(path: str, descriptor: int) -> None:
    """Check a file that nobody has named, before what it says is believed.

    Raises:
        ConfigError: it is, or its directory, another user's, or others may write it; or it is not
            a regular file. The message names the remedy.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ConfigError(
            f"{path} was found in the working directory, and is not a regular file; remove it, or "
            "name a file with config, --config or LEEWARD_CONFIG"
        )
    if not hasattr(os, "geteuid"):  # on Windows, where owner and mode say nothing
        return
    directory = os.path.dirname(os.path.abspath(path))
    for what, status in (
        (path, os.fstat(descriptor)),
        (path, os.lstat(path)),
        (directory, os.stat(directory)),
    ):
        problem = problem_of(status, os.geteuid())
        if problem is not None:
            raise ConfigError(
                f"{path} was found in the working directory and not named, and {what} {problem}, "
                "who could change where calls and credentials go; name the file with config, "
                "--config or LEEWARD_CONFIG if you trust it"
            )


def problem_of(status: os.stat_result, user: int) -> str | None:
    """Return why another user than uid `user` can change a file, or None."""
    if status.st_uid not in (user, 0):
        return f"belongs to another user (uid {status.st_uid})"
    if stat.S_ISLNK(status.st_mode):  # its mode says nothing
        return None
    shared = status.st_mode & stat.S_IWGRP and not _is_private_group(status.st_gid, user)
    if status.st_mode & stat.S_IWOTH or shared:
        return f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _is_private_group(group: int, user: int) -> bool:
    """Return whether a group has `user` alone: the usual one where the umask is 002."""
    import grp
    import pwd

    try:
        name = pwd.getpwuid(user).pw_name
        entry = grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_name == name and set(entry.gr_mem) <= {name}
