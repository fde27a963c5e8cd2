"""Let Terraform's own core validate, apply and plan again what `leeward export` writes.

    python -m tests.packages.core [--cloud aws] [--app many-60]

The core comes as a library. Its provider is made of the schemas that are kept, so nothing is asked,
and nothing is made. Of each app, in two regions of each cloud: the files are valid, an apply makes
every resource once, in an order without a circle, and a second plan changes nothing. Of facts and a
module, apps of 2, 20 and 60 handlers of all kinds are tried, too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from leeward import App
from leeward_deploy.recipe import Entry, PackageSpec
from tests.packages.exported import (
    CLOUDS,
    EVERYTHING,
    ORDERS,
    PYTHON,
    SHOP,
    everything,
    example,
    settings,
)
from tests.packages.ordinary import usual
from tests.packages.roots import Root


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
    for count in (2, 20, 60):
        asked = PackageSpec(many(count), Entry("m", "a"), *PYTHON)
        yield f"many-{count}", asked, usual(cloud).text


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


def prove(cloud: str, name: str, asked: PackageSpec, text: str) -> Proof:
    """Validate, apply and plan again the files of an app.

    Raises:
        AssertionError: the core refuses them, or would change something after it has applied them.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        root = Root(cloud, Path(place))
        root.export(asked, text)
        if cloud != "azure":
            root.set_variables(certificate='"a-certificate"')
        root.validate()
        root.apply()
        assert root.plan().actions == {}
        return Proof(cloud, name, len(root.state()), time.monotonic() - began)


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
