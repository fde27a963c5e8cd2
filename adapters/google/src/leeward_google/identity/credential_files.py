"""Credentials files: which there is, what is in it, and whether it may be used.

google-auth does what a file says, and says itself that it does not check it. A file that comes from
somewhere else could have it send a key's signature to any server, or start a program. So before
google-auth sees one, every server in it has to be Google's, or the metadata service that Amazon's
and Microsoft's machines have, and there must be no program. The option `allow_external_account` is
the operator's word for a file that needs more. In the hardened mode, ``trust_env = false``, a file
of the kind ``external_account`` is refused altogether.

Sources: the AIP 4117, "External account credentials", and `google.auth._default`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leeward.adapter.resolver import Unresolved
from leeward.adapter.tokens import LARGEST
from leeward.errors import Outcome
from leeward.json_text import Undecodable, decode
from leeward_google.identity.impersonation import Principal
from leeward_google.settings.endpoints import is_own_host

SERVICE_ACCOUNT: Final = "service_account"
USER: Final = "authorized_user"
IMPERSONATED: Final = "impersonated_service_account"
EXTERNAL: Final = "external_account"
EXTERNAL_USER: Final = "external_account_authorized_user"
"""What a file is, by its ``type``."""

_WHERE: Final = "the credentials file"

_SIGN_IN: Final = ("oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com")
"""Where keys are good for tokens; the last two stand in old files."""

_UNIVERSE: Final = "googleapis.com"
"""What the hosts of Google's public cloud end with. google-auth puts another in its place."""

_LINK_LOCAL: Final = ("169.254.169.254", "[fd00:ec2::254]")
"""Where machines of other clouds find their identity: files made by gcloud for them say so."""

_URL: Final = r"(https?)://([^/?#@\\\s]+)(?:[/?][^\s]*)?"


def usual_file(env: Mapping[str, str]) -> str | None:
    """Return the path of the file that ``gcloud auth application-default login`` writes, if any."""
    from os.path import isfile

    folder = env.get("CLOUDSDK_CONFIG") or f"{env.get('HOME', '')}/.config/gcloud"
    path = f"{folder}/application_default_credentials.json"
    return path if isfile(path) else None  # noqa: PTH113 - pathlib would cost a cold start more


def read(path: str) -> dict[str, Any]:
    """Read a credentials file.

    Raises:
        Unresolved: AUTH; it is not there, or not a JSON object.
    """
    from pathlib import Path

    try:
        with Path(path).open("rb") as file:
            document = decode(file.read(LARGEST))
    except OSError as error:
        problem = (
            f"{_WHERE} {path!r} cannot be read ({type(error).__name__}): correct credentials_file, "
            "or GOOGLE_APPLICATION_CREDENTIALS"
        )
        raise Unresolved(Outcome.AUTH, "credentials_file_unreadable", problem) from error
    except Undecodable:
        document = None
    if not isinstance(document, dict):
        raise unusable("is not a JSON object")
    return document


def check(info: Mapping[str, Any], *, hardened: bool = False, external: bool = False) -> None:
    """Refuse a file that asks for more than it may.

    Args:
        info: what is in the file.
        hardened: whether an identity that somebody else vouches for is refused.
        external: whether it may name servers and programs that are not Google's.

    Raises:
        Unresolved: AUTH; before any request and any program.
    """
    kind = info.get("type")
    if kind in (EXTERNAL, EXTERNAL_USER) and hardened:
        raise _make_refusal("is an external account, and trust_env is false")
    if not external:
        if info.get("universe_domain", _UNIVERSE) != _UNIVERSE:
            raise _make_refusal(f"has a universe_domain that is not {_UNIVERSE}; {_REMEDY}")
        for what, url, service in _urls(info):
            if not _is_own(url, service):
                raise _make_refusal(f"has a {what} that is not Google's; {_REMEDY}")
        _check_source(info.get("credential_source"))
    inner = info.get("source_credentials")
    if inner is not None:
        check(_object(inner), hardened=hardened, external=external)


_REMEDY: Final = "if that is meant, set allow_external_account = true"


def principal_in(info: Mapping[str, Any]) -> Principal | None:
    """Return the service account that a file says to act as; None if it says none.

    Raises:
        Unresolved: AUTH; it says so in a way that is not documented.
    """
    url = info.get("service_account_impersonation_url")
    if url is None:
        return None
    match = re.search(r"/serviceAccounts/([A-Za-z0-9._@-]+):generateAccessToken$", str(url))
    delegates = info.get("delegates") or []
    if match is None or not isinstance(delegates, list):
        raise unusable("does not say in the documented way which service account to act as")
    return Principal(match[1], tuple(str(delegate) for delegate in delegates))


def unusable(what: str) -> Unresolved:
    """Return that a file cannot be used."""
    return Unresolved(Outcome.AUTH, "credentials_file_unusable", f"{_WHERE} {what}")


def _make_refusal(what: str) -> Unresolved:
    return Unresolved(Outcome.AUTH, "credentials_file_refused", f"{_WHERE} {what}")


def _urls(info: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Return each URL that a token, or what is as good, would go to: name, value, whose it is."""
    for name, service in (
        ("token_uri", "oauth2"),
        ("token_url", "sts"),
        ("token_info_url", "sts"),
        ("revoke_url", "sts"),
        ("service_account_impersonation_url", "iamcredentials"),
    ):
        if info.get(name) is not None:
            yield name, info[name], service


def _is_own(url: Any, service: str) -> bool:
    parts = re.fullmatch(_URL, url) if isinstance(url, str) else None
    if parts is None or parts[1] != "https":
        return False
    if service == "oauth2":
        return parts[2] in _SIGN_IN
    return is_own_host(parts[2], "sts" if service == "sts" else "iamcredentials")


def _check_source(source: Any) -> None:
    """Look at where an external account finds what it shows to Google."""
    if source is None:
        return
    source_fields = _object(source)
    if "executable" in source_fields:
        raise _make_refusal(f"has an executable, a program to start; {_REMEDY}")
    for name in ("url", "region_url", "imdsv2_session_token_url"):
        url = source_fields.get(name)
        parts = re.fullmatch(_URL, url) if isinstance(url, str) else None
        if url is not None and (parts is None or parts[2] not in _LINK_LOCAL):
            raise _make_refusal(
                f"has a credential_source.{name} that is not a known one; {_REMEDY}"
            )
    verify = source_fields.get("regional_cred_verification_url")
    if verify is not None and not _is_amazons(verify):
        problem = "has a credential_source.regional_cred_verification_url that is not Amazon's"
        raise _make_refusal(f"{problem}; {_REMEDY}")


def _is_amazons(url: Any) -> bool:
    """Return whether a URL is that of Amazon's token service; it is signed for, and not asked."""
    pattern = r"https://sts(?:\.(?:\{region\}|[a-z0-9-]+))?\.amazonaws\.com(?:[/?][^\s]*)?"
    return isinstance(url, str) and re.fullmatch(pattern, url) is not None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise unusable("has a part that is not a JSON object")
    return value
