-- What AIG, AIL and AIP mean: names resolved through resource_alias, unknown ones recorded so that a booking is never lost for a missing row.

CREATE FUNCTION radscheduler.resource_name_of(p_item jsonb, OUT kind radscheduler.resource_kind, OUT code text, OUT name text, OUT role text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words text := upper(concat_ws(' ', p_item ->> 'type_code', p_item ->> 'type_text'));
BEGIN
    kind := CASE WHEN p_item ->> 'segment' = 'AIP' THEN 'staff'
                 WHEN p_item ->> 'segment' = 'AIL' THEN 'room'
                 WHEN v_words ~ '(^|\W)(ROOM|LOCATION)(\W|$)' THEN 'room'
                 WHEN v_words ~ '(^|\W)(D|DOCTOR|PHYSICIAN|PROVIDER|SURGEON|RADIOLOGIST|TECHNOLOGIST|TECH|SONOGRAPHER|NURSE|STAFF|PERSON|PERSONNEL)(\W|$)' THEN 'staff'
                 WHEN v_words = '' AND upper(concat_ws(' ', p_item ->> 'code', p_item ->> 'name')) ~ '(^|[^A-Z])ROOM([^A-Z]|$)' THEN 'room'
                 ELSE 'equipment' END;
    code := coalesce(nullif(p_item ->> 'code', '') || CASE WHEN kind = 'staff' THEN coalesce('^' || nullif(p_item ->> 'authority', ''), '') ELSE '' END,
                     CASE WHEN p_item ->> 'family' IS NOT NULL THEN upper(concat_ws(' ', p_item ->> 'role', p_item ->> 'family', p_item ->> 'given')) END,
                     nullif(p_item ->> 'name', ''));
    name := coalesce(nullif(p_item ->> 'name', ''), nullif(concat_ws(' ', p_item ->> 'given', p_item ->> 'family'), ''), p_item ->> 'code');
    role := upper(coalesce(p_item ->> 'role', p_item ->> 'type_code'));
END
$$;
COMMENT ON FUNCTION radscheduler.resource_name_of(jsonb) IS
    'What one resource of a reading is called: its kind by segment and type words, a room in AIG without type by its name, its code (the id sent, for staff with the authority after a caret; for staff without id role, family and given name), a name and a role. Never the role alone: every message would then want the same person.';

CREATE FUNCTION radscheduler.is_referrer(p_role text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN coalesce(p_role ~ '^(REF|RP|REFERRING|ORDERING|REQUESTING|PCP)', false);
END
$$;
COMMENT ON FUNCTION radscheduler.is_referrer(text) IS 'True for roles that ask for an exam without taking part in it: they are not booked.';

CREATE FUNCTION radscheduler.fits_kind(kind radscheduler.resource_kind, said radscheduler.resource_kind, segment text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN kind = said OR segment = 'AIG' OR segment = 'AIL' AND kind <> 'staff';
COMMENT ON FUNCTION radscheduler.fits_kind(radscheduler.resource_kind, radscheduler.resource_kind, text) IS
    'Whether a resource of this kind can be meant where a segment says another: senders put rooms and people into AIG and scanners into AIL, and the table of resources knows better.';

CREATE FUNCTION radscheduler.resource_by_other_name(p_site integer, p_item jsonb, p_kind radscheduler.resource_kind) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT p_item ?| '{also,authority}' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT a.resource_id
        FROM (SELECT upper(o.value), o.place FROM jsonb_array_elements_text(p_item -> 'also') WITH ORDINALITY o(value, place)
              UNION ALL SELECT upper(p_item ->> 'code'), 0 WHERE p_item ? 'authority') n(name, place)
        JOIN radscheduler.resource_alias a ON a.site_id = p_site AND a.alias = n.name AND radscheduler.fits_kind(a.kind, p_kind, p_item ->> 'segment')
        JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = a.resource_id
             AND (n.place > 0 OR strpos(r.code, '^') = 0) -- the number of another authority is another person
        ORDER BY n.place, a.kind = p_kind DESC, a.kind LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.resource_by_other_name(integer, jsonb, radscheduler.resource_kind) IS
    'The resource of a reading''s item that is not known by its code: staff by the number alone where nobody has it from another authority, else by the other names sent (also). NULL when none is known.';

CREATE FUNCTION radscheduler.find_resources(p_site integer, p_resources jsonb, OUT resource_ids bigint[], OUT missing boolean) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item jsonb;
    v_name record;
    v_id   bigint;
BEGIN
    missing := false;
    FOR n IN 0 .. coalesce(jsonb_array_length(p_resources), 0) - 1 LOOP
        v_item := p_resources -> n;
        v_name := radscheduler.resource_name_of(v_item);
        v_id := NULL;
        IF v_name.code IS NOT NULL AND NOT radscheduler.is_referrer(v_name.role) THEN
            SELECT a.resource_id INTO v_id FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.alias = upper(v_name.code) AND radscheduler.fits_kind(a.kind, v_name.kind, v_item ->> 'segment')
                ORDER BY a.kind = v_name.kind DESC, a.kind LIMIT 1;
            IF v_id IS NULL THEN
                v_id := radscheduler.resource_by_other_name(p_site, v_item, v_name.kind);
            END IF;
            missing := missing OR v_id IS NULL;
        END IF;
        resource_ids := resource_ids || v_id;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.find_resources(integer, jsonb) IS
    'For the resources of a reading: one id for each, NULL for one that is not known or not booked, and whether one is unknown. resource_ids is NULL when there are none.';

CREATE FUNCTION radscheduler.record_resources(p_item radscheduler.ingest_item) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row      record;
    v_id       bigint;
    v_warnings jsonb := '[]';
BEGIN
    PERFORM radscheduler.lock_new_resources(p_item.site_id);
    FOR v_row IN
        SELECT DISTINCT ON (n.kind, upper(n.code)) n.kind, n.code, n.name, n.role, e.item ->> 'path' AS path
        FROM jsonb_array_elements(p_item.reading -> 'resources') e(item), LATERAL radscheduler.resource_name_of(e.item) n
        WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role)
          AND NOT EXISTS (SELECT FROM radscheduler.resource_alias a WHERE a.site_id = p_item.site_id AND a.alias = upper(n.code)
                          AND radscheduler.fits_kind(a.kind, n.kind, e.item ->> 'segment'))
          AND radscheduler.resource_by_other_name(p_item.site_id, e.item, n.kind) IS NULL
        ORDER BY n.kind, upper(n.code)
    LOOP
        INSERT INTO radscheduler.resource (site_id, code, name, kind, role, modality, is_registered)
            VALUES (p_item.site_id, v_row.code, v_row.name, v_row.kind, CASE WHEN v_row.kind = 'staff' THEN v_row.role END,
                    CASE WHEN v_row.kind = 'equipment' THEN coalesce(radscheduler.modality_guess(p_item.site_id, ARRAY[v_row.code], ARRAY[v_row.name]),
                                                                     radscheduler.modality_of(p_item.site_id, p_item.reading, NULL)) END, false)
            RETURNING resource.resource_id INTO v_id;
        INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (p_item.site_id, v_row.kind, upper(v_row.code), v_id);
        INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)
            SELECT p_item.site_id, v_row.kind, n.alias, v_id FROM upper(split_part(v_row.code, '^', 1)) n(alias) WHERE v_row.kind = 'staff' AND n.alias <> '' ON CONFLICT DO NOTHING;
        PERFORM radscheduler.audit(p_item.site_id, 'resource.created', 'resource', v_id, '{}');
        v_warnings := v_warnings || radscheduler.warning('RESOURCE_UNKNOWN', v_row.path);
    END LOOP;
    RETURN v_warnings;
END
$$;
COMMENT ON FUNCTION radscheduler.record_resources(radscheduler.ingest_item) IS
    'Records the resources of a message that are not known, with capacity 1, no buffers and is_registered = false (a scanner with the modality its name tells, else its exam''s), so that a booking is never lost for a missing row; returns a warning for each.';

CREATE FUNCTION radscheduler.resolve_resources(p_item radscheduler.ingest_item, OUT resource_ids bigint[], OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_found record;
BEGIN
    v_found := radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources');
    warnings := '[]';
    IF v_found.missing THEN
        warnings := radscheduler.record_resources(p_item);
        v_found := radscheduler.find_resources(p_item.site_id, p_item.reading -> 'resources');
    END IF;
    resource_ids := v_found.resource_ids;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_resources(radscheduler.ingest_item) IS
    'The resources of a message: one id per resource of its reading (NULL for one that is not booked, such as a referrer), NULL when it names none. Unknown ones are recorded and told as warnings.';

CREATE FUNCTION radscheduler.add_resource(code text, name text, kind radscheduler.resource_kind, modality text DEFAULT NULL, capacity integer DEFAULT 1,
                                          setup_minutes integer DEFAULT 0, turnover_minutes integer DEFAULT 0, role text DEFAULT NULL,
                                          aliases text[] DEFAULT '{}') RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_variable
DECLARE
    v_site integer := radscheduler.current_site();
    v_code text := radscheduler.modality_code(v_site, modality);
    v_id   bigint;
BEGIN
    IF kind = 'staff' AND (setup_minutes <> 0 OR turnover_minutes <> 0) THEN
        RAISE EXCEPTION 'staff have no set-up or turnover minutes' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give buffers to the room or the scanner.';
    END IF;
    IF modality IS NOT NULL AND v_code IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    END IF;
    INSERT INTO radscheduler.resource AS r (site_id, code, name, kind, role, modality, capacity, setup_minutes, turnover_minutes)
        VALUES (v_site, code, name, kind, upper(role), v_code, capacity, setup_minutes, turnover_minutes)
        RETURNING r.resource_id INTO v_id;
    INSERT INTO radscheduler.resource_alias AS a (site_id, kind, alias, resource_id)
        SELECT v_site, kind, upper(n), v_id FROM unnest(code || aliases) n GROUP BY upper(n);
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.add_resource(text, text, radscheduler.resource_kind, text, integer, integer, integer, text, text[]) IS
    'Records a room, scanner or member of staff at the session''s site with all the names it is called by; returns its id. Buffers (minutes before and after) are for rooms and equipment only.';
