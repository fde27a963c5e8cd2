"""The part of the schema that keeps runs of workflows: see `leeward_postgres.journal`.

Whoever drives a run holds its lease, whose end is `runs.due`. Leases are counted, and the
count is a fence: who writes about a run names its lease, and locks the row.
"""

from __future__ import annotations

from typing import Final

SQL: Final = """
CREATE TABLE IF NOT EXISTS {schema}.definitions (
    digest text COLLATE "C" PRIMARY KEY,
    document json NOT NULL
);

CREATE TABLE IF NOT EXISTS {schema}.runs (
    workflow text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,    -- of its definition
    input json NOT NULL,
    started double precision NOT NULL,   -- Unix seconds of the server, as all times here
    deadline double precision,
    cancelled double precision,          -- when somebody asked for it
    state text NOT NULL,
    answer json,                         -- how it ended
    ended double precision,
    due double precision,                -- nobody looks at it before; while leased, the lease's end
    held boolean NOT NULL,               -- whether `due` is the end of a lease
    fence integer NOT NULL,              -- counts the leases: only the last one may write
    holder text,                         -- a fence, and the process that has this lease
    broken text,                         -- the version of leeward that could not read it
    PRIMARY KEY (workflow, id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX IF NOT EXISTS runs_by_due ON {schema}.runs (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_by_version ON {schema}.runs (workflow, digest, due)
    WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_by_start ON {schema}.runs (started);

CREATE TABLE IF NOT EXISTS {schema}.steps (
    workflow text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    began double precision NOT NULL,
    due double precision,                -- of a pause
    ended double precision,
    answer json,                         -- how it ended
    PRIMARY KEY (workflow, run, path, attempt)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE IF NOT EXISTS {schema}.lost_calls (  -- in leases that ended without a word
    workflow text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    times integer NOT NULL,
    fence integer NOT NULL,              -- the last lease in which it was made
    PRIMARY KEY (workflow, run, path, attempt)
);

ALTER TABLE {schema}.runs ADD COLUMN IF NOT EXISTS
    app text COLLATE "C";                -- that drives it; NULL for any

ALTER TABLE {schema}.runs ADD COLUMN IF NOT EXISTS
    arrived integer NOT NULL DEFAULT 0;  -- events that were sent to it

CREATE TABLE IF NOT EXISTS {schema}.arrivals (
    workflow text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    seq integer NOT NULL,                -- from 1 on
    id text COLLATE "C" NOT NULL,        -- the sender's
    name text COLLATE "C" NOT NULL,
    value json NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (workflow, run, seq),
    UNIQUE (workflow, run, id)
);

-- Waits for events: the others have no answer before their end.
CREATE INDEX IF NOT EXISTS steps_waiting ON {schema}.steps (workflow, run)
    WHERE ended IS NULL AND answer IS NOT NULL;

-- Keep an event for a run that has not ended, once by its id. The run is due now.
CREATE OR REPLACE FUNCTION {schema}.send_event(
    p_workflow text, p_run text, p_id text, p_name text, p_value text, p_at double precision,
    p_milliseconds integer
) RETURNS TABLE (run {schema}.runs, earlier {schema}.arrivals) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    SELECT * INTO run FROM {schema}.runs
    WHERE workflow = p_workflow AND id = p_run FOR NO KEY UPDATE;
    SELECT * INTO earlier FROM {schema}.arrivals AS arrival
    WHERE arrival.workflow = p_workflow AND arrival.run = p_run AND arrival.id = p_id;
    IF run.state = 'running' AND run.broken IS NULL AND earlier.seq IS NULL THEN
        INSERT INTO {schema}.arrivals
        VALUES (p_workflow, p_run, run.arrived + 1, p_id, p_name, p_value::json, p_at);
        UPDATE {schema}.runs SET arrived = arrived + 1,
            due = CASE WHEN held THEN due ELSE least(due, p_at) END
        WHERE workflow = p_workflow AND id = p_run;
    END IF;
    RETURN NEXT;
END $$;

-- Send the end of a run to the one that waits for it: its id has a point, see `child_id`.
CREATE OR REPLACE FUNCTION {schema}.tell_parent(
    p_workflow text, p_id text, p_answer text, p_now double precision, p_milliseconds integer
) RETURNS void LANGUAGE sql AS $$
    SELECT {schema}.send_event(split_part(p_id, '.', 1), substring(p_id FROM '[.](.*)[.]'),
        p_workflow || '/' || p_id, p_workflow || '/' || p_id, p_answer, p_now, p_milliseconds)
    WHERE p_id LIKE '%.%';
$$;

-- Add a run, unless it is there; its definition goes along where it may not be known yet.
CREATE OR REPLACE FUNCTION {schema}.start_run(
    p_app text, p_workflow text, p_id text, p_digest text, p_document text, p_input text,
    p_now double precision, p_deadline double precision, p_due double precision, p_held boolean,
    p_holder text, p_milliseconds integer
) RETURNS TABLE (is_new boolean, run {schema}.runs) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    INSERT INTO {schema}.runs
        (workflow, id, digest, input, started, deadline, state, due, held, fence, holder, app)
    VALUES (p_workflow, p_id, p_digest, p_input::json, p_now, p_deadline, 'running', p_due,
        p_held, 1, p_holder, p_app)
    ON CONFLICT DO NOTHING;
    is_new := FOUND;
    INSERT INTO {schema}.definitions (digest, document)
    SELECT p_digest, p_document::json WHERE is_new AND p_document IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT is_new, runs FROM {schema}.runs WHERE workflow = p_workflow AND id = p_id;
END $$;

-- Lease a run whose row is locked; calls under way in a lease that ended without a word are lost.
CREATE OR REPLACE FUNCTION {schema}.lease_run(
    p_run {schema}.runs, p_due double precision, p_holder text
) RETURNS {schema}.runs LANGUAGE plpgsql AS $$
DECLARE
    v_fence integer := greatest(p_run.fence + 1, p_due::bigint - {FENCE_0});
BEGIN
    INSERT INTO {schema}.lost_calls AS lost (workflow, run, path, attempt, times, fence)
    SELECT workflow, run, path, attempt, 1, p_run.fence FROM {schema}.steps WHERE p_run.held
        AND workflow = p_run.workflow AND run = p_run.id AND ended IS NULL AND due IS NULL
    ON CONFLICT (workflow, run, path, attempt)
    DO UPDATE SET times = lost.times + (lost.fence = excluded.fence)::integer;
    UPDATE {schema}.runs
    SET due = p_due, held = true, fence = v_fence, holder = v_fence || ' ' || p_holder,
        broken = NULL WHERE workflow = p_run.workflow AND id = p_run.id RETURNING * INTO p_run;
    RETURN p_run;
END $$;

-- Return the versions of known workflows that have runs, but for those that are left. Each is found
-- by one step in the index: what nobody there can run costs a claim nothing, however much it is.
CREATE OR REPLACE FUNCTION {schema}.versions(p_known text[], p_left text[])
RETURNS TABLE (workflow text, digest text) LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    WITH RECURSIVE versions (flow, version) AS (
        SELECT flow, (SELECT min(digest) FROM {schema}.runs
            WHERE workflow = flow AND due IS NOT NULL)
        FROM unnest(p_known) AS known (flow)
        UNION ALL
        SELECT flow, (SELECT min(digest) FROM {schema}.runs
            WHERE workflow = flow AND digest > version AND due IS NOT NULL)
        FROM versions WHERE version IS NOT NULL
    )
    SELECT flow, version FROM versions WHERE version <> ALL (p_left)
$$;

-- Lease runs: those whose leases are over, though their time is not, and those that are due; not
-- those of another app. Whoever has no app takes every run.
CREATE OR REPLACE FUNCTION {schema}.take_own_runs(
    p_app text, p_known text[], p_reader text, p_now double precision, p_lease double precision,
    p_limit integer, p_grace double precision, p_holder text,
    p_workflows text[], p_ids text[], p_fences integer[],
    p_left text[]
) RETURNS SETOF {schema}.runs LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    v_run {schema}.runs;
    v_left integer := p_limit;
BEGIN
    FOR v_run IN
        SELECT runs.* FROM {schema}.runs
        JOIN unnest(p_workflows, p_ids, p_fences) AS over (workflow, id, fence)
            USING (workflow, id, fence)
        WHERE held AND due IS NOT NULL AND state = 'running' AND broken IS DISTINCT FROM p_reader
        LIMIT p_limit FOR NO KEY UPDATE OF runs SKIP LOCKED
    LOOP
        RETURN NEXT {schema}.lease_run(v_run, p_now + p_lease, p_holder);
        v_left := v_left - 1;
    END LOOP;
    FOR v_run IN
        SELECT due.* FROM {schema}.versions(p_known, p_left) AS own, LATERAL (
            SELECT * FROM {schema}.runs
            WHERE workflow = own.workflow AND digest = own.digest
                AND due <= p_now AND due + CASE WHEN held THEN p_grace ELSE 0 END <= p_now
                AND state = 'running' AND broken IS DISTINCT FROM p_reader
                AND coalesce(app = p_app, true)
            ORDER BY due LIMIT v_left FOR NO KEY UPDATE SKIP LOCKED) AS due
        ORDER BY due.due LIMIT v_left
    LOOP
        RETURN NEXT {schema}.lease_run(v_run, p_now + p_lease, p_holder);
    END LOOP;
END $$;

-- Note for several runs what has ended and what begins, and how some of them have ended. Return of
-- each what stands against it: 'lost' its lease, 'cancelled', or 'late', so that nothing guarded
-- may begin; or 'nothing'.
CREATE OR REPLACE FUNCTION {schema}.write_runs(
    p_workflows text[], p_ids text[], p_fences integer[], p_now double precision[],
    p_states text[], p_answers text[],
    p_runs integer[], p_paths text[], p_attempts integer[], p_began double precision[],
    p_due double precision[], p_ended double precision[], p_ends text[], p_guarded boolean[],
    p_cancelled text, p_late text, p_milliseconds integer
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_words text[];
    v_word text;
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    FOR v_at IN 1 .. cardinality(p_ids) LOOP
        SELECT CASE WHEN cancelled IS NOT NULL THEN 'cancelled'
            WHEN deadline <= p_now[v_at] THEN 'late' ELSE 'nothing' END
        INTO v_word FROM {schema}.runs
        WHERE workflow = p_workflows[v_at] AND id = p_ids[v_at] AND fence = p_fences[v_at]
            AND due IS NOT NULL FOR NO KEY UPDATE;
        v_words[v_at] := CASE WHEN FOUND THEN v_word ELSE 'lost' END;
        IF FOUND AND p_states[v_at] IS NOT NULL THEN
            UPDATE {schema}.runs SET state = p_states[v_at], answer = p_answers[v_at]::json,
                ended = p_now[v_at], due = NULL
            WHERE workflow = p_workflows[v_at] AND id = p_ids[v_at];
            PERFORM {schema}.tell_parent(p_workflows[v_at], p_ids[v_at], p_answers[v_at],
                p_now[v_at], p_milliseconds);
        END IF;
    END LOOP;
    INSERT INTO {schema}.steps (workflow, run, path, attempt, began, due, ended, answer)
    SELECT p_workflows[run], p_ids[run], path, attempt, began, due,
        CASE WHEN guarded AND v_words[run] <> 'nothing' THEN p_now[run] ELSE ended END,
        CASE WHEN NOT guarded OR v_words[run] = 'nothing' THEN answer
            WHEN v_words[run] = 'late' THEN p_late ELSE p_cancelled END::json
    FROM unnest(p_runs, p_paths, p_attempts, p_began, p_due, p_ended, p_ends, p_guarded)
        AS step (run, path, attempt, began, due, ended, answer, guarded)
    WHERE v_words[run] <> 'lost'
    ON CONFLICT (workflow, run, path, attempt)
    DO UPDATE SET ended = excluded.ended, answer = excluded.answer;
    RETURN array_to_string(v_words, ',');
END $$;

-- End a run at once, or ask for that. A lease that somebody holds is left alone then.
CREATE OR REPLACE FUNCTION {schema}.end_run(
    p_workflow text, p_id text, p_now double precision, p_at_once boolean, p_milliseconds integer
) RETURNS SETOF {schema}.runs LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('lock_timeout', p_milliseconds::text, true);
    IF p_at_once THEN
        UPDATE {schema}.runs SET state = 'aborted', ended = p_now, due = NULL, broken = NULL
        WHERE workflow = p_workflow AND id = p_id AND due IS NOT NULL;
        IF FOUND THEN
            PERFORM {schema}.tell_parent(p_workflow, p_id, '{{"error": {{"name": "Call.Unknown",
                "ambiguous": true, "steps": [], "final": false}}}}', p_now, p_milliseconds);
        END IF;
    ELSE
        UPDATE {schema}.runs SET cancelled = coalesce(cancelled, p_now),
            due = CASE WHEN held THEN due ELSE least(due, p_now) END
        WHERE workflow = p_workflow AND id = p_id AND due IS NOT NULL;
    END IF;
    RETURN QUERY SELECT * FROM {schema}.runs WHERE workflow = p_workflow AND id = p_id;
END $$;
"""
