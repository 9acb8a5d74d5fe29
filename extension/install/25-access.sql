-- Whose session this is and which sites it may use. Two questions, two mechanisms: what a role may do is plain GRANT, written by
-- grant_role() from the table role_right; whose rows it may do it to is site_grant, asked by the policies of every record table and by
-- every SECURITY DEFINER function. The role is the one in effect outside SECURITY DEFINER functions, so that no function in between lends its own.

CREATE TABLE radscheduler.role_right (
    kind    text NOT NULL,
    object  text NOT NULL,
    rights  text NOT NULL,
    columns text NOT NULL DEFAULT '',
    PRIMARY KEY (kind, object, rights)
);
COMMENT ON TABLE  radscheduler.role_right IS 'What each kind of role may do: the rows grant_role() turns into GRANTs.';
COMMENT ON COLUMN radscheduler.role_right.kind IS 'reader, scheduler, ingest, analyst, auditor, admin; public is everyone.';
COMMENT ON COLUMN radscheduler.role_right.object IS 'Table or view; a function with () after its name, all its overloads.';
COMMENT ON COLUMN radscheduler.role_right.rights IS 'SELECT, INSERT, UPDATE, DELETE or EXECUTE, separated by commas.';
COMMENT ON COLUMN radscheduler.role_right.columns IS 'Columns the right is limited to, separated by commas; empty for all.';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o, 'SELECT' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['site', 'modality', 'modality_alias', 'procedure', 'procedure_alias', 'resource', 'resource_alias', 'resource_hours', 'resource_block', 'calendar_day', 'reserved_hours', 'rule_setting', 'site_rule',
                 'patient', 'patient_identifier', 'patient_merge', 'patient_fact', 'imaging_order', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                 'occupancy', 'conflict', 'appointments', 'schema_version']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['find_slots', 'third_next_available', 'facts_of', 'match_procedure', 'explain_rules', 'conflicts_of', 'orders_of', 'appointments_of', 'schedule_as_of', 'appointment_as_of', 'drift_report', 'api_appointments', 'api_dashboard', 'health']) o;
INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['book', 'try_book', 'reschedule', 'try_reschedule', 'cancel', 'set_status', 'check_conflicts', 'hold', 'release', 'override_conflict', 'accept_conflict']) o;
UPDATE radscheduler.role_right SET rights = 'SELECT, INSERT, UPDATE, DELETE'
    WHERE kind IN ('scheduler', 'admin') AND object = 'resource_block' OR kind = 'scheduler' AND object = 'appointments'
       OR kind = 'admin' AND object IN ('modality', 'modality_alias', 'procedure', 'procedure_alias', 'resource', 'resource_alias', 'resource_hours', 'calendar_day', 'reserved_hours', 'rule_setting', 'site_rule');
INSERT INTO radscheduler.role_right (kind, object, rights, columns) VALUES
    ('ingest', 'ingest()', 'EXECUTE', ''),
    ('ingest', 'ingest_batch()', 'EXECUTE', ''),
    ('ingest', 'quarantine()', 'EXECUTE', ''),
    ('ingest', 'dry_run()', 'EXECUTE', ''),
    ('ingest', 'dry_run_batch()', 'EXECUTE', ''),
    ('ingest', 'ingest_json()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_appointment()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_raw()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_simulate()', 'EXECUTE', ''),
    ('ingest', 'relay_fetch()', 'EXECUTE', ''),
    ('ingest', 'relay_advance()', 'EXECUTE', ''),
    ('ingest', 'admit_api_key()', 'EXECUTE', ''),
    ('ingest', 'login_of()', 'EXECUTE', ''),
    ('ingest', 'note_login()', 'EXECUTE', ''),
    ('ingest', 'act_as()', 'EXECUTE', ''),
    ('ingest', 'api_call()', 'EXECUTE', ''),
    ('ingest', 'maintain()', 'EXECUTE', ''),
    ('ingest', 'claim_tasks()', 'EXECUTE', ''),
    ('ingest', 'begin_task()', 'EXECUTE', ''),
    ('ingest', 'finish_task()', 'EXECUTE', ''),
    ('ingest', 'extend_leases()', 'EXECUTE', ''),
    ('ingest', 'release_tasks()', 'EXECUTE', ''),
    ('ingest', 'count_tasks()', 'EXECUTE', ''),
    ('ingest', 'health()', 'EXECUTE', ''),
    ('analyst', 'site', 'SELECT', ''),
    ('analyst', 'modality', 'SELECT', ''),
    ('analyst', 'procedure', 'SELECT', ''),
    ('analyst', 'resource', 'SELECT', ''),
    ('analyst', 'resource_hours', 'SELECT', ''),
    ('analyst', 'calendar_day', 'SELECT', 'site_id, day_id, resource_id, day, opens, closes'),
    ('analyst', 'reserved_hours', 'SELECT', 'site_id, reserved_id, resource_id, modality, weekday, opens, closes, valid, kind, urgencies, patient_classes, procedures, release_hours'),
    ('analyst', 'resource_block', 'SELECT', 'site_id, block_id, resource_id, during, created_at'),
    ('analyst', 'appointment', 'SELECT', 'site_id, appointment_id, sender_id, generation, patient_id, status, review_reason, starts_at, ends_at, '
        'modality, study_code, urgency, source, is_test, reschedule_count, original_starts_at, version, hold_until, message_id, created_at, updated_at'),
    ('analyst', 'appointment_service', 'SELECT', 'site_id, appointment_id, position, group_no, code, starts_at, ends_at'),
    ('analyst', 'appointment_resource', 'SELECT', ''),
    ('analyst', 'occupancy', 'SELECT', ''),
    ('analyst', 'patient_merge', 'SELECT', ''),
    ('analyst', 'imaging_order', 'SELECT', 'site_id, order_id, sender_id, patient_id, status, control, code, modality, urgency, wanted_at, wanted_on, is_test, message_id, '
        'created_at, updated_at'),
    ('analyst', 'conflict', 'SELECT', ''),
    ('analyst', 'event_log', 'SELECT', ''),
    ('analyst', 'hl7_message', 'SELECT', 'site_id, message_id, received_at, channel, sender_id, message_code, trigger_event, processing_id, '
        'version_id, message_time, outcome, code, warnings, appointment_id, duplicate_of'),
    ('analyst', 'sender', 'SELECT', ''),
    ('analyst', 'api_dashboard()', 'EXECUTE', ''),
    ('analyst', 'health()', 'EXECUTE', ''),
    ('scheduler', 'block_resource()', 'EXECUTE', ''),
    ('scheduler', 'unblock_resource()', 'EXECUTE', ''),
    ('scheduler', 'set_exception()', 'EXECUTE', ''),
    ('scheduler', 'remove_exception()', 'EXECUTE', ''),
    ('scheduler', 'preview_hours()', 'EXECUTE', ''),
    ('scheduler', 'recheck_conflicts()', 'EXECUTE', ''),
    ('scheduler', 'record_fact()', 'EXECUTE', ''),
    ('scheduler', 'retract_fact()', 'EXECUTE', ''),
    ('auditor', 'site', 'SELECT', ''),
    ('auditor', 'audit_event', 'SELECT', ''),
    ('auditor', 'audit_seal', 'SELECT', ''),
    ('auditor', 'role_grant', 'SELECT', ''),
    ('auditor', 'site_grant', 'SELECT', ''),
    ('auditor', 'legal_hold', 'SELECT', ''),
    ('auditor', 'retention', 'SELECT', ''),
    ('auditor', 'schema_version', 'SELECT', ''),
    ('auditor', 'sender_report()', 'EXECUTE', ''),
    ('auditor', 'audit_verify()', 'EXECUTE', ''),
    ('auditor', 'audit_head()', 'EXECUTE', ''),
    ('admin', 'site', 'UPDATE', 'name, timezone, phone_region, slot_minutes, travel_minutes, campus_minutes, clinical_rules, unknown_senders, default_profile'),
    ('admin', 'sender', 'SELECT, DELETE', ''),
    ('admin', 'sender', 'INSERT', 'site_id, sending_application, sending_facility, profile, is_registered'),
    ('admin', 'sender', 'UPDATE', 'profile, is_registered'),
    ('admin', 'hl7_message', 'SELECT', ''),
    ('admin', 'message_key', 'SELECT', ''),
    ('admin', 'sender_block', 'SELECT', ''),
    ('admin', 'event_log', 'SELECT', ''),
    ('admin', 'legal_hold', 'SELECT', ''),
    ('admin', 'retention', 'SELECT', ''),
    ('admin', 'api_key', 'SELECT', 'site_id, key_id, name, scopes, networks, expires_at, revoked_at, last_used_at, created_by, created_at'),
    ('admin', 'app_user', 'SELECT', 'site_id, user_id, login, name, scopes, is_active, token_version, failures, closed_until, last_login_at, created_at'),
    ('admin', 'create_api_key()', 'EXECUTE', ''),
    ('admin', 'revoke_api_key()', 'EXECUTE', ''),
    ('admin', 'create_user()', 'EXECUTE', ''),
    ('admin', 'set_user()', 'EXECUTE', ''),
    ('admin', 'create_site()', 'EXECUTE', ''),
    ('admin', 'add_procedure()', 'EXECUTE', ''),
    ('admin', 'add_resource()', 'EXECUTE', ''),
    ('admin', 'block_resource()', 'EXECUTE', ''),
    ('admin', 'unblock_resource()', 'EXECUTE', ''),
    ('admin', 'set_holiday()', 'EXECUTE', ''),
    ('admin', 'remove_holiday()', 'EXECUTE', ''),
    ('admin', 'set_exception()', 'EXECUTE', ''),
    ('admin', 'remove_exception()', 'EXECUTE', ''),
    ('admin', 'set_hours()', 'EXECUTE', ''),
    ('admin', 'reserve_hours()', 'EXECUTE', ''),
    ('admin', 'unreserve_hours()', 'EXECUTE', ''),
    ('admin', 'preview_hours()', 'EXECUTE', ''),
    ('admin', 'recheck_conflicts()', 'EXECUTE', ''),
    ('admin', 'record_fact()', 'EXECUTE', ''),
    ('admin', 'retract_fact()', 'EXECUTE', ''),
    ('admin', 'set_sender()', 'EXECUTE', ''),
    ('admin', 'set_clinical_rules()', 'EXECUTE', ''),
    ('scheduler', 'authorize()', 'EXECUTE', ''),
    ('admin', 'authorize()', 'EXECUTE', ''),
    ('admin', 'sender_report()', 'EXECUTE', ''),
    ('admin', 'dry_run()', 'EXECUTE', ''),
    ('admin', 'dry_run_batch()', 'EXECUTE', ''),
    ('admin', 'replay()', 'EXECUTE', ''),
    ('admin', 'configuration_export()', 'EXECUTE', ''),
    ('admin', 'configuration_import()', 'EXECUTE', ''),
    ('admin', 'place_hold()', 'EXECUTE', ''),
    ('admin', 'lift_hold()', 'EXECUTE', ''),
    ('admin', 'purge()', 'EXECUTE', ''),
    ('admin', 'set_retention()', 'EXECUTE', ''),
    ('admin', 'maintain()', 'EXECUTE', ''),
    ('admin', 'hl7_quarantine', 'SELECT, DELETE', ''),
    ('admin', 'link', 'SELECT, INSERT, UPDATE, DELETE', ''),
    ('admin', 'task', 'SELECT', ''),
    ('admin', 'outbox', 'SELECT', ''),
    ('admin', 'count_tasks()', 'EXECUTE', ''),
    ('admin', 'task_message()', 'EXECUTE', ''),
    ('admin', 'retry_task()', 'EXECUTE', ''),
    ('admin', 'drop_task()', 'EXECUTE', ''),
    ('admin', 'siu_build()', 'EXECUTE', ''),
    ('scheduler', 'siu_build()', 'EXECUTE', ''),
    ('public', 'caller()', 'EXECUTE', ''),
    ('public', 'acting()', 'EXECUTE', ''),
    ('public', 'sites_for()', 'EXECUTE', ''),
    ('public', 'everywhere_for()', 'EXECUTE', ''),
    ('public', 'visible_sites()', 'EXECUTE', ''),
    ('public', 'sees_every_site()', 'EXECUTE', ''),
    ('public', 'current_site()', 'EXECUTE', ''),
    ('public', 'default_zone()', 'EXECUTE', ''),
    ('public', 'audits_changes()', 'EXECUTE', ''),
    ('public', 'is_timezone()', 'EXECUTE', ''),
    ('public', 'is_profile()', 'EXECUTE', ''),
    ('public', 'is_rule()', 'EXECUTE', ''),
    ('public', 'are_hours()', 'EXECUTE', ''),
    ('public', 'is_clinical_rule()', 'EXECUTE', ''),
    ('public', 'is_conflict_kind()', 'EXECUTE', ''),
    ('public', 'is_fact_kind()', 'EXECUTE', ''),
    ('public', 'is_task_kind()', 'EXECUTE', ''),
    ('public', 'rule_parameters_fault()', 'EXECUTE', ''),
    ('public', 'profile_faults()', 'EXECUTE', ''),
    ('public', 'profile_value_fault()', 'EXECUTE', ''),
    ('public', 'event_map_fault()', 'EXECUTE', ''),
    ('public', 'nearest_word()', 'EXECUTE', ''),
    ('public', 'is_path()', 'EXECUTE', ''),
    ('public', 'sender_profile()', 'EXECUTE', ''),
    ('public', 'event_meant()', 'EXECUTE', ''),
    ('public', 'is_occupying()', 'EXECUTE', ''),
    ('public', 'is_closed()', 'EXECUTE', ''),
    ('public', 'is_ordered_by()', 'EXECUTE', ''),
    ('public', 'contrast_meant()', 'EXECUTE', ''),
    ('public', 'siu_parse()', 'EXECUTE', ''),
    ('public', 'siu_read()', 'EXECUTE', '');

CREATE FUNCTION radscheduler.caller() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_caller' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.caller() IS
    'The role that asks: the one of SET ROLE, else the login. Not the owner of a SECURITY DEFINER function in between.';

CREATE FUNCTION radscheduler.acting() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_acting' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.acting() IS
    'The role whose rights narrow the caller''s: current_user, where that is neither the caller nor a superuser; else 0. Raises 42501 while PostgreSQL maintains an object for its owner (autovacuum, REFRESH, CREATE INDEX), unless the owner does it himself.';

CREATE FUNCTION radscheduler.is_unbound(p_role oid) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_is_unbound' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.is_unbound(oid) IS 'Whether row-level security does not bind a role: a superuser, or one with BYPASSRLS.';

CREATE FUNCTION radscheduler.is_everywhere(p_role oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- pg_authid, not the view pg_roles: this is asked for every message and every query over records.
    IF radscheduler.is_unbound(p_role) THEN
        RETURN true;
    END IF;
    RETURN EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_authid r ON r.rolname = g.role_name
                   WHERE g.site_id IS NULL AND pg_has_role(p_role, r.oid, 'USAGE'));
END
$$;
COMMENT ON FUNCTION radscheduler.is_everywhere(oid) IS 'Whether a role may use every site, present and future: a superuser, one with BYPASSRLS, or one granted the site *.';

CREATE FUNCTION radscheduler.everywhere_for(p_acting oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.is_everywhere(radscheduler.caller()) AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting));
END
$$;
COMMENT ON FUNCTION radscheduler.everywhere_for(oid) IS 'What sees_every_site() asks: the caller, narrowed by another role (0 for none).';

CREATE FUNCTION radscheduler.sees_every_site() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.everywhere_for(radscheduler.acting());
COMMENT ON FUNCTION radscheduler.sees_every_site() IS
    'Whether the caller may use every site, present and future: a superuser, a role with BYPASSRLS, or one granted the site *.';

-- Asked for every message, request and query over records: planned once, not anew for each.
CREATE FUNCTION radscheduler.sites_for(p_acting oid) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    AS $$
DECLARE
    v_caller oid := radscheduler.caller();
    v_code   text := nullif(current_setting('radscheduler.site', true), '');
    v_whole  boolean := radscheduler.is_everywhere(v_caller);
BEGIN
    IF v_whole AND p_acting = 0 THEN
        RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s WHERE v_code IS NULL OR s.code = v_code) || CASE WHEN v_code IS NULL THEN '{0}'::integer[] ELSE '{}' END;
    END IF;
    RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s
                 WHERE (v_code IS NULL OR s.code = v_code)
                   AND (v_whole OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_authid r ON r.rolname = g.role_name
                                           WHERE g.site_id = s.site_id AND pg_has_role(v_caller, r.oid, 'USAGE')))
                   AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting)
                        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_authid r ON r.rolname = g.role_name
                                   WHERE g.site_id = s.site_id AND pg_has_role(p_acting, r.oid, 'USAGE'))));
END
$$;
COMMENT ON FUNCTION radscheduler.sites_for(oid) IS
    'What visible_sites() asks: the sites of the caller, narrowed by those of another role (0 for none) and by the setting radscheduler.site. Whatever is given, never more than the caller''s.';

CREATE FUNCTION radscheduler.visible_sites() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.sites_for(radscheduler.acting());
COMMENT ON FUNCTION radscheduler.visible_sites() IS
    'Ids of the sites whose rows may be used here: those granted to the caller''s roles, and to the owner of a SECURITY DEFINER function in between, narrowed by the setting radscheduler.site. 0, the database itself, is among them for callers of every site. The policies of all record tables ask it once per query.';

CREATE FUNCTION radscheduler.require_site(p_site integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_site IS NULL OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RAISE EXCEPTION 'this session may not use that site' USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants it with radscheduler.grant_site(role, site); the setting radscheduler.site can only narrow.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.require_site(integer) IS 'Raises 42501 unless the caller may use the site; the words are the same whether or not there is one.';

CREATE FUNCTION radscheduler.require_every_site(p_what text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION '% concerns every site, and this role was granted only some', p_what USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants all sites with radscheduler.grant_site(role, ''*'').';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.require_every_site(text) IS 'Raises 42501 unless the caller may use every site; p_what names what was asked for.';

CREATE FUNCTION radscheduler.default_zone() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(NULLIF(pg_catalog.current_setting('radscheduler.default_timezone', true), ''), 'UTC');
COMMENT ON FUNCTION radscheduler.default_zone() IS 'The setting radscheduler.default_timezone, else UTC.';
