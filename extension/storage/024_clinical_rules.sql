-- What a site makes of the clinical rules (59-clinical-kinds.sql): which appointments they are asked for, its numbers, its own rules; and what they ask of
-- scanners and appointments. Rules of a site are conditions in columns, put together with AND; nothing of a row is ever run as SQL.

ALTER TABLE radscheduler.site ADD COLUMN clinical_rules text NOT NULL DEFAULT 'known'
    CONSTRAINT site_clinical_rules CHECK (clinical_rules IN ('off', 'known', 'bookings', 'all'));
COMMENT ON COLUMN radscheduler.site.clinical_rules IS 'Which appointments the clinical rules are asked for: all; bookings, those made here, others as with known; known, a danger that is recorded (patient_fact) is told, what nobody recorded is not; off. Set by set_clinical_rules(); a row of rule_setting says otherwise for one rule.';

CREATE INDEX procedure_name ON radscheduler.procedure (site_id, (pg_catalog.upper(name)));

ALTER TABLE radscheduler.resource ADD COLUMN weight_limit_kg smallint CONSTRAINT resource_weight_limit CHECK (weight_limit_kg BETWEEN 1 AND 1000);
COMMENT ON COLUMN radscheduler.resource.weight_limit_kg IS 'What its table carries, in kilograms (WEIGHT_LIMIT); NULL: not recorded.';

ALTER TABLE radscheduler.appointment ADD COLUMN authorization_no text CONSTRAINT appointment_authorization_filled CHECK (authorization_no <> '');
COMMENT ON COLUMN radscheduler.appointment.authorization_no IS 'Number of the payer''s authorization for the exam (AUTH_MISSING), recorded by authorize().';

ALTER TABLE radscheduler.rule_setting
    ALTER COLUMN severity DROP NOT NULL,
    ADD COLUMN if_unknown text  CONSTRAINT rule_setting_if_unknown CHECK (if_unknown IS NULL OR if_unknown IN ('warning', 'critical') AND radscheduler.is_clinical_rule(code)),
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}' CONSTRAINT rule_setting_parameters CHECK (radscheduler.rule_parameters_fault(code, parameters) IS NULL),
    ADD CONSTRAINT rule_setting_says_something CHECK (severity IS NOT NULL OR if_unknown IS NOT NULL OR parameters <> '{}');
COMMENT ON COLUMN radscheduler.rule_setting.severity IS 'info, warning, critical, or off: not looked at. On a clinical rule anything but off asks it for every appointment, whatever site.clinical_rules says; NULL leaves severity and that as they are.';
COMMENT ON COLUMN radscheduler.rule_setting.if_unknown IS 'Severity where a clinical rule cannot tell, warning or critical; NULL: that of rule_kind.';
COMMENT ON COLUMN radscheduler.rule_setting.parameters IS 'The site''s own values of the rule''s parameters (rule_parameter); those not named keep their defaults.';

COMMENT ON COLUMN radscheduler.conflict.subject_id IS 'The resource or patient concerned; 0 on the axis resource for a rule about the site or the appointment as a whole. Negative: a clinical rule cannot tell, and it is minus the subject, or -1 for the appointment as a whole.';

CREATE TABLE radscheduler.site_rule (
    site_id           integer  NOT NULL REFERENCES radscheduler.site,
    code              text     NOT NULL CONSTRAINT site_rule_code CHECK (code ~ '^[A-Z][A-Z0-9_]{2,39}$' AND NOT radscheduler.is_conflict_kind(code)),
    severity          text     NOT NULL CONSTRAINT site_rule_severity CHECK (severity IN ('off', 'info', 'warning', 'critical')),
    if_unknown        text     NOT NULL DEFAULT 'warning' CONSTRAINT site_rule_if_unknown CHECK (if_unknown IN ('warning', 'critical')),
    text              text     NOT NULL CONSTRAINT site_rule_text CHECK (length(text) >= 1 AND length(text) <= 300 AND text = pg_catalog.btrim(text)),
    applies_to        text     NOT NULL DEFAULT 'all' CONSTRAINT site_rule_applies_to CHECK (applies_to IN ('all', 'bookings')),
    modalities        text[],
    study             text     CONSTRAINT site_rule_study CHECK (study <> '' AND pg_catalog.strpos(study, pg_catalog.chr(92)) = 0),
    contrast          boolean,
    min_age           smallint CONSTRAINT site_rule_min_age CHECK (min_age BETWEEN 0 AND 150),
    max_age           smallint CONSTRAINT site_rule_max_age CHECK (max_age BETWEEN 0 AND 150),
    sex               text     CONSTRAINT site_rule_sex CHECK (sex IN ('F', 'M')),
    resource          text     CONSTRAINT site_rule_resource CHECK (resource <> '' AND pg_catalog.strpos(resource, pg_catalog.chr(92)) = 0),
    fact_kind         text     CONSTRAINT site_rule_fact_kind CHECK (fact_kind IS NULL OR radscheduler.is_fact_kind(fact_kind)),
    fact_code         text     CONSTRAINT site_rule_fact_code CHECK (fact_code <> '' AND pg_catalog.strpos(fact_code, pg_catalog.chr(92)) = 0),
    fact_test         text     CONSTRAINT site_rule_fact_test CHECK (fact_test IN ('present', 'recorded', 'missing', 'below', 'above')),
    fact_value        numeric,
    fact_days         integer  CONSTRAINT site_rule_fact_days CHECK (fact_days BETWEEN 1 AND 36500),
    gap_minutes       integer  CONSTRAINT site_rule_gap CHECK (gap_minutes BETWEEN 1 AND 525600),
    gap_order         text     CONSTRAINT site_rule_gap_order CHECK (gap_order IN ('after', 'before', 'either')),
    other_modalities  text[],
    other_study       text     CONSTRAINT site_rule_other_study CHECK (other_study <> '' AND pg_catalog.strpos(other_study, pg_catalog.chr(92)) = 0),
    other_contrast    boolean,
    PRIMARY KEY (site_id, code),
    CONSTRAINT site_rule_asks CHECK (num_nonnulls(modalities, study, contrast, min_age, max_age, sex, resource, fact_kind, gap_minutes) > 0),
    CONSTRAINT site_rule_ages CHECK (max_age >= min_age),
    CONSTRAINT site_rule_fact CHECK ((fact_kind IS NULL) = (fact_test IS NULL) AND (fact_kind IS NOT NULL OR num_nonnulls(fact_code, fact_days) = 0)
        AND (fact_value IS NOT NULL) = coalesce(fact_test IN ('below', 'above'), false)),
    CONSTRAINT site_rule_other CHECK ((gap_minutes IS NULL) = (gap_order IS NULL) AND (gap_minutes IS NOT NULL OR num_nonnulls(other_modalities, other_study, other_contrast) = 0)),
    CONSTRAINT site_rule_modalities CHECK (modalities <> '{}' AND pg_catalog.array_position(modalities, NULL) IS NULL AND other_modalities <> '{}' AND pg_catalog.array_position(other_modalities, NULL) IS NULL)
);
COMMENT ON TABLE  radscheduler.site_rule IS 'Rules that a site added. A rule is broken when everything that its row asks is so; where something cannot be told, the rule cannot tell. What a column leaves NULL it does not ask. Takes effect as appointments change; recheck_conflicts() applies it to those that are there.';
COMMENT ON COLUMN radscheduler.site_rule.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.site_rule.code IS 'Code of the conflict, capital letters, digits and underscores; none that conflict_kind has.';
COMMENT ON COLUMN radscheduler.site_rule.severity IS 'info, warning, critical, or off: not looked at.';
COMMENT ON COLUMN radscheduler.site_rule.if_unknown IS 'Severity where the rule cannot tell: warning or critical.';
COMMENT ON COLUMN radscheduler.site_rule.text IS 'Sentence that the conflict says.';
COMMENT ON COLUMN radscheduler.site_rule.applies_to IS 'all appointments, or only bookings made here.';
COMMENT ON COLUMN radscheduler.site_rule.modalities IS 'DICOM codes: the exam is of one of these. An exam of unknown modality cannot be told.';
COMMENT ON COLUMN radscheduler.site_rule.study IS 'Pattern of LIKE, whatever the case, of the code or the text of an exam, such as %CARDIAC%.';
COMMENT ON COLUMN radscheduler.site_rule.contrast IS 'true: the exam needs a contrast agent; false: it needs none.';
COMMENT ON COLUMN radscheduler.site_rule.min_age IS 'The patient has completed at least these years at the exam.';
COMMENT ON COLUMN radscheduler.site_rule.max_age IS 'The patient has completed at most these years at the exam.';
COMMENT ON COLUMN radscheduler.site_rule.sex IS 'F or M. Another word in the patient''s record cannot be told.';
COMMENT ON COLUMN radscheduler.site_rule.resource IS 'Pattern of LIKE, whatever the case, of the code of a resource that the appointment has.';
COMMENT ON COLUMN radscheduler.site_rule.fact_kind IS 'Kind of patient_fact that fact_test is about.';
COMMENT ON COLUMN radscheduler.site_rule.fact_code IS 'Pattern of LIKE, whatever the case, of patient_fact.code; NULL: any.';
COMMENT ON COLUMN radscheduler.site_rule.fact_test IS 'present: the patient has it; where nothing of the kind is recorded that cannot be told. recorded, missing: such a fact is recorded, or is not, whatever is so. below, above: the value of the last one is below or above fact_value; where there is none that cannot be told. A fact dated in the future is none, and present cannot be told then.';
COMMENT ON COLUMN radscheduler.site_rule.fact_value IS 'The number that below and above compare with.';
COMMENT ON COLUMN radscheduler.site_rule.fact_days IS 'Facts older than this many days at the exam do not count; NULL: all do.';
COMMENT ON COLUMN radscheduler.site_rule.gap_minutes IS 'Less than this time lies between the exam and another exam of the patient.';
COMMENT ON COLUMN radscheduler.site_rule.gap_order IS 'after: the other exam is the earlier one; before: it is the later one; either.';
COMMENT ON COLUMN radscheduler.site_rule.other_modalities IS 'DICOM codes: the other exam is of one of these.';
COMMENT ON COLUMN radscheduler.site_rule.other_study IS 'Pattern of LIKE, whatever the case, of the code or the text of the other exam.';
COMMENT ON COLUMN radscheduler.site_rule.other_contrast IS 'Whether the other exam needs a contrast agent.';

ALTER TABLE radscheduler.appointment ALTER COLUMN authorization_no SET STATISTICS 0;
SELECT radscheduler.audit_table('site_rule', 'code', 'values');
SELECT radscheduler.secure_table('radscheduler.site_rule'::regclass);
