"""A module that lacks what it needs."""

import a_module_that_was_not_packed  # type: ignore[import-not-found]  # noqa: F401
