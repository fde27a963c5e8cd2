"""The options of a target as data: one row each, and one reader for every adapter.

```python
OPTIONS = (
    Option("region", "where the services are", variables="STRATUS_REGION", qualifier=True),
    Option("key", "of the account", secret=True, excludes="identity"),
    Option("identity", "`platform`: the platform's own", check=matching("platform", "'platform'")),
)
values = read_options(config, OPTIONS)
values["region"]
```

An option goes before its variables, and an empty variable counts as absent. With
``trust_env = false`` no variable counts. No message repeats a value: it may be a key, a token, a
connection string, or a URL with a password in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from leeward.adapter import TargetConfig
from leeward.errors import ConfigError
from leeward.records import NamedTuple
from leeward.text import is_token
from leeward.values import NOTHING


class Setting(NamedTuple):
    """What an option or a variable says.

    Attributes:
        value: as it was found, or once it was checked.
        where: where it was found, for messages.
        variable: it was found in a variable.
    """

    value: Any
    where: str
    variable: bool = False

    def __repr__(self) -> str:
        """Leave the value out."""
        return f"Setting({self.where})"


class Option(NamedTuple):
    """An option of a target.

    Attributes:
        name: its key in the target's section.
        help: what it means, in a line of Markdown for the adapter's page.
        type: of its value. A ``dict`` maps names to texts, and the other rules are for each text.
        variables: with blanks between; the first that is set says the same, where the option is
            not there.
        check: raises `ConfigError` for a wrong value, and returns what is to be used in its place.
            It may look at other options, and finds them checked.
        secret: it must be text that a header can carry.
        default: the value where nothing is set; of a ``dict`` it is an empty one.
        required: without it no target is opened.
        needs: texts like ``"app or url"``: it has no effect unless one of each is set.
        excludes: options that contradict it, with blanks between. Two in the section are refused.
            A variable gives way to what stands in the section, and of two variables the option
            that comes first counts.
        qualifier: what stands behind the colon in the target's name says it, and goes first.
        key: False for what can be said by a variable only.
        hardened: it counts with ``trust_env = false`` alone.
        may_be_empty: an empty text is a value.
    """

    name: str
    help: str
    type: type = str
    variables: str = ""
    check: Check | None = None
    secret: bool = False
    default: Any = None
    required: bool = False
    needs: Sequence[str] = ()
    excludes: str = ""
    qualifier: bool = False
    key: bool = True
    hardened: bool = False
    may_be_empty: bool = False


class Values:
    """What is in force for a target, by the names of its options; each is checked once.

    Args:
        config: of the target.
        rows: all options by name.
        settings: those that are set, as they were found.
    """

    def __init__(
        self, config: TargetConfig, rows: Mapping[str, Option], settings: Mapping[str, Setting]
    ) -> None:
        self.config = config
        self._rows = rows
        self._found = dict(settings)
        self._checked: dict[str, Setting] = {}

    def __getitem__(self, option: str) -> Any:
        """Return the value of an option, or its default."""
        setting = self.setting(option)
        if setting is not None:
            return setting.value
        row = self._rows[option]
        return NOTHING if row.type is dict else row.default

    def setting(self, option: str) -> Setting | None:
        """Return what says the value of an option; None where nothing does."""
        setting = self._found.pop(option, None)
        if setting is not None:
            value = _check(self._rows[option], setting, self)
            self._checked[option] = setting._replace(value=value)
        return self._checked.get(option)


Check: TypeAlias = Callable[[Setting, Values], Any]


def read_options(config: TargetConfig, options: Sequence[Option]) -> Values:
    """Read what is set for a target, in its section and in the environment.

    Raises:
        ConfigError: names the option or the variable, and the remedy.
    """
    config.check_options({option.name: option.type for option in options if option.key})
    rows = {option.name: option for option in options}
    settings = {row.name: setting for row in options if (setting := _find(row, config)) is not None}
    _settle_contradictions(rows, settings)
    _refuse_idle(rows, settings, config)
    for row in options:
        if row.required and row.name not in settings:
            _refuse_missing(row, config)
    values = Values(config, rows, settings)
    for name in rows:
        values.setting(name)
    return values


def _find(row: Option, config: TargetConfig) -> Setting | None:
    if row.qualifier and config.qualifier is not None:
        return Setting(config.qualifier, f"the second part of {config.name!r}")
    if row.key and row.name in config.options:
        value, where = config.options[row.name], f"{row.name!r} in {config.section}"
        if value == "" and not row.may_be_empty:
            raise ConfigError(f"{where} is empty: give it a value, or remove it")
        if row.hardened and config.trust_env:
            raise ConfigError(
                f"{where} has no effect while trust_env is true; set trust_env = false, "
                "or remove it"
            )
        return Setting(value, where)
    for name in row.variables.split() if config.trust_env else ():
        if text := config.env.get(name):
            return Setting(_parse_switch(text, name) if row.type is bool else text, name, True)
    return None


def _refuse_missing(row: Option, config: TargetConfig) -> None:
    variables = " or ".join(row.variables.split()) if config.trust_env else ""
    raise ConfigError(
        f"{row.name!r} is missing in {config.section}: set it"
        + (f", or the variable {variables}" if variables else "")
    )


def _settle_contradictions(rows: Mapping[str, Option], settings: dict[str, Setting]) -> None:
    for row in rows.values():
        for other in row.excludes.split():
            if row.name not in settings or other not in settings:
                continue
            pair = [name for name in rows if name in (row.name, other)]
            variables = [name for name in pair if settings[name].variable]
            if not variables:
                refuse_both(settings[row.name], settings[other])
            del settings[variables[-1]]


def _refuse_idle(
    rows: Mapping[str, Option], values: dict[str, Setting], config: TargetConfig
) -> None:
    """Refuse an option that nothing uses. A variable that nothing uses may be another program's."""
    while idle := [name for name in values if values[name].variable and _lacks(rows[name], values)]:
        for name in idle:
            del values[name]
    for name, setting in values.items():
        if lacking := _lacks(rows[name], values):
            if config.trust_env:
                lacking += [variable for one in lacking for variable in rows[one].variables.split()]
            raise ConfigError(
                f"{setting.where} has no effect without {' or '.join(lacking)}: set it as well, or "
                f"remove {name}"
            )


def _lacks(row: Option, settings: Mapping[str, Setting]) -> list[str]:
    """Return the options of which one would have to be set; an empty list for none."""
    for need in row.needs:
        names = need.split(" or ")
        if not any(name in settings and settings[name].value != {} for name in names):
            return names
    return []


def _check(row: Option, setting: Setting, values: Values) -> Any:
    if row.type is dict:
        return {
            name: _check_text(row, Setting(text, f"{name!r} of {setting.where}"), values)
            for name, text in setting.value.items()
        }
    return _check_text(row, setting, values)


def _check_text(row: Option, setting: Setting, values: Values) -> Any:
    if row.type is dict and not (isinstance(setting.value, str) and setting.value):
        raise ConfigError(f"{setting.where} must be a non-empty string")
    if row.secret and not is_token(setting.value):
        raise ConfigError(
            f"{setting.where} holds white space or a character outside ASCII: set it again"
        )
    return setting.value if row.check is None else row.check(setting, values)


def _parse_switch(text: str, where: str) -> bool:
    """Return whether a variable says true."""
    word = text.lower()
    if word not in ("true", "false"):
        raise ConfigError(f"{where} must be true or false")
    return word == "true"


def refuse_both(one: Setting, other: Setting) -> None:
    """Raise `ConfigError` for two settings that contradict each other."""
    raise ConfigError(f"{one.where} and {other.where} exclude each other: remove one of them")


def matching(pattern: str, what: str, strip: str = "") -> Check:
    """Return a check for text of a form; its message tells `what` the text must be.

    Args:
        pattern: a regular expression for the whole text.
        what: goes on after "must be".
        strip: characters that do not count at both ends, and are taken away there.
    """

    def check(setting: Setting, _: Values) -> str:
        text: str = setting.value.strip(strip) if strip else setting.value
        if re.fullmatch(pattern, text) is None:
            raise ConfigError(f"{setting.where} must be {what}")
        return text

    return check


def table_of(options: Iterable[Option]) -> str:
    """Return the rows as a table in Markdown, for the adapter's page."""
    lines = ["| key | variable | meaning |", "|---|---|---|"]
    for option in options:
        variables = ", ".join(f"`{name}`" for name in option.variables.split())
        line = f"| {f'`{option.name}`' if option.key else ''} | {variables} | {option.help} |"
        lines.append(line.replace("|  |", "| |"))
    return "\n".join(lines)
