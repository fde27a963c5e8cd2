"""Whose is what: the stage of the schema, which app has which recipient, and what lives.

Several apps may share a schema. The first app that has a handler of some name on a bus gets the
handler's name in `subscriber`, as every app did before this part was there; another app gets
``app/handler``. Queues and functions have one name for everybody: one live app may serve each.

A worker writes into `live` which version of the app it has, which counts until its time is over,
and into `takers` what that version takes. There it stays until a newer version ends it: see
`leeward.stores.RecipientStore`.
"""

from __future__ import annotations

from typing import Final

SQL: Final = """
CREATE TABLE IF NOT EXISTS {schema}.recipients (
    bus text COLLATE "C" NOT NULL,
    subscriber text COLLATE "C" NOT NULL, -- as in deliveries
    app text COLLATE "C" NOT NULL,
    handler text COLLATE "C" NOT NULL,   -- its name in the app
    PRIMARY KEY (bus, subscriber),
    UNIQUE (app, bus, handler)
);

CREATE TABLE IF NOT EXISTS {schema}.live (
    process text COLLATE "C" NOT NULL,   -- a worker
    bus text COLLATE "C" NOT NULL,
    subscriber text COLLATE "C" NOT NULL, -- as in deliveries
    app text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,   -- as in takers
    until timestamptz NOT NULL,
    PRIMARY KEY (process, bus, subscriber)
);

CREATE TABLE IF NOT EXISTS {schema}.takers (
    app text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,   -- what tells its handlers from those of others; empty for
                                         -- workers of schema 2
    bus text COLLATE "C" NOT NULL,
    subscriber text COLLATE "C" NOT NULL, -- as in deliveries
    type text COLLATE "C",               -- of the events that it takes; NULL for every one
    PRIMARY KEY (app, version, bus, subscriber)
);

CREATE TABLE IF NOT EXISTS {schema}.versions (
    app text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    number bigint NOT NULL,              -- the one that came later has the greater one
    seen timestamptz NOT NULL,           -- its last claim
    PRIMARY KEY (app, version)
);

DO $$ DECLARE v_grant text; BEGIN  -- whoever publishes calls functions that use them from now on
    FOR v_grant IN
        SELECT format('GRANT %s ON {schema}.recipients, {schema}.live, {schema}.takers, '
            '{schema}.versions TO %s', privilege_type,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
        FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = '{schema}.subscriptions'::regclass
    LOOP EXECUTE v_grant; END LOOP;
END $$;

ALTER TABLE {schema}.series ADD COLUMN IF NOT EXISTS
    expression text;                     -- of the schedule, when it was begun

-- Give the handlers of an app their names as recipients, for a worker that lives from now on. Or
-- return what stands against it, and change nothing: a 'stage' that the schema has instead of the
-- worker's, or the 'app' of a live worker that serves one of the queues.
CREATE OR REPLACE FUNCTION {schema}.claim_names(
    p_stage text, p_app text, p_process text, p_version text,
    p_buses text[], p_handlers text[], p_types text[]
) RETURNS TABLE (r_flaw text, r_bus text, r_handler text, r_subscriber text) LANGUAGE plpgsql AS $$
DECLARE
    v_number bigint; v_names text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leeward names'), hashtext('{schema}'));
    RETURN QUERY SELECT 'stage', '', '', stage FROM {schema}.version
    WHERE stage IS NOT NULL AND stage IS DISTINCT FROM p_stage;
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'app', '', live.subscriber, app
    FROM {schema}.live JOIN unnest(p_buses, p_handlers) AS own (bus, subscriber)
        USING (bus, subscriber)
    WHERE bus = '' AND app <> p_app AND until > clock_timestamp() LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    UPDATE {schema}.version SET stage = p_stage WHERE stage IS NULL AND p_stage IS NOT NULL;
    INSERT INTO {schema}.recipients (bus, subscriber, app, handler)
    SELECT bus, name || handler, p_app, handler
    FROM unnest(p_buses, p_handlers) AS own (bus, handler), unnest(ARRAY['', p_app || '/']) AS name
    WHERE bus <> '' ORDER BY name
    ON CONFLICT DO NOTHING;
    SELECT array_agg(coalesce(subscriber, handler) ORDER BY number) INTO v_names
    FROM unnest(p_buses, p_handlers) WITH ORDINALITY AS own (bus, handler, number)
        LEFT JOIN (SELECT * FROM {schema}.recipients WHERE app = p_app) AS known
            USING (bus, handler);
    DELETE FROM {schema}.live
    WHERE process = p_process AND app = p_app OR live.until < clock_timestamp() - interval '1 day';
    INSERT INTO {schema}.live (process, bus, subscriber, app, version, until)
    SELECT p_process, bus, subscriber, p_app, p_version,
        clock_timestamp() + make_interval(secs => {LIVE})
    FROM unnest(p_buses, v_names) AS own (bus, subscriber) ON CONFLICT DO NOTHING;
    INSERT INTO {schema}.versions AS own
    SELECT p_app, p_version, coalesce(max(number) + 1, 1), clock_timestamp()
    FROM {schema}.versions WHERE app = p_app
    ON CONFLICT (app, version) DO UPDATE SET seen = excluded.seen RETURNING number INTO v_number;
    INSERT INTO {schema}.takers (app, version, bus, subscriber, type)
    SELECT p_app, p_version, bus, subscriber, type
    FROM unnest(p_buses, v_names, p_types) AS given (bus, subscriber, type) ON CONFLICT DO NOTHING;
    WITH gone AS (
        DELETE FROM {schema}.subscriptions AS old USING {schema}.takers AS own
        WHERE own.app = p_app AND own.version = p_version
            AND old.bus = own.bus AND old.subscriber = own.subscriber RETURNING old.*
    ), old AS (
        INSERT INTO {schema}.takers (app, version, bus, subscriber, type)
        SELECT p_app, '', bus, subscriber, type FROM gone
        ON CONFLICT (app, version, bus, subscriber) DO UPDATE SET type = excluded.type
    )  -- nobody renews what a worker of schema 2 has left, if there is one still: it has a day
    INSERT INTO {schema}.versions SELECT DISTINCT p_app, '', 0,
        clock_timestamp() + make_interval(secs => {ABANDONED}) FROM gone
    ON CONFLICT (app, version) DO UPDATE SET seen = excluded.seen;
    DELETE FROM {schema}.takers USING {schema}.versions AS old
    WHERE takers.app = p_app AND takers.version = old.version AND old.app = p_app
        AND old.version <> p_version AND old.seen < clock_timestamp() - make_interval(
            secs => CASE WHEN old.number < v_number THEN 0 ELSE {ABANDONED} END)
        AND NOT EXISTS (SELECT FROM {schema}.live WHERE live.app = p_app
            AND live.version = old.version AND live.until > clock_timestamp());
    WITH gone AS (
        DELETE FROM {schema}.dead_letters AS dead USING {schema}.takers AS own
        WHERE own.app = p_app AND own.version = p_version AND reason = '{NOT_TAKEN}'
            AND dead.bus = own.bus AND dead.subscriber = own.subscriber
            AND coalesce(error = 'NotTaken: ' || own.type, true) RETURNING dead.*
    )
    INSERT INTO {schema}.deliveries (id, half, bus, subscriber, lane, idempotency_key, document)
    SELECT id, (SELECT half FROM {schema}.turn), bus, subscriber, lane, idempotency_key, document
    FROM gone;
    RETURN QUERY SELECT NULL, * FROM unnest(p_buses, p_handlers, v_names);
END $$;
"""
