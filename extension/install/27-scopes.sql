-- What a credential of the HTTP API may be allowed: the words that API keys and users hold and routes ask for.

CREATE TABLE radscheduler.api_scope (
    scope   text PRIMARY KEY,
    meaning text NOT NULL
);
COMMENT ON TABLE  radscheduler.api_scope IS 'The scopes of the HTTP API. A credential with area:* holds all of an area, one with admin:* everything.';
COMMENT ON COLUMN radscheduler.api_scope.scope IS 'area:action.';
COMMENT ON COLUMN radscheduler.api_scope.meaning IS 'What it opens.';

INSERT INTO radscheduler.api_scope (scope, meaning) VALUES
    ('appointments:read',  'The schedule, with its patients.'),
    ('appointments:write', 'Booking, moving, cancelling.'),
    ('slots:read',         'Free times.'),
    ('conflicts:override', 'Booking over a conflict, with a reason.'),
    ('hl7:ingest',         'Handing in messages.'),
    ('hl7:read',           'Messages as they were received.'),
    ('hl7:replay',         'Reading past messages again.'),
    ('analytics:read',     'Figures without patients.'),
    ('events:read',        'Events as they happen, without patient data.'),
    ('config:read',        'Resources, hours, senders, catalogues.'),
    ('config:write',       'Changing them.'),
    ('audit:read',         'The audit log.'),
    ('phi:read',           'Names and phone numbers in answers that would otherwise leave them out.'),
    ('admin:*',            'Everything, users and keys included.');

CREATE FUNCTION radscheduler.check_scopes(p_scopes text[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_bad text;
BEGIN
    IF coalesce(cardinality(p_scopes), 0) = 0 THEN
        RAISE EXCEPTION 'no scope was given' USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT scope, meaning FROM radscheduler.api_scope;';
    END IF;
    SELECT s INTO v_bad FROM unnest(p_scopes) s
        WHERE s IS NULL OR NOT EXISTS (SELECT FROM radscheduler.api_scope k WHERE k.scope = s OR split_part(k.scope, ':', 1) || ':*' = s) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no scope "%"', coalesce(v_bad, 'NULL') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT scope, meaning FROM radscheduler.api_scope; area:* stands for all of an area.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.check_scopes(text[]) IS 'Raises 22023 unless each is a scope of api_scope or all of an area (area:*), and there is one at least.';
