"""boto3 as these tests use it: on given servers, with one request for each call."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock


def client(
    service: str,
    url: str,
    region: str,
    access_key: str = "test",
    secret_key: str = "test",
    ca_bundle: Path | None = None,
) -> Any:
    """Give a client of boto3 that looks at nothing in this machine's environment.

    Close it in the end.

    Args:
        service: boto3's name: ``lambda``, ``events``, ``dynamodb``, ``sqs``.
        url: where the service is.
        region: what it signs for.
        access_key: whose signature.
        secret_key: what it is made with.
        ca_bundle: whose certificates it trusts, where `url` is https.
    """
    config = import_module("botocore.config").Config(
        retries={"total_max_attempts": 1}, read_timeout=60, connect_timeout=10
    )
    # Proxies, profiles and endpoints of the machine are read while a client is made.
    with mock.patch.dict(os.environ, clear=True):
        return _session().client(
            service,
            region_name=region,
            endpoint_url=url,
            verify=ca_bundle and str(ca_bundle),
            config=config,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
        )


@cache
def _session() -> Any:
    """Give the one session: it remembers the services' models, which take long to read."""
    return import_module("boto3").session.Session()
