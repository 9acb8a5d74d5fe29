-- Registering a sender and saying how it is read, in one call that answers in sentences.

CREATE FUNCTION radscheduler.refuse_profile(p_what text, p_profile jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_faults text[] := ARRAY(SELECT concat_ws(' ', f.key, f.fault) FROM radscheduler.profile_faults(p_profile) f);
BEGIN
    IF cardinality(v_faults) > 0 THEN
        RAISE EXCEPTION '% is not understood: %', p_what, array_to_string(v_faults, '; ') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'SELECT key, words, default_value, example, meaning FROM radscheduler.profile_key ORDER BY place;';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.refuse_profile(text, jsonb) IS 'Raises 22023 with every fault of a profile, each with what to write instead; nothing when it is understood.';

CREATE FUNCTION radscheduler.set_sender(application text, facility text, profile jsonb DEFAULT '{}', registered boolean DEFAULT true, replace boolean DEFAULT false,
                                        OUT sender_id bigint, OUT is_new boolean, OUT is_registered boolean, OUT own_profile jsonb, OUT whole_profile jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site    integer := radscheduler.current_site();
    v_old     record;
    v_changes jsonb;
BEGIN
    IF set_sender.application IS NULL OR set_sender.facility IS NULL OR set_sender.application || set_sender.facility = '' THEN
        RAISE EXCEPTION 'a sender is known by its application (MSH-3) and facility (MSH-4), and neither was given' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give both; one that the sender leaves empty is an empty string.';
    ELSIF length(set_sender.application) > 200 OR length(set_sender.facility) > 200 THEN
        RAISE EXCEPTION 'application and facility have at most 200 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give MSH-3 and MSH-4 as they are sent.';
    ELSIF jsonb_typeof(set_sender.profile) IS DISTINCT FROM 'object' THEN
        PERFORM radscheduler.refuse_profile('the profile', coalesce(set_sender.profile, 'null'));
    END IF;

    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (v_site, set_sender.application, set_sender.facility, false) ON CONFLICT DO NOTHING;
    set_sender.is_new := FOUND;
    SELECT s.sender_id, s.profile, s.is_registered INTO v_old FROM radscheduler.sender s
        WHERE s.site_id = v_site AND s.sending_application = set_sender.application AND s.sending_facility = set_sender.facility FOR UPDATE;
    set_sender.sender_id := v_old.sender_id;
    -- A key that is null goes; what is not named stays, unless the whole is replaced.
    set_sender.own_profile := CASE WHEN replace THEN '{}' ELSE v_old.profile - ARRAY(SELECT jsonb_object_keys(set_sender.profile)) END
        || (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}') FROM jsonb_each(set_sender.profile) e WHERE e.value <> 'null');
    PERFORM radscheduler.refuse_profile(format('the profile of sender "%s|%s"', set_sender.application, set_sender.facility), set_sender.own_profile);
    UPDATE radscheduler.sender s SET profile = set_sender.own_profile, is_registered = coalesce(set_sender.registered, s.is_registered)
        WHERE s.site_id = v_site AND s.sender_id = v_old.sender_id
          AND (s.profile, s.is_registered) IS DISTINCT FROM (set_sender.own_profile, coalesce(set_sender.registered, s.is_registered));
    SELECT s.is_registered, radscheduler.sender_profile(s.profile, t.default_profile) INTO set_sender.is_registered, set_sender.whole_profile
        FROM radscheduler.sender s JOIN radscheduler.site t ON t.site_id = s.site_id WHERE s.site_id = v_site AND s.sender_id = v_old.sender_id;
    IF set_sender.registered AND NOT set_sender.is_registered THEN
        RAISE NOTICE 'the sender is recorded, and stays unregistered' USING HINT = 'Only who may use every site registers a sender: it decides which site its messages go to.';
    END IF;

    SELECT coalesce(jsonb_object_agg(c.name, jsonb_build_array(c.old, c.new)), '{}') INTO v_changes
        FROM (VALUES ('profile', v_old.profile, set_sender.own_profile),
                     ('is_registered', to_jsonb(v_old.is_registered), to_jsonb(set_sender.is_registered))) c(name, old, new) WHERE c.old <> c.new;
    IF set_sender.is_new OR v_changes <> '{}' THEN
        PERFORM radscheduler.audit(v_site, CASE WHEN set_sender.is_new THEN 'sender.created' ELSE 'sender.changed' END, 'sender', v_old.sender_id,
                                   jsonb_build_object('columns', v_changes));
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.set_sender(text, text, jsonb, boolean, boolean) IS
    'Records or changes the sender known by MSH-3 (application) and MSH-4 (facility) at the session''s site. The keys of profile are set, one that is null is removed, those not named stay; with replace => true the profile becomes exactly this. registered => NULL leaves that as it is; only who may use every site registers a sender, for others it stays unregistered with a notice. Returns the sender''s id, whether it is new, whether it is registered, its own profile, and the whole one: preset written out, over site.default_profile. Writes one audit event when something changed. Raises 22023 with every fault of the profile and what to write instead.';
