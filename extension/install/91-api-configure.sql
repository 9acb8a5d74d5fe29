-- Changing configuration by /api/v1, one item at a time. A change is a document of configuration_import() with that one item in it: the same checks,
-- locks and audit events, and its errors without the way to the item. Items have no version of their own; the ETag is a hash of what is shown.

CREATE FUNCTION radscheduler.api_tag(p_shown jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT left(encode(sha256(convert_to(p_shown::text, 'UTF8')), 'hex'), 20)
$$;
COMMENT ON FUNCTION radscheduler.api_tag(jsonb) IS 'The version of something that has none: a hash of what is shown of it.';

CREATE FUNCTION radscheduler.api_tagged(p_status integer, p_shown jsonb, p_location text DEFAULT NULL, p_passing text[] DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.reply(p_status, p_shown, jsonb_strip_nulls(jsonb_build_object('ETag', format('"%s"', radscheduler.api_tag(p_shown - p_passing)), 'Location', p_location)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_tagged(integer, jsonb, text, text[]) IS 'An answer that is one item, with api_tag() as ETag, and Location where it is new. p_passing: keys that change without anybody changing the item.';

CREATE FUNCTION radscheduler.api_outdated(request jsonb, p_what text, p_shown jsonb, p_passing text[] DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_tag text := radscheduler.api_tag(p_shown - p_passing);
BEGIN
    IF coalesce(request ->> 'if_match', '*') IN ('*', v_tag) THEN
        RETURN NULL;
    END IF;
    RETURN radscheduler.problem(412, 'precondition_failed', 'Changed meanwhile', format('The %s is not as you read it. Look at it as it is, decide again, and give that version.', p_what),
        jsonb_build_object('current', p_shown), jsonb_build_object('ETag', format('"%s"', v_tag)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_outdated(jsonb, text, jsonb, text[]) IS
    'The answer 412, with the item as it is, when If-Match names another version than the present one; NULL when it names that, any (*), or there is none. Ask it under api_configuring().';

CREATE FUNCTION radscheduler.api_configuring() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    LOCK TABLE radscheduler.site IN SHARE ROW EXCLUSIVE MODE;
END
$$;
COMMENT ON FUNCTION radscheduler.api_configuring() IS 'The first lock of whoever changes configuration: one at a time. Messages and bookings do not wait for it.';

CREATE FUNCTION radscheduler.api_configure(p_site integer, p_list text, p_item jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sites jsonb := jsonb_build_array(jsonb_build_object('code', (SELECT s.code FROM radscheduler.site s WHERE s.site_id = p_site))
                         || CASE WHEN p_list IS NULL THEN p_item ELSE jsonb_build_object(p_list, jsonb_build_array(p_item)) END);
    v_text  text;
    v_hint  text;
    v_parts text[];
BEGIN
    PERFORM radscheduler.configuration_check('document', '', jsonb_build_object('format', 'radscheduler.configuration', 'version', 1, 'sites', v_sites));
    PERFORM radscheduler.configuration_merge(v_sites);
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS v_text = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
    v_parts := regexp_match(v_text, '^sites\[0\](?:\.' || coalesce(p_list, '-') || '\[0\])?\.?(\S*) (.*)$');
    IF v_parts IS NULL THEN
        RAISE;
    ELSIF v_parts[1] = '' THEN
        RAISE EXCEPTION 'the body %', v_parts[2] USING ERRCODE = 'invalid_parameter_value', HINT = replace(v_hint, 'the document', 'the body');
    END IF;
    RAISE EXCEPTION '"%" %', v_parts[1], v_parts[2] USING ERRCODE = 'invalid_parameter_value', HINT = replace(v_hint, 'the document', 'the body'),
        COLUMN = substring(v_parts[1] FROM '^[^.[]*');
END
$$;
COMMENT ON FUNCTION radscheduler.api_configure(integer, text, jsonb) IS
    'Merges one item of a list (resources, procedures) into the configuration of a site, or keys of the site itself (list NULL), as configuration_import() does. Raises 22023 with the field as COLUMN.';

CREATE FUNCTION radscheduler.api_may_register(p_site integer) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT NOT EXISTS (SELECT FROM radscheduler.site s WHERE s.site_id <> p_site)
$$;
COMMENT ON FUNCTION radscheduler.api_may_register(integer) IS
    'Whether a credential of a site may register senders: only where it is the only one. A registered sender decides which site its messages go to, and the daemon''s role, not the credential, is what the trigger of sender asks.';

CREATE FUNCTION radscheduler.api_refuse_registering(p_site integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT radscheduler.api_may_register(p_site) THEN
        RAISE EXCEPTION 'a credential of one site does not register senders in a database of several: that decides which site their messages go to' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Send "is_registered": false, and let a DBA call radscheduler.set_sender().';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.api_refuse_registering(integer) IS 'Raises 42501 unless api_may_register().';

CREATE FUNCTION radscheduler.api_flag(p_body jsonb, p_name text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF jsonb_typeof(p_body -> p_name) NOT IN ('boolean', 'null') THEN
        PERFORM radscheduler.api_fault(p_name, 'must be true or false', format('Send {"%s": true}.', p_name));
    END IF;
    RETURN (p_body ->> p_name)::boolean;
END
$$;
COMMENT ON FUNCTION radscheduler.api_flag(jsonb, text) IS 'A truth value of a body, or NULL.';

CREATE FUNCTION radscheduler.api_truth(request jsonb, p_name text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_word text := radscheduler.api_word(request, p_name);
BEGIN
    IF v_word NOT IN ('true', 'false') THEN
        PERFORM radscheduler.api_fault(p_name, 'must be true or false', format('Give %s=true or %1$s=false.', p_name));
    END IF;
    RETURN v_word::boolean;
END
$$;
COMMENT ON FUNCTION radscheduler.api_truth(jsonb, text) IS 'A query parameter that is true or false, or NULL.';

CREATE FUNCTION radscheduler.api_modality(p_site integer, p_name text, p_word text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_code text := radscheduler.modality_code(p_site, p_word);
BEGIN
    IF p_word IS NOT NULL AND v_code IS NULL THEN
        PERFORM radscheduler.api_fault(p_name, 'is not known at this site', 'Use for example MRI, CT, XRAY or US.');
    END IF;
    RETURN v_code;
END
$$;
COMMENT ON FUNCTION radscheduler.api_modality(integer, text, text) IS 'The code of a modality that a parameter or field names in a word; raises 22023 for an unknown one.';
