"""The program of README, as its page prints it, on whatever target the environment names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from leeward_contract_tests.fixtures import EVENTS, ITEMS
from tests.house.workspace import ROOT
from tests.servers.aws.function import Function
from tests.servers.azure.functions_host import FunctionsHost
from tests.servers.deploying import deploy
from tests.servers.google.cloud_run import Service
from tests.servers.google.framework import FunctionsFramework

ORDERS: list[tuple[dict[str, str], str]] = [
    ({}, "local"),
    ({"CLOUD_PROVIDER": ""}, "local"),
    ({"CLOUD_PROVIDER": "local:a,local:b", "LEEWARD_DATA_TARGET": "local:a"}, "local:a"),
]
"""What is set, and the target that answers."""

CLOUDS = ("aws", "azure", "google")
"""The test bench has servers of these."""


def files(page: str) -> dict[str, str]:
    """Return the files that a page shows, by name: a line names each, its code follows."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return dict(
        re.findall(r"^`(\w+\.\w+)` [^\n]*:\n\n```\w+\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    )


def started(cloud: str) -> AbstractContextManager[list[Any]]:
    """Start one cloud of the tests' own servers."""
    module = import_module(f"tests.servers.{cloud}.cloud")
    if cloud == "aws":
        return module.open_clouds(*module.REGIONS[:1])  # type: ignore[no-any-return]
    opened = module.azure_clouds if cloud == "azure" else module.open_clouds
    return opened(1)  # type: ignore[no-any-return]


@contextmanager
def deployed(cloud: Any, folder: Path, shown: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Deploy the app of a page on a cloud, as it is printed.

    Yields:
        The options of the target that lead to it.
    """
    provider = cloud.target.partition(":")[0]
    code = deploy(folder, provider, {"shop.py": shown["shop.py"]}, "shop")
    with ExitStack() as stack:
        options = dict(cloud.options)
        if provider == "aws":
            cloud.functions.deploy(Function("send-receipt", "handler.lambda_handler", code=code))
        elif provider == "azure":
            options["function_url"] = stack.enter_context(FunctionsHost(code)).url
        else:
            runtime = stack.enter_context(FunctionsFramework(code))
            cloud.deploy("send-receipt", Service(runtime, "/send-receipt"))
        yield options


def settings(cloud: Any, options: Mapping[str, str]) -> str:
    """Return the ``leeward.toml`` of an operator of this cloud, with its own names."""
    provider = cloud.target.partition(":")[0]
    lines = [f'[targets."{cloud.target}"]']
    lines += [f'{name} = "{value}"' for name, value in options.items()]
    own = {"buses.orders": EVENTS, "tables.orders": ITEMS}
    for section, name in own.items():
        lines += [f"[{section}]", f'names = {{ {provider} = "{name}" }}']
    return "\n".join(lines)


def run_everywhere() -> Iterator[tuple[str, str]]:
    """Run the program in a process of its own, once for each order and cloud.

    Yields:
        What ``CLOUD_PROVIDER`` is, and what the program prints.
    """
    shown = files("README.md")
    for variables, _ in (ORDERS[0], ORDERS[2]):
        yield variables.get("CLOUD_PROVIDER", "(not set)"), _printed(shown, variables)
    for provider in CLOUDS:
        with (
            TemporaryDirectory() as folder,
            started(provider) as (cloud,),
            deployed(cloud, Path(folder, "code"), shown) as options,
        ):
            variables = cloud.env | {"CLOUD_PROVIDER": cloud.target}
            toml = settings(cloud, options)
            yield cloud.target, _printed({**shown, "leeward.toml": toml}, variables)


def _printed(shown: Mapping[str, str], variables: Mapping[str, str]) -> str:
    names = ("CLOUD_PROVIDER", "LEEWARD_DATA_TARGET", "LEEWARD_CONFIG")
    env = {name: value for name, value in os.environ.items() if name not in names}
    with TemporaryDirectory() as folder:
        for name, text in shown.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "main.py"],
            cwd=folder,
            env={**env, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
    printed: str = done.stdout
    return printed.strip()
