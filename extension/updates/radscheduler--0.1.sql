-- RadScheduler: HL7 v2 scheduling inside PostgreSQL. This script creates code; records are created by provision() at its end
-- and belong to the database, not to the extension.
\echo Use "CREATE EXTENSION radscheduler CASCADE" to load this file. \quit

DO $check$
BEGIN
    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'radscheduler needs a database in UTF8, this one is in %', pg_catalog.current_setting('server_encoding')
            USING ERRCODE = 'feature_not_supported',
                  HINT = 'Create the database with: CREATE DATABASE … ENCODING ''UTF8'' TEMPLATE template0.';
    END IF;
END
$check$;

COMMENT ON SCHEMA radscheduler IS 'RadScheduler: HL7 v2 messages, appointments and their conflicts.';
-- The type hl7: one HL7 v2 message as text.

CREATE TYPE radscheduler.hl7;

CREATE FUNCTION radscheduler.hl7_in(cstring) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_in' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_in(cstring) IS 'Reads an HL7 v2 message; CR, LF and CRLF end segments. Raises 22P02 when there is no MSH or its delimiters are unusable.';

CREATE FUNCTION radscheduler.hl7_out(radscheduler.hl7) RETURNS cstring
    AS 'MODULE_PATHNAME', 'rad_hl7_out' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_out(radscheduler.hl7) IS 'The message as text, segments ended by CR.';

CREATE FUNCTION radscheduler.hl7_recv(internal) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_recv' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_recv(internal) IS 'Binary input: the message as text in the client encoding, validated as hl7_in does.';

CREATE FUNCTION radscheduler.hl7_send(radscheduler.hl7) RETURNS bytea
    AS 'MODULE_PATHNAME', 'rad_hl7_send' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_send(radscheduler.hl7) IS 'Binary output: the message as text in the client encoding.';

CREATE FUNCTION radscheduler.hl7_subscript(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'rad_hl7_subscript' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_subscript(internal) IS 'Makes message[''PID-5.1''] mean hl7_get(message, ''PID-5.1''). Called by PostgreSQL only.';

CREATE TYPE radscheduler.hl7 (
    INPUT = radscheduler.hl7_in,
    OUTPUT = radscheduler.hl7_out,
    RECEIVE = radscheduler.hl7_recv,
    SEND = radscheduler.hl7_send,
    INTERNALLENGTH = VARIABLE,
    SUBSCRIPT = radscheduler.hl7_subscript,
    STORAGE = extended
);
COMMENT ON TYPE radscheduler.hl7 IS 'An HL7 v2 message: UTF-8 text, stored as given with CR as segment end, behind a version byte.';

CREATE FUNCTION radscheduler.hl7(text) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_from_text' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7(text) IS 'Text to hl7, as hl7_in does.';

CREATE FUNCTION radscheduler.hl7_text(radscheduler.hl7) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_to_text' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_text(radscheduler.hl7) IS 'The message as text, segments ended by CR.';

CREATE CAST (text AS radscheduler.hl7) WITH FUNCTION radscheduler.hl7(text);
COMMENT ON CAST (text AS radscheduler.hl7) IS 'Parses and validates; explicit, because it can fail.';
CREATE CAST (radscheduler.hl7 AS text) WITH FUNCTION radscheduler.hl7_text(radscheduler.hl7) AS ASSIGNMENT;
COMMENT ON CAST (radscheduler.hl7 AS text) IS 'The message as text, segments ended by CR.';

CREATE FUNCTION radscheduler.hl7(bytes bytea) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_from_bytea' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7(bytea) IS
    'Bytes as received to hl7: valid UTF-8 as it is, else in the charset that MSH-18 names (HL7 table 0211, repetitions for ISO 2022), else as Windows-1252. Hex escapes of that charset become those of UTF-8; MSH-18 stays as sent.';

CREATE FUNCTION radscheduler.hl7(bytes bytea, charset text) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_from_bytea_as' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7(bytea, text) IS
    'Bytes as received in a charset that is known better than MSH-18 says: a name of HL7 table 0211 or of iconv. Raises 22023 for an unknown name.';

CREATE FUNCTION radscheduler.hl7_charset(name text) RETURNS text
    AS 'MODULE_PATHNAME', 'rad_hl7_charset' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_charset(text) IS
    'The iconv name of a charset named as in HL7 table 0211 or in a usual spelling: ISO-8859-2 for 8859/2. NULL for a name that is not known.';

CREATE FUNCTION radscheduler.hl7_bytes(message radscheduler.hl7) RETURNS bytea
    AS 'MODULE_PATHNAME', 'rad_hl7_to_text' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_bytes(radscheduler.hl7) IS 'The message as UTF-8 bytes, segments ended by CR: what ingest() takes.';

CREATE CAST (bytea AS radscheduler.hl7) WITH FUNCTION radscheduler.hl7(bytea);
COMMENT ON CAST (bytea AS radscheduler.hl7) IS 'Bytes as received, charset by MSH-18; explicit, because it can fail.';
CREATE CAST (radscheduler.hl7 AS bytea) WITH FUNCTION radscheduler.hl7_bytes(radscheduler.hl7);
COMMENT ON CAST (radscheduler.hl7 AS bytea) IS 'The message as UTF-8 bytes.';

CREATE FUNCTION radscheduler.hl7_try(value text) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_try' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.hl7_try(text) IS 'The text as hl7, or NULL when it is no message. Raises 54000 for one above radscheduler.max_message_bytes, so that no result depends on that setting.';

CREATE FUNCTION radscheduler.hl7_is_valid(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN radscheduler.hl7_try(value) IS NOT NULL;
COMMENT ON FUNCTION radscheduler.hl7_is_valid(text) IS 'Whether the text would be taken as hl7.';
-- Comparing messages by their bytes. The order means nothing in medicine; it is there so that DISTINCT, GROUP BY, UNIQUE
-- and merges work.

CREATE FUNCTION radscheduler.hl7_eq(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_eq' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_eq(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator = of hl7: equal by bytes.';

CREATE FUNCTION radscheduler.hl7_ne(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_ne' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_ne(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator <> of hl7: different by bytes.';

CREATE FUNCTION radscheduler.hl7_lt(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_lt' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_lt(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator < of hl7: before by bytes.';

CREATE FUNCTION radscheduler.hl7_le(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_le' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_le(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator <= of hl7: before or equal by bytes.';

CREATE FUNCTION radscheduler.hl7_gt(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_gt' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_gt(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator > of hl7: after by bytes.';

CREATE FUNCTION radscheduler.hl7_ge(radscheduler.hl7, radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_ge' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_ge(radscheduler.hl7, radscheduler.hl7) IS 'Behind the operator >= of hl7: after or equal by bytes.';

CREATE OPERATOR radscheduler.= (FUNCTION = radscheduler.hl7_eq, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.=), NEGATOR = OPERATOR(radscheduler.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR radscheduler.= (radscheduler.hl7, radscheduler.hl7) IS 'Equal by bytes.';

CREATE OPERATOR radscheduler.<> (FUNCTION = radscheduler.hl7_ne, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<>), NEGATOR = OPERATOR(radscheduler.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR radscheduler.<> (radscheduler.hl7, radscheduler.hl7) IS 'Different by bytes.';

CREATE OPERATOR radscheduler.< (FUNCTION = radscheduler.hl7_lt, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.>), NEGATOR = OPERATOR(radscheduler.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR radscheduler.< (radscheduler.hl7, radscheduler.hl7) IS 'Before by bytes.';

CREATE OPERATOR radscheduler.<= (FUNCTION = radscheduler.hl7_le, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.>=), NEGATOR = OPERATOR(radscheduler.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR radscheduler.<= (radscheduler.hl7, radscheduler.hl7) IS 'Before or equal by bytes.';

CREATE OPERATOR radscheduler.> (FUNCTION = radscheduler.hl7_gt, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<), NEGATOR = OPERATOR(radscheduler.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR radscheduler.> (radscheduler.hl7, radscheduler.hl7) IS 'After by bytes.';

CREATE OPERATOR radscheduler.>= (FUNCTION = radscheduler.hl7_ge, LEFTARG = radscheduler.hl7, RIGHTARG = radscheduler.hl7,
    COMMUTATOR = OPERATOR(radscheduler.<=), NEGATOR = OPERATOR(radscheduler.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR radscheduler.>= (radscheduler.hl7, radscheduler.hl7) IS 'After or equal by bytes.';

CREATE FUNCTION radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7) RETURNS integer
    AS 'MODULE_PATHNAME', 'rad_hl7_cmp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7) IS '-1, 0 or 1: order by bytes, for btree indexes.';

CREATE FUNCTION radscheduler.hl7_hash(radscheduler.hl7) RETURNS integer
    AS 'MODULE_PATHNAME', 'rad_hl7_hash' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_hash(radscheduler.hl7) IS 'Hash of the bytes, 32 bits.';

CREATE FUNCTION radscheduler.hl7_hash_extended(radscheduler.hl7, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'rad_hl7_hash_extended' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION radscheduler.hl7_hash_extended(radscheduler.hl7, bigint) IS 'Hash of the bytes with a seed, 64 bits.';

CREATE OPERATOR CLASS radscheduler.hl7_ops DEFAULT FOR TYPE radscheduler.hl7 USING btree AS
    OPERATOR 1 radscheduler.<, OPERATOR 2 radscheduler.<=, OPERATOR 3 radscheduler.=, OPERATOR 4 radscheduler.>=, OPERATOR 5 radscheduler.>,
    FUNCTION 1 radscheduler.hl7_cmp(radscheduler.hl7, radscheduler.hl7);
COMMENT ON OPERATOR CLASS radscheduler.hl7_ops USING btree IS 'Messages ordered by their bytes.';
COMMENT ON OPERATOR FAMILY radscheduler.hl7_ops USING btree IS 'Messages ordered by their bytes.';

CREATE OPERATOR CLASS radscheduler.hl7_ops DEFAULT FOR TYPE radscheduler.hl7 USING hash AS
    OPERATOR 1 radscheduler.=,
    FUNCTION 1 radscheduler.hl7_hash(radscheduler.hl7),
    FUNCTION 2 radscheduler.hl7_hash_extended(radscheduler.hl7, bigint);
COMMENT ON OPERATOR CLASS radscheduler.hl7_ops USING hash IS 'Messages hashed by their bytes.';
COMMENT ON OPERATOR FAMILY radscheduler.hl7_ops USING hash IS 'Messages hashed by their bytes.';
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
    'The typed reading of a scheduling message (HL7 chapter 10), lenient: {header, schedule, patient, visit, services, resources, warnings[, error]}. Keys are absent when nothing was sent, null when the HL7 null was.';

CREATE FUNCTION radscheduler.hl7_header(bytes bytea) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_hl7_header' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_header(bytea) IS
    'The header of the bytes of a message in whatever charset: {header, warnings}, or {error: {code, path, text}}. Never raises for bad bytes.';

CREATE FUNCTION radscheduler.siu_read(bytes bytea, lenient boolean DEFAULT true, start_source text DEFAULT 'appointment', charset text DEFAULT '') RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_siu_read' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION radscheduler.siu_read(bytea, boolean, text, text) IS
    'siu_parse for bytes as received: lenient = false turns every repair into an error, start_source = service lets AIS-4 win over SCH-11, charset (HL7 table 0211 or iconv) holds whatever MSH-18 says. Never raises for bad bytes: {error: {code, path, text}}.';
-- Messages as jsonb and back, changing and building them.

CREATE FUNCTION radscheduler.hl7_to_jsonb(message radscheduler.hl7) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_hl7_to_jsonb' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION radscheduler.hl7_to_jsonb(radscheduler.hl7) IS
    'The whole message as an array of segments, each an array with its name at 0 and field n at n: [["MSH", "|", "^~\\&", …], ["PID", "1", …]]. A field is a string, or an array of repetitions, each a string or an array of components, each a string or an array of subcomponents. Leaves are decoded; "" was sent as nothing, null is the HL7 null; a leaf spelled in an unusual way is {"text", "raw"} (to change it, leave raw out). hl7_build() gives the same message back.';

CREATE FUNCTION radscheduler.hl7_extent(message radscheduler.hl7, path text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'rad_hl7_extent' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION radscheduler.hl7_extent(radscheduler.hl7, text) IS
    'What a path names, in the form of hl7_to_jsonb(): PID-3 the field with all repetitions, PID-3[2] a repetition, PID-3.4 a component, PID or OBX[2] a whole segment; with * an array of those. NULL when it was not sent.';

CREATE OPERATOR radscheduler.-> (FUNCTION = radscheduler.hl7_extent, LEFTARG = radscheduler.hl7, RIGHTARG = text);
COMMENT ON OPERATOR radscheduler.-> (radscheduler.hl7, text) IS 'What a path names as jsonb, as hl7_extent: message -> ''PID-3''.';

CREATE FUNCTION radscheduler.hl7_build(message jsonb) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_from_jsonb' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION radscheduler.hl7_build(jsonb) IS
    'The message that jsonb in the form of hl7_to_jsonb() describes; texts are escaped, numbers stand for their digits. Raises 22023 with the place in the JSON.';

CREATE FUNCTION radscheduler.hl7_build(VARIADIC paths_and_values text[]) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_build' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION radscheduler.hl7_build(text[]) IS
    'A new message from paths and values in turn: hl7_build(''MSH-3'', ''RIS'', ''PID-5.1'', ''DOE''). Values are escaped as by hl7_set(); segments appear as they are first named; MSH-1 and MSH-2, if given, come first. Groups and * are refused. Raises 22023 for a path that cannot be set.';

CREATE CAST (radscheduler.hl7 AS jsonb) WITH FUNCTION radscheduler.hl7_to_jsonb(radscheduler.hl7);
COMMENT ON CAST (radscheduler.hl7 AS jsonb) IS 'hl7_to_jsonb(); explicit.';
CREATE CAST (jsonb AS radscheduler.hl7) WITH FUNCTION radscheduler.hl7_build(jsonb);
COMMENT ON CAST (jsonb AS radscheduler.hl7) IS 'hl7_build(jsonb); explicit, because it can fail.';

CREATE FUNCTION radscheduler.hl7_set(message radscheduler.hl7, path text, value text, encoded boolean DEFAULT false) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_set' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 30;
COMMENT ON FUNCTION radscheduler.hl7_set(radscheduler.hl7, text, text, boolean) IS
    'The message with a value put at a path and nothing else changed. The value is escaped, unless encoded is true: then it is HL7 text that may hold separators below the place. NULL and the empty text are sent as nothing, two double quotes as the HL7 null. * sets every occurrence there is; a missing segment is appended when it is the next. NULL message or path gives NULL. In a message whose MSH-2 declares no escape character, separators in the value become blanks. Raises 22023.';

CREATE FUNCTION radscheduler.hl7_remove(message radscheduler.hl7, path text) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_remove' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION radscheduler.hl7_remove(radscheduler.hl7, text) IS
    'The message without a segment (NTE, NTE[2], NTE[*]) or repetition (PID-3[2]; later ones move up), or with a field, component or subcomponent emptied and empty places at the end cut. What is not there stays so. Raises 22023 for the first segment and for MSH-1, MSH-2.';
-- Times, validation, batches and acknowledgements.

CREATE FUNCTION radscheduler.hl7_timestamp(value text, OUT instant timestamptz, OUT wall timestamp, OUT "precision" text, OUT utc_offset integer,
                                           OUT warning text, OUT sentence text)
    AS 'MODULE_PATHNAME', 'rad_hl7_timestamp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_timestamp(text) IS
    'An HL7 date or time (TS, DTM: YYYY[MM[DD[HH[MM[SS[.f]]]]]][+/-ZZZZ]): the instant if it carries an offset, the wall clock as sent (start of the period), the precision (year to second), the offset in minutes. Years 1800 to 2200. warning is TIME_UNREADABLE (all else NULL), TIME_WITHOUT_ZONE or TIME_ROLLED; sentence says what is wrong. Never raises for a bad time.';

CREATE FUNCTION radscheduler.hl7_timestamp(value text, zone text, OUT instant timestamptz, OUT wall timestamp, OUT "precision" text, OUT utc_offset integer,
                                           OUT warning text, OUT sentence text)
    AS 'MODULE_PATHNAME', 'rad_hl7_timestamp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_timestamp(text, text) IS
    'hl7_timestamp() for a time that is read in the given IANA zone unless it carries an offset. warning is also TIME_IN_DST_GAP (the time does not exist that day; moved past the gap) or TIME_AMBIGUOUS (it exists twice; the first was taken). Raises 22023 for an unknown zone.';

CREATE FUNCTION radscheduler.hl7_split_batch(bytes bytea, OUT kind text, OUT message integer, OUT file integer, OUT batch integer, OUT byte_offset integer,
                                             OUT body bytea, OUT code text, OUT path text, OUT sentence text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'rad_hl7_split_batch' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 ROWS 100;
COMMENT ON FUNCTION radscheduler.hl7_split_batch(bytea) IS
    'The messages of a batch file (FHS, BHS, MSH …, BTS, FTS; HL7 chapter 2.10.3), of several joined, or of messages without envelope. kind = message: number from 1, file and batch (0: in none), where it begins, and its bytes with CR line ends, for ingest(). kind = warning, behind the message it was seen after: code, segment, sentence (wrong BTS-1 or FTS-1 count, missing trailer, message outside a batch, empty batch, stray text, unreadable header). No message is ever left out.';

CREATE FUNCTION radscheduler.hl7_split_batch(value text, OUT kind text, OUT message integer, OUT file integer, OUT batch integer, OUT byte_offset integer,
                                             OUT body text, OUT code text, OUT path text, OUT sentence text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'rad_hl7_split_batch' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 ROWS 100;
COMMENT ON FUNCTION radscheduler.hl7_split_batch(text) IS 'hl7_split_batch() for text; the body can be cast to hl7, or given to hl7_try().';

CREATE FUNCTION radscheduler.hl7_join_continuation(VARIADIC fragments radscheduler.hl7[]) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_join_continuation' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION radscheduler.hl7_join_continuation(radscheduler.hl7[]) IS
    'One message from the fragments that its sender cut it into (DSC and MSH-14, ADD; HL7 chapter 2.10.2), given in order. Raises 22023 with the fragment and place when they do not fit together.';

CREATE FUNCTION radscheduler.hl7_continues(message radscheduler.hl7) RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_hl7_continues' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_continues(radscheduler.hl7) IS 'Whether the message goes on in another one (it ends in DSC with a pointer).';

CREATE FUNCTION radscheduler.hl7_ack(message radscheduler.hl7, code text DEFAULT 'AA', note text DEFAULT NULL) RETURNS radscheduler.hl7
    AS 'MODULE_PATHNAME', 'rad_hl7_ack' LANGUAGE c VOLATILE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_ack(radscheduler.hl7, text, text) IS
    'An acknowledgement (HL7 chapter 2.9) of the message: MSH-3..6 swapped, the sender''s delimiters and MSH-18, MSA-1 = code (AA, AE, AR; CA, CE, CR), MSA-2 = MSH-10 as sent, the note where the version has a place for it. Its own MSH-10, of 20 characters, is new at each call. It carries no ERR. Which codes are due tells hl7_ack_due().';

CREATE FUNCTION radscheduler.hl7_ack_due(message radscheduler.hl7, outcome text DEFAULT 'AA', OUT accept text, OUT application text)
    AS 'MODULE_PATHNAME', 'rad_hl7_ack_due' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_ack_due(radscheduler.hl7, text) IS
    'Which acknowledgements the sender asks for when the outcome of its message is AA, AE or AR: the accept acknowledgement (CA, CE, CR) by MSH-15 and the application acknowledgement by MSH-16, each NULL when none is due (HL7 chapter 2.9.3, table 0155). With both fields empty: original mode, the outcome itself.';

CREATE FUNCTION radscheduler.hl7_answer(bytes bytea, code text, control_id text, stamp text, note text,
                                        error_codes text[], error_paths text[], error_severities text[], error_texts text[], charset text DEFAULT '') RETURNS bytea
    AS 'MODULE_PATHNAME', 'rad_hl7_answer' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION radscheduler.hl7_answer(bytea, text, text, text, text, text[], text[], text[], text[], text) IS
    'The acknowledgement of the bytes of a message, even of bytes that are no message: MSA-1 = code, or what hl7_ack_due() makes of it (the accept acknowledgement before the application acknowledgement; no bytes at all when none is due), own MSH-10 = control_id, own MSH-7 = stamp, one ERR per element of the arrays (HL7 table 0357 code, path, E W or I, sentence). charset as for siu_read(). Never raises for bad bytes. Under 1,000 bytes, unless MSH-10 alone, which is never cut, is longer than about 500.';

CREATE FUNCTION radscheduler.hl7_validate(message radscheduler.hl7, OUT severity text, OUT path text, OUT code text, OUT sentence text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'rad_hl7_validate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 ROWS 5;
COMMENT ON FUNCTION radscheduler.hl7_validate(radscheduler.hl7) IS
    'What a message breaks of the HL7 rules that matter to scheduling, in the order of its places: severity (error, warning, information), path, code (HL7 table 0357), a sentence without values of the message. Checked: MSH, names and order of segments (SIU groups), required fields by version, data types, tables, lengths, repetitions, escapes, control characters. No rows: nothing was found. At most 1,000 and one that says so.';
-- The words the records are written in.

CREATE TYPE radscheduler.axis AS ENUM ('resource', 'patient');
COMMENT ON TYPE radscheduler.axis IS 'Which series of ids an occupied subject belongs to.';

CREATE TYPE radscheduler.resource_kind AS ENUM ('room', 'equipment', 'staff');
COMMENT ON TYPE radscheduler.resource_kind IS 'What a resource is: AIL names rooms, AIG equipment (or what its type says), AIP staff.';

CREATE TYPE radscheduler.severity AS ENUM ('info', 'warning', 'critical');
COMMENT ON TYPE radscheduler.severity IS 'How bad a conflict is, ascending.';

CREATE TYPE radscheduler.conflict_state AS ENUM ('open', 'accepted', 'resolved');
COMMENT ON TYPE radscheduler.conflict_state IS 'Open: someone must look. Accepted: someone has allowed it. Resolved: it no longer exists.';

CREATE TYPE radscheduler.appointment_status AS ENUM (
    'PENDING', 'WAITLISTED', 'SCHEDULED', 'CONFIRMED', 'PENDING_REVIEW', 'ARRIVED', 'IN_PROGRESS',
    'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED');
COMMENT ON TYPE radscheduler.appointment_status IS
    'Life cycle of an appointment. SCHEDULED, CONFIRMED, PENDING_REVIEW, ARRIVED and IN_PROGRESS occupy time; COMPLETED, CANCELLED, DISCONTINUED, NO_SHOW and DELETED are closed.';

CREATE TYPE radscheduler.ingest_result AS (
    message_id     bigint,
    ack            bytea,
    code           text,
    outcome        text,
    appointment_id bigint,
    warnings       jsonb,
    conflicts      jsonb
);
COMMENT ON TYPE radscheduler.ingest_result IS
    'What became of a message: its number in hl7_message, the acknowledgement to send (unframed), MSA-1, outcome (applied, flagged, duplicate, stale, ignored, error, rejected), the appointment, warnings and conflicts.';

CREATE TYPE radscheduler.http_reply AS (
    status       integer,
    content_type text,
    body         text
);
COMMENT ON TYPE radscheduler.http_reply IS 'An HTTP answer made in SQL: status code, media type, body.';

CREATE FUNCTION radscheduler.is_timezone(name text) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM timezone(name, '2000-01-01 00:00+00'::timestamptz);
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION radscheduler.is_timezone(text) IS 'Whether PostgreSQL knows a time zone of this name.';

CREATE FUNCTION radscheduler.is_profile(profile jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN jsonb_typeof(profile) = 'object'
       AND NOT EXISTS (SELECT FROM jsonb_each(profile) p WHERE NOT CASE p.key
               WHEN 'timezone' THEN jsonb_typeof(p.value) = 'string' AND radscheduler.is_timezone(p.value #>> '{}')
               WHEN 'repair' THEN p.value IN ('"lenient"', '"strict"')
               WHEN 'on_conflict' THEN p.value IN ('"flag"', '"reject"')
               WHEN 'start_source' THEN p.value IN ('"appointment"', '"service"')
               WHEN 'charset' THEN jsonb_typeof(p.value) = 'string' AND radscheduler.hl7_charset(p.value #>> '{}') IS NOT NULL
               ELSE false END);
END
$$;
COMMENT ON FUNCTION radscheduler.is_profile(jsonb) IS
    'Whether a sender profile holds only keys and values that are understood: timezone (IANA), repair (lenient, strict), on_conflict (flag, reject), start_source (appointment, service), charset (HL7 table 0211).';

CREATE FUNCTION radscheduler.is_occupying(status radscheduler.appointment_status) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN status IN ('SCHEDULED'::radscheduler.appointment_status, 'CONFIRMED', 'PENDING_REVIEW', 'ARRIVED', 'IN_PROGRESS');
COMMENT ON FUNCTION radscheduler.is_occupying(radscheduler.appointment_status) IS 'True for the states that take time from patient and resources.';

CREATE FUNCTION radscheduler.is_closed(status radscheduler.appointment_status) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN status IN ('COMPLETED'::radscheduler.appointment_status, 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED');
COMMENT ON FUNCTION radscheduler.is_closed(radscheduler.appointment_status) IS 'True for the states nothing follows in the ordinary course.';
-- Code tables that ship with a version and are replaced with it. A site's own lists are records, filled from these when the site is created.

CREATE TABLE radscheduler.modality_catalogue (
    code            text     PRIMARY KEY,
    label           text     NOT NULL,
    name            text     NOT NULL,
    default_minutes smallint NOT NULL,
    aliases         text[]   NOT NULL
);
COMMENT ON TABLE  radscheduler.modality_catalogue IS 'Modalities a new site starts with.';
COMMENT ON COLUMN radscheduler.modality_catalogue.code IS 'DICOM modality code (PS3.3 C.7.3.1.1.1).';
COMMENT ON COLUMN radscheduler.modality_catalogue.label IS 'Name in the appointments view and the API.';
COMMENT ON COLUMN radscheduler.modality_catalogue.name IS 'Name for people.';
COMMENT ON COLUMN radscheduler.modality_catalogue.default_minutes IS 'Minutes of an exam whose message gives no duration.';
COMMENT ON COLUMN radscheduler.modality_catalogue.aliases IS 'Words and code prefixes that mean it, upper case.';
INSERT INTO radscheduler.modality_catalogue VALUES
    ('MR', 'MRI',    'Magnetic resonance',   45, '{MR,MRI,MRA,MRV,MRCP,FMRI}'),
    ('CT', 'CT',     'Computed tomography',  30, '{CT,CTA,CAT,CTU}'),
    ('DX', 'XRAY',   'Radiography',          15, '{DX,CR,DR,XR,XRAY,RADIOGRAPH,RADIOGRAPHY,RADIOGRAPHS}'),
    ('US', 'US',     'Ultrasound',           30, '{US,ULTRASOUND,SONO,SONOGRAM,SONOGRAPHY,DOPPLER,DUPLEX,ECHO}'),
    ('MG', 'MAMMO',  'Mammography',          20, '{MG,MAM,MAMMO,MAMMOGRAM,MAMMOGRAPHY,TOMOSYNTHESIS}'),
    ('NM', 'NM',     'Nuclear medicine',     60, '{NM,NUC,NUCLEAR,SPECT,SCINTIGRAPHY}'),
    ('PT', 'PET',    'Positron emission tomography', 120, '{PT,PET,PETCT}'),
    ('RF', 'FLUORO', 'Fluoroscopy',          30, '{RF,FL,FLUORO,FLUOROSCOPY,BARIUM,ESOPHAGRAM}'),
    ('XA', 'ANGIO',  'Angiography and intervention', 60, '{XA,IR,ANGIO,ANGIOGRAM,ANGIOGRAPHY,BIOPSY}'),
    ('BMD', 'DEXA',  'Bone densitometry',    20, '{BMD,DEXA,DXA,DENSITOMETRY}'),
    ('OT', 'OTHER',  'Other',                30, '{OT,OTHER}');

CREATE TABLE radscheduler.procedure_catalogue (
    code     text     PRIMARY KEY,
    name     text     NOT NULL,
    modality text     NOT NULL REFERENCES radscheduler.modality_catalogue,
    minutes  smallint
);
COMMENT ON TABLE  radscheduler.procedure_catalogue IS 'Exams a new site starts with.';
COMMENT ON COLUMN radscheduler.procedure_catalogue.code IS 'Universal service identifier (AIS-3.1).';
COMMENT ON COLUMN radscheduler.procedure_catalogue.name IS 'Study text.';
COMMENT ON COLUMN radscheduler.procedure_catalogue.modality IS 'DICOM modality code.';
COMMENT ON COLUMN radscheduler.procedure_catalogue.minutes IS 'Usual minutes; NULL means the modality''s default.';
INSERT INTO radscheduler.procedure_catalogue VALUES
    ('MRI001', 'MRI BRAIN W/O CONTRAST', 'MR', 45),
    ('CT002',  'CT CHEST W CONTRAST',    'CT', 30),
    ('XR003',  'CHEST XRAY 2 VIEWS',     'DX', 15),
    ('US004',  'ABDOMINAL ULTRASOUND',   'US', 30);

CREATE TABLE radscheduler.status_alias (
    alias  text PRIMARY KEY,
    status radscheduler.appointment_status NOT NULL
);
COMMENT ON TABLE  radscheduler.status_alias IS 'What senders write in SCH-25 (HL7 table 0278 and the words used in the wild).';
COMMENT ON COLUMN radscheduler.status_alias.alias IS 'Upper case, letters and digits only.';
COMMENT ON COLUMN radscheduler.status_alias.status IS 'State it means.';
INSERT INTO radscheduler.status_alias VALUES
    ('PENDING', 'PENDING'), ('TENTATIVE', 'PENDING'), ('REQUESTED', 'PENDING'), ('HOLD', 'PENDING'), ('PENCILED', 'PENDING'),
    ('WAITLIST', 'WAITLISTED'), ('WAITLISTED', 'WAITLISTED'),
    ('BOOKED', 'SCHEDULED'), ('SCHEDULED', 'SCHEDULED'), ('SCH', 'SCHEDULED'), ('NEW', 'SCHEDULED'), ('RESCHEDULED', 'SCHEDULED'),
    ('MODIFIED', 'SCHEDULED'), ('OVERBOOK', 'SCHEDULED'), ('ACTIVE', 'SCHEDULED'), ('CONFIRMED', 'CONFIRMED'),
    ('PENDINGREVIEW', 'PENDING_REVIEW'),
    ('ARRIVED', 'ARRIVED'), ('CHECKEDIN', 'ARRIVED'), ('CHECKIN', 'ARRIVED'), ('REGISTERED', 'ARRIVED'),
    ('STARTED', 'IN_PROGRESS'), ('INPROGRESS', 'IN_PROGRESS'), ('BEGUN', 'IN_PROGRESS'), ('EXAMSTARTED', 'IN_PROGRESS'),
    ('COMPLETE', 'COMPLETED'), ('COMPLETED', 'COMPLETED'), ('FULFILLED', 'COMPLETED'), ('CHECKEDOUT', 'COMPLETED'), ('CLOSED', 'COMPLETED'),
    ('CANCELLED', 'CANCELLED'), ('CANCELED', 'CANCELLED'), ('CAN', 'CANCELLED'), ('CX', 'CANCELLED'),
    ('DC', 'DISCONTINUED'), ('DISCONTINUED', 'DISCONTINUED'), ('ABORTED', 'DISCONTINUED'), ('LWBS', 'DISCONTINUED'),
    ('NOSHOW', 'NO_SHOW'), ('NS', 'NO_SHOW'), ('MISSED', 'NO_SHOW'), ('DNA', 'NO_SHOW'),
    ('DELETED', 'DELETED'), ('ENTEREDINERROR', 'DELETED');

CREATE TABLE radscheduler.event_rule (
    trigger_event  text NOT NULL,
    state          text NOT NULL CHECK (state IN ('unknown', 'active', 'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED')),
    action         text NOT NULL CHECK (action IN ('create', 'update', 'revive', 'renew', 'close', 'tombstone', 'amend', 'keep', 'refuse')),
    default_status radscheduler.appointment_status,
    warning        text,
    PRIMARY KEY (trigger_event, state)
);
COMMENT ON TABLE  radscheduler.event_rule IS 'What a trigger event (HL7 chapter 10.3) does to an appointment, by the state the appointment is in.';
COMMENT ON COLUMN radscheduler.event_rule.trigger_event IS 'MSH-9.2.';
COMMENT ON COLUMN radscheduler.event_rule.state IS 'unknown: no such appointment; active: not closed; else the closed state it is in.';
COMMENT ON COLUMN radscheduler.event_rule.action IS
    'create: new appointment; update: apply the snapshot; revive: open it again in the same row; renew: new generation under the same identifiers; close: end it and free its time; tombstone: record the closing of an appointment not yet seen; amend: change what is not schedule; keep: nothing to do (AA); refuse: unknown key (AE 204).';
COMMENT ON COLUMN radscheduler.event_rule.default_status IS 'Status when SCH-25 gives none; NULL keeps the present one.';
COMMENT ON COLUMN radscheduler.event_rule.warning IS 'Code of the warning the message is given, if any.';
INSERT INTO radscheduler.event_rule VALUES
    ('S12', 'unknown', 'create', 'SCHEDULED', NULL),
    ('S12', 'active', 'update', NULL, NULL),
    ('S12', 'COMPLETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'CANCELLED', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DISCONTINUED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S12', 'NO_SHOW', 'renew', 'SCHEDULED', NULL),
    ('S12', 'DELETED', 'renew', 'SCHEDULED', 'ID_REUSED'),
    ('S13', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S13', 'active', 'update', 'SCHEDULED', NULL),
    ('S13', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S13', 'CANCELLED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DISCONTINUED', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'NO_SHOW', 'revive', 'SCHEDULED', 'REVIVED'),
    ('S13', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S14', 'unknown', 'create', 'SCHEDULED', 'UPDATE_BEFORE_CREATE'),
    ('S14', 'active', 'update', NULL, NULL),
    ('S14', 'COMPLETED', 'amend', NULL, NULL),
    ('S14', 'CANCELLED', 'amend', NULL, NULL),
    ('S14', 'DISCONTINUED', 'amend', NULL, NULL),
    ('S14', 'NO_SHOW', 'amend', NULL, NULL),
    ('S14', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'unknown', 'tombstone', 'CANCELLED', 'CANCEL_BEFORE_CREATE'),
    ('S15', 'active', 'close', 'CANCELLED', NULL),
    ('S15', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'CANCELLED', 'keep', NULL, NULL),
    ('S15', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S15', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'unknown', 'tombstone', 'DISCONTINUED', 'CANCEL_BEFORE_CREATE'),
    ('S16', 'active', 'close', 'DISCONTINUED', NULL),
    ('S16', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DISCONTINUED', 'keep', NULL, NULL),
    ('S16', 'NO_SHOW', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S16', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'unknown', 'tombstone', 'DELETED', 'CANCEL_BEFORE_CREATE'),
    ('S17', 'active', 'close', 'DELETED', NULL),
    ('S17', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'CANCELLED', 'close', 'DELETED', NULL),
    ('S17', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S17', 'NO_SHOW', 'close', 'DELETED', NULL),
    ('S17', 'DELETED', 'keep', NULL, NULL),
    ('S26', 'unknown', 'tombstone', 'NO_SHOW', 'CANCEL_BEFORE_CREATE'),
    ('S26', 'active', 'close', 'NO_SHOW', NULL),
    ('S26', 'COMPLETED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'CANCELLED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'DISCONTINUED', 'keep', NULL, 'CLOSED_APPOINTMENT'),
    ('S26', 'NO_SHOW', 'keep', NULL, NULL),
    ('S26', 'DELETED', 'keep', NULL, 'CLOSED_APPOINTMENT');

CREATE TABLE radscheduler.warning_kind (
    code text PRIMARY KEY,
    text text NOT NULL
);
COMMENT ON TABLE  radscheduler.warning_kind IS 'The warnings that the rules in SQL give; the reader of messages gives its own, each with its sentence.';
COMMENT ON COLUMN radscheduler.warning_kind.code IS 'Stable code.';
COMMENT ON COLUMN radscheduler.warning_kind.text IS 'Sentence for people.';
INSERT INTO radscheduler.warning_kind VALUES
    ('CONTROL_ID_REUSED', 'This sender has used this control id for other bytes before; the message was processed as a new one.'),
    ('SENDER_UNKNOWN', 'This pair of sending application and facility was not known; it was recorded with the default profile.'),
    ('RESOURCE_UNKNOWN', 'This resource was not known; it was recorded with capacity 1 and no buffers.'),
    ('ZONE_ASSUMED', 'Neither the message nor the sender nor the site names a time zone; radscheduler.default_timezone was used.'),
    ('ID_REUSED', 'The appointment identifier was used before for another appointment; a new generation was opened.'),
    ('UPDATE_BEFORE_CREATE', 'The change arrived before the booking; the appointment was created from it.'),
    ('CANCEL_BEFORE_CREATE', 'The closing arrived before the booking; it is kept so that a late booking does not open the appointment.'),
    ('CLOSED_APPOINTMENT', 'The appointment is already closed in another way; nothing was changed.'),
    ('REVIVED', 'A closed appointment was opened again by a newer reschedule.'),
    ('STALE', 'A newer message has already been applied to this appointment; this one was kept but not applied.'),
    ('CLOCK_SKEW', 'The message time is more than five minutes ahead of this system; arrival time was used for ordering.'),
    ('STATUS_UNKNOWN', 'The status sent is not in the table of status words; it was not used.'),
    ('STATUS_DISAGREES', 'The status sent says the appointment is still open, the event closes it; the event was followed.'),
    ('MODALITY_UNKNOWN', 'No procedure, resource, code or word of the message names a modality; OT was recorded.'),
    ('DURATION_ASSUMED', 'No usable duration was sent; the usual one of the procedure or modality was used.'),
    ('DATE_ONLY', 'Only a date was sent as start; the appointment was put on the waiting list without occupying time.'),
    ('TIME_DISTRUSTED', 'A resource time lies more than a day away from the appointment; the appointment''s own time was used.'),
    ('PHONE_UNUSABLE', 'The phone number cannot be completed to an international number; it was kept as sent.'),
    ('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'A modification without time, status or resources may be a cancellation in an older naming; nothing was changed.'),
    ('TIME_IN_DST_GAP', 'The start does not exist on that day (clocks are put forward); the moment after the gap was used.'),
    ('TIME_AMBIGUOUS', 'The start exists twice on that day (clocks are put back); the first of the two was used.');

CREATE TABLE radscheduler.phone_region (
    region       text PRIMARY KEY,
    calling_code text NOT NULL,
    trunk_prefix text NOT NULL,
    min_digits   smallint NOT NULL,
    max_digits   smallint NOT NULL
);
COMMENT ON TABLE  radscheduler.phone_region IS 'How a national phone number becomes an international one (ITU-T E.164).';
COMMENT ON COLUMN radscheduler.phone_region.region IS 'ISO 3166 country code.';
COMMENT ON COLUMN radscheduler.phone_region.calling_code IS 'Country calling code without plus.';
COMMENT ON COLUMN radscheduler.phone_region.trunk_prefix IS 'Digit dialled before a national number, dropped internationally; empty when there is none.';
COMMENT ON COLUMN radscheduler.phone_region.min_digits IS 'Fewest digits of a national number without trunk prefix.';
COMMENT ON COLUMN radscheduler.phone_region.max_digits IS 'Most digits of a national number without trunk prefix.';
INSERT INTO radscheduler.phone_region VALUES
    ('US', '1', '1', 10, 10), ('CA', '1', '1', 10, 10), ('GB', '44', '0', 9, 10), ('IE', '353', '0', 7, 9), ('FR', '33', '0', 9, 9),
    ('DE', '49', '0', 6, 11), ('AT', '43', '0', 4, 12), ('CH', '41', '0', 9, 9), ('NL', '31', '0', 9, 9), ('BE', '32', '0', 8, 9),
    ('ES', '34', '', 9, 9), ('PT', '351', '', 9, 9), ('IT', '39', '', 6, 11), ('DK', '45', '', 8, 8), ('NO', '47', '', 8, 8),
    ('SE', '46', '0', 7, 10), ('FI', '358', '0', 5, 12), ('PL', '48', '', 9, 9), ('IN', '91', '0', 10, 10), ('AU', '61', '0', 9, 9),
    ('NZ', '64', '0', 8, 10), ('ZA', '27', '0', 9, 9), ('BR', '55', '0', 10, 11), ('MX', '52', '', 10, 10), ('JP', '81', '0', 9, 10);
-- Records live outside the extension: provision() creates them, migrate() moves them on, both detach them, so that pg_dump keeps
-- every row, index and policy and DROP EXTENSION refuses while they are there. The steps themselves follow this file in the built script.

CREATE TABLE radscheduler.storage_step (
    version integer PRIMARY KEY,
    topic   text NOT NULL,
    script  text NOT NULL
);
COMMENT ON TABLE  radscheduler.storage_step IS 'The numbered migrations of the records, as this version of the extension ships them.';
COMMENT ON COLUMN radscheduler.storage_step.version IS 'Order; schema_version holds those applied.';
COMMENT ON COLUMN radscheduler.storage_step.topic IS 'What the step lays out.';
COMMENT ON COLUMN radscheduler.storage_step.script IS 'SQL statements of the step.';

CREATE FUNCTION radscheduler.storage_objects(OUT kind text, OUT name text, OUT is_code boolean) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.relname::text,
       c.relname IN ('storage_step', 'modality_catalogue', 'procedure_catalogue', 'status_alias', 'event_rule',
                     'warning_kind', 'conflict_kind', 'phone_region')
FROM pg_depend d
JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
WHERE d.deptype = 'e' AND e.extname = 'radscheduler' AND c.relkind IN ('r', 'p', 'v', 'S')
$$;
COMMENT ON FUNCTION radscheduler.storage_objects() IS 'Tables, views and sequences that are members of the extension; is_code marks the code tables that must be.';

CREATE FUNCTION radscheduler.detach_records() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_object record;
    v_count  integer := 0;
BEGIN
    FOR v_object IN SELECT o.kind, o.name FROM radscheduler.storage_objects() o WHERE NOT o.is_code ORDER BY o.kind, o.name LOOP
        EXECUTE format('ALTER EXTENSION radscheduler DROP %s radscheduler.%I', v_object.kind, v_object.name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.detach_records() IS 'Takes records that an extension script created out of the extension; returns how many.';

CREATE FUNCTION radscheduler.storage_version() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_version integer;
BEGIN
    IF to_regclass('radscheduler.schema_version') IS NULL THEN
        RETURN 0;
    END IF;
    SELECT coalesce(max(s.version), 0) INTO v_version FROM radscheduler.schema_version s;
    RETURN v_version;
END
$$;
COMMENT ON FUNCTION radscheduler.storage_version() IS 'Last storage step applied in this database; 0 when there are no records yet.';

CREATE FUNCTION radscheduler.migrate() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_step    record;
    v_current integer;
    v_count   integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.migrate'));
    v_current := radscheduler.storage_version();
    IF v_current = 0 THEN
        CREATE TABLE radscheduler.schema_version (
            version    integer     PRIMARY KEY,
            topic      text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
        );
        COMMENT ON TABLE  radscheduler.schema_version IS 'Storage steps applied to these records.';
        COMMENT ON COLUMN radscheduler.schema_version.version IS 'Step, see storage_step.';
        COMMENT ON COLUMN radscheduler.schema_version.topic IS 'What it laid out.';
        COMMENT ON COLUMN radscheduler.schema_version.applied_at IS 'When.';
    END IF;
    FOR v_step IN SELECT s.version, s.topic, s.script FROM radscheduler.storage_step s WHERE s.version > v_current ORDER BY s.version LOOP
        EXECUTE v_step.script;
        INSERT INTO radscheduler.schema_version (version, topic) VALUES (v_step.version, v_step.topic);
        v_count := v_count + 1;
    END LOOP;
    PERFORM radscheduler.detach_records();
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.migrate() IS
    'Applies the storage steps that this database lacks, all in the calling transaction; returns how many. Safe to call again and by several sessions.';

CREATE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_parent  text;
    v_month   timestamptz;
    v_name    text;
    v_key     text;
    v_until   timestamptz;
    v_created text[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('radscheduler.maintain'));
    FOREACH v_parent IN ARRAY ARRAY['hl7_message', 'event_log'] LOOP
        FOR v_month IN SELECT timezone('UTC', g) FROM generate_series(date_trunc('month', timezone('UTC', now())),
                                                  date_trunc('month', timezone('UTC', now())) + interval '3 months', interval '1 month') g LOOP
            v_name := format('%s_%s', v_parent, to_char(timezone('UTC', v_month), 'YYYYMM'));
            IF to_regclass(format('radscheduler.%I', v_name)) IS NULL THEN
                v_until := timezone('UTC', timezone('UTC', v_month) + interval '1 month');
                v_key := CASE v_parent WHEN 'hl7_message' THEN 'received_at' ELSE 'recorded_at' END;
                EXECUTE format('CREATE TABLE radscheduler.%I (LIKE radscheduler.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', v_name, v_parent);
                EXECUTE format('WITH moved AS (DELETE FROM radscheduler.%I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO radscheduler.%I SELECT * FROM moved',
                               v_parent || '_default', v_key, v_month, v_key, v_until, v_name);
                EXECUTE format('ALTER TABLE radscheduler.%I ATTACH PARTITION radscheduler.%I FOR VALUES FROM (%L) TO (%L)', v_parent, v_name, v_month, v_until);
                EXECUTE format('COMMENT ON TABLE radscheduler.%I IS %L', v_name, format('Rows of %s of one month (UTC).', v_parent));
                v_created := v_created || v_name;
            END IF;
        END LOOP;
    END LOOP;
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_created));
END
$$;
COMMENT ON FUNCTION radscheduler.maintain() IS
    'Makes the monthly partitions of hl7_message and event_log for this and the next three months, and moves into them what had to wait in the default partition. The sidecar calls it hourly; without the sidecar call it from cron at least monthly. Returns {partitions_created}.';

CREATE FUNCTION radscheduler.provision() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF current_setting('row_security') = 'off' OR NOT coalesce(current_setting('radscheduler.auto_provision', true), 'on')::boolean THEN
        RETURN false;
    ELSIF radscheduler.storage_version() > 0 THEN
        RAISE EXCEPTION 'this database has radscheduler records already'
            USING ERRCODE = 'duplicate_object', HINT = 'SELECT radscheduler.migrate(); brings them up to this version.';
    END IF;
    PERFORM radscheduler.migrate();
    PERFORM radscheduler.maintain();
    PERFORM radscheduler.create_site('MAIN', 'Main site', NULL);
    PERFORM radscheduler.detach_records();
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.provision() IS
    'Creates the records with one site, MAIN; CREATE EXTENSION calls it. Does nothing in a restore (row_security = off, as pg_dump and pg_restore set it) or when radscheduler.auto_provision is off. Fails rather than adopt tables that are already there.';
-- Which site, whose clock, which sender.

CREATE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF create_site.timezone IS NOT NULL AND NOT radscheduler.is_timezone(create_site.timezone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', create_site.timezone
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    END IF;
    INSERT INTO radscheduler.site (code, name, timezone) VALUES (create_site.code, create_site.name, create_site.timezone)
        RETURNING site_id INTO v_site;
    INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes)
        SELECT v_site, c.code, c.label, c.name, c.default_minutes FROM radscheduler.modality_catalogue c;
    INSERT INTO radscheduler.modality_alias (site_id, alias, code)
        SELECT v_site, a.alias, c.code FROM radscheduler.modality_catalogue c, unnest(c.aliases) a(alias);
    INSERT INTO radscheduler.procedure (site_id, code, name, modality, minutes)
        SELECT v_site, c.code, c.name, c.modality, c.minutes FROM radscheduler.procedure_catalogue c;
    INSERT INTO radscheduler.resource_hours (site_id, weekday, opens, closes)
        SELECT v_site, d, '07:00', '19:00' FROM generate_series(1, 5) d;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.create_site(text, text, text) IS
    'Records a site with its catalogues and opening hours Monday to Friday 07:00 to 19:00; returns its id. timezone is an IANA name, or NULL for radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.current_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_code text := nullif(current_setting('radscheduler.site', true), '');
    v_site integer;
    v_more boolean;
BEGIN
    IF v_code IS NOT NULL THEN
        SELECT s.site_id INTO v_site FROM radscheduler.site s WHERE s.code = v_code;
        IF v_site IS NULL THEN
            RAISE EXCEPTION 'there is no site "%"', v_code
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Set radscheduler.site to the code of a row in radscheduler.site.';
        END IF;
        RETURN v_site;
    END IF;
    SELECT min(s.site_id), count(*) > 1 INTO v_site, v_more FROM radscheduler.site s;
    IF v_more OR v_site IS NULL THEN
        RAISE EXCEPTION 'this database has % and the session names none', CASE WHEN v_more THEN 'several sites' ELSE 'no site' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SET radscheduler.site = ''code of the site''; or create one with radscheduler.create_site().';
    END IF;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.current_site() IS
    'The site this session works for: the setting radscheduler.site, or the only site there is. Raises 22023 when neither says.';

CREATE FUNCTION radscheduler.site_zone(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce((SELECT s.timezone FROM radscheduler.site s WHERE s.site_id = p_site), coalesce(nullif(current_setting('radscheduler.default_timezone', true), ''), 'UTC')));
END
$$;
COMMENT ON FUNCTION radscheduler.site_zone(integer) IS 'IANA zone of a site, or radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_code text := nullif(current_setting('radscheduler.site', true), '');
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, s.profile INTO sender_of.site_id, sender_of.sender_id, sender_of.profile
        FROM radscheduler.sender s
        WHERE s.sending_application = p_application AND s.sending_facility = p_facility
          AND (v_code IS NULL OR s.site_id = (SELECT t.site_id FROM radscheduler.site t WHERE t.code = v_code))
        ORDER BY s.site_id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    sender_of.site_id := CASE WHEN v_code IS NOT NULL THEN radscheduler.current_site()
                              ELSE (SELECT min(s.site_id) FROM radscheduler.site s) END;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (sender_of.site_id, p_application, p_facility, false)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id, sender.profile INTO sender_of.sender_id, sender_of.profile;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        RETURN;
    END IF;
    SELECT s.sender_id, s.profile INTO sender_of.sender_id, sender_of.profile FROM radscheduler.sender s
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. An unknown pair is recorded at the session''s site, else at the first one.';
-- From the words of a message to values: instants, phone numbers, modalities, statuses, urgency.

CREATE FUNCTION radscheduler.to_instant(iso text, zone text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_local   timestamp;
    v_instant timestamptz;
BEGIN
    IF iso IS NULL OR length(iso) < 16 THEN
        RETURN NULL;
    ELSIF right(iso, 1) = 'Z' OR left(right(iso, 6), 1) IN ('+', '-') THEN
        RETURN iso::timestamptz;
    END IF;
    v_local := iso::timestamp;
    v_instant := timezone(zone, v_local);
    IF timezone(zone, v_instant - interval '1 hour') = v_local THEN
        RETURN v_instant - interval '1 hour';
    ELSIF timezone(zone, v_instant - interval '30 minutes') = v_local THEN
        RETURN v_instant - interval '30 minutes';
    END IF;
    RETURN v_instant;
END
$$;
COMMENT ON FUNCTION radscheduler.to_instant(text, text) IS
    'A time of a message as an instant: its own offset wins, else the zone. A wall-clock time that exists twice (clocks put back) is the first of the two; NULL for a date without time.';

CREATE FUNCTION radscheduler.clock_doubt(iso text, zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN iso IS NULL OR length(iso) < 16 OR iso ~ '(Z|[+-]\d\d:\d\d)$' THEN NULL
                WHEN timezone(zone, timezone(zone, iso::timestamp)) <> iso::timestamp THEN 'TIME_IN_DST_GAP'
                WHEN radscheduler.to_instant(iso, zone) <> timezone(zone, iso::timestamp) THEN 'TIME_AMBIGUOUS' END);
END
$$;
COMMENT ON FUNCTION radscheduler.clock_doubt(text, text) IS
    'TIME_IN_DST_GAP for a wall-clock time that does not exist in the zone, TIME_AMBIGUOUS for one that exists twice, else NULL.';

CREATE FUNCTION radscheduler.e164(phone text, region text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE
        WHEN phone IS NULL THEN NULL
        WHEN trimmed LIKE '+%' THEN CASE WHEN digits ~ '^[1-9]\d{6,14}$' THEN '+' || digits END
        WHEN trimmed LIKE '00%' AND region NOT IN ('US', 'CA') THEN CASE WHEN substr(digits, 3) ~ '^[1-9]\d{6,14}$' THEN '+' || substr(digits, 3) END
        ELSE (SELECT '+' || r.calling_code || n.national
              FROM radscheduler.phone_region r,
                   LATERAL (SELECT CASE WHEN r.trunk_prefix <> '' AND length(digits) > r.min_digits AND digits LIKE r.trunk_prefix || '%'
                                        THEN substr(digits, length(r.trunk_prefix) + 1) ELSE digits END) n(national)
              WHERE r.region = e164.region AND length(n.national) BETWEEN r.min_digits AND r.max_digits)
        END
    FROM (SELECT btrim(regexp_replace(phone, '\s*(x|ext\.?|#)\s*\d+$', '', 'i')),
                 regexp_replace(regexp_replace(phone, '\s*(x|ext\.?|#)\s*\d+$', '', 'i'), '\D', '', 'g')) v(trimmed, digits));
END
$$;
COMMENT ON FUNCTION radscheduler.e164(text, text) IS
    'A phone number in E.164 form, completed with the region''s numbering plan (ISO 3166 code); NULL when it cannot be one. An extension is dropped.';

CREATE FUNCTION radscheduler.modality_code(p_site integer, word text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT a.code FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = replace(upper(btrim(word)), '-', ''));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_code(integer, text) IS 'DICOM code for a modality word (label, code or alias) at a site; NULL when it is none.';

CREATE FUNCTION radscheduler.modality_guess(p_site integer, codes text[], texts text[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT a.code FROM unnest(codes) WITH ORDINALITY c(value, place)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = upper(substring(c.value from '^[A-Za-z]+'))
            ORDER BY c.place LIMIT 1),
        (SELECT a.code FROM unnest(texts) WITH ORDINALITY t(value, place),
                regexp_split_to_table(replace(upper(t.value), 'X-RAY', 'XRAY'), '[^A-Z0-9]+') WITH ORDINALITY w(word, position)
            JOIN radscheduler.modality_alias a ON a.site_id = p_site AND a.alias = w.word
            ORDER BY t.place, w.position LIMIT 1)));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_guess(integer, text[], text[]) IS
    'DICOM code told by the letters that start a study code, else by the first word of the texts that is a modality alias; NULL when nothing tells.';

CREATE FUNCTION radscheduler.status_of(words jsonb) RETURNS radscheduler.appointment_status
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT s.status FROM jsonb_array_elements_text(words) WITH ORDINALITY w(word, place)
        JOIN radscheduler.status_alias s ON s.alias = regexp_replace(upper(w.word), '[^A-Z0-9]', '', 'g')
        ORDER BY w.place LIMIT 1);
END
$$;
COMMENT ON FUNCTION radscheduler.status_of(jsonb) IS 'First of an array of status words that the table status_alias knows; NULL when none is.';

CREATE FUNCTION radscheduler.urgency_of(priority text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN upper(btrim(priority)) IN ('S', 'STAT', 'EMERGENCY', 'E', 'EMERGENT') THEN 'stat'
                WHEN upper(btrim(priority)) IN ('A', 'ASAP', 'U', 'URGENT', 'P', 'C', 'T', 'TS') OR upper(btrim(priority)) ~ '^T[SMHDWL]\d' THEN 'urgent'
                ELSE 'routine' END);
END
$$;
COMMENT ON FUNCTION radscheduler.urgency_of(text) IS 'stat, urgent or routine for a priority code (HL7 tables 0485 and TQ.6) or word.';

CREATE FUNCTION radscheduler.warning(code text, path text DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('code', k.code, 'path', warning.path, 'text', k.text))
    FROM radscheduler.warning_kind k WHERE k.code = warning.code);
END
$$;
COMMENT ON FUNCTION radscheduler.warning(text, text) IS 'A warning as it stands in hl7_message.warnings: {code, path, text}.';
-- One lock order for every writer: keys that the request itself names, ascending; then resources and patients, ascending; then rows by id.
-- A class of its own for each phase (7421001 names, 7421003 the recording of unknown resources, 7421002 subjects) keeps them apart, so that
-- a hash collision can only make two writers wait for each other in turn, never in a ring.

CREATE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key integer;
BEGIN
    FOR v_key IN SELECT DISTINCT hashtext(n) FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(7421001, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_keys(text[]) IS 'Phase one: takes transaction locks on the names a request gives (appointment keys, patient identifiers), in ascending order of their hashes.';

CREATE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key integer;
BEGIN
    FOR v_key IN
        SELECT hashint8extended(r, p_site)::bit(32)::integer FROM unnest(resources) r WHERE r IS NOT NULL
        UNION
        SELECT hashint8extended(p, -p_site)::bit(32)::integer FROM unnest(patients) p WHERE p IS NOT NULL
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(7421002, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_subjects(integer, bigint[], bigint[]) IS 'Phase two: takes transaction locks on resources and patients, in ascending order of their hashes.';
-- Telling listeners that event_log has grown.

CREATE FUNCTION radscheduler.event_log_wake() RETURNS trigger
    AS 'MODULE_PATHNAME', 'rad_event_log_wake' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION radscheduler.event_log_wake() IS
    'Wakes listeners on channel radscheduler_wake after the transaction commits, in the way radscheduler.notify says.';
-- Taking time. occupy() asks the exclusion constraint for lane 0 of every subject at once; what it refuses goes to place(), which
-- finds the lowest free lane. Callers hold the locks of 42-locks.sql.

CREATE FUNCTION radscheduler.occupancy_wanted(p_site integer, p_appointment bigint,
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT during tstzrange, OUT buffered tstzrange) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 4 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT 'resource'::radscheduler.axis, w.resource_id,
           tstzrange(lower(w.span) + make_interval(mins => w.setup), upper(w.span) - make_interval(mins => w.turnover)), w.span
    FROM (SELECT r.resource_id, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
                 unnest(range_agg(tstzrange(coalesce(ar.starts_at, a.starts_at) - make_interval(mins => r.setup_minutes::integer),
                                            coalesce(ar.ends_at, a.ends_at) + make_interval(mins => r.turnover_minutes::integer)))) AS span
          FROM radscheduler.appointment a
          JOIN radscheduler.appointment_resource ar ON ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id
          JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
          WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND radscheduler.is_occupying(a.status) AND a.starts_at IS NOT NULL
          GROUP BY r.resource_id, r.setup_minutes, r.turnover_minutes) w
    UNION ALL
    SELECT 'patient', p.patient_id, p.span, p.span
    FROM (SELECT a.patient_id, unnest(range_agg(tstzrange(coalesce(s.starts_at, a.starts_at), coalesce(s.ends_at, a.ends_at)))) AS span
          FROM radscheduler.appointment a
          LEFT JOIN radscheduler.appointment_service s ON s.site_id = a.site_id AND s.appointment_id = a.appointment_id
          WHERE a.site_id = p_site AND a.appointment_id = p_appointment AND radscheduler.is_occupying(a.status) AND a.starts_at IS NOT NULL
          GROUP BY a.patient_id) p;
END
$$;
COMMENT ON FUNCTION radscheduler.occupancy_wanted(integer, bigint) IS
    'What an appointment occupies by its own rows: each resource over its intervals widened by set-up and turnover, the patient over the exams. Nothing for a state that does not occupy.';

CREATE FUNCTION radscheduler.place(p_site integer, p_axis radscheduler.axis, p_subject bigint, p_during tstzrange, p_buffered tstzrange,
                                   p_appointment bigint) RETURNS smallint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_lane smallint;
BEGIN
    FOR v_attempt IN 1..100 LOOP
        WITH busy AS (
            SELECT DISTINCT o.lane FROM radscheduler.occupancy o
            WHERE o.site_id = p_site AND o.axis = p_axis AND o.subject_id = p_subject AND o.buffered && p_buffered)
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, (SELECT count(*)::integer FROM busy)) g(lane)
        WHERE NOT EXISTS (SELECT FROM busy b WHERE b.lane = g.lane);
        INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
            VALUES (p_site, p_axis, p_subject, v_lane, p_during, p_buffered, p_appointment)
            ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING;
        IF FOUND THEN
            RETURN v_lane;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'no lane could be taken: other transactions took each one first'
        USING ERRCODE = 'serialization_failure', HINT = 'Run the transaction again.';
END
$$;
COMMENT ON FUNCTION radscheduler.place(integer, radscheduler.axis, bigint, tstzrange, tstzrange, bigint) IS
    'Takes the lowest free lane of a subject and returns it. A race is lost cleanly to the exclusion constraint and tried again; 40001 after 100 lost races.';

CREATE FUNCTION radscheduler.occupy(p_site integer, p_appointment bigint, p_is_new boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item record;
BEGIN
    IF NOT p_is_new THEN
        DELETE FROM radscheduler.occupancy o WHERE o.site_id = p_site AND o.appointment_id = p_appointment;
    END IF;
    FOR v_item IN
        WITH wanted AS MATERIALIZED (
            SELECT * FROM radscheduler.occupancy_wanted(p_site, p_appointment)
        ), placed AS (
            INSERT INTO radscheduler.occupancy (site_id, axis, subject_id, lane, during, buffered, appointment_id)
                SELECT p_site, w.axis, w.subject_id, 0, w.during, w.buffered, p_appointment FROM wanted w
                ON CONFLICT ON CONSTRAINT occupancy_no_overlap DO NOTHING
                RETURNING axis, subject_id, buffered
        )
        SELECT w.* FROM wanted w
        WHERE NOT EXISTS (SELECT FROM placed p WHERE p.axis = w.axis AND p.subject_id = w.subject_id AND p.buffered = w.buffered)
    LOOP
        PERFORM radscheduler.place(p_site, v_item.axis, v_item.subject_id, v_item.during, v_item.buffered, p_appointment);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.occupy(integer, bigint, boolean) IS
    'Gives an appointment the time its rows ask for, in the lowest free lanes; p_is_new skips giving back what it held. Follow it with settle().';

CREATE FUNCTION radscheduler.vacate(p_site integer, p_appointment bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM radscheduler.occupancy o
        WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND (p_at IS NULL OR lower(o.during) >= p_at);
    IF p_at IS NOT NULL THEN
        UPDATE radscheduler.occupancy o
            SET during = tstzrange(lower(o.during), p_at), buffered = tstzrange(lower(o.buffered), p_at)
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment AND upper(o.during) > p_at;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.vacate(integer, bigint, timestamptz) IS
    'Gives back the time an appointment holds: all of it, or with p_at only what lies after that instant (an exam that ended early keeps its past).';
-- Two appointments conflict on a subject when their buffered times overlap and at least one of them stands in an overbooked lane.
-- settle() makes the conflict rows say exactly that, for the subjects that a change touched: new pairs open, vanished pairs resolve,
-- waiting overbookings move into lanes that have become free, and reviews whose reason has gone are lifted.

CREATE TABLE radscheduler.conflict_kind (
    code text PRIMARY KEY,
    axis text NOT NULL,
    text text NOT NULL
);
COMMENT ON TABLE  radscheduler.conflict_kind IS 'The kinds of conflict and their sentence.';
COMMENT ON COLUMN radscheduler.conflict_kind.code IS 'Stable code.';
COMMENT ON COLUMN radscheduler.conflict_kind.axis IS 'room, equipment, staff or patient.';
COMMENT ON COLUMN radscheduler.conflict_kind.text IS 'Sentence; %s is the resource.';
INSERT INTO radscheduler.conflict_kind VALUES
    ('ROOM_DOUBLE_BOOKED', 'room', 'Room %s is booked twice.'),
    ('EQUIPMENT_DOUBLE_BOOKED', 'equipment', 'Equipment %s is booked twice.'),
    ('STAFF_DOUBLE_BOOKED', 'staff', 'Staff member %s is booked twice.'),
    ('PATIENT_DOUBLE_BOOKED', 'patient', 'The patient is booked twice.');

CREATE FUNCTION radscheduler.conflict_severity(p_kind radscheduler.resource_kind, p_role text, p_modality text) RETURNS radscheduler.severity
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN p_kind = 'staff' AND p_role LIKE '%RADIOLOGIST%' AND coalesce(p_modality, '') NOT IN ('XA', 'RF')
                THEN 'warning'::radscheduler.severity ELSE 'critical' END);
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_severity(radscheduler.resource_kind, text, text) IS
    'A radiologist reads several diagnostic exams at once: a warning. Everything else, and radiologists in intervention or fluoroscopy (XA, RF): critical.';

CREATE FUNCTION radscheduler.conflict_pairs(p_site integer, p_appointment bigint, p_concerned bigint[], p_resources bigint[], p_patients bigint[],
        OUT axis radscheduler.axis, OUT subject_id bigint, OUT later_id bigint, OUT earlier_id bigint, OUT overlap tstzrange,
        OUT code text, OUT severity radscheduler.severity) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH subject AS (
        SELECT 'resource'::radscheduler.axis AS axis, r.resource_id AS subject_id, r.capacity, r.kind, r.role
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
        UNION ALL
        SELECT 'patient', p, 1, NULL, NULL FROM unnest(p_patients) p
    ), concerned AS (
        SELECT s.axis, s.subject_id, c.id AS appointment_id FROM subject s, unnest(p_concerned) c(id)
    ), pair AS (
        SELECT DISTINCT s.axis, s.subject_id, s.kind, s.role, o.lane >= s.capacity AS mine_over, q.lane >= s.capacity AS its_over,
               o.appointment_id AS mine, q.appointment_id AS its, o.buffered * q.buffered AS overlap
        FROM concerned k
        JOIN subject s ON s.axis = k.axis AND s.subject_id = k.subject_id
        JOIN radscheduler.occupancy o ON o.site_id = p_site AND o.appointment_id = k.appointment_id AND o.axis = s.axis AND o.subject_id = s.subject_id
        JOIN radscheduler.occupancy q ON q.site_id = p_site AND q.axis = s.axis AND q.subject_id = s.subject_id
                                     AND q.buffered && o.buffered AND q.appointment_id <> o.appointment_id
        WHERE (o.lane >= s.capacity) <> (q.lane >= s.capacity)
    ), told AS (
        SELECT DISTINCT ON (p.axis, p.subject_id, least(p.mine, p.its), greatest(p.mine, p.its))
               p.axis, p.subject_id, p.kind, p.role, p.overlap,
               CASE WHEN p.mine = p_appointment OR (p.its <> p_appointment AND p.mine_over) THEN p.mine ELSE p.its END AS later_id,
               CASE WHEN p.mine = p_appointment OR (p.its <> p_appointment AND p.mine_over) THEN p.its ELSE p.mine END AS earlier_id
        FROM pair p
        ORDER BY p.axis, p.subject_id, least(p.mine, p.its), greatest(p.mine, p.its), lower(p.overlap)
    )
    SELECT t.axis, t.subject_id, t.later_id, t.earlier_id, t.overlap,
           CASE WHEN t.axis = 'patient' THEN 'PATIENT_DOUBLE_BOOKED' ELSE upper(t.kind::text) || '_DOUBLE_BOOKED' END,
           CASE WHEN t.axis = 'patient' THEN 'critical' ELSE radscheduler.conflict_severity(t.kind, t.role, a.modality) END
    FROM told t
    JOIN radscheduler.appointment a ON a.site_id = p_site AND a.appointment_id = t.later_id;
END
$$;
COMMENT ON FUNCTION radscheduler.conflict_pairs(integer, bigint, bigint[], bigint[], bigint[]) IS
    'The pairs that conflict now on some subjects, seen from the appointments concerned: an overbooked lane against a legal one. The one that came later is the changed one, else the overbooked one.';

CREATE FUNCTION radscheduler.replace_overbooked(p_site integer, p_appointments bigint[], p_resources bigint[], p_patients bigint[]) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_row   record;
    v_lane  smallint;
    v_moved integer := 0;
BEGIN
    FOR v_row IN
        SELECT o.occupancy_id, o.axis, o.subject_id, coalesce(r.capacity, 1) AS capacity, o.buffered
        FROM radscheduler.occupancy o
        LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
        WHERE o.site_id = p_site AND o.appointment_id = ANY (p_appointments) AND o.lane >= coalesce(r.capacity, 1)
          AND (o.axis = 'resource' AND o.subject_id = ANY (p_resources) OR o.axis = 'patient' AND o.subject_id = ANY (p_patients))
        ORDER BY o.occupancy_id
    LOOP
        SELECT min(g.lane) INTO v_lane
        FROM generate_series(0, v_row.capacity - 1) g(lane)
        WHERE NOT EXISTS (SELECT FROM radscheduler.occupancy b
                          WHERE b.site_id = p_site AND b.axis = v_row.axis AND b.subject_id = v_row.subject_id
                            AND b.lane = g.lane AND b.buffered && v_row.buffered);
        IF v_lane IS NOT NULL THEN
            UPDATE radscheduler.occupancy o SET lane = v_lane WHERE o.site_id = p_site AND o.occupancy_id = v_row.occupancy_id;
            v_moved := v_moved + 1;
        END IF;
    END LOOP;
    RETURN v_moved;
END
$$;
COMMENT ON FUNCTION radscheduler.replace_overbooked(integer, bigint[], bigint[], bigint[]) IS
    'Moves overbooked intervals of these appointments on these subjects into the lowest legal lane that has become free, oldest first; returns how many moved.';

CREATE FUNCTION radscheduler.settle(p_site integer, p_appointment bigint, p_resources bigint[], p_patients bigint[],
                                    p_message bigint DEFAULT NULL) RETURNS radscheduler.severity
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_partners bigint[];
    v_worst    radscheduler.severity;
    v_new      bigint[];
    v_healed   bigint[];
BEGIN
    -- Whoever was in conflict with it: only they can gain from its leaving.
    SELECT array_agg(DISTINCT u.id) INTO v_partners FROM (
        SELECT c.other_appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state <> 'resolved'
        UNION ALL
        SELECT c.appointment_id FROM radscheduler.conflict c WHERE c.site_id = p_site AND c.other_appointment_id = p_appointment AND c.state <> 'resolved') u(id);
    -- In the ordinary case nothing was, is, or comes to be in conflict: an overbooked lane, its own or one it overlaps, tells.
    IF v_partners IS NULL AND NOT EXISTS (
            SELECT FROM radscheduler.occupancy o
            LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
            WHERE o.site_id = p_site AND o.appointment_id = p_appointment
              AND (o.lane >= coalesce(r.capacity, 1)
                   OR EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved')
                      AND EXISTS (SELECT FROM radscheduler.occupancy q
                                  WHERE q.site_id = o.site_id AND q.axis = o.axis AND q.subject_id = o.subject_id AND q.buffered && o.buffered
                                    AND q.lane >= coalesce(r.capacity, 1)))) THEN
        RETURN NULL;
    END IF;

    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (v_partners) ORDER BY a.appointment_id FOR UPDATE;
    PERFORM radscheduler.replace_overbooked(p_site, v_partners, p_resources, p_patients);

    WITH pair AS MATERIALIZED (
        SELECT * FROM radscheduler.conflict_pairs(p_site, p_appointment, p_appointment || v_partners, p_resources, p_patients)
    ), gone AS (
        UPDATE radscheduler.conflict c SET state = 'resolved', resolved_at = now()
        WHERE c.site_id = p_site AND c.state <> 'resolved'
          AND (c.appointment_id = ANY (p_appointment || v_partners) OR c.other_appointment_id = ANY (p_appointment || v_partners))
          AND (c.axis = 'resource' AND c.subject_id = ANY (p_resources) OR c.axis = 'patient' AND c.subject_id = ANY (p_patients))
          AND NOT EXISTS (SELECT FROM pair p WHERE p.axis = c.axis AND p.subject_id = c.subject_id
                          AND p.later_id IN (c.appointment_id, c.other_appointment_id)
                          AND p.earlier_id IN (c.appointment_id, c.other_appointment_id))
        RETURNING c.conflict_id, c.code, c.appointment_id, c.other_appointment_id
    ), opened AS (
        INSERT INTO radscheduler.conflict (site_id, code, severity, axis, subject_id, appointment_id, other_appointment_id, overlap)
        SELECT p_site, p.code, p.severity, p.axis, p.subject_id, p.later_id, p.earlier_id, p.overlap FROM pair p
        ON CONFLICT DO NOTHING
        RETURNING conflict_id, code, severity, appointment_id, other_appointment_id
    ), told AS (
        INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        SELECT p_site, 'conflict.resolved', g.appointment_id, p_message,
               jsonb_build_object('conflict_id', g.conflict_id, 'code', g.code, 'with', g.other_appointment_id) FROM gone g
        UNION ALL
        SELECT p_site, 'conflict.detected', o.appointment_id, p_message,
               jsonb_build_object('conflict_id', o.conflict_id, 'code', o.code, 'severity', o.severity, 'with', o.other_appointment_id) FROM opened o
    )
    SELECT (SELECT array_agg(o.conflict_id) FROM opened o WHERE o.appointment_id = p_appointment AND o.severity = 'critical'),
           (SELECT array_agg(DISTINCT g.appointment_id) FROM gone g)
        INTO v_new, v_healed;

    IF v_new IS NOT NULL THEN
        UPDATE radscheduler.conflict c SET alternatives = radscheduler.alternatives(p_site, p_appointment)
            WHERE c.site_id = p_site AND c.conflict_id = ANY (v_new);
    END IF;
    PERFORM radscheduler.lift_reviews(p_site, v_healed, p_message);
    SELECT max(c.severity) INTO v_worst FROM radscheduler.conflict c
        WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open';
    RETURN v_worst;
END
$$;
COMMENT ON FUNCTION radscheduler.settle(integer, bigint, bigint[], bigint[], bigint) IS
    'Brings conflicts and reviews into line after an appointment changed; give every subject it held before or holds now. Returns the worst open conflict in which it is the later one, NULL when none.';
-- PENDING_REVIEW for a conflict is a state that comes and goes with the conflict; history and events tell each change.

CREATE FUNCTION radscheduler.record_version(p_site integer, p_appointment bigint, p_event text, p_message bigint, p_details jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, snapshot)
    SELECT a.site_id, a.appointment_id, a.version, p_event, p_message,
           jsonb_build_object('appointment', to_jsonb(a),
               'services', coalesce((SELECT jsonb_agg(to_jsonb(s) - 'site_id' - 'appointment_id' ORDER BY s.position) FROM radscheduler.appointment_service s
                                     WHERE s.site_id = a.site_id AND s.appointment_id = a.appointment_id), '[]'),
               'resources', coalesce((SELECT jsonb_agg(to_jsonb(r) - 'site_id' - 'appointment_id' ORDER BY r.position) FROM radscheduler.appointment_resource r
                                      WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id), '[]'))
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
    SELECT a.site_id, p_event, a.appointment_id, p_message,
           jsonb_strip_nulls(jsonb_build_object('version', a.version, 'status', a.status, 'modality', a.modality, 'starts_at', a.starts_at, 'ends_at', a.ends_at)) || p_details
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
END
$$;
COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb) IS
    'Writes the present version of an appointment to its history and tells it in event_log, without patient data there.';

CREATE FUNCTION radscheduler.lift_reviews(p_site integer, p_appointments bigint[], p_message bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id bigint;
BEGIN
    FOR v_id IN
        UPDATE radscheduler.appointment a
        SET status = coalesce(a.resume_status, 'SCHEDULED'), review_reason = NULL, resume_status = NULL,
            version = a.version + 1, updated_at = now()
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)
          AND a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT'
          AND NOT EXISTS (SELECT FROM radscheduler.conflict c
                          WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id AND c.state = 'open' AND c.severity = 'critical')
        RETURNING a.appointment_id
    LOOP
        PERFORM radscheduler.record_version(p_site, v_id, 'appointment.modified', p_message, '{"reason": "CONFLICT_RESOLVED"}');
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lift_reviews(integer, bigint[], bigint) IS
    'Returns appointments from a PENDING_REVIEW whose conflicts have gone to the status they had.';

CREATE FUNCTION radscheduler.conflicts_of(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
               'code', g.code, 'severity', g.severity, 'axis', g.axis, 'resource', g.resource, 'with', g.partners, 'overlap_min', g.overlap_min,
               'message', g.message, 'detected_at', g.detected_at, 'state', g.state, 'alternatives', g.alternatives) ORDER BY g.severity DESC, g.first_id), '[]')
    FROM (
        SELECT c.code, max(c.severity) AS severity, k.axis, r.code AS resource, min(c.conflict_id) AS first_id,
               jsonb_agg(jsonb_build_object('appointment_id', o.appointment_id, 'external_id', coalesce(o.filler_id, o.placer_id),
                                            'start', o.starts_at, 'end', o.ends_at) ORDER BY o.starts_at, o.appointment_id) AS partners,
               round(max(extract(epoch FROM upper(c.overlap) - lower(c.overlap)) / 60))::integer AS overlap_min,
               format(k.text, r.name) AS message, min(c.detected_at) AS detected_at, min(c.state)::text AS state,
               coalesce((array_agg(c.alternatives ORDER BY c.conflict_id) FILTER (WHERE c.appointment_id = p_appointment))[1], '[]') AS alternatives
        FROM (SELECT x.*, x.other_appointment_id AS partner_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved'
              UNION ALL
              SELECT x.*, x.appointment_id FROM radscheduler.conflict x
              WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved') c
        JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.partner_id
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        GROUP BY c.code, k.axis, k.text, r.code, r.name, c.subject_id
    ) g);
END
$$;
COMMENT ON FUNCTION radscheduler.conflicts_of(integer, bigint) IS
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, alternatives}], worst first; [] when there is none.';
-- Free time: opening hours minus blocks minus occupancy, with the same buffers that booking will be held to. What is offered can be booked.

CREATE FUNCTION radscheduler.open_hours(p_site integer, p_resource bigint, p_from timestamptz, p_until timestamptz) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT coalesce(range_agg(tstzrange(timezone(z.zone, d.day + h.opens), timezone(z.zone, d.day + h.closes))), '{}') * tstzmultirange(tstzrange(p_from, p_until))
FROM (SELECT radscheduler.site_zone(p_site) AS zone) z,
     generate_series(timezone(z.zone, p_from)::date, timezone(z.zone, p_until)::date, interval '1 day') g(day),
     LATERAL (SELECT g.day::date AS day) d
JOIN radscheduler.resource_hours h ON h.site_id = p_site AND h.weekday = extract(isodow FROM d.day) AND h.valid @> d.day
WHERE h.resource_id = p_resource
   OR h.resource_id IS NULL AND NOT EXISTS (SELECT FROM radscheduler.resource_hours own WHERE own.site_id = p_site AND own.resource_id = p_resource)
$$;
COMMENT ON FUNCTION radscheduler.open_hours(integer, bigint, timestamptz, timestamptz) IS
    'When a resource is open within a window, as instants: its own hours where it has any, else the site''s.';

CREATE FUNCTION radscheduler.find_slots(
        modality         text        DEFAULT NULL,
        resource         text        DEFAULT NULL,
        earliest         timestamptz DEFAULT pg_catalog.now(),
        latest           timestamptz DEFAULT NULL,
        duration_minutes integer     DEFAULT NULL,
        max_slots        integer     DEFAULT 10,
        patient_id       text        DEFAULT NULL,
        without          bigint      DEFAULT NULL,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    v_site     integer := radscheduler.current_site();
    v_code     text;
    v_resource bigint[];
    v_patients bigint[];
    v_minutes  integer := duration_minutes;
BEGIN
    IF modality IS NULL AND resource IS NULL THEN
        RAISE EXCEPTION 'find_slots needs a modality or a resource'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SELECT * FROM radscheduler.find_slots(modality => ''MRI'');';
    END IF;
    IF modality IS NOT NULL THEN
        v_code := radscheduler.modality_code(v_site, modality);
        IF v_code IS NULL THEN
            RAISE EXCEPTION 'modality "%" is not known at this site', modality
                USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
        END IF;
    END IF;
    SELECT array_agg(DISTINCT r.resource_id) INTO v_resource
        FROM radscheduler.resource r
        WHERE r.site_id = v_site AND r.is_active AND r.kind IN ('equipment', 'room', 'staff')
          AND (resource IS NULL AND r.kind IN ('equipment', 'room')
               OR r.resource_id IN (SELECT x.resource_id FROM radscheduler.resource_alias x WHERE x.site_id = v_site AND x.alias = upper(resource)))
          AND (v_code IS NULL OR r.modality = v_code);
    IF resource IS NOT NULL AND v_resource IS NULL THEN
        RAISE EXCEPTION 'resource "%" is not known at this site%', resource, CASE WHEN v_code IS NULL THEN '' ELSE ' for this modality' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.resource_alias lists the names that are.';
    END IF;
    IF v_minutes IS NULL THEN
        SELECT m.default_minutes INTO v_minutes FROM radscheduler.modality m
            WHERE m.site_id = v_site
              AND m.code = coalesce(v_code, (SELECT r.modality FROM radscheduler.resource r WHERE r.site_id = v_site AND r.resource_id = v_resource[1]));
        v_minutes := coalesce(v_minutes, 30);
    END IF;
    IF v_minutes NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes cannot be searched for', v_minutes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    IF latest < earliest OR max_slots < 1 THEN
        RAISE EXCEPTION 'find_slots was asked for %', CASE WHEN max_slots < 1 THEN 'fewer than one slot' ELSE 'a window that ends before it begins' END
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give earliest before latest, and max_slots of at least 1.';
    END IF;
    IF patient_id IS NOT NULL THEN
        SELECT array_agg(DISTINCT i.patient_id) INTO v_patients
            FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = patient_id;
    END IF;
    RETURN QUERY SELECT * FROM radscheduler.free_slots(v_site, v_resource, v_patients, earliest, coalesce(latest, earliest + interval '14 days'),
                                                       v_minutes, max_slots, without);
END
$$;
COMMENT ON FUNCTION radscheduler.find_slots(text, text, timestamptz, timestamptz, integer, integer, text, bigint) IS
    'Free starting times of a modality''s scanners and rooms, or of one resource by any of its names, earliest first: opening hours minus blocks minus bookings, buffers included, on the site''s grid. earliest and latest bound the start and end (default 14 days), duration defaults to the modality''s, patient_id (MRN) also avoids that patient''s bookings, without ignores one appointment (to move it). datetime is site local.';

CREATE FUNCTION radscheduler.free_slots(p_site integer, p_resources bigint[], p_patients bigint[], p_from timestamptz, p_until timestamptz,
                                        p_minutes integer, p_limit integer, p_without bigint,
        OUT resource_code text, OUT starts_at timestamptz, OUT ends_at timestamptz, OUT datetime timestamp) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
WITH bookable AS (
    SELECT r.resource_id, r.code, r.capacity, r.setup_minutes::integer AS setup, r.turnover_minutes::integer AS turnover,
           radscheduler.open_hours(p_site, r.resource_id, p_from, p_until)
           - coalesce((SELECT range_agg(b.during) FROM radscheduler.resource_block b
                       WHERE b.site_id = p_site AND b.resource_id = r.resource_id AND b.during && tstzrange(p_from, p_until)), '{}')
           - coalesce((SELECT range_agg(o.during) FROM radscheduler.occupancy o
                       WHERE o.site_id = p_site AND o.axis = 'patient' AND o.subject_id = ANY (p_patients)
                         AND o.buffered && tstzrange(p_from, p_until) AND o.appointment_id IS DISTINCT FROM p_without), '{}') AS open
    FROM radscheduler.resource r
    WHERE r.site_id = p_site AND r.resource_id = ANY (p_resources)
), lane AS (
    SELECT b.resource_id, b.code, l.lane,
           b.open - coalesce((
               SELECT range_agg(tstzrange(lower(o.buffered) - make_interval(mins => b.turnover), upper(o.buffered) + make_interval(mins => b.setup)))
               FROM radscheduler.occupancy o
               WHERE o.site_id = p_site AND o.axis = 'resource' AND o.subject_id = b.resource_id
                 AND (o.lane = l.lane OR o.lane >= b.capacity)
                 AND o.buffered && tstzrange(p_from - make_interval(mins => b.setup), p_until + make_interval(mins => b.turnover))
                 AND o.appointment_id IS DISTINCT FROM p_without), '{}') AS free
    FROM bookable b, generate_series(0, b.capacity - 1) l(lane)
), grid AS (
    SELECT z.zone, s.slot_minutes::integer AS step FROM radscheduler.site s, LATERAL (SELECT radscheduler.site_zone(p_site)) z(zone) WHERE s.site_id = p_site
)
SELECT l.code, t.start, t.start + make_interval(mins => p_minutes), timezone(g.zone, t.start)
FROM grid g, lane l, unnest(l.free) gap,
     LATERAL (SELECT generate_series(
         date_bin(make_interval(mins => g.step), lower(gap) + make_interval(mins => g.step) - interval '1 microsecond',
                  timezone(g.zone, date_trunc('day', timezone(g.zone, lower(gap))))),
         upper(gap) - make_interval(mins => p_minutes), make_interval(mins => g.step)) AS start) t
GROUP BY l.code, t.start, g.zone
ORDER BY t.start, l.code
LIMIT p_limit
$$;
COMMENT ON FUNCTION radscheduler.free_slots(integer, bigint[], bigint[], timestamptz, timestamptz, integer, integer, bigint) IS
    'The search under find_slots, by ids. A resource of capacity n is free where one of its n lanes is and no overbooking stands: the test that placing a booking makes.';

CREATE FUNCTION radscheduler.alternatives(p_site integer, p_appointment bigint) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
WITH wanted AS (
    SELECT a.starts_at, (extract(epoch FROM a.ends_at - a.starts_at) / 60)::integer AS minutes, a.patient_id, a.modality,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'equipment') AS equipment,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'room') AS rooms,
           (SELECT array_agg(r.resource_id) FROM radscheduler.appointment_resource ar
            JOIN radscheduler.resource r ON r.site_id = ar.site_id AND r.resource_id = ar.resource_id
            WHERE ar.site_id = a.site_id AND ar.appointment_id = a.appointment_id AND r.kind = 'staff') AS staff
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment
), searched AS (
    SELECT w.*, coalesce(w.equipment, w.rooms,
                         (SELECT array_agg(r.resource_id) FROM radscheduler.resource r
                          WHERE r.site_id = p_site AND r.is_active AND r.modality = w.modality AND r.kind IN ('equipment', 'room')),
                         w.staff) AS resources
    FROM wanted w
)
SELECT coalesce(jsonb_agg(jsonb_build_object('start', f.starts_at, 'end', f.ends_at, 'resource', f.resource_code) ORDER BY f.starts_at, f.resource_code), '[]')
FROM searched s,
     LATERAL radscheduler.free_slots(p_site, s.resources, ARRAY[s.patient_id], greatest(s.starts_at, date_trunc('minute', now())),
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment) f
$$;
COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff; the patient free as well. [{start, end, resource}].';
-- Who the patient is: found by identifier, never by name; created when new; brought up to date by newer messages.

CREATE FUNCTION radscheduler.patient_lock_names(p_site integer, p_patient jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT array_agg(format('patient/%s/%s', p_site, i ->> 'value')) FROM jsonb_array_elements(p_patient -> 'identifiers') i);
END
$$;
COMMENT ON FUNCTION radscheduler.patient_lock_names(integer, jsonb) IS 'Names for lock_keys() under which messages about one patient wait for each other.';

CREATE FUNCTION radscheduler.resolve_patient(p_site integer, p_patient jsonb, p_facility text, p_region text,
                                             OUT patient_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_best  jsonb;
    v_item  jsonb;
    v_phone text := p_patient #>> '{phones,0,value}';
    v_e164  text;
    v_name  text := coalesce(p_patient ->> 'display', '');
    v_first_name text := coalesce(nullif(v_name, ''), p_patient ->> 'display_if_new', '');
BEGIN
    warnings := '[]';
    SELECT i INTO v_best FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place)
        ORDER BY CASE WHEN coalesce(i ->> 'type', 'MR') = 'MR' AND coalesce(i ->> 'authority', p_facility) = p_facility THEN 0
                      WHEN coalesce(i ->> 'type', 'MR') = 'MR' THEN 1
                      WHEN i ->> 'type' IN ('PI', 'PT') THEN 2
                      WHEN i ->> 'type' IN ('SS', 'NI', 'MC') THEN 4 ELSE 3 END, place
        LIMIT 1;
    IF v_best IS NULL THEN
        RETURN;
    END IF;
    v_e164 := radscheduler.e164(v_phone, p_region);
    IF v_phone IS NOT NULL AND v_e164 IS NULL THEN
        warnings := jsonb_build_array(radscheduler.warning('PHONE_UNUSABLE', 'PID-13'));
    END IF;
    FOR v_item IN SELECT i FROM jsonb_array_elements(p_patient -> 'identifiers') WITH ORDINALITY e(i, place) ORDER BY i = v_best DESC, place LOOP
        SELECT p.patient_id INTO resolve_patient.patient_id
            FROM radscheduler.patient_identifier p
            WHERE p.site_id = p_site AND p.value = v_item ->> 'value' AND p.type = coalesce(v_item ->> 'type', 'MR')
              AND (p.authority IN (coalesce(v_item ->> 'authority', p_facility), '') OR NOT v_item ? 'authority')
            ORDER BY p.authority = coalesce(v_item ->> 'authority', p_facility) DESC, p.patient_id LIMIT 1;
        EXIT WHEN FOUND;
    END LOOP;
    IF resolve_patient.patient_id IS NULL THEN
        INSERT INTO radscheduler.patient (site_id, mrn, family_name, given_name, middle_name, suffix, display_name, birth_date, sex,
                                          phone, phone_as_sent, is_deceased)
            VALUES (p_site, v_best ->> 'value', p_patient ->> 'family', p_patient ->> 'given', p_patient ->> 'middle', p_patient ->> 'suffix',
                    v_first_name, (p_patient ->> 'birth_date')::date, p_patient ->> 'sex', v_e164, v_phone,
                    coalesce((p_patient ->> 'deceased')::boolean, false))
            RETURNING patient.patient_id INTO resolve_patient.patient_id;
    ELSE
        UPDATE radscheduler.patient p SET
            mrn          = v_best ->> 'value',
            family_name  = CASE WHEN p_patient ? 'family' THEN p_patient ->> 'family' ELSE p.family_name END,
            given_name   = CASE WHEN p_patient ? 'given' THEN p_patient ->> 'given' ELSE p.given_name END,
            middle_name  = CASE WHEN p_patient ? 'middle' THEN p_patient ->> 'middle' ELSE p.middle_name END,
            suffix       = CASE WHEN p_patient ? 'suffix' THEN p_patient ->> 'suffix' ELSE p.suffix END,
            display_name = coalesce(nullif(v_name, ''), p.display_name),
            birth_date   = CASE WHEN p_patient ? 'birth_date' THEN (p_patient ->> 'birth_date')::date ELSE p.birth_date END,
            sex          = CASE WHEN p_patient ? 'sex' THEN p_patient ->> 'sex' ELSE p.sex END,
            phone        = CASE WHEN p_patient ? 'phones' THEN v_e164 ELSE p.phone END,
            phone_as_sent = CASE WHEN p_patient ? 'phones' THEN v_phone ELSE p.phone_as_sent END,
            is_deceased  = coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased),
            updated_at   = now()
        WHERE p.site_id = p_site AND p.patient_id = resolve_patient.patient_id
          AND (p.mrn <> v_best ->> 'value' OR nullif(v_name, '') <> p.display_name
               OR p_patient ? 'family' AND p.family_name IS DISTINCT FROM p_patient ->> 'family'
               OR p_patient ? 'given' AND p.given_name IS DISTINCT FROM p_patient ->> 'given'
               OR p_patient ? 'middle' AND p.middle_name IS DISTINCT FROM p_patient ->> 'middle'
               OR p_patient ? 'suffix' AND p.suffix IS DISTINCT FROM p_patient ->> 'suffix'
               OR p_patient ? 'birth_date' AND p.birth_date IS DISTINCT FROM (p_patient ->> 'birth_date')::date
               OR p_patient ? 'sex' AND p.sex IS DISTINCT FROM p_patient ->> 'sex'
               OR p_patient ? 'phones' AND p.phone_as_sent IS DISTINCT FROM v_phone
               OR p.is_deceased IS DISTINCT FROM coalesce((p_patient ->> 'deceased')::boolean, p.is_deceased));
    END IF;
    INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
        SELECT DISTINCT ON (i ->> 'value', coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'))
               p_site, coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'), i ->> 'value', resolve_patient.patient_id
        FROM jsonb_array_elements(p_patient -> 'identifiers') i
        ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_patient(integer, jsonb, text, text) IS
    'The patient of a reading (siu_parse shape), found by any of its identifiers or created; fields that were sent overwrite, an HL7 null clears. The identifier shown is type MR of the facility, then MR, then PI or PT, then the first. An identifier without authority, here or there, matches any. NULL when no identifier was sent. Call it under lock_keys(patient_lock_names(…)).';
-- What AIG, AIL and AIP mean: names resolved through resource_alias, unknown ones recorded so that a booking is never lost for a missing row.

CREATE FUNCTION radscheduler.resource_name_of(p_item jsonb, OUT kind radscheduler.resource_kind, OUT code text, OUT name text, OUT role text) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_words text := upper(concat_ws(' ', p_item ->> 'type_code', p_item ->> 'type_text'));
BEGIN
    kind := CASE WHEN p_item ->> 'segment' = 'AIP' THEN 'staff'
                 WHEN p_item ->> 'segment' = 'AIL' THEN 'room'
                 WHEN v_words ~ '(^|\W)(ROOM|LOCATION)(\W|$)' THEN 'room'
                 WHEN v_words ~ '(^|\W)(D|DOCTOR|PHYSICIAN|PROVIDER|SURGEON|RADIOLOGIST|TECHNOLOGIST|TECH|SONOGRAPHER|NURSE|STAFF|PERSON|PERSONNEL)(\W|$)' THEN 'staff'
                 ELSE 'equipment' END;
    code := coalesce(nullif(p_item ->> 'code', ''),
                     CASE WHEN p_item ->> 'family' IS NOT NULL THEN upper(concat_ws(' ', p_item ->> 'role', p_item ->> 'family', p_item ->> 'given')) END,
                     nullif(p_item ->> 'name', ''));
    name := coalesce(nullif(p_item ->> 'name', ''), nullif(concat_ws(' ', p_item ->> 'given', p_item ->> 'family'), ''), p_item ->> 'code');
    role := upper(coalesce(p_item ->> 'role', p_item ->> 'type_code'));
END
$$;
COMMENT ON FUNCTION radscheduler.resource_name_of(jsonb) IS
    'What one resource of a reading is called: its kind by segment and type words, its code (the id sent; for staff without id role, family and given name), a name and a role. Never the role alone: every message would then want the same person.';

CREATE FUNCTION radscheduler.is_referrer(p_role text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(p_role ~ '^(REF|RP|REFERRING|ORDERING|REQUESTING|PCP)', false));
END
$$;
COMMENT ON FUNCTION radscheduler.is_referrer(text) IS 'True for roles that ask for an exam without taking part in it: they are not booked.';

CREATE FUNCTION radscheduler.resolve_resources(p_site integer, p_reading jsonb, OUT resource_ids bigint[], OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_items   jsonb := p_reading -> 'resources';
    v_missing integer;
    v_row     record;
    v_id      bigint;
BEGIN
    warnings := '[]';
    FOR v_attempt IN 1..2 LOOP
        SELECT array_agg(f.resource_id ORDER BY e.place), count(*) FILTER (WHERE f.resource_id IS NULL AND n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role))
            INTO resolve_resources.resource_ids, v_missing
            FROM jsonb_array_elements(v_items) WITH ORDINALITY e(item, place)
            CROSS JOIN LATERAL radscheduler.resource_name_of(e.item) n
            LEFT JOIN LATERAL (
                SELECT a.resource_id FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.alias = upper(n.code) AND NOT radscheduler.is_referrer(n.role)
                  AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG')
                ORDER BY a.kind = n.kind DESC, a.kind LIMIT 1) f ON true;
        EXIT WHEN v_missing = 0 OR v_attempt = 2;
        PERFORM pg_advisory_xact_lock(7421003, p_site);
        FOR v_row IN
            SELECT DISTINCT ON (n.kind, upper(n.code)) n.kind, n.code, n.name, n.role, e.item ->> 'path' AS path
            FROM jsonb_array_elements(v_items) e(item), LATERAL radscheduler.resource_name_of(e.item) n
            WHERE n.code IS NOT NULL AND NOT radscheduler.is_referrer(n.role)
              AND NOT EXISTS (SELECT FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.alias = upper(n.code)
                              AND (a.kind = n.kind OR e.item ->> 'segment' = 'AIG'))
            ORDER BY n.kind, upper(n.code)
        LOOP
            INSERT INTO radscheduler.resource (site_id, code, name, kind, role, modality, is_registered)
                VALUES (p_site, v_row.code, v_row.name, v_row.kind, CASE WHEN v_row.kind = 'staff' THEN v_row.role END,
                        CASE WHEN v_row.kind = 'equipment' THEN coalesce(radscheduler.modality_guess(p_site, ARRAY[v_row.code], ARRAY[v_row.name]),
                                                                         radscheduler.modality_of(p_site, p_reading, NULL)) END, false)
                RETURNING resource.resource_id INTO v_id;
            INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id) VALUES (p_site, v_row.kind, upper(v_row.code), v_id);
            warnings := warnings || radscheduler.warning('RESOURCE_UNKNOWN', v_row.path);
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.resolve_resources(integer, jsonb) IS
    'The resources of a reading, one id per element (NULL for one that is not booked, such as a referrer). An unknown one is recorded with capacity 1, no buffers and is_registered = false (a scanner with the modality its name tells, else its exam''s), and told as a warning.';

CREATE FUNCTION radscheduler.add_resource(code text, name text, kind radscheduler.resource_kind, modality text DEFAULT NULL, capacity integer DEFAULT 1,
                                          setup_minutes integer DEFAULT 0, turnover_minutes integer DEFAULT 0, role text DEFAULT NULL,
                                          aliases text[] DEFAULT '{}') RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_variable
DECLARE
    v_site integer := radscheduler.current_site();
    v_code text := radscheduler.modality_code(v_site, modality);
    v_id   bigint;
BEGIN
    IF kind = 'staff' AND (setup_minutes <> 0 OR turnover_minutes <> 0) THEN
        RAISE EXCEPTION 'staff have no set-up or turnover minutes' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give buffers to the room or the scanner.';
    END IF;
    IF modality IS NOT NULL AND v_code IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are.';
    END IF;
    INSERT INTO radscheduler.resource AS r (site_id, code, name, kind, role, modality, capacity, setup_minutes, turnover_minutes)
        VALUES (v_site, code, name, kind, upper(role), v_code, capacity, setup_minutes, turnover_minutes)
        RETURNING r.resource_id INTO v_id;
    INSERT INTO radscheduler.resource_alias AS a (site_id, kind, alias, resource_id)
        SELECT v_site, kind, upper(n), v_id FROM unnest(code || aliases) n GROUP BY upper(n);
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.add_resource(text, text, radscheduler.resource_kind, text, integer, integer, integer, text, text[]) IS
    'Records a room, scanner or member of staff at the session''s site with all the names it is called by; returns its id. Buffers (minutes before and after) are for rooms and equipment only.';
-- What a reading says about time, exams and resources, turned into rows of one appointment. Shared by HL7 and by the API's JSON.

CREATE FUNCTION radscheduler.duration_of(p_site integer, p_reading jsonb, p_modality text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        (SELECT sum(p.minutes)::integer FROM jsonb_array_elements(p_reading -> 'services') s
            JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code = s ->> 'code'),
        (SELECT m.default_minutes::integer FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_modality),
        30));
END
$$;
COMMENT ON FUNCTION radscheduler.duration_of(integer, jsonb, text) IS 'Minutes of an appointment whose message gives none: its procedures'', else its modality''s, else 30.';

CREATE FUNCTION radscheduler.modality_of(p_site integer, p_reading jsonb, p_resources bigint[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(
        radscheduler.modality_code(p_site, p_reading #>> '{schedule,modality}'),
        (SELECT p.modality FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place)
            JOIN radscheduler.procedure p ON p.site_id = p_site AND p.code IN (item ->> 'code', item ->> 'alt_code') ORDER BY place LIMIT 1),
        (SELECT r.modality FROM unnest(p_resources) WITH ORDINALITY u(id, place)
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.resource_id = u.id
            WHERE r.modality IS NOT NULL ORDER BY r.kind = 'equipment' DESC, place LIMIT 1),
        radscheduler.modality_guess(p_site,
            ARRAY(SELECT item ->> 'code' FROM jsonb_array_elements(p_reading -> 'services') item),
            ARRAY(SELECT concat_ws(' ', item ->> 'text', item ->> 'alt_text') FROM jsonb_array_elements(p_reading -> 'services') item)
            || concat_ws(' ', p_reading #>> '{schedule,type,code}', p_reading #>> '{schedule,type,text}')
            || concat_ws(' ', p_reading #>> '{schedule,reason,code}', p_reading #>> '{schedule,reason,text}'))));
END
$$;
COMMENT ON FUNCTION radscheduler.modality_of(integer, jsonb, bigint[]) IS
    'DICOM modality of a reading: said outright, by procedure table, by its resources, by study code prefix, by words of study, type and reason; NULL when nothing tells.';

CREATE FUNCTION radscheduler.item_span(item jsonb, zone text, starts timestamptz, ends timestamptz) RETURNS tstzrange
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_from    timestamptz := coalesce(radscheduler.to_instant(item ->> 'starts_at', zone),
                                      starts + make_interval(mins => (item ->> 'offset_minutes')::integer), starts);
    v_minutes integer := (item ->> 'duration_minutes')::integer;
BEGIN
    IF v_from NOT BETWEEN starts - interval '24 hours' AND ends + interval '24 hours' THEN
        v_from := starts;
    END IF;
    RETURN tstzrange(v_from, CASE WHEN v_minutes > 0 THEN v_from + make_interval(mins => v_minutes)
                                  WHEN ends > v_from THEN ends
                                  ELSE v_from + (ends - starts) END);
END
$$;
COMMENT ON FUNCTION radscheduler.item_span(jsonb, text, timestamptz, timestamptz) IS
    'When an exam or resource of a reading takes place: its own start, else its offset, else the appointment''s start; its own duration, else until the appointment''s end. A start more than a day outside the appointment is not believed. Empty bounds for an appointment without time.';

CREATE FUNCTION radscheduler.write_services(p_site integer, p_appointment bigint, p_reading jsonb, p_zone text,
                                            p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_service (site_id, appointment_id, position, group_no, code, name, starts_at, ends_at)
    SELECT p_site, p_appointment, place, coalesce((item ->> 'group')::smallint, 1), item ->> 'code', item ->> 'text', lower(t.span), upper(t.span)
    FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place),
         LATERAL (SELECT radscheduler.item_span(item, p_zone, p_starts, p_ends) OFFSET 0) t(span);
END
$$;
COMMENT ON FUNCTION radscheduler.write_services(integer, bigint, jsonb, text, timestamptz, timestamptz) IS
    'Writes one row per AIS of a reading, timed by item_span().';

CREATE FUNCTION radscheduler.write_resources(p_site integer, p_appointment bigint, p_reading jsonb, p_ids bigint[], p_zone text,
                                             p_starts timestamptz, p_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.appointment_resource (site_id, appointment_id, position, segment, group_no, resource_id, role, starts_at, ends_at)
    SELECT p_site, p_appointment,
           coalesce((SELECT max(x.position) FROM radscheduler.appointment_resource x WHERE x.site_id = p_site AND x.appointment_id = p_appointment), 0)
           + row_number() OVER (ORDER BY place),
           item ->> 'segment', coalesce((item ->> 'group')::smallint, 1), p_ids[place], upper(coalesce(item ->> 'role', item ->> 'type_code')),
           lower(t.span), upper(t.span)
    FROM jsonb_array_elements(p_reading -> 'resources') WITH ORDINALITY s(item, place),
         LATERAL (SELECT radscheduler.item_span(item, p_zone, p_starts, p_ends) OFFSET 0) t(span)
    WHERE p_ids[place] IS NOT NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.write_resources(integer, bigint, jsonb, bigint[], text, timestamptz, timestamptz) IS
    'Writes one row per AIG, AIL and AIP of a reading that was resolved, timed by item_span().';

CREATE FUNCTION radscheduler.shift_rows(p_site integer, p_appointment bigint, p_shift interval, p_old_ends timestamptz, p_new_ends timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF coalesce(p_shift, interval '0') = interval '0' AND p_new_ends IS NOT DISTINCT FROM p_old_ends THEN
        RETURN;
    END IF;
    UPDATE radscheduler.appointment_service s
        SET starts_at = coalesce(s.starts_at + p_shift, s.starts_at),
            ends_at = CASE WHEN s.ends_at = p_old_ends THEN p_new_ends ELSE coalesce(s.ends_at + p_shift, s.ends_at) END
        WHERE s.site_id = p_site AND s.appointment_id = p_appointment;
    UPDATE radscheduler.appointment_resource r
        SET starts_at = coalesce(r.starts_at + p_shift, r.starts_at),
            ends_at = CASE WHEN r.ends_at = p_old_ends THEN p_new_ends ELSE coalesce(r.ends_at + p_shift, r.ends_at) END
        WHERE r.site_id = p_site AND r.appointment_id = p_appointment;
END
$$;
COMMENT ON FUNCTION radscheduler.shift_rows(integer, bigint, interval, timestamptz, timestamptz) IS
    'Moves exams and resources along with their appointment; those that lasted until its end last until the new end.';

CREATE FUNCTION radscheduler.event_name(p_old radscheduler.appointment_status, p_new radscheduler.appointment_status, p_is_moved boolean) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN 'appointment.' || CASE
        WHEN p_old IS NULL AND NOT radscheduler.is_closed(p_new) THEN 'created'
        WHEN p_is_moved THEN 'rescheduled'
        WHEN p_new = p_old THEN 'modified'
        WHEN p_new = 'NO_SHOW' THEN 'noshow'
        WHEN p_new = 'IN_PROGRESS' THEN 'started'
        WHEN p_new IN ('ARRIVED', 'COMPLETED', 'CANCELLED', 'DISCONTINUED', 'DELETED') THEN lower(p_new::text)
        ELSE 'modified' END;
END
$$;
COMMENT ON FUNCTION radscheduler.event_name(radscheduler.appointment_status, radscheduler.appointment_status, boolean) IS
    'Type of the event that a change of status or time is told as; the old status is NULL for a new appointment.';

CREATE FUNCTION radscheduler.distrusted_times(p_reading jsonb, p_zone text, p_starts timestamptz, p_ends timestamptz) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(radscheduler.warning('TIME_DISTRUSTED', item ->> 'path')), '[]')
    FROM jsonb_array_elements((p_reading -> 'services') || (p_reading -> 'resources')) item
    WHERE radscheduler.to_instant(item ->> 'starts_at', p_zone) NOT BETWEEN p_starts - interval '24 hours' AND p_ends + interval '24 hours');
END
$$;
COMMENT ON FUNCTION radscheduler.distrusted_times(jsonb, text, timestamptz, timestamptz) IS 'A TIME_DISTRUSTED warning for each exam or resource timed more than a day outside the appointment; [] when there is none.';
-- One reading applied to the schedule: found, judged by event_rule, written, placed, settled, told. HL7 and the API's JSON both end here.
-- Locks in the order of 42-locks.sql: the caller has taken the names; this takes the subjects, then the rows.

CREATE FUNCTION radscheduler.find_appointment(p_site integer, p_sender bigint, p_filler text, p_placer text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id bigint;
BEGIN
    IF p_filler IS NOT NULL THEN
        SELECT a.appointment_id INTO v_id FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.sender_id = p_sender AND a.filler_id = p_filler ORDER BY a.generation DESC LIMIT 1;
    END IF;
    IF v_id IS NULL AND p_placer IS NOT NULL THEN
        SELECT a.appointment_id INTO v_id FROM radscheduler.appointment a
            WHERE a.site_id = p_site AND a.sender_id = p_sender AND a.placer_id = p_placer
              AND (p_filler IS NULL OR a.filler_id IS NULL) ORDER BY a.generation DESC LIMIT 1;
    END IF;
    RETURN v_id;
END
$$;
COMMENT ON FUNCTION radscheduler.find_appointment(integer, bigint, text, text) IS
    'Latest generation of the appointment a sender means: by filler id (SCH-2), else by placer id (SCH-1); NULL when there is none.';

CREATE FUNCTION radscheduler.apply_reading(p_context jsonb, p_reading jsonb, p_message bigint, p_at timestamptz,
        OUT outcome text, OUT code text, OUT error jsonb, OUT appointment_id bigint, OUT warnings jsonb) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    c_site      CONSTANT integer := (p_context ->> 'site_id')::integer;
    c_sender    CONSTANT bigint := (p_context ->> 'sender_id')::bigint;
    c_zone      CONSTANT text := p_context ->> 'zone';
    c_trigger   CONSTANT text := p_context ->> 'trigger_event';
    c_sequence  CONSTANT bigint := (p_context ->> 'sequence')::bigint;
    v_schedule  jsonb := p_reading -> 'schedule';
    v_filler    text := v_schedule ->> 'filler_id' || coalesce('^' || nullif(v_schedule ->> 'filler_namespace', ''), '');
    v_placer    text := v_schedule ->> 'placer_id' || coalesce('^' || nullif(v_schedule ->> 'placer_namespace', ''), '');
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_new       radscheduler.appointment;
    v_rule      record;
    v_action    text;
    v_sent      radscheduler.appointment_status;
    v_status    radscheduler.appointment_status;
    v_resources bigint[];
    v_held      bigint[];
    v_patient   bigint;
    v_more      jsonb;
    v_shift     interval;
    v_worst     radscheduler.severity;
    v_is_new    boolean;
    v_has_services boolean := jsonb_array_length(p_reading -> 'services') > 0;
    v_segments  text[];
BEGIN
    warnings := '[]';
    code := 'AA';
    outcome := 'applied';

    -- What it is about and what its event does to it.
    v_id := radscheduler.find_appointment(c_site, c_sender, v_filler, v_placer);
    SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id;
    apply_reading.appointment_id := v_id;
    SELECT * INTO v_rule FROM radscheduler.event_rule r
        WHERE r.trigger_event = c_trigger
          AND r.state = CASE WHEN v_id IS NULL THEN 'unknown' WHEN radscheduler.is_closed(v_old.status) THEN v_old.status::text ELSE 'active' END;
    v_action := v_rule.action;
    v_sent := radscheduler.status_of(v_schedule -> 'status');
    IF v_sent IS NULL AND jsonb_array_length(v_schedule -> 'status') > 0 THEN
        warnings := warnings || radscheduler.warning('STATUS_UNKNOWN', 'SCH-25');
    END IF;

    IF v_id IS NOT NULL AND (p_at, coalesce(c_sequence, 0)) < (v_old.message_time, coalesce(v_old.message_sequence, 0)) THEN
        IF NOT (radscheduler.is_closed(v_old.status) AND v_old.patient_id IS NULL AND p_reading ? 'patient') THEN
            outcome := 'stale';
            warnings := warnings || radscheduler.warning('STALE', 'MSH-7');
            RETURN;
        END IF;
        v_action := 'fill';
    ELSIF c_trigger = 'S14' AND v_sent IS NULL AND NOT v_has_services AND jsonb_array_length(p_reading -> 'resources') = 0
          AND NOT v_schedule ? 'starts_at' AND NOT v_schedule ? 'duration_minutes' AND v_id IS NOT NULL THEN
        outcome := 'ignored';
        warnings := warnings || radscheduler.warning('S14_EMPTY_POSSIBLE_LEGACY_CANCEL', 'SCH');
        RETURN;
    ELSE
        IF v_action = 'amend' AND v_sent <> v_old.status THEN
            IF v_old.status <> 'COMPLETED' AND p_at > v_old.message_time AND NOT radscheduler.is_closed(v_sent) THEN
                v_action := 'revive';
            ELSE
                v_sent := NULL;
                warnings := warnings || radscheduler.warning('CLOSED_APPOINTMENT', 'SCH-25');
            END IF;
        END IF;
        IF v_action IN ('create', 'renew') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_id IS NULL THEN 'tombstone' ELSE 'keep' END;
        ELSIF v_action IN ('update', 'revive') AND radscheduler.is_closed(v_sent) THEN
            v_action := CASE WHEN v_action = 'update' THEN 'close' ELSE 'keep' END;
        ELSIF v_action IN ('close', 'tombstone') AND NOT radscheduler.is_closed(v_sent) THEN
            warnings := warnings || radscheduler.warning('STATUS_DISAGREES', 'SCH-25');
            v_sent := NULL;
        END IF;
        v_status := CASE WHEN c_trigger = 'S17' AND v_action IN ('close', 'tombstone') THEN 'DELETED'
                         ELSE coalesce(v_sent, v_rule.default_status) END;
    END IF;
    IF v_rule.warning IS NOT NULL AND v_action <> 'fill' THEN
        warnings := warnings || radscheduler.warning(v_rule.warning, 'SCH');
    END IF;
    IF v_action = 'keep' THEN
        outcome := 'ignored';
        RETURN;
    END IF;

    IF v_action = 'amend' THEN
        -- What is over is over: notes, people and orders may be mended, time and exams may not.
        v_schedule := v_schedule - ARRAY['starts_at', 'ends_at', 'duration_minutes'];
        v_has_services := false;
        p_reading := p_reading || jsonb_build_object('schedule', v_schedule, 'services', '[]'::jsonb, 'resources', '[]'::jsonb);
    END IF;

    -- Who and what. A closing needs neither.
    IF v_action <> 'close' THEN
        IF p_reading ? 'patient' THEN
            SELECT p.patient_id, p.warnings INTO v_patient, v_more
                FROM radscheduler.resolve_patient(c_site, p_reading -> 'patient', p_context ->> 'facility', p_context ->> 'region') p;
            warnings := warnings || v_more;
        END IF;
        IF jsonb_array_length(p_reading -> 'resources') > 0 THEN
            SELECT r.resource_ids, r.warnings INTO v_resources, v_more FROM radscheduler.resolve_resources(c_site, p_reading) r;
            warnings := warnings || v_more;
            SELECT array_agg(DISTINCT item ->> 'segment') INTO v_segments FROM jsonb_array_elements(p_reading -> 'resources') item;
        END IF;
        IF v_action = 'update' AND c_trigger = 'S12' AND v_patient <> v_old.patient_id THEN
            v_action := 'renew';
            v_status := 'PENDING_REVIEW';
            warnings := warnings || radscheduler.warning('ID_REUSED', 'SCH-2');
        END IF;
    END IF;
    v_is_new := v_id IS NULL OR v_action = 'renew';
    IF v_id IS NOT NULL AND v_action <> 'renew' THEN
        SELECT array_agg(ar.resource_id) INTO v_held FROM radscheduler.appointment_resource ar WHERE ar.site_id = c_site AND ar.appointment_id = v_id;
    END IF;
    PERFORM radscheduler.lock_subjects(c_site, v_resources || v_held, ARRAY[v_patient, v_old.patient_id]);
    IF v_id IS NOT NULL THEN
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = c_site AND a.appointment_id = v_id FOR UPDATE;
    END IF;
    IF NOT v_is_new THEN
        v_new := v_old;
        v_new.version := v_old.version + 1;
        IF v_old.review_reason = 'CONFLICT' AND v_old.status = 'PENDING_REVIEW' THEN
            v_new.status := v_old.resume_status;
            v_new.review_reason := NULL;
            v_new.resume_status := NULL;
        END IF;
    ELSE
        v_new.site_id := c_site;
        v_new.sender_id := c_sender;
        v_new.generation := CASE WHEN v_action = 'renew' THEN v_old.generation + 1 ELSE 1 END;
        v_new.source := p_context ->> 'source';
        v_new.is_test := (p_context ->> 'is_test')::boolean;
        v_new.reschedule_count := 0;
        v_new.version := 1;
        v_new.urgency := 'routine';
        v_new.created_at := now();
        IF v_action = 'renew' AND v_status = 'PENDING_REVIEW' THEN
            v_new.review_reason := 'ID_REUSED';
        END IF;
    END IF;
    v_new.updated_at := now();
    v_new.message_id := p_message;
    IF v_action <> 'fill' THEN
        v_new.status := coalesce(v_status, v_new.status);
        v_new.message_time := p_at;
        v_new.message_sequence := c_sequence;
        IF NOT v_is_new AND v_old.review_reason = 'ID_REUSED' AND v_old.status = 'PENDING_REVIEW' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
            v_new.status := 'PENDING_REVIEW'; -- a person decides that, not the next message
        END IF;
    END IF;
    IF v_new.status <> 'PENDING_REVIEW' THEN
        v_new.review_reason := NULL;
    END IF;

    -- Closing: the rest of the time goes back.
    IF v_action = 'close' THEN
        v_new.event_reason := coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}', v_old.event_reason);
        UPDATE radscheduler.appointment a SET status = v_new.status, review_reason = NULL, resume_status = NULL, event_reason = v_new.event_reason,
               version = v_new.version, message_id = p_message, message_time = p_at, message_sequence = c_sequence, updated_at = now()
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        PERFORM radscheduler.vacate(c_site, v_id, CASE WHEN v_new.status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN p_at END);
        PERFORM radscheduler.settle(c_site, v_id, v_held, ARRAY[v_old.patient_id], p_message);
        PERFORM radscheduler.record_version(c_site, v_id, radscheduler.event_name(v_old.status, v_new.status, false), p_message);
        RETURN;
    END IF;

    -- Fields: sent overwrites, the HL7 null clears, not sent keeps.
    v_new.filler_id := coalesce(v_filler, v_new.filler_id);
    v_new.placer_id := coalesce(v_placer, v_new.placer_id);
    v_new.patient_id := coalesce(v_patient, v_new.patient_id);
    v_new.notes := CASE WHEN v_schedule ? 'notes' THEN v_schedule ->> 'notes' ELSE v_new.notes END;
    v_new.reason := CASE WHEN v_schedule ? 'reason' THEN coalesce(v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}') ELSE v_new.reason END;
    v_new.event_reason := CASE WHEN v_schedule ? 'event_reason' THEN coalesce(v_schedule #>> '{event_reason,text}', v_schedule #>> '{event_reason,code}') ELSE v_new.event_reason END;
    v_new.urgency := CASE WHEN v_schedule ? 'priority' THEN radscheduler.urgency_of(v_schedule ->> 'priority') ELSE v_new.urgency END;
    v_new.referring_physician := CASE WHEN p_reading -> 'visit' ? 'referring' THEN p_reading #>> '{visit,referring}' ELSE v_new.referring_physician END;
    v_new.visit_number := coalesce(p_reading #>> '{visit,visit_number}', v_new.visit_number);
    IF v_schedule ? 'placer_orders' THEN
        v_new.placer_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'placer_orders'));
    END IF;
    IF v_schedule ? 'filler_orders' THEN
        v_new.filler_orders := ARRAY(SELECT jsonb_array_elements_text(v_schedule -> 'filler_orders'));
    END IF;
    IF v_has_services THEN
        SELECT item ->> 'code' INTO v_new.study_code FROM jsonb_array_elements(p_reading -> 'services') item LIMIT 1;
        SELECT string_agg(coalesce(item ->> 'text', item ->> 'alt_text', item ->> 'code'), ' + ' ORDER BY place) INTO v_new.study_text
            FROM jsonb_array_elements(p_reading -> 'services') WITH ORDINALITY s(item, place);
    END IF;
    v_new.study_text := coalesce(v_new.study_text, v_schedule #>> '{reason,text}', v_schedule #>> '{reason,code}', v_schedule #>> '{type,text}');
    IF v_has_services OR v_resources IS NOT NULL OR v_new.modality IS NULL THEN
        v_new.modality := coalesce(radscheduler.modality_of(c_site, p_reading, v_resources), nullif(v_new.modality, 'OT'), 'OT');
        IF v_new.modality = 'OT' THEN
            warnings := warnings || radscheduler.warning('MODALITY_UNKNOWN', 'AIS-3');
        END IF;
    END IF;

    -- Time.
    IF v_schedule ->> 'starts_at' IS NOT NULL THEN
        IF length(v_schedule ->> 'starts_at') = 10 THEN
            warnings := warnings || radscheduler.warning('DATE_ONLY', 'SCH-11.4');
            v_new.status := CASE WHEN radscheduler.is_closed(v_new.status) THEN v_new.status ELSE 'WAITLISTED' END;
            v_new.starts_at := NULL;
            v_new.ends_at := NULL;
        ELSE
            v_more := radscheduler.warning(radscheduler.clock_doubt(v_schedule ->> 'starts_at', c_zone), 'SCH-11.4');
            warnings := warnings || coalesce(v_more, '[]');
            v_new.starts_at := radscheduler.to_instant(v_schedule ->> 'starts_at', c_zone);
            v_new.ends_at := radscheduler.to_instant(v_schedule ->> 'ends_at', c_zone);
            IF v_new.ends_at IS NULL OR v_new.ends_at <= v_new.starts_at THEN
                v_new.ends_at := v_new.starts_at + coalesce(make_interval(mins => nullif(greatest((v_schedule ->> 'duration_minutes')::integer, 0), 0)),
                                                            v_old.ends_at - v_old.starts_at);
                IF v_new.ends_at IS NULL THEN
                    v_new.ends_at := v_new.starts_at + make_interval(mins => radscheduler.duration_of(c_site, p_reading, v_new.modality));
                    warnings := warnings || radscheduler.warning('DURATION_ASSUMED', 'SCH-9');
                END IF;
            END IF;
        END IF;
    ELSIF v_new.starts_at IS NOT NULL AND (v_schedule ->> 'duration_minutes')::integer > 0 THEN
        v_new.ends_at := v_new.starts_at + make_interval(mins => (v_schedule ->> 'duration_minutes')::integer);
    END IF;
    IF NOT radscheduler.is_closed(v_new.status) THEN
        IF v_new.patient_id IS NULL OR v_new.starts_at IS NULL AND v_new.status NOT IN ('PENDING', 'WAITLISTED') THEN
            code := 'AE';
            outcome := 'error';
            error := CASE
                WHEN c_trigger = 'S14' AND v_id IS NULL THEN jsonb_build_object('code', '204', 'path', 'SCH-2', 'text',
                    'This modification is about an appointment that is not known here and does not carry enough to create it (patient and start). Send the booking (S12) first.')
                WHEN v_new.patient_id IS NULL THEN jsonb_build_object('code', '101', 'path', 'PID-3', 'text',
                    'An appointment needs a patient identifier in PID-3. Send at least one.')
                ELSE jsonb_build_object('code', '101', 'path', 'SCH-11.4', 'text',
                    'No start time was found in TQ1-7, SCH-11.4 or any AIS, AIL, AIG or AIP. Send one of them.') END;
            RETURN;
        END IF;
    END IF;
    IF NOT v_is_new AND v_old.starts_at IS NOT NULL AND v_new.starts_at <> v_old.starts_at THEN
        v_shift := v_new.starts_at - v_old.starts_at;
        v_new.reschedule_count := v_old.reschedule_count + 1;
        v_new.original_starts_at := coalesce(v_old.original_starts_at, v_old.starts_at);
    END IF;

    -- Rows.
    IF v_is_new THEN
        INSERT INTO radscheduler.appointment AS a (site_id, sender_id, filler_id, placer_id, generation, patient_id, status, review_reason, starts_at, ends_at,
                modality, study_code, study_text, referring_physician, urgency, notes, reason, event_reason, visit_number, placer_orders, filler_orders,
                source, is_test, message_time, message_sequence, message_id)
            VALUES (c_site, c_sender, v_new.filler_id, v_new.placer_id, v_new.generation, v_new.patient_id, v_new.status, v_new.review_reason, v_new.starts_at, v_new.ends_at,
                v_new.modality, v_new.study_code, v_new.study_text, v_new.referring_physician, v_new.urgency, v_new.notes, v_new.reason, v_new.event_reason,
                v_new.visit_number, v_new.placer_orders, v_new.filler_orders, v_new.source, v_new.is_test, v_new.message_time, v_new.message_sequence, p_message)
            RETURNING a.appointment_id INTO v_id;
    ELSE
        UPDATE radscheduler.appointment a SET filler_id = v_new.filler_id, placer_id = v_new.placer_id, patient_id = v_new.patient_id, status = v_new.status,
                review_reason = v_new.review_reason, resume_status = v_new.resume_status, starts_at = v_new.starts_at, ends_at = v_new.ends_at, modality = v_new.modality,
                study_code = v_new.study_code, study_text = v_new.study_text, referring_physician = v_new.referring_physician, urgency = v_new.urgency,
                notes = v_new.notes, reason = v_new.reason, event_reason = v_new.event_reason, visit_number = v_new.visit_number,
                placer_orders = v_new.placer_orders, filler_orders = v_new.filler_orders, reschedule_count = v_new.reschedule_count,
                original_starts_at = v_new.original_starts_at, version = v_new.version, message_time = v_new.message_time,
                message_sequence = v_new.message_sequence, message_id = p_message, updated_at = v_new.updated_at
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_service s WHERE v_has_services AND s.site_id = c_site AND s.appointment_id = v_id;
        DELETE FROM radscheduler.appointment_resource r WHERE r.site_id = c_site AND r.appointment_id = v_id AND r.segment = ANY (v_segments);
        PERFORM radscheduler.shift_rows(c_site, v_id, v_shift, v_old.ends_at, v_new.ends_at);
    END IF;
    apply_reading.appointment_id := v_id;
    IF v_has_services THEN
        PERFORM radscheduler.write_services(c_site, v_id, p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_resources IS NOT NULL THEN
        PERFORM radscheduler.write_resources(c_site, v_id, p_reading, v_resources, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;
    IF v_new.starts_at IS NOT NULL THEN
        warnings := warnings || radscheduler.distrusted_times(p_reading, c_zone, v_new.starts_at, v_new.ends_at);
    END IF;

    -- Time taken, conflicts found or healed, review opened, all of it told.
    PERFORM radscheduler.occupy(c_site, v_id, v_is_new);
    v_worst := radscheduler.settle(c_site, v_id, v_resources || v_held, ARRAY[v_new.patient_id, v_old.patient_id], p_message);
    IF v_worst = 'critical' AND v_new.status IN ('SCHEDULED', 'CONFIRMED') THEN
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'CONFLICT', resume_status = v_new.status
            WHERE a.site_id = c_site AND a.appointment_id = v_id;
    END IF;
    IF v_worst IS NOT NULL THEN
        outcome := 'flagged';
    END IF;
    PERFORM radscheduler.record_version(c_site, v_id,
        radscheduler.event_name(CASE WHEN NOT v_is_new THEN v_old.status END, v_new.status, v_shift IS NOT NULL), p_message);
END
$$;
COMMENT ON FUNCTION radscheduler.apply_reading(jsonb, jsonb, bigint, timestamptz) IS
    'Applies a reading (siu_parse shape) to the schedule. context: {site_id, sender_id, zone, region, facility, trigger_event, sequence, source, is_test}; p_at orders it against other messages of the same appointment. Returns outcome, MSA-1, error {code, path, text}, appointment and warnings. Call it under lock_keys() on the appointment''s and the patient''s names.';
-- A message's whole fate in one call and one transaction: logged, read, applied, checked, answered.
-- ingest() pins planner settings: every statement under it looks up a few rows by index; a plan made while the tables were empty and
-- never analysed must not become a scan of them that lasts as long as the session; planning each statement anew would cost more than
-- running it, and compiling it a thousand times more.

CREATE FUNCTION radscheduler.ack_stamp(p_zone text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_local  timestamp := timezone(p_zone, now());
    v_offset integer := extract(epoch FROM v_local - timezone('UTC', now())) / 60;
BEGIN
    RETURN to_char(v_local, 'YYYYMMDDHH24MISS') || CASE WHEN v_offset < 0 THEN '-' ELSE '+' END
           || lpad((abs(v_offset) / 60)::text, 2, '0') || lpad((abs(v_offset) % 60)::text, 2, '0');
END
$$;
COMMENT ON FUNCTION radscheduler.ack_stamp(text) IS 'Now as an HL7 time with offset, in a zone.';

CREATE FUNCTION radscheduler.answer(p_bytes bytea, p_code text, p_message bigint, p_zone text, p_error jsonb, p_conflicts jsonb, p_charset text) RETURNS bytea
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_codes text[] := '{}'; v_paths text[] := '{}'; v_severities text[] := '{}'; v_texts text[] := '{}';
BEGIN
    IF p_error IS NOT NULL THEN
        v_codes := ARRAY[p_error ->> 'code'];
        v_paths := ARRAY[coalesce(p_error ->> 'path', '')];
        v_severities := ARRAY['E'];
        v_texts := ARRAY[p_error ->> 'text'];
    ELSIF p_conflicts <> '[]' THEN
        SELECT array_agg('0'::text), array_agg('SCH'::text), array_agg('W'::text), array_agg(format('%s With appointment %s.', c ->> 'message', c #>> '{with,0,appointment_id}'))
            INTO v_codes, v_paths, v_severities, v_texts
            FROM (SELECT e FROM jsonb_array_elements(p_conflicts) e LIMIT 3) l(c);
    END IF;
    RETURN radscheduler.hl7_answer(p_bytes, p_code, 'RS' || p_message, radscheduler.ack_stamp(p_zone),
                                   coalesce(p_error ->> 'text', CASE WHEN p_conflicts <> '[]' THEN 'Accepted with conflict, see ERR' END),
                                   v_codes, v_paths, v_severities, v_texts, p_charset);
END
$$;
COMMENT ON FUNCTION radscheduler.answer(bytea, text, bigint, text, jsonb, jsonb, text) IS
    'The acknowledgement of a message by its number here: an error as ERR severity E, conflicts of an accepted booking as ERR severity W.';

CREATE FUNCTION radscheduler.log_message(p_context jsonb, p_bytes bytea, p_message bigint, p_result radscheduler.ingest_result,
                                         p_error jsonb, p_duplicate_of bigint, p_received timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_header jsonb := p_context -> 'header';
BEGIN
    INSERT INTO radscheduler.hl7_message (site_id, message_id, received_at, channel, peer, raw, raw_sha256, sender_id, message_code, trigger_event, control_id,
                                          processing_id, version_id, message_time, outcome, code, warnings, error, ack, appointment_id, duplicate_of)
        VALUES ((p_context ->> 'site_id')::integer, p_message, p_received, p_context ->> 'channel', p_context ->> 'peer', p_bytes, sha256(p_bytes),
                (p_context ->> 'sender_id')::bigint, v_header ->> 'message_code', v_header ->> 'trigger_event', v_header ->> 'control_id',
                v_header ->> 'processing_id', v_header ->> 'version', radscheduler.to_instant(v_header ->> 'message_time', p_context ->> 'zone'),
                (p_result).outcome, (p_result).code, (p_result).warnings, p_error, (p_result).ack, (p_result).appointment_id, p_duplicate_of);
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id, message_id, data)
        VALUES ((p_context ->> 'site_id')::integer,
                CASE (p_result).outcome WHEN 'duplicate' THEN 'hl7.duplicate' WHEN 'error' THEN 'hl7.rejected' WHEN 'rejected' THEN 'hl7.rejected' ELSE 'hl7.processed' END,
                (p_result).appointment_id, p_message,
                jsonb_strip_nulls(jsonb_build_object('outcome', (p_result).outcome, 'code', (p_result).code, 'trigger_event', v_header ->> 'trigger_event',
                                                     'warnings', jsonb_array_length((p_result).warnings), 'error', p_error ->> 'code')));
END
$$;
COMMENT ON FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz) IS
    'Keeps a received message with what became of it, and tells it in event_log.';

CREATE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_zone   text;
    v_warnings jsonb := '[]';
BEGIN
    SELECT * INTO v_sender FROM radscheduler.sender_of(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''));
    IF v_sender.site_id IS NULL THEN
        RAISE EXCEPTION 'this database has no site' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT radscheduler.create_site(''MAIN'', ''Main site'', ''America/New_York'');';
    END IF;
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    v_zone := coalesce(v_sender.profile ->> 'timezone', v_site.timezone, coalesce(nullif(current_setting('radscheduler.default_timezone', true), ''), 'UTC'));
    IF v_sender.is_new THEN
        v_warnings := v_warnings || radscheduler.warning('SENDER_UNKNOWN', 'MSH-3');
    END IF;
    IF v_sender.profile ->> 'timezone' IS NULL AND v_site.timezone IS NULL THEN
        v_warnings := v_warnings || radscheduler.warning('ZONE_ASSUMED', 'MSH-7');
    END IF;
    RETURN jsonb_build_object('site_id', v_sender.site_id, 'sender_id', v_sender.sender_id, 'profile', v_sender.profile, 'zone', v_zone,
                              'region', v_site.phone_region, 'facility', coalesce(p_header ->> 'sending_facility', ''),
                              'trigger_event', p_header ->> 'trigger_event', 'sequence', p_header -> 'sequence_number',
                              'is_test', coalesce(p_header ->> 'processing_id', 'P') <> 'P', 'source', 'HL7',
                              'channel', p_channel, 'peer', p_peer, 'header', p_header, 'warnings', v_warnings);
END
$$;
COMMENT ON FUNCTION radscheduler.message_context(jsonb, text, text) IS
    'What a message is read in the light of: site, sender, profile, zone (sender, else site, else radscheduler.default_timezone), phone region.';

CREATE FUNCTION radscheduler.ingest_message(p_bytes bytea, p_channel text, p_peer text) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message  bigint := nextval('radscheduler.hl7_message_id_seq');
    v_received timestamptz := clock_timestamp();
    v_head     jsonb := radscheduler.hl7_header(p_bytes);
    v_header   jsonb := v_head -> 'header';
    v_context  jsonb := radscheduler.message_context(v_header, p_channel, p_peer);
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_sha256   bytea := sha256(p_bytes);
    v_reading  jsonb;
    v_error    jsonb := v_head -> 'error';
    v_applied  record;
    v_key      record;
    v_first    record;
    v_at       timestamptz;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := v_message;
    r.code := 'AA';
    r.warnings := v_context -> 'warnings';
    r.conflicts := '[]';

    -- Can it be read, and is it for us?
    IF v_error IS NOT NULL THEN
        r.code := 'AR';
    ELSIF coalesce(v_header ->> 'control_id', '') = '' THEN
        r.code := 'AE';
        v_error := '{"code": "101", "path": "MSH-10", "text": "The message has no control id (MSH-10), so its acknowledgement could not be told from another. Send one."}';
    ELSIF coalesce(v_header ->> 'message_code', '') <> 'SIU' THEN
        r.code := 'AR';
        v_error := '{"code": "200", "path": "MSH-9.1", "text": "Only scheduling messages (SIU) are taken here. The message is kept."}';
    ELSIF NOT EXISTS (SELECT FROM radscheduler.event_rule e WHERE e.trigger_event = v_header ->> 'trigger_event') THEN
        r.code := 'AR';
        v_error := '{"code": "201", "path": "MSH-9.2", "text": "This trigger event is not taken here: send S12, S13, S14, S15, S16, S17 or S26. The message is kept."}';
    ELSE
        v_reading := radscheduler.siu_read(p_bytes, coalesce(v_context #>> '{profile,repair}', 'lenient') <> 'strict',
                                           coalesce(v_context #>> '{profile,start_source}', 'appointment'),
                                           coalesce(v_context #>> '{profile,charset}', ''));
        r.warnings := r.warnings || (v_reading -> 'warnings');
        v_error := v_reading -> 'error';
        IF v_error IS NOT NULL THEN
            r.code := 'AE';
        ELSIF v_reading -> 'warnings' @> '[{"code": "EXTRA_SEGMENT", "path": "MSH[2]"}]' THEN
            r.code := 'AR';
            v_error := '{"code": "100", "path": "MSH[2]", "text": "These bytes hold more than one message, and one acknowledgement cannot answer several. Send each message by itself. All bytes are kept."}';
        END IF;
    END IF;

    IF v_error IS NULL THEN
        -- Order key: the message's own time, unless its clock runs ahead or it has none.
        v_at := coalesce(radscheduler.to_instant(v_header ->> 'message_time', v_context ->> 'zone'), v_received);
        IF v_at > v_received + interval '5 minutes' THEN
            v_at := v_received;
            r.warnings := r.warnings || radscheduler.warning('CLOCK_SKEW', 'MSH-7');
        END IF;
        PERFORM radscheduler.lock_keys(ARRAY[
                    'appointment/' || v_sender || '/F/' || (v_reading #>> '{schedule,filler_id}'),
                    'appointment/' || v_sender || '/P/' || (v_reading #>> '{schedule,placer_id}')]
                    || radscheduler.patient_lock_names(v_site, v_reading -> 'patient'));

        -- The duplicate guard, before anything else is written.
        INSERT INTO radscheduler.message_key AS k (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, v_header ->> 'control_id', v_sha256, v_message, v_received)
            ON CONFLICT DO NOTHING
            RETURNING EXISTS (SELECT FROM radscheduler.message_key o
                              WHERE o.site_id = k.site_id AND o.sender_id = k.sender_id AND o.control_id = k.control_id) AS is_reused
            INTO v_key;
        IF v_key.is_reused IS NULL THEN
            SELECT m.message_id, m.ack, m.code, m.appointment_id, m.warnings INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.ack := v_first.ack;
                r.code := v_first.code;
                r.appointment_id := v_first.appointment_id;
                r.warnings := v_first.warnings;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            -- The answer went with an old partition: the message is taken anew, and its state in the schedule decides.
            UPDATE radscheduler.message_key k SET message_id = v_message, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender
                  AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
        END IF;
        IF v_key.is_reused THEN
            r.warnings := r.warnings || radscheduler.warning('CONTROL_ID_REUSED', 'MSH-10');
        END IF;

        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_reading, v_message, v_at);
        r.outcome := v_applied.outcome;
        r.code := v_applied.code;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := r.warnings || v_applied.warnings;
        v_error := v_applied.error;
        IF r.outcome = 'flagged' THEN
            r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
            IF v_context #>> '{profile,on_conflict}' = 'reject' AND r.conflicts @> '[{"severity": "critical"}]' THEN
                RAISE EXCEPTION 'the sender''s profile refuses bookings that conflict' USING ERRCODE = 'RS001', DETAIL = r.conflicts::text;
            END IF;
        END IF;
    END IF;

    IF v_error IS NOT NULL THEN
        r.outcome := CASE WHEN r.code = 'AR' THEN 'rejected' ELSE 'error' END;
        DELETE FROM radscheduler.message_key k
            WHERE k.site_id = v_site AND k.sender_id = v_sender
              AND k.control_id = v_header ->> 'control_id' AND k.body_sha256 = v_sha256;
    END IF;
    r.ack := radscheduler.answer(p_bytes, r.code, v_message, v_context ->> 'zone', v_error, r.conflicts, v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, p_bytes, v_message, r, v_error, NULL, v_received);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_message(bytea, text, text) IS
    'ingest() without its safety net: an unexpected error is raised.';

CREATE FUNCTION radscheduler.ingest(bytes bytea, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_state      text;
    v_constraint text;
    v_detail     text;
    v_conflict   jsonb;
    v_head       jsonb;
    v_context    jsonb;
    v_error      jsonb;
    r            radscheduler.ingest_result;
BEGIN
    IF bytes IS NULL THEN
        RAISE EXCEPTION 'ingest needs the bytes of a message, not NULL' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    BEGIN
        RETURN radscheduler.ingest_message(bytes, channel, peer);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS v_state = RETURNED_SQLSTATE, v_constraint = CONSTRAINT_NAME, v_detail = PG_EXCEPTION_DETAIL;
        IF left(v_state, 2) IN ('08', '40', '53', '55', '57', '58') OR v_state IN ('42501', '42P01') THEN
            RAISE;
        END IF;
    END;
    IF v_state = 'RS001' THEN
        SELECT c INTO v_conflict FROM jsonb_array_elements(v_detail::jsonb) c WHERE c ->> 'severity' = 'critical' LIMIT 1;
        v_error := jsonb_build_object('code', '207', 'path', CASE v_conflict ->> 'axis' WHEN 'patient' THEN 'PID-3' WHEN 'staff' THEN 'AIP-3' WHEN 'room' THEN 'AIL-3' ELSE 'AIG-3' END,
                                      'text', format('%s Appointment %s holds that time.', v_conflict ->> 'message', v_conflict #>> '{with,0,appointment_id}'));
    ELSE
        v_error := jsonb_build_object('code', '207', 'path', '', 'text',
            format('The message could not be applied (SQLSTATE %s%s). It is kept and can be sent again once the cause is mended.', v_state,
                   coalesce(', constraint ' || nullif(v_constraint, ''), '')));
    END IF;
    v_head := radscheduler.hl7_header(bytes);
    v_context := radscheduler.message_context(v_head -> 'header', channel, peer);
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.code := 'AE';
    r.outcome := 'error';
    r.warnings := v_context -> 'warnings';
    r.conflicts := CASE WHEN v_state = 'RS001' THEN v_detail::jsonb ELSE '[]' END;
    r.ack := radscheduler.answer(bytes, r.code, r.message_id, v_context ->> 'zone', v_error, '[]', v_context #>> '{profile,charset}');
    PERFORM radscheduler.log_message(v_context, bytes, r.message_id, r, v_error, NULL, clock_timestamp());
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest(bytea, text, text) IS
    'Takes the bytes of one HL7 v2 message as received: logs them, applies them and returns the acknowledgement to send, in the caller''s transaction. Bad messages are values (AE, AR), never errors; it raises only for what trying again may cure (SQLSTATE classes 08, 40, 53, 55, 57, 58) or for missing rights. channel: mllp, http, sql; peer: network address. Repeated bytes return the stored acknowledgement. A sender in enhanced mode (MSH-15, MSH-16) is answered CA, CE or CR where it asks for that, else AA, AE or AR; no bytes where it asks for nothing.';
-- Writing to the appointments view. Bookings made here are refused when they would double-book; the RIS's are flagged instead (64-ingest.sql).

CREATE FUNCTION radscheduler.raise_conflict(p_site integer, p_appointment bigint) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone     text := radscheduler.site_zone(p_site);
    v_conflict record;
BEGIN
    SELECT c.code, k.text, r.name, c.other_appointment_id, o.starts_at, o.ends_at, c.alternatives INTO v_conflict
        FROM radscheduler.conflict c
        JOIN radscheduler.conflict_kind k ON k.code = c.code
        JOIN radscheduler.appointment o ON o.site_id = c.site_id AND o.appointment_id = c.other_appointment_id
        LEFT JOIN radscheduler.resource r ON c.axis = 'resource' AND r.site_id = c.site_id AND r.resource_id = c.subject_id
        WHERE c.site_id = p_site AND c.appointment_id = p_appointment AND c.state = 'open' AND c.severity = 'critical'
        ORDER BY c.conflict_id LIMIT 1;
    RAISE EXCEPTION '%', format(v_conflict.text, v_conflict.name)
        USING ERRCODE = 'exclusion_violation', SCHEMA = 'radscheduler', TABLE = 'occupancy', CONSTRAINT = 'occupancy_no_overlap',
              DETAIL = format('%s: appointment %s holds %s to %s (%s).', v_conflict.code, v_conflict.other_appointment_id,
                              to_char(timezone(v_zone, v_conflict.starts_at), 'YYYY-MM-DD HH24:MI'),
                              to_char(timezone(v_zone, v_conflict.ends_at), 'HH24:MI'), v_zone),
              HINT = coalesce('Free instead: ' || (SELECT string_agg(format('%s on %s', to_char(timezone(v_zone, (a ->> 'start')::timestamptz), 'YYYY-MM-DD HH24:MI'), a ->> 'resource'), ', ')
                                                   FROM jsonb_array_elements(v_conflict.alternatives) a) || '.',
                              'Choose another time; radscheduler.find_slots() lists free ones.');
END
$$;
COMMENT ON FUNCTION radscheduler.raise_conflict(integer, bigint) IS
    'Refuses a booking: raises 23P01 with the other appointment in DETAIL and free times in HINT. No patient data.';

CREATE FUNCTION radscheduler.appointment_lock_names(p_site integer, p_appointment bigint) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT ARRAY['appointment/' || a.sender_id || '/F/' || split_part(a.filler_id, '^', 1), 'appointment/' || a.sender_id || '/P/' || split_part(a.placer_id, '^', 1)]
    FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment);
END
$$;
COMMENT ON FUNCTION radscheduler.appointment_lock_names(integer, bigint) IS 'Names for lock_keys() under which messages about an appointment wait for a change made here.';

CREATE FUNCTION radscheduler.check_appointment_values(p_site integer, p_modality text, p_duration integer, p_status text, p_urgency text,
                                                      OUT modality text, OUT status radscheduler.appointment_status, OUT urgency text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    modality := radscheduler.modality_code(p_site, p_modality);
    IF modality IS NULL THEN
        RAISE EXCEPTION 'modality "%" is not known at this site', p_modality
            USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.modality_alias lists the words that are, for example MRI, CT, XRAY, US.';
    END IF;
    IF p_duration NOT BETWEEN 1 AND 1440 THEN
        RAISE EXCEPTION 'a duration of % minutes is not possible', p_duration USING ERRCODE = 'invalid_parameter_value', HINT = 'Give 1 to 1440 minutes.';
    END IF;
    status := radscheduler.status_of(jsonb_build_array(p_status));
    IF status IS NULL OR status IN ('PENDING', 'WAITLISTED') AND upper(p_status) NOT IN ('PENDING', 'WAITLISTED') THEN
        RAISE EXCEPTION 'status "%" is not one of the life cycle', p_status
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use SCHEDULED, CONFIRMED, ARRIVED, IN_PROGRESS, COMPLETED, CANCELLED, NO_SHOW or another state of radscheduler.appointment_status.';
    END IF;
    IF lower(p_urgency) NOT IN ('routine', 'urgent', 'stat', 'emergency') THEN
        RAISE EXCEPTION 'urgency "%" is not known', p_urgency USING ERRCODE = 'invalid_parameter_value', HINT = 'Use routine, urgent or stat (emergency).';
    END IF;
    urgency := radscheduler.urgency_of(p_urgency);
END
$$;
COMMENT ON FUNCTION radscheduler.check_appointment_values(integer, text, integer, text, text) IS
    'The words of an appointment written in SQL as stored values; raises 22023 with a hint for one that cannot be.';

CREATE FUNCTION radscheduler.appointments_write() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_site      integer := CASE WHEN TG_OP = 'INSERT' THEN radscheduler.current_site() END;
    v_zone      text;
    v_id        bigint;
    v_old       radscheduler.appointment;
    v_values    record;
    v_patient   bigint := NULL;
    v_starts    timestamptz;
    v_ends      timestamptz;
    v_resources bigint[];
    v_status    radscheduler.appointment_status;
    v_shift     interval;
BEGIN
    -- What is asked for, in stored values.
    IF TG_OP <> 'DELETE' THEN
        NEW.patient_id := nullif(btrim(NEW.patient_id), '');
        NEW.patient_name := nullif(btrim(NEW.patient_name), '');
        IF NEW.patient_id IS NULL OR NEW.patient_name IS NULL OR NEW.modality IS NULL
           OR NEW.datetime IS NULL AND coalesce(NEW.status, 'SCHEDULED') NOT IN ('PENDING', 'WAITLISTED', 'CANCELLED') THEN
            RAISE EXCEPTION 'an appointment needs %', CASE WHEN NEW.patient_id IS NULL THEN 'patient_id' WHEN NEW.patient_name IS NULL THEN 'patient_name'
                                                           WHEN NEW.modality IS NULL THEN 'modality' ELSE 'datetime' END
                USING ERRCODE = 'not_null_violation', HINT = 'patient_id, patient_name, modality and datetime must be given; only PENDING, WAITLISTED and CANCELLED rows go without datetime.';
        END IF;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.appointment_id = OLD.id;
    END IF;
    v_zone := radscheduler.site_zone(v_site);
    IF TG_OP <> 'DELETE' THEN
        SELECT * INTO v_values FROM radscheduler.check_appointment_values(v_site, NEW.modality, coalesce(NEW.duration, 30), coalesce(NEW.status, 'SCHEDULED'), coalesce(NEW.urgency, 'routine'));
        v_starts := radscheduler.to_instant(to_char(NEW.datetime, 'YYYY-MM-DD"T"HH24:MI:SS.US'), v_zone);
        v_ends := v_starts + make_interval(mins => coalesce(NEW.duration, 30));
        v_status := v_values.status;
    ELSE
        v_status := 'CANCELLED';
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.id IS DISTINCT FROM OLD.id OR NEW.conflicts IS DISTINCT FROM OLD.conflicts OR NEW.source IS DISTINCT FROM OLD.source) THEN
        RAISE EXCEPTION 'the columns id, conflicts and source of appointments cannot be updated'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Conflicts follow from the bookings: move or cancel one of them.';
    END IF;

    -- Locks in the one order, then the row as it is now.
    PERFORM radscheduler.lock_keys(radscheduler.appointment_lock_names(v_site, CASE WHEN TG_OP <> 'INSERT' THEN OLD.id END)
                                   || CASE WHEN TG_OP <> 'DELETE' THEN format('patient/%s/%s', v_site, NEW.patient_id) END);
    IF TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND (NEW.patient_id, NEW.patient_name, NEW.patient_phone) IS DISTINCT FROM (OLD.patient_id, OLD.patient_name, OLD.patient_phone) THEN
        SELECT p.patient_id INTO v_patient FROM radscheduler.resolve_patient(v_site,
            jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', NEW.patient_id)),
                               CASE WHEN TG_OP = 'INSERT' OR NEW.patient_name <> OLD.patient_name THEN 'display' ELSE 'display_if_new' END, NEW.patient_name)
            || CASE WHEN TG_OP = 'INSERT' AND NEW.patient_phone IS NULL OR TG_OP = 'UPDATE' AND NEW.patient_phone IS NOT DISTINCT FROM OLD.patient_phone THEN '{}'
                    WHEN NEW.patient_phone IS NULL THEN '{"phones": []}'
                    ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', NEW.patient_phone))) END,
            '', (SELECT s.phone_region FROM radscheduler.site s WHERE s.site_id = v_site)) p;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_id := OLD.id;
        SELECT array_agg(ar.resource_id) INTO v_resources FROM radscheduler.appointment_resource ar WHERE ar.site_id = v_site AND ar.appointment_id = v_id;
        PERFORM radscheduler.lock_subjects(v_site, v_resources, ARRAY[v_patient, (SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id)]);
        SELECT * INTO v_old FROM radscheduler.appointment a WHERE a.site_id = v_site AND a.appointment_id = v_id FOR UPDATE;
    ELSE
        PERFORM radscheduler.lock_subjects(v_site, NULL, ARRAY[v_patient]);
    END IF;

    -- The row.
    IF TG_OP = 'INSERT' THEN
        INSERT INTO radscheduler.appointment AS a (site_id, patient_id, status, starts_at, ends_at, modality, study_text, referring_physician, urgency, notes, source)
            VALUES (v_site, v_patient, v_status, v_starts, v_ends, v_values.modality, NEW.study_type, NEW.referring_physician, v_values.urgency, NEW.notes, coalesce(NEW.source, 'SQL'))
            RETURNING a.appointment_id INTO v_id;
    ELSIF TG_OP = 'UPDATE' THEN
        v_shift := nullif(v_starts - v_old.starts_at, interval '0');
        IF NEW.status = OLD.status THEN
            v_status := CASE WHEN v_old.review_reason = 'CONFLICT' THEN coalesce(v_old.resume_status, v_old.status) ELSE v_old.status END;
        END IF;
        UPDATE radscheduler.appointment a SET patient_id = coalesce(v_patient, a.patient_id), status = v_status,
               review_reason = CASE WHEN v_status = 'PENDING_REVIEW' THEN a.review_reason END, resume_status = NULL,
               starts_at = v_starts, ends_at = v_ends, modality = v_values.modality, study_text = NEW.study_type,
               referring_physician = NEW.referring_physician, urgency = v_values.urgency, notes = NEW.notes,
               reschedule_count = a.reschedule_count + CASE WHEN v_shift IS NULL THEN 0 ELSE 1 END,
               original_starts_at = CASE WHEN v_shift IS NULL THEN a.original_starts_at ELSE coalesce(a.original_starts_at, a.starts_at) END,
               version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
        PERFORM radscheduler.shift_rows(v_site, v_id, v_shift, v_old.ends_at, v_ends);
    ELSE
        IF radscheduler.is_closed(v_old.status) THEN
            RETURN OLD;
        END IF;
        UPDATE radscheduler.appointment a SET status = 'CANCELLED', review_reason = NULL, resume_status = NULL, version = a.version + 1, updated_at = now()
            WHERE a.site_id = v_site AND a.appointment_id = v_id;
    END IF;

    -- Its time, and whether that may be.
    IF radscheduler.is_occupying(v_status) THEN
        PERFORM radscheduler.occupy(v_site, v_id, TG_OP = 'INSERT');
    ELSIF TG_OP <> 'INSERT' THEN
        PERFORM radscheduler.vacate(v_site, v_id, CASE WHEN v_status IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW') THEN now() END);
    END IF;
    IF radscheduler.settle(v_site, v_id, v_resources, ARRAY[v_patient, v_old.patient_id]) = 'critical' THEN
        IF TG_OP = 'INSERT' OR v_shift IS NOT NULL OR v_ends > v_old.ends_at OR v_patient <> v_old.patient_id OR NOT radscheduler.is_occupying(v_old.status) THEN
            PERFORM radscheduler.raise_conflict(v_site, v_id);
        END IF;
        UPDATE radscheduler.appointment a SET status = 'PENDING_REVIEW', review_reason = 'CONFLICT', resume_status = v_status
            WHERE a.site_id = v_site AND a.appointment_id = v_id AND v_status IN ('SCHEDULED', 'CONFIRMED');
    END IF;
    PERFORM radscheduler.record_version(v_site, v_id, radscheduler.event_name(v_old.status, v_status, v_shift IS NOT NULL), NULL);
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    SELECT v.* INTO NEW FROM radscheduler.appointments v WHERE v.id = v_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION radscheduler.appointments_write() IS
    'INSTEAD OF trigger of the appointments view: INSERT books at the session''s site, UPDATE moves or changes, DELETE cancels. A critical conflict is refused with 23P01; a change that leaves an already flagged booking where it is stays flagged.';
-- The integration guide's JSON: the same core, the same log.

CREATE FUNCTION radscheduler.json_time(value text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN regexp_replace(replace(value, ' ', 'T'), '([+-]\d\d)(\d\d)$', '\1:\2');
END
$$;
COMMENT ON FUNCTION radscheduler.json_time(text) IS 'An ISO 8601 time of a JSON body in the one form to_instant() reads: T between date and time, a colon in the offset.';

CREATE FUNCTION radscheduler.json_reading(p_site integer, p_body jsonb, OUT reading jsonb, OUT error jsonb) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_key   text;
    v_names text[];
    v_at    text := p_body ->> 'datetime';
    v_bad   text;
    v_text  text;
BEGIN
    IF jsonb_typeof(p_body) <> 'object' THEN
        error := '{"code": "invalid_body", "path": "", "text": "The body must be a JSON object with patientId, patientName, modality, studyType, datetime and referringPhysician."}';
        RETURN;
    END IF;
    FOREACH v_key IN ARRAY ARRAY['patientId', 'patientName', 'modality', 'studyType', 'datetime', 'referringPhysician'] LOOP
        IF jsonb_typeof(p_body -> v_key) IS DISTINCT FROM 'string' OR btrim(p_body ->> v_key) = '' THEN
            error := jsonb_build_object('code', 'missing_field', 'path', v_key, 'text', format('"%s" is required and must be a text that is not empty.', v_key));
            RETURN;
        END IF;
    END LOOP;
    SELECT k.key INTO v_bad FROM jsonb_each(p_body) k
        WHERE k.key IN ('patientPhone', 'urgency', 'notes', 'appointmentId', 'resource') AND jsonb_typeof(k.value) NOT IN ('string', 'null') LIMIT 1;
    IF v_bad IS NOT NULL THEN
        v_text := format('"%s" must be a text.', v_bad);
    ELSIF p_body ->> 'patientPhone' !~ '^\+?[0-9 ().-]{2,30}$' THEN
        v_bad := 'patientPhone'; v_text := '"patientPhone" must be a phone number, for example +16175550123.';
    ELSIF v_at !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$' THEN
        v_bad := 'datetime'; v_text := '"datetime" must be an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
    ELSIF radscheduler.modality_code(p_site, p_body ->> 'modality') IS NULL THEN
        v_bad := 'modality'; v_text := '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.';
    ELSIF p_body ? 'urgency' AND lower(p_body ->> 'urgency') NOT IN ('routine', 'urgent', 'emergency', 'stat') THEN
        v_bad := 'urgency'; v_text := '"urgency" must be routine, urgent or emergency.';
    ELSIF p_body ? 'duration' AND (p_body ->> 'duration' !~ '^\d{1,4}$' OR (p_body ->> 'duration')::integer NOT BETWEEN 1 AND 1440) THEN
        v_bad := 'duration'; v_text := '"duration" must be whole minutes from 1 to 1440.';
    ELSE
        BEGIN
            PERFORM v_at::timestamptz;
        EXCEPTION WHEN data_exception THEN
            v_bad := 'datetime'; v_text := '"datetime" names a moment that does not exist. Give an ISO 8601 date and time, for example 2024-01-15T10:00:00Z.';
        END;
    END IF;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', v_text);
        RETURN;
    END IF;
    v_names := regexp_split_to_array(btrim(p_body ->> 'patientName'), '\s+');
    reading := jsonb_build_object(
        'header', jsonb_build_object('message_code', 'JSON', 'trigger_event', 'S12'),
        'schedule', jsonb_strip_nulls(jsonb_build_object(
            'filler_id', p_body ->> 'appointmentId', 'starts_at', radscheduler.json_time(v_at),
            'duration_minutes', (p_body ->> 'duration')::integer, 'priority', p_body ->> 'urgency', 'notes', p_body ->> 'notes',
            'modality', p_body ->> 'modality')),
        'patient', jsonb_build_object('identifiers', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientId')),
            'display', btrim(p_body ->> 'patientName'), 'family', v_names[cardinality(v_names)], 'given', array_to_string(v_names[1:cardinality(v_names) - 1], ' '))
            || CASE WHEN p_body ->> 'patientPhone' IS NULL THEN '{}' ELSE jsonb_build_object('phones', jsonb_build_array(jsonb_build_object('value', p_body ->> 'patientPhone'))) END,
        'visit', jsonb_build_object('referring', p_body ->> 'referringPhysician'),
        'services', jsonb_build_array(jsonb_build_object('path', 'studyType', 'group', 1, 'text', p_body ->> 'studyType')),
        'resources', CASE WHEN coalesce(p_body ->> 'resource', '') = '' THEN '[]'
                          ELSE jsonb_build_array(jsonb_build_object('path', 'resource', 'segment', 'AIG', 'group', 1, 'code', p_body ->> 'resource')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.json_reading(integer, jsonb) IS
    'The guide''s JSON body as a reading of siu_parse shape, or what is wrong with it: {code, path (the key), text}. Beyond the guide it takes appointmentId (the caller''s own id), resource (a scanner''s name), duration, notes.';

CREATE FUNCTION radscheduler.ingest_json(body jsonb, raw bytea DEFAULT NULL, channel text DEFAULT 'sql', peer text DEFAULT NULL) RETURNS radscheduler.ingest_result
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
    AS $$
DECLARE
    v_bytes    bytea := coalesce(raw, convert_to(body::text, 'UTF8'));
    v_received timestamptz := clock_timestamp();
    v_context  jsonb := radscheduler.message_context(jsonb_build_object('sending_application', 'API', 'message_code', 'JSON', 'trigger_event', 'S12'), channel, peer)
                        || jsonb_build_object('source', 'API');
    v_site     integer := (v_context ->> 'site_id')::integer;
    v_sender   bigint := (v_context ->> 'sender_id')::bigint;
    v_read     record;
    v_applied  record;
    v_first    record;
    v_error    jsonb;
    r          radscheduler.ingest_result;
BEGIN
    r.message_id := nextval('radscheduler.hl7_message_id_seq');
    r.warnings := '[]';
    r.conflicts := '[]';
    SELECT * INTO v_read FROM radscheduler.json_reading(v_site, body);
    v_error := v_read.error;
    IF v_error IS NULL THEN
        PERFORM radscheduler.lock_keys(ARRAY['appointment/' || v_sender || '/F/' || (v_read.reading #>> '{schedule,filler_id}'), 'body/' || encode(sha256(v_bytes), 'hex')]
                                       || radscheduler.patient_lock_names(v_site, v_read.reading -> 'patient'));
        INSERT INTO radscheduler.message_key (site_id, sender_id, control_id, body_sha256, message_id, received_at)
            VALUES (v_site, v_sender, '', sha256(v_bytes), r.message_id, v_received) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            SELECT m.message_id, m.code, m.ack, m.appointment_id INTO v_first
                FROM radscheduler.message_key k
                JOIN radscheduler.hl7_message m ON m.site_id = k.site_id AND m.received_at = k.received_at AND m.message_id = k.message_id
                JOIN radscheduler.appointment a ON a.site_id = m.site_id AND a.appointment_id = m.appointment_id AND NOT radscheduler.is_closed(a.status)
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
            IF FOUND THEN
                r.outcome := 'duplicate';
                r.code := v_first.code;
                r.ack := v_first.ack;
                r.appointment_id := v_first.appointment_id;
                r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
                PERFORM radscheduler.log_message(v_context, v_bytes, r.message_id, r, NULL, v_first.message_id, v_received);
                RETURN r;
            END IF;
            UPDATE radscheduler.message_key k SET message_id = r.message_id, received_at = v_received
                WHERE k.site_id = v_site AND k.sender_id = v_sender AND k.control_id = '' AND k.body_sha256 = sha256(v_bytes);
        END IF;
        SELECT * INTO v_applied FROM radscheduler.apply_reading(v_context, v_read.reading, r.message_id, v_received);
        v_error := v_applied.error;
        r.outcome := v_applied.outcome;
        r.appointment_id := v_applied.appointment_id;
        r.warnings := v_applied.warnings;
        r.conflicts := radscheduler.conflicts_of(v_site, r.appointment_id);
    END IF;
    r.code := CASE WHEN v_error IS NULL THEN 'AA' ELSE 'AE' END;
    r.outcome := CASE WHEN v_error IS NULL THEN r.outcome ELSE 'error' END;
    r.ack := convert_to(jsonb_strip_nulls(jsonb_build_object('code', r.code, 'message_id', r.message_id, 'appointment_id', r.appointment_id, 'error', v_error))::text, 'UTF8');
    PERFORM radscheduler.log_message(v_context, v_bytes, r.message_id, r, v_error, NULL, v_received);
    RETURN r;
END
$$;
COMMENT ON FUNCTION radscheduler.ingest_json(jsonb, bytea, text, text) IS
    'Takes an appointment in the guide''s JSON form, as ingest() takes HL7; raw are the bytes as received (default the body as text). A body repeated byte for byte while its appointment is open is a duplicate. Errors stand in hl7_message.error as {code, path, text}.';
-- What HTTP answers are made of. The sidecar passes bytes in and answers out; what they say is decided here.

CREATE FUNCTION radscheduler.api_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF nullif(current_setting('radscheduler.site', true), '') IS NOT NULL THEN
        RETURN radscheduler.current_site();
    END IF;
    SELECT min(s.site_id) INTO v_site FROM radscheduler.sender s WHERE s.sending_application = 'API' AND s.sending_facility = '';
    RETURN coalesce(v_site, (SELECT min(s.site_id) FROM radscheduler.site s));
END
$$;
COMMENT ON FUNCTION radscheduler.api_site() IS
    'The site HTTP works for: the setting radscheduler.site of the daemon''s role, else the site where the sender API is registered, else the first.';

CREATE FUNCTION radscheduler.problem(status integer, code text, title text, detail text, more jsonb DEFAULT '{}') RETURNS radscheduler.http_reply
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT ROW(status, 'application/problem+json',
           (jsonb_build_object('type', 'urn:radscheduler:problem:' || code, 'title', title, 'status', status, 'detail', detail, 'code', code,
                               'success', false, 'error', detail) || more)::text)::radscheduler.http_reply
$$;
COMMENT ON FUNCTION radscheduler.problem(integer, text, text, text, jsonb) IS
    'An error answer: application/problem+json (RFC 9457) with a stable code, and success and error for clients of the guide''s API.';

CREATE FUNCTION radscheduler.reply(status integer, body jsonb) RETURNS radscheduler.http_reply
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT ROW(status, 'application/json', body::text)::radscheduler.http_reply
$$;
COMMENT ON FUNCTION radscheduler.reply(integer, jsonb) IS 'A JSON answer.';

CREATE FUNCTION radscheduler.body_text(bytes bytea) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN convert_from(decode(replace(encode(bytes, 'hex'), '00', '20'), 'hex'), 'LATIN1');
END
$$;
COMMENT ON FUNCTION radscheduler.body_text(bytea) IS 'Bytes as text: UTF-8, else ISO 8859-1.';

CREATE FUNCTION radscheduler.body_json(bytes bytea) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR statement_too_complex THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.body_json(bytea) IS 'Bytes as JSON; NULL when they are none.';

CREATE FUNCTION radscheduler.api_conflicts(conflicts jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT jsonb_build_object('hasConflicts', conflicts <> '[]', 'severity', conflicts #> '{0,severity}', 'conflicts', conflicts,
                          'alternativeSlots', coalesce((SELECT c -> 'alternatives' FROM jsonb_array_elements(conflicts) c WHERE c -> 'alternatives' <> '[]' LIMIT 1), '[]'))
$$;
COMMENT ON FUNCTION radscheduler.api_conflicts(jsonb) IS 'Conflicts (conflicts_of shape) in the guide''s envelope: {hasConflicts, severity, conflicts, alternativeSlots}.';
-- POST /api/hl7/*: the guide's three doors for messages.

CREATE FUNCTION radscheduler.api_hl7_appointment(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    r := radscheduler.ingest_json(coalesce(v_json, 'null'), body, 'http');
    IF v_json IS NULL THEN
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not JSON in UTF-8. Send a JSON object with content type application/json.',
                                    jsonb_build_object('messageId', r.message_id));
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(400, v_error ->> 'code', 'The appointment cannot be taken', v_error ->> 'text',
                                    jsonb_build_object('messageId', r.message_id, 'errors', jsonb_build_array(jsonb_build_object('pointer', '/' || (v_error ->> 'path'), 'detail', v_error ->> 'text'))));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'appointmentId', r.appointment_id, 'conflicts', radscheduler.api_conflicts(r.conflicts),
        'message', CASE r.outcome WHEN 'duplicate' THEN 'Appointment was already taken' WHEN 'flagged' THEN 'Appointment taken with conflicts, please review' ELSE 'Appointment taken' END,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_appointment(bytea) IS 'POST /api/hl7/appointment: the guide''s JSON appointment. 201 with the guide''s envelope, 400 problem+json that names the field.';

CREATE FUNCTION radscheduler.api_hl7_raw(body bytea, content_type text, accept text) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_bytes bytea := body;
    v_json  jsonb;
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    IF content_type ILIKE 'application/json%' THEN
        v_json := radscheduler.body_json(body);
        v_json := CASE WHEN jsonb_typeof(v_json) = 'object' THEN v_json -> 'message' ELSE v_json END;
        IF jsonb_typeof(v_json) IS DISTINCT FROM 'string' THEN
            r := radscheduler.ingest(body, 'http');
            RETURN radscheduler.problem(400, 'invalid_json', 'Not an HL7 message in JSON', 'With content type application/json the body must be a JSON string, or an object whose "message" is one.',
                                        jsonb_build_object('messageId', r.message_id));
        END IF;
        v_bytes := convert_to(v_json #>> '{}', 'UTF8');
    END IF;
    r := radscheduler.ingest(v_bytes, 'http');
    IF accept ILIKE '%application/hl7-v2%' OR accept ILIKE '%x-application/hl7-v2+er7%' THEN
        RETURN ROW(CASE r.code WHEN 'AA' THEN 200 WHEN 'AE' THEN 422 ELSE 400 END, 'application/hl7-v2', radscheduler.body_text(r.ack))::radscheduler.http_reply;
    ELSIF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(CASE r.code WHEN 'AE' THEN 422 ELSE 400 END, 'hl7_' || (v_error ->> 'code'), 'The HL7 message was not applied', v_error ->> 'text',
                                    jsonb_build_object('hl7Path', v_error ->> 'path', 'acknowledgement', r.code, 'messageId', r.message_id));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'HL7 message processed', 'appointmentId', r.appointment_id, 'acknowledgement', r.code,
        'messageId', r.message_id, 'outcome', r.outcome, 'warnings', r.warnings, 'conflicts', radscheduler.api_conflicts(r.conflicts)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_raw(bytea, text, text) IS
    'POST /api/hl7/raw: an HL7 message as text, as application/hl7-v2, or as JSON (a string or {"message"}). 201, or 422 (AE) or 400 (AR) as problem+json; with Accept: application/hl7-v2 the acknowledgement itself.';

CREATE FUNCTION radscheduler.simulated_message(p_site integer, p_body jsonb) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   text := radscheduler.site_zone(p_site);
    v_token  text := upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));
    v_names  text[] := regexp_split_to_array(btrim(coalesce(nullif(btrim(p_body ->> 'patientName'), ''), 'Test Patient')), '\s+');
    v_iso    text := radscheduler.json_time(p_body ->> 'datetime');
    v_start  timestamptz := coalesce(radscheduler.to_instant(v_iso, v_zone), date_trunc('minute', now()) + interval '1 hour');
    v_start_hl7 text := to_char(timezone('UTC', v_start), 'YYYYMMDDHH24MI') || '+0000';
    v_minutes text := coalesce(p_body ->> 'duration', '');
    v_modality text := coalesce(nullif(btrim(p_body ->> 'modality'), ''), 'MRI');
    v_code   text := radscheduler.modality_code(p_site, v_modality);
BEGIN
    RETURN concat_ws(E'\r',
        format('MSH|^~\&|SIMULATOR|%s|RADSCHED|RAD|%s||SIU^S12^SIU_S12|SIM%s|P|2.5', radscheduler.hl7_escape((SELECT s.code FROM radscheduler.site s WHERE s.site_id = p_site)),
               radscheduler.ack_stamp(v_zone), v_token),
        format('SCH||SIM-%s|||||||%s|MIN|^^%s^%s^^%s||||||||||||||SCHEDULED', v_token, v_minutes, v_minutes, v_start_hl7,
               CASE lower(coalesce(p_body ->> 'urgency', 'routine')) WHEN 'emergency' THEN 'S' WHEN 'stat' THEN 'S' WHEN 'urgent' THEN 'A' ELSE 'R' END),
        CASE WHEN p_body ->> 'notes' IS NOT NULL THEN format('NTE|1||%s', radscheduler.hl7_escape(p_body ->> 'notes')) END,
        format('PID|1||%s||%s^%s||||||||%s', radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'patientId', ''), 'SIM-' || v_token)),
               radscheduler.hl7_escape(v_names[cardinality(v_names)]), radscheduler.hl7_escape(array_to_string(v_names[1:cardinality(v_names) - 1], ' ')),
               radscheduler.hl7_escape(coalesce(p_body ->> 'patientPhone', ''))),
        CASE WHEN p_body ->> 'referringPhysician' IS NOT NULL THEN format('PV1|1|O||||||^%s', radscheduler.hl7_escape(p_body ->> 'referringPhysician')) END,
        'RGS|1|A',
        format('AIS|1|A|%s^%s|%s', v_code, radscheduler.hl7_escape(coalesce(nullif(p_body ->> 'studyType', ''), 'Routine Study')), v_start_hl7),
        CASE WHEN p_body ->> 'resource' IS NOT NULL THEN format('AIG|1|A|%s', radscheduler.hl7_escape(p_body ->> 'resource')) END);
END
$$;
COMMENT ON FUNCTION radscheduler.simulated_message(integer, jsonb) IS 'An SIU^S12 made from the guide''s JSON, with a new control id and appointment id; without patientId the patient is SIM-….';

CREATE FUNCTION radscheduler.api_hl7_simulate(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_site  integer := radscheduler.api_site();
    v_check record;
    v_error jsonb;
    r       radscheduler.ingest_result;
BEGIN
    IF jsonb_typeof(v_json) IS DISTINCT FROM 'object' THEN
        r := radscheduler.ingest_json('null', body, 'http');
        RETURN radscheduler.problem(400, 'invalid_json', 'Not JSON', 'The body is not a JSON object in UTF-8.', jsonb_build_object('messageId', r.message_id));
    END IF;
    IF v_json ? 'scenario' AND coalesce(v_json ->> 'scenario', '') NOT IN ('dramatic_save', 'efficiency_boost', 'bulk_processing') THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'The simulation cannot be run', '"scenario" must be dramatic_save, efficiency_boost or bulk_processing.');
    END IF;
    SELECT * INTO v_check FROM radscheduler.json_reading(v_site,
        '{"patientId": "SIM", "patientName": "Test Patient", "modality": "MRI", "studyType": "Routine Study", "datetime": "2024-01-15T10:00:00Z", "referringPhysician": "-"}'
        || jsonb_strip_nulls(v_json));
    IF v_check.error IS NOT NULL THEN
        RETURN radscheduler.problem(400, v_check.error ->> 'code', 'The simulation cannot be run', v_check.error ->> 'text');
    END IF;
    r := radscheduler.ingest(convert_to(radscheduler.simulated_message(v_site, v_json), 'UTF8'), 'http');
    IF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(422, 'hl7_' || (v_error ->> 'code'), 'The simulated message was not applied', v_error ->> 'text', jsonb_build_object('messageId', r.message_id));
    END IF;
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'Simulated HL7 processed', 'result', jsonb_build_object(
        'appointment', (SELECT to_jsonb(a) FROM radscheduler.appointments a WHERE a.id = r.appointment_id),
        'conflicts', radscheduler.api_conflicts(r.conflicts), 'messageId', r.message_id, 'acknowledgement', r.code)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_simulate(bytea) IS 'POST /api/hl7/simulate: builds a real SIU^S12 from JSON and sends it through ingest(). Everything in the body is optional.';
-- GET /api/appointments and /api/analytics/dashboard; what /health asks.

CREATE FUNCTION radscheduler.api_appointments(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_site();
    v_zone     text := radscheduler.site_zone(v_site);
    v_date     date;
    v_modality text;
    v_status   text := upper(params ->> 'status');
    v_rows     jsonb;
BEGIN
    IF params ->> 'date' IS NOT NULL THEN
        BEGIN
            IF params ->> 'date' !~ '^\d{4}-\d\d-\d\d' THEN
                RAISE datetime_field_overflow;
            END IF;
            v_date := left(params ->> 'date', 10)::date;
        EXCEPTION WHEN data_exception THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Not a date', '"date" must be a calendar day such as 2024-01-15.');
        END;
    END IF;
    IF params ->> 'modality' IS NOT NULL THEN
        v_modality := radscheduler.modality_code(v_site, params ->> 'modality');
        IF v_modality IS NULL THEN
            RETURN radscheduler.problem(400, 'invalid_field', 'Unknown modality', '"modality" is not one this site knows. Use for example MRI, CT, XRAY or US.');
        END IF;
    END IF;
    IF v_status IS NOT NULL AND NOT v_status = ANY (enum_range(NULL::radscheduler.appointment_status)::text[]) THEN
        RETURN radscheduler.problem(400, 'invalid_field', 'Unknown status', '"status" must be a life cycle state, for example SCHEDULED, COMPLETED or CANCELLED.');
    END IF;
    SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.datetime, v.id), '[]') INTO v_rows
        FROM (SELECT a.appointment_id FROM radscheduler.appointment a
              WHERE a.site_id = v_site AND a.status <> 'DELETED' AND a.patient_id IS NOT NULL
                AND (v_date IS NULL OR a.starts_at >= timezone(v_zone, v_date::timestamp) AND a.starts_at < timezone(v_zone, (v_date + 1)::timestamp))
                AND (v_modality IS NULL OR a.modality = v_modality)
                AND (v_status IS NULL OR a.status::text = v_status)
              ORDER BY a.starts_at DESC NULLS LAST, a.appointment_id LIMIT 1000) k
        JOIN radscheduler.appointments v ON v.id = k.appointment_id;
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'count', jsonb_array_length(v_rows), 'appointments', v_rows));
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointments(jsonb) IS
    'GET /api/appointments: {date, modality, status}, each optional; date is a calendar day of the site. At most 1,000 rows, the latest ones, in order of time.';

CREATE FUNCTION radscheduler.api_dashboard(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
    AS $$
WITH day AS (
    SELECT s.site_id, z.zone, timezone(z.zone, now())::date AS date,
           timezone(z.zone, date_trunc('day', timezone(z.zone, now()))) AS opens, timezone(z.zone, date_trunc('day', timezone(z.zone, now())) + interval '1 day') AS closes
    FROM (SELECT radscheduler.api_site() AS site_id) s, LATERAL (SELECT radscheduler.site_zone(s.site_id)) z(zone)
), today AS MATERIALIZED (
    SELECT a.status, coalesce(m.label, a.modality) AS modality, extract(hour FROM timezone(d.zone, a.starts_at))::integer AS hour
    FROM day d
    JOIN radscheduler.appointment a ON a.site_id = d.site_id AND a.starts_at >= d.opens AND a.starts_at < d.closes AND a.status <> 'DELETED' AND NOT a.is_test
    LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
)
SELECT radscheduler.reply(200, jsonb_build_object('success', true, 'dashboard', jsonb_build_object(
    'date', (SELECT d.date FROM day d),
    'timezone', (SELECT d.zone FROM day d),
    'overview', (SELECT jsonb_build_object('totalToday', count(*), 'completed', count(*) FILTER (WHERE t.status = 'COMPLETED'),
                     'scheduled', count(*) FILTER (WHERE t.status IN ('SCHEDULED', 'CONFIRMED')), 'cancelled', count(*) FILTER (WHERE t.status = 'CANCELLED'),
                     'pendingReview', count(*) FILTER (WHERE t.status = 'PENDING_REVIEW'), 'noShow', count(*) FILTER (WHERE t.status = 'NO_SHOW')) FROM today t),
    'realtime', jsonb_build_object(
        'processingNow', (SELECT count(*) FROM pg_stat_activity p WHERE p.datname = current_database() AND p.application_name LIKE 'radschedulerd%' AND p.state = 'active' AND p.pid <> pg_backend_pid()),
        'messagesLastHour', (SELECT count(*) FROM day d JOIN radscheduler.hl7_message h ON h.site_id = d.site_id AND h.received_at > now() - interval '1 hour'),
        'openConflicts', (SELECT count(*) FROM day d JOIN radscheduler.conflict c ON c.site_id = d.site_id AND c.state = 'open'),
        'queueLength', NULL, 'activeUsers', NULL),
    'trends', jsonb_build_object(
        'hourly', (SELECT coalesce(jsonb_agg(jsonb_build_object('hour', h.hour || ':00', 'appointments', h.n) ORDER BY h.hour), '[]')
                   FROM (SELECT t.hour, count(*) AS n FROM today t GROUP BY t.hour) h),
        'modality', (SELECT coalesce(jsonb_agg(jsonb_build_object('modality', m.modality, 'count', m.n, 'percentage', round(100.0 * m.n / m.total, 1)) ORDER BY m.n DESC, m.modality), '[]')
                     FROM (SELECT t.modality, count(*) AS n, sum(count(*)) OVER () AS total FROM today t GROUP BY t.modality) m)))))
$$;
COMMENT ON FUNCTION radscheduler.api_dashboard(jsonb) IS
    'GET /api/analytics/dashboard: today at the site, counted from the records. queueLength and activeUsers are null: nothing here measures them yet.';

CREATE FUNCTION radscheduler.health() RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.storage_version() = 0 THEN
        RAISE EXCEPTION 'this database has no radscheduler records' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.provision();';
    END IF;
    RETURN jsonb_build_object('extension', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'radscheduler'),
                              'schema_version', radscheduler.storage_version(), 'time', now());
END
$$;
COMMENT ON FUNCTION radscheduler.health() IS 'What a health probe asks: {extension, schema_version, time}. Raises 55000 when the records are missing.';
-- Following event_log without losing an event: read below the horizon of running transactions, remember the cursor.

CREATE FUNCTION radscheduler.relay_fetch(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
SELECT e.xid::text || '-' || e.seq,
       format('radsched:{%s}:ch:%s', s.code, split_part(e.type, '.', 1)),
       jsonb_strip_nulls(jsonb_build_object('specversion', '1.0', 'id', e.xid::text || '-' || e.seq, 'source', '/radscheduler/' || s.code,
           'type', e.type, 'subject', coalesce('appointment/' || e.appointment_id, 'message/' || e.message_id), 'time', e.recorded_at,
           'datacontenttype', 'application/json', 'site', s.code, 'cursor', e.xid::text || '-' || e.seq,
           'data', e.data || jsonb_build_object('appointment_id', e.appointment_id, 'message_id', e.message_id)))::text
FROM radscheduler.event_log e
JOIN radscheduler.site s ON s.site_id = e.site_id
WHERE (e.xid, e.seq) > (coalesce((SELECT c.xid FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), '0'::xid8),
                        coalesce((SELECT c.seq FROM radscheduler.relay_cursor c WHERE c.relay = relay_fetch.relay), 0))
  AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.xid, e.seq
LIMIT max_events
$$;
COMMENT ON FUNCTION radscheduler.relay_fetch(text, integer) IS
    'The next events for a relay, in order: cursor, Redis channel radsched:{site}:ch:family, CloudEvents 1.0 JSON without patient data. Publish them, then call relay_advance() with the last cursor; a crash between the two repeats, it does not lose.';

CREATE FUNCTION radscheduler.relay_advance(relay text, cursor text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO radscheduler.relay_cursor AS c (relay, xid, seq) VALUES (relay_advance.relay, split_part(cursor, '-', 1)::xid8, split_part(cursor, '-', 2)::bigint)
    ON CONFLICT (relay) DO UPDATE SET xid = excluded.xid, seq = excluded.seq, updated_at = now()
    WHERE (c.xid, c.seq) < (excluded.xid, excluded.seq);
END
$$;
COMMENT ON FUNCTION radscheduler.relay_advance(text, text) IS 'Remembers that a relay has published everything up to a cursor; never goes back.';

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (1, 'sites', $storage_step$
-- Who sends and where it happens: the site (facility) and its senders, and the code lists each site edits.
-- Every record table leads with site_id: that is row-level isolation on one machine and the distribution column on Citus.

CREATE TABLE radscheduler.site (
    site_id        integer     GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    code           text        NOT NULL UNIQUE CHECK (code ~ '^[A-Za-z0-9_.-]{1,40}$'),
    name           text        NOT NULL,
    timezone       text        CONSTRAINT site_timezone_known CHECK (radscheduler.is_timezone(timezone)),
    phone_region   text        NOT NULL DEFAULT 'US' CHECK (phone_region ~ '^[A-Z]{2}$'),
    slot_minutes   smallint    NOT NULL DEFAULT 15 CHECK (slot_minutes BETWEEN 1 AND 240),
    created_at     timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.site IS 'A facility: its clock, its phone region, its slot grid. Every record belongs to one.';
COMMENT ON COLUMN radscheduler.site.site_id IS 'Leading key of every record table.';
COMMENT ON COLUMN radscheduler.site.code IS 'Short stable name, used in the setting radscheduler.site and in event channels; letters, digits, dot, dash, underscore.';
COMMENT ON COLUMN radscheduler.site.name IS 'Name for people.';
COMMENT ON COLUMN radscheduler.site.timezone IS 'IANA zone, for example America/New_York; NULL means the setting radscheduler.default_timezone.';
COMMENT ON COLUMN radscheduler.site.phone_region IS 'ISO 3166 country whose numbering plan completes a phone number sent without country code.';
COMMENT ON COLUMN radscheduler.site.slot_minutes IS 'Grid, in minutes, on which find_slots offers starting times.';
COMMENT ON COLUMN radscheduler.site.created_at IS 'When the site was recorded.';

CREATE TABLE radscheduler.sender (
    site_id             integer     NOT NULL REFERENCES radscheduler.site,
    sender_id           bigint      GENERATED BY DEFAULT AS IDENTITY,
    sending_application text        NOT NULL DEFAULT '',
    sending_facility    text        NOT NULL DEFAULT '',
    profile             jsonb       NOT NULL DEFAULT '{}' CONSTRAINT sender_profile_understood CHECK (radscheduler.is_profile(profile)),
    is_registered       boolean     NOT NULL DEFAULT true,
    created_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, sender_id),
    UNIQUE (site_id, sending_application, sending_facility)
);
COMMENT ON TABLE  radscheduler.sender IS 'A message source, known by MSH-3 and MSH-4, with the profile that says how to read it.';
COMMENT ON COLUMN radscheduler.sender.site_id IS 'Site whose schedule its messages change.';
COMMENT ON COLUMN radscheduler.sender.sender_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.sender.sending_application IS 'MSH-3 as sent.';
COMMENT ON COLUMN radscheduler.sender.sending_facility IS 'MSH-4 as sent.';
COMMENT ON COLUMN radscheduler.sender.profile IS 'Reading rules: timezone (IANA), repair (lenient|strict), on_conflict (flag|reject), start_source (appointment|service), charset (HL7 table 0211; overrides MSH-18).';
COMMENT ON COLUMN radscheduler.sender.is_registered IS 'False when the first message of an unknown pair created the row; set true once someone has looked at it.';
COMMENT ON COLUMN radscheduler.sender.created_at IS 'When the sender was recorded.';

CREATE TABLE radscheduler.modality (
    site_id         integer  NOT NULL REFERENCES radscheduler.site,
    code            text     NOT NULL,
    label           text     NOT NULL,
    name            text     NOT NULL,
    default_minutes smallint NOT NULL CHECK (default_minutes BETWEEN 1 AND 1440),
    PRIMARY KEY (site_id, code)
);
COMMENT ON TABLE  radscheduler.modality IS 'Modalities a site examines with; filled from modality_catalogue when a site is created, then edited by the site.';
COMMENT ON COLUMN radscheduler.modality.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.modality.code IS 'DICOM modality code (PS3.3 C.7.3.1.1.1), for example MR.';
COMMENT ON COLUMN radscheduler.modality.label IS 'Name shown in the appointments view and the API, for example MRI.';
COMMENT ON COLUMN radscheduler.modality.name IS 'Name for people.';
COMMENT ON COLUMN radscheduler.modality.default_minutes IS 'Minutes of an exam whose message gives no duration.';

CREATE TABLE radscheduler.modality_alias (
    site_id integer NOT NULL,
    alias   text    NOT NULL CHECK (alias = pg_catalog.upper(alias)),
    code    text    NOT NULL,
    PRIMARY KEY (site_id, alias),
    FOREIGN KEY (site_id, code) REFERENCES radscheduler.modality
);
COMMENT ON TABLE  radscheduler.modality_alias IS 'Words that mean a modality, upper case: whole words of a study text, letters that start a study code, or an API value.';
COMMENT ON COLUMN radscheduler.modality_alias.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.modality_alias.alias IS 'The word, upper case.';
COMMENT ON COLUMN radscheduler.modality_alias.code IS 'DICOM modality code it stands for.';

CREATE TABLE radscheduler.procedure (
    site_id  integer  NOT NULL REFERENCES radscheduler.site,
    code     text     NOT NULL,
    name     text     NOT NULL,
    modality text     NOT NULL,
    minutes  smallint CHECK (minutes BETWEEN 1 AND 1440),
    PRIMARY KEY (site_id, code),
    FOREIGN KEY (site_id, modality) REFERENCES radscheduler.modality
);
COMMENT ON TABLE  radscheduler.procedure IS 'Exams by the code that AIS-3 carries: their modality and usual length.';
COMMENT ON COLUMN radscheduler.procedure.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.procedure.code IS 'Universal service identifier as sent in AIS-3.1.';
COMMENT ON COLUMN radscheduler.procedure.name IS 'Study text.';
COMMENT ON COLUMN radscheduler.procedure.modality IS 'DICOM modality code.';
COMMENT ON COLUMN radscheduler.procedure.minutes IS 'Usual minutes; NULL means the modality''s default.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (2, 'resources', $storage_step$
-- What can be booked, under which names, when it is open and when it is blocked.

CREATE TABLE radscheduler.resource (
    site_id          integer     NOT NULL REFERENCES radscheduler.site,
    resource_id      bigint      GENERATED BY DEFAULT AS IDENTITY,
    code             text        NOT NULL CHECK (code <> ''),
    name             text        NOT NULL,
    kind             radscheduler.resource_kind NOT NULL,
    role             text,
    modality         text,
    capacity         smallint    NOT NULL DEFAULT 1 CHECK (capacity BETWEEN 1 AND 1000),
    setup_minutes    smallint    NOT NULL DEFAULT 0 CHECK (setup_minutes BETWEEN 0 AND 480),
    turnover_minutes smallint    NOT NULL DEFAULT 0 CHECK (turnover_minutes BETWEEN 0 AND 480),
    is_active        boolean     NOT NULL DEFAULT true,
    is_registered    boolean     NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, resource_id),
    FOREIGN KEY (site_id, modality) REFERENCES radscheduler.modality,
    CHECK (kind IN ('equipment', 'room') OR (setup_minutes = 0 AND turnover_minutes = 0))
);
COMMENT ON TABLE  radscheduler.resource IS 'A room, a scanner or a member of staff that appointments occupy.';
COMMENT ON COLUMN radscheduler.resource.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.resource.resource_id IS 'Identity within the database; occupancy.subject_id on the axis resource.';
COMMENT ON COLUMN radscheduler.resource.code IS 'Its canonical name.';
COMMENT ON COLUMN radscheduler.resource.name IS 'Name for people.';
COMMENT ON COLUMN radscheduler.resource.kind IS 'room, equipment or staff: decides the conflict code and its severity.';
COMMENT ON COLUMN radscheduler.resource.role IS 'Upper-case role of staff, for example TECHNOLOGIST or RADIOLOGIST (HL7 table 0182 is user-defined).';
COMMENT ON COLUMN radscheduler.resource.modality IS 'DICOM modality code of a scanner or a room; NULL for staff and shared rooms.';
COMMENT ON COLUMN radscheduler.resource.capacity IS 'How many appointments it holds at once: lanes 0 to capacity-1 of occupancy are legal.';
COMMENT ON COLUMN radscheduler.resource.setup_minutes IS 'Minutes needed before each exam; rooms and equipment only.';
COMMENT ON COLUMN radscheduler.resource.turnover_minutes IS 'Minutes needed after each exam; rooms and equipment only.';
COMMENT ON COLUMN radscheduler.resource.is_active IS 'False takes it out of slot search; its bookings remain.';
COMMENT ON COLUMN radscheduler.resource.is_registered IS 'False when a message naming it created the row; set true once someone has looked at it.';
COMMENT ON COLUMN radscheduler.resource.created_at IS 'When it was recorded.';

CREATE TABLE radscheduler.resource_alias (
    site_id     integer NOT NULL,
    kind        radscheduler.resource_kind NOT NULL,
    alias       text    NOT NULL CHECK (alias <> '' AND alias = pg_catalog.upper(alias)),
    resource_id bigint  NOT NULL,
    PRIMARY KEY (site_id, alias, kind),
    FOREIGN KEY (site_id, resource_id) REFERENCES radscheduler.resource ON DELETE CASCADE
);
CREATE INDEX resource_alias_resource ON radscheduler.resource_alias (site_id, resource_id);
COMMENT ON TABLE  radscheduler.resource_alias IS 'Every name a resource is called by, its canonical code included; messages are resolved through this table.';
COMMENT ON COLUMN radscheduler.resource_alias.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.resource_alias.kind IS 'Kind under which the name is used; staff and rooms may share a name.';
COMMENT ON COLUMN radscheduler.resource_alias.alias IS 'The name, upper case.';
COMMENT ON COLUMN radscheduler.resource_alias.resource_id IS 'The resource meant.';

CREATE TABLE radscheduler.resource_hours (
    site_id     integer   NOT NULL REFERENCES radscheduler.site,
    hours_id    bigint    GENERATED BY DEFAULT AS IDENTITY,
    resource_id bigint,
    weekday     smallint  NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    opens       time      NOT NULL,
    closes      time      NOT NULL,
    valid       daterange NOT NULL DEFAULT '(,)',
    PRIMARY KEY (site_id, hours_id),
    FOREIGN KEY (site_id, resource_id) REFERENCES radscheduler.resource ON DELETE CASCADE,
    CHECK (closes > opens)
);
CREATE INDEX resource_hours_resource ON radscheduler.resource_hours (site_id, resource_id, weekday);
COMMENT ON TABLE  radscheduler.resource_hours IS 'Opening hours in local wall time. Rows without resource are the site''s hours and hold for every resource that has no rows of its own.';
COMMENT ON COLUMN radscheduler.resource_hours.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.resource_hours.hours_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.resource_hours.resource_id IS 'Resource; NULL means the whole site.';
COMMENT ON COLUMN radscheduler.resource_hours.weekday IS 'ISO weekday, 1 Monday to 7 Sunday.';
COMMENT ON COLUMN radscheduler.resource_hours.opens IS 'Opening wall-clock time in the site''s zone.';
COMMENT ON COLUMN radscheduler.resource_hours.closes IS 'Closing wall-clock time; 24:00 is midnight.';
COMMENT ON COLUMN radscheduler.resource_hours.valid IS 'Dates on which the row holds.';

CREATE TABLE radscheduler.resource_block (
    site_id     integer     NOT NULL,
    block_id    bigint      GENERATED BY DEFAULT AS IDENTITY,
    resource_id bigint      NOT NULL,
    during      tstzrange   NOT NULL CHECK (NOT pg_catalog.isempty(during) AND NOT pg_catalog.lower_inf(during) AND NOT pg_catalog.upper_inf(during)),
    reason      text,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, block_id),
    FOREIGN KEY (site_id, resource_id) REFERENCES radscheduler.resource ON DELETE CASCADE
);
CREATE INDEX resource_block_during ON radscheduler.resource_block USING gist (site_id, resource_id, during);
COMMENT ON TABLE  radscheduler.resource_block IS 'Times at which a resource cannot be offered: maintenance, meetings, downtime.';
COMMENT ON COLUMN radscheduler.resource_block.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.resource_block.block_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.resource_block.resource_id IS 'Resource.';
COMMENT ON COLUMN radscheduler.resource_block.during IS 'The blocked time, half open.';
COMMENT ON COLUMN radscheduler.resource_block.reason IS 'Why, for people.';
COMMENT ON COLUMN radscheduler.resource_block.created_at IS 'When the block was recorded.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (3, 'patients', $storage_step$
-- One row per person per site and every identifier that person is known by.

CREATE TABLE radscheduler.patient (
    site_id      integer     NOT NULL REFERENCES radscheduler.site,
    patient_id   bigint      GENERATED BY DEFAULT AS IDENTITY,
    mrn          text        NOT NULL CHECK (mrn <> ''),
    family_name  text,
    given_name   text,
    middle_name  text,
    suffix       text,
    display_name text        NOT NULL,
    birth_date   date,
    sex          text,
    phone        text,
    phone_as_sent text,
    is_deceased  boolean     NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, patient_id)
);
CREATE INDEX patient_mrn ON radscheduler.patient (site_id, mrn);
COMMENT ON TABLE  radscheduler.patient IS 'A person as one site knows them.';
COMMENT ON COLUMN radscheduler.patient.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.patient.patient_id IS 'Identity within the database; occupancy.subject_id on the axis patient.';
COMMENT ON COLUMN radscheduler.patient.mrn IS 'Identifier shown to people: the medical record number (PID-3, type MR first).';
COMMENT ON COLUMN radscheduler.patient.family_name IS 'PID-5.1.';
COMMENT ON COLUMN radscheduler.patient.given_name IS 'PID-5.2.';
COMMENT ON COLUMN radscheduler.patient.middle_name IS 'PID-5.3.';
COMMENT ON COLUMN radscheduler.patient.suffix IS 'PID-5.4.';
COMMENT ON COLUMN radscheduler.patient.display_name IS 'Given, middle, family, suffix as shown to people.';
COMMENT ON COLUMN radscheduler.patient.birth_date IS 'PID-7.';
COMMENT ON COLUMN radscheduler.patient.sex IS 'PID-8 (HL7 table 0001).';
COMMENT ON COLUMN radscheduler.patient.phone IS 'E.164, or NULL when the number sent cannot be completed to one.';
COMMENT ON COLUMN radscheduler.patient.phone_as_sent IS 'The number as sent.';
COMMENT ON COLUMN radscheduler.patient.is_deceased IS 'PID-30.';
COMMENT ON COLUMN radscheduler.patient.created_at IS 'When the person was first recorded.';
COMMENT ON COLUMN radscheduler.patient.updated_at IS 'When the row last changed.';

CREATE TABLE radscheduler.patient_identifier (
    site_id    integer NOT NULL,
    authority  text    NOT NULL,
    type       text    NOT NULL,
    value      text    NOT NULL CHECK (value <> ''),
    patient_id bigint  NOT NULL,
    PRIMARY KEY (site_id, value, authority, type),
    FOREIGN KEY (site_id, patient_id) REFERENCES radscheduler.patient ON DELETE CASCADE
);
CREATE INDEX patient_identifier_patient ON radscheduler.patient_identifier (site_id, patient_id);
COMMENT ON TABLE  radscheduler.patient_identifier IS 'Every identifier a person was sent with (PID-3 repetitions); messages are resolved through this table.';
COMMENT ON COLUMN radscheduler.patient_identifier.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.patient_identifier.authority IS 'Assigning authority (CX.4), or the sending facility when none was sent.';
COMMENT ON COLUMN radscheduler.patient_identifier.type IS 'Identifier type (CX.5, HL7 table 0203); MR when none was sent.';
COMMENT ON COLUMN radscheduler.patient_identifier.value IS 'The identifier, leading zeros kept.';
COMMENT ON COLUMN radscheduler.patient_identifier.patient_id IS 'The person meant.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (4, 'appointments', $storage_step$
-- The schedule itself: one appointment per SCH, its services (AIS) and its resources (AIG, AIL, AIP), and every earlier version.

CREATE TABLE radscheduler.appointment (
    site_id             integer     NOT NULL REFERENCES radscheduler.site,
    appointment_id      bigint      GENERATED BY DEFAULT AS IDENTITY,
    sender_id           bigint,
    filler_id           text,
    placer_id           text,
    generation          integer     NOT NULL DEFAULT 1,
    patient_id          bigint,
    status              radscheduler.appointment_status NOT NULL,
    review_reason       text,
    resume_status       radscheduler.appointment_status,
    starts_at           timestamptz,
    ends_at             timestamptz,
    modality            text,
    study_code          text,
    study_text          text,
    referring_physician text,
    urgency             text        NOT NULL DEFAULT 'routine',
    notes               text,
    reason              text,
    event_reason        text,
    visit_number        text,
    placer_orders       text[],
    filler_orders       text[],
    source              text        NOT NULL,
    is_test             boolean     NOT NULL DEFAULT false,
    reschedule_count    integer     NOT NULL DEFAULT 0,
    original_starts_at  timestamptz,
    version             integer     NOT NULL DEFAULT 1,
    message_time        timestamptz,
    message_sequence    bigint,
    message_id          bigint,
    created_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (site_id, appointment_id),
    FOREIGN KEY (site_id, sender_id)  REFERENCES radscheduler.sender,
    FOREIGN KEY (site_id, patient_id) REFERENCES radscheduler.patient,
    FOREIGN KEY (site_id, modality)   REFERENCES radscheduler.modality,
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK (ends_at > starts_at),
    CHECK (status IN ('CANCELLED', 'DISCONTINUED', 'NO_SHOW', 'DELETED', 'PENDING', 'WAITLISTED')
           OR (starts_at IS NOT NULL AND patient_id IS NOT NULL))
);
CREATE UNIQUE INDEX appointment_filler ON radscheduler.appointment (site_id, sender_id, filler_id, generation) WHERE filler_id IS NOT NULL;
CREATE UNIQUE INDEX appointment_placer ON radscheduler.appointment (site_id, sender_id, placer_id, generation) WHERE placer_id IS NOT NULL AND filler_id IS NULL;
CREATE INDEX appointment_placer_any ON radscheduler.appointment (site_id, sender_id, placer_id) WHERE placer_id IS NOT NULL;
CREATE INDEX appointment_starts ON radscheduler.appointment (site_id, starts_at);
CREATE INDEX appointment_patient ON radscheduler.appointment (site_id, patient_id);
COMMENT ON TABLE  radscheduler.appointment IS 'One appointment as it stands now: one row per SCH and generation. A row closed before it was ever opened (a cancellation that overtook its booking) is a tombstone: closed status, no time.';
COMMENT ON COLUMN radscheduler.appointment.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.appointment.appointment_id IS 'Identity within the database; id in the appointments view.';
COMMENT ON COLUMN radscheduler.appointment.sender_id IS 'Sender whose identifiers filler_id and placer_id are; NULL for bookings made here.';
COMMENT ON COLUMN radscheduler.appointment.filler_id IS 'SCH-2.1 (and namespace after a caret): the RIS''s own identifier.';
COMMENT ON COLUMN radscheduler.appointment.placer_id IS 'SCH-1.1 (and namespace after a caret): the requesting system''s identifier.';
COMMENT ON COLUMN radscheduler.appointment.generation IS 'Counts from 1 each time a sender uses an identifier again for another appointment.';
COMMENT ON COLUMN radscheduler.appointment.patient_id IS 'The patient; NULL only in a tombstone.';
COMMENT ON COLUMN radscheduler.appointment.status IS 'Life cycle state (HL7 table 0278 and the states a site works with).';
COMMENT ON COLUMN radscheduler.appointment.review_reason IS 'Why it is PENDING_REVIEW: CONFLICT heals by itself, ID_REUSED waits for a person.';
COMMENT ON COLUMN radscheduler.appointment.resume_status IS 'Status it takes when a CONFLICT review heals.';
COMMENT ON COLUMN radscheduler.appointment.starts_at IS 'Start instant.';
COMMENT ON COLUMN radscheduler.appointment.ends_at IS 'End instant, exclusive.';
COMMENT ON COLUMN radscheduler.appointment.modality IS 'DICOM modality code.';
COMMENT ON COLUMN radscheduler.appointment.study_code IS 'AIS-3.1 of the first service.';
COMMENT ON COLUMN radscheduler.appointment.study_text IS 'AIS-3.2; several services joined with " + ".';
COMMENT ON COLUMN radscheduler.appointment.referring_physician IS 'Name of the referring physician (PV1-8, else AIP in a referring role, else SCH-12).';
COMMENT ON COLUMN radscheduler.appointment.urgency IS 'routine, urgent or stat.';
COMMENT ON COLUMN radscheduler.appointment.notes IS 'NTE-3 texts that follow SCH.';
COMMENT ON COLUMN radscheduler.appointment.reason IS 'SCH-7.';
COMMENT ON COLUMN radscheduler.appointment.event_reason IS 'SCH-6 of the last message that gave one.';
COMMENT ON COLUMN radscheduler.appointment.visit_number IS 'PV1-19.';
COMMENT ON COLUMN radscheduler.appointment.placer_orders IS 'SCH-26.';
COMMENT ON COLUMN radscheduler.appointment.filler_orders IS 'SCH-27.';
COMMENT ON COLUMN radscheduler.appointment.source IS 'HL7, API or SQL: the door it came in by.';
COMMENT ON COLUMN radscheduler.appointment.is_test IS 'MSH-11 was not P: kept out of statistics.';
COMMENT ON COLUMN radscheduler.appointment.reschedule_count IS 'How many times its start has moved.';
COMMENT ON COLUMN radscheduler.appointment.original_starts_at IS 'First start, kept when it moves.';
COMMENT ON COLUMN radscheduler.appointment.version IS 'Counts every change of the row; the key of its history.';
COMMENT ON COLUMN radscheduler.appointment.message_time IS 'MSH-7 of the last applied message (or its arrival): the order key against late messages.';
COMMENT ON COLUMN radscheduler.appointment.message_sequence IS 'MSH-13 of the last applied message: tie-break of message_time.';
COMMENT ON COLUMN radscheduler.appointment.message_id IS 'hl7_message that last changed it.';
COMMENT ON COLUMN radscheduler.appointment.created_at IS 'When it was first recorded.';
COMMENT ON COLUMN radscheduler.appointment.updated_at IS 'When it last changed.';

CREATE TABLE radscheduler.appointment_service (
    site_id        integer     NOT NULL,
    appointment_id bigint      NOT NULL,
    position       smallint    NOT NULL,
    group_no       smallint    NOT NULL DEFAULT 1,
    code           text,
    name           text,
    starts_at      timestamptz,
    ends_at        timestamptz,
    PRIMARY KEY (site_id, appointment_id, position),
    FOREIGN KEY (site_id, appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE
);
COMMENT ON TABLE  radscheduler.appointment_service IS 'The exams of an appointment: one row per AIS.';
COMMENT ON COLUMN radscheduler.appointment_service.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.appointment_service.appointment_id IS 'Appointment.';
COMMENT ON COLUMN radscheduler.appointment_service.position IS 'Order in the message, from 1.';
COMMENT ON COLUMN radscheduler.appointment_service.group_no IS 'Resource group (RGS) it stands in, from 1.';
COMMENT ON COLUMN radscheduler.appointment_service.code IS 'AIS-3.1.';
COMMENT ON COLUMN radscheduler.appointment_service.name IS 'AIS-3.2.';
COMMENT ON COLUMN radscheduler.appointment_service.starts_at IS 'Start of this exam.';
COMMENT ON COLUMN radscheduler.appointment_service.ends_at IS 'End of this exam, exclusive.';

CREATE TABLE radscheduler.appointment_resource (
    site_id        integer     NOT NULL,
    appointment_id bigint      NOT NULL,
    position       smallint    NOT NULL,
    segment        text        NOT NULL CHECK (segment IN ('AIG', 'AIL', 'AIP', 'BOOK')),
    group_no       smallint    NOT NULL DEFAULT 1,
    resource_id    bigint      NOT NULL,
    role           text,
    starts_at      timestamptz,
    ends_at        timestamptz,
    PRIMARY KEY (site_id, appointment_id, position),
    FOREIGN KEY (site_id, appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE,
    FOREIGN KEY (site_id, resource_id)    REFERENCES radscheduler.resource
);
CREATE INDEX appointment_resource_resource ON radscheduler.appointment_resource (site_id, resource_id);
COMMENT ON TABLE  radscheduler.appointment_resource IS 'What an appointment asked for: one row per AIG, AIL and AIP. It stays when the appointment is closed; occupancy does not.';
COMMENT ON COLUMN radscheduler.appointment_resource.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.appointment_resource.appointment_id IS 'Appointment.';
COMMENT ON COLUMN radscheduler.appointment_resource.position IS 'Order in the message, from 1.';
COMMENT ON COLUMN radscheduler.appointment_resource.segment IS 'Segment it came from; BOOK for bookings made here.';
COMMENT ON COLUMN radscheduler.appointment_resource.group_no IS 'Resource group (RGS) it stands in, from 1.';
COMMENT ON COLUMN radscheduler.appointment_resource.resource_id IS 'The resource meant.';
COMMENT ON COLUMN radscheduler.appointment_resource.role IS 'Role in this appointment, upper case.';
COMMENT ON COLUMN radscheduler.appointment_resource.starts_at IS 'When it is needed from.';
COMMENT ON COLUMN radscheduler.appointment_resource.ends_at IS 'When it is needed until, exclusive.';

CREATE TABLE radscheduler.appointment_history (
    site_id        integer     NOT NULL,
    appointment_id bigint      NOT NULL,
    version        integer     NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    event          text        NOT NULL,
    message_id     bigint,
    actor          text        NOT NULL DEFAULT CURRENT_USER,
    snapshot       jsonb       NOT NULL,
    PRIMARY KEY (site_id, appointment_id, version),
    FOREIGN KEY (site_id, appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE
);
COMMENT ON TABLE  radscheduler.appointment_history IS 'Every version of every appointment, so that the schedule can be read as it was at any moment.';
COMMENT ON COLUMN radscheduler.appointment_history.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.appointment_history.appointment_id IS 'Appointment.';
COMMENT ON COLUMN radscheduler.appointment_history.version IS 'appointment.version this row describes.';
COMMENT ON COLUMN radscheduler.appointment_history.recorded_at IS 'When this version was written.';
COMMENT ON COLUMN radscheduler.appointment_history.event IS 'What happened: the event_log type, for example appointment.rescheduled.';
COMMENT ON COLUMN radscheduler.appointment_history.message_id IS 'hl7_message that caused it; NULL for changes made here.';
COMMENT ON COLUMN radscheduler.appointment_history.actor IS 'Database role that wrote it.';
COMMENT ON COLUMN radscheduler.appointment_history.snapshot IS 'The appointment row, with its services and resources.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (5, 'occupancy', $storage_step$
-- Who and what is taken when. The exclusion constraint is the double-booking detector: it cannot be raced and is not deferrable,
-- so that INSERT … ON CONFLICT ON CONSTRAINT can ask it.

CREATE TABLE radscheduler.occupancy (
    site_id        integer   NOT NULL,
    occupancy_id   bigint    GENERATED BY DEFAULT AS IDENTITY,
    axis           radscheduler.axis NOT NULL,
    subject_id     bigint    NOT NULL,
    lane           smallint  NOT NULL CHECK (lane >= 0),
    during         tstzrange NOT NULL CHECK (NOT pg_catalog.isempty(during) AND NOT pg_catalog.lower_inf(during) AND NOT pg_catalog.upper_inf(during)),
    buffered       tstzrange NOT NULL CHECK (buffered @> during),
    appointment_id bigint    NOT NULL,
    PRIMARY KEY (site_id, occupancy_id),
    FOREIGN KEY (site_id, appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE,
    CONSTRAINT occupancy_no_overlap
        EXCLUDE USING gist (site_id WITH =, axis WITH =, subject_id WITH =, lane WITH =, buffered WITH &&)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX occupancy_appointment ON radscheduler.occupancy (site_id, appointment_id);
COMMENT ON TABLE  radscheduler.occupancy IS 'One row per subject per interval. Lanes 0 to capacity-1 are legal; a higher lane is an overbooking: recorded, flagged, and seen by every later booking.';
COMMENT ON COLUMN radscheduler.occupancy.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.occupancy.occupancy_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.occupancy.axis IS 'resource or patient: which series subject_id belongs to.';
COMMENT ON COLUMN radscheduler.occupancy.subject_id IS 'resource.resource_id or patient.patient_id.';
COMMENT ON COLUMN radscheduler.occupancy.lane IS 'Which of the subject''s places the interval takes, from 0.';
COMMENT ON COLUMN radscheduler.occupancy.during IS 'The time booked, half open.';
COMMENT ON COLUMN radscheduler.occupancy.buffered IS 'The time booked with set-up and turnover; what the constraint and the slot search compare.';
COMMENT ON COLUMN radscheduler.occupancy.appointment_id IS 'Appointment that occupies it.';
COMMENT ON CONSTRAINT occupancy_no_overlap ON radscheduler.occupancy IS 'No two appointments in one lane of one subject at one time.';

CREATE TABLE radscheduler.conflict (
    site_id              integer     NOT NULL,
    conflict_id          bigint      GENERATED BY DEFAULT AS IDENTITY,
    code                 text        NOT NULL,
    severity             radscheduler.severity NOT NULL,
    axis                 radscheduler.axis NOT NULL,
    subject_id           bigint      NOT NULL,
    appointment_id       bigint      NOT NULL,
    other_appointment_id bigint      NOT NULL,
    overlap              tstzrange   NOT NULL,
    state                radscheduler.conflict_state NOT NULL DEFAULT 'open',
    alternatives         jsonb       NOT NULL DEFAULT '[]',
    detected_at          timestamptz NOT NULL DEFAULT pg_catalog.now(),
    resolved_at          timestamptz,
    PRIMARY KEY (site_id, conflict_id),
    FOREIGN KEY (site_id, appointment_id)       REFERENCES radscheduler.appointment ON DELETE CASCADE,
    FOREIGN KEY (site_id, other_appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE,
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
CREATE UNIQUE INDEX conflict_pair ON radscheduler.conflict
    (site_id, axis, subject_id, (LEAST(appointment_id, other_appointment_id)), (GREATEST(appointment_id, other_appointment_id)))
    WHERE state <> 'resolved';
CREATE INDEX conflict_appointment ON radscheduler.conflict (site_id, appointment_id) WHERE state <> 'resolved';
CREATE INDEX conflict_other ON radscheduler.conflict (site_id, other_appointment_id) WHERE state <> 'resolved';
COMMENT ON TABLE  radscheduler.conflict IS 'Two appointments that want one subject at one time. Open until one of them leaves (then resolved by itself) or someone accepts it.';
COMMENT ON COLUMN radscheduler.conflict.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.conflict.conflict_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.conflict.code IS 'What kind: see conflict_kind.';
COMMENT ON COLUMN radscheduler.conflict.severity IS 'critical sends the later appointment to review; warning only tells.';
COMMENT ON COLUMN radscheduler.conflict.axis IS 'resource or patient.';
COMMENT ON COLUMN radscheduler.conflict.subject_id IS 'The resource or patient both want.';
COMMENT ON COLUMN radscheduler.conflict.appointment_id IS 'The appointment that came second.';
COMMENT ON COLUMN radscheduler.conflict.other_appointment_id IS 'The appointment that was there.';
COMMENT ON COLUMN radscheduler.conflict.overlap IS 'The time both want.';
COMMENT ON COLUMN radscheduler.conflict.state IS 'open, accepted or resolved.';
COMMENT ON COLUMN radscheduler.conflict.alternatives IS 'Up to three free times for the second appointment: [{start, end, resource}].';
COMMENT ON COLUMN radscheduler.conflict.detected_at IS 'When it was found.';
COMMENT ON COLUMN radscheduler.conflict.resolved_at IS 'When it went away.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (6, 'messages', $storage_step$
-- What was received, byte for byte, what became of it and what was answered.

CREATE SEQUENCE radscheduler.hl7_message_id_seq;
COMMENT ON SEQUENCE radscheduler.hl7_message_id_seq IS 'Numbers received messages; also the control id (MSH-10) of their acknowledgements.';

CREATE TABLE radscheduler.hl7_message (
    site_id        integer     NOT NULL,
    message_id     bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.hl7_message_id_seq'),
    received_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    channel        text        NOT NULL,
    peer           text,
    raw            bytea       NOT NULL,
    raw_sha256     bytea       NOT NULL,
    sender_id      bigint,
    message_code   text,
    trigger_event  text,
    control_id     text,
    processing_id  text,
    version_id     text,
    message_time   timestamptz,
    outcome        text        NOT NULL CHECK (outcome IN ('applied', 'flagged', 'duplicate', 'stale', 'ignored', 'error', 'rejected')),
    code           text        NOT NULL CHECK (code IN ('AA', 'AE', 'AR')),
    warnings       jsonb       NOT NULL DEFAULT '[]',
    error          jsonb,
    ack            bytea       NOT NULL,
    appointment_id bigint,
    duplicate_of   bigint,
    PRIMARY KEY (site_id, received_at, message_id)
) PARTITION BY RANGE (received_at);
ALTER SEQUENCE radscheduler.hl7_message_id_seq OWNED BY radscheduler.hl7_message.message_id;
CREATE INDEX hl7_message_id ON radscheduler.hl7_message (site_id, message_id);
CREATE INDEX hl7_message_control ON radscheduler.hl7_message (site_id, sender_id, control_id);
CREATE INDEX hl7_message_appointment ON radscheduler.hl7_message (site_id, appointment_id) WHERE appointment_id IS NOT NULL;
CREATE TABLE radscheduler.hl7_message_default PARTITION OF radscheduler.hl7_message DEFAULT;
COMMENT ON TABLE  radscheduler.hl7_message IS 'Every message received, whatever became of it: raw bytes, outcome, warnings and the acknowledgement given. Partitioned by month.';
COMMENT ON TABLE  radscheduler.hl7_message_default IS 'Messages outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.hl7_message.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.hl7_message.message_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.hl7_message.received_at IS 'Arrival; the partition key.';
COMMENT ON COLUMN radscheduler.hl7_message.channel IS 'Door it came in by: mllp, http, json, sql.';
COMMENT ON COLUMN radscheduler.hl7_message.peer IS 'Network address and port of the sender, when known.';
COMMENT ON COLUMN radscheduler.hl7_message.raw IS 'The bytes as received, whatever their charset.';
COMMENT ON COLUMN radscheduler.hl7_message.raw_sha256 IS 'SHA-256 of raw.';
COMMENT ON COLUMN radscheduler.hl7_message.sender_id IS 'Sender (MSH-3, MSH-4); NULL when no header could be read.';
COMMENT ON COLUMN radscheduler.hl7_message.message_code IS 'MSH-9.1; JSON for the API''s own body.';
COMMENT ON COLUMN radscheduler.hl7_message.trigger_event IS 'MSH-9.2.';
COMMENT ON COLUMN radscheduler.hl7_message.control_id IS 'MSH-10.';
COMMENT ON COLUMN radscheduler.hl7_message.processing_id IS 'MSH-11.1.';
COMMENT ON COLUMN radscheduler.hl7_message.version_id IS 'MSH-12.1.';
COMMENT ON COLUMN radscheduler.hl7_message.message_time IS 'MSH-7 as an instant.';
COMMENT ON COLUMN radscheduler.hl7_message.outcome IS 'applied, flagged (applied with a conflict), duplicate, stale, ignored (nothing to do), error (AE), rejected (AR).';
COMMENT ON COLUMN radscheduler.hl7_message.code IS 'What became of the message: AA, AE or AR (HL7 table 0008). In enhanced mode the acknowledgement itself may say CA or CR.';
COMMENT ON COLUMN radscheduler.hl7_message.warnings IS 'Every lenient repair and doubt: [{code, path, text}]; no patient data.';
COMMENT ON COLUMN radscheduler.hl7_message.error IS 'Why it was not applied: {code (HL7 table 0357), path, text}.';
COMMENT ON COLUMN radscheduler.hl7_message.ack IS 'The acknowledgement as sent, without framing; no bytes where the sender asked for none (MSH-15, MSH-16).';
COMMENT ON COLUMN radscheduler.hl7_message.appointment_id IS 'Appointment it was about, when known.';
COMMENT ON COLUMN radscheduler.hl7_message.duplicate_of IS 'message_id of the first reception of the same bytes.';

CREATE TABLE radscheduler.message_key (
    site_id     integer     NOT NULL,
    sender_id   bigint      NOT NULL,
    control_id  text        NOT NULL,
    body_sha256 bytea       NOT NULL,
    message_id  bigint      NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, sender_id, control_id, body_sha256),
    FOREIGN KEY (site_id, sender_id) REFERENCES radscheduler.sender
);
COMMENT ON TABLE  radscheduler.message_key IS 'The duplicate guard: sender, control id and SHA-256 of the bytes, written before anything else. Unpartitioned, because a unique key over time partitions could not guard.';
COMMENT ON COLUMN radscheduler.message_key.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.message_key.sender_id IS 'Sender.';
COMMENT ON COLUMN radscheduler.message_key.control_id IS 'MSH-10; empty for the API''s own body.';
COMMENT ON COLUMN radscheduler.message_key.body_sha256 IS 'SHA-256 of the bytes received.';
COMMENT ON COLUMN radscheduler.message_key.message_id IS 'hl7_message that holds the answer.';
COMMENT ON COLUMN radscheduler.message_key.received_at IS 'Partition key of that hl7_message row.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (7, 'events', $storage_step$
-- Facts for whoever listens, in an order that can be followed without losing one.

CREATE SEQUENCE radscheduler.event_seq;
COMMENT ON SEQUENCE radscheduler.event_seq IS 'Second half of the event cursor: order within one transaction.';

CREATE TABLE radscheduler.event_log (
    site_id        integer     NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT pg_catalog.now(),
    xid            xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    seq            bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.event_seq'),
    type           text        NOT NULL,
    appointment_id bigint,
    message_id     bigint,
    data           jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (site_id, xid, seq, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE radscheduler.event_seq OWNED BY radscheduler.event_log.seq;
CREATE INDEX event_log_cursor ON radscheduler.event_log (xid, seq);
CREATE TABLE radscheduler.event_log_default PARTITION OF radscheduler.event_log DEFAULT;
COMMENT ON TABLE  radscheduler.event_log IS 'What happened, in order. Follow it by (xid, seq) below pg_snapshot_xmin(pg_current_snapshot()): a plain seq > last loses events, because sequence numbers commit out of order.';
COMMENT ON TABLE  radscheduler.event_log_default IS 'Events outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.event_log.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.event_log.recorded_at IS 'Transaction time; the partition key.';
COMMENT ON COLUMN radscheduler.event_log.xid IS 'First half of the cursor: the writing transaction.';
COMMENT ON COLUMN radscheduler.event_log.seq IS 'Second half of the cursor.';
COMMENT ON COLUMN radscheduler.event_log.type IS 'For example appointment.created, conflict.detected, hl7.processed.';
COMMENT ON COLUMN radscheduler.event_log.appointment_id IS 'Appointment it is about, when there is one.';
COMMENT ON COLUMN radscheduler.event_log.message_id IS 'Message that caused it, when there is one.';
COMMENT ON COLUMN radscheduler.event_log.data IS 'Details without patient data.';

CREATE TABLE radscheduler.relay_cursor (
    relay      text        PRIMARY KEY,
    xid        xid8        NOT NULL,
    seq        bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.relay_cursor IS 'How far each relay has published event_log, over all sites.';
COMMENT ON COLUMN radscheduler.relay_cursor.relay IS 'Name of the relay, for example redis.';
COMMENT ON COLUMN radscheduler.relay_cursor.xid IS 'Cursor of the last event published, first half.';
COMMENT ON COLUMN radscheduler.relay_cursor.seq IS 'Cursor of the last event published, second half.';
COMMENT ON COLUMN radscheduler.relay_cursor.updated_at IS 'When it last moved.';

CREATE TRIGGER event_log_wake AFTER INSERT ON radscheduler.event_log FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.event_log_wake();
COMMENT ON TRIGGER event_log_wake ON radscheduler.event_log IS 'Wakes whoever follows the log.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (8, 'appointments_view', $storage_step$
-- The integration guide's table, column for column, as an updatable view: writing to it books, moves and cancels through the same core.

CREATE VIEW radscheduler.appointments WITH (security_invoker = true) AS
SELECT a.appointment_id                                                            AS id,
       p.mrn                                                                       AS patient_id,
       p.display_name                                                              AS patient_name,
       COALESCE(p.phone, p.phone_as_sent)                                          AS patient_phone,
       COALESCE(m.label, a.modality)                                               AS modality,
       a.study_text                                                                AS study_type,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.starts_at)         AS datetime,
       (EXTRACT(epoch FROM a.ends_at - a.starts_at) / 60)::integer                 AS duration,
       a.status::text                                                              AS status,
       a.referring_physician                                                       AS referring_physician,
       a.urgency                                                                   AS urgency,
       a.notes                                                                     AS notes,
       radscheduler.conflicts_of(a.site_id, a.appointment_id)                      AS conflicts,
       a.source                                                                    AS source,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.created_at)        AS created_at,
       pg_catalog.timezone(radscheduler.site_zone(a.site_id), a.updated_at)        AS updated_at
FROM radscheduler.appointment a
JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
WHERE a.status <> 'DELETED';
COMMENT ON VIEW   radscheduler.appointments IS 'The schedule as one flat table. INSERT books, UPDATE moves or changes, DELETE cancels; a double booking is refused with SQLSTATE 23P01.';
COMMENT ON COLUMN radscheduler.appointments.id IS 'Identity of the appointment.';
COMMENT ON COLUMN radscheduler.appointments.patient_id IS 'Medical record number.';
COMMENT ON COLUMN radscheduler.appointments.patient_name IS 'Name as shown to people.';
COMMENT ON COLUMN radscheduler.appointments.patient_phone IS 'E.164 where the number could be completed, else as sent.';
COMMENT ON COLUMN radscheduler.appointments.modality IS 'Modality label, for example MRI. On write: label, DICOM code or any alias.';
COMMENT ON COLUMN radscheduler.appointments.study_type IS 'Exam text.';
COMMENT ON COLUMN radscheduler.appointments.datetime IS 'Start in the site''s local time.';
COMMENT ON COLUMN radscheduler.appointments.duration IS 'Minutes.';
COMMENT ON COLUMN radscheduler.appointments.status IS 'Life cycle state.';
COMMENT ON COLUMN radscheduler.appointments.referring_physician IS 'Name of the referring physician.';
COMMENT ON COLUMN radscheduler.appointments.urgency IS 'routine, urgent or stat (emergency is read as stat).';
COMMENT ON COLUMN radscheduler.appointments.notes IS 'Notes.';
COMMENT ON COLUMN radscheduler.appointments.conflicts IS 'Unresolved conflicts, an empty array when there is none. Read only.';
COMMENT ON COLUMN radscheduler.appointments.source IS 'HL7, API or SQL. Read only.';
COMMENT ON COLUMN radscheduler.appointments.created_at IS 'When it was recorded, site local. Read only.';
COMMENT ON COLUMN radscheduler.appointments.updated_at IS 'When it last changed, site local. Read only.';

ALTER VIEW radscheduler.appointments ALTER COLUMN status  SET DEFAULT 'SCHEDULED';
ALTER VIEW radscheduler.appointments ALTER COLUMN urgency SET DEFAULT 'routine';
ALTER VIEW radscheduler.appointments ALTER COLUMN duration SET DEFAULT 30;

CREATE TRIGGER appointments_write INSTEAD OF INSERT OR UPDATE OR DELETE ON radscheduler.appointments
    FOR EACH ROW EXECUTE FUNCTION radscheduler.appointments_write();
COMMENT ON TRIGGER appointments_write ON radscheduler.appointments IS 'Sends every write through the booking core.';
$storage_step$);
-- The records: created with the code, then handed to the database.
SELECT radscheduler.provision();
