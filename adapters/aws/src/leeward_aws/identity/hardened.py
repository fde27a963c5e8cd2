"""The vendor's chain without an environment: what one profile says, and no process.

Used with ``trust_env = false`` (rows S4 and S5 of the security checklist). Left are the keys of a
profile, SSO, a login, web identity, and roles on top of them. Not left are the environment,
containers, instance metadata, old files of other tools, and ``credential_process``.

Imported only where botocore is there.
"""

from __future__ import annotations

from typing import Any, NoReturn

from botocore.credentials import (  # type: ignore[import-untyped]
    AssumeRoleProvider,
    CanonicalNameCredentialSourcer,
    CredentialResolver,
    ProcessProvider,
    ProfileProviderBuilder,
)
from botocore.utils import JSONFileCache  # type: ignore[import-untyped]

from leeward.adapter.resolver import Unresolved
from leeward.errors import Outcome
from leeward_aws.settings.options import Settings


def profile_resolver(session: Any, settings: Settings, home: str) -> Any:
    """Make a resolver that knows the profile of `settings` and those that it builds on.

    Args:
        session: whose files are read.
        settings: of the target; with a profile.
        home: the directory that holds ``.aws``, for the tokens of SSO and logins.
    """
    profiles = _Profiles(
        session,
        region_name=settings.region,
        sso_token_cache=JSONFileCache(f"{home}/.aws/sso/cache"),
        login_token_cache=JSONFileCache(f"{home}/.aws/login/cache"),
    )
    role = AssumeRoleProvider(
        load_config=lambda: session.full_config,
        client_creator=session.create_client,
        cache={},
        profile_name=settings.profile,
        prompter=_refuse_prompt,
        credential_sourcer=CanonicalNameCredentialSourcer([]),
        profile_provider_builder=profiles,
    )
    profile_providers = profiles.providers(settings.profile or "default")
    return CredentialResolver([role, *profile_providers])


class _Profiles(ProfileProviderBuilder):  # type: ignore[misc]
    """The providers of a profile, also of one that a role builds on."""

    def providers(self, profile_name: str, disable_env_vars: bool = True) -> list[Any]:  # noqa: FBT002
        """Return the vendor's own, with one that refuses in place of the one that starts a process.

        To leave it out would be wrong: another source would be taken in silence.
        """
        given = super().providers(profile_name, disable_env_vars=True)
        return [
            ProcessProvider(profile_name, lambda: self._session.full_config, _refuse_process)
            if provider.METHOD == ProcessProvider.METHOD
            else provider
            for provider in given
        ]


def _refuse_process(*_: object, **__: object) -> NoReturn:
    raise Unresolved(
        Outcome.AUTH,
        "credential_process_refused",
        "the profile has a credential_process, and trust_env = false starts no process: use a "
        "profile of another kind",
    )


def _refuse_prompt(*_: object, **__: object) -> NoReturn:
    raise Unresolved(
        Outcome.AUTH,
        "mfa_refused",
        "the profile asks for a code of a second factor, and there is nobody here to type it: use "
        "a profile without mfa_serial",
    )
