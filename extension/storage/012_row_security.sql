-- From here on no role sees or writes rows of a site it was not granted, the owner of the tables included.

SELECT radscheduler.secure_table(t::regclass)
FROM pg_catalog.unnest(ARRAY['site', 'sender', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                             'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                             'occupancy', 'conflict', 'hl7_message', 'message_key', 'event_log', 'legal_hold', 'audit_event', 'audit_seal']) n,
     LATERAL (SELECT pg_catalog.format('radscheduler.%I', n)) q(t);

-- Partitions too: a right on one of them must not be a way around the parent.
SELECT radscheduler.secure_table(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i
WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass, 'radscheduler.audit_event'::regclass);

-- A grant of every site has no site of its own.
ALTER TABLE radscheduler.site_grant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.site_grant USING (true);
COMMENT ON POLICY any_row ON radscheduler.site_grant IS 'Leaves the decision to the restrictive policy site_rows.';
CREATE POLICY site_rows ON radscheduler.site_grant AS RESTRICTIVE
    USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL)
    WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL AND (SELECT radscheduler.sees_every_site()));
COMMENT ON POLICY site_rows ON radscheduler.site_grant IS 'Grants of the sites the caller was granted, and of every site.';

CREATE TRIGGER sender_registration BEFORE INSERT OR UPDATE OF is_registered ON radscheduler.sender
    FOR EACH ROW EXECUTE FUNCTION radscheduler.sender_registration();
COMMENT ON TRIGGER sender_registration ON radscheduler.sender IS 'Keeps the choice of a sender''s site with those who may use every site.';

-- The audit log is written by functions of the extension alone: not by a role with rights on all tables either.
CREATE POLICY no_insert ON radscheduler.audit_event AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_event IS 'Written by functions of the extension only.';
CREATE POLICY no_insert ON radscheduler.audit_seal AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_seal IS 'Written by functions of the extension only.';
ALTER TABLE radscheduler.audit_era ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.audit_era FOR SELECT USING (true);
COMMENT ON POLICY any_row ON radscheduler.audit_era IS 'Read by whoever has the right, written by functions of the extension only.';

-- What the planner knows of a column it tells in its estimates, over all sites: it shall not know what patients are called or have.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT c.relname, u.name FROM (VALUES
            ('patient', ARRAY['mrn', 'family_name', 'given_name', 'middle_name', 'suffix', 'display_name', 'birth_date', 'sex', 'phone', 'phone_as_sent']),
            ('patient_identifier', ARRAY['value', 'authority', 'type']),
            ('appointment', ARRAY['filler_id', 'placer_id', 'study_code', 'study_text', 'referring_physician', 'notes', 'reason', 'event_reason', 'visit_number',
                                  'placer_orders', 'filler_orders']),
            ('appointment_service', ARRAY['code', 'name']), ('appointment_history', ARRAY['snapshot']),
            ('hl7_message', ARRAY['raw', 'raw_sha256', 'control_id', 'ack', 'peer']), ('message_key', ARRAY['control_id', 'body_sha256']),
            ('resource_block', ARRAY['reason']), ('legal_hold', ARRAY['reason', 'lift_reason'])) t(name, columns)
        JOIN pg_catalog.pg_class c ON c.relnamespace = 'radscheduler'::regnamespace
             AND (c.relname = t.name OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = pg_catalog.format('radscheduler.%I', t.name)::regclass)),
        LATERAL pg_catalog.unnest(t.columns) u(name)
        WHERE c.relkind IN ('r', 'p')
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE radscheduler.%I ALTER COLUMN %I SET STATISTICS 0', v_column.relname, v_column.name);
    END LOOP;
END
$$;
DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_attribute a
    WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum AND a.attstattarget = 0
      AND s.starelid IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace);

-- TRUNCATE of a partition does not fire the parent's trigger.
SELECT radscheduler.audit_partition(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass);
