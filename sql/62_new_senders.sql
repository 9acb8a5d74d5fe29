-- A session may say which profile senders get that it hears of for the first time, as a listener of the daemon does.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = radscheduler, public;
SELECT create_site('NEWCOMER', 'New senders', 'UTC') > 0 AS created;
SET radscheduler.site = 'NEWCOMER';
CREATE FUNCTION pg_temp.siu(application text, event text, id text) RETURNS bytea LANGUAGE sql AS
    $$ SELECT convert_to(format(E'MSH|^~\\&|%s|WEST|||20260101||SIU^%s|%s-%s|P|2.5\nSCH||%3$s|||||||30|MIN|^^30^203110061000\nPID|1||NP%3$s||EDGAR^EMMA\nAIS|1|A|CT001^CT CHEST', application, event, id, event), 'UTF8') $$;
SELECT set_sender('OLDRIS', 'WEST', '{"order_by": "arrival"}') IS NOT NULL AS registered;
SET radscheduler.new_sender_profile = '{"preset": "seed_naming", "phone_region": "GB"}';
SELECT u.application, u.event, (ingest(pg_temp.siu(u.application, u.event, u.id))).outcome FROM (VALUES (1, 'NEWRIS', 'S12', 'n1'), (2, 'NEWRIS', 'S14', 'n1'), (3, 'OLDRIS', 'S12', 'n2')) u(n, application, event, id) ORDER BY u.n;
SELECT a.filler_id, a.status FROM appointment a WHERE a.site_id = current_site() ORDER BY 1;
SELECT s.sending_application, s.is_registered, s.profile FROM sender s WHERE s.site_id = current_site() ORDER BY 1;
-- Afterwards it is the sender's own.
SET radscheduler.new_sender_profile = '{"order_by": "arrival"}';
SELECT (ingest(pg_temp.siu('NEWRIS', 'S12', 'n3'))).outcome;
SELECT s.profile FROM sender s WHERE s.site_id = current_site() AND s.sending_application = 'NEWRIS';
-- One that is not understood is refused, and what is known goes on.
\set VERBOSITY terse
SET radscheduler.new_sender_profile = '{"order_by": "chance"}';
SELECT ingest(pg_temp.siu('NEXTRIS', 'S12', 'n4'));
SET radscheduler.new_sender_profile = '{"override_requests": true}';
SELECT ingest(pg_temp.siu('NEXTRIS', 'S12', 'n4'));
SET radscheduler.new_sender_profile = 'no JSON';
SELECT ingest(pg_temp.siu('NEXTRIS', 'S12', 'n4'));
SELECT (ingest(pg_temp.siu('OLDRIS', 'S12', 'n5'))).code;
SELECT count(*) AS recorded FROM sender s WHERE s.sending_application = 'NEXTRIS';
RESET radscheduler.new_sender_profile;
RESET radscheduler.site;
