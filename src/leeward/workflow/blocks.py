"""The blocks of a flow, for the ``with`` that opens them: handlers, branches, cases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from leeward.errors import ConfigError
from leeward.workflow.model import Block, Branch, Case, Handler, Node, Reference
from leeward.workflow.symbols import Ref, Test, condition_of
from leeward.workflow.trace import Trace, users_line


class AttemptBlock:
    """The block of `Flow.attempt`: `on` adds a handler."""

    def __init__(self, trace: Trace, id: str) -> None:
        self._trace = trace
        self._id = id

    @contextmanager
    def on(self, *errors: str) -> Iterator[Ref]:
        """Handle errors of these names with the block; `ANY` is every name.

        ``as`` gets a reference to the error, with the fields `name` and `steps`.

        Raises:
            ConfigError: other nodes were added since the attempt.
        """
        self._trace.last_attempt(self._id)
        with self._trace.collected() as body:
            yield Ref(Reference(self._id))
        self._trace.add_handler(self._id, Handler(errors, tuple(body)))


class ParallelBlock:
    """The block of `Flow.parallel`: `branch` adds a branch."""

    def __init__(self, trace: Trace) -> None:
        self.branches: list[Branch] = []
        self._trace = trace

    @contextmanager
    def branch(self, id: str) -> Iterator[None]:
        """Add the block as a branch."""
        with self._trace.collected() as body:
            yield
        self.branches.append(Branch(id, tuple(body)))


class Choice:
    """The block of `Flow.choose`: `when` adds a case, and `otherwise` the default."""

    def __init__(self, trace: Trace) -> None:
        self.cases: list[Case] = []
        self.default: Block = ()
        self._trace = trace

    @contextmanager
    def when(self, test: Test) -> Iterator[None]:
        """Add the block as a case."""
        condition = condition_of(test)
        with self._trace.collected() as body:
            yield
        self.cases.append(Case(condition, tuple(body)))

    @contextmanager
    def otherwise(self) -> Iterator[None]:
        """Run the block if no case holds."""
        with self._trace.collected() as body:
            yield
        self.default = tuple(body)


def refuse_loose(body: list[Node], kind: str, method: str) -> None:
    """Refuse what was added to a block of blocks, and to none of them.

    Raises:
        ConfigError: something was.
    """
    if body:
        raise ConfigError(
            f"{users_line()}: {body[0].id!r} stands in `{kind}` and in none of its blocks; put it "
            f"into `{method}`"
        )
