"""What a console shows, and what it may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leeward.app.answers import Answer
from leeward.app.app import App
from leeward.client import Client
from leeward.config import Config
from leeward.workflow.model import Definition
from leeward_dev.feed import Feed


@dataclass(frozen=True, slots=True)
class Sources:
    """What a console shows, and what it may do.

    Attributes:
        client: for calls. What it calls is in the feed.
        config: of the client.
        feed: what passes.
        app: that runs in this process; None where none does.
        target: whose rows are worked on here; None where that is not so.
        definitions: the workflows of the app and of the configuration.
        can_write: False where a console shows only.
        run_handler: run a handler of the app by hand, with its input as JSON, and return its
            answer; None where no app runs.
    """

    client: Client
    config: Config
    feed: Feed
    app: App | None = None
    target: str | None = None
    definitions: tuple[Definition, ...] = ()
    can_write: bool = False
    run_handler: Callable[[str, bytes], Answer] | None = None
