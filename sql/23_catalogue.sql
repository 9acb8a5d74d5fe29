-- The exams and words a new site starts with, how a message finds its exam, and what a site makes of both.
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT radscheduler.create_site('CATALOG', 'Catalogue', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'CATALOG';
-- How many, by modality and contrast; the guide's four as the guide has them.
SELECT modality, count(*), min(minutes), max(minutes), count(*) FILTER (WHERE contrast = 'none') AS "none", count(*) FILTER (WHERE contrast = 'with') AS "with",
       count(*) FILTER (WHERE contrast = 'with_and_without') AS "both", count(*) FILTER (WHERE contrast = 'unknown') AS "unknown", count(prep) AS prep, sum(cardinality(aliases)) AS aliases
FROM radscheduler.procedure_catalogue GROUP BY ROLLUP (modality) ORDER BY modality;
SELECT code, name, modality, minutes, contrast FROM radscheduler.procedure_catalogue WHERE code ~ '\d{3}$' ORDER BY 1;
-- Rules of the catalogue; each query lists offenders.
-- Rows out of bounds, or with a text that is none.
SELECT code AS out_of_bounds FROM radscheduler.procedure_catalogue
WHERE minutes NOT BETWEEN 5 AND 300 OR minutes % 5 <> 0 OR code !~ '^[A-Z0-9]+(-[A-Z0-9]+)*$' OR length(name) NOT BETWEEN 5 AND 60 OR prep !~ '\.$' OR length(prep) > 200;
-- Names given twice.
SELECT name, count(*) FROM radscheduler.procedure_catalogue GROUP BY 1 HAVING count(*) > 1;
-- Aliases that are not upper case, stand twice, or are the code of another exam; words for modalities likewise.
SELECT c.code, a AS not_plain FROM radscheduler.procedure_catalogue c, unnest(c.aliases) a WHERE a <> upper(btrim(a)) OR a = '' OR a ~ '  ';
SELECT a AS twice, array_agg(c.code ORDER BY c.code) FROM radscheduler.procedure_catalogue c, unnest(c.aliases) a GROUP BY 1 HAVING count(*) > 1;
SELECT a AS shadows, c.code FROM radscheduler.procedure_catalogue c, unnest(c.aliases) a WHERE EXISTS (SELECT FROM radscheduler.procedure_catalogue o WHERE upper(o.code) = a);
SELECT a AS twice, array_agg(c.code ORDER BY c.code) FROM radscheduler.modality_catalogue c, unnest(c.aliases) a GROUP BY 1 HAVING count(*) > 1;
SELECT c.code, a AS not_plain FROM radscheduler.modality_catalogue c, unnest(c.aliases) a WHERE a !~ '^[A-Z]+$';
SELECT c.code AS without_its_own_words FROM radscheduler.modality_catalogue c WHERE NOT c.aliases @> ARRAY[c.code, c.label];
-- Exams whose code, name or aliases tell another modality than theirs to who knows only words.
SELECT c.code, t.text, g.code AS told, c.modality FROM radscheduler.procedure_catalogue c,
    LATERAL (SELECT c.name UNION ALL SELECT unnest(c.aliases)) t(text), LATERAL (VALUES (radscheduler.modality_guess(:site, '{}', ARRAY[t.text]))) g(code)
WHERE g.code <> c.modality OR t.text = c.name AND g.code IS NULL
UNION ALL
SELECT c.code, c.code, g.code, c.modality FROM radscheduler.procedure_catalogue c, LATERAL (VALUES (radscheduler.modality_guess(:site, ARRAY[c.code], '{}'))) g(code) WHERE g.code IS DISTINCT FROM c.modality;
-- CT and MR aliases that do not say without contrast and mean an exam that has none: only those that are never done with.
SELECT c.code, a FROM radscheduler.procedure_catalogue c, unnest(c.aliases) a
WHERE c.modality IN ('CT', 'MR') AND c.contrast = 'none' AND a !~ '(^|[^W])WO\M|\mW/O|\mWITHOUT\M'
  AND c.code NOT IN ('CT-CHEST-HR', 'CT-LUNGSCREEN', 'CT-CALCIUM', 'CT-STONE', 'CT-COLON-WO', 'MR-MRCP-WO');
-- And codes and names that say other than their contrast.
SELECT code, name, contrast FROM radscheduler.procedure_catalogue
WHERE (code ~ '-WO$' OR name ~* 'without contrast') AND contrast <> 'none' OR (code ~ '-WWO$' OR name ~* 'without and with') AND contrast <> 'with_and_without'
   OR (code ~ '-W$' OR name ~* '[^t] with contrast') AND contrast <> 'with' AND name !~* 'without and with';

-- A new site has all of it.
SELECT (SELECT count(*) FROM radscheduler.procedure p JOIN radscheduler.procedure_catalogue c ON (c.code, c.name, c.modality, c.minutes, c.contrast) = (p.code, p.name, p.modality, p.minutes, p.contrast)
            AND c.prep IS NOT DISTINCT FROM p.prep WHERE p.site_id = :site) = (SELECT count(*) FROM radscheduler.procedure_catalogue) AS exams,
       (SELECT count(*) FROM radscheduler.procedure_alias a WHERE a.site_id = :site) = (SELECT sum(cardinality(aliases)) FROM radscheduler.procedure_catalogue) AS aliases,
       (SELECT count(*) FROM radscheduler.modality_alias a WHERE a.site_id = :site) = (SELECT sum(cardinality(aliases)) FROM radscheduler.modality_catalogue) AS words;
-- Words alone: texts as they come, where no exam of the table is meant.
SELECT t.text, radscheduler.modality_guess(:site, ARRAY[t.code], ARRAY[t.text]) AS modality FROM (VALUES
    (NULL, 'CHEST XRAY 2 VIEWS'), (NULL, 'ABDOMINAL ULTRASOUND'), (NULL, 'MRI BRAIN W/O CONTRAST'), (NULL, 'X-ray of the left knee'), (NULL, 'Magnetic resonance, pelvis'),
    (NULL, 'Computed tomography of the head'), (NULL, 'Computed radiography hand'), (NULL, 'Positron emission tomography'), (NULL, 'Screening mammogram'), (NULL, 'Bone density'),
    (NULL, 'Barium enema'), (NULL, 'OP CT HEAD'), (NULL, 'OTHER: ULTRASOUND'), (NULL, 'Office visit'), (NULL, 'OP VISIT'), ('OP17', 'CT neck'), ('BD4', 'hip'), ('PX1', 'jaw'), ('IO22', NULL)) t(code, text);

-- A message's code finds the exam: by code, by alias whatever its case, else by the alternate code (AIS-3.4).
SELECT t.code, t.alternate, p.* FROM (VALUES
    ('MRI001', NULL), ('CT-HEAD-WO', NULL), (' ct head w/o ', NULL), ('ct002', NULL), ('Kub', NULL), ('NOPE', 'US004'), ('NOPE', 'cxr'), (NULL, 'DEXA'), ('CXR', 'CT002'),
    ('NOPE', 'NOPE'), ('', ''), (NULL, NULL)) t(code, alternate), LATERAL radscheduler.procedure_of(:site, t.code, t.alternate) p;
CREATE FUNCTION pg_temp.send(control text, services text) RETURNS TABLE (code text, modality text, minutes integer, warnings text) LANGUAGE plpgsql AS $$
DECLARE
    v_result record;
BEGIN
    SELECT * INTO v_result FROM radscheduler.ingest(convert_to(format(E'MSH|^~\\&|CATRIS|CATALOG|RADSCHED|RAD|20310301080000||SIU^S12|%s|P|2.5\rSCH||CAT%1$s|||||||||^^^203103101000\rPID|1||CATPAT%1$s||CATALOGUE^PERSON\rRGS|1\r%s',
                                                                      control, services), 'UTF8'));
    RETURN QUERY SELECT v_result.code::text, a.modality, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer,
        (SELECT string_agg(w ->> 'code', ' ' ORDER BY w ->> 'code') FROM jsonb_array_elements(v_result.warnings) w WHERE w ->> 'code' IN ('DURATION_ASSUMED', 'MODALITY_UNKNOWN'))
        FROM radscheduler.appointment a WHERE a.appointment_id = v_result.appointment_id;
END $$;
SELECT t.services, s.* FROM (VALUES
    ('1', 'AIS|1|A|nm bone scan^SKELETON'), ('2', 'AIS|1|A|4711^SKELETON^L^BONESCAN^NM^ALT'), ('3', 'AIS|1|A|4711^SKELETON'), ('4', 'AIS|1|A|4711^MRI SKELETON'),
    ('5', E'AIS|1|A|CXR\rAIS|2|A|US004'), ('6', E'AIS|1|A|CXR\rAIS|2|A|4711^CT SKELETON')) t(control, services), pg_temp.send(t.control, t.services) s;
-- An exam that is taken out does not count beside others; where all are, as in a cancellation, they tell what exam it was.
SELECT t.services, radscheduler.modality_of(:site, r.reading, NULL) AS modality, radscheduler.duration_of(:site, r.reading, NULL) AS minutes, s.code, s.text
FROM (VALUES ('[{"code": "CXR", "text": "CHEST", "is_out": true}, {"code": "US004", "text": "BELLY"}]'), ('[{"code": "CXR", "text": "CHEST", "is_out": true}, {"code": "US004", "text": "BELLY", "is_out": true}]')) t(services),
    LATERAL (SELECT jsonb_build_object('services', t.services::jsonb, 'schedule', '{"reason": {"code": "PAIN"}}'::jsonb)) r(reading), LATERAL radscheduler.study_of(r.reading, NULL, NULL) s;
-- A type that says Other hides no word of the study; a room in AIG says so by its name, where its type says nothing.
SELECT radscheduler.modality_of(:site, '{"services": [{"code": "4711", "text": "CT SKELETON"}], "schedule": {"modality_words": ["Other"]}}', NULL) AS modality;
SELECT t.code, t.name, t.type, n.kind FROM (VALUES ('ROOM5', 'Exam Room 5', NULL), ('R5', 'room 5', NULL), ('MROOM1', 'Mushroom', NULL), ('ROOM5', 'Exam Room 5', 'Equipment')) t(code, name, type),
    LATERAL radscheduler.resource_name_of(jsonb_build_object('segment', 'AIG', 'code', t.code, 'name', t.name, 'type_text', t.type)) n;

-- A site makes it its own: exams, minutes, words. A code goes before an alias.
SELECT radscheduler.add_procedure('4711', 'Skeleton, our way', 'nuclear', 75, 'none', aliases => '{skeleton,"  bones ",BONES}');
SELECT code, name, modality, minutes, contrast, prep FROM radscheduler.procedure WHERE site_id = :site AND code = '4711';
SELECT alias, code FROM radscheduler.procedure_alias WHERE site_id = :site AND code = '4711' ORDER BY 1;
SELECT s.* FROM (VALUES ('10', 'AIS|1|A|4711^SKELETON'), ('11', 'AIS|1|A|Bones')) t(control, services), pg_temp.send(t.control, t.services) s;
UPDATE radscheduler.procedure SET minutes = NULL, contrast = 'unknown' WHERE site_id = :site AND code = '4711';
SELECT s.* FROM (VALUES ('12', 'AIS|1|A|4711^SKELETON')) t(control, services), pg_temp.send(t.control, t.services) s;
SET LOCAL client_min_messages = notice;
SELECT radscheduler.add_procedure('KUB', 'Kidneys, ureters, bladder', 'CT', 20);
SET LOCAL client_min_messages = warning;
SELECT p.* FROM radscheduler.procedure_of(:site, 'kub', NULL) p;
UPDATE radscheduler.procedure SET code = '4712' WHERE site_id = :site AND code = '4711';
SELECT alias, code FROM radscheduler.procedure_alias WHERE site_id = :site AND alias = 'BONES';
DELETE FROM radscheduler.procedure WHERE site_id = :site AND code = '4712';
SELECT count(*) AS left_behind FROM radscheduler.procedure_alias WHERE site_id = :site AND code = '4712';
SELECT action, object, detail #- '{columns,site_id}' AS detail FROM radscheduler.audit_event WHERE site_id = :site AND object LIKE 'procedure%' ORDER BY audit_id;
-- What add_procedure() refuses.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS TABLE (state text, message text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    state := 'accepted';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep '\n    '
SELECT r.* FROM unnest(ARRAY['NULL, ''Name'', ''CT''', ''' '', ''Name'', ''CT''', '''N1'', '''', ''CT''', '''N1'', ''Name'', ''ZZ''', '''N1'', ''Name'', NULL', '''N1'', ''Name'', ''CT'', 0', '''N1'', ''Name'', ''CT'', 30, ''maybe''',
    '''N1'', ''Name'', ''CT'', 30, NULL', '''CT002'', ''Name'', ''CT''', '''N1'', ''Name'', ''CT'', aliases => ''{cxr}''', '''N1'', ''Name'', ''CT'', aliases => ''{N2,ct002}''', '''N1'', ''Name'', ''CT'', aliases => ''{n1,"",N3}''']) a,
    pg_temp.refused(format('SELECT radscheduler.add_procedure(%s)', a)) r;
SELECT r.* FROM unnest(ARRAY['UPDATE radscheduler.procedure SET contrast = ''maybe'' WHERE code = ''CT002''', 'UPDATE radscheduler.procedure SET prep = '''' WHERE code = ''CT002''',
    'INSERT INTO radscheduler.procedure_alias SELECT site_id, ''lower'', ''CT002'' FROM radscheduler.site WHERE code = ''CATALOG''',
    'INSERT INTO radscheduler.procedure_alias SELECT site_id, ''NOTHING'', ''NOT-THERE'' FROM radscheduler.site WHERE code = ''CATALOG''']) s, pg_temp.refused(s) r;
\pset tuples_only off
\pset format aligned
\pset fieldsep '|'

-- A site that was there before the catalogue grew: its edits stay, what it took out stays out, what is new comes.
CREATE FUNCTION pg_temp.stock() RETURNS void LANGUAGE sql AS $$
SELECT radscheduler.stock_site(s.site_id, '{MRI001,CT002,XR003,US004}', '{MRV,ECHO}') FROM radscheduler.site s WHERE s.code = 'CATALOG' $$;
DELETE FROM radscheduler.procedure WHERE site_id = :site AND (modality = 'PT' OR code IN ('MRI001', 'XR-HAND') OR code LIKE 'US-OB%');
DELETE FROM radscheduler.modality_alias WHERE site_id = :site AND (code = 'PT' OR alias IN ('MRV', 'BD'));
DELETE FROM radscheduler.modality WHERE site_id = :site AND code = 'PT';
DELETE FROM radscheduler.procedure_alias WHERE site_id = :site AND code IN ('CT-HEAD', 'XR-KNEE');
UPDATE radscheduler.procedure SET name = 'Our head', minutes = 17 WHERE site_id = :site AND code = 'CT-HEAD';
UPDATE radscheduler.procedure SET contrast = 'unknown', prep = NULL WHERE site_id = :site AND code IN ('CT002', 'US004');
UPDATE radscheduler.procedure SET name = 'Another exam' WHERE site_id = :site AND code = 'US004';
UPDATE radscheduler.procedure SET minutes = 18 WHERE site_id = :site AND code = 'XR-KNEE';
INSERT INTO radscheduler.procedure (site_id, code, name, modality) VALUES (:site, 'XR HAND', 'Hand', 'DX');
SELECT pg_temp.stock();
SELECT code, name, minutes, contrast, prep IS NOT NULL AS prep, (SELECT count(*) FROM radscheduler.procedure_alias a WHERE a.site_id = p.site_id AND a.code = p.code) AS aliases
FROM radscheduler.procedure p WHERE site_id = :site AND (code IN ('MRI001', 'CT002', 'US004', 'XR-HAND', 'CT-HEAD', 'XR-KNEE', 'XR HAND') OR code LIKE 'US-OB%' OR modality = 'PT') ORDER BY code COLLATE "C";
SELECT alias, code FROM radscheduler.modality_alias WHERE site_id = :site AND (alias IN ('MRV', 'BD', 'PET')) ORDER BY 1;
SELECT count(*) AS rows FROM radscheduler.procedure WHERE site_id = :site \gset before_
SELECT pg_temp.stock();
SELECT count(*) - :before_rows AS added_again FROM radscheduler.procedure WHERE site_id = :site;
ROLLBACK;
