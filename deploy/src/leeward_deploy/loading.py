"""The app of a folder, imported: what it has registered decides what it needs.

Its modules are forgotten again, and none of their names that was loaded before is taken for one of
them: another folder may have modules of the same names.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module, invalidate_caches
from pathlib import Path
from stat import S_IWOTH

from leeward.app.app import App
from leeward.errors import ConfigError
from leeward.logs import import_flaw
from leeward_deploy.recipe import Entry


def load_app(folder: Path, entry: Entry) -> App:
    """Import the app of a folder, and check its handlers.

    Raises:
        ConfigError: it cannot be imported, is not an `App`, or a handler is wrong.
    """
    if os.name == "posix" and folder.stat().st_mode & S_IWOTH:
        raise ConfigError(
            f"{folder} may be written by others, who could put a module there; run "
            f"`chmod o-w {folder}`"
        )
    where = f"{entry.module}:{entry.attribute}"
    own = {each.stem for each in folder.iterdir() if each.is_dir() or each.suffix == ".py"}
    others = {name: sys.modules.pop(name) for name in [*sys.modules] if _top_of(name) in own}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    invalidate_caches()
    try:
        found = _import(entry, f"{where} in {folder}")
        if not isinstance(found, App):
            raise ConfigError(f"{where} is not an App; name one as MODULE:NAME")
        found.check()
    finally:
        sys.path.remove(str(folder))
        _forget(set(sys.modules) - before, folder)
        sys.modules.update(others)
    return found


def _import(entry: Entry, where: str) -> object:
    try:
        return getattr(import_module(entry.module), entry.attribute, None)
    except Exception as error:  # a module may fail in any way while it is imported
        raise ConfigError(
            f"{where} cannot be imported ({import_flaw(error)}); install what it needs "
            "here too, and correct it"
        ) from error


def _top_of(name: str) -> str:
    return name.partition(".")[0]


def _forget(names: set[str], folder: Path) -> None:
    """Forget the modules of `names` that come from a folder."""
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).resolve().is_relative_to(folder.resolve()):
            del sys.modules[name]
