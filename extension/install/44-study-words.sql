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

CREATE FUNCTION radscheduler.study_words(p_text text, OUT words text[], OUT side text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Whole phrases, in this order; \m and \M are the ends of words.
    c_phrases CONSTANT text[] := '{{"\\mX RAYS?\\M",XRAY},{"\\m(C|CERV|CSP) ?SPINE\\M","CERVICAL SPINE"},{"\\m(T|THOR|DORSAL) ?SPINE\\M","THORACIC SPINE"},{"\\m(L|LUMB|LS|L S|LUMBOSACRAL) ?SPINE\\M","LUMBAR SPINE"},
        {"\\mB L\\M",BILATERAL},{"\\m([0-9]) ?(V|VW|VWS|VIEW|VIEWS)\\M","\\1V"},{"\\mPA (AND )?LAT(ERAL)?\\M","2V"},{"\\mRUQ\\M","RIGHTUPPER QUADRANT"},{"\\mRIGHT UPPER\\M",RIGHTUPPER},
        {"\\mIAC\\M","INTERNAL AUDITORY CANALS"},{"\\mC A P\\M|\\mCAP\\M","CHEST ABDOMEN PELVIS"},{"\\m(A P|AP)\\M","ABDOMEN PELVIS"},{"\\mABDPEL\\M","ABDOMEN PELVIS"},
        {"\\mFOLLOW (UP|THROUGH)\\M","FOLLOW\\1"},{"\\mFINE NEEDLE ASPIRATION\\M",FNA}}';
    c_means CONSTANT jsonb := '{"BRAIN":"HEAD","CRANIAL":"HEAD","CEREBRAL":"HEAD","THORAX":"CHEST","ABD":"ABDOMEN","ABDOMINAL":"ABDOMEN","PEL":"PELVIS","PELV":"PELVIS","PELVIC":"PELVIS",
        "KIDNEY":"RENAL","KIDNEYS":"RENAL","SINUSES":"SINUS","HIPS":"HIP","KNEES":"KNEE","SHOULDERS":"SHOULDER","ANKLES":"ANKLE","WRISTS":"WRIST","HANDS":"HAND","FEET":"FOOT","ELBOWS":"ELBOW",
        "BREASTS":"BREAST","RIB":"RIBS","VEINS":"VENOUS","VEIN":"VENOUS","ARTERIES":"ARTERIAL","ARTERY":"ARTERIAL","LEGS":"LEG","HEART":"CARDIAC","HEPATIC":"LIVER","TSPINE":"THORACIC SPINE",
        "ANGIO":"ANGIOGRAPHY","ANGIOGRAM":"ANGIOGRAPHY","MRA":"ANGIOGRAPHY","CTA":"ANGIOGRAPHY","MRV":"VENOGRAPHY","CTV":"VENOGRAPHY","VENOGRAM":"VENOGRAPHY","MRCP":"CHOLANGIOPANCREATOGRAPHY",
        "ARTHROGRAM":"ARTHROGRAPHY","ARTHRO":"ARTHROGRAPHY","BX":"BIOPSY","DX":"DIAGNOSTIC","DIAG":"DIAGNOSTIC","SCREEN":"SCREENING","TOMO":"TOMOSYNTHESIS","DBT":"TOMOSYNTHESIS",
        "DUPLEX":"DOPPLER","ECHO":"ECHOCARDIOGRAPHY","ECHOCARDIOGRAM":"ECHOCARDIOGRAPHY","UROGRAM":"UROGRAPHY","CTU":"UROGRAPHY","MYELOGRAM":"MYELOGRAPHY","CYSTOGRAM":"CYSTOGRAPHY","HRCT":"HIGHRES CHEST",
        "CXR":"CHEST","CALCULI":"STONE","CALCULUS":"STONE","STONES":"STONE","ESOPHAGRAM":"ESOPHAGUS","ENTERO":"ENTEROGRAPHY","PITUITARY":"SELLA","MAXILLOFACIAL":"FACE","FACIAL":"FACE"}';
    -- Said about contrast, of the modality, or of nothing.
    c_left_out CONSTANT text[] := '{W,WO,WWO,O,WITH,WITHOUT,C,CONTRAST,CONT,CON,IV,GAD,GADOLINIUM,GADAVIST,OMNIPAQUE,ISOVUE,PRE,POST,NON,NONCONTRAST,NC,NO,PLUS,ENHANCED,UNENHANCED,INFUSION,
        CT,CAT,MR,MRI,XR,XRAY,CR,DR,RADIOGRAPH,RADIOGRAPHY,US,USG,ULTRASOUND,SONOGRAM,SONOGRAPHY,NM,NUC,PET,PT,PETCT,FL,RF,FLUORO,FLUOROSCOPY,IR,XA,MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAPHY,COMPUTED,TOMOGRAPHY,
        MAGNETIC,RESONANCE,IMAGING,DEXA,DXA,BD,BMD,AND,OR,OF,THE,A,AN,IN,TO,FOR,BY,ON,EXAM,EXAMINATION,STUDY,SCAN,ROUTINE,PROTOCOL,SERIES}';
    v_text   text := ' ' || regexp_replace(upper(left(p_text, 500)), '[^[:alnum:]]+', ' ', 'g') || ' ';
    v_word   text;
    v_sides  text[] := '{}';
BEGIN
    words := '{}';
    FOR k IN 1 .. array_length(c_phrases, 1) LOOP
        v_text := regexp_replace(v_text, c_phrases[k][1], c_phrases[k][2], 'g');
    END LOOP;
    FOREACH v_word IN ARRAY string_to_array(btrim(v_text), ' ') LOOP
        CASE
            WHEN v_word IN ('LEFT', 'LT', 'L') THEN v_sides := v_sides || 'left'::text;
            WHEN v_word IN ('RIGHT', 'RT', 'R') THEN v_sides := v_sides || 'right'::text;
            WHEN v_word IN ('BILATERAL', 'BILAT', 'BIL', 'BOTH') THEN v_sides := v_sides || 'both'::text;
            WHEN v_word IN ('UNILATERAL', 'ONE') THEN v_sides := v_sides || 'one'::text;
            WHEN v_word = '' OR v_word = ANY (c_left_out) THEN NULL;
            ELSE words := words || string_to_array(coalesce(c_means ->> v_word, v_word), ' ');
        END CASE;
    END LOOP;
    words := ARRAY(SELECT DISTINCT w COLLATE "C" FROM unnest(words) w ORDER BY 1);
    side := CASE WHEN 'both' = ANY (v_sides) OR v_sides @> '{left,right}' THEN 'both' WHEN 'left' = ANY (v_sides) THEN 'left' WHEN 'right' = ANY (v_sides) THEN 'right'
                 WHEN 'one' = ANY (v_sides) THEN 'one' END;
END
$$;
COMMENT ON FUNCTION radscheduler.study_words(text) IS
    'The words of a study text that tell which exam it is, in one spelling, without those about contrast and modality; side is left, right, both, one or NULL.';

CREATE FUNCTION radscheduler.deciding_words(p_words text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT ARRAY(SELECT w FROM unnest(p_words) w WHERE w = ANY ('{HEAD,FACE,SINUS,ORBIT,ORBITS,JAW,MANDIBLE,TEMPORAL,NECK,CHEST,LUNG,ABDOMEN,PELVIS,SPINE,CERVICAL,THORACIC,LUMBAR,SACRUM,COCCYX,SHOULDER,CLAVICLE,SCAPULA,HUMERUS,
        ELBOW,FOREARM,WRIST,HAND,FINGER,THUMB,HIP,FEMUR,THIGH,KNEE,TIBIA,FIBULA,CALF,ANKLE,FOOT,HEEL,CALCANEUS,TOE,TOES,LEG,ARM,EXTREMITY,LIVER,PANCREAS,SPLEEN,RENAL,BLADDER,PROSTATE,BREAST,CARDIAC,CORONARY,AORTA,CAROTID,
        THYROID,SCROTUM,TESTICLE,UTERUS,OVARY,ESOPHAGUS,SELLA,STERNUM,RIBS,SKULL,ADRENAL,ANGIOGRAPHY,VENOGRAPHY,ARTHROGRAPHY,BIOPSY,FNA,SCREENING,DIAGNOSTIC,TOMOSYNTHESIS,UROGRAPHY,MYELOGRAPHY,CYSTOGRAPHY,ENTEROGRAPHY,
        COLONOGRAPHY,DRAINAGE,ASPIRATION,INJECTION,ABLATION,GUIDED,DOPPLER,ARTERIAL,VENOUS,ECHOCARDIOGRAPHY,CHOLANGIOPANCREATOGRAPHY,STONE,CALCIUM,PREGNANCY,INFANT}')) $$;
COMMENT ON FUNCTION radscheduler.deciding_words(text[]) IS 'Of the words of study_words() those that name a part of the body or a technique: an exam with one more or one less is another exam.';
