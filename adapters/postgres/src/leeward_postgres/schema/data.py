"""Items, objects, and the ids of writes.

Each write is one call of a function, so that it is one statement, which commits itself: no state of
a session counts, and a pooler in transaction mode may stand between. Its last step records its id
in `writes`, whose primary key decides: whoever settles a write records the same id, so one of the
two comes first, and the other one waits for it and sees it. That holds at every level of isolation.

A server that goes on from an earlier time, as a standby that was behind, has lost rows: the first
write in each session looks for that.
"""

from __future__ import annotations

from typing import Final

KEPT_SECONDS: Final = 3 * 3600  # of the id of a write that took place

SURE_SECONDS: Final = KEPT_SECONDS - 3600
"""For which such an id is there, even if a failover to another machine puts the clock back."""

VOID_SECONDS: Final = 31 * 86_400
"""Of the id of a write that was settled as not run: longer than any request can be under way."""

PIECE_BYTES: Final = 1024 * 1024
"""Of a piece of an object: what is in memory at once, here and at the server, a few times over."""

SETTLED: Final = "LW001"
"""The SQLSTATE of a write that was settled before it came: it has no effect."""

REPEATED: Final = "LW002"
"""The SQLSTATE of a write that took place before: it has no effect a second time."""

SQL: Final = """
CREATE TABLE IF NOT EXISTS {schema}.items (
    name text COLLATE "C" NOT NULL,      -- of the table
    key text[] COLLATE "C" NOT NULL,     -- the values of its key
    item jsonb NOT NULL,
    leeward jsonb NOT NULL DEFAULT '{{}}', -- write id, types, digest
    revision text NOT NULL DEFAULT gen_random_uuid()::text,
    expires_at double precision,         -- Unix seconds
    PRIMARY KEY (name, key)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX IF NOT EXISTS items_expiry ON {schema}.items (expires_at)
    WHERE expires_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS {schema}.objects (
    bucket text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    size bigint NOT NULL,                -- bytes
    revision text NOT NULL,              -- the id of the write
    checksum text NOT NULL,              -- SHA-256, in hex
    metadata json,
    PRIMARY KEY (bucket, name)
);

CREATE TABLE IF NOT EXISTS {schema}.pieces (
    object bigint NOT NULL,              -- its id
    number integer NOT NULL,             -- from 0
    body bytea NOT NULL,                 -- {PIECE_BYTES} bytes; of the last one, what is left
    PRIMARY KEY (object, number)
);

DO $$ BEGIN  -- not compressed; only where it is not so yet, for it takes a lock that stops readers
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = '{schema}.pieces'::regclass
               AND attname = 'body' AND attstorage <> 'e') THEN
        ALTER TABLE {schema}.pieces ALTER COLUMN body SET STORAGE EXTERNAL;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS {schema}.writes (
    id text COLLATE "C" PRIMARY KEY,     -- of a write
    ran boolean                          -- false: it did not, and never will; NULL: not known
    -- '~' and the beginning of an id: of writes before it, a restore brought back no ids
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE OR REPLACE FUNCTION {schema}.new_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := gen_random_uuid()::text;
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER new_revision BEFORE UPDATE ON {schema}.items FOR EACH ROW
    WHEN (NEW.revision = OLD.revision AND NEW.* IS DISTINCT FROM OLD.*)
    EXECUTE FUNCTION {schema}.new_revision();

-- The beginning of the ids that are minted so many seconds ago.
CREATE OR REPLACE FUNCTION {schema}.ids_from(seconds_ago double precision) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT substr(hex, 1, 8) || '-' || substr(hex, 9, 4) FROM (SELECT lpad(to_hex(
        ((extract(epoch FROM clock_timestamp()) - seconds_ago) * 1000)::bigint), 12, '0') AS hex
    ) AS stamp
$$;

-- Delete what nobody needs any more, a part of it at a time.
CREATE OR REPLACE FUNCTION {schema}.prune() RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off  -- a plan that was made while the tables were empty would read them whole
AS $$
DECLARE  -- computed once: the index does not serve a condition that calls a function
    v_kept text := {schema}.ids_from({KEPT_SECONDS});
    v_void text := {schema}.ids_from({VOID_SECONDS});
BEGIN
    DELETE FROM {schema}.writes WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}.writes WHERE id < v_kept AND (ran OR id < v_void)
        ORDER BY id LIMIT 2000 FOR UPDATE SKIP LOCKED));
    DELETE FROM {schema}.writes WHERE ctid = ANY (ARRAY(  -- of restores: see `record_write`
        SELECT ctid FROM {schema}.writes WHERE id >= 'restore-' AND id ~ '^(restore-|~)'
            AND (SELECT max(id) FROM {schema}.writes WHERE id > '~') < '~' || v_void
        ORDER BY id LIMIT 2000 FOR UPDATE SKIP LOCKED));
    DELETE FROM {schema}.items WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {schema}.items
        WHERE expires_at < extract(epoch FROM clock_timestamp()) - 86400
        ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED));
END $$;

-- Let nothing prove any more that a call or a write did not take place: rows may be missing.
CREATE OR REPLACE FUNCTION {schema}.begin_anew() RETURNS void LANGUAGE plpgsql AS $$
BEGIN  -- a minute for clocks, and one that `left` cuts off
    INSERT INTO {schema}.writes VALUES ('~' || left({schema}.ids_from(-126), 8))
    ON CONFLICT DO NOTHING;
    IF FOUND THEN  -- registers of keys: see `leeward.app.idempotency.register`
        WITH RECURSIVE tables (name) AS (SELECT min(name) FROM {schema}.items UNION ALL
            SELECT (SELECT min(name) FROM {schema}.items WHERE name > tables.name) FROM tables
            WHERE name IS NOT NULL)
        DELETE FROM {schema}.items USING tables
        WHERE items.name = tables.name AND key >= '{{:register:}}' AND key < '{{:register;}}';
    END IF;
END $$;

-- Begin anew where a copy of an earlier time goes on, as after a promotion; once in a session.
CREATE OR REPLACE FUNCTION {schema}.check_lineage() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER AS $$
DECLARE
    v_lineage text := '';
BEGIN
    BEGIN  -- the cluster, its timeline, and the table: a dump makes it anew
        v_lineage := concat_ws(' ', (SELECT system_identifier FROM pg_control_system()),
            left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), '{schema}.items'::regclass::oid);
    EXCEPTION WHEN OTHERS THEN  -- a service that hides it
    END;
    PERFORM {schema}.begin_anew() FROM {schema}.version WHERE lineage <> v_lineage;
    UPDATE {schema}.version SET lineage = v_lineage WHERE lineage IS DISTINCT FROM v_lineage;
    PERFORM set_config('leeward.lineage', '{schema}', false);
END $$;

-- Record that a write takes place, as its last step; one that was settled, or took place before,
-- ends here, and leaves nothing behind.
CREATE OR REPLACE FUNCTION {schema}.record_write(p_id text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM {schema}.check_lineage()
    WHERE current_setting('leeward.lineage', true) IS DISTINCT FROM '{schema}';
    INSERT INTO {schema}.writes (id, ran) VALUES (p_id, true) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the write took place before, or was settled' USING ERRCODE = (
            SELECT CASE WHEN ran THEN '{REPEATED}' ELSE '{SETTLED}' END
            FROM {schema}.writes WHERE id = p_id);
    END IF;
    PERFORM {schema}.begin_anew() WHERE starts_with(p_id, 'restore-');
    PERFORM {schema}.prune() WHERE random() < 0.002;
END $$;

-- Return what became of a write whose condition does not hold: it may have taken place before.
CREATE OR REPLACE FUNCTION {schema}.unmet(p_id text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce((SELECT CASE WHEN ran THEN 'repeated' ELSE 'settled' END
        FROM {schema}.writes WHERE id = p_id), 'conflict')
$$;

CREATE OR REPLACE FUNCTION {schema}.store_item(
    p_id text, p_name text, p_key text[], p_item jsonb, p_leeward jsonb,
    p_expires double precision, p_now double precision, p_absent boolean, p_revision text,
    p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    -- Look first: the INSERT would lock the row that is there, and a lock waits for the disk.
    -- Not in SERIALIZABLE: there the look would clash with whoever inserts a key beside this one.
    IF p_absent AND current_setting('transaction_isolation') <> 'serializable' AND EXISTS (
        SELECT FROM {schema}.items
        WHERE name = p_name AND key = p_key AND (expires_at IS NULL OR expires_at > p_now)
    ) THEN
        RETURN {schema}.unmet(p_id);
    END IF;
    IF p_revision IS NOT NULL THEN
        UPDATE {schema}.items
        SET item = p_item, leeward = p_leeward, revision = p_id, expires_at = p_expires
        WHERE name = p_name AND key = p_key AND revision = p_revision
            AND (expires_at IS NULL OR expires_at > p_now);
    ELSE
        INSERT INTO {schema}.items AS present (name, key, item, leeward, revision, expires_at)
        VALUES (p_name, p_key, p_item, p_leeward, p_id, p_expires)
        ON CONFLICT (name, key) DO UPDATE
        SET item = p_item, leeward = p_leeward, revision = p_id, expires_at = p_expires
        WHERE NOT p_absent OR present.expires_at <= p_now;
    END IF;
    IF NOT FOUND THEN
        RETURN {schema}.unmet(p_id);
    END IF;
    PERFORM {schema}.record_write(p_id);
    RETURN 'ok';
END $$;

CREATE OR REPLACE FUNCTION {schema}.delete_item(
    p_id text, p_name text, p_key text[], p_now double precision, p_revision text,
    p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    DELETE FROM {schema}.items
    WHERE name = p_name AND key = p_key AND (p_revision IS NULL
        OR revision = p_revision AND (expires_at IS NULL OR expires_at > p_now));
    IF NOT FOUND AND p_revision IS NOT NULL THEN
        RETURN {schema}.unmet(p_id);
    END IF;
    PERFORM {schema}.record_write(p_id) WHERE p_id <> '';
    RETURN 'ok';
END $$;

-- Put an object, with the first of its pieces; those after it are for the same transaction.
CREATE OR REPLACE FUNCTION {schema}.put_object(
    p_id text, p_bucket text, p_name text, p_size bigint, p_checksum text, p_metadata json,
    p_body bytea, p_absent boolean, p_revision text, p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_object bigint;
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true),
        set_config('idle_in_transaction_session_timeout', p_milliseconds::text, true);
    IF p_absent AND current_setting('transaction_isolation') <> 'serializable' AND EXISTS (
        SELECT FROM {schema}.objects WHERE bucket = p_bucket AND name = p_name  -- as above
    ) THEN
        RETURN {schema}.unmet(p_id);
    END IF;
    IF p_revision IS NOT NULL THEN
        UPDATE {schema}.objects
        SET size = p_size, revision = p_id, checksum = p_checksum, metadata = p_metadata
        WHERE bucket = p_bucket AND name = p_name AND revision = p_revision
        RETURNING id INTO v_object;
    ELSE
        INSERT INTO {schema}.objects (bucket, name, size, revision, checksum, metadata)
        VALUES (p_bucket, p_name, p_size, p_id, p_checksum, p_metadata)
        ON CONFLICT (bucket, name) DO UPDATE
        SET size = p_size, revision = p_id, checksum = p_checksum, metadata = p_metadata
        WHERE NOT p_absent
        RETURNING id INTO v_object;
    END IF;
    IF v_object IS NULL THEN
        RETURN {schema}.unmet(p_id);
    END IF;
    PERFORM {schema}.record_write(p_id);
    DELETE FROM {schema}.pieces WHERE object = v_object;
    INSERT INTO {schema}.pieces (object, number, body) VALUES (v_object, 0, p_body);
    RETURN 'ok';
END $$;

CREATE OR REPLACE FUNCTION {schema}.delete_object(
    p_id text, p_bucket text, p_name text, p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    WITH gone AS (
        DELETE FROM {schema}.objects WHERE bucket = p_bucket AND name = p_name RETURNING id
    )
    DELETE FROM {schema}.pieces WHERE object IN (SELECT id FROM gone);
    PERFORM {schema}.record_write(p_id) WHERE p_id <> '';
    RETURN 'ok';
END $$;

-- Settle a write: return whether it took place, and keep it from taking place from now on.
CREATE OR REPLACE FUNCTION {schema}.settle_write(
    p_id text, p_place text, p_key text[], p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_ran boolean;
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    PERFORM {schema}.check_lineage()
    WHERE current_setting('leeward.lineage', true) IS DISTINCT FROM '{schema}';
    INSERT INTO {schema}.writes (id, ran) VALUES (p_id, false) ON CONFLICT DO NOTHING;
    IF FOUND THEN  -- never, or so long ago that its id has been pruned
        IF EXISTS (SELECT FROM {schema}.items
                   WHERE name = p_place AND key = p_key AND revision = p_id)
            OR EXISTS (SELECT FROM {schema}.objects
                       WHERE bucket = p_place AND name = p_key[1] AND revision = p_id) THEN
            v_ran := true;
        ELSIF p_id >= {schema}.ids_from({SURE_SECONDS}) AND NOT starts_with(p_id, 'restore-') THEN
            SELECT CASE WHEN p_id > max(substr(id, 2)) IS NOT FALSE THEN false END INTO v_ran
            FROM {schema}.writes WHERE id > '~';
        END IF;
        UPDATE {schema}.writes SET ran = v_ran WHERE id = p_id AND ran IS DISTINCT FROM v_ran;
    END IF;
    SELECT ran INTO v_ran FROM {schema}.writes WHERE id = p_id;
    RETURN CASE WHEN v_ran THEN 'ran' WHEN NOT v_ran THEN 'not_run' ELSE 'expired' END;
END $$;
"""
