-- Reading HL7 in SQL.

CREATE FUNCTION radscheduler.hl7_get(message radscheduler.hl7, path text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_get' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_get(radscheduler.hl7, text) IS
    'The value at a path SEG[n]-F[r].C.S (dot or dash after the segment; first of everything by default), escapes decoded. NULL when it was not sent or sent empty; the HL7 null is two quotes. A bad path raises 22023 and points at the character.';

CREATE FUNCTION radscheduler.hl7_get(message radscheduler.hl7, path text, formatting text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_get_formatted' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_get(radscheduler.hl7, text, text) IS
    'hl7_get() with a choice for the formatting commands of HL7 chapter 2.7: kept (all as sent), line_breaks (\.br\ is a line feed, others as sent: what hl7_get() does) or rendered (line breaks, blank lines, indents and skips made, highlighting dropped).';

CREATE OPERATOR radscheduler.->> (FUNCTION = radscheduler.hl7_get, LEFTARG = radscheduler.hl7, RIGHTARG = text);
COMMENT ON OPERATOR radscheduler.->> (radscheduler.hl7, text) IS 'The value at a path, as hl7_get: message ->> ''PID-5.1''.';

CREATE FUNCTION radscheduler.hl7_get_all(message radscheduler.hl7, path text) RETURNS text[]
    AS 'MODULE_PATHNAME', 'rad_hl7_get_all' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_get_all(radscheduler.hl7, text) IS
    'All values at a path in which * means every occurrence of a segment (OBX[*]-5) or every repetition of a field (PID-3[*].1), in order, decoded; NULL elements for places that are empty. An empty array when there is none.';

CREATE FUNCTION radscheduler.hl7_fields(message radscheduler.hl7, VARIADIC paths text[]) RETURNS text[]
    AS 'MODULE_PATHNAME', 'rad_hl7_fields' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_fields(radscheduler.hl7, text[]) IS
    'The values at several paths, each as hl7_get() gives it, read in one scan of the message: (hl7_fields(message, ''MSH-10'', ''PID-3.1''))[2]. A path that is NULL raises 22004.';

CREATE FUNCTION radscheduler.hl7_raw(message radscheduler.hl7, path text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_raw' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_raw(radscheduler.hl7, text) IS
    'The text at a path exactly as sent: a field with all its repetitions, a repetition with all its components, escapes not decoded; NULL when it was not sent.';

CREATE FUNCTION radscheduler.hl7_state(message radscheduler.hl7, path text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_state' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_state(radscheduler.hl7, text) IS
    'absent (not sent), empty (sent as nothing: no change), null (sent as two quotes: delete the value) or value.';

CREATE FUNCTION radscheduler.hl7_segments_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'rad_hl7_segments_support' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_segments_support(internal) IS
    'Tells the planner how many segments to expect: counted in a constant, else the average width of the column over 60 bytes a segment. Called by PostgreSQL only.';

CREATE FUNCTION radscheduler.hl7_segments(message radscheduler.hl7, OUT ordinal integer, OUT name text, OUT occurrence integer, OUT segment text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'rad_hl7_segments' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20 ROWS 10
    SUPPORT radscheduler.hl7_segments_support;
COMMENT ON FUNCTION radscheduler.hl7_segments(radscheduler.hl7) IS
    'The segments in order: position from 1, three-letter name, which one of that name, undecoded text.';

CREATE FUNCTION radscheduler.hl7_escape(value text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_escape' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION radscheduler.hl7_escape(text) IS
    'Text made safe to put into a field of a message with the usual delimiters |^~\& (HL7 chapter 2.7): hl7_get gives the same text back.';

CREATE FUNCTION radscheduler.siu_parse(message radscheduler.hl7) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_siu_parse' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION radscheduler.siu_parse(radscheduler.hl7) IS
    'The typed reading of a scheduling, patient or order message (HL7 chapters 10, 3, 4), lenient: {header, schedule, patient, visit, services, resources, warnings[, error]}; of a merge of patients (ADT A18, A30, A34, A40) also merges, of an order (ORM^O01, OMI^O23) orders. Keys are absent when nothing was sent, null when the HL7 null was.';

CREATE FUNCTION radscheduler.hl7_header(bytes bytea) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_hl7_header' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_header(bytea) IS
    'The header of the bytes of a message in whatever charset: {header, warnings}, or {error: {code, path, text}}. Never raises for bad bytes.';

CREATE FUNCTION radscheduler.siu_read(bytes bytea, profile jsonb DEFAULT '{}') RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_siu_read' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION radscheduler.siu_read(bytea, jsonb) IS
    'siu_parse() for bytes as received, in the light of a sender''s profile: its keys charset, repair, id_source, start_source, location_source, referrer_source, modality_source and priority_notes (radscheduler.profile_key); others change nothing. Never raises for bad bytes: {error: {code, path, text}}.';
