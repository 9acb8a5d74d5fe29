-- The clinical rules: what they ask, how bad an answer is, and the numbers a site may choose itself (rule_parameter). Each finds one of three things: pass, fail, or
-- unknown, where nobody has recorded what it asks; missing data is never taken for safe. Whom a rule is asked for is site.clinical_rules, see 59-clinical-check.sql.

INSERT INTO radscheduler.conflict_kind VALUES
    ('CONTRAST_UNKNOWN', 'patient', 'The text of the exam and the catalogue contradict each other about contrast; somebody must look.'),
    ('CONTRAST_LAB_MISSING', 'patient', 'The exam needs contrast, and no recent eGFR is recorded.'),
    ('EGFR_LOW', 'patient', 'The last eGFR is too low for contrast.'),
    ('CONTRAST_ALLERGY', 'patient', 'An allergy to the contrast agent is recorded.'),
    ('METFORMIN', 'patient', 'The patient takes metformin, which must be paused around an iodine agent.'),
    ('REPEAT_CONTRAST', 'patient', 'Contrast is given again too soon.'),
    ('PREP_CLASH', 'patient', 'An earlier exam spoils this one, or a diabetic would fast until late.'),
    ('DURATION_TOO_SHORT', 'rule', 'Less time is booked than the exam takes at least.'),
    ('PREGNANCY', 'patient', 'A pregnancy is recorded, and the exam uses radiation.'),
    ('MR_SAFETY', 'patient', 'An implant is recorded that is not known to be safe in the magnet, or was placed only lately.'),
    ('WEIGHT_LIMIT', 'rule', 'The patient is heavier than the table of %s carries.'),
    ('DUPLICATE_EXAM', 'patient', 'The patient has the same exam only shortly before.'),
    ('ORDER_MISSING', 'rule', 'The appointment names no order.'),
    ('AUTH_MISSING', 'rule', 'No authorization of the payer is recorded.');

INSERT INTO radscheduler.rule_kind (code, severity, if_unknown, needs_fact, question, unknown_text) VALUES
    ('CONTRAST_UNKNOWN', 'critical', 'warning', false, 'Do the text of the exam and the catalogue say the same about contrast, and do they say anything? Contradicting each other is a fail, saying nothing is unknown.',
     'Nothing that is understood says whether the exam is done with contrast; somebody must look.'),
    ('CONTRAST_LAB_MISSING', 'warning', 'warning', false, 'Is there an eGFR for an exam with contrast, not older than max_days at the exam?',
     'The exam may need contrast, and no recent eGFR is recorded.'),
    ('EGFR_LOW', 'critical', 'warning', true, 'Is the last eGFR high enough for contrast? Below critical_below critical, below warning_below a warning, whatever its age. Its absence is told by CONTRAST_LAB_MISSING where that is on.',
     'It is not known whether the last eGFR is high enough for contrast that the exam needs or may need.'),
    ('CONTRAST_ALLERGY', 'critical', 'warning', true, 'Is an allergy to this kind of contrast agent recorded (severity by that of the allergy), or that there is none?',
     'It is not known whether the patient is allergic to a contrast agent that the exam needs or may need.'),
    ('METFORMIN', 'warning', 'warning', true, 'Does the patient take metformin and get an iodine agent?',
     'It is not known whether the patient takes metformin and gets an iodine agent.'),
    ('REPEAT_CONTRAST', 'warning', 'warning', true, 'Was contrast given, or is another exam with contrast booked, less than hours before?',
     'Contrast may be given again too soon.'),
    ('PREP_CLASH', 'warning', 'warning', false, 'Is an exam too soon after another that spoils it (exam_gap), or does a diabetic fast until later than fasting_after?',
     'An earlier exam may spoil this one, or somebody who may be diabetic would fast until late.'),
    ('DURATION_TOO_SHORT', 'warning', 'warning', false, 'Is the time booked at least percent of the usual minutes, and more for contrast that these do not count in, and for sedation?',
     'It is not known how long the exam takes at least.'),
    ('PREGNANCY', 'critical', 'warning', true, 'Can a pregnancy be excluded before radiation: by sex, by age, or by a fact not older than answer_days?',
     'A pregnancy is not excluded before radiation.'),
    ('MR_SAFETY', 'critical', 'warning', true, 'Is an implant recorded that is not known to be safe in the scanner, or placed less than recent_days before; or that there is none, not longer than answer_days ago?',
     'It is not known whether the patient has an implant that is not safe in the magnet.'),
    ('WEIGHT_LIMIT', 'critical', 'warning', true, 'Does the table (resource.weight_limit_kg) carry the patient''s last recorded weight? Where no limit is recorded only a patient heavier than heavy_kg is told of, as unknown.',
     'It is not known whether the table carries the patient.'),
    ('DUPLICATE_EXAM', 'info', 'info', false, 'Had the patient the same exam less than days before?',
     'The patient may have the same exam shortly before.'),
    ('ORDER_MISSING', 'info', 'info', false, 'Does the appointment name an order (SCH-26, SCH-27)?',
     'It is not known whether there is an order.'),
    ('AUTH_MISSING', 'info', 'info', false, 'Is the payer''s authorization recorded (authorize())?',
     'It is not known whether the payer has authorized the exam.');

CREATE TABLE radscheduler.rule_parameter (
    code          text  NOT NULL REFERENCES radscheduler.rule_kind,
    name          text  NOT NULL,
    shape         text  NOT NULL CHECK (shape IN ('number', 'number or null', 'words', 'time or null', 'severities', 'minutes')),
    default_value jsonb NOT NULL,
    low           numeric,
    high          numeric,
    meaning       text  NOT NULL,
    PRIMARY KEY (code, name)
);
COMMENT ON TABLE  radscheduler.rule_parameter IS 'The numbers and words of the clinical rules. A site''s own values are keys of rule_setting.parameters.';
COMMENT ON COLUMN radscheduler.rule_parameter.code IS 'The rule.';
COMMENT ON COLUMN radscheduler.rule_parameter.name IS 'Key in rule_setting.parameters.';
COMMENT ON COLUMN radscheduler.rule_parameter.shape IS 'What the value is: number, words (a list of strings), time (HH:MM), severities (an object of severities), minutes (an object of numbers, null switches one off).';
COMMENT ON COLUMN radscheduler.rule_parameter.default_value IS 'Value where the site chose none.';
COMMENT ON COLUMN radscheduler.rule_parameter.low IS 'Least number.';
COMMENT ON COLUMN radscheduler.rule_parameter.high IS 'Greatest number.';
COMMENT ON COLUMN radscheduler.rule_parameter.meaning IS 'What it means.';
INSERT INTO radscheduler.rule_parameter VALUES
    ('CONTRAST_UNKNOWN', 'modalities', 'words', '["CT", "MR", "RF", "XA"]', NULL, NULL, 'Modalities in which an exam that says nothing about contrast may get some; elsewhere it gets none.'),
    ('CONTRAST_LAB_MISSING', 'max_days', 'number', '30', 0, 3650, 'Oldest eGFR, in days at the exam.'),
    ('CONTRAST_LAB_MISSING', 'modalities', 'words', '["CT", "MG", "MR", "PT", "RF", "XA"]', NULL, NULL, 'Modalities whose contrast agents go through the kidneys.'),
    ('EGFR_LOW', 'critical_below', 'number', '30', 1, 200, 'Below this eGFR it is critical.'),
    ('EGFR_LOW', 'warning_below', 'number', '45', 1, 200, 'Below this eGFR it is a warning.'),
    ('EGFR_LOW', 'modalities', 'words', '["CT", "MG", "MR", "PT", "RF", "XA"]', NULL, NULL, 'Modalities whose contrast agents go through the kidneys.'),
    ('CONTRAST_ALLERGY', 'severities', 'severities', '{"SV": "critical", "MO": "warning", "MI": "warning"}', NULL, NULL, 'Severity by that of the allergy (HL7 table 0128); one that is not listed or not recorded counts as critical.'),
    ('CONTRAST_ALLERGY', 'iodine', 'words', '["IODIN", "IODIX", "IODID", "IOHEX", "IOPAM", "IOPROM", "IOVER", "IOMER", "OMNIPAQUE", "ISOVUE", "VISIPAQUE", "OPTIRAY", "ULTRAVIST", "DIATRIZ"]', NULL, NULL, 'Parts of words by which an allergy to iodine agents is known.'),
    ('CONTRAST_ALLERGY', 'gadolinium', 'words', '["GADO", "MAGNEVIST", "DOTAREM", "GADAVIST", "PROHANCE", "MULTIHANCE", "EOVIST", "OMNISCAN", "CLARISCAN"]', NULL, NULL, 'The same for gadolinium agents.'),
    ('CONTRAST_ALLERGY', 'any_agent', 'words', '["CONTRAST"]', NULL, NULL, 'The same for agents of either kind.'),
    ('CONTRAST_ALLERGY', 'answer_days', 'number', '365', 0, 36500, 'For how many days the answer that there is no allergy counts.'),
    ('METFORMIN', 'words', 'words', '["METFORMIN", "GLUCOPHAGE", "JANUMET", "GLUCOVANCE", "SYNJARDY"]', NULL, NULL, 'Parts of words by which the medication is known.'),
    ('METFORMIN', 'modalities', 'words', '["CT", "MG", "PT", "RF", "XA"]', NULL, NULL, 'Modalities with iodine agents.'),
    ('METFORMIN', 'safe_egfr', 'number or null', 'null', 1, 200, 'From this eGFR on, where it is recent enough (CONTRAST_LAB_MISSING), metformin is no matter; null: it always is.'),
    ('METFORMIN', 'answer_days', 'number', '365', 0, 36500, 'For how many days a list of medications without it, or that there are none, counts.'),
    ('REPEAT_CONTRAST', 'hours', 'number', '24', 1, 720, 'Least hours between two.'),
    ('PREP_CLASH', 'gaps', 'minutes', '{}', 0, 525600, 'Minutes by name of exam_gap; null switches one off.'),
    ('PREP_CLASH', 'fasting_after', 'time or null', '"11:00"', NULL, NULL, 'From this time of day on a fasting exam is late for a diabetic; null: this is not asked.'),
    ('DURATION_TOO_SHORT', 'percent', 'number', '75', 1, 200, 'Least part of the usual minutes.'),
    ('DURATION_TOO_SHORT', 'contrast_minutes', 'number', '15', 0, 240, 'Minutes more for contrast, where the usual minutes are not those of an exam with contrast.'),
    ('DURATION_TOO_SHORT', 'sedation_minutes', 'number', '30', 0, 480, 'Minutes more where the text or the notes speak of sedation or anesthesia.'),
    ('DURATION_TOO_SHORT', 'minutes', 'minutes', '{}', 1, 1440, 'Least minutes by code of exam, without additions; null: the exam is not asked.'),
    ('PREGNANCY', 'modalities', 'words', '["BMD", "CR", "CT", "DX", "MG", "NM", "PT", "RF", "XA"]', NULL, NULL, 'Modalities with radiation.'),
    ('PREGNANCY', 'min_age', 'number', '12', 0, 150, 'Youngest age at which it is asked.'),
    ('PREGNANCY', 'max_age', 'number', '55', 0, 150, 'Oldest age at which it is asked.'),
    ('PREGNANCY', 'answer_days', 'number', '7', 0, 300, 'For how many days the answer that there is no pregnancy counts.'),
    ('PREGNANCY', 'pregnant_days', 'number', '300', 1, 400, 'For how many days a recorded pregnancy counts.'),
    ('MR_SAFETY', 'modalities', 'words', '["MR"]', NULL, NULL, 'Modalities with a magnet.'),
    ('MR_SAFETY', 'safe', 'words', '["MR SAFE", "MRI SAFE", "MR-SAFE", "MRI-SAFE"]', NULL, NULL, 'Parts of words that say an implant is safe.'),
    ('MR_SAFETY', 'recent_days', 'number', '42', 0, 3650, 'So long after it was placed even a safe implant is told of.'),
    ('MR_SAFETY', 'answer_days', 'number', '365', 0, 36500, 'For how many days the answer that there is no implant counts.'),
    ('WEIGHT_LIMIT', 'heavy_kg', 'number', '150', 1, 1000, 'From this weight on an unknown limit is told of.'),
    ('WEIGHT_LIMIT', 'answer_days', 'number', '365', 0, 36500, 'For how many days a weight counts.'),
    ('DUPLICATE_EXAM', 'days', 'number', '7', 1, 365, 'Least days between two.'),
    ('ORDER_MISSING', 'modalities', 'words', '[]', NULL, NULL, 'Modalities for which it is asked; an empty list: all.'),
    ('AUTH_MISSING', 'modalities', 'words', '["CT", "MR", "NM", "PT"]', NULL, NULL, 'Modalities for which it is asked; an empty list: all.');

UPDATE radscheduler.rule_kind k SET parameters = (SELECT jsonb_object_agg(p.name, p.default_value) FROM radscheduler.rule_parameter p WHERE p.code = k.code) WHERE k.question IS NOT NULL;

CREATE TABLE radscheduler.exam_gap (
    name              text    PRIMARY KEY,
    first_modalities  text[],
    first_words       text,
    first_contrast    boolean NOT NULL DEFAULT false,
    second_modalities text[],
    second_words      text,
    minutes           integer NOT NULL CHECK (minutes BETWEEN 1 AND 525600),
    reason            text    NOT NULL
);
COMMENT ON TABLE  radscheduler.exam_gap IS 'Exams that spoil a later one, and how long (PREP_CLASH). In the other order they do not.';
COMMENT ON COLUMN radscheduler.exam_gap.name IS 'Key in the parameter gaps of PREP_CLASH.';
COMMENT ON COLUMN radscheduler.exam_gap.first_modalities IS 'Modalities of the earlier exam; NULL: any.';
COMMENT ON COLUMN radscheduler.exam_gap.first_words IS 'Regular expression for its code and text, whatever the case; NULL: any.';
COMMENT ON COLUMN radscheduler.exam_gap.first_contrast IS 'Only where it is done with contrast.';
COMMENT ON COLUMN radscheduler.exam_gap.second_modalities IS 'Modalities of the later exam; NULL: any.';
COMMENT ON COLUMN radscheduler.exam_gap.second_words IS 'Regular expression for its code and text, whatever the case; NULL: any.';
COMMENT ON COLUMN radscheduler.exam_gap.minutes IS 'Least minutes from the end of the earlier exam to the start of the later one.';
COMMENT ON COLUMN radscheduler.exam_gap.reason IS 'Sentence of the conflict.';
INSERT INTO radscheduler.exam_gap VALUES
    ('BARIUM_BEFORE_CT', '{RF}', '\m(barium|esophag|upper gi|ugi|small bowel|sbft|swallow|enema)', false, '{CT}', '\m(abd|pelvi|colon|enterog|urog|ap|cap)', 7200, 'Barium of an earlier exam is still in the bowel and spoils the CT; do the CT first.'),
    ('BARIUM_BEFORE_US', '{RF}', '\m(barium|esophag|upper gi|ugi|small bowel|sbft|enema)', false, '{US}', '\m(abd|liver|gallbladder|pancrea|ruq|aort)', 1440, 'Barium of an earlier exam hides the abdomen from ultrasound; do the ultrasound first.'),
    ('BARIUM_BEFORE_NM', '{RF}', '\m(barium|esophag|upper gi|ugi|small bowel|sbft|enema)', false, '{NM}', NULL, 2880, 'Barium of an earlier exam hides the tracer; do the nuclear medicine exam first.'),
    ('CONTRAST_BEFORE_THYROID', '{CT,XA,RF,PT}', NULL, true, '{NM}', '\m(thyroid|uptake|i-?131|i-?123)', 60480, 'Iodine contrast of an earlier exam keeps the thyroid from taking up the tracer for weeks; do the thyroid exam first.'),
    ('NM_BEFORE_NM', '{NM}', NULL, false, '{NM}', NULL, 2880, 'Tracer of an earlier nuclear medicine exam still radiates and spoils the next.'),
    ('PET_BEFORE_NM', '{PT}', NULL, false, '{NM}', NULL, 1440, 'Tracer of the PET still radiates and spoils the nuclear medicine exam.'),
    ('GADOLINIUM_BEFORE_NM', '{MR}', NULL, true, '{NM}', '\m(bone|gallium)', 1440, 'Gadolinium of an earlier exam changes where the tracer goes; do the nuclear medicine exam first.'),
    ('BIOPSY_BEFORE_MAMMOGRAPHY', NULL, '\m(breast\M.*\m(biops|bx)|stereo\w*[ -](bx|biops)|mg-stereo)', false, '{MG}', NULL, 1440, 'The breast is fresh from a biopsy; do the mammography first.');

CREATE FUNCTION radscheduler.is_conflict_kind(code text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM radscheduler.conflict_kind k WHERE k.code = is_conflict_kind.code);
END
$$;
COMMENT ON FUNCTION radscheduler.is_conflict_kind(text) IS 'Whether conflict_kind has this code; a site''s own rule (site_rule) may not take it.';

CREATE FUNCTION radscheduler.rule_parameters_fault(code text, parameters jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key   record;
    v_known record;
    v_is_ok boolean;
BEGIN
    IF jsonb_typeof(parameters) <> 'object' THEN
        RETURN 'must be an object of parameters';
    END IF;
    FOR v_key IN SELECT e.key, e.value, jsonb_typeof(e.value) AS type FROM jsonb_each(parameters) e ORDER BY e.key COLLATE "C" LOOP
        SELECT * INTO v_known FROM radscheduler.rule_parameter p WHERE p.code = rule_parameters_fault.code AND p.name = v_key.key;
        IF NOT FOUND THEN
            RETURN format('has the parameter "%s", which this rule does not know', left(v_key.key, 60));
        END IF;
        v_is_ok := CASE
            WHEN v_known.shape LIKE '%or null' AND v_key.type = 'null' THEN true
            WHEN v_known.shape LIKE 'number%' THEN CASE v_key.type WHEN 'number' THEN (v_key.value #>> '{}')::numeric BETWEEN v_known.low AND v_known.high ELSE false END
            WHEN v_known.shape = 'words' THEN v_key.type = 'array' AND NOT EXISTS (
                SELECT FROM jsonb_array_elements(CASE v_key.type WHEN 'array' THEN v_key.value ELSE '[]' END) w WHERE jsonb_typeof(w) <> 'string' OR btrim(w #>> '{}') = '')
            WHEN v_known.shape LIKE 'time%' THEN v_key.type = 'string' AND v_key.value #>> '{}' ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
            WHEN v_key.type <> 'object' THEN false
            WHEN v_known.shape = 'severities' THEN NOT EXISTS (SELECT FROM jsonb_each(v_key.value) s WHERE jsonb_typeof(s.value) <> 'string' OR s.value #>> '{}' NOT IN ('info', 'warning', 'critical'))
            ELSE NOT EXISTS (SELECT FROM jsonb_each(v_key.value) s WHERE CASE jsonb_typeof(s.value) WHEN 'null' THEN false
                                 WHEN 'number' THEN (s.value #>> '{}')::numeric NOT BETWEEN v_known.low AND v_known.high ELSE true END) END;
        IF NOT v_is_ok THEN
            RETURN format('has a value for "%s" that is not %s', v_key.key, CASE v_known.shape WHEN 'words' THEN 'a list of words' WHEN 'severities' THEN 'an object of info, warning or critical'
                WHEN 'time or null' THEN 'a time as HH:MM, nor null' WHEN 'minutes' THEN format('an object of numbers from %s to %s or null', v_known.low, v_known.high)
                ELSE format('a %s from %s to %s', v_known.shape, v_known.low, v_known.high) END);
        END IF;
        IF v_known.name = 'gaps' AND EXISTS (SELECT FROM jsonb_object_keys(v_key.value) g WHERE g NOT IN (SELECT x.name FROM radscheduler.exam_gap x)) THEN
            RETURN 'names a gap that radscheduler.exam_gap does not have';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.rule_parameters_fault(text, jsonb) IS 'What is wrong with a site''s values for the parameters of a rule (rule_parameter), as the end of a sentence; NULL when nothing is.';
