-- POST /api/v1/hl7/messages/replay: past messages read again with today's profiles and catalogues. replay() does the work.

CREATE FUNCTION radscheduler.api_message_numbers(p_body jsonb, p_name text) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_list jsonb := p_body -> p_name;
BEGIN
    IF v_list IS NULL OR v_list = 'null' THEN
        RETURN NULL;
    ELSIF jsonb_typeof(v_list) <> 'array' OR jsonb_array_length(v_list) > 1000
          OR EXISTS (SELECT FROM jsonb_array_elements(v_list) e WHERE jsonb_typeof(e) <> 'number' OR e::text !~ '^[1-9][0-9]{0,17}$') THEN
        PERFORM radscheduler.api_fault(p_name, 'must be a list of numbers', format('Send {"%s": [1, 2]}, 1000 at most.', p_name));
    END IF;
    RETURN ARRAY(SELECT e::text::bigint FROM jsonb_array_elements(v_list) e);
END
$$;
COMMENT ON FUNCTION radscheduler.api_message_numbers(jsonb, text) IS 'A list of ids of a body, or NULL.';

CREATE FUNCTION radscheduler.api_v1_messages_replay(request jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC' SET radscheduler.audit_changes = off SET client_min_messages = warning
    AS $$
DECLARE
    v_site    integer := radscheduler.api_enter();
    v_zone    text := radscheduler.site_zone(v_site);
    v_body    jsonb := radscheduler.api_body(request, '{after_message,at_most,dry,from,messages,sender,to}');
    v_ids     bigint[] := radscheduler.api_message_numbers(v_body, 'messages');
    v_from    timestamptz := radscheduler.api_instant('from', v_body -> 'from', v_zone);
    v_to      timestamptz := radscheduler.api_instant('to', v_body -> 'to', v_zone);
    v_sender  bigint := radscheduler.api_number(v_body, 'sender');
    v_dry     boolean := coalesce(radscheduler.api_flag(v_body, 'dry'), true);
    v_after   bigint := coalesce(radscheduler.api_number(v_body, 'after_message'), 0);
    v_limit   bigint := coalesce(radscheduler.api_number(v_body, 'at_most'), 200);
    v_sees    boolean := radscheduler.api_sees_patients(request);
    v_name    text;
    v_period  tstzrange;
    v_chosen  record;
    v_items   jsonb;
BEGIN
    PERFORM radscheduler.api_known(request -> 'query', '{}', 'parameter');
    IF v_to <= v_from THEN
        PERFORM radscheduler.api_fault('to', 'must come after from', 'They are times of reception; leave one of them out, or give a later one.');
    ELSIF num_nonnulls(v_ids, v_from, v_to, v_sender) = 0 THEN
        RAISE EXCEPTION 'say which messages are to be read again' USING ERRCODE = 'invalid_parameter_value', HINT = 'Send messages (their numbers), from and to (reception), or sender (its number), or several of them.';
    ELSIF v_limit NOT BETWEEN 1 AND 1000 THEN
        PERFORM radscheduler.api_fault('at_most', 'must be 1 to 1000', 'Go on with after_message: what "next_after_message" of the answer says.');
    ELSIF v_sender IS NOT NULL THEN
        v_name := (SELECT concat_ws('|', s ->> 'application', s ->> 'facility') FROM radscheduler.api_sender_seen(v_site, v_sender) s);
    END IF;
    v_period := CASE WHEN num_nonnulls(v_from, v_to) > 0 THEN tstzrange(v_from, v_to) END;
    v_chosen := radscheduler.replay_selection(v_site, v_ids, v_period, v_name, v_after, v_limit::integer);
    SELECT coalesce(jsonb_agg(CASE WHEN v_sees THEN x.row ELSE x.row || jsonb_build_object('before', radscheduler.api_without_patient(x.row -> 'before'), 'after', radscheduler.api_without_patient(x.row -> 'after'),
               'changes', radscheduler.api_without_patient(x.row -> 'changes'), 'effect', radscheduler.api_without_patient(x.row -> 'effect')) END ORDER BY x.place), '[]') INTO v_items
        FROM (SELECT to_jsonb(r) - '{message_id,ordinality}'::text[] || jsonb_build_object('message', r.message_id) AS row, r.ordinality AS place
              FROM radscheduler.replay(v_ids, v_period, v_name, v_dry, v_after, v_limit::integer) WITH ORDINALITY r) x;
    IF v_sees THEN
        PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_build_object('replay', v_dry, 'appointments',
            (SELECT coalesce(jsonb_agg(DISTINCT i -> 'appointment_id') FILTER (WHERE i ->> 'appointment_id' IS NOT NULL), '[]') FROM jsonb_array_elements(v_items) i)));
    END IF;
    RETURN radscheduler.reply(200, jsonb_build_object('dry', v_dry, 'items', v_items, 'remaining', v_chosen.remaining,
        'next_after_message', CASE WHEN v_chosen.remaining > 0 THEN v_chosen.ids[cardinality(v_chosen.ids)] END));
END
$$;
COMMENT ON FUNCTION radscheduler.api_v1_messages_replay(jsonb) IS
    'POST /api/v1/hl7/messages/replay: replay() of messages (numbers), from and to (reception), sender (number), each with the others about its appointment. Nothing is kept unless dry is false. at_most (200) are taken, after_message goes on. Rows without what tells the patient for callers who may not see patients.';
