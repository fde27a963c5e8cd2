"""A session of the vendor's own library that follows leeward's settings.

botocore reads its variables through a store of its own, and the store takes another mapping than
this process's environment. Some places still read the process's environment: the chain's
own providers, the variables of web identity, ``AWS_ENDPOINT_URL_<SERVICE>``, proxies. With
``trust_env`` that is accepted. Without, each of them is shut: here, by `client_options`, and in
`leeward_aws.identity.hardened`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from leeward.errors import ConfigError
from leeward_aws.settings.options import Settings


def session_of(settings: Settings, env: Mapping[str, str], home: str | None) -> Any:
    """Make a botocore session.

    Args:
        settings: region, profile, CA certificates and kinds of host.
        env: the variables that count; an empty one counts as absent.
        home: None to take files from where `env` and HOME say. Otherwise the directory that holds
            ``.aws``, and nothing else counts.

    Raises:
        ImportError: botocore is not installed.
    """
    from botocore.session import Session  # type: ignore[import-untyped]

    session = Session(profile=settings.profile if settings.profile_first else None)
    _read_variables_from(session, {name: value for name, value in env.items() if value})
    session.set_config_variable("region", settings.region)
    if settings.http.ca_bundle is not None:
        session.set_config_variable("ca_bundle", settings.http.ca_bundle)
    if settings.fips:
        session.set_config_variable("use_fips_endpoint", True)
    if settings.dualstack:
        session.set_config_variable("use_dualstack_endpoint", True)
    if home is not None:
        # Leave no file but those below `home` and the library's own, no certificates but ours.
        from botocore.loaders import Loader  # type: ignore[import-untyped]

        session.set_config_variable("config_file", f"{home}/.aws/config")
        session.set_config_variable("credentials_file", f"{home}/.aws/credentials")
        session.set_config_variable("ca_bundle", settings.http.ca_bundle or True)
        # The usual loader also takes service models, with their endpoints, from below HOME.
        loader = Loader(
            extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
        )
        session.register_component("data_loader", loader)
    return session


def client_options(*, trust_env: bool) -> dict[str, Any]:
    """Return what a client's `Config` has to say so that the environment does not steer it."""
    return {} if trust_env else {"proxies": {}, "ignore_configured_endpoint_urls": True}


@contextmanager
def plugins(*, allowed: bool) -> Generator[None]:
    """Keep clients that are made meanwhile from importing modules that a variable names."""
    if allowed:
        yield
        return
    from botocore.plugin import (  # type: ignore[import-untyped]
        PluginContext,
        reset_plugin_context,
        set_plugin_context,
    )

    token = set_plugin_context(PluginContext(plugins="DISABLED"))
    try:
        yield
    finally:
        reset_plugin_context(token)


def home_of_user() -> str:
    """Return the home directory by the system's database of users, whatever HOME says.

    Raises:
        ConfigError: the database does not know this process's user.
    """
    import os

    try:
        from pwd import getpwuid
    except ImportError:  # Windows has no such database
        return os.path.expanduser("~")  # noqa: PTH111 - gives up quietly
    try:
        return getpwuid(os.getuid()).pw_dir
    except KeyError as error:
        raise ConfigError(
            "with trust_env = false AWS's files are looked for in the home directory of this "
            "process's user, and the system knows no user of this id: add one, or trust_env"
        ) from error


def _read_variables_from(session: Any, env: Mapping[str, str]) -> None:
    from botocore.configprovider import ConfigChainFactory  # type: ignore[import-untyped]

    store = session.get_component("config_store")
    chains = ConfigChainFactory(session, environ=env)
    for name, (option, variables, default, convert) in session.SESSION_VARIABLES.items():
        chain = chains.create_config_chain(name, variables, option, default, convert)
        store.set_config_provider(name, chain)
