"""The layout of the database, as statements of SQL, and its version.

Everything lies in a schema of its own. Tables are open to other programs: `items.item` is what the
item says, in plain `jsonb`, and `items.leeward` beside it says what that cannot: see
`leeward_postgres.items`. A program that changes an item need not change its revision; a trigger
does.

Each part of the layout is a module beside this one, with its statements and their values.
"""

from __future__ import annotations

from typing import Final

from leeward import stores
from leeward_postgres.schema import apps, data, queues, runs

VERSION: Final = 5
"""Of the schema that this client needs. A change that clients of before can live with leaves
`OLDEST` as it is."""

OLDEST: Final = 3  # the oldest client that this schema serves, by the version it needs

WRONG_VERSION: Final = "LW003"
"""Stands where a SQLSTATE does, for a schema that does not suit this client."""

NOT_DURABLE: Final = "LW004"
"""The same, for a server that may lose what it has committed."""

WRONG_STAGE: Final = "LW006"
"""The same, for a schema that belongs to another stage."""

_PARTS: Final = (data, queues, apps, runs)
"""Modules with `SQL`, in the order in which it runs; a constant stands in braces there."""

_HEAD: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};

CREATE TABLE IF NOT EXISTS {schema}.version (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version integer NOT NULL,
    oldest integer NOT NULL              -- the oldest client that this schema serves
);

DO $$ BEGIN  -- its functions are not replaced by older ones
    IF (SELECT version FROM {schema}.version) > {VERSION} THEN
        RAISE EXCEPTION 'it has a later version than {VERSION}: upgrade leeward-postgres first'
            USING ERRCODE = '{WRONG_VERSION}';
    END IF;
END $$;
"""

PATH: Final = "pg_catalog, pg_temp"
"""Where names without a schema are looked for: nobody else may put anything before it."""

_VERSION: Final = """
-- Whoever may write rows may call the functions, and nobody else; of those of before the same.
DO $$ DECLARE v_function text; v_roles text; BEGIN
    SELECT string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
        ', ') INTO v_roles FROM pg_class, aclexplode(relacl)
    WHERE relnamespace = '{schema}'::regnamespace AND privilege_type = 'INSERT';
    FOR v_function IN SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = '{schema}'::regnamespace AND pg_has_role(proowner, 'USAGE')
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = {PATH}', v_function);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
        IF v_roles <> '' THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', v_function, v_roles);
        END IF;
    END LOOP;
END $$;
ALTER TABLE {schema}.version ADD COLUMN IF NOT EXISTS
    stage text,                          -- to which all of this belongs; NULL for none yet
    ADD COLUMN IF NOT EXISTS lineage text; -- of the server: see `check_lineage`
INSERT INTO {schema}.version (version, oldest) VALUES ({VERSION}, {OLDEST})
ON CONFLICT (single) DO UPDATE SET version = {VERSION}, oldest = {OLDEST}
WHERE version.version < {VERSION};
SELECT {schema}.check_lineage();
"""

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('leeward schema'), 0);"
_SETTINGS: Final = f"SET LOCAL search_path = {PATH};\nSET LOCAL lock_timeout = '2s';"
"""A change of the schema gives up before those that come after it have waited for long."""


def schema_sql(schema: str) -> str:
    """Return the statements that make the schema, or bring it up to date; once more is harmless.

    Args:
        schema: its name, a plain identifier.
    """
    names = {**globals(), **vars(data), **vars(queues), **vars(stores), "schema": quote(schema)}
    texts = [text.format(**names) for text in (_HEAD, *(part.SQL for part in _PARTS), _VERSION)]
    parts = "\n".join(text.strip("\n") + "\n" for text in texts).strip()
    return f"BEGIN;\n{_SETTINGS}\n{_LOCK}\n\n{parts}\n\nCOMMIT;\n"


def quote(name: str) -> str:
    """Return a name as SQL quotes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
