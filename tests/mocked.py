"""Requests that never leave, beside those of servers that other tests have left running."""

from __future__ import annotations

import responses


def requests_mock() -> responses.RequestsMock:
    """Give a mock of every request but those to this machine that nobody has mocked.

    A server that lives for the session may go on asking another one, from a thread of its own.
    """
    mock = responses.RequestsMock()
    for scheme in ("http", "https"):
        mock.add_passthru(f"{scheme}://127.0.0.1")
    return mock
