-- What HTTP requests leave behind: answers of those that were sent with an Idempotency-Key, for whoever did not get the answer and asks again; and
-- the trace that a task began in. Every booking over HTTP writes a row here, so it costs little: no foreign key, whose check would lock the row of the
-- site in each transaction, and an index by time that has an entry for each stretch of the table only.

CREATE TABLE radscheduler.idempotency_key (
    site_id      integer     NOT NULL,
    principal    text        NOT NULL,
    key          text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea       NOT NULL,
    status       integer     NOT NULL,
    content_type text,
    body         text,
    headers      jsonb,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, principal, key)
);
CREATE INDEX idempotency_key_created ON radscheduler.idempotency_key USING brin (created_at);
COMMENT ON TABLE  radscheduler.idempotency_key IS 'What was answered to requests with an Idempotency-Key that did something, written in the transaction that did it, kept for 24 hours. Answers may hold patient data: nobody is granted this table.';
COMMENT ON COLUMN radscheduler.idempotency_key.site_id IS 'Site the request was for.';
COMMENT ON COLUMN radscheduler.idempotency_key.principal IS 'Whose key it is: user:<login>, key:<id>, empty for nobody. Two callers may choose the same.';
COMMENT ON COLUMN radscheduler.idempotency_key.key IS 'The key as sent.';
COMMENT ON COLUMN radscheduler.idempotency_key.request_hash IS 'SHA-256 of what was asked: another request under the same key is refused.';
COMMENT ON COLUMN radscheduler.idempotency_key.status IS 'Status of the answer.';
COMMENT ON COLUMN radscheduler.idempotency_key.content_type IS 'Its media type.';
COMMENT ON COLUMN radscheduler.idempotency_key.body IS 'Its body.';
COMMENT ON COLUMN radscheduler.idempotency_key.headers IS 'Its headers, as http_reply has them.';
COMMENT ON COLUMN radscheduler.idempotency_key.created_at IS 'When it was answered.';

SELECT radscheduler.audit_table('idempotency_key', 'key', 'names');
SELECT radscheduler.secure_table('radscheduler.idempotency_key'::regclass);

ALTER TABLE radscheduler.task ADD COLUMN trace_id text DEFAULT nullif(pg_catalog.current_setting('radscheduler.trace_id', true), '');
COMMENT ON COLUMN radscheduler.task.trace_id IS 'Trace (W3C trace-id) of the request that caused it, as the session said: radscheduler.trace_id. NULL for what came as a message.';
