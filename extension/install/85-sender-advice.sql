-- From what a sender sends to what its profile should say. Each piece of advice is one row with its reason; none is given on fewer than three
-- messages, and none for a key that the profile has already.

CREATE FUNCTION radscheduler.advice_facts(p_messages radscheduler.hl7[]) RETURNS TABLE (
        trigger_event text, id text, other_ids text[], has_status boolean, has_time boolean, has_parts boolean, has_place boolean, is_test boolean,
        pv1_3 boolean, pv1_7 boolean, pv1_8 boolean, phone text, notes text[], place bigint)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
        SELECT f.v[1], coalesce(f.v[2], f.v[3]), f.v[4:8], f.v[9] IS NOT NULL, coalesce(f.v[10], f.v[11]) IS NOT NULL,
               coalesce(f.v[12], f.v[13], f.v[14], f.v[15]) IS NOT NULL, coalesce(f.v[13], f.v[14]) IS NOT NULL, f.v[16] <> 'P',
               f.v[17] IS NOT NULL, f.v[18] IS NOT NULL, f.v[19] IS NOT NULL, f.v[20], radscheduler.hl7_get_all(m.message, 'NTE[*]-3'), m.position
        FROM unnest(p_messages) WITH ORDINALITY m(message, position),
             LATERAL (SELECT radscheduler.hl7_fields(m.message, 'MSH-9.2', 'SCH-2.1', 'SCH-1.1', 'PV1-19.1', 'SCH-5.1', 'PV1-50.1', 'SCH-27.1', 'SCH-26.1', 'SCH-25', 'SCH-11.4', 'TQ1-7',
                                                     'AIS-3', 'AIG-3', 'AIL-3', 'AIP-3', 'MSH-11', 'PV1-3', 'PV1-7', 'PV1-8', 'PID-13')) f(v)
        WHERE radscheduler.hl7_get(m.message, 'MSH-9.1') = 'SIU';
END
$$;
COMMENT ON FUNCTION radscheduler.advice_facts(radscheduler.hl7[]) IS
    'What the advice looks at in each scheduling message; other_ids are PV1-19, SCH-5, PV1-50, SCH-27 and SCH-26. Newest message first, as given.';

CREATE FUNCTION radscheduler.modality_advice(p_site integer, p_messages radscheduler.hl7[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (
        SELECT format('%s-%s', c.name, c.number)
        FROM (SELECT m.position, s.value ->> 0 AS name, f.place - 1 AS number,
                     radscheduler.modality_code(p_site, CASE jsonb_typeof(f.value) WHEN 'string' THEN f.value #>> '{}' WHEN 'array' THEN f.value #>> '{0,0}' END) IS NOT NULL AS is_modality
              FROM unnest(p_messages) WITH ORDINALITY m(message, position), jsonb_array_elements(radscheduler.hl7_to_jsonb(m.message)) s(value),
                   jsonb_array_elements(s.value) WITH ORDINALITY f(value, place)
              WHERE s.value ->> 0 ~ '^(OBR|IPC|Z[A-Z0-9]{2})$' AND f.place > 1 AND f.value <> '""' AND f.value <> 'null') c
        GROUP BY c.name, c.number
        HAVING count(DISTINCT c.position) * 2 >= cardinality(p_messages) AND count(*) FILTER (WHERE c.is_modality) * 5 >= count(*) * 4
        ORDER BY count(*) FILTER (WHERE c.is_modality) DESC, 1 LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.modality_advice(integer, radscheduler.hl7[]) IS
    'The path of a field in OBR, IPC or a Z segment that holds a modality word in most of the messages; NULL when there is none.';

CREATE FUNCTION radscheduler.region_advice(p_phones text[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT r.region FROM radscheduler.phone_region r, unnest(p_phones) p(phone)
        GROUP BY r.region HAVING count(radscheduler.e164(p.phone, r.region)) * 10 >= count(*) * 9 ORDER BY 1);
END
$$;
COMMENT ON FUNCTION radscheduler.region_advice(text[]) IS 'The regions whose numbering plan completes nine of ten of these phone numbers.';

CREATE FUNCTION radscheduler.sender_advice(p_site integer, p_sender bigint, p_since timestamptz, p_until timestamptz, p_messages radscheduler.hl7[])
    RETURNS TABLE (item text, n bigint, share numeric, detail text, setting jsonb)
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_paths  CONSTANT text[] := '{PV1-19,SCH-5,PV1-50,SCH-27,SCH-26}';
    v_sender record;
    v_log    record;
    v_read   record;
    v_id     record;
    v_phones text[];
    v_fits   text[];
    v_again  bigint;
    v_path   text;
BEGIN
    SELECT s.is_registered, radscheduler.sender_profile(s.profile, t.default_profile) AS profile, t.timezone, t.phone_region INTO v_sender
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id WHERE s.site_id = p_site AND s.sender_id = p_sender;
    SELECT count(*) AS n,
           count(*) FILTER (WHERE jsonb_path_exists(m.warnings, '$[*] ? (@.code == "TIME_DISAGREE" && @.path starts with "AIS")')) AS disagree,
           count(*) FILTER (WHERE m.warnings @> '[{"code": "CHARSET_ASSUMED"}]') AS charset, count(*) FILTER (WHERE m.warnings @> '[{"code": "ZONE_ASSUMED"}]' OR m.warnings @> '[{"code": "ZONE_OF_MESSAGE"}]') AS zone,
           count(*) FILTER (WHERE m.warnings @> '[{"code": "PHONE_UNUSABLE"}]') AS phone, count(*) FILTER (WHERE m.warnings @> '[{"code": "MODALITY_UNKNOWN"}]') AS modality,
           count(*) FILTER (WHERE m.error ->> 'code' = '102') AS misplaced, count(*) FILTER (WHERE m.error ->> 'code' = '204' AND m.trigger_event IN ('S20', 'S21', 'S22')) AS resource,
           count(*) FILTER (WHERE m.message_code = 'ADT' AND m.trigger_event IN ('A01', 'A04', 'A10')) AS arrivals,
           array_agg(DISTINCT m.trigger_event) FILTER (WHERE m.message_code = 'ADT' AND m.trigger_event IN ('A01', 'A04', 'A10')) AS arrival_events,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY round(extract(epoch FROM m.message_time - m.received_at) / 60)) AS ahead,
           count(*) FILTER (WHERE m.message_time > m.received_at + interval '5 minutes') AS skewed
        INTO v_log FROM radscheduler.hl7_message m
        WHERE m.site_id = p_site AND m.sender_id = p_sender AND m.received_at >= p_since AND m.received_at < p_until AND m.outcome <> 'duplicate' AND m.message_code <> 'JSON';
    SELECT count(*) AS n, count(*) FILTER (WHERE f.id IS NULL) AS no_id, count(*) FILTER (WHERE f.trigger_event = 'S14') AS s14, count(*) FILTER (WHERE f.trigger_event = 'S15') AS s15,
           count(*) FILTER (WHERE f.trigger_event = 'S14' AND NOT f.has_status AND NOT f.has_time AND NOT f.has_parts) AS bare, count(*) FILTER (WHERE f.is_test) AS tests,
           count(*) FILTER (WHERE NOT f.has_place) AS no_place, count(*) FILTER (WHERE NOT f.has_place AND f.pv1_3) AS pv1_3, count(*) FILTER (WHERE f.pv1_8) AS pv1_8,
           count(*) FILTER (WHERE f.pv1_7 AND NOT f.pv1_8) AS pv1_7, count(*) FILTER (WHERE EXISTS (SELECT FROM unnest(f.notes) t(note) WHERE t.note ~* '^\s*priority\s*:')) AS priority,
           array_agg(f.phone) FILTER (WHERE f.phone ~ '\d' AND f.phone !~ '^\s*\+') AS phones
        INTO v_read FROM radscheduler.advice_facts(p_messages) f;
    v_phones := v_read.phones;

    IF NOT v_sender.is_registered THEN
        RETURN QUERY SELECT 'registered', v_log.n, NULL::numeric, 'Nobody has looked at this sender yet: set_sender() with its application and facility registers it.', NULL::jsonb;
    END IF;
    IF v_log.zone >= 3 AND v_sender.timezone IS NULL AND NOT v_sender.profile ? 'timezone' THEN
        RETURN QUERY SELECT 'timezone', v_log.zone, round(v_log.zone::numeric / v_log.n, 3), 'Times are sent without an offset, and neither the profile nor the site names a zone. Set the zone that this sender''s clock shows.', NULL::jsonb;
    END IF;
    IF v_read.no_id >= 3 AND NOT v_sender.profile ? 'id_source' THEN
        SELECT u.path, count(u.value) AS filled INTO v_id
            FROM radscheduler.advice_facts(p_messages) f, unnest(c_paths, f.other_ids) WITH ORDINALITY u(path, value, place) WHERE f.id IS NULL
            GROUP BY u.path, u.place HAVING count(u.value) * 10 >= v_read.no_id * 9 AND count(DISTINCT u.value) >= 2 ORDER BY count(u.value) DESC, u.place LIMIT 1;
        RETURN QUERY SELECT 'id_source', v_read.no_id, round(v_read.no_id::numeric / v_read.n, 3),
            'SCH-2 and SCH-1 are empty, so these messages cannot be told from each other. '
            || CASE WHEN v_id.path IS NOT NULL THEN format('%s is filled in %s of them; ask whether it names the appointment.', v_id.path, v_id.filled)
                    ELSE 'No other field that could name the appointment is filled in them.' END,
            CASE WHEN v_id.path IS NOT NULL THEN jsonb_build_object('id_source', v_id.path) END;
    END IF;
    IF v_read.bare >= 3 AND v_read.bare * 2 >= v_read.s14 AND NOT v_sender.profile ? 'event_map' THEN
        RETURN QUERY SELECT 'preset', v_read.bare, round(v_read.bare::numeric / v_read.s14, 3),
            format('%s of %s S14 carry no status, no time and no service or resource, as a cancellation would%s. Ask the sender whether its S14 cancels before setting this.', v_read.bare, v_read.s14,
                   CASE WHEN v_read.s15 = 0 THEN '; S15 never comes' ELSE '' END), '{"preset": "seed_naming"}'::jsonb;
    END IF;
    IF v_log.disagree >= 3 AND v_log.disagree * 5 >= v_log.n AND NOT v_sender.profile ? 'start_source' THEN
        RETURN QUERY SELECT 'start_source', v_log.disagree, round(v_log.disagree::numeric / v_log.n, 3), 'AIS-4 says another start than the appointment. A RIS often means the exam''s time, AIS-4.', '{"start_source": "service"}'::jsonb;
    END IF;
    IF v_log.charset >= 1 AND NOT v_sender.profile ? 'charset' THEN
        RETURN QUERY SELECT 'charset', v_log.charset, round(v_log.charset::numeric / v_log.n, 3), 'The bytes are not UTF-8 and MSH-18 names no charset; they are read as Windows-1252. Ask which it is.', '{"charset": "WINDOWS-1252"}'::jsonb;
    END IF;
    IF v_log.skewed >= 3 AND v_log.skewed * 2 > v_log.n AND NOT v_sender.profile ? 'order_by' THEN
        RETURN QUERY SELECT CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) <= 2 THEN 'timezone' ELSE 'order_by' END, v_log.skewed, round(v_log.skewed::numeric / v_log.n, 3),
            CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) <= 2
                 THEN format('MSH-7 runs %s minutes ahead of arrival, a whole zone: the clock shows another zone than the one assumed. Set the right one.', round(v_log.ahead / 30) * 30)
                 ELSE format('MSH-7 runs %s minutes ahead of arrival: a wrong clock, or an engine that rewrites it.', v_log.ahead) END,
            CASE WHEN abs(v_log.ahead - round(v_log.ahead / 30) * 30) > 2 THEN '{"order_by": "arrival"}'::jsonb END;
    END IF;
    IF v_log.phone >= 3 AND v_log.phone * 5 >= v_log.n AND NOT v_sender.profile ? 'phone_region' AND cardinality(v_phones) >= 3 THEN
        v_fits := radscheduler.region_advice(v_phones);
        RETURN QUERY SELECT 'phone_region', v_log.phone, round(v_log.phone::numeric / v_log.n, 3),
            format('Phone numbers cannot be completed with the numbering plan of %s. %s', v_sender.phone_region,
                   CASE WHEN cardinality(v_fits) > 0 THEN format('They fit that of %s.', array_to_string(v_fits, ', ')) ELSE 'They fit none that is known.' END),
            CASE WHEN cardinality(v_fits) = 1 THEN jsonb_build_object('phone_region', v_fits[1]) END;
    END IF;
    IF v_log.modality >= 3 AND v_log.modality * 5 >= v_log.n AND NOT v_sender.profile ? 'modality_source' THEN
        v_path := radscheduler.modality_advice(p_site, p_messages);
        RETURN QUERY SELECT 'modality_source', v_log.modality, round(v_log.modality::numeric / v_log.n, 3),
            'Nothing known names a modality. ' || coalesce(v_path || ' holds words that do.', 'Add the exams to radscheduler.procedure, their codes to procedure_alias, or their words to modality_alias.'),
            CASE WHEN v_path IS NOT NULL THEN jsonb_build_object('modality_source', v_path) END;
    END IF;
    IF v_read.pv1_3 >= 3 AND v_read.pv1_3 * 5 >= v_read.n * 4 AND NOT v_sender.profile ? 'location_source' THEN
        RETURN QUERY SELECT 'location_source', v_read.pv1_3, round(v_read.pv1_3::numeric / v_read.n, 3), 'No AIL or AIG names a place, and PV1-3 is filled. Ask whether it is the examination room.', '{"location_source": "PV1-3"}'::jsonb;
    END IF;
    IF v_read.pv1_7 >= 3 AND v_read.pv1_7 * 5 >= v_read.n * 4 AND v_read.pv1_8 * 20 <= v_read.n AND NOT v_sender.profile ? 'referrer_source' THEN
        RETURN QUERY SELECT 'referrer_source', v_read.pv1_7, round(v_read.pv1_7::numeric / v_read.n, 3), 'PV1-8 (referring) is empty and PV1-7 (attending) is filled. Ask whether that is who refers.', '{"referrer_source": "PV1-7"}'::jsonb;
    END IF;
    IF v_read.priority >= 3 AND NOT v_sender.profile ? 'priority_notes' THEN
        RETURN QUERY SELECT 'priority_notes', v_read.priority, round(v_read.priority::numeric / v_read.n, 3), 'Notes say "Priority:".', '{"priority_notes": true}'::jsonb;
    END IF;
    IF v_log.arrivals >= 3 AND NOT v_sender.profile ? 'arrival_events' THEN
        RETURN QUERY SELECT 'arrival_events', v_log.arrivals, round(v_log.arrivals::numeric / v_log.n, 3), 'ADT events come that can mark the patient as arrived.', jsonb_build_object('arrival_events', v_log.arrival_events);
    END IF;
    IF v_log.resource >= 3 AND NOT v_sender.profile ? 'unknown_resource_change' THEN
        RETURN QUERY SELECT 'unknown_resource_change', v_log.resource, round(v_log.resource::numeric / v_log.n, 3), 'S20, S21 or S22 about appointments that are not known here are refused.', '{"unknown_resource_change": "ignore"}'::jsonb;
    END IF;
    IF v_log.misplaced >= 3 AND v_log.misplaced * 10 >= v_log.n AND v_sender.profile ->> 'repair' = 'strict' THEN
        RETURN QUERY SELECT 'repair', v_log.misplaced, round(v_log.misplaced::numeric / v_log.n, 3), 'Messages are refused for values in the wrong place. lenient would read them and warn.', '{"repair": "lenient"}'::jsonb;
    END IF;
    IF v_read.tests >= 3 AND v_read.tests * 2 >= v_read.n AND NOT v_sender.profile ? 'test_messages' THEN
        RETURN QUERY SELECT 'test_messages', v_read.tests, round(v_read.tests::numeric / v_read.n, 3), 'MSH-11 says test or debugging: these appointments are marked as tests. A production sender must say P; for a test system choose ignore or refuse.', NULL::jsonb;
    END IF;
    -- Newest first: the message before a booking in time is the next one of its id.
    SELECT count(*) INTO v_again FROM (SELECT f.trigger_event, lead(f.trigger_event) OVER (PARTITION BY f.id ORDER BY f.place) AS before FROM radscheduler.advice_facts(p_messages) f WHERE f.id IS NOT NULL) b
        WHERE b.trigger_event = 'S12' AND b.before = 'S15';
    IF v_again >= 3 THEN
        RETURN QUERY SELECT 'moves', v_again, round(v_again::numeric / v_read.s15, 3),
            'S15 is followed by S12 under the same id: this sender moves appointments by cancelling and booking again. Each becomes a new generation and counts as a cancellation; S13 would tell a move.', NULL::jsonb;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_advice(integer, bigint, timestamptz, timestamptz, radscheduler.hl7[]) IS
    'Suggested settings of a sender''s profile with their reasons: in how many messages it shows, their share, and the setting as set_sender() takes it, or NULL where only a person can say which.';
