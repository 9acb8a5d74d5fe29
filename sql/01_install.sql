-- One statement gives a working system, and the records are not members of the extension.
SET client_min_messages = error;
DROP DATABASE IF EXISTS radscheduler_latin;
DROP DATABASE IF EXISTS radscheduler_bare;
SELECT current_database() AS regress \gset
CREATE EXTENSION radscheduler CASCADE;
SELECT code, name, timezone FROM radscheduler.site;
SELECT radscheduler.storage_version() > 0 AS has_records,
       radscheduler.storage_version() = (SELECT max(version) FROM radscheduler.storage_step) AS is_current;
SELECT name FROM radscheduler.storage_objects() WHERE NOT is_code;
SELECT count(*) FILTER (WHERE c.relname ~ '_\d{6}$') AS months
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'radscheduler.hl7_message'::regclass;
SELECT radscheduler.migrate() AS steps_left;
SELECT radscheduler.maintain();
-- Rows that had to wait in the default partition move into their month when it is made.
INSERT INTO radscheduler.event_log (site_id, type, recorded_at) SELECT site_id, 'test.event', date_trunc('month', now()) + interval '2 months 3 days' FROM radscheduler.site;
DO $$ BEGIN
    EXECUTE format('DROP TABLE radscheduler.event_log_%s', to_char(timezone('UTC', now()) + interval '2 months', 'YYYYMM'));
END $$;
INSERT INTO radscheduler.event_log (site_id, type, recorded_at) SELECT site_id, 'test.event', date_trunc('month', now()) + interval '2 months 3 days' FROM radscheduler.site;
SELECT count(*) AS waiting FROM radscheduler.event_log_default;
SELECT jsonb_array_length(radscheduler.maintain() -> 'partitions_created') AS made;
SELECT (SELECT count(*) FROM radscheduler.event_log_default) AS waiting, (SELECT count(*) FROM radscheduler.event_log WHERE type = 'test.event') AS kept;
DELETE FROM radscheduler.event_log WHERE type = 'test.event';
-- What a message would stumble over is refused when it is written.
\set VERBOSITY terse
UPDATE radscheduler.site SET timezone = 'Mars/Olympus';
INSERT INTO radscheduler.sender (site_id, sending_application, profile) SELECT site_id, 'X', '{"timezone": "Mars/Olympus"}' FROM radscheduler.site;
INSERT INTO radscheduler.sender (site_id, sending_application, profile) SELECT site_id, 'X', '{"repair": "strictly"}' FROM radscheduler.site;
SET radscheduler.default_timezone = 'Mars/Olympus';
\set VERBOSITY default
-- Provisioning a second time must fail rather than adopt what is there.
\set VERBOSITY terse
SELECT radscheduler.provision();
-- While records depend on it the extension stays.
DROP EXTENSION radscheduler;
\set VERBOSITY default
-- A database in another encoding is refused.
CREATE DATABASE radscheduler_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c radscheduler_latin
SET client_min_messages = warning;
CREATE EXTENSION radscheduler CASCADE;
\c :regress
DROP DATABASE radscheduler_latin;
-- Without provisioning there is code and no record.
CREATE DATABASE radscheduler_bare ENCODING 'UTF8' TEMPLATE template0;
\c radscheduler_bare
SET client_min_messages = warning;
LOAD 'radscheduler';
SET radscheduler.auto_provision = off;
CREATE EXTENSION radscheduler CASCADE;
SELECT to_regclass('radscheduler.appointment') IS NULL AS no_records, radscheduler.storage_version();
SELECT radscheduler.health();
SET radscheduler.auto_provision = on;
SELECT radscheduler.provision();
SELECT radscheduler.health() ->> 'extension' AS extension;
\c :regress
DROP DATABASE radscheduler_bare;
