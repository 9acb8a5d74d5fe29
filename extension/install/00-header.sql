-- RadScheduler: HL7 v2 scheduling inside PostgreSQL. This script creates code; records are created by provision() at its end
-- and belong to the database, not to the extension.
\echo Use "CREATE EXTENSION radscheduler CASCADE" to load this file. \quit

DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'radscheduler needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with: CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

COMMENT ON SCHEMA radscheduler IS 'RadScheduler: HL7 v2 messages, appointments and their conflicts.';
