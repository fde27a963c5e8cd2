"""tenacity: call again only where nothing ran: ``@retry(retry=retry_if_did_not_run, ...)``."""

from __future__ import annotations

from tenacity import retry_if_exception

from leeward_ran.retries import did_not_run

retry_if_did_not_run = retry_if_exception(did_not_run)
"""A predicate for `retry=`; `&` and `|` combine it with others."""
