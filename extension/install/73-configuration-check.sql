-- Whether a configuration document says what it may say, before anything is looked up or written. One table of fields (configuration_fields)
-- names every key, its type and its bounds; whoever adds a section adds its rows there. Every refusal names the place as a path.

CREATE FUNCTION radscheduler.configuration_refuse(p_place text, p_fault text, p_detail text, p_hint text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '% %', coalesce(nullif(p_place, ''), 'the document'), p_fault USING ERRCODE = 'invalid_parameter_value', DETAIL = p_detail, HINT = p_hint;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_refuse(text, text, text, text) IS
    'Raises 22023 with a sentence that begins with a place of a document, such as sites[0].resources[3].capacity; an empty place is the document itself.';

CREATE FUNCTION radscheduler.configuration_found(p_value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE jsonb_typeof(p_value)
        WHEN 'string' THEN format('The document has the string "%s"%s there.', left(p_value #>> '{}', 60), CASE WHEN length(p_value #>> '{}') > 60 THEN ' and more' ELSE '' END)
        WHEN 'number' THEN format('The document has the number %s there.', left(p_value #>> '{}', 60))
        WHEN 'array' THEN format('The document has a list of %s there.', jsonb_array_length(p_value))
        WHEN 'object' THEN 'The document has an object there.'
        WHEN 'boolean' THEN format('The document has %s there.', p_value)
        WHEN 'null' THEN 'The document has null there.'
        ELSE 'The key is not in the document.' END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_found(jsonb) IS 'A sentence that says what stands at a place of a document; NULL is a key that is not there.';

CREATE FUNCTION radscheduler.configuration_fields(p_item text, OUT field text, OUT kind text, OUT need text, OUT is_nullable boolean,
                                                  OUT low integer, OUT high integer) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY (SELECT f.field, f.kind, f.need, f.is_nullable, f.low, f.high FROM (VALUES
        (101, 'document', 'format'::text, 'text'::text, 'always'::text, false, NULL::integer, NULL::integer),
        (102, 'document', 'version', 'integer', 'always', false, 1, 1),
        (103, 'document', 'exported_at', 'text', '', false, NULL, NULL),
        (104, 'document', 'sites', 'list:site', 'always', false, NULL, NULL),
        (201, 'site', 'code', 'site_code', 'key', false, NULL, NULL),
        (202, 'site', 'name', 'text', 'new', false, NULL, NULL),
        (203, 'site', 'timezone', 'zone', '', true, NULL, NULL),
        (204, 'site', 'phone_region', 'region', '', false, NULL, NULL),
        (205, 'site', 'slot_minutes', 'integer', '', false, 1, 240),
        (206, 'site', 'senders', 'list:sender', '', false, NULL, NULL),
        (207, 'site', 'modalities', 'list:modality', '', false, NULL, NULL),
        (208, 'site', 'procedures', 'list:procedure', '', false, NULL, NULL),
        (209, 'site', 'hours', 'list:hours', '', false, NULL, NULL),
        (210, 'site', 'resources', 'list:resource', '', false, NULL, NULL),
        (211, 'site', 'unknown_senders', 'sender_policy', '', false, NULL, NULL),
        (212, 'site', 'default_profile', 'profile', '', false, NULL, NULL),
        (213, 'site', 'travel_minutes', 'integer', '', false, 0, 240),
        (214, 'site', 'campus_minutes', 'integer', '', false, 0, 480),
        (215, 'site', 'rules', 'list:rule', '', false, NULL, NULL),
        (216, 'site', 'links', 'list:link', '', false, NULL, NULL),
        (231, 'link', 'name', 'link_name', 'key', false, NULL, NULL),
        (232, 'link', 'is_enabled', 'boolean', '', false, NULL, NULL),
        (233, 'link', 'events', 'siu_events', '', false, NULL, NULL),
        (234, 'link', 'sending_application', 'text', '', false, NULL, NULL),
        (235, 'link', 'sending_facility', 'text', '', true, NULL, NULL),
        (236, 'link', 'receiving_application', 'text', '', true, NULL, NULL),
        (237, 'link', 'receiving_facility', 'text', '', true, NULL, NULL),
        (238, 'link', 'version_id', 'link_version', '', false, NULL, NULL),
        (271, 'link', 'kind', 'link_kind', '', false, NULL, NULL),
        (272, 'link', 'copy_senders', 'list:word', '', true, NULL, NULL),
        (273, 'link', 'copy_triggers', 'list:word', '', true, NULL, NULL),
        (274, 'link', 'host', 'host', '', true, NULL, NULL),
        (275, 'link', 'port', 'integer', '', true, 1, 65535),
        (276, 'link', 'tls', 'boolean', '', false, NULL, NULL),
        (277, 'link', 'tls_verify', 'boolean', '', false, NULL, NULL),
        (278, 'link', 'tls_name', 'host', '', true, NULL, NULL),
        (279, 'link', 'tls_ca', 'file_name', '', true, NULL, NULL),
        (280, 'link', 'tls_certificate', 'file_name', '', true, NULL, NULL),
        (281, 'link', 'tls_key', 'file_name', '', true, NULL, NULL),
        (282, 'link', 'connect_seconds', 'integer', '', false, 1, 300),
        (283, 'link', 'answer_seconds', 'integer', '', false, 1, 600),
        (284, 'link', 'accept_codes', 'ack_codes', '', false, NULL, NULL),
        (285, 'link', 'on_refusal', 'refusal_policy', '', false, NULL, NULL),
        (286, 'link', 'max_attempts', 'integer', '', true, 1, 1000000),
        (221, 'rule', 'code', 'rule', 'key', false, NULL, NULL),
        (217, 'site', 'days', 'list:day', '', false, NULL, NULL),
        (220, 'site', 'reserved', 'list:kept_modality', '', false, NULL, NULL),
        (218, 'site', 'clinical_rules', 'clinical_scope', '', false, NULL, NULL),
        (219, 'site', 'own_rules', 'list:own_rule', '', false, NULL, NULL),
        (222, 'rule', 'severity', 'rule_severity', '', false, NULL, NULL),
        (223, 'rule', 'if_unknown', 'unknown_severity', '', false, NULL, NULL),
        (224, 'rule', 'parameters', 'object', '', false, NULL, NULL),
        (251, 'own_rule', 'code', 'code', 'key', false, NULL, NULL),
        (252, 'own_rule', 'severity', 'rule_severity', 'always', false, NULL, NULL),
        (253, 'own_rule', 'if_unknown', 'unknown_severity', '', false, NULL, NULL),
        (254, 'own_rule', 'text', 'sentence', 'always', false, NULL, NULL),
        (255, 'own_rule', 'applies_to', 'code', '', false, NULL, NULL),
        (256, 'own_rule', 'modalities', 'list:word', '', false, NULL, NULL),
        (257, 'own_rule', 'study', 'code', '', false, NULL, NULL),
        (258, 'own_rule', 'contrast', 'boolean', '', false, NULL, NULL),
        (259, 'own_rule', 'min_age', 'integer', '', false, 0, 150),
        (260, 'own_rule', 'max_age', 'integer', '', false, 0, 150),
        (261, 'own_rule', 'sex', 'code', '', false, NULL, NULL),
        (262, 'own_rule', 'resource', 'code', '', false, NULL, NULL),
        (263, 'own_rule', 'fact_kind', 'code', '', false, NULL, NULL),
        (264, 'own_rule', 'fact_code', 'code', '', false, NULL, NULL),
        (265, 'own_rule', 'fact_test', 'code', '', false, NULL, NULL),
        (266, 'own_rule', 'fact_value', 'number', '', false, NULL, NULL),
        (267, 'own_rule', 'fact_days', 'integer', '', false, 1, 36500),
        (268, 'own_rule', 'gap_minutes', 'integer', '', false, 1, 525600),
        (269, 'own_rule', 'gap_order', 'code', '', false, NULL, NULL),
        (270, 'own_rule', 'other_modalities', 'list:word', '', false, NULL, NULL),
        (271, 'own_rule', 'other_study', 'code', '', false, NULL, NULL),
        (272, 'own_rule', 'other_contrast', 'boolean', '', false, NULL, NULL),
        (301, 'sender', 'sending_application', 'text', 'key', false, NULL, NULL),
        (302, 'sender', 'sending_facility', 'text', 'key', false, NULL, NULL),
        (303, 'sender', 'profile', 'profile', '', false, NULL, NULL),
        (304, 'sender', 'is_registered', 'boolean', '', false, NULL, NULL),
        (401, 'modality', 'code', 'code', 'key', false, NULL, NULL),
        (402, 'modality', 'label', 'text', 'new', false, NULL, NULL),
        (403, 'modality', 'name', 'text', 'new', false, NULL, NULL),
        (404, 'modality', 'default_minutes', 'integer', 'new', false, 1, 1440),
        (405, 'modality', 'aliases', 'list:word', '', false, NULL, NULL),
        (501, 'procedure', 'code', 'code', 'key', false, NULL, NULL),
        (502, 'procedure', 'name', 'text', 'new', false, NULL, NULL),
        (503, 'procedure', 'modality', 'code', 'new', false, NULL, NULL),
        (504, 'procedure', 'minutes', 'integer', '', true, 1, 1440),
        (505, 'procedure', 'contrast', 'contrast', '', false, NULL, NULL),
        (506, 'procedure', 'prep', 'sentence', '', true, NULL, NULL),
        (507, 'procedure', 'aliases', 'list:word', '', false, NULL, NULL),
        (601, 'hours', 'weekday', 'integer', 'always', false, 1, 7),
        (602, 'hours', 'opens', 'time', 'always', false, NULL, NULL),
        (603, 'hours', 'closes', 'time', 'always', false, NULL, NULL),
        (604, 'hours', 'valid_from', 'date', '', true, NULL, NULL),
        (605, 'hours', 'valid_until', 'date', '', true, NULL, NULL),
        (701, 'resource', 'kind', 'kind', 'key', false, NULL, NULL),
        (702, 'resource', 'code', 'code', 'key', false, NULL, NULL),
        (703, 'resource', 'name', 'text', 'new', false, NULL, NULL),
        (704, 'resource', 'role', 'text', '', true, NULL, NULL),
        (705, 'resource', 'modality', 'code', '', true, NULL, NULL),
        (706, 'resource', 'capacity', 'integer', '', false, 1, 1000),
        (707, 'resource', 'setup_minutes', 'integer', '', false, 0, 480),
        (708, 'resource', 'turnover_minutes', 'integer', '', false, 0, 480),
        (709, 'resource', 'is_active', 'boolean', '', false, NULL, NULL),
        (710, 'resource', 'is_registered', 'boolean', '', false, NULL, NULL),
        (711, 'resource', 'aliases', 'list:name', '', false, NULL, NULL),
        (712, 'resource', 'hours', 'list:hours', '', false, NULL, NULL),
        (713, 'resource', 'blocks', 'list:block', '', false, NULL, NULL),
        (714, 'resource', 'modalities', 'list:word', '', false, NULL, NULL),
        (715, 'resource', 'location', 'sentence', '', true, NULL, NULL),
        (716, 'resource', 'campus', 'sentence', '', true, NULL, NULL),
        (717, 'resource', 'weight_limit_kg', 'integer', '', true, 1, 1000),
        (718, 'resource', 'days', 'list:day', '', false, NULL, NULL),
        (719, 'resource', 'reserved', 'list:kept', '', false, NULL, NULL),
        (611, 'day', 'day', 'date', 'key', false, NULL, NULL),
        (612, 'day', 'name', 'sentence', '', true, NULL, NULL),
        (613, 'day', 'hours', 'list:span', 'always', false, NULL, NULL),
        (621, 'span', 'opens', 'time', 'always', false, NULL, NULL),
        (622, 'span', 'closes', 'time', 'always', false, NULL, NULL),
        (630, 'kept_modality', 'modality', 'code', 'always', false, NULL, NULL),
        (801, 'block', 'starts_at', 'moment', 'always', false, NULL, NULL),
        (802, 'block', 'ends_at', 'moment', 'always', false, NULL, NULL),
        (803, 'block', 'reason', 'text', '', true, NULL, NULL),
        (804, 'block', 'kind', 'block_kind', '', false, NULL, NULL),
        (901, 'name', 'kind', 'kind', 'always', false, NULL, NULL),
        (902, 'name', 'alias', 'code', 'always', false, NULL, NULL)) f(place, item, field, kind, need, is_nullable, low, high)
    WHERE f.item = p_item ORDER BY f.place)
    UNION ALL
    SELECT f.* FROM (VALUES
        ('weekday', 'integer', 'always', false, 1, 7), ('opens', 'time', 'always', false, NULL, NULL), ('closes', 'time', 'always', false, NULL, NULL), ('kind', 'kept_kind', 'always', false, NULL, NULL),
        ('name', 'sentence', '', true, NULL, NULL), ('urgencies', 'list:word', '', false, NULL, NULL), ('patient_classes', 'list:word', '', false, NULL, NULL), ('procedures', 'list:word', '', false, NULL, NULL),
        ('release_hours', 'integer', '', true, 0, 8784), ('valid_from', 'date', '', true, NULL, NULL), ('valid_until', 'date', '', true, NULL, NULL)) f(field, kind, need, is_nullable, low, high)
    WHERE p_item IN ('kept', 'kept_modality');
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_fields(text) IS
    'The keys of an object of a configuration document, in the order they are checked: type (list:x is a list of objects x), need (key: names the item; always; new: when the item does not exist yet), whether null may stand there, bounds of numbers.';

CREATE FUNCTION radscheduler.configuration_keys(p_item text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT format('The keys of this object are %s.', string_agg(f.field, ', ')) FROM radscheduler.configuration_fields(p_item) f);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_keys(text) IS 'A sentence with the keys of an object of a configuration document, for hints.';

CREATE FUNCTION radscheduler.configuration_fault(p_kind text, p_value jsonb, p_low integer, p_high integer, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := CASE WHEN jsonb_typeof(p_value) = 'string' THEN p_value #>> '{}' END;
BEGIN
    IF p_kind = 'text' AND v_text IS NULL THEN
        fault := 'must be a string'; hint := 'Write the value in double quotes.';
    ELSIF p_kind = 'code' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the code in double quotes.';
    ELSIF p_kind = 'site_code' AND v_text ~ '^[A-Za-z0-9_.-]{1,40}$' IS NOT TRUE THEN
        fault := 'must be the code of a site'; hint := 'A code has 1 to 40 letters, digits, dots, dashes and underscores.';
    ELSIF p_kind = 'zone' AND radscheduler.is_timezone(v_text) IS NOT TRUE THEN
        fault := 'must be a time zone that is known'; hint := 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    ELSIF p_kind = 'region' AND v_text ~ '^[A-Z]{2}$' IS NOT TRUE THEN
        fault := 'must be a country code of two capital letters'; hint := 'Use an ISO 3166 code such as US; radscheduler.phone_region lists those whose numbers are understood.';
    ELSIF p_kind = 'profile' AND radscheduler.is_profile(p_value) IS NOT TRUE THEN
        fault := 'must be a profile that is understood';
        hint := (SELECT string_agg(coalesce(f.key, 'It') || ' ' || f.fault, '; ') || '.' FROM radscheduler.profile_faults(p_value) f);
    ELSIF p_kind = 'sender_policy' AND v_text IN ('accept', 'refuse') IS NOT TRUE THEN
        fault := 'must be "accept" or "refuse"'; hint := 'It says what becomes of messages of senders that are not registered.';
    ELSIF p_kind = 'contrast' AND v_text IN ('none', 'with', 'with_and_without', 'unknown') IS NOT TRUE THEN
        fault := 'must be "none", "with", "with_and_without" or "unknown"'; hint := 'It says whether the exam is done with a contrast agent; unknown: the code does not tell.';
    ELSIF p_kind = 'sentence' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the text in double quotes; null says that there is none.';
    ELSIF p_kind = 'rule' AND radscheduler.is_rule(v_text) IS NOT TRUE THEN
        fault := 'must be the code of a rule'; hint := 'radscheduler.rule_kind lists them, for example OUTSIDE_HOURS.';
    ELSIF p_kind = 'rule_severity' AND v_text IN ('off', 'info', 'warning', 'critical') IS NOT TRUE THEN
        fault := 'must be "off", "info", "warning" or "critical"'; hint := 'It says what the site makes of the rule; leave the rule out to leave it as it is shipped.';
    ELSIF p_kind = 'link_name' AND v_text ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,49}$' IS NOT TRUE THEN
        fault := 'must be the name of a link'; hint := 'A name has 1 to 50 letters, digits, dots, dashes and underscores.';
    ELSIF p_kind = 'siu_events' AND (jsonb_typeof(p_value) <> 'array' OR p_value = '[]' OR NOT p_value <@ '["S12", "S13", "S14", "S15", "S16", "S17", "S26"]') THEN
        fault := 'must be a list of events that a link can be told'; hint := 'Write some of "S12", "S13", "S14", "S15", "S16", "S17" and "S26" in brackets.';
    ELSIF p_kind = 'link_version' AND v_text IN ('2.5', '2.5.1', '2.6', '2.7', '2.8') IS NOT TRUE THEN
        fault := 'must be a version of HL7 that is sent'; hint := 'Write "2.5", "2.5.1", "2.6", "2.7" or "2.8".';
    ELSIF p_kind = 'link_kind' AND v_text IN ('hl7_out', 'hl7_copy') IS NOT TRUE THEN
        fault := 'must be "hl7_out" or "hl7_copy"'; hint := 'It says whether the link is told of bookings made here, or gets a copy of what is received.';
    ELSIF p_kind = 'host' AND v_text ~ '^[A-Za-z0-9]([A-Za-z0-9.:_-]{0,252}[A-Za-z0-9])?$' IS NOT TRUE THEN
        fault := 'must be the name or address of a host'; hint := 'Write "pacs.example.org" or "192.0.2.7"; the port has a key of its own.';
    ELSIF p_kind = 'file_name' AND v_text ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$' IS NOT TRUE THEN
        fault := 'must be the name of a file'; hint := 'Write a name without folders; the file is looked for in the folder that RADSCHED_LINK_TLS_DIR names.';
    ELSIF p_kind = 'ack_codes' AND (jsonb_typeof(p_value) <> 'array' OR p_value = '[]' OR NOT p_value <@ '["AA", "AE", "AR", "CA", "CE", "CR"]') THEN
        fault := 'must be a list of acknowledgement codes'; hint := 'Write some of "AA", "AE", "AR", "CA", "CE" and "CR" in brackets.';
    ELSIF p_kind = 'refusal_policy' AND v_text IN ('dead', 'retry') IS NOT TRUE THEN
        fault := 'must be "dead" or "retry"'; hint := 'It says what becomes of a message that the receiver refuses.';
    ELSIF p_kind = 'unknown_severity' AND v_text IN ('warning', 'critical') IS NOT TRUE THEN
        fault := 'must be "warning" or "critical"'; hint := 'It says how bad it is that a clinical rule cannot tell; missing data is never taken for safe.';
    ELSIF p_kind = 'clinical_scope' AND v_text IN ('off', 'known', 'bookings', 'all') IS NOT TRUE THEN
        fault := 'must be "off", "known", "bookings" or "all"'; hint := 'It says which appointments the clinical rules are asked for.';
    ELSIF p_kind = 'object' AND jsonb_typeof(p_value) <> 'object' THEN
        fault := 'must be an object'; hint := 'Write keys and values in braces.';
    ELSIF p_kind = 'number' AND jsonb_typeof(p_value) <> 'number' THEN
        fault := 'must be a number'; hint := 'Write the number without quotes.';
    ELSIF p_kind = 'block_kind' AND v_text IN ('block', 'maintenance', 'downtime') IS NOT TRUE THEN
        fault := 'must be "block", "maintenance" or "downtime"'; hint := 'Leave the key out for a block.';
    ELSIF p_kind = 'kept_kind' AND v_text IN ('urgent', 'exams', 'block', 'maintenance', 'downtime') IS NOT TRUE THEN
        fault := 'must be "urgent", "exams", "block", "maintenance" or "downtime"'; hint := 'It says whom the hours are kept for, or that they are nobody''s.';
    ELSIF p_kind = 'boolean' AND jsonb_typeof(p_value) <> 'boolean' THEN
        fault := 'must be true or false'; hint := 'Write true or false without quotes.';
    ELSIF p_kind = 'kind' AND v_text IN ('room', 'equipment', 'staff') IS NOT TRUE THEN
        fault := 'must be a kind of resource'; hint := 'Write "room", "equipment" or "staff".';
    ELSIF p_kind = 'time' AND v_text ~ '^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?|24:00(:00)?)$' IS NOT TRUE THEN
        fault := 'must be a time of day'; hint := 'Write "07:30"; midnight at the end of a day is "24:00".';
    ELSIF p_kind = 'integer' THEN
        IF jsonb_typeof(p_value) <> 'number' OR (p_value #>> '{}')::numeric NOT BETWEEN p_low AND p_high OR (p_value #>> '{}')::numeric % 1 <> 0 THEN
            fault := format('must be a whole number from %s to %s', p_low, p_high); hint := 'Write the number without quotes and without decimals.';
        END IF;
    ELSIF p_kind = 'date' THEN
        BEGIN
            IF v_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND v_text::date IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date'; hint := 'Write "2031-12-31".';
    ELSIF p_kind = 'moment' THEN
        BEGIN
            IF v_text ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})|-?infinity)$'
               AND v_text::timestamptz IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date and time with its offset from UTC'; hint := 'Write "2031-11-03T10:00:00Z" or "2031-11-03T05:00:00-05:00".';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_fault(text, jsonb, integer, integer) IS
    'What is wrong with a value of a document that is to be of a type of configuration_fields(), and what to write instead; NULL when nothing is.';

CREATE FUNCTION radscheduler.configuration_names(p_list jsonb, OUT item integer, OUT listed integer, OUT kind text, OUT alias text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
WITH entry AS (
    SELECT i.place::integer - 1 AS item, a.place::integer - 1 AS listed, coalesce(a.entry ->> 'kind', i.item ->> 'kind', '') AS kind,
           upper(coalesce(a.entry ->> 'alias', a.entry #>> '{}')) AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place), jsonb_array_elements(i.item -> 'aliases') WITH ORDINALITY a(entry, place)
), own AS (
    SELECT i.place::integer - 1 AS item, NULL::integer AS listed, coalesce(i.item ->> 'kind', '') AS kind, upper(i.item ->> 'code') AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place)
)
SELECT * FROM entry
UNION ALL
SELECT * FROM own WHERE (own.kind, own.alias) NOT IN (SELECT entry.kind, entry.alias FROM entry)
ORDER BY item, listed
$$;
COMMENT ON FUNCTION radscheduler.configuration_names(jsonb) IS
    'The names a document gives to the modalities, procedures or resources of a list, upper case: number of the item, number within its aliases, kind (of resources only). An item''s own code (listed is NULL) is one of its names unless the document lists it, here or under another item.';

CREATE FUNCTION radscheduler.configuration_check_list(p_item text, p_place text, p_list jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_keys text[] := ARRAY(SELECT f.field FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'key');
    v_twin record;
BEGIN
    IF jsonb_typeof(p_list) <> 'array' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a list', radscheduler.configuration_found(p_list),
                                                  'Write a list in brackets; leave the key out to leave the list alone.');
    END IF;
    PERFORM radscheduler.configuration_check(p_item, format('%s[%s]', p_place, e.place - 1), e.item)
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place);
    IF cardinality(v_keys) > 0 THEN
        SELECT t.place, t.first INTO v_twin
            FROM (SELECT e.place, min(e.place) OVER (PARTITION BY (SELECT jsonb_agg(e.item -> k) FROM unnest(v_keys) k)) AS first
                  FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place)) t
            WHERE t.place > t.first ORDER BY t.place LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s]', p_place, v_twin.place - 1),
                format('has the %s of another %s in the document', array_to_string(v_keys, ' and '), p_item),
                format('The other one is %s[%s].', p_place, v_twin.first - 1), 'Name each once.');
        END IF;
    END IF;
    IF p_item IN ('modality', 'procedure', 'resource') THEN
        SELECT n.place, n.first INTO v_twin
            FROM (SELECT c.position, format('%s[%s].aliases[%s]', p_place, c.item, c.listed) AS place,
                         first_value(format('%s[%s].aliases[%s]', p_place, c.item, c.listed)) OVER names AS first, row_number() OVER names AS n
                  FROM radscheduler.configuration_names(p_list) WITH ORDINALITY c(item, listed, kind, alias, position) WHERE c.listed IS NOT NULL
                  WINDOW names AS (PARTITION BY c.kind, c.alias ORDER BY c.position)) n
            WHERE n.n > 1 ORDER BY n.position LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(v_twin.place, 'is a name that the document gives twice', format('It stands at %s too.', v_twin.first),
                'A name means one modality, one procedure, or one resource of its kind, whatever its case. List it once.');
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_check_list(text, text, jsonb) IS
    'Checks a list of a configuration document: each item of it, and that no item and no alias is named twice. Raises 22023.';

CREATE FUNCTION radscheduler.configuration_check(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_field record;
    v_value jsonb;
    v_place text;
    v_fault text;
    v_hint  text;
BEGIN
    IF p_item IN ('word', 'name') AND jsonb_typeof(p_value) = 'string' AND p_value <> '""' THEN
        RETURN;
    ELSIF p_item = 'word' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value), 'Write the word in double quotes.');
    ELSIF jsonb_typeof(p_value) <> 'object' AND p_item = 'name' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value),
            'Write the name in double quotes; one that is used under another kind is {"kind": "room", "alias": "the name"}.');
    ELSIF jsonb_typeof(p_value) <> 'object' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be an object', radscheduler.configuration_found(p_value), radscheduler.configuration_keys(p_item));
    END IF;
    SELECT k INTO v_place FROM jsonb_object_keys(p_value) k
        WHERE k NOT IN (SELECT f.field FROM radscheduler.configuration_fields(p_item) f) ORDER BY k COLLATE "C" LIMIT 1;
    IF FOUND THEN
        PERFORM radscheduler.configuration_refuse(concat_ws('.', nullif(p_place, ''), left(v_place, 60)), 'is not a key that is understood',
                                                  radscheduler.configuration_found(p_value -> v_place), radscheduler.configuration_keys(p_item));
    END IF;
    FOR v_field IN SELECT * FROM radscheduler.configuration_fields(p_item) LOOP
        v_value := p_value -> v_field.field;
        v_place := concat_ws('.', nullif(p_place, ''), v_field.field);
        IF v_value IS NULL THEN
            IF v_field.need IN ('key', 'always') THEN
                PERFORM radscheduler.configuration_refuse(v_place, 'is missing', radscheduler.configuration_found(NULL), 'Add the key; this object is not understood without it.');
            END IF;
        ELSIF v_value = 'null' AND v_field.is_nullable THEN
            CONTINUE;
        ELSIF v_field.kind LIKE 'list:%' THEN
            PERFORM radscheduler.configuration_check_list(substr(v_field.kind, 6), v_place, v_value);
        ELSE
            SELECT f.fault, f.hint INTO v_fault, v_hint FROM radscheduler.configuration_fault(v_field.kind, v_value, v_field.low, v_field.high) f;
            IF v_fault IS NOT NULL THEN
                PERFORM radscheduler.configuration_refuse(v_place, v_fault, radscheduler.configuration_found(v_value), v_hint);
            END IF;
        END IF;
    END LOOP;
    IF p_item = 'rule' AND radscheduler.rule_parameters_fault(p_value ->> 'code', coalesce(p_value -> 'parameters', '{}')) IS NOT NULL THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.parameters', radscheduler.rule_parameters_fault(p_value ->> 'code', p_value -> 'parameters'),
            radscheduler.configuration_found(p_value -> 'parameters'), 'radscheduler.rule_parameter lists what each rule knows.');
    END IF;
    IF p_item IN ('hours', 'span', 'kept', 'kept_modality') AND (p_value ->> 'closes')::time <= (p_value ->> 'opens')::time THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.closes', 'must be later than opens', radscheduler.configuration_found(p_value -> 'closes'),
            'Hours past midnight are two entries: one until "24:00" and one from "00:00" of the next weekday.');
    ELSIF p_item IN ('hours', 'kept', 'kept_modality') AND (p_value ->> 'valid_until')::date < (p_value ->> 'valid_from')::date THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.valid_until', 'must not be before valid_from', radscheduler.configuration_found(p_value -> 'valid_until'),
            'valid_until is the last day on which the hours hold.');
    ELSIF p_item = 'block' AND (p_value ->> 'ends_at')::timestamptz <= (p_value ->> 'starts_at')::timestamptz THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.ends_at', 'must be later than starts_at', radscheduler.configuration_found(p_value -> 'ends_at'),
            'Exchange the two, or take the block out.');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_check(text, text, jsonb) IS
    'Checks one object of a configuration document and everything in it: keys, types, bounds, times that end before they begin. Raises 22023 at the first fault.';
