-- Nothing of ours is anybody's by default, but for what reads HL7 and asks about oneself. After this file no function is made.

DO $$
DECLARE
    v_function text;
    v_role     text;
BEGIN
    -- Before there are records nobody was granted anything: what others than PUBLIC hold came by ALTER DEFAULT PRIVILEGES.
    FOR v_function, v_role IN
        SELECT DISTINCT p.oid::regprocedure::text, x.grantee::regrole::text FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) x
        WHERE p.pronamespace = 'radscheduler'::regnamespace AND x.grantee NOT IN (0, p.proowner) AND radscheduler.storage_version() = 0
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', v_function, v_role);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'radscheduler'
        WHERE p.proname NOT LIKE 'hl7%'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    END LOOP;
END
$$;
SELECT radscheduler.write_rights('GRANT', 'public', 'public');

GRANT USAGE ON SCHEMA radscheduler TO PUBLIC;
GRANT SELECT ON radscheduler.storage_step, radscheduler.modality_catalogue, radscheduler.procedure_catalogue, radscheduler.status_alias, radscheduler.event_rule,
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.rule_kind, radscheduler.rule_parameter, radscheduler.exam_gap, radscheduler.fact_kind, radscheduler.fact_unit, radscheduler.order_rule, radscheduler.phone_region, radscheduler.role_right, radscheduler.api_scope,
                radscheduler.profile_key, radscheduler.profile_preset, radscheduler.task_kind, radscheduler.task_step TO PUBLIC;
