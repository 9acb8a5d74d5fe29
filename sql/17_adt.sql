-- Messages about patients: demographics, arrivals, and merges in any order.
SET client_min_messages = warning;
SET timezone = 'America/New_York';
UPDATE radscheduler.site SET timezone = 'America/New_York' WHERE code = 'MAIN';
CREATE FUNCTION pg_temp.send(event text, control text, at text, segments text) RETURNS TABLE (code text, outcome text, warnings text)
    LANGUAGE sql AS $$
SELECT r.code, r.outcome, (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(r.warnings) w
                           WHERE w ->> 'code' NOT IN ('SENDER_UNKNOWN', 'ZONE_ASSUMED', 'RESOURCE_UNKNOWN'))
FROM radscheduler.ingest(convert_to(concat_ws(E'\r', format('MSH|^~\&|PAS|ADTHOSP|RADSCHED|RAD|%s||%s|%s|P|2.5', at, event, control), segments), 'UTF8')) r $$;
CREATE FUNCTION pg_temp.book(filler text, pid3 text, start text, at text DEFAULT '20210101080000', visit text DEFAULT '', name text DEFAULT 'ADTPERSON^PAT') RETURNS text LANGUAGE sql AS $$
SELECT s.outcome FROM pg_temp.send('SIU^S12', filler || at, at, concat_ws(E'\r', format('SCH||%s|||||||30|MIN|^^30^%s', filler, start), format('PID|1||%s||%s', pid3, name),
    CASE WHEN visit <> '' THEN format('PV1|1|O%s%s', repeat('|', 17), visit) END, 'AIS|1||CT002^CT CHEST', format('AIG|1||ADT-%s^Scanner', filler))) s $$;
CREATE FUNCTION pg_temp.merge(control text, at text, kept text, given text, event text DEFAULT 'A40', rest text DEFAULT '||') RETURNS TABLE (code text, outcome text, warnings text) LANGUAGE sql AS $$
SELECT * FROM pg_temp.send('ADT^' || event, control, at, format(E'PID|1||%s%s\rMRG|%s', kept, rest, given)) $$;
-- Appointments of the sender: whose they are, their patient lanes, their conflicts about the patient.
CREATE FUNCTION pg_temp.board(prefix text) RETURNS TABLE (appointment text, mrn text, name text, status radscheduler.appointment_status, version integer, lane smallint, conflicts text) LANGUAGE sql AS $$
SELECT a.filler_id, p.mrn, p.display_name, a.status, a.version,
       (SELECT o.lane FROM radscheduler.occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id AND o.axis = 'patient' AND o.subject_id = a.patient_id),
       (SELECT string_agg(format('%s%s with %s', c.code, CASE WHEN c.state = 'accepted' THEN ' (accepted)' END, x.filler_id), ', ' ORDER BY c.code, x.filler_id)
        FROM radscheduler.conflict c JOIN radscheduler.appointment x ON x.site_id = c.site_id AND x.appointment_id = CASE c.appointment_id WHEN a.appointment_id THEN c.other_appointment_id ELSE c.appointment_id END
        WHERE c.site_id = a.site_id AND a.appointment_id IN (c.appointment_id, c.other_appointment_id) AND c.axis = 'patient' AND c.subject_id = a.patient_id AND c.state <> 'resolved')
FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) LEFT JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
WHERE s.sending_facility = 'ADTHOSP' AND a.filler_id LIKE prefix || '%' ORDER BY 1 $$;
CREATE FUNCTION pg_temp.people(prefix text) RETURNS TABLE (mrn text, name text, phone text, identifiers text) LANGUAGE sql AS $$
SELECT p.mrn, p.display_name, p.phone, (SELECT string_agg(i.value || CASE WHEN i.merged_at IS NULL THEN '' ELSE format(' (given up %s)', to_char(i.merged_at, 'DD HH24:MI')) END, ', ' ORDER BY i.value)
    FROM radscheduler.patient_identifier i WHERE i.site_id = p.site_id AND i.patient_id = p.patient_id)
FROM radscheduler.patient p WHERE EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = p.site_id AND i.patient_id = p.patient_id AND i.value LIKE prefix || '%') ORDER BY 1, 2 $$;

CREATE VIEW pg_temp.mine AS SELECT a.* FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_facility = 'ADTHOSP';

-- Demographics (A08, A31): newer ones win, the HL7 null clears, nobody new is recorded.
SELECT pg_temp.book('D1', 'AXD1^^^ADTHOSP^MR', '203111031000') AS first, pg_temp.book('D2', 'AXD1^^^ADTHOSP^MR', '202103011000') AS past, pg_temp.book('D3', 'AXD1^^^ADTHOSP^MR', '203111041000') AS third;
SELECT * FROM pg_temp.send('SIU^S15', 'd3c', '20210101080100', 'SCH||D3');
SELECT * FROM pg_temp.send('ADT^A08', 'd1', '20210102080000', 'PID|1||AXD1^^^ADTHOSP^MR||ADTPERSON^PATRICIA||19700203|F|||||617-555-0142');
SELECT * FROM pg_temp.people('AXD1');
SELECT patient_name, patient_phone FROM radscheduler.appointments WHERE patient_id = 'AXD1' AND status <> 'CANCELLED' AND datetime > '2031-01-01';
SELECT * FROM pg_temp.send('ADT^A31', 'd2', '20210102070000', 'PID|1||AXD1^^^ADTHOSP^MR||OLDNAME^PAT');
SELECT * FROM pg_temp.send('ADT^A31', 'd3', '20210103080000', 'PID|1||AXD1^^^ADTHOSP^MR~AXD1PI^^^ADTHOSP^PI||||||||||""');
SELECT * FROM pg_temp.people('AXD1');
SELECT * FROM pg_temp.send('ADT^A08', 'd4', '20210103090000', 'PID|1||AXD1^^^ADTHOSP^MR||ADTPERSON^PATRICIA');
SELECT * FROM pg_temp.send('ADT^A08', 'd5', '20210102080000', 'PID|1||AXD404^^^ADTHOSP^MR||NOBLER^NORA');
SELECT * FROM pg_temp.send('ADT^A08', 'd6', '20210102080000', 'PID|1||||NOBLER^NORA');
SELECT count(*) AS recorded FROM radscheduler.patient p WHERE p.family_name = 'NOBODY';
-- Only the appointment to come tells it, with names of columns.
SELECT a.filler_id, e.type, e.data FROM radscheduler.event_log e JOIN pg_temp.mine a USING (site_id, appointment_id) WHERE a.filler_id LIKE 'D_' AND e.type = 'patient.updated' ORDER BY e.seq;
SELECT string_agg(h.event, ' ' ORDER BY h.version) AS versions FROM radscheduler.appointment_history h JOIN pg_temp.mine a USING (site_id, appointment_id) WHERE a.filler_id = 'D1';

-- Arrivals (A04, A01, A10) mean nothing unless the profile says so.
SELECT n, pg_temp.book('V' || n, 'AXV1^^^ADTHOSP^MR', '20210301' || t, visit => v) FROM (VALUES (1, '0900', 'VISIT1'), (2, '1100', 'VISIT1'), (3, '1000', 'VISIT2')) x(n, t, v);
SELECT * FROM pg_temp.send('ADT^A04', 'v1', '20210301084500', E'PID|1||AXV1^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||VISIT1');
SELECT * FROM pg_temp.board('V');
UPDATE radscheduler.sender SET profile = '{"arrival_events": ["A04", "A10"], "update_mode": "full", "on_conflict": "reject"}' WHERE sending_facility = 'ADTHOSP';
SELECT * FROM pg_temp.send('ADT^A04', 'v2', '20210301084600', E'PID|1||AXV1^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||VISIT1');
-- Another event, another day, another visit, no visit, an older message, somebody else.
SELECT n, s.* FROM (VALUES (1, 'A01', '20210301084700', 'AXV1', 'VISIT2'), (2, 'A04', '20210302084700', 'AXV1', 'VISIT2'), (3, 'A04', '20210301084700', 'AXV1', 'VISIT7'), (4, 'A04', '20210301084700', 'AXV1', ''),
    (5, 'A04', '20210101070000', 'AXV1', 'VISIT2'), (6, 'A04', '20210301084700', 'AXD1', 'VISIT2')) x(n, event, at, mrn, visit),
    pg_temp.send('ADT^' || event, 'v3' || n, at, format(E'PID|1||%s^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||%s', mrn, visit)) s ORDER BY n;
SELECT * FROM pg_temp.board('V');
-- The visit may stand in PV1-50; the nearest of two is meant, then the other; who has arrived is not set back; a newer booking without status keeps him.
SELECT * FROM pg_temp.send('ADT^A10', 'v4', '20210301095000', E'PID|1||AXV1^^^ADTHOSP^MR\rPV1|1|E' || repeat('|', 48) || 'VISIT2');
SELECT * FROM pg_temp.send('ADT^A04', 'v5', '20210301095500', E'PID|1||AXV1^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||VISIT1');
SELECT * FROM pg_temp.send('ADT^A04', 'v6', '20210301095600', E'PID|1||AXV1^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||VISIT1');
UPDATE radscheduler.sender SET profile = '{"arrival_events": ["A04", "A10"]}' WHERE sending_facility = 'ADTHOSP';
SELECT * FROM pg_temp.send('SIU^S14', 'v7', '20210301100000', E'SCH||V1|||||||30|MIN|^^30^202103010900\rNTE|1||walks with a stick');
SELECT * FROM pg_temp.board('V');
SELECT a.filler_id, a.patient_class, a.notes, (SELECT string_agg(h.event, ' ' ORDER BY h.version) FROM radscheduler.appointment_history h WHERE h.site_id = a.site_id AND h.appointment_id = a.appointment_id) AS versions,
       (SELECT count(*) FROM radscheduler.appointment_resource r WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id) AS resources
FROM pg_temp.mine a WHERE a.filler_id LIKE 'V_' ORDER BY 1;
-- A message older than what was said last is stale.
SELECT pg_temp.book('V4', 'AXV2^^^ADTHOSP^MR', '202103021000', '20210302090000', 'VISIT3');
SELECT * FROM pg_temp.send('ADT^A04', 'v8', '20210302085900', E'PID|1||AXV2^^^ADTHOSP^MR\rPV1|1|O|||||||||||||||||VISIT3');
SELECT * FROM pg_temp.board('V4');
UPDATE radscheduler.sender SET profile = '{}' WHERE sending_facility = 'ADTHOSP';

-- A merge: appointments pass to the one kept, who is now booked twice; who came first keeps the time.
SELECT pg_temp.book('M1', 'AXM1^^^ADTHOSP^MR~AXM1PI^^^ADTHOSP^PI', '203111051000', '20210101080000') AS m1, pg_temp.book('M2', 'AXM2^^^ADTHOSP^MR', '203111051015', '20210101090000') AS m2,
       pg_temp.book('M3', 'AXM1^^^ADTHOSP^MR', '203111051020', '20210101100000') AS m3, pg_temp.book('M4', 'AXM1^^^ADTHOSP^MR', '203111061000', '20210101080000') AS m4;
UPDATE radscheduler.conflict SET state = 'accepted' WHERE conflict_id = (SELECT c.conflict_id FROM radscheduler.conflict c JOIN pg_temp.mine a USING (site_id, appointment_id) WHERE a.filler_id = 'M3' AND c.state = 'open' AND c.axis = 'patient');
SELECT * FROM pg_temp.board('M');
SELECT p.patient_id AS given FROM radscheduler.patient p WHERE p.mrn = 'AXM1' \gset
SELECT p.patient_id AS kept FROM radscheduler.patient p WHERE p.mrn = 'AXM2' \gset
SELECT * FROM pg_temp.merge('m1', '20210102100000', 'AXM2^^^ADTHOSP^MR', 'AXM1^^^ADTHOSP^MR', rest => '||MERGED^PAM');
SELECT * FROM pg_temp.board('M');
SELECT * FROM pg_temp.people('AXM');
SELECT m.merged_id = :given AS given, m.patient_id = :kept AS kept FROM radscheduler.patient_merge m WHERE m.patient_id = :kept;
SELECT e.data - 'merged_id' - 'patient_id' AS data, (e.data ->> 'merged_id')::bigint = :given AS given, (e.data ->> 'patient_id')::bigint = :kept AS kept FROM radscheduler.event_log e WHERE e.type = 'patient.merged' AND (e.data ->> 'patient_id')::bigint = :kept;
SELECT a.filler_id, h.event, (h.snapshot #>> '{appointment,patient_id}')::bigint = :kept AS of_kept FROM radscheduler.appointment_history h JOIN pg_temp.mine a USING (site_id, appointment_id)
WHERE a.filler_id IN ('M1', 'M2', 'M4') ORDER BY 1, h.version;
SELECT e.data ->> 'reason' AS reason, count(*) FROM radscheduler.event_log e JOIN pg_temp.mine a USING (site_id, appointment_id) WHERE a.filler_id LIKE 'M_' AND e.type = 'appointment.modified' GROUP BY 1 ORDER BY 1;
-- The schedule as it was known then names him as he is named now.
SELECT h.version, t.patient_id FROM pg_temp.mine a JOIN radscheduler.appointment_history h USING (site_id, appointment_id), radscheduler.appointment_as_of(a.appointment_id, h.recorded_at) t
WHERE a.filler_id = 'M1' ORDER BY h.version;
-- Healed when one of the bookings leaves; what still comes under the old number, late or new, is about the one kept, who is not renamed by it.
SELECT * FROM pg_temp.send('SIU^S15', 'm2', '20210103080000', 'SCH||M1');
SELECT * FROM pg_temp.board('M');
SELECT pg_temp.book('M5', 'AXM1^^^ADTHOSP^MR', '203111071000', '20210101070000', name => 'LATE^PAT') AS late, pg_temp.book('M6', 'AXM1^^^ADTHOSP^MR', '203111101000', '20210104080000', name => 'NEWER^PAM') AS newer;
SELECT * FROM pg_temp.board('M') WHERE appointment IN ('M5', 'M6');
SELECT * FROM pg_temp.people('AXM');
-- The same once more, and with itself.
SELECT * FROM pg_temp.merge('m3', '20210102100000', 'AXM2^^^ADTHOSP^MR', 'AXM1^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('m4', '20210102100000', 'AXM2^^^ADTHOSP^MR', 'AXM2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.people('AXM');

-- Chains, forwards and backwards, end in the same; the other way round is a newer decision.
SELECT n, pg_temp.book('C' || n, v || '^^^ADTHOSP^MR', '20311112' || lpad((8 + n)::text, 2, '0') || '00') FROM (VALUES (1, 'AXC1'), (2, 'AXC2'), (3, 'AXC3'), (4, 'AXC4'), (5, 'AXC5'), (6, 'AXC6')) x(n, v);
SELECT * FROM pg_temp.merge('c1', '20210102100000', 'AXC2^^^ADTHOSP^MR', 'AXC1^^^ADTHOSP^MR', 'A18');
SELECT * FROM pg_temp.merge('c2', '20210102110000', 'AXC3^^^ADTHOSP^MR', 'AXC2^^^ADTHOSP^MR', 'A30');
SELECT * FROM pg_temp.merge('c4', '20210102110000', 'AXC6^^^ADTHOSP^MR', 'AXC5^^^ADTHOSP^MR', 'A34');
SELECT * FROM pg_temp.merge('c3', '20210102100000', 'AXC5^^^ADTHOSP^MR', 'AXC4^^^ADTHOSP^MR', 'A34');
SELECT * FROM pg_temp.board('C');
SELECT * FROM pg_temp.people('AXC');
SELECT * FROM pg_temp.merge('c5', '20210102120000', 'AXC4^^^ADTHOSP^MR', 'AXC6^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('c6', '20210102113000', 'AXC6^^^ADTHOSP^MR', 'AXC4^^^ADTHOSP^MR');
SELECT * FROM pg_temp.people('AXC4');
SELECT * FROM pg_temp.merge('c7', '20210102113000', 'AXC3^^^ADTHOSP^MR', 'AXC6^^^ADTHOSP^MR');
SELECT count(*) AS rows, count(DISTINCT m.patient_id) AS people FROM radscheduler.patient_merge m JOIN radscheduler.patient_identifier i USING (site_id, patient_id) WHERE i.value IN ('AXC3', 'AXC4');
-- Several at once; one kept who is new, with and without a name in PID; one given up whom nobody knows; two nobody knows.
SELECT n, pg_temp.book('N' || n, v || '^^^ADTHOSP^MR', '20311113' || lpad((8 + n)::text, 2, '0') || '00', name => 'KNOWN' || n || '^PAT') FROM (VALUES (1, 'AXN1'), (2, 'AXN2'), (3, 'AXN3')) x(n, v);
SELECT * FROM pg_temp.send('ADT^A40', 'n1', '20210102100000', E'PID|1||AXN11^^^ADTHOSP^MR||FRESH^PIA\rMRG|AXN1^^^ADTHOSP^MR\rPID|2||AXN12^^^ADTHOSP^MR\rMRG|AXN2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('n2', '20210102100000', 'AXN3^^^ADTHOSP^MR', 'AXN31^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('n3', '20210102100000', 'AXN42^^^ADTHOSP^MR', 'AXN41^^^ADTHOSP^MR', rest => '||STRANGER^SUE');
SELECT * FROM pg_temp.people('AXN');
SELECT pg_temp.book('N4', 'AXN41^^^ADTHOSP^MR', '203111131400', '20210101080000', name => 'BOOKED^BEA') AS n4, pg_temp.book('N5', 'AXN31^^^ADTHOSP^MR', '203111131500', '20210101080000') AS n5;
SELECT * FROM pg_temp.board('N');
-- A chain of people nobody knows, backwards: all their numbers lead to the last.
SELECT * FROM pg_temp.merge('u2', '20210102110000', 'AXU3^^^ADTHOSP^MR', 'AXU2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('u1', '20210102100000', 'AXU2^^^ADTHOSP^MR', 'AXU1^^^ADTHOSP^MR');
SELECT * FROM pg_temp.people('AXU');
-- A number without authority that two have: neither demographics nor a merge may guess.
SELECT pg_temp.book('W1', 'AXW1^^^NORTH^MR', '203111141000', name => 'NORTHERN^NED') AS w1, pg_temp.book('W2', 'AXW1^^^SOUTH^MR', '203111141100', name => 'SOUTHERN^SID') AS w2;
SELECT * FROM pg_temp.send('ADT^A08', 'w1', '20210102100000', 'PID|1||AXW1||WHO^KNAVE');
SELECT * FROM pg_temp.merge('w2', '20210102100000', 'AXW2^^^ADTHOSP^MR', 'AXW1');
SELECT * FROM pg_temp.merge('w3', '20210102100000', 'AXW1', 'AXM2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.people('AXW');
-- What is told of two people before they were known to be one: the newer of it holds, whoever it was told of.
SELECT pg_temp.book('T1', 'AXT1^^^ADTHOSP^MR', '203111171000', '20210105080000', name => 'LAST^TINA') AS t1, pg_temp.book('T2', 'AXT2^^^ADTHOSP^MR', '203111181000', '20210101080000', name => 'FIRST^TINA') AS t2;
SELECT * FROM pg_temp.merge('t1', '20210103080000', 'AXT2^^^ADTHOSP^MR', 'AXT1^^^ADTHOSP^MR', rest => '||MIDDLE^TINA');
SELECT * FROM pg_temp.people('AXT');
-- What cannot be merged.
SELECT * FROM pg_temp.send('ADT^A40', 'x1', '20210102100000', 'PID|1||AXM2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('x2', '20210102100000', '', 'AXM2^^^ADTHOSP^MR');
SELECT * FROM pg_temp.merge('x3', '20210102100000', 'AXM2^^^ADTHOSP^MR', '');
SELECT m.control_id, m.error ->> 'code' AS code, m.error ->> 'path' AS path, m.error ->> 'text' AS text FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id)
WHERE s.sending_facility = 'ADTHOSP' AND m.outcome = 'error' ORDER BY m.message_id;

-- Holds and removal follow: a hold on the one given up holds the one kept; what is removed is removed under every number he had.
SELECT pg_temp.book('H1', 'AXH1^^^ADTHOSP^MR', '203111191000') AS h1, pg_temp.book('H2', 'AXH2^^^ADTHOSP^MR', '203111201000') AS h2;
SELECT radscheduler.place_hold('case 17', 'AXH1') AS hold \gset
SELECT * FROM pg_temp.merge('h1', '20210102100000', 'AXH2^^^ADTHOSP^MR', 'AXH1^^^ADTHOSP^MR');
\set VERBOSITY sqlstate
SELECT radscheduler.purge('test', 'AXH2', dry_run => false);
\set VERBOSITY default
SELECT e.action, e.detail ->> 'hold_id' = :'hold' AS that_hold FROM radscheduler.audit_event e WHERE e.action LIKE 'hold.%' AND (e.detail ->> 'hold_id')::bigint = :hold ORDER BY e.audit_id;
SELECT radscheduler.lift_hold(:hold, 'case 17 closed');
SELECT radscheduler.purge('test', 'AXH1', dry_run => false) - 'unreadable_messages' - 'unclear_messages' AS removed;
SELECT count(*) AS left FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id) WHERE s.sending_facility = 'ADTHOSP' AND radscheduler.body_text(m.raw) LIKE '%AXH_^%';
SELECT count(*) AS left FROM radscheduler.patient_merge m WHERE NOT EXISTS (SELECT FROM radscheduler.patient p WHERE p.site_id = m.site_id AND p.patient_id = m.patient_id);
-- In a batch the same comes out.
SELECT i.outcome FROM radscheduler.ingest_batch(ARRAY(SELECT convert_to(x, 'UTF8') FROM unnest(ARRAY[
    E'MSH|^~\\&|PAS|ADTHOSP|RADSCHED|RAD|20210101080000||SIU^S12|q1|P|2.5\rSCH||Q1|||||||30|MIN|^^30^203111211000\rPID|1||AXQ1^^^ADTHOSP^MR||QUEUE^ADA\rAIG|1||ADT-Q1',
    E'MSH|^~\\&|PAS|ADTHOSP|RADSCHED|RAD|20210101080100||SIU^S12|q2|P|2.5\rSCH||Q2|||||||30|MIN|^^30^203111211000\rPID|1||AXQ2^^^ADTHOSP^MR||QUEUE^ADA\rAIG|1||ADT-Q2',
    E'MSH|^~\\&|PAS|ADTHOSP|RADSCHED|RAD|20210101080200||ADT^A40|q3|P|2.5\rPID|1||AXQ2^^^ADTHOSP^MR\rMRG|AXQ1^^^ADTHOSP^MR',
    E'MSH|^~\\&|PAS|ADTHOSP|RADSCHED|RAD|20210101080300||SIU^S13|q4|P|2.5\rSCH||Q1|||||||30|MIN|^^30^203111211100\rPID|1||AXQ1^^^ADTHOSP^MR']) x)) i;
SELECT * FROM pg_temp.board('Q');
-- No name, number or phone in what listeners and auditors are told.
SELECT count(*) AS leaks FROM radscheduler.event_log e WHERE e.data::text ~ 'PATRICIA|617555|AX[DVMCNTHQ][0-9]';
SELECT count(*) AS leaks FROM radscheduler.audit_event e WHERE e.action ~ '^(patient|hold|appointment)' AND e.detail::text ~ 'PATRICIA|617555|AX[DVMCNTHQ][0-9]';
DROP VIEW pg_temp.mine;
