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
    USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL AND (SELECT radscheduler.sees_every_site()))
    WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL AND (SELECT radscheduler.sees_every_site()));
COMMENT ON POLICY site_rows ON radscheduler.site_grant IS 'Grants of the sites the caller was granted, and no others.';
