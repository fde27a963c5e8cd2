"""``make clouds``: three clouds on this machine, to try a program of one's own on.

They stand until the end of the input. Each line of it is a command: ``cut aws`` lets nothing reach
that cloud any more, ``back aws`` ends that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

from leeward_contract_tests.fixtures import ECHO, EVENTS, ITEMS
from tests.demo.flagship import CLOUDS, started

FOLDER = Path(".clouds")

HELP = "commands: cut aws, back aws (or azure, google); the end of the input ends the clouds"

_OWN_NAMES = {
    "functions.charge-card": ECHO,
    "functions.send-receipt": ECHO,
    "buses.orders": EVENTS,
    "tables.orders": ITEMS,
}
"""What the servers have deployed, by what a program calls it."""


class Bench:
    """Clouds that stand.

    Args:
        clouds: by their providers.

    Attributes:
        clouds: the same.
    """

    def __init__(self, clouds: dict[str, Any]) -> None:
        self.clouds = clouds
        self._cut: dict[str, ExitStack] = {}

    def order(self) -> str:
        """Return the clouds as ``CLOUD_PROVIDER`` names them."""
        return ",".join(cloud.target for cloud in self.clouds.values())

    def settings(self) -> str:
        """Return the ``leeward.toml`` of their operator."""
        lines: list[str] = []
        for cloud in self.clouds.values():
            lines += ["", f'[targets."{cloud.target}"]']
            lines += [f'{name} = "{value}"' for name, value in cloud.options.items()]
        for section, name in _OWN_NAMES.items():
            names = ", ".join(f'{provider} = "{name}"' for provider in self.clouds)
            lines += ["", f"[{section}]", f"names = {{ {names} }}"]
        return "\n".join(lines).lstrip() + "\n"

    def variables(self) -> dict[str, str]:
        """Return the environment of a program that calls them; the first one has the tables."""
        found = {"CLOUD_PROVIDER": self.order(), "LEEWARD_DATA_TARGET": self.order().split(",")[0]}
        for cloud in self.clouds.values():
            found |= cloud.env
        return found

    def do(self, command: str) -> str:
        """Carry out a command; return what has come of it."""
        verb, _, provider = command.strip().partition(" ")
        if verb not in ("cut", "back") or provider not in self.clouds:
            return HELP
        target = self.clouds[provider].target
        self._cut.pop(provider, ExitStack()).close()
        if verb == "back":
            return f"{target} is back"
        stack = self._cut[provider] = ExitStack()
        stack.enter_context(self.clouds[provider].faults().refuse())
        return f"{target} is cut off"

    def close(self) -> None:
        """Let all clouds back."""
        for stack in self._cut.values():
            stack.close()


@contextmanager
def bench(providers: Iterable[str] = CLOUDS) -> Iterator[Bench]:
    """Start one cloud of each provider."""
    with ExitStack() as stack:
        clouds = {each: stack.enter_context(started(each))[0] for each in providers}
        standing = Bench(clouds)
        stack.callback(standing.close)
        yield standing


def write(standing: Bench, folder: Path) -> list[str]:
    """Write what leads a program to the clouds; return what to type in its terminal."""
    folder.mkdir(exist_ok=True)
    settings = folder.absolute() / "leeward.toml"
    settings.write_text(standing.settings(), encoding="utf-8")
    variables = standing.variables() | {"LEEWARD_CONFIG": str(settings)}
    script = folder.absolute() / "env.sh"
    script.write_text(
        "".join(f"export {name}={quote(value)}\n" for name, value in variables.items()),
        encoding="utf-8",
    )
    return [f". {script}", "python main.py"]


def main() -> int:
    """Let the clouds stand until the input ends."""
    print(f"starting {', '.join(CLOUDS)}", file=sys.stderr)  # noqa: T201
    with bench() as standing:
        print(f"{standing.order()} are there. In another terminal:")  # noqa: T201
        for line in write(standing, FOLDER):
            print(f"    {line}")  # noqa: T201
        print(HELP, flush=True)  # noqa: T201
        try:
            for command in sys.stdin:
                print(standing.do(command), flush=True)  # noqa: T201
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
