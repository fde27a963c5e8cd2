"""``leeward postgres``: the schema of leeward in a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from leeward.cli.kit import (
    Block,
    GlobalOptions,
    Report,
    add_command,
    command_group,
    option,
    options_of,
)
from leeward.errors import ConfigError, LeewardError
from leeward_postgres.outcomes import Stage, result_of_error
from leeward_postgres.schema import VERSION, schema_sql

PROVIDER = "postgres"

_LOCKED = "55P03"
"""SQLSTATE: a lock was not available within the time that the schema waits for it."""


def schema(
    context: typer.Context,
    *,
    target: Annotated[
        str | None, option("Default: the first of PostgreSQL in the order.", "TARGET")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply it to the target's database.")
    ] = False,
) -> Report:
    """Print the SQL of the schema, or apply it. Applying it again does no harm.

    The role needs the right to create a schema, or to own the one that is there.
    """
    options = options_of(context)
    name = target or _first_target(options)
    if name.partition(":")[0] != PROVIDER:
        raise ConfigError(f"{name!r} is not a target of PostgreSQL; name one with --target")
    sections = options.settings().options
    section = sections.get(name, sections.get(PROVIDER, {}))
    where = section.get("schema", "leeward")
    if not isinstance(where, str):
        raise ConfigError(f"'schema' of {name} must be a string")
    sql = schema_sql(where)
    if apply:
        _apply(options, name, sql)
    data = {"target": name, "schema": where, "version": VERSION, "applied": apply, "sql": sql}
    text = f"The schema {where} of {name} has version {VERSION}."
    return Report(data, parts=[text if apply else Block("Schema", sql)])


def _first_target(options: GlobalOptions) -> str:
    order = [str(target) for target in options.resolve().order if target.provider == PROVIDER]
    if not order:
        raise ConfigError("no target of PostgreSQL is in the order; name one with --target")
    return order[0]


def _apply(options: GlobalOptions, target: str, sql: str) -> None:
    import psycopg  # by who has it, as the driver itself

    with replace(options, targets=target).client_of_data() as client:
        try:
            connection: Any = client.native(target, "connection")
            with connection:
                connection.autocommit = True
                connection.execute(sql.encode())
        except psycopg.Error as error:
            raise LeewardError(_flaw(error), target=target) from None


def _flaw(error: Any) -> str:
    """Return what went wrong, without what psycopg knows of the connection."""
    if error.sqlstate is None:
        return "the database cannot be reached, so nothing was applied"
    if error.sqlstate == _LOCKED:
        return (
            "the schema was not applied: another transaction has its tables in use; run this again "
            "when that has ended"
        )
    remedy = result_of_error(error.sqlstate, Stage.OPEN).message
    problem = f"the schema was not applied: {error.diag.message_primary}"
    return f"{problem} ({remedy})" if remedy else problem


POSTGRES = command_group("Leeward's schema in a database of PostgreSQL.")


@POSTGRES.callback()
def keep_group() -> None:
    """Leeward's schema in a database of PostgreSQL."""
    # Without a callback typer makes the one command the group itself, and drops its name.


add_command(
    POSTGRES,
    "schema",
    schema,
    "leeward postgres schema > schema.sql",
    "leeward postgres schema --target postgres:eu --apply",
)
