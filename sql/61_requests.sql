-- Requests of a placer application (SRM): booked, moved, changed and closed by the core that books everything, answered with an SRR that shows the
-- appointment as it was booked, or with the reason and times that are free. What is refused leaves nothing but the message.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = radscheduler, public;
SELECT create_site('PLACER', 'Requests', 'America/New_York') > 0 AS created;
SET radscheduler.site = 'PLACER';
SELECT add_resource('QMR1', 'Magnet one', 'equipment', 'MR') IS NOT NULL AND add_resource('QMR2', 'Magnet two', 'equipment', 'MR') IS NOT NULL
   AND add_resource('QCT1', 'Tube one', 'equipment', 'CT') IS NOT NULL AND add_resource('T7^NORTH', 'Terry Techman', 'staff', role => 'TECHNOLOGIST') IS NOT NULL AS ready;
SELECT set_sender('EHRQ', 'NORTHQ', '{}') IS NOT NULL AS registered, set_sender('OTHERQ', 'NORTHQ', '{}') IS NOT NULL AS other;
-- A request: event, MSH-10, the numbers (ARQ-1, ARQ-2), the range, what follows ARQ; p_tail is MSH-12 and what stands behind it.
CREATE FUNCTION public.srm(p_event text, p_control text, p_numbers text, p_range text DEFAULT '', p_rest text DEFAULT '', p_sender text DEFAULT 'EHRQ|NORTHQ', p_tail text DEFAULT '2.5.1', p_minutes text DEFAULT '30')
    RETURNS bytea LANGUAGE sql AS $$
    SELECT convert_to(format(E'MSH|^~\\&|%s|RAD|MAIN|20260101080000||SRM^%s^SRM_S01|%s|P|%s\rARQ|%s|||||^headache||%s|MIN|%s|||||CLERK\r%s',
                             p_sender, p_event, p_control, p_tail, CASE WHEN strpos(p_numbers, '|') = 0 THEN p_numbers || '|' ELSE p_numbers END, p_minutes, p_range, p_rest), 'UTF8')
$$;
-- Shown without numbers that other tests move.
CREATE FUNCTION public.ask(p_bytes bytea) RETURNS TABLE (code text, outcome text, answer text, warnings text) LANGUAGE plpgsql AS $$
DECLARE r radscheduler.ingest_result; a radscheduler.hl7;
BEGIN
    r := radscheduler.ingest(p_bytes);
    a := convert_from(r.ack, 'UTF8');
    code := r.code; outcome := r.outcome;
    answer := concat_ws(' | ', radscheduler.hl7_raw(a, 'MSH-9'), radscheduler.hl7_raw(a, 'MSA-1'), 'ERR ' || radscheduler.hl7_raw(a, 'ERR-2') || ' ' || radscheduler.hl7_get(a, 'ERR-3.1') || ': ' || regexp_replace(radscheduler.hl7_get(a, 'ERR-8'), 'appointment \d+', 'appointment N'),
                        'SCH-1 ' || radscheduler.hl7_raw(a, 'SCH-1'), radscheduler.hl7_get(a, 'SCH-2.2'), radscheduler.hl7_get(a, 'SCH-25'),
                        'TQ1 ' || array_to_string(radscheduler.hl7_get_all(a, 'TQ1[*]-7'), ' '), 'AIS ' || array_to_string(radscheduler.hl7_get_all(a, 'AIS[*]-3.1'), ' '),
                        'AIG ' || array_to_string(radscheduler.hl7_get_all(a, 'AIG[*]-3.1'), ' '), 'AIP ' || array_to_string(radscheduler.hl7_get_all(a, 'AIP[*]-3.1'), ' '));
    warnings := (SELECT string_agg(w ->> 'code' || ' ' || (w ->> 'path'), ', ') FROM jsonb_array_elements(r.warnings) w);
    RETURN NEXT;
END $$;
CREATE VIEW public.booked AS SELECT placer_id, (SELECT mrn FROM patient p WHERE p.site_id = a.site_id AND p.patient_id = a.patient_id) AS mrn, status, timezone('America/New_York', starts_at) AS local,
       (extract(epoch FROM ends_at - starts_at) / 60)::integer AS minutes, modality, study_text, urgency, notes, reschedule_count AS moved, generation, source,
       (SELECT string_agg(r.code || coalesce('/' || ar.status::text, ''), ' ' ORDER BY r.code) FROM appointment_resource ar JOIN resource r USING (site_id, resource_id) WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id) AS resources,
       (SELECT count(*) FROM occupancy o WHERE o.site_id = a.site_id AND o.appointment_id = a.appointment_id) AS holds
    FROM appointment a WHERE a.site_id = current_site();
\x on
-- S01: a new one, at a moment on a scanner.
SELECT * FROM public.ask(public.srm('S01', 'q1', 'PQ1^EHR', '20310702100000', E'NTE|1||bring films\rPID|1||MRQ1^^^NORTH^MR||WARREN^ALICE||19700102|F\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1\rAIP|1|A|T7^TECHMAN^TERRY^^^^^^NORTH'));
SELECT * FROM public.booked;
-- The whole answer, but for its time and numbers.
SELECT regexp_replace(regexp_replace(replace(convert_from(ack, 'UTF8'), E'\r', E'\n'), '\|\d{14}-\d{4}\|\|SRR(\S*)\|RS\d+\|', '|NOW||SRR\1|RSn|'), '\|\d+\^RADSCHEDULER', '|n^RADSCHEDULER') AS srr
    FROM ingest(public.srm('S01', 'q1', 'PQ1^EHR', '20310702100000', E'NTE|1||bring films\rPID|1||MRQ1^^^NORTH^MR||WARREN^ALICE||19700102|F\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1\rAIP|1|A|T7^TECHMAN^TERRY^^^^^^NORTH'));
-- Those were the same bytes: the answer is the stored one, and nothing was booked again.
SELECT i.outcome, i.ack = m.ack AS same_answer, (SELECT count(*) FROM public.booked) AS booked
    FROM ingest(public.srm('S01', 'q1', 'PQ1^EHR', '20310702100000', E'NTE|1||bring films\rPID|1||MRQ1^^^NORTH^MR||WARREN^ALICE||19700102|F\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1\rAIP|1|A|T7^TECHMAN^TERRY^^^^^^NORTH')) i,
         hl7_message m WHERE m.site_id = current_site() AND m.control_id = 'q1' AND m.outcome = 'applied';
\x off
-- A range: the first free start that suits APR best, on a scanner that is the filler's to choose. 2 July 2031 is a Wednesday.
SELECT answer, warnings FROM public.ask(public.srm('S01', 'q2', 'PQ2^EHR', '20310702100000^20310702120000', E'PID|1||MRQ2^^^NORTH^MR||BAKER^BRUCE\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN'));
SELECT answer, warnings FROM public.ask(public.srm('S01', 'q3', 'PQ3^EHR', '20310702^20310704', E'APR|WED^NO~FRI^OK~PREFSTART^1:30PM~PREFEND^1500|^QMR2\rPID|1||MRQ3^^^NORTH^MR||COOPER^CAROL\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN'));
SELECT answer FROM public.ask(public.srm('S01', 'q4', 'PQ4^EHR', '20310705^20310706', E'PID|1||MRQ4^^^NORTH^MR||DALTON^DIANE\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN'));
-- The time of the exam itself.
SELECT answer FROM public.ask(public.srm('S01', 'q5', 'PQ5^EHR', '', E'PID|1||MRQ5^^^NORTH^MR||EVANS^EDWIN\rRGS|1|A\rAIS|1|A|CT001^CT CHEST|20310702110000\rAIG|1|A|QCT1'));
-- Refused: the scanner is taken, the patient is elsewhere, no scanner is left. Other times come with it, and nothing is kept but the message.
SELECT count(*) AS patients, (SELECT count(*) FROM public.booked) AS booked, (SELECT count(*) FROM event_log WHERE site_id = current_site() AND type LIKE 'appointment%') AS told FROM patient WHERE site_id = current_site() \gset before_
SELECT answer FROM public.ask(public.srm('S01', 'q6', 'PQ6^EHR', '20310702101500', E'PID|1||MRQ6^^^NORTH^MR||FOSTER^FIONA\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'));
SELECT answer FROM public.ask(public.srm('S01', 'q7', 'PQ7^EHR', '20310702101500', E'PID|1||MRQ1^^^NORTH^MR||WARREN^ALICE\rRGS|1|A\rAIS|1|A|CT001^CT CHEST\rAIG|1|A|QCT1'));
SELECT answer FROM public.ask(public.srm('S01', 'q8', 'PQ8^EHR', '20310702101500', E'PID|1||MRQ8^^^NORTH^MR||GRANT^GAVIN\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN'));
SELECT convert_from(ack, 'UTF8')::hl7 ->> 'SCH-11.4' IS NOT NULL AS offers, hl7_get_all(convert_from(ack, 'UTF8')::hl7, 'SCH-11[*].4') = hl7_get_all(convert_from(ack, 'UTF8')::hl7, 'AIG[*]-8') AS each_with_its_scanner,
       hl7_state(convert_from(ack, 'UTF8')::hl7, 'SCH-25') AS status, (siu_parse(convert_from(ack, 'UTF8')::hl7) ? 'error') AS unreadable
    FROM hl7_message WHERE control_id = 'q6' AND site_id = current_site();
SELECT count(*) = :before_patients AS no_patient, (SELECT count(*) FROM public.booked) = :before_booked AS no_booking,
       (SELECT count(*) FROM event_log WHERE site_id = current_site() AND type LIKE 'appointment%') = :before_told AS nothing_told FROM patient WHERE site_id = current_site();
SELECT control_id, outcome, code, error ->> 'path' AS path, appointment_id IS NULL AS about_none FROM hl7_message WHERE control_id IN ('q6', 'q7', 'q8') AND site_id = current_site() ORDER BY 1;
-- What is offered can be had: the first alternative, asked for.
SELECT i.code, i.outcome FROM hl7_message m, ingest(public.srm('S01', 'q9', 'PQ9^EHR', convert_from(m.ack, 'UTF8')::hl7 ->> 'TQ1-7', E'PID|1||MRQ6^^^NORTH^MR||FOSTER^FIONA\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|' || (convert_from(m.ack, 'UTF8')::hl7 ->> 'AIG-3.1'))) i WHERE m.control_id = 'q6' AND m.site_id = current_site();
-- Not to be taken at all.
SELECT t.label, regexp_replace(a.answer, 'TQ1 (\d{14}-\d{4} ?)+', 'TQ1 times ') AS answer FROM (VALUES
    (1, 'number taken', public.srm('S01', 'r1', 'PQ1^EHR', '20310703100000', E'PID|1||MRQ1^^^NORTH^MR||WARREN^ALICE\rRGS|1\rAIS|1|A|MRI001')),
    (2, 'unknown number', public.srm('S02', 'r2', 'NONE^EHR', '20310703100000')),
    (3, 'unknown number here', public.srm('S04', 'r3', '|999999999^RADSCHEDULER')),
    (4, 'somebody else''s', public.srm('S04', 'r4', 'PQ1^EHR', '', E'PID|1||MRQ2^^^NORTH^MR||BAKER^BRUCE')),
    (5, 'another sender', public.srm('S04', 'r5', 'PQ1^EHR', '', '', 'OTHERQ|NORTHQ')),
    (6, 'no patient', public.srm('S01', 'r6', 'PR6^EHR', '20310703100000', E'RGS|1\rAIS|1|A|MRI001')),
    (7, 'unknown resource', public.srm('S01', 'r7', 'PR7^EHR', '', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|MRI001\rAIG|1|A|NOWHERE9')),
    (8, 'unknown exam', public.srm('S01', 'r8', 'PR8^EHR', '20310703100000', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|ZZ9^ZZYZX')),
    (9, 'in the past', public.srm('S01', 'r9', 'PR9^EHR', '20200703100000', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|MRI001')),
    (10, 'no such time', public.srm('S01', 'r10', 'PR10^EHR', '20311303100000', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|MRI001')),
    (11, 'no number', public.srm('S01', 'r11', '', '20310703100000', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|MRI001')),
    (12, 'no ARQ', convert_to(E'MSH|^~\\&|EHRQ|NORTHQ|||20260101||SRM^S04|r12|P|2.5\rPID|1||MRQ1', 'UTF8')),
    (13, 'no such event', convert_to(E'MSH|^~\\&|EHRQ|NORTHQ|||20260101||SRM^S12|r13|P|2.5\rARQ|PQ1^EHR', 'UTF8'))) t(place, label, bytes), LATERAL public.ask(t.bytes) a ORDER BY t.place;
-- Without a time: what is free from now on is offered.
SELECT regexp_replace(answer, 'TQ1 (\d{14}-\d{4} ?)+', 'TQ1 times ') AS answer FROM public.ask(public.srm('S01', 'r14', 'PR7^EHR', '', E'PID|1||MRQ7^^^NORTH^MR||HOLMES^HELEN\rRGS|1\rAIS|1|A|MRI001\rAIG|1|A|QMR1'));
-- S02 moves: by the placer's number, by ours, with scanner and staff; one that cannot be leaves it where it was.
SELECT answer FROM public.ask(public.srm('S02', 's1', 'PQ1^EHR', '20310703093000'));
SELECT local, minutes, moved, resources, holds FROM public.booked WHERE placer_id = 'PQ1^EHR';
SELECT answer FROM public.ask(public.srm('S02', 's2', 'X^EHR|' || (SELECT appointment_id FROM appointment WHERE placer_id = 'PQ1^EHR' AND site_id = current_site()) || '^RADSCHEDULER', '20310703100000^20310703103000'));
SELECT answer FROM public.ask(public.srm('S02', 's3', 'PQ1^EHR', '', E'RGS|1|U\rAIG|1|U|QMR2|||||20310704133000'));
SELECT local, moved, resources, placer_id FROM public.booked WHERE mrn = 'MRQ1';
-- S03 changes what it sends.
SELECT answer FROM public.ask(public.srm('S03', 's4', 'PQ1^EHR', '', E'NTE|1||no films\rRGS|1|U\rAIS|1|U|MRI002^MRI SPINE', p_minutes => '45'));
SELECT local, minutes, study_text, notes, resources FROM public.booked WHERE placer_id = 'PQ1^EHR';
SELECT answer FROM public.ask(public.srm('S03', 's5', 'PQ1^EHR', '', E'NTE|1||only a note', p_minutes => ''));
-- S07 to S11: single exams and resources.
SELECT t.label, a.answer FROM (VALUES
    (1, 'S07 add', public.srm('S07', 't1', 'PQ1^EHR', '', E'RGS|1|U\rAIS|2|A|MRI003^MRI NECK', p_minutes => '')),
    (2, 'S08 modify', public.srm('S08', 't2', 'PQ1^EHR', '', E'RGS|1|U\rAIS|2|U|MRI003^MRI NECK AND JAW', p_minutes => '')),
    (3, 'S09 cancel', public.srm('S09', 't3', 'PQ1^EHR', '', E'RGS|1|U\rAIP|1|D|T7^TECHMAN^TERRY^^^^^^NORTH', p_minutes => '')),
    (4, 'S10 discontinue', public.srm('S10', 't4', 'PQ1^EHR', '', E'RGS|1|U\rAIS|2|D|MRI003', p_minutes => '')),
    (5, 'S09 one it has not', public.srm('S09', 't6', 'PQ1^EHR', '', E'RGS|1|U\rAIG|1|D|QCT1', p_minutes => '')),
    (6, 'S11 one it has not', public.srm('S11', 't7', 'PQ1^EHR', '', E'RGS|1|U\rAIS|1|D|MRI001', p_minutes => '')),
    (7, 'S11 delete the last', public.srm('S11', 't5', 'PQ1^EHR', '', E'RGS|1|U\rAIS|1|D|MRI002', p_minutes => ''))) t(place, label, bytes), LATERAL public.ask(t.bytes) a ORDER BY t.place;
SELECT s.code, s.name, s.status FROM appointment_service s JOIN appointment a USING (site_id, appointment_id) WHERE a.placer_id = 'PQ1^EHR' AND a.site_id = current_site() ORDER BY s.position;
SELECT status, review_reason FROM appointment WHERE placer_id = 'PQ1^EHR' AND site_id = current_site();
-- S04, S05, S06 close; the same again is no error, another change is.
SELECT t.label, a.outcome, a.answer FROM (VALUES
    (1, 'S04 cancel', public.srm('S04', 'u1', 'PQ1^EHR')), (2, 'again', public.srm('S04', 'u2', 'PQ1^EHR')), (3, 'S02 moves it', public.srm('S02', 'u3', 'PQ1^EHR', '20310710100000')),
    (4, 'S05 discontinue', public.srm('S05', 'u4', 'PQ2^EHR')), (5, 'S06 delete', public.srm('S06', 'u5', 'PQ1^EHR')), (6, 'S06 again', public.srm('S06', 'u6', 'PQ1^EHR'))) t(place, label, bytes), LATERAL public.ask(t.bytes) a ORDER BY t.place;
SELECT placer_id, status, holds, generation FROM public.booked WHERE placer_id IN ('PQ1^EHR', 'PQ2^EHR') ORDER BY 1, generation;
-- A number that was given up can be used anew.
SELECT outcome, answer FROM public.ask(public.srm('S01', 'u7', 'PQ1^EHR', '20310711100000', E'PID|1||MRQ1^^^NORTH^MR||WARREN^ALICE\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'));
SELECT status, generation, local FROM public.booked WHERE placer_id = 'PQ1^EHR' ORDER BY generation;
-- What was booked in SQL is moved by its number here, and keeps no number of the placer.
INSERT INTO appointments (patient_id, patient_name, modality, study_type, datetime) VALUES ('MRQ20', 'Ivan Irving', 'CT', 'CT HEAD', '2031-07-14 10:00');
SELECT outcome, answer FROM public.ask(public.srm('S02', 'v1', 'PV1^EHR|' || (SELECT id FROM appointments WHERE patient_id = 'MRQ20') || '^RADSCHEDULER', '20310714113000'));
SELECT placer_id, local, moved, source FROM public.booked WHERE mrn = 'MRQ20';
-- Overriding (APR-5) is a right that the sender's profile gives.
SELECT answer, warnings FROM public.ask(public.srm('S01', 'w1', 'PW1^EHR', '20310711100000', E'APR|||||OVR^bleeding\rPID|1||MRQ21^^^NORTH^MR||JAMES^JULIA\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'));
SELECT set_sender('EHRQ', 'NORTHQ', '{"override_requests": true}') IS NOT NULL AS may;
SELECT outcome, answer, warnings FROM public.ask(public.srm('S01', 'w2', 'PW1^EHR', '20310711100000', E'APR|||||OVR^bleeding\rPID|1||MRQ21^^^NORTH^MR||JAMES^JULIA\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'));
SELECT status, holds FROM public.booked WHERE placer_id = 'PW1^EHR';
-- Refused once, booked when the time is free: the bytes are processed anew.
SELECT set_sender('EHRQ', 'NORTHQ', '{}') IS NOT NULL AS back;
SELECT outcome FROM ingest(public.srm('S04', 'w3', 'PW1^EHR'));
SELECT outcome FROM ingest(public.srm('S04', 'w4', 'PQ1^EHR'));
SELECT outcome FROM ingest(public.srm('S01', 'w1', 'PW1^EHR', '20310711100000', E'APR|||||OVR^bleeding\rPID|1||MRQ21^^^NORTH^MR||JAMES^JULIA\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'));
-- Enhanced mode is answered by the accept acknowledgement; earlier versions, other delimiters and charsets by an SRR of their kind.
SELECT answer FROM public.ask(public.srm('S01', 'x1', 'PX1^EHR', '20310715100000', E'PID|1||MRQ22^^^NORTH^MR||KELLY^KAREN\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1', p_tail => '2.5.1|||AL|NE'));
SELECT regexp_replace(convert_from(ack, 'UTF8'), '.*?(SRR.S02).RS\d+\|', '\1|RSn|') AS old_refusal FROM ingest(public.srm('S02', 'x2', 'NONE^EHR', '20310715100000', p_tail => '2.3'));
SELECT hl7_raw(convert_from(ack, 'LATIN1')::hl7, 'MSH-9') AS msh9, hl7_raw(convert_from(ack, 'LATIN1')::hl7, 'PID-5') AS name, hl7_raw(convert_from(ack, 'LATIN1')::hl7, 'AIS-3') AS exam, hl7_get(convert_from(ack, 'LATIN1')::hl7, 'AIS-3.2') AS decoded
    FROM ingest(convert_to(translate(convert_from(public.srm('S01', 'x3', 'PX3^EHR', '20310716100000', E'PID|1||MRQ23^^^NORTH^MR||MÜLLER^JÖRG\rRGS|1\rAIS|1|A|MRI001^MRI T#E\rAIG|1|A|QMR1', p_tail => '2.5||||||8859/1'), 'UTF8'), '|^#', '$*|'), 'LATIN1'));
-- Tried dry: the answer, and nothing kept.
SELECT d.outcome, d.code, d.is_new, hl7_get(convert_from(d.ack, 'UTF8')::hl7, 'SCH-25') AS status, (SELECT count(*) FROM public.booked WHERE placer_id = 'PY1^EHR') AS booked, (SELECT count(*) FROM hl7_message WHERE control_id = 'y1') AS logged
    FROM dry_run(public.srm('S01', 'y1', 'PY1^EHR', '20310717100000', E'PID|1||MRQ24^^^NORTH^MR||LEWIS^LAURA\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1')) d;
-- In a batch with others, one of them refused.
SELECT b.code, b.outcome, hl7_get(convert_from(b.ack, 'UTF8')::hl7, 'MSH-9.1') AS answered
    FROM ingest_batch(ARRAY[public.srm('S01', 'z1', 'PZ1^EHR', '20310718100000', E'PID|1||MRQ25^^^NORTH^MR||MORGAN^MILES\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'),
                            public.srm('S01', 'z2', 'PZ2^EHR', '20310718100000', E'PID|1||MRQ26^^^NORTH^MR||NORRIS^NANCY\rRGS|1\rAIS|1|A|MRI001^MRI BRAIN\rAIG|1|A|QMR1'),
                            public.srm('S04', 'z3', 'PZ1^EHR')]) b;
-- Requests were answered: they are not read again.
SELECT count(*) AS replayed FROM replay(sender => 'EHRQ|NORTHQ');
SELECT event, count(*) FROM appointment_history h WHERE h.site_id = current_site() GROUP BY 1 ORDER BY 1;
DROP VIEW public.booked;
DROP FUNCTION public.ask(bytea), public.srm(text, text, text, text, text, text, text, text);
RESET radscheduler.site;
