-- What may be known about a patient that decides about an exam, in which unit it is kept, and what other units mean. Numbers that no person
-- has are faults of whoever sent them: they are not kept.

CREATE TABLE radscheduler.fact_kind (
    kind    text    PRIMARY KEY,
    takes   text    NOT NULL CHECK (takes IN ('value', 'code', 'either')),
    unit    text,
    low     numeric,
    high    numeric,
    codes   text[],
    meaning text    NOT NULL
);
COMMENT ON TABLE  radscheduler.fact_kind IS 'Kinds of patient_fact.';
COMMENT ON COLUMN radscheduler.fact_kind.kind IS 'The word for it.';
COMMENT ON COLUMN radscheduler.fact_kind.takes IS 'What a fact of this kind must have: value, a number; code, what it is; either: it may be without.';
COMMENT ON COLUMN radscheduler.fact_kind.unit IS 'Unit in which its numbers are kept; NULL: it has none.';
COMMENT ON COLUMN radscheduler.fact_kind.low IS 'Least number that is believed.';
COMMENT ON COLUMN radscheduler.fact_kind.high IS 'Greatest number that is believed.';
COMMENT ON COLUMN radscheduler.fact_kind.codes IS 'Its only codes; NULL: any.';
COMMENT ON COLUMN radscheduler.fact_kind.meaning IS 'What it says.';
INSERT INTO radscheduler.fact_kind VALUES
    ('egfr',           'value', 'mL/min/1.73m2', 0,    250, NULL, 'Estimated glomerular filtration rate. Code < or >: the laboratory told a bound only.'),
    ('creatinine',     'value', 'mg/dL',         0.05, 40,  NULL, 'Creatinine in serum or plasma. Code < or >: the laboratory told a bound only.'),
    ('weight',         'value', 'kg',            0.2,  650, NULL, 'Body weight.'),
    ('height',         'value', 'cm',            20,   280, NULL, 'Body height.'),
    ('allergy',        'code',  NULL,            NULL, NULL, NULL, 'An allergy: to what; none or NKA: to nothing. Severity as in HL7 table 0128: SV, MO, MI.'),
    ('implant',        'code',  NULL,            NULL, NULL, NULL, 'Something in the body that matters in a magnet; none: there is nothing.'),
    ('pregnancy',      'code',  NULL,            NULL, NULL, '{pregnant,not_pregnant}', 'Whether the patient is pregnant.'),
    ('medication',     'code',  NULL,            NULL, NULL, NULL, 'A drug that the patient takes; none: takes none.'),
    ('diagnosis',      'code',  NULL,            NULL, NULL, NULL, 'A diagnosis, as a code of ICD-10 or in words.'),
    ('contrast_given', 'either', NULL,           NULL, NULL, NULL, 'A contrast agent was given at that time: which.'),
    ('claustrophobia', 'either', NULL,           NULL, NULL, NULL, 'Fear of narrow places: how bad; none: there is none.');

CREATE TABLE radscheduler.fact_unit (
    kind   text    NOT NULL REFERENCES radscheduler.fact_kind,
    word   text    NOT NULL,
    factor numeric NOT NULL CHECK (factor > 0),
    PRIMARY KEY (kind, word)
);
COMMENT ON TABLE  radscheduler.fact_unit IS 'Units in which numbers of patient_fact are told, UCUM''s and others. One that is not listed is not understood.';
COMMENT ON COLUMN radscheduler.fact_unit.kind IS 'Kind of fact.';
COMMENT ON COLUMN radscheduler.fact_unit.word IS 'The unit without blanks, in lower case.';
COMMENT ON COLUMN radscheduler.fact_unit.factor IS 'By what a number is multiplied to have it in fact_kind.unit.';
INSERT INTO radscheduler.fact_unit
SELECT v.kind, w, v.factor FROM (VALUES
    ('egfr', 'ml/min/1.73m2 ml/min/1.73m^2 ml/min/1.73m² ml/min/1.73 ml/min/{1.73_m2} ml/min/1.73sqm ml/min/1.73_m2 ml/min/1.73sq.m ml/min ml/min/bsa ml/min/1.73m*2 ml/min/1.73m**2', 1),
    ('egfr', 'ml/s/1.73m2 ml/s/{1.73_m2} ml/s', 60),
    ('creatinine', 'mg/dl mg/100ml mg%', 1),
    ('creatinine', 'umol/l µmol/l μmol/l mcmol/l micromol/l', 0.0113097),
    ('creatinine', 'mmol/l', 11.3097),
    ('creatinine', 'mg/l', 0.1),
    ('weight', 'kg kgs kilogram kilograms kilo', 1),
    ('weight', 'g gm gram grams', 0.001),
    ('weight', 'lb lbs [lb_av] pound pounds', 0.45359237),
    ('weight', 'oz [oz_av] ounce ounces', 0.028349523125),
    ('height', 'cm centimeter centimeters', 1),
    ('height', 'm meter meters', 100),
    ('height', 'mm', 0.1),
    ('height', 'in [in_i] [in_us] inch inches', 2.54),
    ('height', 'ft [ft_i] [ft_us] foot feet', 30.48)) v(kind, words, factor), pg_catalog.unnest(pg_catalog.string_to_array(v.words, ' ')) w;

CREATE FUNCTION radscheduler.fact_value(p_kind text, p_value numeric, p_unit text, OUT value numeric, OUT unit text, OUT fault text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_kind   radscheduler.fact_kind;
    v_factor numeric := 1;
BEGIN
    SELECT k.* INTO v_kind FROM radscheduler.fact_kind k WHERE k.kind = p_kind;
    fact_value.unit := CASE WHEN p_value IS NOT NULL THEN v_kind.unit END;
    IF p_value IS NULL OR v_kind.unit IS NULL THEN
        RETURN;
    END IF;
    IF coalesce(btrim(p_unit), '') <> '' THEN
        SELECT u.factor INTO v_factor FROM radscheduler.fact_unit u WHERE u.kind = p_kind AND u.word = lower(replace(p_unit, ' ', ''));
        IF NOT FOUND THEN
            fault := 'unit';
            RETURN;
        END IF;
    END IF;
    fact_value.value := round(p_value * v_factor, 4);
    IF fact_value.value BETWEEN v_kind.low AND v_kind.high IS NOT TRUE THEN
        fault := 'range';
    ELSIF scale(fact_value.value) > 0 THEN
        fact_value.value := trim_scale(fact_value.value);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.fact_value(text, numeric, text) IS
    'A number in the unit of its kind of fact; without a unit it is taken to be in that one. fault is unit for a unit that is not understood, range for a number that no person has.';
