"""What an adapter is given to open one target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from leeward.adapter.driver import Driver
from leeward.errors import ConfigError
from leeward.masking import mask
from leeward.text import did_you_mean


class TargetConfig(NamedTuple):
    """What an adapter's factory is given to open one target.

    Attributes:
        name: as written in the order, ``aws:us-east-1``.
        provider: the part before the colon.
        qualifier: the part after it, or None.
        options: the keys of its section in ``leeward.toml``.
        env: the environment that may be honoured; empty with ``trust_env = false``.
        trust_env: False in the hardened mode: the environment, credential executables and files
            that point elsewhere are refused.
        shared: the section is the provider's, because the whole name has none.
        file: the path of the ``leeward.toml`` that has the section; None without a file.
    """

    name: str
    provider: str
    qualifier: str | None
    options: Mapping[str, Any]
    env: Mapping[str, str]
    trust_env: bool = True
    shared: bool = False
    file: str | None = None

    def __repr__(self) -> str:
        return mask(self, "name provider qualifier trust_env shared file")

    @property
    def section(self) -> str:
        """The section of the options, such as ``[targets."nimbus:north"] of leeward.toml``."""
        section = f'[targets."{self.provider if self.shared else self.name}"]'
        return section if self.file is None else f"{section} of {self.file}"

    def check_options(self, known: Mapping[str, type]) -> None:
        """Raise `ConfigError` for an option that `known` lacks, or that has another type."""
        for option, value in self.options.items():
            where = f"{option!r} in {self.section}"
            if option not in known:
                raise ConfigError(f"unknown key {where}{_nearest(option, known)}")
            if type(value) is not known[option]:
                raise ConfigError(
                    f"{where} must be a {known[option].__name__}, not {type(value).__name__}"
                )


def _nearest(option: str, known: Iterable[str]) -> str:
    return f"{did_you_mean(option, known) or ';'} known: {', '.join(sorted(known))}"


Opener: TypeAlias = Callable[[TargetConfig], Driver]
"""What an entry point of the group ``leeward.adapters`` names."""
