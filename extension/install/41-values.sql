-- From the words of a message to values: instants, phone numbers, modalities, statuses, urgency.

CREATE FUNCTION radscheduler.to_instant(iso text, zone text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_local   timestamp;
    v_instant timestamptz;
BEGIN
    IF iso IS NULL OR length(iso) < 16 THEN
        RETURN NULL;
    ELSIF right(iso, 1) = 'Z' OR left(right(iso, 6), 1) IN ('+', '-') THEN
        RETURN iso::timestamptz;
    END IF;
    v_local := iso::timestamp;
    v_instant := timezone(zone, v_local);
    IF timezone(zone, v_instant - interval '1 hour') = v_local THEN
        RETURN v_instant - interval '1 hour';
    ELSIF timezone(zone, v_instant - interval '30 minutes') = v_local THEN
        RETURN v_instant - interval '30 minutes';
    END IF;
    RETURN v_instant;
END
$$;
COMMENT ON FUNCTION radscheduler.to_instant(text, text) IS
    'A time of a message as an instant: its own offset wins, else the zone. A wall-clock time that exists twice (clocks put back) is the first of the two; NULL for a date without time.';

CREATE FUNCTION radscheduler.clock_doubt(iso text, zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN iso IS NULL OR length(iso) < 16 OR iso ~ '(Z|[+-]\d\d:\d\d)$' THEN NULL
                WHEN timezone(zone, timezone(zone, iso::timestamp)) <> iso::timestamp THEN 'TIME_IN_DST_GAP'
                WHEN radscheduler.to_instant(iso, zone) <> timezone(zone, iso::timestamp) THEN 'TIME_AMBIGUOUS' END);
END
$$;
COMMENT ON FUNCTION radscheduler.clock_doubt(text, text) IS
    'TIME_IN_DST_GAP for a wall-clock time that does not exist in the zone, TIME_AMBIGUOUS for one that exists twice, else NULL.';

CREATE FUNCTION radscheduler.e164(phone text, region text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE
        WHEN phone IS NULL THEN NULL
        WHEN trimmed LIKE '+%' THEN CASE WHEN digits ~ '^[1-9]\d{6,14}$' THEN '+' || digits END
        WHEN trimmed LIKE '00%' AND region NOT IN ('US', 'CA') THEN CASE WHEN substr(digits, 3) ~ '^[1-9]\d{6,14}$' THEN '+' || substr(digits, 3) END
        ELSE (SELECT '+' || r.calling_code || n.national
              FROM radscheduler.phone_region r,
                   LATERAL (SELECT CASE WHEN r.trunk_prefix <> '' AND length(digits) > r.min_digits AND digits LIKE r.trunk_prefix || '%'
                                        THEN substr(digits, length(r.trunk_prefix) + 1) ELSE digits END) n(national)
              WHERE r.region = e164.region AND length(n.national) BETWEEN r.min_digits AND r.max_digits)
        END
    FROM (SELECT btrim(regexp_replace(phone, '\s*(x|ext\.?|#)\s*\d+$', '', 'i')),
                 regexp_replace(regexp_replace(phone, '\s*(x|ext\.?|#)\s*\d+$', '', 'i'), '\D', '', 'g')) v(trimmed, digits));
END
$$;
COMMENT ON FUNCTION radscheduler.e164(text, text) IS
    'A phone number in E.164 form, completed with the region''s numbering plan (ISO 3166 code); NULL when it cannot be one. An extension is dropped.';

CREATE FUNCTION radscheduler.modality_code(p_site integer, word text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT a.code FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = replace(upper(btrim(word)), '-', ''));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_code(integer, text) IS 'DICOM code for a modality word (label, code or alias) at a site; NULL when it is none.';

CREATE FUNCTION radscheduler.modality_guess(p_site integer, codes text[], texts text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT a.code FROM unnest(codes) WITH ORDINALITY c(value, place)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = upper(substring(c.value from '^[A-Za-z]+')) AND a.code <> 'OT'
            ORDER BY c.place LIMIT 1),
        (SELECT a.code FROM unnest(texts) WITH ORDINALITY t(value, place),
                regexp_split_to_table(replace(upper(t.value), 'X-RAY', 'XRAY'), '[^A-Z0-9]+') WITH ORDINALITY w(word, position)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = w.word AND a.code <> 'OT'
            ORDER BY t.place, w.position LIMIT 1)));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_guess(integer, text[], text[]) IS
    'DICOM code told by the letters that start a study code, else by the first word of the texts that is a modality alias; NULL when nothing tells. A word for OT tells nothing, so that it hides no other.';

CREATE FUNCTION radscheduler.status_of(words jsonb) RETURNS radscheduler.appointment_status
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT s.status FROM jsonb_array_elements_text(words) WITH ORDINALITY w(word, place)
        JOIN radscheduler.status_alias s ON s.alias = regexp_replace(upper(w.word), '[^A-Z0-9]', '', 'g')
        ORDER BY w.place LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.status_of(jsonb) IS 'First of an array of status words that the table status_alias knows; NULL when none is.';

CREATE FUNCTION radscheduler.urgency_of(priority text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN upper(btrim(priority)) IN ('S', 'STAT', 'EMERGENCY', 'E', 'EMERGENT') THEN 'stat'
                WHEN upper(btrim(priority)) IN ('A', 'ASAP', 'U', 'URGENT', 'P', 'C', 'T', 'TS', 'WALKIN', 'WALK-IN') OR upper(btrim(priority)) ~ '^T[SMHDWL]\d' THEN 'urgent'
                ELSE 'routine' END);
END
$$;
COMMENT ON FUNCTION radscheduler.urgency_of(text) IS 'stat, urgent or routine for a priority code (HL7 tables 0485 and TQ.6) or word.';

CREATE FUNCTION radscheduler.warning(code text, path text DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('code', k.code, 'path', warning.path, 'text', k.text))
    FROM radscheduler.warning_kind k WHERE k.code = warning.code);
END
$$;
COMMENT ON FUNCTION radscheduler.warning(text, text) IS 'A warning as it stands in hl7_message.warnings: {code, path, text}.';
