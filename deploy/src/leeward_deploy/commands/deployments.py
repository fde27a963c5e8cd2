"""Where an app is to run, by the order and ``leeward.toml``, for infrastructure files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from leeward.adapter.looking import Expected
from leeward.app.app import App
from leeward.app.objects import check_no_loop
from leeward.app.triggers import Kind
from leeward.cli.doctor.findings import home_of
from leeward.config import Config, TargetName, with_order
from leeward.config.model import ExportConfig
from leeward.errors import ConfigError
from leeward.values import NOTHING
from leeward_deploy.commands.wanted import check_names, declared_for, settings_of
from leeward_deploy.needs import of_kind
from leeward_deploy.recipe import Bucket, Declared, Deployment, Site, Table


class Home(NamedTuple):
    """The home of a table or a bucket: its provider and its region."""

    provider: str
    region: str


def ordered(folder: Path, targets: str | None, file: Path | None = None) -> Config:
    """Return what the ``leeward.toml`` of a folder says, with an order.

    Args:
        folder: of the app.
        targets: an order that wins over that of the file; None for that of the file.
        file: in place of the folder's own; None for that.

    Raises:
        ConfigError: the file is wrong or not there, or nothing names an order.
    """
    found = settings_of(folder, file)
    if targets is None and not found.order:
        raise ConfigError(
            "nothing says where the app is to run; name the order with --targets, or as "
            "cloud_provider in leeward.toml"
        )
    return with_order(found, targets, NOTHING)


def providers_of(config: Config) -> list[str]:
    """Return the providers of the order, each once."""
    return list(dict.fromkeys(target.provider for target in config.order))


def deployment_of(config: Config, provider: str, app: App, *, in_file: bool = True) -> Deployment:
    """Return where an app is to run on a provider.

    Args:
        config: with the order.
        provider: of it.
        app: with the handlers.
        in_file: the order is that of the file which goes along with the code; else a variable of
            each function has to name it.

    Raises:
        ConfigError: a target has no region, a table or bucket no home, or a domain no function; or
            what the app writes would make it run again.
    """
    targets = [each for each in config.order if each.provider == provider]
    regions = [region_of(config, each) for each in targets]
    twice = next((each for each in regions if regions.count(each) > 1), None)
    if twice is not None:
        raise ConfigError(f"two targets of {provider} are in {twice}; name one of them")
    homes = {
        "tables": {
            name: _home(config, "tables", name, each.home) for name, each in config.tables.items()
        },
        "buckets": {
            name: _home(config, "buckets", name, each.home) for name, each in config.buckets.items()
        },
    }
    order = "" if in_file else ",".join(map(str, config.order))
    sites = tuple(
        Site(
            region,
            _at_home(config, target, homes)._replace(ordered=in_file, order=order),
            str(target),
        )
        for region, target in zip(regions, targets, strict=True)
    )
    for site in sites:
        check_names(site.declared)
    for target in targets:
        check_no_loop(app.handlers.values(), declared_for(config, target).buckets)
    names = sites[0].declared
    return Deployment(
        sites,
        tuple(
            Table(own, config.tables[name].key, homes["tables"][name].region)
            for name, own in names.tables.items()
        ),
        tuple(Bucket(own, homes["buckets"][name].region) for name, own in names.buckets.items()),
        frozenset(name for name, home in homes["buckets"].items() if home.provider != provider),
        **_settings(config, provider, app)._asdict(),
        expected=tuple(_expected(config, app, homes, targets)),
    )


def _settings(config: Config, provider: str, app: App) -> ExportConfig:
    """Return what ``[export.<provider>]`` says.

    Raises:
        ConfigError: it names a domain, which would lead to no function.
    """
    found = config.export.get(provider, ExportConfig())
    if found.domain and not any(of_kind(app, Kind.CALL)):
        raise ConfigError(
            f"[export.{provider}] names a domain, and the app has no function that is called by "
            "HTTP; take the domain out, or add a function"
        )
    return found


def _expected(
    config: Config, app: App, homes: Mapping[str, Mapping[str, Home]], targets: list[TargetName]
) -> Iterator[Expected]:
    """Yield what is there when the files have been applied, as far as a target can be asked."""
    for target in targets:
        name = str(target)
        for handler in app.handlers.values():
            if handler.kind is Kind.CALL:
                yield Expected("function", handler.name, name)
            elif handler.kind is Kind.MESSAGE and handler.queue in config.functions:
                yield Expected("queue", str(handler.queue), name)
        for bus in config.buses:
            yield Expected("bus", bus, name)
        here = Home(target.provider, region_of(config, target))
        for kind, section in (("table", "tables"), ("bucket", "buckets")):
            for thing, home in homes[section].items():
                if home == here:
                    yield Expected(kind, thing, name)


def region_of(config: Config, target: TargetName) -> str:
    """Return the region of a target: it is named behind the colon, or in its section.

    Raises:
        ConfigError: it is not named.
    """
    options = config.options.get(str(target)) or config.options.get(target.provider) or {}
    region = target.qualifier or options.get("region")
    if not isinstance(region, str):
        raise ConfigError(
            f"the target {str(target)!r} has no region; write it as {target.provider}:REGION in "
            "the order"
        )
    return region


def _home(config: Config, section: str, name: str, own: str | None) -> Home:
    """Return the home of a table or a bucket."""
    order = {str(each): each for each in config.order}
    chosen = home_of(config, own)
    if chosen is None:
        raise ConfigError(
            f"[{section}.{name}] has no home, so nothing says where it is to be made; set home "
            f"there, or data_target, to one of {', '.join(order)}"
        )
    if chosen not in order:
        raise ConfigError(
            f"the home of [{section}.{name}] is {chosen!r}, which is not in the order "
            f"({', '.join(order)}); correct it, or name it in cloud_provider"
        )
    return Home(order[chosen].provider, region_of(config, order[chosen]))


def _at_home(
    config: Config, target: TargetName, homes: Mapping[str, Mapping[str, Home]]
) -> Declared:
    """Return what is named for a target; tables and buckets as their homes at its provider are."""
    declared = declared_for(config, target)
    at = {
        Home(each.provider, region_of(config, each)): declared_for(config, each)
        for each in config.order
        if each.provider == target.provider
    }
    found = {
        section: {
            name: getattr(at[home], section)[name]
            for name, home in homes[section].items()
            if home in at
        }
        for section in ("tables", "buckets")
    }
    return declared._replace(tables=found["tables"], buckets=found["buckets"])
