"""Moving dead letters back: which ones, how fast, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from leeward.cli.dlq.letters import Found, Letters


class Wish(NamedTuple):
    """What somebody wants moved.

    Attributes:
        ids: of the letters; empty for all.
        force: also those that may have run.
        dry_run: move none, and say what would be.
        rate: letters for each second; None for as fast as it goes.
        keep: seconds for which the function remembers a key.
    """

    ids: frozenset[str] = frozenset()
    force: bool = False
    dry_run: bool = False
    rate: float | None = None
    keep: float = 86_400.0


class Moved(NamedTuple):
    """What was moved, or would be.

    Attributes:
        moved: how many.
        left: ids of those that may have run, and that nobody has agreed to.
        elsewhere: ids of those that name no queue which the operator has named.
        old: ids of those that are older than the function's memory of keys: a repeat of what has
            run is not recognised.
    """

    moved: int = 0
    left: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def redrive(
    letters: Letters,
    wish: Wish,
    now: float,
    *,
    agree: Callable[[Found], bool],
    sleep: Callable[[float], object],
    progress: Callable[[Moved], object],
) -> Moved:
    """Move letters back; what is proved not to have run by itself, the rest if that is agreed to.

    Args:
        letters: where they lie.
        wish: what is wanted.
        now: Unix seconds.
        agree: asks whether a letter is to be moved that may have run.
        sleep: waits for some seconds.
        progress: is told after each letter.

    Raises:
        LeewardError: one could not be moved; those before it are.
    """
    done = Moved()
    for found in letters.each():
        if wish.ids and found.id not in wish.ids:
            continue
        if not letters.goes_back(found):
            done = done._replace(elsewhere=(*done.elsewhere, found.id))
            progress(done)
            continue
        if found.time is not None and now - found.time > wish.keep:
            done = done._replace(old=(*done.old, found.id))
        if not (found.ran == "no" or wish.force or agree(found)):
            done = done._replace(left=(*done.left, found.id))
            progress(done)
            continue
        if not wish.dry_run:
            if wish.rate is not None and done.moved:
                sleep(1 / wish.rate)
            letters.move(found)
        done = done._replace(moved=done.moved + 1)
        progress(done)
    return done


def delete_letters(letters: Letters, wish: Wish, *, agree: Callable[[Found], bool]) -> Moved:
    """Delete the letters that `wish` names, if that is forced or agreed to.

    Raises:
        LeewardError: one could not be deleted; those before it are.
    """
    done = Moved()
    for found in letters.each():
        if found.id not in wish.ids:
            continue
        if not (wish.dry_run or wish.force or agree(found)):
            done = done._replace(left=(*done.left, found.id))
            continue
        if not wish.dry_run:
            letters.delete(found)
        done = done._replace(moved=done.moved + 1)
    return done
