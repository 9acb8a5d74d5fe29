-- The exams of a site: what a new one starts with, how the code of a message finds one, and how somebody adds one.

CREATE FUNCTION radscheduler.stock_site(p_site integer, p_procedures text[] DEFAULT '{}', p_words text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET radscheduler.audit_changes = off
    AS $$
BEGIN
    INSERT INTO radscheduler.modality_alias (site_id, alias, code)
        SELECT m.site_id, a.alias, c.code FROM radscheduler.modality_catalogue c
        JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = c.code, unnest(c.aliases) a(alias)
        WHERE a.alias <> ALL (p_words)
        ON CONFLICT DO NOTHING;
    INSERT INTO radscheduler.procedure (site_id, code, name, modality, minutes, contrast, prep)
        SELECT m.site_id, c.code, c.name, c.modality, c.minutes, c.contrast, c.prep FROM radscheduler.procedure_catalogue c
        JOIN radscheduler.modality m ON m.site_id = p_site AND m.code = c.modality
        WHERE c.code <> ALL (p_procedures)
        ON CONFLICT DO NOTHING;
    UPDATE radscheduler.procedure p SET contrast = c.contrast, prep = c.prep FROM radscheduler.procedure_catalogue c
        WHERE p.site_id = p_site AND p.code = ANY (p_procedures) AND c.code = p.code AND c.name = p.name AND c.modality = p.modality
          AND p.contrast = 'unknown' AND p.prep IS NULL;
    -- A site that uses a code for another exam, or under another name, is left to its own words.
    INSERT INTO radscheduler.procedure_alias (site_id, alias, code)
        SELECT p.site_id, a.alias, c.code FROM radscheduler.procedure_catalogue c
        JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code = c.code AND p.name = c.name AND p.modality = c.modality, unnest(c.aliases) a(alias)
        WHERE NOT EXISTS (SELECT FROM radscheduler.procedure q WHERE q.site_id = p_site AND upper(q.code) = a.alias)
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION radscheduler.stock_site(integer, text[], text[]) IS
    'Gives a site the exams of the catalogue, their aliases and the words for modalities that it lacks, as far as it has the modality; rows that are there are not touched. p_procedures and p_words were offered to it before, without contrast and prep: what it lacks of those it has taken out, what it has is told contrast and prep if it says nothing of them.';

CREATE FUNCTION radscheduler.procedure_of(p_site integer, p_code text, p_alternate text, OUT code text, OUT modality text, OUT minutes integer) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_code  text;
    v_name  text;
    v_alias text;
BEGIN
    -- One statement, one index probe: with joins the planner would read whole tables, for every message.
    FOREACH v_code IN ARRAY ARRAY[p_code, p_alternate] LOOP
        CONTINUE WHEN v_code IS NULL;
        SELECT p.code, p.modality, p.minutes INTO procedure_of.code, procedure_of.modality, procedure_of.minutes
            FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = v_code;
        IF FOUND THEN
            RETURN;
        END IF;
        v_name := upper(btrim(v_code));
        SELECT a.code INTO v_alias FROM radscheduler.procedure_alias a WHERE a.site_id = p_site AND a.alias = v_name;
        IF FOUND OR v_name <> v_code THEN
            SELECT p.code, p.modality, p.minutes INTO procedure_of.code, procedure_of.modality, procedure_of.minutes
                FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = coalesce(v_alias, v_name);
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.procedure_of(integer, text, text) IS
    'The exam of a site that a code of a message means (AIS-3.1), else its alternate code (AIS-3.4): by code, by alias, by the code in upper case. All NULL when the site has none. minutes is NULL where those of the modality count.';

CREATE FUNCTION radscheduler.add_procedure(code text, name text, modality text, minutes integer DEFAULT NULL, contrast text DEFAULT 'unknown', prep text DEFAULT NULL,
                                           aliases text[] DEFAULT '{}') RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text := btrim(code);
    v_modality text := radscheduler.modality_code(v_site, modality);
    v_names    text[];
    v_taken    record;
BEGIN
    IF coalesce(v_code, '') = '' OR coalesce(name, '') = '' THEN
        RAISE EXCEPTION 'an exam needs a code and a name' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The code is what senders write in AIS-3.1; the name is its text, AIS-3.2.';
    ELSIF v_modality IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    ELSIF contrast IS NULL OR contrast NOT IN ('none', 'with', 'with_and_without', 'unknown') THEN
        RAISE EXCEPTION 'contrast "%" is not understood', contrast
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Write none, with, with_and_without or unknown.';
    ELSIF minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'an exam takes 1 to 1440 minutes, not %', minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave minutes out for those of the modality.';
    END IF;
    v_names := ARRAY(SELECT DISTINCT upper(btrim(n)) FROM unnest(aliases) n WHERE btrim(n) <> '' AND upper(btrim(n)) <> upper(v_code) ORDER BY 1);
    SELECT t.alias, t.code INTO v_taken FROM (
        SELECT a.alias, a.code FROM radscheduler.procedure_alias a WHERE a.site_id = v_site AND a.alias = ANY (v_names)
        UNION ALL
        SELECT upper(p.code), p.code FROM radscheduler.procedure p WHERE p.site_id = v_site AND upper(p.code) = ANY (v_names)) t
        ORDER BY t.alias LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '"%" already means the exam "%"', v_taken.alias, v_taken.code USING ERRCODE = 'unique_violation',
            HINT = 'Leave the alias out, or give it away first: UPDATE or DELETE in radscheduler.procedure_alias.';
    END IF;
    INSERT INTO radscheduler.procedure AS p (site_id, code, name, modality, minutes, contrast, prep)
        VALUES (v_site, v_code, name, v_modality, minutes, contrast, nullif(prep, '')) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has an exam with the code "%" already', v_code USING ERRCODE = 'unique_violation',
            HINT = 'UPDATE radscheduler.procedure changes it; other codes for it go into radscheduler.procedure_alias.';
    END IF;
    DELETE FROM radscheduler.procedure_alias a WHERE a.site_id = v_site AND a.alias = upper(v_code) RETURNING a.alias, a.code INTO v_taken;
    IF FOUND THEN
        RAISE NOTICE '"%" no longer means the exam "%"', v_taken.alias, v_taken.code;
    END IF;
    INSERT INTO radscheduler.procedure_alias AS a (site_id, alias, code) SELECT v_site, n, v_code FROM unnest(v_names) n;
    PERFORM radscheduler.audit(v_site, 'procedure.created', 'procedure', NULL,
        jsonb_strip_nulls(jsonb_build_object('code', v_code, 'modality', v_modality, 'minutes', minutes, 'contrast', contrast, 'aliases', to_jsonb(v_names))));
    RETURN v_code;
END
$$;
COMMENT ON FUNCTION radscheduler.add_procedure(text, text, text, integer, text, text, text[]) IS
    'Records an exam at the session''s site with the other codes that senders use for it (aliases, whatever their case); returns its code. modality is a DICOM code or a word for one, minutes NULL means the modality''s. A code that was an alias of another exam is one no longer, with a notice. Raises 22023 for a value that is not understood, 23505 for a code or alias that is taken. UPDATE and DELETE on radscheduler.procedure and procedure_alias do the rest.';
