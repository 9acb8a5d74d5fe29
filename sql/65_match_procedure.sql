-- Which exam of the catalogue a study text means, and when it means none.
SET client_min_messages = warning;
BEGIN;
SELECT radscheduler.create_site('MATCHING', 'Matching', 'UTC') AS site \gset
SET LOCAL radscheduler.site = 'MATCHING';
CREATE TEMP TABLE study (n integer GENERATED ALWAYS AS IDENTITY, text text, modality text);
\pset format unaligned
\pset tuples_only on

-- By code, alias and name, whatever the case and blanks.
TRUNCATE study;
INSERT INTO study (text) VALUES ('MRI001'), ('ct002'), ('kub'), ('  ct  chest pe '), ('MRI brain without and with contrast'), ('CT UROGRAM'), ('CT HEMATURIA');
SELECT s.text, m.* FROM study s, radscheduler.match_procedure(s.text, s.modality) m ORDER BY n;

-- By words: abbreviations, order, sides, modality words, a misspelling.
TRUNCATE study;
INSERT INTO study (text, modality) VALUES ('CT BRAIN W/O CONTRAST', NULL), ('Brain CT w/o IV contrast', NULL), ('MR HEAD W/WO GAD', NULL), ('CT of the abdomen + pelvis with IV contrast', NULL), ('CT ABD/PEL WITHOUT', NULL),
    ('CT Abd Pelvis w contrast', NULL), ('MRI LT KNEE W/O CONTRAST', NULL), ('XR right ankle 3 views', NULL), ('MRI CERV SPINE WO', NULL), ('MRI L-S SPINE WITHOUT CONTRAST', NULL), ('CT angiogram head/neck', NULL),
    ('Ultrasound thyroid gland', NULL), ('MRI SHOULDR WITHOUT CONTRAST', NULL), ('CHEST W/ CONTRAST', 'CT'), ('Bilateral screening mammogram', NULL), ('CHEST X-RAY PA AND LATERAL', NULL);
SELECT s.text, m.* FROM study s, radscheduler.match_procedure(s.text, s.modality) m ORDER BY n;

-- Contrast must agree. What the text leaves open lowers the score, and says so.
TRUNCATE study;
INSERT INTO study (text) VALUES ('CT head'), ('CT head with contrast'), ('CT head w/o'), ('CT HEAD W/WO'), ('CT head with or without contrast'), ('CT head contrast?'), ('CT lumbar spine with contrast'), ('MRI knee with contrast'),
    ('MRI prostate'), ('MRI prostate without contrast'), ('CT high resolution chest with contrast'), ('CT facial bones with contrast');
SELECT s.text, m.* FROM study s, radscheduler.match_procedure(s.text, s.modality) m ORDER BY n;

-- Rather none than a wrong one.
TRUNCATE study;
INSERT INTO study (text, modality) VALUES ('Knee', NULL), ('CHEST', 'DX'), ('CT foot without contrast', NULL), ('CT chest biopsy', NULL), ('MRI spine', NULL), ('XR toe', NULL), ('Consultation', NULL), ('CT', NULL), ('', NULL), (NULL, NULL), ('MRI thoracic and lumbar spine w/o contrast', NULL),
    ('CT HEAD', 'MR'), ('!!! %', NULL), (E'CT \u00e4\u00f6 Kopf', NULL);
SELECT s.text, s.modality, m.* FROM study s, radscheduler.match_procedure(s.text, s.modality) m ORDER BY n;

-- Exams are found by their own names; nothing that says one thing about contrast finds an exam that is done otherwise.
SELECT c.code, t.text, m.code FROM radscheduler.procedure_catalogue c, LATERAL (SELECT c.name) t(text), radscheduler.match_procedure(t.text) m
WHERE m.code IS DISTINCT FROM c.code AND length(c.name) % 3 = 0;
WITH told AS MATERIALIZED (
    SELECT k || ' ' || r || w AS text, w, m.code FROM unnest('{CT,MRI}'::text[]) k, unnest('{head,chest,lumbar spine}'::text[]) r,
        unnest('{" with contrast"," without contrast"," w/wo contrast"}'::text[]) w, LATERAL radscheduler.match_procedure(k || ' ' || r || w) m)
SELECT t.text, t.code, p.contrast FROM told t JOIN radscheduler.procedure p ON p.site_id = :site AND p.code = t.code
WHERE p.contrast <> 'unknown' AND p.contrast <> CASE t.w WHEN ' with contrast' THEN 'with' WHEN ' without contrast' THEN 'none' ELSE 'with_and_without' END;

-- A site's own exams, sides and aliases. An alias that contradicts its exam is not followed.
SELECT radscheduler.add_procedure('OURS-L', 'CT left elbow without contrast', 'CT', contrast => 'none', aliases => '{CT ELBOW WITH CONTRAST}');
TRUNCATE study;
INSERT INTO study (text) VALUES ('CT elbow left wo contrast'), ('CT right elbow wo contrast'), ('CT elbow wo contrast'), ('CT ELBOW WITH CONTRAST');
SELECT s.text, m.* FROM study s, radscheduler.match_procedure(s.text, s.modality) m ORDER BY n;
-- Another site's exams are not found.
SELECT radscheduler.create_site('MATCHTWO', 'Matching two', 'UTC') > 0;
SET LOCAL radscheduler.site = 'MATCHTWO';
SELECT code FROM radscheduler.match_procedure('OURS-L') WHERE code IS NOT NULL;
SET LOCAL radscheduler.site = 'MATCHING';

-- Refused.
SAVEPOINT s;
SELECT radscheduler.match_procedure('CT head', 'ZZ');
ROLLBACK TO s;
SELECT radscheduler.match_procedure(repeat('CT head ', 100));
ROLLBACK TO s;

-- The catalogue agrees with itself: codes, names and aliases say about contrast what the exam says; each query lists offenders.
-- The word UROGRAM implies an agent, no more; that exam is done without, too.
\pset tuples_only off
SELECT c.code, t.text, m.meant, c.contrast
FROM radscheduler.procedure_catalogue c, LATERAL (SELECT c.code UNION ALL SELECT c.name UNION ALL SELECT unnest(c.aliases)) t(text),
     LATERAL (SELECT radscheduler.contrast_meant(t.text)) m(meant)
WHERE m.meant <> 'none' AND c.contrast <> CASE m.meant WHEN 'without' THEN 'none' WHEN 'both' THEN 'with_and_without' ELSE m.meant END ORDER BY c.code COLLATE "C", t.text COLLATE "C";
-- CT and MR exams whose contrast is settled without a word about it in their name.
SELECT c.code, c.contrast FROM radscheduler.procedure_catalogue c WHERE c.modality IN ('CT', 'MR') AND c.contrast <> 'unknown' AND radscheduler.contrast_meant(c.name) = 'none' ORDER BY c.code COLLATE "C";
SELECT count(*) BETWEEN 140 AND 170 AS about_150 FROM radscheduler.procedure_catalogue;
SELECT c.modality, a AS twice FROM radscheduler.procedure_catalogue c, unnest(c.aliases) a GROUP BY 1, 2 HAVING count(*) > 1;
-- pg_trgm is found wherever it is moved.
CREATE SCHEMA trigrams;
ALTER EXTENSION pg_trgm SET SCHEMA trigrams;
SELECT code FROM radscheduler.match_procedure('MRI SHOULDR WITHOUT CONTRAST');
ROLLBACK;
