"""What is raised for a failure: the worker sends text and causes of an exception to the host."""

from __future__ import annotations

from leeward.app.kit import Failure


class FunctionFailed(Exception):
    """A handler has failed; the class that is raised has the name of what it raised."""


def make_error(failure: Failure) -> Exception:
    """Return what to raise: of the name of what was raised, without its text and its causes."""
    name = failure.type if failure.type.isidentifier() else FunctionFailed.__name__
    kind = type(name, (FunctionFailed,), {"__module__": __name__})
    error: Exception = kind(failure.reason or "")
    return error
