-- The words of a study text, so that texts of different senders can be compared: MRI BRAIN W/O and MR head without contrast have the same.
-- Words about contrast are left out, because contrast_meant() reads them, and so are words for modalities, because modality_guess() does.

-- PostgreSQL 15 cannot name the schema of another extension in a script, and pg_trgm can be moved. The function is looked up by its membership
-- and kept by its identity.
DO $$
DECLARE
    v_similarity text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, p.proname) INTO STRICT v_similarity
        FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE e.extname = 'pg_trgm' AND p.proname = 'similarity';
    EXECUTE pg_catalog.format('CREATE FUNCTION radscheduler.text_similarity(a text, b text) RETURNS real LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN %s(a, b)', v_similarity);
END
$$;
COMMENT ON FUNCTION radscheduler.text_similarity(text, text) IS 'How alike two texts are by their trigrams, 0 to 1: similarity() of pg_trgm, wherever that is installed.';

CREATE FUNCTION radscheduler.study_words(text) RETURNS text[]
    AS 'MODULE_PATHNAME', 'rad_study_words' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.study_words(text) IS
    'The words of a study text that tell which exam it is, in one spelling, each once and in order, without those about contrast, modality and side.';

CREATE FUNCTION radscheduler.study_side(text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_study_side' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.study_side(text) IS 'The side that a study text tells: left, right, both, one (of two, not said which) or NULL.';

CREATE FUNCTION radscheduler.has_deciding_word(p_words text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN p_words && '{HEAD,FACE,SINUS,ORBIT,ORBITS,JAW,MANDIBLE,TEMPORAL,NECK,CHEST,LUNG,ABDOMEN,PELVIS,SPINE,CERVICAL,THORACIC,LUMBAR,SACRUM,COCCYX,SHOULDER,CLAVICLE,SCAPULA,HUMERUS,
        ELBOW,FOREARM,WRIST,HAND,FINGER,THUMB,HIP,FEMUR,THIGH,KNEE,TIBIA,FIBULA,CALF,ANKLE,FOOT,HEEL,CALCANEUS,TOE,TOES,LEG,ARM,EXTREMITY,LIVER,PANCREAS,SPLEEN,RENAL,BLADDER,PROSTATE,BREAST,CARDIAC,CORONARY,AORTA,CAROTID,
        THYROID,SCROTUM,TESTICLE,UTERUS,OVARY,ESOPHAGUS,SELLA,STERNUM,RIBS,SKULL,ADRENAL,ANGIOGRAPHY,VENOGRAPHY,ARTHROGRAPHY,BIOPSY,FNA,SCREENING,DIAGNOSTIC,TOMOSYNTHESIS,UROGRAPHY,MYELOGRAPHY,CYSTOGRAPHY,ENTEROGRAPHY,
        COLONOGRAPHY,DRAINAGE,ASPIRATION,INJECTION,ABLATION,GUIDED,DOPPLER,ARTERIAL,VENOUS,ECHOCARDIOGRAPHY,CHOLANGIOPANCREATOGRAPHY,STONE,CALCIUM,PREGNANCY,INFANT}'::text[];
COMMENT ON FUNCTION radscheduler.has_deciding_word(text[]) IS 'Whether one of the words of study_words() names a part of the body or a technique: an exam with one more or one less is another exam.';
