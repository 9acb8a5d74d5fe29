-- 200,000 failing calls (bad values and C++ exceptions) and 200,000 good ones leave the backend's memory flat.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.resident_kb() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v text;
BEGIN
    v := pg_read_file(format('/proc/%s/status', pg_backend_pid()));
    RETURN substring(v from 'VmRSS:\s+(\d+) kB')::bigint;
END $$;
CREATE CAST (bit varying AS radscheduler.hl7) WITHOUT FUNCTION;
CREATE FUNCTION pg_temp.calls(n integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_failed  integer := 0;
    v_message radscheduler.hl7 := E'MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\rSCH||1\rPID|1||MRN1||DOE^JOHN';
BEGIN
    FOR i IN 1..n LOOP
        PERFORM radscheduler.hl7_get(v_message, 'PID-5.1'), radscheduler.siu_parse(v_message), radscheduler.hl7_set(v_message, 'PID-5.2', 'J'), v_message::jsonb::radscheduler.hl7;
        BEGIN
            IF i % 7 = 0 THEN
                PERFORM radscheduler.hl7_build('[["MSH", "|", "^~\\&"], ["PID", true]]'::jsonb);
            ELSIF i % 3 = 0 THEN
                PERFORM radscheduler.hl7_text(B'01000001'::bit varying::radscheduler.hl7);
            ELSIF i % 3 = 1 THEN
                PERFORM radscheduler.hl7_get(v_message, 'PID-x' || i);
            ELSE
                PERFORM ('PID|' || i)::text::radscheduler.hl7;
            END IF;
        EXCEPTION WHEN data_exception OR internal_error THEN
            v_failed := v_failed + 1;
        END;
    END LOOP;
    RETURN v_failed;
END $$;
SELECT pg_temp.calls(2000);
SELECT pg_temp.resident_kb() AS before \gset
SELECT pg_temp.calls(200000);
SELECT pg_temp.resident_kb() - :before < 8192 AS flat;
DROP CAST (bit varying AS radscheduler.hl7);
