-- What each field becomes, sent and booked: one message for every habit of a sender that was seen, one for every place a value is looked for.
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT code FROM (VALUES ('MAPPING')) v(code), LATERAL radscheduler.create_site(code, 'Mapping', 'America/New_York');
UPDATE radscheduler.site SET phone_region = 'US' WHERE code = 'MAPPING';
SET radscheduler.site = 'MAPPING';
CREATE SEQUENCE pg_temp.clock;
-- A line "SCH 2=X|9=30" is the segment with these fields. MSH-7 goes up by a minute from message to message.
CREATE FUNCTION pg_temp.segment(line text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT CASE WHEN line !~ '^[A-Z][A-Z0-9]{2} \d' THEN line ELSE left(line, 3) || '|' || (
    SELECT string_agg(coalesce(f.value, ''), '|' ORDER BY n)
    FROM (SELECT split_part(e, '=', 1)::integer AS place, substr(e, strpos(e, '=') + 1) AS value FROM regexp_split_to_table(substr(line, 5), '\|') e WHERE e <> '') f
    RIGHT JOIN generate_series(1, (SELECT max(split_part(e, '=', 1)::integer) FROM regexp_split_to_table(substr(line, 5), '\|') e WHERE e <> '')) n ON n = f.place) END $$;
CREATE FUNCTION pg_temp.ingest(sender text, event text, segments text, version text, rest text) RETURNS radscheduler.ingest_result LANGUAGE sql VOLATILE AS $$
SELECT radscheduler.ingest(convert_to(
    CASE WHEN segments LIKE '%MSH|%' THEN '' ELSE format(E'MSH|^~\\&|%s|RADSCHED|RAD|%s||SIU^%s|M%s|P|%s%s\r', sender,
        to_char('2025-06-01'::timestamp + make_interval(mins => n::integer), 'YYYYMMDDHH24MI'), event, n, version, rest) END
    || (SELECT string_agg(pg_temp.segment(l), E'\r' ORDER BY place) FROM regexp_split_to_table(segments, '\n') WITH ORDINALITY s(l, place) WHERE l <> ''), 'UTF8'))
FROM nextval('pg_temp.clock') n $$;
CREATE FUNCTION pg_temp.local(at timestamptz, form text DEFAULT 'HH24:MI') RETURNS text LANGUAGE sql STABLE AS $$ SELECT to_char(timezone('America/New_York', at), form) $$;
CREATE FUNCTION pg_temp.rows_of(id bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
SELECT line FROM (
    SELECT 1 AS part, 1 AS group_no, 1 AS position, concat_ws(' | ', a.status || coalesce(' ' || a.review_reason, ''), concat_ws('/', a.filler_id, a.placer_id),
           coalesce(pg_temp.local(a.starts_at, 'MM-DD HH24:MI') || ' ' || extract(epoch FROM a.ends_at - a.starts_at)::integer / 60 || ' min', 'no time'),
           concat_ws(' ', a.modality, a.study_code, '"' || a.study_text || '"'), a.urgency, concat_ws(' ', p.mrn, p.display_name, p.phone), 'by ' || a.referring_physician) AS line
    FROM radscheduler.appointment a LEFT JOIN radscheduler.patient p USING (site_id, patient_id) WHERE a.appointment_id = id
    UNION ALL
    SELECT 2, s.group_no, s.position, format('   exam %s.%s %s "%s" %s-%s%s', s.group_no, s.position, s.code, s.name, pg_temp.local(s.starts_at), pg_temp.local(s.ends_at), ' ' || s.status)
    FROM radscheduler.appointment_service s WHERE s.appointment_id = id
    UNION ALL
    SELECT 3, x.group_no, x.position, format('   %s %s.%s %s %s"%s" %s-%s%s', r.kind, x.group_no, x.segment, r.code, x.role || ' ', r.name, pg_temp.local(x.starts_at), pg_temp.local(x.ends_at), ' ' || x.status)
    FROM radscheduler.appointment_resource x JOIN radscheduler.resource r USING (site_id, resource_id) WHERE x.appointment_id = id) q ORDER BY part, group_no, position $$;
CREATE FUNCTION pg_temp.warnings_of(warnings jsonb) RETURNS text LANGUAGE sql STABLE AS $$
SELECT string_agg(concat_ws(' ', w.value ->> 'code', w.value ->> 'path'), ', ' ORDER BY w.place) FROM jsonb_array_elements(warnings) WITH ORDINALITY w(value, place)
WHERE w.value ->> 'code' NOT IN ('SENDER_UNKNOWN', 'RESOURCE_UNKNOWN', 'MODALITY_UNKNOWN') $$;
-- The answer, the appointment, a line for each exam and resource, the warnings.
CREATE FUNCTION pg_temp.take(sender text, event text, segments text, version text DEFAULT '2.5', rest text DEFAULT '') RETURNS TABLE (told text) LANGUAGE plpgsql AS $$
DECLARE
    r radscheduler.ingest_result := pg_temp.ingest(sender, event, segments, version, rest);
BEGIN
    RETURN QUERY SELECT concat_ws(' ', r.code, r.outcome, m.error ->> 'code', m.error ->> 'path') FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
    RETURN QUERY SELECT * FROM pg_temp.rows_of(r.appointment_id);
    RETURN QUERY SELECT '   ! ' || pg_temp.warnings_of(r.warnings) WHERE pg_temp.warnings_of(r.warnings) <> '';
END
$$;
\pset format unaligned
\pset tuples_only on

-- Epic Cadence: an internal number in SCH-1, the status as number and abbreviation, no action codes, the room in an AIG whose start is told twice.
SELECT * FROM pg_temp.take('CADENCE|HARBOUR', 'S12', '
SCH 1=1|2=E36001|7=FOLLOWUP^Follow-up|8=RETURN^Return visit|9=30|10=MIN|11=^^^203106021115|16=7001^CLERK^CARA|25=1^SCH
NTE 1=1|3=Includes ten minutes before the exam
PID 3=E7001^^^HARBOUR^MR|5=MARLOWE^ADELE|7=19701224|8=F|13=(617)555-0142^PRN^PH
PV1 2=O|19=E36001
RGS 1=1
AIS 1=1|3=US004^ABDOMINAL ULTRASOUND|4=203106021115|5=0|6=MIN|7=30|8=MIN
AIG 1=1|3=399^ULTRASOUND ROOM TWO|4=2^RESOURCE|8=203106021130|9=30|10=MIN|11=15|12=MIN
AIP 1=1|3=9981^TANNER^IRIS|6=203106021115|7=0|8=MIN|9=15|10=MIN', '2.3');
-- A check-in on the way to Epic: SCH-1 and SCH-2 empty, the appointment's id in PV1-19, arrival as S14 with 6^ARRIVED.
SELECT whole_profile FROM radscheduler.set_sender('KIOSK', 'HARBOUR', '{"id_source": ["PV1-19", "SCH-5"]}');
SELECT * FROM pg_temp.take('KIOSK|HARBOUR', 'S12', '
SCH 9=20|10=MIN|11=^^20^203106030900
PID 3=K7001|5=BELLAMY^THEO
PV1 2=O|19=K41001
AIS 1=1|3=XR003^CHEST XRAY 2 VIEWS');
SELECT * FROM pg_temp.take('KIOSK|HARBOUR', 'S14', '
SCH 25=6^ARRIVED
PID 3=K7001|5=BELLAMY^THEO
PV1 2=O|19=K41001');
-- athenahealth: one id in four places, a plain user name in SCH-16, telephones and e-mail mixed in PID-13, a no-show as S15.
SELECT e, t.* FROM (VALUES ('S12', 'SCHEDULED'), ('S15', 'NOSHOW')) v(e, status), pg_temp.take('ATHENA|LAKES', e, format('
SCH 1=33910|2=33910|8=MRFU^MR FOLLOW-UP|9=45|10=minutes|11=^^45^203106040830|16=schedadmin|25=%s
PID 2=A5501|3=A5501|4=A5501|5=FIELDING^MORGAN^J|13=(508)555-0101^PRN^PH~(508)555-0102^WPN^PH~(508)555-0103^ORN^CP~^NET^Internet^morgan@example.invalid
PV1 2=O|19=33910|50=33910
AIL 1=1|3=LAKES IMAGING^MR1', status), '2.3.1') t;
-- Doctolib: the unit in TQ.2 and the minutes in TQ.3, a time in the offset AIS-5, e-mail before the telephone, another country's clock and numbers.
SELECT whole_profile FROM radscheduler.set_sender('DOCTO', 'LYON', '{"phone_region": "FR", "timezone": "Europe/Paris"}');
SELECT * FROM pg_temp.take('DOCTO|LYON', 'S12', '
SCH 2=D77001|6=APT|11=1^MIN^15^203106051545|20=9^DURAND^LISE|24=D76999|25=Booked
PID 3=D5001^^^DOCTO^PI|5=LEFÈVRE^AGATHE|13=agathe@example.invalid^^^mail~0655500123^PRN^CP
RGS 1=1
AIS 1=1|2=A|3=ECHO7^Échographie du foie|4=203106051545|5=203106051600
AIG 1=1|2=A|3=ECHO1^Salle d''écho 1', '2.5.1', '|||||FRA|UTF-8');
-- XPLORE to ORBIS: orders in SCH-26 and SCH-27, SCH-11 is the time of the event and AIS-4 that of the exam, the urgency in a note.
SELECT whole_profile FROM radscheduler.set_sender('XPLORE', 'CLINIC', '{"start_source": "service", "priority_notes": true}');
SELECT * FROM pg_temp.take('XPLORE|CLINIC', 'S12', '
SCH 2=X81001|11=^^^203106061548|25=STARTED|26=PO81^ORBIS|27=FO81^XPLORE
NTE 3=Priority: S
PID 3=X9001|5=GARNIER^ODETTE
RGS 1=1|2=A
AIS 1=1|2=A|3=CT002^CT CHEST W CONTRAST|4=203106060815|7=20|8=MIN', '2.3.1');
SELECT placer_orders, filler_orders FROM radscheduler.appointment WHERE filler_id = 'X81001';
-- INITECH: the exam in SCH-7 as well, unit M, a number for the scanner with its name in AIL-3, bare backslashes in a note.
SELECT * FROM pg_temp.take('INITECH|CENTRAL', 'S14', '
SCH 2=I72001|6=MO^Modified|7=72794|8=Normal|9=50|10=M|11=^^50^203106091300^203106091350^R
NTE 1=1|3=Files under C:\images\new, then\.br\call
PID 3=I6001|5=STERLING^QUINN
RGS 1=1|2=U
AIS 1=1|2=U|3=72794^CT PELVIS W^C4|4=203106091300|5=0|6=M|7=50|8=M
AIL 1=1|2=U|3=4^PET/CT-Tangerine|6=203106091300|7=0|8=M|9=50|10=M
AIP 1=1|2=U|3=51^MERCER^JUNE^^^^MD|4=TECH^Technologist|6=203106091300|7=0|8=M|9=50|10=M', '2.4');
SELECT replace(notes, E'\n', ' // ') FROM radscheduler.appointment WHERE filler_id = 'I72001';
-- iNTERFACEWARE: unit m, room and person three days before the appointment, a person in AIG, MSH-9 one field early.
SELECT * FROM pg_temp.take('', '', '
MSH|^~\&|IFW|DEMO|RADSCHED|RAD|202506011200|SIU^S14|IFW1|P|2.3
SCH 1=W11|2=W11|7=OFFICE^Office visit|8=reason for the appointment|9=60|10=m|11=^^60^203106171345^203106171445|25=Scheduled
PID 3=W4001|5=HOLLIS^EVAN
RGS 1=1|2=A
AIG 1=1|2=A|3=1^Hollister, Frank|4=D^^
AIL 1=1|2=A|3=OFFICE^^^OFFICE|4=^Main Office|6=203106141345|9=45|10=m^Minutes|12=Scheduled
AIP 1=1|2=A|3=1^Hollister^Frank|4=D^Hollister, Frank|6=203106141345|9=45|10=m^Minutes|12=Scheduled');
-- PKB: the placer's id is the only key, SCH-7.2 the subject, the end in TQ.5.
SELECT * FROM pg_temp.take('PKB|TRUST', 'S12', '
SCH 1=PKB5001|7=^MRI of the knee|11=^^^203106090910^203106090935
PID 3=P3001^^^TRUST^MR~9990001111^^^NATIONAL^NI|5=ASHWORTH^IDA');
-- Infor: the case in SCH-5, the start in TQ1-7.
SELECT whole_profile FROM radscheduler.set_sender('INFOR', 'SURGERY', '{"id_source": "SCH-5"}');
SELECT * FROM pg_temp.take('INFOR|SURGERY', 'S12', '
SCH 5=CASE9001|25=BOOKED
TQ1 1=1|7=203106100830|8=203106100930|9=R
PID 3=F2001|5=WINSLOW^PETRA
PV1 2=I|3=WARD4|19=F55
RGS 1=1|2=A
AIS 1=1|2=A|3=IR001^ANGIOGRAM LEG', '2.5.1');
-- Quarkus, a Nordic sample: nothing but an id and TQ1, with an offset; without a patient it is no booking.
SELECT t.* FROM unnest(ARRAY['', 'PID 3=Q1001|5=NYSTROM^ELSA']) pid, pg_temp.take('QUARKUS|NORDIC', 'S12', '
SCH 2=Q60001
TQ1 1=1|6=37^Minutes|7=20310611210000+0100
' || pid, '2.5.1') t;
-- IHE RAD-48 (2.3.1): S12, S13 and S15; 360X adds S26.
SELECT e, t.* FROM unnest(ARRAY['S12', 'S13', 'S26', 'S15']) WITH ORDINALITY u(e, n), pg_temp.take('RAD48|DSS', e, format('
SCH 1=RP%s^DSS|2=RF%s^DSS|9=30|10=MIN|11=^^30^203106121%s00
PID 3=R1001^^^DSS|5=OAKLEY^RUTH
PV1 2=O
RGS 1=1|2=A
AIS 1=1|2=A|3=MRI001^MRI BRAIN W/O CONTRAST', n / 4, n / 4, n), '2.3.1') t;
-- TrakCare: the status in SCH-18. ORBIT: number and unit in SCH-9, the timing in SCH-10, the status in SCH-16, start and end against the minutes.
SELECT * FROM pg_temp.take('TRAK|CARE', 'S12', '
SCH 2=T30001|9=25|10=MIN|11=^^25^203106130800|18=Booked
PID 3=T1001|5=PEMBER^GWEN
AIS 1=1|3=MG001^MAMMOGRAM BOTH');
SELECT * FROM pg_temp.take('ORBIT|NORTH', 'S12', '
SCH 2=O30001|9=120^MIN|10=^^60^203106130900^203106131100|16=Confirmed
PID 3=O1001|5=HARGROVE^NINA
AIS 1=1|3=NM001^BONE SCAN NUC');
-- Landspitali: duration and timing three fields early.
SELECT * FROM pg_temp.take('SAGA|ISLAND', 'S12', '
SCH 2=L30001|7=15^MIN|8=^^^203106160945^^R
PID 3=L1001|5=JONSDOTTIR^HELGA
AIS 1=1|3=XR003^CHEST XRAY 2 VIEWS');
-- KISIM: the exam's start in AIS-6. Maple: its duration in AIS-5, the resources' starts in field 5. Herlev: its duration in AIS-6, no RGS.
SELECT * FROM pg_temp.take('KISIM|USZ', 'S12', '
SCH 2=S30001|25=Booked
PID 3=S1001|5=AMSTUTZ^VRENI
RGS 1=1|2=A
AIS 1=1|2=A|3=CT002^CT CHEST W CONTRAST|6=203106161030|7=25|8=MIN');
SELECT * FROM pg_temp.take('MAPLE|WEST', 'S12', '
SCH 2=MA30001
PID 3=MA1001|5=THORNE^LIAM
RGS 1=1|2=A
AIS 1=1|2=A|3=US004^ABDOMINAL ULTRASOUND|4=203106161100|5=35|6=MIN
AIL 1=1|2=A|3=WEST^US3|5=203106161100|6=35|7=MIN
AIP 1=1|2=A|3=88^SONNE^KIRA|4=SONOGRAPHER|5=203106161100|6=35|7=MIN');
SELECT * FROM pg_temp.take('HERLEV|EAST', 'S12', '
SCH 2=H30001
PID 3=H1001|5=KRAGH^MADS
AIS 1=1|2=A|3=MRI001^MRI BRAIN W/O CONTRAST|4=203106161300|6=55|7=MIN');

-- The places a value is looked for, best first. book() sends fields of SCH and further segments for a patient of its own and says what was booked.
CREATE FUNCTION pg_temp.book(id text, sch text, rest text DEFAULT '', sender text DEFAULT 'PREC|SITE', event text DEFAULT 'S12', pid text DEFAULT NULL)
    RETURNS TABLE (a radscheduler.appointment, starts text, minutes integer, patient radscheduler.patient, told text) LANGUAGE plpgsql AS $$
DECLARE
    r radscheduler.ingest_result := pg_temp.ingest(sender, event, concat_ws(E'\n', 'SCH 2=' || id || coalesce('|' || nullif(sch, ''), ''), coalesce(pid, format('PID 3=%s|5=NUMBER^%s', id, id)), rest), '2.5', '');
BEGIN
    RETURN QUERY SELECT q, pg_temp.local(q.starts_at, 'MM-DD HH24:MI'), (extract(epoch FROM q.ends_at - q.starts_at) / 60)::integer, p, pg_temp.warnings_of(r.warnings)
        FROM (SELECT 1) one LEFT JOIN radscheduler.appointment q ON q.appointment_id = r.appointment_id LEFT JOIN radscheduler.patient p ON p.patient_id = q.patient_id;
END
$$;
-- The key: SCH-2 and SCH-1 with their namespaces, with the occurrence in a series; a later message is known by either.
SELECT b.told, r FROM unnest(ARRAY['SCH 2=KF1^HIS|1=KP1^EHR|11=^^^203106170900', 'SCH 1=KP1^EHR|11=^^^203106170930', 'SCH 2=KF2|3=2|24=KF0|11=^^^203106171000', 'SCH 2=KF2|3=3|24=KF0|11=^^^203106171100', 'SCH 2=KF2|3=3|11=^^^203106171200'])
    WITH ORDINALITY u(sch, n), pg_temp.take('PREC|SITE', 'S12', sch || E'\nPID 3=KEY' || (n + 1) / 2 || '|5=KEYHOLE^ANNE') b(told), LATERAL (SELECT n) r WHERE b.told LIKE '% | %';
-- The identifier to show: type MR of the facility, MR, PI or PT, the first; social security and national numbers last; the old fields only when the list is empty.
SELECT pid, (b.patient).mrn AS shown
FROM unnest(ARRAY['PID 3=PA1^^^OTHER^MR~PA2^^^SITE^MR', 'PID 3=PB1^^^SITE^SS~PB2^^^OTHER^PI~PB3^^^OTHER^MR', 'PID 3=PC1^^^GOV^NI~PC2^^^OTHER^PT~PC3^^^OTHER^XX', 'PID 3=PD1^^^GOV^SS~PD2^^^OTHER^XX', 'PID 2=PE1|4=PE2', 'PID 2=PF1|3=0PF2|4=PF3', 'PID 3=PG1^^^&1.2.3&ISO^MR'])
    WITH ORDINALITY u(pid, n), pg_temp.book('PAT' || n, '11=^^^203106170900', '', pid => pid || '|5=NUMBER^ONE') b;
SELECT p.mrn, string_agg(concat_ws(' ', i.value, i.type, i.authority), ', ' ORDER BY i.value COLLATE "C") FROM radscheduler.patient p JOIN radscheduler.patient_identifier i USING (site_id, patient_id) WHERE p.mrn ~ '^0?P[A-G]\d$' GROUP BY p.mrn ORDER BY p.mrn COLLATE "C";
-- The name: legal, untyped, display, the first; an alias or a pseudonym never. The telephone: mobile, home, work.
SELECT name, (b.patient).display_name, b.told FROM unnest(ARRAY['PLAIN^ONE~LEGAL^TWO^^^^^L', 'SHOWN^ONE^^^^^D~PLAIN^TWO', 'MAIDEN^ONE^^^^^M~SHOWN^TWO^^^^^D', 'ALIAS^ONE^^^^^A~MAIDEN^TWO^^^^^M', 'ALIAS^ONE^^^^^A', 'van der Berg&van der&Berg^Cees^P^Jr', 'O''NEILL-ROSS', '山田^太郎^^^^^L^I~YAMADA^TARO^^^^^L^A'])
    WITH ORDINALITY u(name, n), pg_temp.book('NAM' || n, '9=15|10=MIN|11=^^^203106170900', '', pid => format('PID 3=NAM%s|5=%s', n, name)) b;
SELECT tel, (b.patient).phone, (b.patient).phone_as_sent, b.told FROM unnest(ARRAY['13=617-555-0101^PRN^PH~617-555-0102^PRN^CP', '13=617-555-0103^WPN^PH|14=617-555-0104^^CP', '13=^PRN^PH^^1^617^5550105', '13=(617)555-0106 x12^PRN^PH^^^^^^^^^+16175550107', '13=^NET^Internet^a@b.invalid~555^PRN^FX', '13=5550108', '13=""', '40=617-555-0109^PRS^CP|13=617-555-0110'])
    WITH ORDINALITY u(tel, n), pg_temp.book('TEL' || n, '9=15|10=MIN|11=^^^203106170900', '', pid => format('PID 3=TEL%s|5=TELEPHONE^TESS|%s', n, tel)) b;
-- The start: TQ1-7, SCH-11.4, the earliest AIS-4, AIL-6, AIG-8, AIP-6, a place it does not belong; AIS-4 first for a sender whose profile says so.
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'EXAM', '{"start_source": "service"}');
CREATE TEMP TABLE start_case (n serial, sch text, rest text);
INSERT INTO start_case (sch, rest) VALUES
    ('11=^^^203106180910', E'TQ1 7=203106180900\nAIS 3=X|4=203106180920\nAIL 3=#L|6=203106180930\nAIG 3=#G|8=203106180940\nAIP 3=#P|6=203106180950'),
    ('11=^^^203106180910', E'AIS 3=X|4=203106180920\nAIL 3=#L|6=203106180930'), ('', E'AIS 3=X|4=203106180925\nAIS 3=Y|4=203106180920\nAIL 3=#L|6=203106180930'), ('', E'AIL 3=#L|6=203106180930\nAIG 3=#G|8=203106180940'),
    ('', E'AIG 3=#G|8=203106180940\nAIP 3=#P|6=203106180950'), ('', 'AIP 3=#P|6=203106180950'), ('', E'AIP 3=#P|4=203106181000\nAIS 3=X|7=203106181010'), ('11=^^^20310618', 'AIS 3=X|4=203106180920'),
    ('11=^^^soon', 'AIS 3=X|4=203106180920'), ('11=^^^203102301000', 'AIS 3=X|4=203106180920'), ('11=^^^203106180000|9=0', 'AIS 3=X'), ('11=^^^203106182400|9=30', 'AIS 3=X'), ('11=^^^20310618095960', 'AIS 3=X'),
    ('11=^^^20310618T0915Z', 'AIS 3=X'), ('11=^^^198912310900', 'AIS 3=X'), ('', 'AIS 3=X');
SELECT c.n, coalesce(b.starts, '-') AS starts, coalesce(s.starts, '-') AS exam_first, coalesce((b.a).status::text, 'refused') AS status, b.told
FROM start_case c, LATERAL pg_temp.book('STA' || n, sch, replace(rest, '#', 'A' || n)) b, LATERAL pg_temp.book('STS' || n, sch, replace(rest, '#', 'B' || n), 'PREC|EXAM') s ORDER BY n;
-- Minutes: an end after the start, SCH-9 in the unit of SCH-10, TQ1-6, TQ.3, the span of the exams, their sum, the longest part, the procedure's, the modality's, 30. Nothing and less than nothing count for nothing.
CREATE TEMP TABLE length_case (n serial, sch text, rest text);
INSERT INTO length_case (sch, rest) VALUES ('9=60|10=MIN|11=^^60^203106190900^203106190945', ''), ('9=60|10=MIN', E'TQ1 7=203106190900|8=203106190950'), ('9=60|10=MIN|11=^^^203106190900^203106190830', ''), ('9=1|10=H|11=^^^203106190900', ''), ('9=0|10=MIN|11=^^40^203106191000', ''),
    ('9=-5|10=MIN|11=^^M25^203106190900', ''), ('11=^^H1^203106190900', 'TQ1 6=37^Minutes'), ('11=^^H1^203106190900', ''), ('9=900|10=S|11=^^^203106190900', ''), ('11=^^^203106190900', E'AIS 1=1|3=X|4=203106190900|7=20|8=MIN\nAIS 1=2|3=Y|4=203106190930|7=15|8=MIN'),
    ('11=^^^203106190900', E'AIS 1=1|3=X|7=20|8=MIN\nAIS 1=2|3=Y|7=15|8=MIN'), ('11=^^^203106190900', E'AIL 3=PL1|9=50|10=MIN\nAIP 3=PP1|9=20|10=MIN'), ('11=^^^203106190900', 'AIS 3=MRI001'), ('11=^^^203106190900', 'AIS 3=X^CT OF SOMETHING'), ('11=^^^203106190900', 'AIS 3=X'),
    ('9=half an hour|11=^^^203106190900', 'AIS 3=X|7=long'), ('9=3|10=DAY|11=^^45^203106190900', ''), ('9=45|11=^^^203106190900', '');
SELECT c.n, b.minutes, b.told FROM length_case c, LATERAL pg_temp.book('LEN' || n, sch, rest) b ORDER BY n;
-- When each part takes place: its own start, else its offset from the appointment's (earlier too), else with it; until the appointment's end unless it says how long. A part days away is a leftover.
SELECT b.* FROM pg_temp.take('PREC|SITE', 'S12', '
SCH 2=PARTS|9=60|10=MIN|11=^^^203106200900
PID 3=PARTS|5=NUMBER^PARTS
AIS 1=1|3=ONE|4=203106200910|5=40|6=MIN|7=10|8=MIN
AIS 1=2|3=TWO|5=20|6=MIN|7=10|8=MIN
AIS 1=3|3=THREE
AIG 1=1|3=PARTG1|9=-15|10=MIN|11=45|12=MIN
AIG 1=2|3=PARTG2|9=1800|10=S
AIG 1=3|3=PARTG3|8=203106230900|11=15|12=MIN
AIL 1=1|3=PARTL1|7=203106200900
AIP 1=1|3=PARTP1|7=often') b;
-- The modality: the procedure table, a registered resource, a field for it, a type that is a modality by itself, the study's letters and words, a resource a message brought, words of a type or reason.
SELECT radscheduler.add_resource('PRECUS', 'Registered', 'room', 'US') IS NOT NULL;
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'FIELD', '{"modality_source": "ZMO-2"}');
CREATE TEMP TABLE modality_case (n serial, sender text, sch text, rest text);
INSERT INTO modality_case (sender, sch, rest) VALUES
    ('PREC|FIELD', '8=NM', E'AIS 3=CT002\nAIL 3=PRECUS\nZMO 2=MG'), ('PREC|FIELD', '8=NM', E'AIS 3=X^^L^CT002\nAIL 3=PRECUS\nZMO 2=MG'), ('PREC|FIELD', '8=NM', E'AIS 3=X^XRAY OF IT\nAIL 3=PRECUS\nZMO 2=MG'),
    ('PREC|FIELD', '8=NM', E'OBR 24=MR\nAIS 3=X^XRAY OF IT\nZMO 2=MG'), ('PREC|FIELD', '8=NM', E'OBR 24=MR\nAIS 3=X^XRAY OF IT\nZMO 2=NOTHING'), ('PREC|SITE', '8=NM', E'OBR 24=MR\nAIS 3=X^XRAY OF IT\nZMO 2=MG'), ('PREC|SITE', '8=NM', E'IPC 5=PT\nAIS 3=X^XRAY OF IT'),
    ('PREC|SITE', '8=NM', E'RGS 1=1|3=BMD^Density\nAIS 3=X^XRAY OF IT\nAIG 3=PRECNEW1|4=CT'), ('PREC|SITE', '8=NM', E'RGS 1=1|3=BMD^Density\nAIS 3=X^XRAY OF IT\nAIG 3=PRECNEW1|5=^Mammo'), ('PREC|SITE', '8=NM', E'RGS 1=1|3=BMD^Density\nAIS 3=X^XRAY OF IT'),
    ('PREC|SITE', '8=NM|5=MR', 'AIS 3=X^XRAY OF IT'), ('PREC|SITE', '8=NEW PT|5=^MRI', 'AIS 3=X^XRAY OF IT'), ('PREC|SITE', '8=NEW PT|7=CT follow-up', 'AIS 3=MR77^THE SAME AGAIN'), ('PREC|SITE', '8=NEW PT|7=CT follow-up', 'AIS 3=77^THE SAME MRI'),
    ('PREC|SITE', '8=NEW PT', E'AIS 3=77^THE SAME\nAIG 3=CT77'), ('PREC|SITE', '8=NEW CT|7=MRI before', 'AIS 3=77^THE SAME'), ('PREC|SITE', '7=MRI before', 'AIS 3=77^THE SAME'), ('PREC|SITE', '7=US004', ''), ('PREC|SITE', '', 'AIS 3=77^THE SAME');
SELECT c.n, (b.a).modality FROM modality_case c, LATERAL pg_temp.book('MOD' || n, sch || '|11=^^^203106230900', rest, sender) b ORDER BY n;
-- The study: AIS-3.2 with .1, .5 with .4, SCH-7, SCH-8; several in the order of group and number; what is taken out is not among them.
SELECT c.n, (b.a).study_code, (b.a).study_text FROM (VALUES (1, '7=R7^REASON', 'AIS 3=S1^FIRST^L^A1^ALSO'), (2, '7=R7^REASON', 'AIS 3=^^^A1^ALSO'), (3, '7=R7^REASON|8=T8^TYPE', ''), (4, '7=R7', ''), (5, '8=T8^TYPE', ''),
    (6, '', E'RGS 1=2\nAIS 1=1|3=S3^THIRD\nRGS 1=1\nAIS 1=2|3=S2^SECOND\nAIS 1=1|3=S1^FIRST'), (7, '', E'AIS 1=1|3=S1^FIRST|10=Cancelled\nAIS 1=2|3=S2^SECOND|10=Booked'), (8, '', E'AIS 1=1|2=D|3=S1^FIRST\nAIS 1=2|2=A|3=S2^SECOND')) c(n, sch, rest),
    LATERAL pg_temp.book('STU' || n, '11=^^^203106230900|' || sch, rest) b ORDER BY n;
CREATE FUNCTION pg_temp.booked(id bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT string_agg(concat_ws(' ', r.kind, x.role, r.code, '"' || r.name || '"', CASE WHEN NOT r.is_registered THEN 'new' END), ', ' ORDER BY x.position)
            FROM radscheduler.appointment_resource x JOIN radscheduler.resource r USING (site_id, resource_id) WHERE x.appointment_id = id);
END $$;
-- Rooms: PL.2, else PL.1, but a number before a name is the room; further repetitions are other names of it. A scanner sent in AIL and a room sent in AIG are what the table says. PV1-3 only where the profile says so.
SELECT count(radscheduler.add_resource(c, n, k::radscheduler.resource_kind, m, aliases => a)) FROM (VALUES ('ROOMONE', 'Room one', 'room', NULL, '{"RADIOLOGY ONE", 71}'::text[]), ('SCANTWO', 'Scanner two', 'equipment', 'CT', '{}'), ('ROOMTHREE', 'Room three', 'room', NULL, '{"NORTH THREE"}')) v(c, n, k, m, a);
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'VISIT', '{"location_source": "PV1-3", "referrer_source": "PV1-7"}');
SELECT replace(v.rest, E'\n', ' & '), pg_temp.booked((b.a).appointment_id)
FROM unnest(ARRAY['AIL 3=RAD^ROOMONE', 'AIL 3=roomone', 'AIL 3=71^Radiology One', 'AIL 3=72^Annex Two', 'AIL 3=7^R72', 'AIL 3=RAD^ANNEX9~RAD^RADIOLOGY ONE', 'AIL 3=74^NORTH THREE', 'AIL 3=SCANTWO', 'AIG 3=ROOMONE', 'AIG 3=SCANTWO', 'AIG 3=SUITE8^Suite|4=ROOM', 'AIG 3=77^DR. WELLER|4=SURGEON', 'PV1 3=RAD^ROOMONE', 'AIL 3=RAD^R73' || E'\nPV1 3=RAD^ROOMONE'])
    WITH ORDINALITY v(rest, n), pg_temp.book('ROO' || n, '11=^^^20310624' || lpad((n + 6)::text, 2, '0') || '00|9=15|10=MIN', rest, 'PREC|VISIT') b;
SELECT pg_temp.booked((b.a).appointment_id) IS NULL FROM pg_temp.book('ROOM99', '11=^^^203106240700', 'PV1 3=RAD^ROOMONE') b;
-- Staff: every repetition, the role from AIP-4, XCN.1, AIP-5; a number belongs to its authority; without number the name with the role; who only refers is not booked. The referrer: PV1-8, (PV1-7), that person, SCH-12, ORC-12, OBR-16.
SELECT replace(v.rest, E'\n', ' & '), pg_temp.booked((b.a).appointment_id), (b.a).referring_physician, b.told
FROM unnest(ARRAY['AIP 3=501^WELLER^MAX^^^^MD~502^BRANDT^EVE|4=TECH^Technologist', 'AIP 3=TECHNOLOGIST^WELLER^MAX', 'AIP 3=501^WELLER^MAX|5=TECH', 'AIP 3=501^WELLER^MAX^^^^^^NPI', 'AIP 3=503^ADLER^IDA^^^^^^NPI', 'AIP 3=503^ADLER^IDA', 'AIP 3=503^OTTO^JAN^^^^^^HIS',
    'AIP 3=^FINCH^AMY|4=NURSE', 'AIP 3=504^GRANT^RUTH|4=REF', E'AIP 3=504^GRANT^RUTH|4=REF\nPV1 8=505^HOLT^SUE', E'PV1 7=506^ATTEND^ANN\nORC 12=507^ORDER^ORLA\nOBR 16=508^REQUEST^RAY', 'OBR 16=508^REQUEST^RAY'])
    WITH ORDINALITY v(rest, n), pg_temp.book('STF' || n, '12=509^CONTACT^CORA|11=^^^20310625' || lpad((n + 7)::text, 2, '0') || '00|9=15|10=MIN', rest) b;
SELECT replace(v.rest, E'\n', ' & '), (b.a).referring_physician FROM unnest(ARRAY[E'PV1 7=506^ATTEND^ANN\nORC 12=507^ORDER^ORLA\nOBR 16=508^REQUEST^RAY', E'ORC 12=507^ORDER^ORLA\nOBR 16=508^REQUEST^RAY', 'OBR 16=508^REQUEST^RAY'])
    WITH ORDINALITY v(rest, n), pg_temp.book('REF' || n, '11=^^^203106250800', rest, 'PREC|VISIT') b;
-- Urgency: TQ1-9, TQ.6, SCH-8 or SCH-7 that is an urgent word, PV1-4 E or U, a note where the profile says so.
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'NOTES', '{"priority_notes": true}');
SELECT v.sch, replace(v.rest, E'\n', ' & '), (b.a).urgency, (c.a).urgency AS by_note FROM (VALUES (1, '11=^^^203106261000^^S|8=WALKIN', E'TQ1 9=R\nPV1 4=E'), (2, '11=^^^203106261000^^A|8=STAT', 'PV1 4=E'), (3, '8=WALKIN|7=^Stat', 'PV1 4=E'), (4, '7=^Stat', 'PV1 4=U'), (5, '7=STATUS POST', 'PV1 4=U'), (6, '', 'PV1 4=E'), (7, '', E'PV1 4=R\nNTE 3=Priority: S'),
    (8, '', E'AIS 3=X\nNTE 3=bring films~priority: asap'), (9, '11=^^^203106261000^^R', 'NTE 3=Priority: S'), (10, '11=^^^203106261000^^P', ''), (11, '11=^^^203106261000^^TM30', '')) v(n, sch, rest),
    LATERAL pg_temp.book('URG' || n, CASE WHEN sch ~ '11=' THEN sch ELSE '11=^^^203106261000|' || sch END, rest) b, LATERAL pg_temp.book('URN' || n, CASE WHEN sch ~ '11=' THEN sch ELSE '11=^^^203106261000|' || sch END, rest, 'PREC|NOTES') c ORDER BY n;
-- Status: SCH-25 by code or text or their alternatives, else AIS-10 of the first exam in force, else what all resources agree on, else the event's own.
SELECT v.sch, replace(v.rest, E'\n', ' & '), (b.a).status, b.told FROM (VALUES (1, '25=3^Confirmed', 'AIS 3=X|10=Arrived'), (2, '25=Arrived', ''), (3, '25=X1^^L^^Waitlist', ''), (4, '25=X1^unheard of', 'AIS 3=X|10=Confirmed'), (5, '25=X1', ''), (6, '', E'AIS 1=1|3=X|10=Cancelled\nAIS 1=2|3=Y|10=^Confirmed'), (7, '', E'AIG 3=STATONE|14=Confirmed\nAIL 3=STATTWO|12=CONFIRMED'),
    (8, '', E'AIG 3=STATTHREE|14=Confirmed\nAIL 3=STATFOUR|12=Arrived'), (9, '', E'AIS 1=1|3=X|10=Cancelled\nAIS 1=2|3=Y|10=Deleted')) v(n, sch, rest), LATERAL pg_temp.book('STT' || n, '9=15|10=MIN|11=^^^203106271000|' || sch, rest) b ORDER BY n;

-- What is sent overwrites, the HL7 null clears, nothing leaves it.
CREATE FUNCTION pg_temp.columns(a radscheduler.appointment, p radscheduler.patient) RETURNS text LANGUAGE sql AS $$
SELECT concat_ws(' | ', coalesce(a.notes, '-'), coalesce(a.reason, '-'), coalesce(a.event_reason, '-'), a.urgency, coalesce(a.referring_physician, '-'), coalesce(a.visit_group, '-'), concat_ws(' ', p.display_name, p.birth_date, p.sex, p.phone)) $$;
SELECT pg_temp.columns(b.a, b.patient) FROM pg_temp.book('NULL1', E'4=GROUP|6=CHANGE^Changed|7=R^Reason|11=^^^203106270900^^S\nNTE 3=A note', 'PV1 8=601^HOLT^SUE', pid => 'PID 3=NULL1|5=CLEAR^CLARA|7=19600102|8=F|13=617-555-0120') b;
SELECT pg_temp.columns(b.a, b.patient) FROM pg_temp.book('NULL1', '25=Booked', '', event => 'S14', pid => 'PID 3=NULL1') b;
SELECT pg_temp.columns(b.a, b.patient) FROM pg_temp.book('NULL1', E'4=""|6=""|7=""|25=Booked\nNTE 3=""\nTQ1 9=""', 'PV1 8=""', event => 'S14', pid => 'PID 3=NULL1|7=""|8=""|13=""') b;

-- Exams and resources of an update: by type (those of the types that are sent are replaced), full (all are), by action codes; D, or a mixture, is always meant. S18 to S22 name single ones.
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'FULL', '{"update_mode": "full"}');
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'ACTION', '{"update_mode": "action"}');
CREATE FUNCTION pg_temp.held(id bigint) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(v, ' ' ORDER BY v) FROM (SELECT s.code || coalesce(':' || s.status, '') FROM radscheduler.appointment_service s WHERE s.appointment_id = id
    UNION ALL SELECT r.code || coalesce(':' || x.status, '') FROM radscheduler.appointment_resource x JOIN radscheduler.resource r USING (site_id, resource_id) WHERE x.appointment_id = id) q(v) $$;
SELECT v.n, v.event, v.sender, pg_temp.held((u.a).appointment_id) AS held, u.told FROM (VALUES
    (1, 'S14', 'SITE', 'AIS 1=1|3=EXTWO'), (2, 'S14', 'SITE', E'RGS 1=1|2=A\nAIG 1=1|3=UPG2'), (3, 'S14', 'FULL', 'AIS 1=1|3=EXTWO'), (4, 'S14', 'ACTION', E'AIS 1=2|3=EXTWO\nAIG 1=1|2=U|3=UPG2'), (5, 'S14', 'SITE', 'AIS 1=1|2=D|3=EXONE'),
    (6, 'S14', 'SITE', E'AIS 1=1|2=X|3=EXONE\nAIS 1=2|2=A|3=EXTWO\nAIL 1=1|2=D|3=UPL1'), (7, 'S18', 'SITE', 'AIP 1=2|2=A|3=UPP2'), (8, 'S19', 'SITE', 'AIG 1=1|2=U|3=UPG2'), (9, 'S20', 'SITE', 'AIL 1=1|3=UPL1|12=Cancelled'), (10, 'S20', 'SITE', 'AIS 1=1|3=EXONE|10=Cancelled'),
    (11, 'S21', 'SITE', 'AIP 1=1|3=UPP1'), (12, 'S22', 'SITE', 'AIG 1=1'), (13, 'S14', 'SITE', E'AIS 1=1|3=EXONE|10=Cancelled\nAIS 1=2|3=EXTWO|10=Booked\nAIL 1=1|3=UPL1|12=Cancelled'), (14, 'S14', 'SITE', '')) v(n, event, sender, rest),
    LATERAL pg_temp.book('UPD' || n, '9=15|10=MIN|11=^^^203107' || lpad(n::text, 2, '0') || '1000', E'AIS 1=1|3=EXONE\nAIG 1=1|3=UPG1\nAIL 1=1|3=UPL1\nAIP 1=1|3=UPP1', 'PREC|' || sender) b,
    LATERAL pg_temp.book('UPD' || n, '', rest, 'PREC|' || sender, event) u ORDER BY n;

-- Groups at different hours: the patient is occupied by each exam, a resource by its own group's, and what is between is free.
SELECT t.* FROM pg_temp.take('PREC|SITE', 'S12', '
SCH 2=GROUPS|9=150|10=MIN|11=^^^203106300900
PID 3=GROUPS|5=NUMBER^GROUPS
RGS 1=1|3=CTG
AIS 1=1|3=CT002^CT CHEST|4=203106300900|7=30|8=MIN
AIG 1=1|3=GROUPCT|8=203106300900|11=30|12=MIN
AIP 1=1|3=GROUPTECH|6=203106300900|9=30|10=MIN
RGS 1=2|3=USG
AIS 1=1|3=US004^US LIVER|4=203106301030|7=45|8=MIN
AIL 1=1|3=GROUPUS|6=203106301030|9=45|10=MIN
AIP 1=1|3=GROUPTECH|6=203106301030|9=45|10=MIN') t;
SELECT coalesce(r.code, 'patient') AS subject, pg_temp.local(lower(o.during)), pg_temp.local(upper(o.during)) FROM radscheduler.occupancy o LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.resource_id = o.subject_id
WHERE o.appointment_id = (SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.filler_id = 'GROUPS') ORDER BY 1, 2;
-- A message of the same scanner between them is no conflict; one that takes its place is.
SELECT v.at, (b.a).status FROM unnest(ARRAY['0930', '0915']) WITH ORDINALITY v(at, n), pg_temp.book('BETWEEN' || n, '9=30|10=MIN|11=^^^20310630' || at, E'AIS 3=CT002\nAIG 3=GROUPCT') b;

-- A strict sender is told instead: AE 102 and the place. Nothing is booked.
SELECT whole_profile FROM radscheduler.set_sender('PREC', 'STRICT', '{"repair": "strict"}');
CREATE FUNCTION pg_temp.refused(segments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r radscheduler.ingest_result := pg_temp.ingest('PREC|STRICT', 'S12', segments || E'\nPID 3=STRICT|5=NUMBER^STRICT', '2.5', '');
BEGIN
    RETURN (SELECT concat_ws(' ', r.code, m.error ->> 'code', m.error ->> 'path', 'ERR-2', radscheduler.hl7_raw(radscheduler.hl7(r.ack), 'ERR-2'), 'booked ' || r.appointment_id) FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id);
END $$;
SELECT replace(v.rest, E'\n', ' & '), pg_temp.refused(v.rest)
FROM unnest(ARRAY['SCH 2=ST1|7=15^MIN|8=^^^203107010900', 'SCH 2=ST1|9=15^MIN|11=^^^203107010900', 'SCH 2=ST1|10=15^MIN|11=^^^203107010900', 'SCH 2=ST1|11=^^^203107010900|18=Booked', 'SCH 2=ST1|11=^^^2031-07-01T09:00', 'SCH 2=ST1|11=^^^203107010900|9=long',
    E'SCH 2=ST1\nAIS 3=X|6=203107010900', E'SCH 2=ST1\nAIS 3=X|4=203107010900|5=45|6=MIN', E'SCH 2=ST1\nAIS 3=X|4=203107010900|6=45|7=MIN', E'SCH 2=ST1\nAIS 3=X|4=203107010900|5=203107010900', E'SCH 2=ST1|11=^^^203107010900\nAIL 4=MAIN^R7', E'SCH 2=ST1|11=^^^203107010900\nAIP 3=9^X|4=203107010800|6=203107010900',
    E'SCH 2=ST1|11=^^^203107010900\nAIP 3=RADIOLOGIST^WELLER^MAX', E'SCH 2=ST1|11=^^^203107010900\nAIP 3=9^WELLER^MAX^MD', E'SCH 2=ST1|11=^^^203107010900\nAIS 3=X\nAIS 3=Y|4=203102300900']) WITH ORDINALITY v(rest, n) ORDER BY v.n;
-- The integration guide's own message is one of these; what is written by the standard is not.
SELECT pg_temp.refused(E'SCH 2=ST2|9=30|10=MIN|11=^^30^203107010900^^R|25=SCHEDULED\nRGS 1=1|2=A\nAIS 1=1|2=A|3=MRI001^MRI BRAIN W/O CONTRAST|4=203107010900\nAIP 1=1|2=A|3=RADIOLOGIST^DOE^JOHN^MD|4=203107010900');
SELECT * FROM pg_temp.take('PREC|STRICT', 'S12', '
SCH 2=ST3|6=NEW|9=30|10=MIN|11=^^30^203107010900^203107010930^R|16=7001^CLERK^CARA|20=7001^CLERK^CARA|25=Booked
PID 3=STRICT^^^SITE^MR|5=NUMBER^STRICT
RGS 1=1|2=A
AIS 1=1|2=A|3=MRI001^MRI BRAIN W/O CONTRAST^L|4=203107010900|5=0|6=MIN|7=30|8=MIN
AIG 1=1|2=A|3=STRICTMR|4=MR|8=203107010900|11=30|12=MIN
AIL 1=1|2=A|3=RAD^STRICTROOM|6=203107010900|9=30|10=MIN
AIP 1=1|2=A|3=7002^WELLER^MAX^^^^MD|4=TECH|6=203107010900|9=30|10=MIN');
-- The declaration of versions 0.1 and 0.2 reads as it did; what a profile holds besides, or in another shape, changes nothing.
CREATE FUNCTION pg_temp.read_before(bytes bytea, lenient boolean, start_source text, charset text) RETURNS jsonb AS '$libdir/radscheduler', 'rad_siu_read' LANGUAGE c IMMUTABLE STRICT;
SELECT convert_to(E'MSH|^~\\&|OLD|SITE|||20250601||SIU^S12|OLD1|P|2.5\rSCH|||||C7||||||^^^203107011000\rAIS|1||X|203107011100', 'UTF8') AS old \gset
SELECT pg_temp.read_before(:'old', true, 'appointment', '') = radscheduler.siu_read(:'old'), pg_temp.read_before(:'old', false, 'service', '8859/1') = radscheduler.siu_read(:'old', '{"repair": "strict", "start_source": "service", "charset": "8859/1"}');
SELECT pg_temp.read_before(:'old', true, 'elsewhere', '');
SELECT p, radscheduler.siu_read(:'old', p) #>> '{schedule,filler_id}', radscheduler.siu_read(:'old', p) = radscheduler.siu_read(:'old')
FROM unnest(ARRAY['{"id_source": ["PV1-19", "SCH-5", "SCH-11.4"]}', '{"id_source": "SCH-5"}', '{"id_source": 5, "repair": true, "charset": null, "priority_notes": "true", "timezone": "UTC", "nonsense": {"id_source": "SCH-5"}}', '{"id_source": [["SCH-5"], 5, null, ""]}', '["id_source"]', '7', 'null', '{}']::jsonb[]) p;
RESET radscheduler.site;
