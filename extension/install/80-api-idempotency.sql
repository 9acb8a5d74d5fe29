-- Idempotency-Key: a request that was answered is answered the same way again and does nothing twice. The answer is written in the transaction that did
-- the work, so there is none without the other. Only answers of requests that did something (2xx) are kept: what was refused may be tried again.

-- Without seqscan: the plan may have been made when the table was empty, and it fills within minutes.
CREATE FUNCTION radscheduler.kept_reply(p_site integer, p_principal text, p_key text, p_hash bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
    AS $$
DECLARE
    v_row record;
BEGIN
    IF length(p_key) NOT BETWEEN 1 AND 255 THEN
        RETURN radscheduler.problem(400, 'invalid_idempotency_key', 'Bad Idempotency-Key', 'An Idempotency-Key has 1 to 255 characters. Use a UUID for each thing to be done, and the same one when you repeat it.');
    ELSIF NOT pg_try_advisory_xact_lock(hashtextextended('radscheduler idempotency ' || p_site || ' ' || coalesce(p_principal, '') || ' ' || p_key, 0)) THEN
        RETURN radscheduler.problem(409, 'request_in_progress', 'Still being done', 'A request with this Idempotency-Key is being worked on. Ask again in a moment for its answer.', '{}', '{"Retry-After": "1"}');
    END IF;
    SELECT k.request_hash, k.status, k.content_type, k.body, k.headers INTO v_row
        FROM radscheduler.idempotency_key k
        WHERE k.site_id = p_site AND k.principal = coalesce(p_principal, '') AND k.key = p_key AND k.created_at > now() - interval '24 hours';
    IF NOT FOUND THEN
        RETURN NULL;
    ELSIF v_row.request_hash <> p_hash THEN
        RETURN radscheduler.problem(422, 'idempotency_key_reused', 'Another request under this key', 'This Idempotency-Key belongs to another request of the last 24 hours. Use a new key for a new request.');
    END IF;
    RETURN ROW(v_row.status, v_row.content_type, v_row.body, coalesce(v_row.headers, '{}') || '{"Idempotency-Replayed": "true"}')::radscheduler.http_reply;
END
$$;
COMMENT ON FUNCTION radscheduler.kept_reply(integer, text, text, bytea) IS
    'The answer under an Idempotency-Key of a principal of a site: the kept one, 409 while the first is being worked on (from whichever daemon), 422 for another request, 400 for no key; NULL when the request is to be done, which the transaction then has to itself.';

CREATE FUNCTION radscheduler.keep_reply(p_site integer, p_principal text, p_key text, p_hash bytea, p_reply radscheduler.http_reply) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
BEGIN
    INSERT INTO radscheduler.idempotency_key AS k (site_id, principal, key, request_hash, status, content_type, body, headers)
        VALUES (p_site, coalesce(p_principal, ''), p_key, p_hash, p_reply.status, p_reply.content_type, p_reply.body, p_reply.headers)
        ON CONFLICT ON CONSTRAINT idempotency_key_pkey DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status, content_type = excluded.content_type,
            body = excluded.body, headers = excluded.headers, created_at = now();
END
$$;
COMMENT ON FUNCTION radscheduler.keep_reply(integer, text, text, bytea, radscheduler.http_reply) IS 'Keeps an answer for kept_reply(); one older than 24 hours under the same key gives way.';

CREATE FUNCTION radscheduler.expire_replies() RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DELETE FROM radscheduler.idempotency_key k WHERE k.created_at < now() - interval '24 hours'
$$;
COMMENT ON FUNCTION radscheduler.expire_replies() IS 'Drops the answers kept for longer than 24 hours; maintain() calls it.';
