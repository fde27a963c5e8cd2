"""Whose is what: the stage of the schema, which app has which recipient, and what lives.

Several apps may share a schema. The first app that has a handler of some name on a bus gets the
handler's name in `subscriber`, as every app did before this part was there; another app gets
``app/handler``. Queues and functions have one name for everybody: one live app may serve each.

A worker writes what it takes into `live`, which counts until its time is over.
"""

from __future__ import annotations

from typing import Final

LIVE_SECONDS: Final = 120.0
"""Seconds for which a row of `live` counts. It is renewed when 20 of them have passed; a worker
whose attempts take all its time may not get to that for a while."""

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
    type text COLLATE "C",               -- of the events that this worker takes; NULL for every one
    until timestamptz NOT NULL,
    PRIMARY KEY (process, bus, subscriber)
);

ALTER TABLE {schema}.series ADD COLUMN IF NOT EXISTS
    expression text;                     -- of the schedule, when it was begun

-- Give the handlers of an app their names as recipients, for a worker that lives from now on. Or
-- return what stands against it, and change nothing: a 'stage' that the schema has instead of the
-- worker's, or the 'app' of a live worker that serves one of the queues.
CREATE OR REPLACE FUNCTION {schema}.claim_names(
    p_stage text, p_app text, p_process text, p_buses text[], p_handlers text[], p_types text[]
) RETURNS TABLE (r_flaw text, r_bus text, r_handler text, r_subscriber text) LANGUAGE plpgsql AS $$
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
    DELETE FROM {schema}.live
    WHERE process = p_process AND app = p_app OR live.until < clock_timestamp() - interval '1 day';
    INSERT INTO {schema}.live (process, bus, subscriber, app, type, until)
    SELECT p_process, own.bus, coalesce(known.subscriber, own.handler), p_app, own.type,
        clock_timestamp() + make_interval(secs => {LIVE_SECONDS})
    FROM unnest(p_buses, p_handlers, p_types) AS own (bus, handler, type)
        LEFT JOIN {schema}.recipients AS known
            ON known.app = p_app AND known.bus = own.bus AND known.handler = own.handler
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT NULL, own.bus, own.handler, coalesce(known.subscriber, own.handler)
    FROM unnest(p_buses, p_handlers) AS own (bus, handler)
        LEFT JOIN {schema}.recipients AS known
            ON known.app = p_app AND known.bus = own.bus AND known.handler = own.handler;
END $$;
"""
