"""A fault schedule that breaks a promise, made as small as it can be and still break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.simulation.faults import Schedule, Window
from tests.simulation.scenarios import Episode, Setting

MOST_TRIES = 60
"""Runs of an episode that looking for a smaller one may take."""

Breaks = Callable[[Episode, Setting], bool]
"""Whether an episode in a setting breaks the promise."""


def shrink(episode: Episode, setting: Setting, breaks: Breaks) -> tuple[Episode, Setting]:
    """Return the smallest episode and setting found that still break the promise.

    Fewer calls, fewer windows, shorter windows and fewer kinds of faults are tried, as long as any
    of that helps.
    """
    tries = 0
    smaller = True
    while smaller and tries < MOST_TRIES:
        smaller = False
        for each in _smaller(episode, setting):
            tries += 1
            if breaks(*each):
                (episode, setting), smaller = each, True
                break
            if tries >= MOST_TRIES:
                break
    return episode, setting


def _smaller(episode: Episode, setting: Setting) -> Iterator[tuple[Episode, Setting]]:
    for share in (2, 4):
        if episode.calls >= 2 * share:
            yield episode._replace(calls=episode.calls - episode.calls // share), setting
    windows = setting.schedule.windows
    for index, window in enumerate(windows):
        without = windows[:index] + windows[index + 1 :]
        yield episode, _with(setting, without)
        for fault in window.faults if len(window.faults) > 1 else ():
            only = Window(window.start, window.end, window.targets, (fault,), window.share)
            yield episode, _with(setting, (*windows[:index], only, *windows[index + 1 :]))


def _with(setting: Setting, windows: tuple[Window, ...]) -> Setting:
    schedule = Schedule(windows, setting.schedule.baseline)
    return setting._replace(schedule=schedule)
