-- Frames that never became a message (storage step 026). The daemon writes them; administrators look at them and throw them away.

CREATE FUNCTION radscheduler.quarantine(bytes bytea, reason text, peer text DEFAULT NULL, stream_offset bigint DEFAULT 0, frame_bytes bigint DEFAULT NULL, listener text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer := (SELECT min(v) FROM unnest(radscheduler.visible_sites()) v WHERE v > 0);
    v_id   bigint;
BEGIN
    IF bytes IS NULL OR reason IS NULL OR reason !~ '^[a-z][a-z0-9_]{0,29}$' OR length(peer) > 100 OR length(listener) > 100 THEN
        RAISE EXCEPTION 'quarantine needs bytes and a reason, a word such as half_frame' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'peer and listener are names of at most 100 characters.';
    ELSIF v_site IS NULL THEN
        PERFORM radscheduler.refuse_without_site();
    END IF;
    INSERT INTO radscheduler.hl7_quarantine AS q (site_id, listener, peer, reason, stream_offset, frame_bytes, raw)
        VALUES (v_site, quarantine.listener, quarantine.peer, quarantine.reason, coalesce(quarantine.stream_offset, 0), coalesce(quarantine.frame_bytes, length(bytes)),
                substring(bytes FROM 1 FOR 1048576))
        RETURNING q.quarantine_id INTO v_id;
    PERFORM radscheduler.audit(v_site, 'message.quarantined', 'hl7_quarantine', v_id, jsonb_build_object('reason', quarantine.reason));
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.quarantine(bytea, text, text, bigint, bigint, text) IS
    'Keeps bytes that came in and never became a message (hl7_quarantine), of them at most the first mebibyte; returns the id. The daemon calls it for every rejected frame.';

CREATE FUNCTION radscheduler.expire_quarantine() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_rows bigint;
BEGIN
    DELETE FROM radscheduler.hl7_quarantine q WHERE q.received_at < now() - interval '90 days'
        AND NOT EXISTS (SELECT FROM radscheduler.legal_hold h WHERE h.site_id = q.site_id AND h.lifted_at IS NULL);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_rows;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_quarantine() IS
    'Removes what has been in quarantine for 90 days, except at sites with a legal hold: nobody can tell whose it is.';
