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
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
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
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
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
-- Whose session this is and which sites it may use. Two questions, two mechanisms: what a role may do is plain GRANT, written by
-- grant_role() from the table role_right; whose rows it may do it to is site_grant, asked by the policies of every record table and by
-- every SECURITY DEFINER function. The role is the one in effect outside SECURITY DEFINER functions, so that no function in between lends its own.

CREATE TABLE radscheduler.role_right (
    kind    text NOT NULL,
    object  text NOT NULL,
    rights  text NOT NULL,
    columns text NOT NULL DEFAULT '',
    PRIMARY KEY (kind, object, rights)
);
COMMENT ON TABLE  radscheduler.role_right IS 'What each kind of role may do: the rows grant_role() turns into GRANTs.';
COMMENT ON COLUMN radscheduler.role_right.kind IS 'reader, scheduler, ingest, analyst, auditor, admin; public is everyone.';
COMMENT ON COLUMN radscheduler.role_right.object IS 'Table or view; a function with () after its name, all its overloads.';
COMMENT ON COLUMN radscheduler.role_right.rights IS 'SELECT, INSERT, UPDATE, DELETE or EXECUTE, separated by commas.';
COMMENT ON COLUMN radscheduler.role_right.columns IS 'Columns the right is limited to, separated by commas; empty for all.';

INSERT INTO radscheduler.role_right (kind, object, rights)
SELECT k.kind, o, 'SELECT' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['site', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                 'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                 'occupancy', 'conflict', 'appointments', 'schema_version']) o
UNION ALL
SELECT k.kind, o || '()', 'EXECUTE' FROM (VALUES ('reader'), ('scheduler'), ('admin')) k(kind),
    unnest(ARRAY['find_slots', 'conflicts_of', 'api_appointments', 'api_dashboard', 'health']) o;
UPDATE radscheduler.role_right SET rights = 'SELECT, INSERT, UPDATE, DELETE'
    WHERE kind IN ('scheduler', 'admin') AND object = 'resource_block' OR kind = 'scheduler' AND object = 'appointments'
       OR kind = 'admin' AND object IN ('modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours');
INSERT INTO radscheduler.role_right (kind, object, rights, columns) VALUES
    ('ingest', 'ingest()', 'EXECUTE', ''),
    ('ingest', 'ingest_json()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_appointment()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_raw()', 'EXECUTE', ''),
    ('ingest', 'api_hl7_simulate()', 'EXECUTE', ''),
    ('ingest', 'relay_fetch()', 'EXECUTE', ''),
    ('ingest', 'relay_advance()', 'EXECUTE', ''),
    ('ingest', 'maintain()', 'EXECUTE', ''),
    ('ingest', 'health()', 'EXECUTE', ''),
    ('analyst', 'site', 'SELECT', ''),
    ('analyst', 'modality', 'SELECT', ''),
    ('analyst', 'procedure', 'SELECT', ''),
    ('analyst', 'resource', 'SELECT', ''),
    ('analyst', 'resource_hours', 'SELECT', ''),
    ('analyst', 'resource_block', 'SELECT', 'site_id, block_id, resource_id, during, created_at'),
    ('analyst', 'appointment', 'SELECT', 'site_id, appointment_id, sender_id, generation, patient_id, status, review_reason, starts_at, ends_at, '
        'modality, study_code, urgency, source, is_test, reschedule_count, original_starts_at, version, message_id, created_at, updated_at'),
    ('analyst', 'appointment_service', 'SELECT', 'site_id, appointment_id, position, group_no, code, starts_at, ends_at'),
    ('analyst', 'appointment_resource', 'SELECT', ''),
    ('analyst', 'occupancy', 'SELECT', ''),
    ('analyst', 'conflict', 'SELECT', ''),
    ('analyst', 'event_log', 'SELECT', ''),
    ('analyst', 'hl7_message', 'SELECT', 'site_id, message_id, received_at, channel, sender_id, message_code, trigger_event, processing_id, '
        'version_id, message_time, outcome, code, warnings, appointment_id, duplicate_of'),
    ('analyst', 'sender', 'SELECT', ''),
    ('analyst', 'api_dashboard()', 'EXECUTE', ''),
    ('analyst', 'health()', 'EXECUTE', ''),
    ('auditor', 'site', 'SELECT', ''),
    ('auditor', 'audit_event', 'SELECT', ''),
    ('auditor', 'audit_seal', 'SELECT', ''),
    ('auditor', 'role_grant', 'SELECT', ''),
    ('auditor', 'site_grant', 'SELECT', ''),
    ('auditor', 'legal_hold', 'SELECT', ''),
    ('auditor', 'retention', 'SELECT', ''),
    ('auditor', 'schema_version', 'SELECT', ''),
    ('auditor', 'audit_verify()', 'EXECUTE', ''),
    ('auditor', 'audit_head()', 'EXECUTE', ''),
    ('admin', 'site', 'UPDATE', 'name, timezone, phone_region, slot_minutes'),
    ('admin', 'sender', 'SELECT, DELETE', ''),
    ('admin', 'sender', 'INSERT', 'site_id, sending_application, sending_facility, profile, is_registered'),
    ('admin', 'sender', 'UPDATE', 'profile, is_registered'),
    ('admin', 'hl7_message', 'SELECT', ''),
    ('admin', 'message_key', 'SELECT', ''),
    ('admin', 'event_log', 'SELECT', ''),
    ('admin', 'legal_hold', 'SELECT', ''),
    ('admin', 'retention', 'SELECT', ''),
    ('admin', 'create_site()', 'EXECUTE', ''),
    ('admin', 'add_resource()', 'EXECUTE', ''),
    ('admin', 'configuration_export()', 'EXECUTE', ''),
    ('admin', 'configuration_import()', 'EXECUTE', ''),
    ('admin', 'place_hold()', 'EXECUTE', ''),
    ('admin', 'lift_hold()', 'EXECUTE', ''),
    ('admin', 'purge()', 'EXECUTE', ''),
    ('admin', 'set_retention()', 'EXECUTE', ''),
    ('admin', 'maintain()', 'EXECUTE', ''),
    ('public', 'caller()', 'EXECUTE', ''),
    ('public', 'acting()', 'EXECUTE', ''),
    ('public', 'sites_for()', 'EXECUTE', ''),
    ('public', 'everywhere_for()', 'EXECUTE', ''),
    ('public', 'visible_sites()', 'EXECUTE', ''),
    ('public', 'sees_every_site()', 'EXECUTE', ''),
    ('public', 'current_site()', 'EXECUTE', ''),
    ('public', 'default_zone()', 'EXECUTE', ''),
    ('public', 'audits_changes()', 'EXECUTE', ''),
    ('public', 'is_timezone()', 'EXECUTE', ''),
    ('public', 'is_profile()', 'EXECUTE', ''),
    ('public', 'is_occupying()', 'EXECUTE', ''),
    ('public', 'is_closed()', 'EXECUTE', ''),
    ('public', 'siu_parse()', 'EXECUTE', ''),
    ('public', 'siu_read()', 'EXECUTE', '');

CREATE FUNCTION radscheduler.caller() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_caller' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.caller() IS
    'The role that asks: the one of SET ROLE, else the login. Not the owner of a SECURITY DEFINER function in between.';

CREATE FUNCTION radscheduler.acting() RETURNS regrole
    AS 'MODULE_PATHNAME', 'rad_acting' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.acting() IS
    'The role whose rights narrow the caller''s: current_user, where that is neither the caller nor a superuser; else 0. Raises 42501 while PostgreSQL maintains an object for its owner (autovacuum, REFRESH, CREATE INDEX), unless the owner does it himself.';

CREATE FUNCTION radscheduler.is_everywhere(p_role oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM pg_roles r WHERE r.oid = p_role AND (r.rolsuper OR r.rolbypassrls))
        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                   WHERE g.site_id IS NULL AND pg_has_role(p_role, r.oid, 'USAGE'));
END
$$;
COMMENT ON FUNCTION radscheduler.is_everywhere(oid) IS 'Whether a role may use every site, present and future: a superuser, one with BYPASSRLS, or one granted the site *.';

CREATE FUNCTION radscheduler.everywhere_for(p_acting oid) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN radscheduler.is_everywhere(radscheduler.caller()) AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting));
END
$$;
COMMENT ON FUNCTION radscheduler.everywhere_for(oid) IS 'What sees_every_site() asks: the caller, narrowed by another role (0 for none).';

CREATE FUNCTION radscheduler.sees_every_site() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.everywhere_for(radscheduler.acting());
COMMENT ON FUNCTION radscheduler.sees_every_site() IS
    'Whether the caller may use every site, present and future: a superuser, a role with BYPASSRLS, or one granted the site *.';

CREATE FUNCTION radscheduler.sites_for(p_acting oid) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_caller oid := radscheduler.caller();
    v_code   text := nullif(current_setting('radscheduler.site', true), '');
    v_whole  boolean := radscheduler.is_everywhere(v_caller);
BEGIN
    IF v_whole AND p_acting = 0 THEN
        RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s WHERE v_code IS NULL OR s.code = v_code
                     UNION ALL SELECT 0 WHERE v_code IS NULL);
    END IF;
    RETURN ARRAY(SELECT s.site_id FROM radscheduler.site s
                 WHERE (v_code IS NULL OR s.code = v_code)
                   AND (v_whole OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                                           WHERE g.site_id = s.site_id AND pg_has_role(v_caller, r.oid, 'USAGE')))
                   AND (p_acting = 0 OR radscheduler.is_everywhere(p_acting)
                        OR EXISTS (SELECT FROM radscheduler.site_grant g JOIN pg_roles r ON r.rolname = g.role_name
                                   WHERE g.site_id = s.site_id AND pg_has_role(p_acting, r.oid, 'USAGE'))));
END
$$;
COMMENT ON FUNCTION radscheduler.sites_for(oid) IS
    'What visible_sites() asks: the sites of the caller, narrowed by those of another role (0 for none) and by the setting radscheduler.site. Whatever is given, never more than the caller''s.';

CREATE FUNCTION radscheduler.visible_sites() RETURNS integer[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN radscheduler.sites_for(radscheduler.acting());
COMMENT ON FUNCTION radscheduler.visible_sites() IS
    'Ids of the sites whose rows may be used here: those granted to the caller''s roles, and to the owner of a SECURITY DEFINER function in between, narrowed by the setting radscheduler.site. 0, the database itself, is among them for callers of every site. The policies of all record tables ask it once per query.';

CREATE FUNCTION radscheduler.require_site(p_site integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_site IS NULL OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RAISE EXCEPTION 'this session may not use that site' USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants it with radscheduler.grant_site(role, site); the setting radscheduler.site can only narrow.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.require_site(integer) IS 'Raises 42501 unless the caller may use the site; the words are the same whether or not there is one.';

CREATE FUNCTION radscheduler.require_every_site(p_what text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION '% concerns every site, and this role was granted only some', p_what USING ERRCODE = 'insufficient_privilege',
            HINT = 'A DBA grants all sites with radscheduler.grant_site(role, ''*'').';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.require_every_site(text) IS 'Raises 42501 unless the caller may use every site; p_what names what was asked for.';

CREATE FUNCTION radscheduler.default_zone() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE(NULLIF(pg_catalog.current_setting('radscheduler.default_timezone', true), ''), 'UTC');
COMMENT ON FUNCTION radscheduler.default_zone() IS 'The setting radscheduler.default_timezone, else UTC.';
-- Giving and taking rights. Only whoever owns the objects can: these run with the caller's own rights, nothing is lent.

CREATE FUNCTION radscheduler.check_role(p_kind text, p_role text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_role IS NULL OR p_kind IS NOT DISTINCT FROM '' THEN
        RAISE EXCEPTION 'a kind and a role are needed' USING ERRCODE = 'null_value_not_allowed', HINT = 'SELECT radscheduler.grant_role(''reader'', ''name of the role'');';
    ELSIF p_kind IS NOT NULL AND (p_kind = 'public' OR NOT EXISTS (SELECT FROM radscheduler.role_right r WHERE r.kind = p_kind)) THEN
        RAISE EXCEPTION 'there is no kind of role "%"', p_kind USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Use reader, scheduler, ingest, analyst, auditor or admin.';
    ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_role) THEN
        RAISE EXCEPTION 'role "%" does not exist', p_role USING ERRCODE = 'undefined_object',
            HINT = 'CREATE ROLE first; the extension makes no roles of its own.';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.check_role(text, text) IS 'Raises 22023 for an unknown kind of role, 42704 for a role that does not exist.';

CREATE FUNCTION radscheduler.write_rights(p_verb text, p_kind text, p_role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_right record;
    v_name  text;
    v_to    text := CASE p_verb WHEN 'GRANT' THEN 'TO ' ELSE 'FROM ' END || CASE p_role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(p_role) END;
BEGIN
    FOR v_right IN SELECT r.object, r.rights, r.columns FROM radscheduler.role_right r WHERE r.kind = p_kind ORDER BY r.object LOOP
        IF v_right.object LIKE '%()' THEN
            FOR v_name IN SELECT p.oid::regprocedure::text FROM pg_proc p
                          WHERE p.pronamespace = 'radscheduler'::regnamespace AND p.proname = left(v_right.object, -2) ORDER BY 1 LOOP
                EXECUTE format('%s EXECUTE ON FUNCTION %s %s', p_verb, v_name, v_to);
            END LOOP;
        ELSIF to_regclass(format('radscheduler.%I', v_right.object)) IS NOT NULL THEN
            EXECUTE format('%s %s%s ON radscheduler.%I %s', p_verb, v_right.rights,
                           coalesce('(' || (SELECT string_agg(quote_ident(btrim(c)), ', ') FROM unnest(string_to_array(nullif(v_right.columns, ''), ',')) c) || ')', ''),
                           v_right.object, v_to);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.write_rights(text, text, text) IS 'GRANTs or REVOKEs (p_verb) everything role_right lists for a kind. Objects that do not exist yet are passed over.';

CREATE FUNCTION radscheduler.grant_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(coalesce(grant_role.kind, ''), grant_role.role);
    PERFORM radscheduler.write_rights('GRANT', grant_role.kind, grant_role.role);
    INSERT INTO radscheduler.role_grant AS g (role_name, kind) VALUES (grant_role.role, grant_role.kind) ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION radscheduler.grant_role(text, text) IS
    'Gives a role the rights of a kind: reader, scheduler, ingest, analyst, auditor or admin (docs/security.md has the table). A role may be of several kinds. Which sites it may use is grant_site()''s. migrate() gives it what later versions add.';

CREATE FUNCTION radscheduler.revoke_role(kind text, role text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.check_role(coalesce(revoke_role.kind, ''), revoke_role.role);
    PERFORM radscheduler.write_rights('REVOKE', revoke_role.kind, revoke_role.role);
    DELETE FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role AND g.kind = revoke_role.kind;
    PERFORM radscheduler.write_rights('GRANT', g.kind, g.role_name) FROM radscheduler.role_grant g WHERE g.role_name = revoke_role.role;
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_role(text, text) IS 'Takes the rights of a kind from a role, except those another of its kinds also gives.';

CREATE FUNCTION radscheduler.apply_grants() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_grant record;
    v_count integer := 0;
BEGIN
    FOR v_grant IN SELECT g.kind, g.role_name FROM radscheduler.role_grant g JOIN pg_roles r ON r.rolname = g.role_name ORDER BY g.role_name, g.kind LOOP
        PERFORM radscheduler.write_rights('GRANT', v_grant.kind, v_grant.role_name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.apply_grants() IS 'Gives every role of role_grant that exists the rights its kinds have in this version; returns how many. migrate() calls it; call it after a restore into a cluster whose roles were made later.';

CREATE FUNCTION radscheduler.named_site(p_site text) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF p_site = '*' THEN
        RETURN NULL;
    END IF;
    SELECT s.site_id INTO v_site FROM radscheduler.site s WHERE s.code = p_site;
    IF v_site IS NULL THEN
        RAISE EXCEPTION 'there is no site "%"', p_site USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give the code of a row in radscheduler.site, or * for every site.';
    END IF;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.named_site(text) IS 'Id of a site by its code; NULL for *, every site. Raises 22023.';

CREATE FUNCTION radscheduler.grant_site(role text, site text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(grant_site.site);
BEGIN
    PERFORM radscheduler.check_role(NULL, grant_site.role);
    INSERT INTO radscheduler.site_grant AS g (site_id, role_name) VALUES (v_site, grant_site.role) ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION radscheduler.grant_site(text, text) IS
    'Lets a role, and every role that inherits from it, use the rows of a site (its code, or * for all sites, future ones too). What it may do there is grant_role()''s.';

CREATE FUNCTION radscheduler.revoke_site(role text, site text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer := radscheduler.named_site(revoke_site.site);
BEGIN
    DELETE FROM radscheduler.site_grant g WHERE g.role_name = revoke_site.role AND g.site_id IS NOT DISTINCT FROM v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_site(text, text) IS 'Takes back what grant_site() gave to this very role; * takes back only a grant of *.';

CREATE FUNCTION radscheduler.secure_table(p_table regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format('CREATE POLICY any_row ON %s USING (true)', p_table);
    EXECUTE format('COMMENT ON POLICY any_row ON %s IS %L', p_table, 'Leaves the decision to the restrictive policy site_rows.');
    EXECUTE format('CREATE POLICY site_rows ON %s AS RESTRICTIVE USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[])) '
                   'WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]))', p_table);
    EXECUTE format('COMMENT ON POLICY site_rows ON %s IS %L', p_table, 'Rows of the sites the caller was granted, and no others.');
END
$$;
COMMENT ON FUNCTION radscheduler.secure_table(regclass) IS
    'Puts a record table (or a partition) under row-level security: a role sees and writes rows of its sites only, the owner included. The policy is restrictive, so that no policy of the site''s own can widen it.';

CREATE FUNCTION radscheduler.revoke_default_privileges() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_right record;
BEGIN
    FOR v_right IN
        SELECT DISTINCT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, c.oid::regclass AS name,
               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS role
        FROM pg_class c, aclexplode(c.relacl) x
        WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S') AND x.grantee <> c.relowner
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', v_right.kind, v_right.name, v_right.role);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.revoke_default_privileges() IS
    'Takes from new records what ALTER DEFAULT PRIVILEGES has handed out, before anybody was granted anything; provision() calls it.';

CREATE FUNCTION radscheduler.settle_initial_rights() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Records first: none of their rights come with CREATE EXTENSION.
    DELETE FROM pg_init_privs i
        WHERE i.privtype = 'e' AND i.classoid = 'pg_class'::regclass
          AND EXISTS (SELECT FROM pg_class c WHERE c.oid = i.objoid AND c.relnamespace = 'radscheduler'::regnamespace)
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e');
    UPDATE pg_init_privs i
        SET initprivs = ARRAY(SELECT a FROM unnest(i.initprivs) a WHERE NOT EXISTS (SELECT FROM aclexplode(ARRAY[a]) x WHERE x.grantee NOT IN (0, o.owner)))
        FROM (SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc p WHERE p.pronamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_class'::regclass, c.oid, c.relowner FROM pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t WHERE t.typnamespace = 'radscheduler'::regnamespace
              UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner FROM pg_namespace n WHERE n.nspname = 'radscheduler') o(class, id, owner)
        WHERE i.privtype = 'e' AND i.classoid = o.class AND i.objoid = o.id
          AND EXISTS (SELECT FROM aclexplode(i.initprivs) x WHERE x.grantee NOT IN (0, o.owner));
    DELETE FROM pg_shdepend s
        WHERE s.deptype = 'i' AND s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND NOT EXISTS (SELECT FROM pg_init_privs i, aclexplode(i.initprivs) x
                          WHERE i.classoid = s.classid AND i.objoid = s.objid AND i.objsubid = s.objsubid AND x.grantee = s.refobjid);
END
$$;
COMMENT ON FUNCTION radscheduler.settle_initial_rights() IS
    'Last statement of an update script. Whatever rights an object has when a script of an extension grants or revokes something, PostgreSQL takes for the extension''s own (pg_init_privs), and pg_dump leaves out: the site''s grants, too. This leaves PUBLIC''s and the owner''s in that note.';
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
                     'warning_kind', 'conflict_kind', 'phone_region', 'role_right')
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

CREATE FUNCTION radscheduler.attach_view(p_view text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.storage_objects() o WHERE o.name = p_view) THEN
        EXECUTE format('ALTER EXTENSION radscheduler ADD VIEW radscheduler.%I', p_view);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.attach_view(text) IS
    'Takes a view of the records into the extension for as long as migrate() runs: an update script may replace only what belongs to the extension, and dropping the view would take the site''s own views with it.';

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
    IF v_count > 0 THEN
        PERFORM radscheduler.make_partitions(p.parent) FROM unnest(ARRAY['hl7_message', 'event_log', 'audit_event']) p(parent);
    END IF;
    PERFORM radscheduler.detach_records();
    PERFORM radscheduler.renew_append_only();
    PERFORM radscheduler.apply_grants();
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.migrate() IS
    'Applies the storage steps that this database lacks, all in the calling transaction, and renews the rights of roles; returns how many steps. Safe to call again, to interrupt, and by several sessions.';

CREATE FUNCTION radscheduler.is_restoring() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
SELECT current_setting('row_security') = 'off'
    OR EXISTS (SELECT FROM pg_settings s WHERE s.name = 'xmloption' AND s.source = 'session')
$$;
COMMENT ON FUNCTION radscheduler.is_restoring() IS
    'Whether this session runs a dump: pg_dump and pg_restore begin every session with SET row_security = off (but not with --enable-row-security) and SET xmloption, which nobody else does.';

CREATE FUNCTION radscheduler.provision() RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.is_restoring() OR NOT coalesce(current_setting('radscheduler.auto_provision', true), 'on')::boolean THEN
        RETURN false;
    ELSIF radscheduler.storage_version() > 0 THEN
        RAISE EXCEPTION 'this database has radscheduler records already'
            USING ERRCODE = 'duplicate_object', HINT = 'SELECT radscheduler.migrate(); brings them up to this version.';
    END IF;
    PERFORM radscheduler.migrate();
    PERFORM radscheduler.revoke_default_privileges();
    PERFORM radscheduler.create_site('MAIN', 'Main site', NULL);
    PERFORM radscheduler.detach_records();
    RETURN true;
END
$$;
COMMENT ON FUNCTION radscheduler.provision() IS
    'Creates the records with one site, MAIN; CREATE EXTENSION calls it. Does nothing in a restore (see is_restoring()) or when radscheduler.auto_provision is off. Fails rather than adopt tables that are already there.';

CREATE FUNCTION radscheduler.destroy_records(database text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_object record;
    v_count  integer := 0;
BEGIN
    IF destroy_records.database IS DISTINCT FROM current_database()::text THEN
        RAISE EXCEPTION 'the records of this database stay' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'To destroy every appointment, message and audit event, give the name of this very database.';
    END IF;
    PERFORM radscheduler.require_every_site('destroying the records');
    IF EXISTS (SELECT FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL) THEN
        RAISE EXCEPTION 'records of this database are under legal hold' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT * FROM radscheduler.legal_hold WHERE lifted_at IS NULL; lift_hold() lifts them.';
    END IF;
    FOR v_object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass AS name
        FROM pg_class c
        WHERE c.relnamespace = 'radscheduler'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY c.relkind = 'v' DESC, c.relname
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', v_object.kind, v_object.name);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.destroy_records(text) IS
    'Drops every table and view of schema radscheduler that is not code, with what depends on them; returns how many. Only after this can the extension be dropped. Give the name of the database, so that nobody does it in the wrong one; refused under legal hold.';

CREATE FUNCTION radscheduler.drop_guard() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'rad_drop_guard' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION radscheduler.drop_guard() IS 'Event trigger: raises 2BP01 for DROP EXTENSION or DROP SCHEMA radscheduler, CASCADE too, while records exist.';

CREATE EVENT TRIGGER radscheduler_drop_guard ON ddl_command_start WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
    EXECUTE FUNCTION radscheduler.drop_guard();
COMMENT ON EVENT TRIGGER radscheduler_drop_guard IS 'Keeps the extension and its schema from being dropped under records.';
-- Which site, whose clock, which sender.

CREATE FUNCTION radscheduler.create_site(code text, name text, timezone text) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site integer;
BEGIN
    IF create_site.timezone IS NOT NULL AND NOT radscheduler.is_timezone(create_site.timezone) THEN
        RAISE EXCEPTION 'time zone "%" is not known', create_site.timezone
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    END IF;
    PERFORM radscheduler.require_every_site('creating a site');
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
    PERFORM radscheduler.audit(v_site, 'site.created', 'site', v_site, jsonb_build_object('code', create_site.code));
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.create_site(text, text, text) IS
    'Records a site with its catalogues and opening hours Monday to Friday 07:00 to 19:00; returns its id. timezone is an IANA name, or NULL for radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.current_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_code  text := nullif(current_setting('radscheduler.site', true), '');
    v_sites integer[] := array_remove(radscheduler.visible_sites(), 0);
BEGIN
    IF cardinality(v_sites) = 1 THEN
        RETURN v_sites[1];
    ELSIF v_code IS NOT NULL THEN
        RAISE EXCEPTION 'there is no site "%" for this role', v_code
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Set radscheduler.site to the code of a site this role was granted (radscheduler.grant_site).';
    ELSIF cardinality(v_sites) > 1 THEN
        RAISE EXCEPTION 'this role may use several sites and the session names none'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'SET radscheduler.site = ''code of the site'';';
    END IF;
    PERFORM radscheduler.refuse_without_site();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.current_site() IS
    'The site this session works for: the setting radscheduler.site, or the only one its role may use. Raises 22023 when neither says, 42501 when there is none.';

CREATE FUNCTION radscheduler.refuse_without_site() RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF radscheduler.sees_every_site() THEN
        RAISE EXCEPTION 'this database has no site' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'SELECT radscheduler.create_site(''MAIN'', ''Main site'', ''America/New_York'');';
    END IF;
    RAISE EXCEPTION 'role "%" was granted no site', pg_get_userbyid(radscheduler.caller()) USING ERRCODE = 'insufficient_privilege',
        HINT = 'A DBA grants it: SELECT radscheduler.grant_site(''role'', ''code of the site, or *'');';
END
$$;
COMMENT ON FUNCTION radscheduler.refuse_without_site() IS 'Raises for a session without any site: 42501 for a role that was granted none, 55000 where there is none.';

CREATE FUNCTION radscheduler.site_zone(p_site integer) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT coalesce((SELECT s.timezone FROM radscheduler.site s WHERE s.site_id = p_site), radscheduler.default_zone()));
END
$$;
COMMENT ON FUNCTION radscheduler.site_zone(integer) IS 'IANA zone of a site, or radscheduler.default_timezone.';

CREATE FUNCTION radscheduler.sender_of(p_application text, p_facility text,
                                       OUT site_id integer, OUT sender_id bigint, OUT profile jsonb, OUT is_new boolean) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_sites integer[] := radscheduler.visible_sites();
BEGIN
    is_new := false;
    SELECT s.site_id, s.sender_id, s.profile INTO sender_of.site_id, sender_of.sender_id, sender_of.profile
        FROM radscheduler.sender s
        WHERE s.sending_application = p_application AND s.sending_facility = p_facility
          AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    sender_of.site_id := (SELECT min(v) FROM unnest(v_sites) v WHERE v > 0);
    IF sender_of.site_id IS NULL THEN
        PERFORM radscheduler.refuse_without_site();
    END IF;
    INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, is_registered)
        VALUES (sender_of.site_id, p_application, p_facility, false)
        ON CONFLICT DO NOTHING
        RETURNING sender.sender_id, sender.profile INTO sender_of.sender_id, sender_of.profile;
    IF sender_of.sender_id IS NOT NULL THEN
        is_new := true;
        PERFORM radscheduler.audit(sender_of.site_id, 'sender.created', 'sender', sender_of.sender_id, '{}');
        RETURN;
    END IF;
    SELECT s.sender_id, s.profile INTO sender_of.sender_id, sender_of.profile FROM radscheduler.sender s
        WHERE s.site_id = sender_of.site_id AND s.sending_application = p_application AND s.sending_facility = p_facility;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_of(text, text) IS
    'The sender known by MSH-3 and MSH-4, with its site and profile. Only sites the caller may use are looked at; where several know the pair, a registered sender goes before others, then the older. An unknown pair is recorded at the session''s site, else at the first of them.';

CREATE FUNCTION radscheduler.sender_registration() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.is_registered AND (TG_OP = 'INSERT' OR NOT OLD.is_registered) AND NOT radscheduler.sees_every_site() THEN
        NEW.is_registered := false;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION radscheduler.sender_registration() IS
    'Trigger of sender: only who may use every site registers a sender, because a registered one decides which site its messages go to where a daemon serves several.';
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
-- a hash collision can only make two writers wait for each other in turn, never in a ring. Everybody may read pg_locks, so keys are made with
-- a secret of the database: they tell nobody whose appointment is being changed, and nobody can take one to hold up a patient.

CREATE FUNCTION radscheduler.lock_key(p_name text, p_secret text) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ('x' || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_secret || p_name, 'UTF8')), 'hex'), 1, 8))::bit(32)::integer;
COMMENT ON FUNCTION radscheduler.lock_key(text, text) IS 'Key of an advisory lock for a name: the first 32 bits of SHA-256 over the database''s secret and the name.';

CREATE FUNCTION radscheduler.lock_secret() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT s.secret FROM radscheduler.lock_secret s);
END
$$;
COMMENT ON FUNCTION radscheduler.lock_secret() IS 'The secret lock keys are made with; for functions of the extension.';

CREATE FUNCTION radscheduler.lock_keys(names text[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_secret text := radscheduler.lock_secret();
    v_key    integer;
BEGIN
    FOR v_key IN SELECT DISTINCT radscheduler.lock_key(n, v_secret) FROM unnest(names) n WHERE n IS NOT NULL ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(7421001, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_keys(text[]) IS 'Phase one: takes transaction locks on the names a request gives (appointment keys, patient identifiers), in ascending order of their keys.';

CREATE FUNCTION radscheduler.lock_new_resources(p_site integer) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7421003, radscheduler.lock_key('resources/' || p_site, radscheduler.lock_secret()));
END
$$;
COMMENT ON FUNCTION radscheduler.lock_new_resources(integer) IS 'Between the phases: the transaction lock of a site under which unknown resources are recorded.';

CREATE FUNCTION radscheduler.lock_subjects(p_site integer, resources bigint[], patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_secret text := radscheduler.lock_secret();
    v_key    integer;
BEGIN
    FOR v_key IN
        SELECT radscheduler.lock_key(format('resource/%s/%s', p_site, r), v_secret) FROM unnest(resources) r WHERE r IS NOT NULL
        UNION
        SELECT radscheduler.lock_key(format('patient/%s/%s', p_site, p), v_secret) FROM unnest(patients) p WHERE p IS NOT NULL
        ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(7421002, v_key);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_subjects(integer, bigint[], bigint[]) IS 'Phase two: takes transaction locks on resources and patients, in ascending order of their keys.';
-- Telling listeners that event_log has grown.

CREATE FUNCTION radscheduler.event_log_wake() RETURNS trigger
    AS 'MODULE_PATHNAME', 'rad_event_log_wake' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION radscheduler.event_log_wake() IS
    'Wakes listeners on channel radscheduler_wake after the transaction commits, in the way radscheduler.notify says.';
-- Who did or saw what. Functions that change records write one event for each thing they did; where somebody writes to a table directly,
-- a trigger writes one for each row. Nothing here holds patient data: ids, names of columns, counts. The log is sealed in 47-audit-seal.sql.

CREATE FUNCTION radscheduler.audits_changes() RETURNS boolean
    AS 'MODULE_PATHNAME', 'rad_audits_changes' LANGUAGE c STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION radscheduler.audits_changes() IS 'Whether row triggers audit here: the setting radscheduler.audit_changes.';

CREATE FUNCTION radscheduler.audit(p_site integer, p_action text, p_object text, p_object_id bigint, p_detail jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.audit_event (site_id, role_name, login_name, actor, purpose, trace_id, action, object, object_id, detail)
        VALUES (p_site, pg_get_userbyid(radscheduler.caller()), session_user, nullif(current_setting('radscheduler.actor', true), ''),
                nullif(current_setting('radscheduler.purpose', true), ''), nullif(current_setting('radscheduler.trace_id', true), ''),
                p_action, p_object, p_object_id, p_detail);
END
$$;
COMMENT ON FUNCTION radscheduler.audit(integer, text, text, bigint, jsonb) IS
    'Writes one event to the audit log: site (0 for the database itself), action, kind of object, its id, details without patient data. Role and login are PostgreSQL''s; actor, purpose and trace id are what the session says (radscheduler.actor, .purpose, .trace_id).';

CREATE FUNCTION radscheduler.audit_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_old    jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) ELSE '{}' END;
    v_new    jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) ELSE '{}' END;
    v_row    jsonb := CASE WHEN TG_OP <> 'DELETE' THEN v_new ELSE v_old END;
    v_keys   text[] := string_to_array(TG_ARGV[0], ',');
    v_detail jsonb;
BEGIN
    IF TG_ARGV[1] = 'values' THEN
        SELECT jsonb_object_agg(c.name, jsonb_build_array(v_old -> c.name, v_new -> c.name)) INTO v_detail
            FROM (SELECT jsonb_object_keys(v_old || v_new)) c(name) WHERE v_old -> c.name IS DISTINCT FROM v_new -> c.name;
    ELSE
        SELECT jsonb_agg(c.name ORDER BY c.name) INTO v_detail
            FROM (SELECT jsonb_object_keys(v_old || v_new)) c(name) WHERE TG_OP = 'UPDATE' AND v_old -> c.name IS DISTINCT FROM v_new -> c.name;
    END IF;
    IF TG_OP = 'UPDATE' AND v_detail IS NULL THEN
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' AND v_old -> 'site_id' IS DISTINCT FROM v_new -> 'site_id' THEN
        PERFORM radscheduler.audit(coalesce((v_old ->> 'site_id')::integer, 0), 'update', TG_ARGV[2], CASE WHEN v_old ->> v_keys[1] ~ '^[0-9]{1,18}$' THEN (v_old ->> v_keys[1])::bigint END,
            jsonb_build_object('key', (SELECT jsonb_object_agg(k, v_old -> k) FROM unnest(v_keys) k), 'direct', true, 'moved_to_another_site', true));
    END IF;
    PERFORM radscheduler.audit(coalesce((v_row ->> 'site_id')::integer, 0), lower(TG_OP), TG_ARGV[2], CASE WHEN v_row ->> v_keys[1] ~ '^[0-9]{1,18}$' THEN (v_row ->> v_keys[1])::bigint END,
        jsonb_build_object('key', (SELECT jsonb_object_agg(k, v_row -> k) FROM unnest(v_keys) k), 'direct', true)
        || CASE WHEN v_detail IS NULL THEN '{}' ELSE jsonb_build_object('columns', v_detail) END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_change() IS
    'Row trigger: audits a change somebody made to a table directly. Arguments: key columns without patient data, ''values'' to keep old and new values (configuration) or ''names'' for the names of changed columns, name of the table.';

CREATE FUNCTION radscheduler.audit_truncate() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    PERFORM radscheduler.audit(0, 'truncate', TG_TABLE_NAME, NULL, '{"direct": true}');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_truncate() IS 'Statement trigger: audits TRUNCATE of a record table.';

CREATE FUNCTION radscheduler.refuse_change() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Old months leave by retention: see radscheduler.set_retention() and maintain().';
END
$$;
COMMENT ON FUNCTION radscheduler.refuse_change() IS 'Trigger of the audit tables: raises 42501 for UPDATE, DELETE and TRUNCATE, whoever asks.';

CREATE FUNCTION radscheduler.audit_table(p_table text, p_keys text, p_mode text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON radscheduler.%I FOR EACH ROW '
                   'WHEN (radscheduler.audits_changes()) EXECUTE FUNCTION radscheduler.audit_change(%L, %L, %L)', p_table, p_keys, p_mode, p_table);
    EXECUTE format('COMMENT ON TRIGGER audit_change ON radscheduler.%I IS %L', p_table, 'Audits rows that somebody changes directly.');
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON radscheduler.%I FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.audit_truncate()', p_table);
    EXECUTE format('COMMENT ON TRIGGER audit_truncate ON radscheduler.%I IS %L', p_table, 'Audits TRUNCATE.');
END
$$;
COMMENT ON FUNCTION radscheduler.audit_table(text, text, text) IS 'Puts the audit triggers on a record table: its key columns (comma-separated, no patient data among them), and values or names.';

CREATE FUNCTION radscheduler.audit_partition(p_partition regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER audit_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.audit_truncate()', p_partition);
    EXECUTE format('COMMENT ON TRIGGER audit_truncate ON %s IS %L', p_partition, 'Audits TRUNCATE.');
END
$$;
COMMENT ON FUNCTION radscheduler.audit_partition(regclass) IS 'Audits TRUNCATE of a partition, which does not fire the trigger of its parent; row triggers come from there.';

CREATE FUNCTION radscheduler.make_append_only(p_table regclass, p_rows boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_rows THEN
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION radscheduler.refuse_change()', p_table);
        EXECUTE format('COMMENT ON TRIGGER append_only ON %s IS %L', p_table, 'Refuses UPDATE and DELETE.');
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only', p_table);
    END IF;
    EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION radscheduler.refuse_change()', p_table);
    EXECUTE format('COMMENT ON TRIGGER append_only_truncate ON %s IS %L', p_table, 'Refuses TRUNCATE.');
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER append_only_truncate', p_table);
END
$$;
COMMENT ON FUNCTION radscheduler.make_append_only(regclass, boolean) IS
    'Puts the triggers on a table of the audit log that refuse to change what is there. p_rows is false for a partition, whose row trigger comes from its parent.';

CREATE FUNCTION radscheduler.renew_append_only() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_trigger record;
    v_count   integer := 0;
BEGIN
    FOR v_trigger IN
        SELECT t.tgrelid::regclass AS name, t.tgname FROM pg_trigger t
        WHERE t.tgfoid = 'radscheduler.refuse_change()'::regprocedure AND t.tgenabled <> 'A' ORDER BY 1
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', v_trigger.name, v_trigger.tgname);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
COMMENT ON FUNCTION radscheduler.renew_append_only() IS
    'Makes the triggers of make_append_only() fire always again; returns how many did not. pg_restore --disable-triggers leaves them as ordinary ones.';
-- The audit log as evidence. Writers only insert. What they committed is sealed afterwards in batches: a seal keeps the id and digest of
-- every event of its batch and chains to the seal before it, one chain for each site. A batch holds events of one month (so that retention
-- drops whole batches), below the horizon of running transactions (so that none can still turn up in between).
-- Transaction ids mean something in one cluster only: after a restore elsewhere a new era begins, behind a barrier of event ids.

CREATE FUNCTION radscheduler.audit_digest(e jsonb) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN pg_catalog.sha256(pg_catalog.convert_to(e::text, 'UTF8'));
COMMENT ON FUNCTION radscheduler.audit_digest(jsonb) IS 'SHA-256 of an event in its canonical form, see audit_canonical().';

CREATE FUNCTION radscheduler.audit_canonical(site_id integer, audit_id bigint, xid xid8, recorded_at timestamptz, role_name text, login_name text, actor text,
                                             purpose text, trace_id text, action text, object text, object_id bigint, detail jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.jsonb_build_array(site_id, audit_id, xid::text, EXTRACT(epoch FROM recorded_at), role_name, login_name, actor, purpose, trace_id, action,
                                        object, object_id, detail);
COMMENT ON FUNCTION radscheduler.audit_canonical(integer, bigint, xid8, timestamptz, text, text, text, text, text, text, text, bigint, jsonb) IS
    'Every column of an audit event in a fixed order: the form that is digested. Independent of zone and of later columns.';

CREATE FUNCTION radscheduler.seal_digest(p_previous bytea, p_site integer, p_seal bigint, p_month date, p_era integer, p_horizon xid8, p_next xid8, p_sealed timestamptz,
                                         p_events bigint[], p_digests bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.sha256(COALESCE(p_previous, '\x'::bytea)
        OPERATOR(pg_catalog.||) pg_catalog.convert_to(pg_catalog.jsonb_build_array(p_site, p_seal, EXTRACT(epoch FROM p_month), p_era, p_horizon::text, p_next::text,
                                                                                             EXTRACT(epoch FROM p_sealed), pg_catalog.to_jsonb(p_events))::text, 'UTF8')
        OPERATOR(pg_catalog.||) p_digests);
COMMENT ON FUNCTION radscheduler.seal_digest(bytea, integer, bigint, date, integer, xid8, xid8, timestamptz, bigint[], bytea) IS 'SHA-256 that a seal carries: of the seal before it and of everything it states.';

CREATE FUNCTION radscheduler.full_xid(p_xid xid, p_next xid8) RETURNS xid8
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (p_next::text::numeric - pg_catalog.mod(pg_catalog.mod(p_next::text::numeric - p_xid::text::numeric, 4294967296) + 4294967296, 4294967296))::text::xid8;
COMMENT ON FUNCTION radscheduler.full_xid(xid, xid8) IS 'The full id of a past transaction of which a row holds the lower 32 bits (xmin); p_next is one that has not begun.';

CREATE FUNCTION radscheduler.audit_era() RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_cluster text := (SELECT c.system_identifier::text FROM pg_control_system() c);
    v_next    xid8;
    v_era     record;
BEGIN
    SELECT e.era, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    IF v_era.cluster_id = v_cluster THEN
        RETURN v_era.era;
    END IF;
    -- What was restored belongs to the past. Events written here since then have the transaction id of a transaction that came after the one that
    -- restored this very table, and that stored them, itself or in a subtransaction. Writers wait a moment, so that one event id parts the two.
    LOCK TABLE radscheduler.audit_event IN SHARE MODE;
    v_next := pg_snapshot_xmax(pg_current_snapshot());
    INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon)
        SELECT coalesce(v_era.era, 0) + 1, v_cluster, coalesce(max(a.audit_id), 0), pg_snapshot_xmin(pg_current_snapshot())
        FROM radscheduler.audit_event a
        WHERE a.xid <= (SELECT radscheduler.full_xid(e.xmin, v_next) FROM radscheduler.audit_era e ORDER BY 1 DESC LIMIT 1)
           OR a.xid > radscheduler.full_xid(a.xmin, v_next);
    PERFORM radscheduler.audit(0, 'audit.era', 'audit_era', e.era, jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        FROM radscheduler.audit_era e WHERE e.era = coalesce(v_era.era, 0) + 1;
    RETURN coalesce(v_era.era, 0) + 1;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_era() IS 'Number of the era in this cluster (pg_control_system); begins a new one after a restore into another. Call it under the lock of audit_seal_pending().';

CREATE FUNCTION radscheduler.audit_seal_pending() RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
DECLARE
    c_batch   constant integer := 5000;
    v_before  integer;
    v_era     integer;
    v_begin   record;
    v_horizon xid8;
    v_next    xid8;
    v_now     timestamptz;
    v_is_first boolean;
    v_group   record;
    v_last    record;
    v_sealed  bigint := 0;
BEGIN
    LOCK TABLE radscheduler.audit_era IN SHARE ROW EXCLUSIVE MODE; -- one sealer at a time; nobody else has a right on this table
    SELECT max(e.era) INTO v_before FROM radscheduler.audit_era e;
    v_era := radscheduler.audit_era();
    SELECT e.barrier, e.horizon INTO v_begin FROM radscheduler.audit_era e WHERE e.era = v_era;
    -- Everything sealed here was committed by now; a transaction with a later id than ours, which we take only now, numbers its events later.
    v_is_first := pg_current_xact_id_if_assigned() IS NULL;
    SELECT pg_snapshot_xmin(pg_current_snapshot()), clock_timestamp() INTO v_horizon, v_now;
    v_next := CASE WHEN v_is_first THEN pg_current_xact_id() ELSE '4611686018427387904'::xid8 END;
    FOR v_group IN
        WITH seen AS (
            SELECT DISTINCT ON (s.site_id) s.site_id, s.horizon FROM radscheduler.audit_seal s WHERE s.era = v_era ORDER BY s.site_id, s.seal_no DESC
        ), pending AS (
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
            FROM radscheduler.audit_event a LEFT JOIN seen n ON n.site_id = a.site_id
            WHERE v_era = v_before AND a.audit_id > v_begin.barrier AND a.xid >= coalesce(n.horizon, v_begin.horizon) AND a.xid < v_horizon
            UNION ALL
            -- A new era begins: whatever no era has sealed.
            SELECT a.site_id, a.audit_id, a.recorded_at,
                   radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                          a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail))
            FROM radscheduler.audit_event a
            WHERE v_era > v_before AND (a.audit_id <= v_begin.barrier OR a.xid < v_horizon)
              AND NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id)
        ), numbered AS (
            SELECT p.*, date_trunc('month', p.recorded_at)::date AS month,
                   (row_number() OVER (PARTITION BY p.site_id, date_trunc('month', p.recorded_at) ORDER BY p.audit_id) - 1) / c_batch AS batch
            FROM pending p
        )
        SELECT n.site_id, n.month, array_agg(n.audit_id ORDER BY n.audit_id) AS events, string_agg(n.digest, ''::bytea ORDER BY n.audit_id) AS digests
        FROM numbered n GROUP BY n.site_id, n.month, n.batch ORDER BY n.site_id, n.month, n.batch
    LOOP
        SELECT s.seal_no, s.digest INTO v_last FROM radscheduler.audit_seal s WHERE s.site_id = v_group.site_id ORDER BY s.seal_no DESC LIMIT 1;
        INSERT INTO radscheduler.audit_seal (site_id, seal_no, month, era, horizon, next_xid, sealed_at, event_ids, event_digests, previous_digest, digest)
            VALUES (v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests, v_last.digest,
                    radscheduler.seal_digest(v_last.digest, v_group.site_id, coalesce(v_last.seal_no, 0) + 1, v_group.month, v_era, v_horizon, v_next, v_now, v_group.events, v_group.digests));
        v_sealed := v_sealed + cardinality(v_group.events);
    END LOOP;
    RETURN v_sealed;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_seal_pending() IS
    'Seals the audit events that were committed since the last time; returns how many. Writers neither wait for it nor for each other. maintain() calls it.';

CREATE FUNCTION radscheduler.audit_is_sealed(p_partition regclass) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_open boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %s a WHERE NOT EXISTS (SELECT FROM (SELECT unnest(s.event_ids) FROM radscheduler.audit_seal s) k(id) WHERE k.id = a.audit_id))', p_partition)
        INTO v_open;
    RETURN NOT v_open;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_is_sealed(regclass) IS 'Whether every event of a partition of audit_event is in a seal, so that retention may drop it.';

CREATE FUNCTION radscheduler.audit_head(OUT site_id integer, OUT seal_no bigint, OUT digest text, OUT sealed_at timestamptz, OUT pending bigint) RETURNS SETOF record
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
SELECT s.site_id, s.seal_no, encode(s.digest, 'hex'), s.sealed_at,
       (SELECT count(*) FROM radscheduler.audit_event a
        WHERE a.site_id = s.site_id AND a.audit_id > (SELECT max(e.barrier) FROM radscheduler.audit_era e) AND a.xid >= s.horizon)
FROM (SELECT DISTINCT ON (x.site_id) x.* FROM radscheduler.audit_seal x
      WHERE x.site_id = ANY (radscheduler.visible_sites()) ORDER BY x.site_id, x.seal_no DESC) s
ORDER BY s.site_id
$$;
COMMENT ON FUNCTION radscheduler.audit_head() IS
    'The last seal of each site the caller may see, and how many events wait for the next one. Note it down outside the database: audit_verify() then also finds a log that was cut off at its end.';

CREATE FUNCTION radscheduler.audit_verify(anchors jsonb DEFAULT '[]', OUT site_id integer, OUT seal_no bigint, OUT audit_id bigint, OUT problem text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET timezone = 'UTC'
    AS $$
#variable_conflict use_column
DECLARE
    v_sites   integer[] := radscheduler.visible_sites();
    v_era     record;
    v_here    boolean;
    v_dropped date[];
BEGIN
    SELECT e.era, e.barrier, e.cluster_id INTO v_era FROM radscheduler.audit_era e ORDER BY e.era DESC LIMIT 1;
    -- Restored elsewhere and not sealed there yet: transaction ids of new events cannot be compared with the horizon of the old era.
    v_here := v_era.cluster_id = (SELECT c.system_identifier::text FROM pg_control_system() c);
    -- A month that retention says it dropped: over for a month by then, and gone as a whole.
    v_dropped := ARRAY(SELECT k.month FROM radscheduler.audit_event a, LATERAL (SELECT (a.detail ->> 'month' || '-01')::date) k(month)
                       WHERE a.site_id = 0 AND a.action = 'retention.drop' AND a.object = 'audit_event' AND a.recorded_at >= k.month + interval '2 months'
                         AND NOT EXISTS (SELECT FROM radscheduler.audit_event x WHERE x.recorded_at >= k.month AND x.recorded_at < k.month + interval '1 month'));
    RETURN QUERY
    WITH seal AS MATERIALIZED (
        SELECT s.*, lag(s.digest) OVER w AS digest_before, lag(s.seal_no) OVER w AS number_before
        FROM radscheduler.audit_seal s WHERE s.site_id = ANY (v_sites) WINDOW w AS (PARTITION BY s.site_id ORDER BY s.seal_no)
    ), sealed AS MATERIALIZED (
        SELECT s.site_id, s.seal_no, s.month, u.id, substring(s.event_digests FROM (32 * (u.place - 1) + 1)::integer FOR 32) AS digest
        FROM seal s, unnest(s.event_ids) WITH ORDINALITY u(id, place)
    ), present AS MATERIALIZED (
        SELECT a.site_id, a.audit_id AS id, a.xid, a.recorded_at,
               radscheduler.audit_digest(radscheduler.audit_canonical(a.site_id, a.audit_id, a.xid, a.recorded_at, a.role_name, a.login_name, a.actor,
                                                                      a.purpose, a.trace_id, a.action, a.object, a.object_id, a.detail)) AS digest
        FROM radscheduler.audit_event a WHERE a.site_id = ANY (v_sites)
    ), run AS (
        -- One run of the sealer in one era of a site: what was sealed by then, and what the clocks said.
        SELECT s.site_id, s.era, min(s.seal_no) AS first_no, max(s.seal_no) AS last_no, s.horizon, s.next_xid, max(s.sealed_at) AS sealed_at,
               max((SELECT max(e) FROM unnest(s.event_ids) e)) AS last_id
        FROM seal s GROUP BY s.site_id, s.era, s.horizon, s.next_xid
    ), step AS (
        SELECT r.*, lag(r.horizon) OVER w AS horizon_before, lag(r.next_xid) OVER w AS next_before, lag(r.sealed_at) OVER w AS sealed_before, lag(r.last_id) OVER w AS id_before
        FROM run r WINDOW w AS (PARTITION BY r.site_id, r.era ORDER BY r.last_no)
    ), edge AS (
        SELECT DISTINCT ON (r.site_id, r.era) r.site_id, r.era, r.horizon, r.next_xid, r.sealed_at, r.last_id FROM run r ORDER BY r.site_id, r.era, r.last_no DESC
    ), placed AS (
        -- Each event beside the run before it, of the era it was written in: what a new era took over belongs to the one before. The first run of
        -- an era comes after everything of the one before, whatever transaction ids say.
        SELECT p.site_id, e.seal_no, p.id, p.xid, p.recorded_at, e.id IS NULL AS is_pending, b.is_old AND p.recorded_at < l.at - interval '1 hour' AS is_late,
               CASE WHEN b.is_old THEN o.horizon WHEN t.id_before IS NOT NULL THEN t.horizon_before WHEN e.id IS NULL AND v_here THEN g.horizon END AS horizon,
               CASE WHEN b.is_old THEN o.next_xid WHEN t.id_before IS NOT NULL THEN t.next_before WHEN e.id IS NULL AND v_here THEN g.next_xid ELSE '0'::xid8 END AS next_xid,
               CASE WHEN b.is_old THEN o.sealed_at WHEN t.id_before IS NOT NULL THEN t.sealed_before WHEN e.id IS NULL AND v_here THEN g.sealed_at ELSE o.sealed_at END AS sealed_at,
               CASE WHEN b.is_old THEN o.last_id WHEN t.id_before IS NOT NULL THEN t.id_before WHEN e.id IS NULL AND v_here THEN g.last_id ELSE o.last_id END AS last_id
        FROM present p
        LEFT JOIN sealed e ON e.id = p.id AND e.site_id = p.site_id
        LEFT JOIN step t ON t.site_id = e.site_id AND e.seal_no BETWEEN t.first_no AND t.last_no
        LEFT JOIN radscheduler.audit_era w ON w.era = coalesce(t.era, v_era.era)
        CROSS JOIN LATERAL (SELECT p.id <= w.barrier AND w.era > 1) b(is_old)
        LEFT JOIN edge g ON g.site_id = p.site_id AND g.era = w.era
        LEFT JOIN edge o ON o.site_id = p.site_id AND o.era = w.era - 1
        LEFT JOIN LATERAL (SELECT max(r.sealed_at) AS at FROM edge r WHERE r.site_id = p.site_id AND r.era < w.era) l ON true
    ), found AS (
        SELECT s.site_id, s.seal_no, NULL::bigint AS id, 'the seal was altered' AS what FROM seal s
        WHERE s.digest IS DISTINCT FROM radscheduler.seal_digest(s.previous_digest, s.site_id, s.seal_no, s.month, s.era, s.horizon, s.next_xid, s.sealed_at, s.event_ids, s.event_digests)
           OR octet_length(s.event_digests) IS DISTINCT FROM 32 * cardinality(s.event_ids)
        UNION ALL
        SELECT s.site_id, s.seal_no, NULL, 'the seal does not follow the one before it: a seal was removed, replaced or reordered' FROM seal s
        WHERE s.previous_digest IS DISTINCT FROM s.digest_before OR s.seal_no IS DISTINCT FROM coalesce(s.number_before, 0) + 1
        UNION ALL
        SELECT e.site_id, e.seal_no, e.id, CASE WHEN p.id IS NULL THEN 'the event was removed' ELSE 'the event was altered' END
        FROM sealed e LEFT JOIN present p ON p.id = e.id AND p.site_id = e.site_id
        WHERE p.digest IS DISTINCT FROM e.digest AND NOT (p.id IS NULL AND e.month = ANY (v_dropped))
        UNION ALL
        SELECT p.site_id, p.seal_no, p.id, 'the event was inserted into the past' FROM placed p
        WHERE p.is_pending AND v_here AND p.id <= v_era.barrier
           OR p.is_late OR p.xid < p.horizon
           OR p.xid >= p.next_xid AND (p.id <= p.last_id OR p.recorded_at < p.sealed_at - interval '5 minutes')
        UNION ALL
        SELECT 0, NULL, NULL, format('era %s of the audit log is not told in it', e.era) FROM radscheduler.audit_era e
        WHERE e.era > 1 AND 0 = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM radscheduler.audit_event a WHERE a.site_id = 0 AND a.action = 'audit.era' AND a.object_id = e.era
                          AND a.detail = jsonb_build_object('cluster_id', e.cluster_id, 'barrier', e.barrier, 'begun_at', extract(epoch FROM e.begun_at)))
        UNION ALL
        SELECT (k ->> 'site_id')::integer, (k ->> 'seal_no')::bigint, NULL, 'the seal noted outside is missing or differs: the log was cut off or replaced'
        FROM jsonb_array_elements(anchors) k
        WHERE (k ->> 'site_id')::integer = ANY (v_sites)
          AND NOT EXISTS (SELECT FROM seal s WHERE s.site_id = (k ->> 'site_id')::integer AND s.seal_no = (k ->> 'seal_no')::bigint AND encode(s.digest, 'hex') = k ->> 'digest')
    )
    SELECT f.site_id, f.seal_no, f.id, f.what FROM found f ORDER BY f.site_id, f.seal_no NULLS LAST, f.id;
END
$$;
COMMENT ON FUNCTION radscheduler.audit_verify(jsonb) IS
    'Compares the audit log of the caller''s sites with its seals; no rows when it is whole. One row for each event altered, removed or inserted, and for each seal altered, removed or reordered. An event is held against the seal before it as well: written by a later transaction it must have a later number and time. anchors: what audit_head() gave earlier, as a JSON array [{site_id, seal_no, digest}]; those of other sites are passed over. Events of months that retention dropped are not missed.';
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
    v_audited  bigint;
    v_alternatives jsonb;
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
    ), audited AS (
        SELECT radscheduler.audit(p_site, c.action, 'conflict', c.id, jsonb_build_object('appointment_id', p_appointment, 'message_id', p_message))
        FROM (SELECT 'conflict.resolved', g.conflict_id FROM gone g UNION ALL SELECT 'conflict.detected', o.conflict_id FROM opened o) c(action, id)
    )
    SELECT (SELECT array_agg(o.conflict_id) FROM opened o WHERE o.appointment_id = p_appointment AND o.severity = 'critical'),
           (SELECT array_agg(DISTINCT g.appointment_id) FROM gone g), (SELECT count(*) FROM audited)
        INTO v_new, v_healed, v_audited;

    IF v_new IS NOT NULL THEN
        v_alternatives := radscheduler.alternatives(p_site, p_appointment);
        UPDATE radscheduler.conflict c SET alternatives = v_alternatives
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
    INSERT INTO radscheduler.appointment_history (site_id, appointment_id, version, event, message_id, actor, snapshot)
    SELECT a.site_id, a.appointment_id, a.version, p_event, p_message, pg_get_userbyid(radscheduler.caller()),
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
    PERFORM radscheduler.audit(p_site, p_event, 'appointment', p_appointment, jsonb_build_object('message_id', p_message, 'version',
        (SELECT a.version FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment)));
END
$$;
COMMENT ON FUNCTION radscheduler.record_version(integer, bigint, text, bigint, jsonb) IS
    'Writes the present version of an appointment to its history and tells it in event_log and the audit log, without patient data there.';

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
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.appointment_id = p_appointment AND x.state <> 'resolved')
       AND NOT EXISTS (SELECT FROM radscheduler.conflict x WHERE x.site_id = p_site AND x.other_appointment_id = p_appointment AND x.state <> 'resolved')
       OR NOT p_site = ANY (radscheduler.visible_sites()) THEN
        RETURN '[]';
    END IF;
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
    'Unresolved conflicts of an appointment, from either side: [{code, severity, axis, resource, with: [{appointment_id, external_id, start, end}], overlap_min, message, detected_at, state, alternatives}], worst first; [] when there is none, or none at a site the caller may use.';
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
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
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
    IF NOT isfinite(earliest) OR coalesce(latest, earliest) > earliest + interval '400 days' THEN
        RAISE EXCEPTION 'a window of more than 400 days cannot be searched' USING ERRCODE = 'invalid_parameter_value', HINT = 'Search in parts.';
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
     LATERAL radscheduler.free_slots(p_site, s.resources[1:10], ARRAY[s.patient_id], greatest(s.starts_at, date_trunc('minute', now())),
                                     greatest(s.starts_at, now()) + interval '14 days', s.minutes, 3, p_appointment) f
$$;
COMMENT ON FUNCTION radscheduler.alternatives(integer, bigint) IS
    'Up to three free times for an appointment from its own start on, within 14 days: on its scanner, else its room, else any of its modality, else its staff (ten of them at most); the patient free as well. [{start, end, resource}].';
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
    v_told  boolean := false;
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
        PERFORM radscheduler.audit(p_site, 'patient.created', 'patient', resolve_patient.patient_id, '{}');
        v_told := true;
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
        IF FOUND THEN
            PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{}');
            v_told := true;
        END IF;
    END IF;
    INSERT INTO radscheduler.patient_identifier (site_id, authority, type, value, patient_id)
        SELECT DISTINCT ON (i ->> 'value', coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'))
               p_site, coalesce(i ->> 'authority', p_facility), coalesce(i ->> 'type', 'MR'), i ->> 'value', resolve_patient.patient_id
        FROM jsonb_array_elements(p_patient -> 'identifiers') i
        ON CONFLICT DO NOTHING;
    IF FOUND AND NOT v_told THEN
        PERFORM radscheduler.audit(p_site, 'patient.updated', 'patient', resolve_patient.patient_id, '{"columns": ["identifiers"]}');
    END IF;
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
        PERFORM radscheduler.lock_new_resources(p_site);
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
            PERFORM radscheduler.audit(p_site, 'resource.created', 'resource', v_id, '{}');
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
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
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while the message waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Send the message again.';
        END IF;
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
    -- An acknowledgement promises that the message is kept, whatever the session would rather have.
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
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
    PERFORM radscheduler.audit((p_context ->> 'site_id')::integer, 'message.received', 'hl7_message', p_message,
        jsonb_build_object('channel', p_context ->> 'channel', 'outcome', (p_result).outcome, 'appointment_id', (p_result).appointment_id));
END
$$;
COMMENT ON FUNCTION radscheduler.log_message(jsonb, bytea, bigint, radscheduler.ingest_result, jsonb, bigint, timestamptz) IS
    'Keeps a received message with what became of it, and tells it in event_log and the audit log.';

CREATE FUNCTION radscheduler.message_context(p_header jsonb, p_channel text, p_peer text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sender record;
    v_site   record;
    v_zone   text;
    v_warnings jsonb := '[]';
BEGIN
    IF p_channel IS NULL OR p_channel !~ '^[a-z][a-z0-9_]{0,19}$' OR length(p_peer) > 100 THEN
        RAISE EXCEPTION 'the channel is a word such as mllp, http or sql, and the peer a network address' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Both are kept in logs: at most 20 and 100 characters.';
    END IF;
    SELECT * INTO v_sender FROM radscheduler.sender_of(coalesce(p_header ->> 'sending_application', ''), coalesce(p_header ->> 'sending_facility', ''));
    SELECT s.timezone, s.phone_region INTO v_site FROM radscheduler.site s WHERE s.site_id = v_sender.site_id;
    v_zone := coalesce(v_sender.profile ->> 'timezone', v_site.timezone, radscheduler.default_zone());
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
        IF v_applied.error IS NOT NULL THEN
            -- What was found out on the way (a patient, a resource) is not kept for a message that was not applied.
            RAISE EXCEPTION 'the message was not applied' USING ERRCODE = 'RS003', DETAIL = jsonb_build_object('error', v_applied.error, 'warnings', r.warnings,
                'appointment_id', v_applied.appointment_id)::text;
        END IF;
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
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
    ELSIF v_state = 'RS003' THEN
        v_error := v_detail::jsonb -> 'error';
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
    r.warnings := CASE WHEN v_state = 'RS003' THEN v_detail::jsonb -> 'warnings' ELSE v_context -> 'warnings' END;
    r.appointment_id := CASE WHEN v_state = 'RS003' THEN (v_detail::jsonb ->> 'appointment_id')::bigint END;
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
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
    IF TG_OP <> 'DELETE' AND NEW.datetime NOT BETWEEN '1900-01-01' AND '2200-01-01' THEN
        RAISE EXCEPTION 'datetime lies outside the years 1900 to 2199' USING ERRCODE = 'datetime_field_overflow', HINT = 'Give the local date and time of the exam.';
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT a.site_id INTO v_site FROM radscheduler.appointment a WHERE a.appointment_id = OLD.id;
        PERFORM radscheduler.require_site(v_site);
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
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the appointment was removed while this change waited for it' USING ERRCODE = 'serialization_failure', HINT = 'Look again, it is no longer there.';
        END IF;
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
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
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
    SELECT k.key INTO v_bad FROM jsonb_each_text(p_body) k WHERE length(k.value) > CASE k.key WHEN 'notes' THEN 20000 ELSE 500 END LIMIT 1;
    IF v_bad IS NOT NULL THEN
        error := jsonb_build_object('code', 'invalid_field', 'path', v_bad, 'text', format('"%s" is too long.', left(v_bad, 40)));
        RETURN;
    END IF;
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan SET jit = off
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
-- The configuration of sites as one JSON document, for git. Each item is written by one function here, which the import uses too: what an
-- import compares and reports is what an export says. No ids, no session settings and no locale in it: the same rows are the same text.
-- A list that an import replaces as a whole leaves null keys out; an item that an import merges writes them, as a key left out keeps its value.

CREATE FUNCTION radscheduler.configuration_moment(p_at timestamptz) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE WHEN isfinite(p_at) THEN rtrim(rtrim(to_char(timezone('UTC', p_at), 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z'
                        ELSE p_at::text END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_moment(timestamptz) IS 'An instant in UTC as a configuration document writes it, such as 2031-11-03T10:00:00Z, or infinity.';

CREATE FUNCTION radscheduler.configuration_hours_entry(p_weekday integer, p_opens time, p_closes time, p_valid daterange) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('weekday', p_weekday,
        'opens', regexp_replace(p_opens::text, '^(.....):00$', '\1'), 'closes', regexp_replace(p_closes::text, '^(.....):00$', '\1'),
        'valid_from', CASE WHEN isfinite(lower(p_valid)) THEN lower(p_valid) END,
        'valid_until', CASE WHEN isfinite(upper(p_valid)) THEN upper(p_valid) - 1 END)));
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_hours_entry(integer, time, time, daterange) IS
    'One row of opening hours as a configuration document writes it: {weekday, opens, closes, valid_from, valid_until}; valid_until is the last day.';

CREATE FUNCTION radscheduler.configuration_block_entry(p_during tstzrange, p_reason text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('starts_at', radscheduler.configuration_moment(lower(p_during)),
        'ends_at', radscheduler.configuration_moment(upper(p_during)), 'reason', p_reason)));
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_block_entry(tstzrange, text) IS 'One block as a configuration document writes it: {starts_at, ends_at, reason}.';

CREATE FUNCTION radscheduler.configuration_hours(p_site integer, p_resource bigint, OUT hours_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 7 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT h.hours_id, radscheduler.configuration_hours_entry(h.weekday, h.opens, h.closes, h.valid)
        FROM radscheduler.resource_hours h
        WHERE h.site_id = p_site AND (h.resource_id = p_resource OR h.resource_id IS NULL AND p_resource IS NULL) AND NOT isempty(h.valid);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_hours(integer, bigint) IS 'Opening hours of a resource, or of the site itself when the resource is NULL, with their ids. Rows that hold on no day are left out.';

CREATE FUNCTION radscheduler.configuration_blocks(p_site integer, p_resource bigint, OUT block_id bigint, OUT entry jsonb) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 5 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT b.block_id, radscheduler.configuration_block_entry(b.during, b.reason)
        FROM radscheduler.resource_block b WHERE b.site_id = p_site AND b.resource_id = p_resource AND upper(b.during) > now();
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_blocks(integer, bigint) IS 'Blocks of a resource that have not ended, with their ids.';

CREATE FUNCTION radscheduler.configuration_site(p_site integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', s.code, 'name', s.name, 'timezone', s.timezone, 'phone_region', s.phone_region, 'slot_minutes', s.slot_minutes,
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, NULL) c) h))
        FROM radscheduler.site s WHERE s.site_id = p_site);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_site(integer) IS 'A site with its opening hours, without its lists: {code, name, timezone, phone_region, slot_minutes, hours}.';

CREATE FUNCTION radscheduler.configuration_sender(p_site integer, p_application text, p_facility text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('sending_application', s.sending_application, 'sending_facility', s.sending_facility,
                                      'profile', s.profile, 'is_registered', s.is_registered)
        FROM radscheduler.sender s WHERE s.site_id = p_site AND s.sending_application = p_application AND s.sending_facility = p_facility);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_sender(integer, text, text) IS 'A sender: {sending_application, sending_facility, profile, is_registered}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_modality(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', m.code, 'label', m.label, 'name', m.name, 'default_minutes', m.default_minutes,
        'aliases', (SELECT coalesce(jsonb_agg(a.alias ORDER BY a.alias COLLATE "C"), '[]') FROM radscheduler.modality_alias a
                    WHERE a.site_id = p_site AND a.code = p_code))
        FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_code);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_modality(integer, text) IS
    'A modality with all words that mean it, its own code among them: {code, label, name, default_minutes, aliases}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_procedure(p_site integer, p_code text) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', p.code, 'name', p.name, 'modality', p.modality, 'minutes', p.minutes)
        FROM radscheduler.procedure p WHERE p.site_id = p_site AND p.code = p_code);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_procedure(integer, text) IS 'A procedure: {code, name, modality, minutes}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_resource(p_site integer, p_resource bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('code', r.code, 'kind', r.kind, 'name', r.name, 'role', r.role, 'modality', r.modality, 'capacity', r.capacity,
        'setup_minutes', r.setup_minutes, 'turnover_minutes', r.turnover_minutes, 'is_active', r.is_active, 'is_registered', r.is_registered,
        'aliases', (SELECT coalesce(jsonb_agg(CASE WHEN a.kind = r.kind THEN to_jsonb(a.alias) ELSE jsonb_build_object('kind', a.kind, 'alias', a.alias) END
                                              ORDER BY a.kind = r.kind DESC, a.kind, a.alias COLLATE "C"), '[]')
                    FROM radscheduler.resource_alias a WHERE a.site_id = p_site AND a.resource_id = p_resource),
        'hours', (SELECT coalesce(jsonb_agg(h.entry ORDER BY h.entry -> 'weekday', h.entry ->> 'opens' COLLATE "C", h.entry), '[]')
                  FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c) h),
        'blocks', (SELECT coalesce(jsonb_agg(b.entry ORDER BY b.entry ->> 'starts_at' COLLATE "C", b.entry), '[]')
                   FROM (SELECT DISTINCT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c) b))
        FROM radscheduler.resource r WHERE r.site_id = p_site AND r.resource_id = p_resource);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_resource(integer, bigint) IS
    'A resource with all its names (its own code among them; {kind, alias} for a name used under another kind), own hours and blocks that have not ended: {code, kind, name, role, modality, capacity, setup_minutes, turnover_minutes, is_active, is_registered, aliases, hours, blocks}; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_export() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_visible integer[] := radscheduler.visible_sites();
    v_site    record;
    v_entry   jsonb;
    v_sites   jsonb := '[]';
BEGIN
    FOR v_site IN SELECT s.site_id, s.code FROM radscheduler.site s WHERE s.site_id = ANY (v_visible) ORDER BY s.code COLLATE "C" LOOP
        IF EXISTS (SELECT FROM radscheduler.resource r WHERE r.site_id = v_site.site_id GROUP BY r.kind, r.code HAVING count(*) > 1) THEN
            RAISE EXCEPTION 'site "%" has two resources of the same kind and code, which a document could not tell apart', v_site.code
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      HINT = 'SELECT site_id, kind, code FROM radscheduler.resource GROUP BY 1, 2, 3 HAVING count(*) > 1; give one of them another code.';
        END IF;
        -- Each item's own code is one of its names without being listed. Sections of later tables join here.
        v_entry := radscheduler.configuration_site(v_site.site_id) || jsonb_build_object(
            'senders', (SELECT coalesce(jsonb_agg(radscheduler.configuration_sender(s.site_id, s.sending_application, s.sending_facility)
                                                  ORDER BY s.sending_application COLLATE "C", s.sending_facility COLLATE "C"), '[]')
                        FROM radscheduler.sender s WHERE s.site_id = v_site.site_id),
            'modalities', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(m.code)) ORDER BY m.code COLLATE "C"), '[]')
                           FROM radscheduler.modality m, LATERAL radscheduler.configuration_modality(m.site_id, m.code) c(item) WHERE m.site_id = v_site.site_id),
            'procedures', (SELECT coalesce(jsonb_agg(radscheduler.configuration_procedure(p.site_id, p.code) ORDER BY p.code COLLATE "C"), '[]')
                           FROM radscheduler.procedure p WHERE p.site_id = v_site.site_id),
            'resources', (SELECT coalesce(jsonb_agg(jsonb_set(c.item, '{aliases}', (c.item -> 'aliases') - upper(r.code)) ORDER BY r.kind, r.code COLLATE "C"), '[]')
                          FROM radscheduler.resource r, LATERAL radscheduler.configuration_resource(r.site_id, r.resource_id) c(item)
                          WHERE r.site_id = v_site.site_id));
        v_sites := v_sites || jsonb_build_array(v_entry);
        PERFORM radscheduler.audit(v_site.site_id, 'configuration.export', 'site', v_site.site_id,
            (SELECT jsonb_object_agg(l.name, jsonb_array_length(v_entry -> l.name)) FROM unnest(ARRAY['senders', 'modalities', 'procedures', 'resources']) l(name)));
    END LOOP;
    RETURN jsonb_build_object('format', 'radscheduler.configuration', 'version', 1,
                              'exported_at', radscheduler.configuration_moment(date_trunc('second', now())), 'sites', v_sites);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_export() IS
    'The configuration of the sites the caller may use as one document for configuration_import(): {format: radscheduler.configuration, version: 1, exported_at (UTC), sites: [{code, name, timezone, phone_region, slot_minutes, hours, senders, modalities, procedures, resources}]}. Hours are wall-clock time of the site, valid_until is the last day; blocks are in UTC, only those that have not ended. An item''s own code is one of its aliases without being listed. Everything is sorted: the same configuration is the same text but for exported_at. Writes one audit event per site. Raises 55000 when a site has two resources of the same kind and code.';
-- Whether a configuration document says what it may say, before anything is looked up or written. One table of fields (configuration_fields)
-- names every key, its type and its bounds; whoever adds a section adds its rows there. Every refusal names the place as a path.

CREATE FUNCTION radscheduler.configuration_refuse(p_place text, p_fault text, p_detail text, p_hint text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '% %', coalesce(nullif(p_place, ''), 'the document'), p_fault USING ERRCODE = 'invalid_parameter_value', DETAIL = p_detail, HINT = p_hint;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_refuse(text, text, text, text) IS
    'Raises 22023 with a sentence that begins with a place of a document, such as sites[0].resources[3].capacity; an empty place is the document itself.';

CREATE FUNCTION radscheduler.configuration_found(p_value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT CASE jsonb_typeof(p_value)
        WHEN 'string' THEN format('The document has the string "%s"%s there.', left(p_value #>> '{}', 60), CASE WHEN length(p_value #>> '{}') > 60 THEN ' and more' ELSE '' END)
        WHEN 'number' THEN format('The document has the number %s there.', left(p_value #>> '{}', 60))
        WHEN 'array' THEN format('The document has a list of %s there.', jsonb_array_length(p_value))
        WHEN 'object' THEN 'The document has an object there.'
        WHEN 'boolean' THEN format('The document has %s there.', p_value)
        WHEN 'null' THEN 'The document has null there.'
        ELSE 'The key is not in the document.' END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_found(jsonb) IS 'A sentence that says what stands at a place of a document; NULL is a key that is not there.';

CREATE FUNCTION radscheduler.configuration_fields(p_item text, OUT field text, OUT kind text, OUT need text, OUT is_nullable boolean,
                                                  OUT low integer, OUT high integer) RETURNS SETOF record
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 10 SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT f.field, f.kind, f.need, f.is_nullable, f.low, f.high FROM (VALUES
        (101, 'document', 'format'::text, 'text'::text, 'always'::text, false, NULL::integer, NULL::integer),
        (102, 'document', 'version', 'integer', 'always', false, 1, 1),
        (103, 'document', 'exported_at', 'text', '', false, NULL, NULL),
        (104, 'document', 'sites', 'list:site', 'always', false, NULL, NULL),
        (201, 'site', 'code', 'site_code', 'key', false, NULL, NULL),
        (202, 'site', 'name', 'text', 'new', false, NULL, NULL),
        (203, 'site', 'timezone', 'zone', '', true, NULL, NULL),
        (204, 'site', 'phone_region', 'region', '', false, NULL, NULL),
        (205, 'site', 'slot_minutes', 'integer', '', false, 1, 240),
        (206, 'site', 'senders', 'list:sender', '', false, NULL, NULL),
        (207, 'site', 'modalities', 'list:modality', '', false, NULL, NULL),
        (208, 'site', 'procedures', 'list:procedure', '', false, NULL, NULL),
        (209, 'site', 'hours', 'list:hours', '', false, NULL, NULL),
        (210, 'site', 'resources', 'list:resource', '', false, NULL, NULL),
        (301, 'sender', 'sending_application', 'text', 'key', false, NULL, NULL),
        (302, 'sender', 'sending_facility', 'text', 'key', false, NULL, NULL),
        (303, 'sender', 'profile', 'profile', '', false, NULL, NULL),
        (304, 'sender', 'is_registered', 'boolean', '', false, NULL, NULL),
        (401, 'modality', 'code', 'code', 'key', false, NULL, NULL),
        (402, 'modality', 'label', 'text', 'new', false, NULL, NULL),
        (403, 'modality', 'name', 'text', 'new', false, NULL, NULL),
        (404, 'modality', 'default_minutes', 'integer', 'new', false, 1, 1440),
        (405, 'modality', 'aliases', 'list:word', '', false, NULL, NULL),
        (501, 'procedure', 'code', 'code', 'key', false, NULL, NULL),
        (502, 'procedure', 'name', 'text', 'new', false, NULL, NULL),
        (503, 'procedure', 'modality', 'code', 'new', false, NULL, NULL),
        (504, 'procedure', 'minutes', 'integer', '', true, 1, 1440),
        (601, 'hours', 'weekday', 'integer', 'always', false, 1, 7),
        (602, 'hours', 'opens', 'time', 'always', false, NULL, NULL),
        (603, 'hours', 'closes', 'time', 'always', false, NULL, NULL),
        (604, 'hours', 'valid_from', 'date', '', true, NULL, NULL),
        (605, 'hours', 'valid_until', 'date', '', true, NULL, NULL),
        (701, 'resource', 'kind', 'kind', 'key', false, NULL, NULL),
        (702, 'resource', 'code', 'code', 'key', false, NULL, NULL),
        (703, 'resource', 'name', 'text', 'new', false, NULL, NULL),
        (704, 'resource', 'role', 'text', '', true, NULL, NULL),
        (705, 'resource', 'modality', 'code', '', true, NULL, NULL),
        (706, 'resource', 'capacity', 'integer', '', false, 1, 1000),
        (707, 'resource', 'setup_minutes', 'integer', '', false, 0, 480),
        (708, 'resource', 'turnover_minutes', 'integer', '', false, 0, 480),
        (709, 'resource', 'is_active', 'boolean', '', false, NULL, NULL),
        (710, 'resource', 'is_registered', 'boolean', '', false, NULL, NULL),
        (711, 'resource', 'aliases', 'list:name', '', false, NULL, NULL),
        (712, 'resource', 'hours', 'list:hours', '', false, NULL, NULL),
        (713, 'resource', 'blocks', 'list:block', '', false, NULL, NULL),
        (801, 'block', 'starts_at', 'moment', 'always', false, NULL, NULL),
        (802, 'block', 'ends_at', 'moment', 'always', false, NULL, NULL),
        (803, 'block', 'reason', 'text', '', true, NULL, NULL),
        (901, 'name', 'kind', 'kind', 'always', false, NULL, NULL),
        (902, 'name', 'alias', 'code', 'always', false, NULL, NULL)) f(place, item, field, kind, need, is_nullable, low, high)
    WHERE f.item = p_item ORDER BY f.place;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_fields(text) IS
    'The keys of an object of a configuration document, in the order they are checked: type (list:x is a list of objects x), need (key: names the item; always; new: when the item does not exist yet), whether null may stand there, bounds of numbers.';

CREATE FUNCTION radscheduler.configuration_keys(p_item text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (SELECT format('The keys of this object are %s.', string_agg(f.field, ', ')) FROM radscheduler.configuration_fields(p_item) f);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_keys(text) IS 'A sentence with the keys of an object of a configuration document, for hints.';

CREATE FUNCTION radscheduler.configuration_fault(p_kind text, p_value jsonb, p_low integer, p_high integer, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_text text := CASE WHEN jsonb_typeof(p_value) = 'string' THEN p_value #>> '{}' END;
BEGIN
    IF p_kind = 'text' AND v_text IS NULL THEN
        fault := 'must be a string'; hint := 'Write the value in double quotes.';
    ELSIF p_kind = 'code' AND coalesce(v_text, '') = '' THEN
        fault := 'must be a string that is not empty'; hint := 'Write the code in double quotes.';
    ELSIF p_kind = 'site_code' AND v_text ~ '^[A-Za-z0-9_.-]{1,40}$' IS NOT TRUE THEN
        fault := 'must be the code of a site'; hint := 'A code has 1 to 40 letters, digits, dots, dashes and underscores.';
    ELSIF p_kind = 'zone' AND radscheduler.is_timezone(v_text) IS NOT TRUE THEN
        fault := 'must be a time zone that is known'; hint := 'Use an IANA name such as America/New_York; pg_timezone_names lists them.';
    ELSIF p_kind = 'region' AND v_text ~ '^[A-Z]{2}$' IS NOT TRUE THEN
        fault := 'must be a country code of two capital letters'; hint := 'Use an ISO 3166 code such as US; radscheduler.phone_region lists those whose numbers are understood.';
    ELSIF p_kind = 'profile' AND radscheduler.is_profile(p_value) IS NOT TRUE THEN
        fault := 'must be a profile that is understood';
        hint := 'Its keys are timezone (IANA), repair (lenient, strict), on_conflict (flag, reject), start_source (appointment, service) and charset (HL7 table 0211).';
    ELSIF p_kind = 'boolean' AND jsonb_typeof(p_value) <> 'boolean' THEN
        fault := 'must be true or false'; hint := 'Write true or false without quotes.';
    ELSIF p_kind = 'kind' AND v_text IN ('room', 'equipment', 'staff') IS NOT TRUE THEN
        fault := 'must be a kind of resource'; hint := 'Write "room", "equipment" or "staff".';
    ELSIF p_kind = 'time' AND v_text ~ '^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?|24:00(:00)?)$' IS NOT TRUE THEN
        fault := 'must be a time of day'; hint := 'Write "07:30"; midnight at the end of a day is "24:00".';
    ELSIF p_kind = 'integer' THEN
        IF jsonb_typeof(p_value) <> 'number' OR (p_value #>> '{}')::numeric NOT BETWEEN p_low AND p_high OR (p_value #>> '{}')::numeric % 1 <> 0 THEN
            fault := format('must be a whole number from %s to %s', p_low, p_high); hint := 'Write the number without quotes and without decimals.';
        END IF;
    ELSIF p_kind = 'date' THEN
        BEGIN
            IF v_text ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' AND v_text::date IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date'; hint := 'Write "2031-12-31".';
    ELSIF p_kind = 'moment' THEN
        BEGIN
            IF v_text ~ '^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})|-?infinity)$'
               AND v_text::timestamptz IS NOT NULL THEN
                RETURN;
            END IF;
        EXCEPTION WHEN data_exception THEN NULL;
        END;
        fault := 'must be a date and time with its offset from UTC'; hint := 'Write "2031-11-03T10:00:00Z" or "2031-11-03T05:00:00-05:00".';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_fault(text, jsonb, integer, integer) IS
    'What is wrong with a value of a document that is to be of a type of configuration_fields(), and what to write instead; NULL when nothing is.';

CREATE FUNCTION radscheduler.configuration_names(p_list jsonb, OUT item integer, OUT listed integer, OUT kind text, OUT alias text) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100 SET search_path = pg_catalog, pg_temp
    AS $$
WITH entry AS (
    SELECT i.place::integer - 1 AS item, a.place::integer - 1 AS listed, coalesce(a.entry ->> 'kind', i.item ->> 'kind', '') AS kind,
           upper(coalesce(a.entry ->> 'alias', a.entry #>> '{}')) AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place), jsonb_array_elements(i.item -> 'aliases') WITH ORDINALITY a(entry, place)
), own AS (
    SELECT i.place::integer - 1 AS item, NULL::integer AS listed, coalesce(i.item ->> 'kind', '') AS kind, upper(i.item ->> 'code') AS alias
    FROM jsonb_array_elements(p_list) WITH ORDINALITY i(item, place)
)
SELECT * FROM entry
UNION ALL
SELECT * FROM own WHERE (own.kind, own.alias) NOT IN (SELECT entry.kind, entry.alias FROM entry)
ORDER BY item, listed
$$;
COMMENT ON FUNCTION radscheduler.configuration_names(jsonb) IS
    'The names a document gives to the modalities or resources of a list, upper case: number of the item, number within its aliases, kind (empty for modalities). An item''s own code (listed is NULL) is one of its names unless the document lists it, here or under another item.';

CREATE FUNCTION radscheduler.configuration_check_list(p_item text, p_place text, p_list jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_keys text[] := ARRAY(SELECT f.field FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'key');
    v_twin record;
BEGIN
    IF jsonb_typeof(p_list) <> 'array' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a list', radscheduler.configuration_found(p_list),
                                                  'Write a list in brackets; leave the key out to leave the list alone.');
    END IF;
    PERFORM radscheduler.configuration_check(p_item, format('%s[%s]', p_place, e.place - 1), e.item)
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place);
    IF cardinality(v_keys) > 0 THEN
        SELECT t.place, t.first INTO v_twin
            FROM (SELECT e.place, min(e.place) OVER (PARTITION BY (SELECT jsonb_agg(e.item -> k) FROM unnest(v_keys) k)) AS first
                  FROM jsonb_array_elements(p_list) WITH ORDINALITY e(item, place)) t
            WHERE t.place > t.first ORDER BY t.place LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s]', p_place, v_twin.place - 1),
                format('has the %s of another %s in the document', array_to_string(v_keys, ' and '), p_item),
                format('The other one is %s[%s].', p_place, v_twin.first - 1), 'Name each once.');
        END IF;
    END IF;
    IF p_item IN ('modality', 'resource') THEN
        SELECT n.place, n.first INTO v_twin
            FROM (SELECT c.position, format('%s[%s].aliases[%s]', p_place, c.item, c.listed) AS place,
                         first_value(format('%s[%s].aliases[%s]', p_place, c.item, c.listed)) OVER names AS first, row_number() OVER names AS n
                  FROM radscheduler.configuration_names(p_list) WITH ORDINALITY c(item, listed, kind, alias, position) WHERE c.listed IS NOT NULL
                  WINDOW names AS (PARTITION BY c.kind, c.alias ORDER BY c.position)) n
            WHERE n.n > 1 ORDER BY n.position LIMIT 1;
        IF FOUND THEN
            PERFORM radscheduler.configuration_refuse(v_twin.place, 'is a name that the document gives twice', format('It stands at %s too.', v_twin.first),
                'A name means one modality, or one resource of its kind, whatever its case. List it once.');
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_check_list(text, text, jsonb) IS
    'Checks a list of a configuration document: each item of it, and that no item and no alias is named twice. Raises 22023.';

CREATE FUNCTION radscheduler.configuration_check(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_field record;
    v_value jsonb;
    v_place text;
    v_fault text;
    v_hint  text;
BEGIN
    IF p_item IN ('word', 'name') AND jsonb_typeof(p_value) = 'string' AND p_value <> '""' THEN
        RETURN;
    ELSIF p_item = 'word' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value), 'Write the word in double quotes.');
    ELSIF jsonb_typeof(p_value) <> 'object' AND p_item = 'name' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be a string that is not empty', radscheduler.configuration_found(p_value),
            'Write the name in double quotes; one that is used under another kind is {"kind": "room", "alias": "the name"}.');
    ELSIF jsonb_typeof(p_value) <> 'object' THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'must be an object', radscheduler.configuration_found(p_value), radscheduler.configuration_keys(p_item));
    END IF;
    SELECT k INTO v_place FROM jsonb_object_keys(p_value) k
        WHERE k NOT IN (SELECT f.field FROM radscheduler.configuration_fields(p_item) f) ORDER BY k COLLATE "C" LIMIT 1;
    IF FOUND THEN
        PERFORM radscheduler.configuration_refuse(concat_ws('.', nullif(p_place, ''), left(v_place, 60)), 'is not a key that is understood',
                                                  radscheduler.configuration_found(p_value -> v_place), radscheduler.configuration_keys(p_item));
    END IF;
    FOR v_field IN SELECT * FROM radscheduler.configuration_fields(p_item) LOOP
        v_value := p_value -> v_field.field;
        v_place := concat_ws('.', nullif(p_place, ''), v_field.field);
        IF v_value IS NULL THEN
            IF v_field.need IN ('key', 'always') THEN
                PERFORM radscheduler.configuration_refuse(v_place, 'is missing', radscheduler.configuration_found(NULL), 'Add the key; this object is not understood without it.');
            END IF;
        ELSIF v_value = 'null' AND v_field.is_nullable THEN
            CONTINUE;
        ELSIF v_field.kind LIKE 'list:%' THEN
            PERFORM radscheduler.configuration_check_list(substr(v_field.kind, 6), v_place, v_value);
        ELSE
            SELECT f.fault, f.hint INTO v_fault, v_hint FROM radscheduler.configuration_fault(v_field.kind, v_value, v_field.low, v_field.high) f;
            IF v_fault IS NOT NULL THEN
                PERFORM radscheduler.configuration_refuse(v_place, v_fault, radscheduler.configuration_found(v_value), v_hint);
            END IF;
        END IF;
    END LOOP;
    IF p_item = 'hours' AND (p_value ->> 'closes')::time <= (p_value ->> 'opens')::time THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.closes', 'must be later than opens', radscheduler.configuration_found(p_value -> 'closes'),
            'Hours past midnight are two entries: one until "24:00" and one from "00:00" of the next weekday.');
    ELSIF p_item = 'hours' AND (p_value ->> 'valid_until')::date < (p_value ->> 'valid_from')::date THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.valid_until', 'must not be before valid_from', radscheduler.configuration_found(p_value -> 'valid_until'),
            'valid_until is the last day on which the hours hold.');
    ELSIF p_item = 'block' AND (p_value ->> 'ends_at')::timestamptz <= (p_value ->> 'starts_at')::timestamptz THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.ends_at', 'must be later than starts_at', radscheduler.configuration_found(p_value -> 'ends_at'),
            'Exchange the two, or take the block out.');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_check(text, text, jsonb) IS
    'Checks one object of a configuration document and everything in it: keys, types, bounds, times that end before they begin. Raises 22023 at the first fault.';
-- Legal holds, and whom a message is about. A hold is placed on a patient or on a site; nothing that removes records (purge(), drop_expired())
-- may pass it. Both sides take the name hold_lock_name() in phase one of the lock order (42-locks.sql), so that a hold is placed either
-- before a removal begins, and is respected, or after it has ended.

CREATE FUNCTION radscheduler.patient_by_identifier(p_site integer, p_identifier text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_patients bigint[];
BEGIN
    -- The value alone, or behind what names its authority: every place where a bar could part the two is tried.
    SELECT array_agg(DISTINCT f.patient_id) INTO v_patients FROM (
        SELECT i.patient_id
        FROM (SELECT p_identifier, NULL::text
              UNION ALL
              SELECT substr(p_identifier, place + 1), left(p_identifier, place - 1)
              FROM generate_series(1, length(p_identifier)) place WHERE substr(p_identifier, place, 1) = '|') k(value, authority)
        JOIN radscheduler.patient_identifier i ON i.site_id = p_site AND i.value = k.value
             AND (k.authority IS NULL OR k.authority IN (i.authority, i.authority || '|' || i.type))
        UNION ALL
        SELECT p.patient_id FROM radscheduler.patient p WHERE p.site_id = p_site AND p.mrn = p_identifier) f;
    IF v_patients IS NULL THEN
        RAISE EXCEPTION 'no patient of this site has that identifier' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give an identifier as it stands in radscheduler.patient_identifier: its value, or authority|value.';
    ELSIF cardinality(v_patients) > 1 THEN
        RAISE EXCEPTION 'that identifier belongs to several patients of this site' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give its authority too, as authority|value (or authority|type|value); radscheduler.patient_identifier lists them.';
    END IF;
    RETURN v_patients[1];
END
$$;
COMMENT ON FUNCTION radscheduler.patient_by_identifier(integer, text) IS
    'The patient of a site who has an identifier: its value, authority|value or authority|type|value. Raises 22023 when there is none or when it belongs to several; the error does not repeat it.';

CREATE FUNCTION radscheduler.hold_lock_name(p_site integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN 'hold/' || p_site::text;
COMMENT ON FUNCTION radscheduler.hold_lock_name(integer) IS 'Name for lock_keys() under which the holds of a site and the removal of its records wait for each other.';

CREATE FUNCTION radscheduler.holds_in_force(p_site integer, OUT is_site_held boolean, OUT patients bigint[], OUT identifiers text[]) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    SELECT coalesce(bool_or(h.patient_id IS NULL), false), coalesce(array_agg(DISTINCT h.patient_id) FILTER (WHERE h.patient_id IS NOT NULL), '{}')
        INTO is_site_held, patients
        FROM radscheduler.legal_hold h WHERE h.site_id = p_site AND h.lifted_at IS NULL;
    identifiers := ARRAY(SELECT DISTINCT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (patients));
END
$$;
COMMENT ON FUNCTION radscheduler.holds_in_force(integer) IS 'The holds of a site: whether everything is held, which patients are, and the values of their identifiers. Ask it under hold_lock_name().';

CREATE FUNCTION radscheduler.place_hold(reason text, patient text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site    integer := radscheduler.current_site();
    v_patient bigint;
    v_hold    bigint;
BEGIN
    IF coalesce(btrim(place_hold.reason), '') = '' OR length(place_hold.reason) > 1000 THEN
        RAISE EXCEPTION 'a hold needs a reason, of at most 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, for example a case number, without the patient''s name or number.';
    END IF;
    PERFORM radscheduler.lock_keys(ARRAY[radscheduler.hold_lock_name(v_site)]);
    IF patient IS NOT NULL THEN
        v_patient := radscheduler.patient_by_identifier(v_site, patient);
    END IF;
    INSERT INTO radscheduler.legal_hold AS h (site_id, patient_id, reason, placed_by)
        VALUES (v_site, v_patient, place_hold.reason, pg_get_userbyid(radscheduler.caller()))
        RETURNING h.hold_id INTO v_hold;
    PERFORM radscheduler.audit(v_site, 'hold.placed', CASE WHEN v_patient IS NULL THEN 'site' ELSE 'patient' END, v_patient, jsonb_build_object('hold_id', v_hold));
    RETURN v_hold;
END
$$;
COMMENT ON FUNCTION radscheduler.place_hold(text, text) IS
    'Keeps a patient''s records, or without patient everything of the session''s site, from purge() and retention until lift_hold(); returns the hold''s id. patient is an identifier (value, or authority|value). Waits for a removal that is under way. The reason must not contain the patient''s name or number. Raises 22023 for an empty reason, and for an identifier of no patient or of several.';

CREATE FUNCTION radscheduler.lift_hold(hold bigint, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_site integer := radscheduler.current_site();
    v_hold record;
BEGIN
    IF coalesce(btrim(lift_hold.reason), '') = '' OR length(lift_hold.reason) > 1000 THEN
        RAISE EXCEPTION 'lifting a hold needs a reason, of at most 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number.';
    END IF;
    SELECT h.patient_id, h.lifted_at INTO v_hold FROM radscheduler.legal_hold h WHERE h.site_id = v_site AND h.hold_id = hold FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this site has no hold %', hold USING ERRCODE = 'invalid_parameter_value', HINT = 'radscheduler.legal_hold lists the holds of each site.';
    ELSIF v_hold.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'hold % was lifted before', hold USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Nothing is left to do; place_hold() places a new one.';
    END IF;
    UPDATE radscheduler.legal_hold h SET lifted_at = now(), lifted_by = pg_get_userbyid(radscheduler.caller()), lift_reason = lift_hold.reason
        WHERE h.site_id = v_site AND h.hold_id = hold;
    PERFORM radscheduler.audit(v_site, 'hold.lifted', CASE WHEN v_hold.patient_id IS NULL THEN 'site' ELSE 'patient' END, v_hold.patient_id, jsonb_build_object('hold_id', hold));
END
$$;
COMMENT ON FUNCTION radscheduler.lift_hold(bigint, text) IS
    'Ends a hold of the session''s site; the row stays. The reason must not contain the patient''s name or number. Raises 22023 for an empty reason or an unknown hold, 55000 for one that was lifted before.';

CREATE FUNCTION radscheduler.message_identifiers(p_code text, p_bytes bytea, p_charset text, OUT identifiers jsonb, OUT facility text, OUT is_person boolean) RETURNS record
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_body    jsonb;
    v_message radscheduler.hl7;
BEGIN
    facility := '';
    IF p_code = 'JSON' THEN
        v_body := radscheduler.body_json(p_bytes);
        is_person := v_body ? 'patientName' OR v_body ->> 'patientId' IS NOT NULL;
        identifiers := CASE WHEN v_body IS NULL THEN NULL WHEN v_body ->> 'patientId' IS NULL THEN '[]'
                            ELSE jsonb_build_array(jsonb_build_object('value', v_body ->> 'patientId')) END;
        RETURN;
    END IF;
    -- The reader that also judged it when it came: the same trimming, the same fall back from PID-3 to PID-2 and PID-4. It never raises.
    v_body := radscheduler.siu_read(p_bytes, true, 'appointment', coalesce(p_charset, ''));
    IF NOT v_body ? 'header' THEN
        RETURN;
    END IF;
    facility := coalesce(v_body #>> '{header,sending_facility}', '');
    is_person := v_body ? 'patient';
    identifiers := coalesce(v_body #> '{patient,identifiers}', '[]');
    IF v_body -> 'warnings' @> '[{"code": "EXTRA_SEGMENT"}]' THEN
        -- It read one PID; the others name people too.
        v_message := CASE WHEN p_charset IS NULL THEN radscheduler.hl7(p_bytes) ELSE radscheduler.hl7(p_bytes, p_charset) END;
        identifiers := identifiers || (
            SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('value', btrim(m.value), 'authority', coalesce(m.namespace, m.universal), 'type', m.type))), '[]')
            FROM unnest(radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].1'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.1'),
                        radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].4.2'), radscheduler.hl7_get_all(v_message, 'PID[*]-3[*].5')) m(value, namespace, universal, type)
            WHERE m.value IS NOT NULL);
    END IF;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    identifiers := NULL;
END
$$;
COMMENT ON FUNCTION radscheduler.message_identifiers(text, bytea, text) IS
    'The patients'' identifiers that a received message carries, [{value, authority, type}] as sent (PID-3, else PID-2 and PID-4, of every PID; patientId of a JSON body), its sending facility, and whether it is about a person at all. identifiers is NULL for bytes that cannot be read. p_code is hl7_message.message_code, p_charset the charset of the sender''s profile.';

CREATE FUNCTION radscheduler.message_subjects(p_site integer, p_appointment bigint, p_code text, p_bytes bytea, p_charset text, p_values text[],
        OUT patients bigint[], OUT doubtful bigint[], OUT trouble text) RETURNS record
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_owner   bigint;
    v_reading record;
    v_found   record;
    v_known   jsonb := '[]';
BEGIN
    doubtful := '{}';
    SELECT a.patient_id INTO v_owner FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = p_appointment;
    patients := array_remove(ARRAY[v_owner], NULL);
    v_reading := radscheduler.message_identifiers(p_code, p_bytes, p_charset);
    IF v_owner IS NULL THEN
        trouble := CASE WHEN v_reading.identifiers IS NULL THEN 'unreadable' WHEN v_reading.is_person AND v_reading.identifiers = '[]' THEN 'unclear' END;
    END IF;
    FOR i IN 0..coalesce(jsonb_array_length(v_reading.identifiers), 0) - 1 LOOP
        IF v_reading.identifiers -> i ->> 'value' = ANY (p_values) THEN
            v_known := v_known || (v_reading.identifiers -> i);
        END IF;
    END LOOP;
    IF v_known = '[]' THEN
        RETURN;
    END IF;
    FOR v_found IN
        -- Who has the number: with authority and type as sent; with the authority; where either side names none; with another authority.
        SELECT k.place, k.rank, array_agg(DISTINCT k.patient_id) AS ids
        FROM (SELECT n.place, i.patient_id, s.rank, min(s.rank) OVER (PARTITION BY n.place) AS best
              FROM jsonb_array_elements(v_known) WITH ORDINALITY n(item, place)
              JOIN radscheduler.patient_identifier i ON i.site_id = p_site AND i.value = n.item ->> 'value',
              LATERAL (SELECT CASE WHEN i.authority <> coalesce(n.item ->> 'authority', v_reading.facility) THEN CASE WHEN n.item ? 'authority' AND i.authority <> '' THEN 3 ELSE 2 END
                                   WHEN i.type <> coalesce(n.item ->> 'type', 'MR') THEN 1 ELSE 0 END) s(rank)) k
        WHERE k.rank = k.best
        GROUP BY k.place, k.rank
    LOOP
        IF v_owner = ANY (v_found.ids) OR v_owner IS NOT NULL AND v_found.rank > 1 THEN
            CONTINUE;
        ELSIF cardinality(v_found.ids) = 1 THEN
            patients := patients || v_found.ids;
        ELSE
            doubtful := doubtful || v_found.ids;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.message_subjects(integer, bigint, text, bytea, text, text[]) IS
    'Whom a received message is about: the patient of its appointment, and everybody whose identifier it carries (only identifiers with a value in p_values are looked up). The patient whose authority and type fit best is meant; where several fit equally well they are doubtful, unless the appointment tells. trouble, when no appointment tells: unreadable bytes, or unclear for a person without identifier.';
-- Removing records for good: everything of one patient, or everything of a site that ended before an instant. Locks in the order of
-- 42-locks.sql: all names (appointments, patients, holds) in one call, then subjects, then rows; what was read before the locks is read again.
-- Time that is given back heals the conflicts of others exactly as a cancellation does. What is under a hold (74-holds.sql) stays.
-- event_log and the audit log hold ids only and stay.

CREATE FUNCTION radscheduler.has_ended(status radscheduler.appointment_status, ends_at timestamptz, updated_at timestamptz, before timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(ends_at < before, false) OR (radscheduler.is_closed(status) OR ends_at IS NULL) AND updated_at < before;
COMMENT ON FUNCTION radscheduler.has_ended(radscheduler.appointment_status, timestamptz, timestamptz, timestamptz) IS
    'Whether an appointment was over before an instant: its time was, or it was closed and not touched since; one without time counts by its last change.';

CREATE FUNCTION radscheduler.patient_names(p_site integer, p_patients bigint[]) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN ARRAY(SELECT format('patient/%s/%s', p_site, i.value) FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = ANY (p_patients)
                 UNION
                 SELECT format('patient/%s/%s', p_site, p.mrn) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (p_patients));
END
$$;
COMMENT ON FUNCTION radscheduler.patient_names(integer, bigint[]) IS 'Names for lock_keys() of patients that are known, as patient_lock_names() gives them for a reading.';

CREATE FUNCTION radscheduler.release_appointments(p_site integer, p_appointments bigint[], p_patients bigint[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_id   bigint;
    v_item record;
BEGIN
    PERFORM radscheduler.lock_subjects(p_site,
        ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = p_site AND r.appointment_id = ANY (p_appointments)),
        p_patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments)));
    PERFORM FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id FOR UPDATE;
    -- All of them leave before the first is settled: none is healed by another that leaves with it.
    UPDATE radscheduler.appointment a SET status = 'DELETED', review_reason = NULL, resume_status = NULL
        WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) AND NOT radscheduler.is_closed(a.status);
    FOREACH v_id IN ARRAY p_appointments LOOP
        PERFORM radscheduler.vacate(p_site, v_id, NULL);
    END LOOP;
    FOR v_item IN
        SELECT a.appointment_id, a.patient_id,
               ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = a.site_id AND r.appointment_id = a.appointment_id) AS resources
        FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments) ORDER BY a.appointment_id
    LOOP
        PERFORM radscheduler.settle(p_site, v_item.appointment_id, v_item.resources, ARRAY[v_item.patient_id]);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.release_appointments(integer, bigint[], bigint[]) IS
    'Locks the subjects (those patients too) and rows of appointments that are about to be deleted, gives back all their time and heals whoever was in conflict with them. Call it under lock_keys() on their names.';

CREATE FUNCTION radscheduler.delete_appointments(p_site integer, p_appointments bigint[], OUT appointments bigint, OUT history bigint) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO radscheduler.event_log (site_id, type, appointment_id) SELECT p_site, 'appointment.purged', u.id FROM unnest(p_appointments) u(id);
    PERFORM radscheduler.audit(p_site, 'appointment.purged', 'appointment', u.id, '{}') FROM unnest(p_appointments) u(id);
    DELETE FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS history = ROW_COUNT;
    DELETE FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.appointment_id = ANY (p_appointments);
    GET DIAGNOSTICS appointments = ROW_COUNT;
END
$$;
COMMENT ON FUNCTION radscheduler.delete_appointments(integer, bigint[]) IS
    'Deletes appointments with everything that hangs on them and tells it as appointment.purged, to listeners and to the audit log; returns how many, and how many versions. Call release_appointments() before.';

CREATE FUNCTION radscheduler.is_held(p_site integer, p_appointment bigint, p_patient bigint, p_held bigint[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN p_held <> '{}'
       AND (coalesce(p_patient = ANY (p_held), false)
            OR EXISTS (SELECT FROM radscheduler.appointment_history h WHERE h.site_id = p_site AND h.appointment_id = p_appointment
                       AND (h.snapshot #>> '{appointment,patient_id}')::bigint = ANY (p_held)));
END
$$;
COMMENT ON FUNCTION radscheduler.is_held(integer, bigint, bigint, bigint[]) IS
    'Whether an appointment is, or in any version was, of a patient under a hold: moving it to another patient does not end the hold.';

CREATE FUNCTION radscheduler.purge_patient(p_site integer, p_patient bigint) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_names    text[];
    v_own      bigint[];
    v_values   text[];
    v_holds    record;
    v_messages record;
    v_deleted  record;
    v_patients bigint;
    v_history  bigint;
    v_others   bigint;
    v_kept     bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = p_site AND a.patient_id = p_patient ORDER BY a.appointment_id);
        v_values := ARRAY(SELECT i.value FROM radscheduler.patient_identifier i WHERE i.site_id = p_site AND i.patient_id = p_patient);
        IF v_round = 1 THEN
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, ARRAY[p_patient])
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSIF NOT v_names @> (radscheduler.patient_names(p_site, ARRAY[p_patient])
                              || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n WHERE n IS NOT NULL)) THEN
            RAISE EXCEPTION 'the patient''s records changed while they were being locked' USING ERRCODE = 'serialization_failure', HINT = 'Run it again.';
        END IF;
    END LOOP;
    SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
    IF v_holds.is_site_held OR p_patient = ANY (v_holds.patients) THEN
        RAISE EXCEPTION '% is under a legal hold and nothing was removed', CASE WHEN v_holds.is_site_held THEN 'this site' ELSE 'this patient' END
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    SELECT coalesce(array_agg(u.id) FILTER (WHERE NOT radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)), '{}'),
           count(*) FILTER (WHERE radscheduler.is_held(p_site, u.id, p_patient, v_holds.patients)) INTO v_own, v_kept FROM unnest(v_own) u(id);
    IF v_kept > 0 THEN
        RAISE EXCEPTION 'appointments of this patient were of a patient under a legal hold, and nothing was removed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'radscheduler.legal_hold lists the holds; radscheduler.lift_hold() ends one.';
    END IF;

    -- Messages first: whom they are about is told by appointments and identifiers that are still there.
    SELECT coalesce(array_agg(q.message_id) FILTER (WHERE q.is_his AND NOT q.is_held), '{}') AS his,
           count(*) FILTER (WHERE q.is_his AND q.is_held) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable,
           count(*) FILTER (WHERE NOT q.is_his AND (q.trouble = 'unclear' OR q.is_doubtful)) AS unclear
        INTO v_messages
        FROM (SELECT m.message_id, s.trouble, p_patient = ANY (s.patients) AS is_his, p_patient = ANY (s.doubtful) AS is_doubtful,
                     (s.patients || s.doubtful) && v_holds.patients AS is_held
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> 'charset', v_values || v_holds.identifiers) s
              WHERE m.site_id = p_site) q;
    PERFORM radscheduler.release_appointments(p_site, v_own, ARRAY[p_patient]);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.message_id = ANY (v_messages.his);
    DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.message_id = ANY (v_messages.his);
    PERFORM radscheduler.audit(p_site, 'message.purged', 'hl7_message', NULL, jsonb_build_object('messages', v_messages.his)) WHERE v_messages.his <> '{}';
    -- Appointments that are another's now and were his once: those versions are about him.
    SELECT count(*) INTO v_others FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND a.patient_id = ANY (v_holds.patients);
    PERFORM radscheduler.audit(p_site, 'history.purged', 'appointment', h.appointment_id, jsonb_build_object('version', h.version))
        FROM radscheduler.appointment_history h JOIN radscheduler.appointment a ON a.site_id = h.site_id AND a.appointment_id = h.appointment_id
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    DELETE FROM radscheduler.appointment_history h USING radscheduler.appointment a
        WHERE h.site_id = p_site AND h.snapshot #>> '{appointment,patient_id}' = p_patient::text
          AND a.site_id = h.site_id AND a.appointment_id = h.appointment_id AND NOT coalesce(a.patient_id = ANY (v_holds.patients), false);
    GET DIAGNOSTICS v_history = ROW_COUNT;
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = p_patient;
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', cardinality(v_messages.his),
                              'history', v_deleted.history + v_history, 'held', v_messages.held + v_others,
                              'unreadable_messages', v_messages.unreadable, 'unclear_messages', v_messages.unclear, 'remaining', 0);
END
$$;
COMMENT ON FUNCTION radscheduler.purge_patient(integer, bigint) IS
    'Removes a patient, his appointments and the messages about him; returns the counts as purge() does. held counts messages and versions kept because they are also about a patient under a hold. Raises 55000 when he or the site is under a hold, 40001 when his records changed while they were being locked.';

CREATE FUNCTION radscheduler.purge_period(p_site integer, p_before timestamptz) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_batch    CONSTANT integer := 500;
    v_names    text[];
    v_own      bigint[];
    v_gone     bigint[];
    v_holds    record;
    v_kept     record;
    v_deleted  record;
    v_held     bigint;
    v_messages bigint := 0;
    v_patients bigint;
    v_remaining bigint;
BEGIN
    FOR v_round IN 1..2 LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(p_site);
        IF v_round = 1 THEN
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND NOT v_holds.is_site_held AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                  AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients) ORDER BY a.appointment_id LIMIT c_batch);
            v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
                WHERE p.site_id = p_site AND NOT v_holds.is_site_held AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                  AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id AND NOT a.appointment_id = ANY (v_own))
                ORDER BY p.patient_id LIMIT c_batch);
            v_names := radscheduler.hold_lock_name(p_site) || radscheduler.patient_names(p_site, v_gone)
                       || ARRAY(SELECT n FROM unnest(v_own) u(id), unnest(radscheduler.appointment_lock_names(p_site, u.id)) n);
            PERFORM radscheduler.lock_keys(v_names);
        ELSE
            -- What has changed meanwhile waits for the next call.
            v_own := ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = p_site AND a.appointment_id = ANY (v_own) AND NOT v_holds.is_site_held
                  AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before) AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)
                  AND array_remove(radscheduler.appointment_lock_names(a.site_id, a.appointment_id), NULL) <@ v_names ORDER BY a.appointment_id);
        END IF;
    END LOOP;

    SELECT coalesce(array_agg(q.message_id), '{}') AS ids, count(*) FILTER (WHERE q.trouble IS NULL) AS held,
           count(*) FILTER (WHERE q.trouble = 'unreadable') AS unreadable, count(*) FILTER (WHERE q.trouble = 'unclear') AS unclear
        INTO v_kept
        FROM (SELECT m.message_id, s.trouble
              FROM radscheduler.hl7_message m
              LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
              LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> 'charset', v_holds.identifiers) s
              WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.patients <> '{}' AND NOT v_holds.is_site_held
                AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && v_holds.patients)) q;
    SELECT v_kept.held
           + (SELECT count(*) FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND v_holds.is_site_held)
           + (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
                AND (v_holds.is_site_held OR radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients)))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND (v_holds.is_site_held OR p.patient_id = ANY (v_holds.patients))
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id
                                AND NOT radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)))
        INTO v_held;
    IF NOT v_holds.is_site_held THEN
        DELETE FROM radscheduler.message_key k WHERE k.site_id = p_site AND k.received_at < p_before AND k.message_id <> ALL (v_kept.ids);
        DELETE FROM radscheduler.hl7_message m WHERE m.site_id = p_site AND m.received_at < p_before AND m.message_id <> ALL (v_kept.ids);
        GET DIAGNOSTICS v_messages = ROW_COUNT;
    END IF;
    PERFORM radscheduler.release_appointments(p_site, v_own, v_gone);
    SELECT * INTO v_deleted FROM radscheduler.delete_appointments(p_site, v_own);
    v_gone := ARRAY(SELECT p.patient_id FROM radscheduler.patient p
        WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone) AND NOT v_holds.is_site_held AND NOT p.patient_id = ANY (v_holds.patients)
          AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id)
          AND radscheduler.patient_names(p.site_id, ARRAY[p.patient_id]) <@ v_names);
    PERFORM radscheduler.audit(p_site, 'patient.purged', 'patient', u.id, '{}') FROM unnest(v_gone) u(id);
    DELETE FROM radscheduler.patient p WHERE p.site_id = p_site AND p.patient_id = ANY (v_gone);
    GET DIAGNOSTICS v_patients = ROW_COUNT;
    SELECT (SELECT count(*) FROM radscheduler.appointment a WHERE a.site_id = p_site AND radscheduler.has_ended(a.status, a.ends_at, a.updated_at, p_before)
              AND NOT radscheduler.is_held(a.site_id, a.appointment_id, a.patient_id, v_holds.patients))
           + (SELECT count(*) FROM radscheduler.patient p WHERE p.site_id = p_site AND p.created_at < p_before AND NOT p.patient_id = ANY (v_holds.patients)
                AND NOT EXISTS (SELECT FROM radscheduler.appointment a WHERE a.site_id = p.site_id AND a.patient_id = p.patient_id))
        INTO v_remaining WHERE NOT v_holds.is_site_held;
    RETURN jsonb_build_object('patients', v_patients, 'appointments', v_deleted.appointments, 'messages', v_messages, 'history', v_deleted.history, 'held', v_held,
                              'unreadable_messages', v_kept.unreadable, 'unclear_messages', v_kept.unclear, 'remaining', coalesce(v_remaining, 0));
END
$$;
COMMENT ON FUNCTION radscheduler.purge_period(integer, timestamptz) IS
    'Removes what ended or arrived before an instant and is not held: all messages, at most 500 appointments and 500 patients, because each takes locks until the transaction ends; returns the counts as purge() does. While a patient is held, messages that cannot be told to be another''s stay too.';

CREATE FUNCTION radscheduler.purge(reason text, patient text DEFAULT NULL, before timestamptz DEFAULT NULL, dry_run boolean DEFAULT true) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_site    integer := radscheduler.current_site();
    v_dry     boolean := coalesce(dry_run, true);
    v_patient bigint;
    v_counts  jsonb;
BEGIN
    IF coalesce(btrim(reason), '') = '' THEN
        RAISE EXCEPTION 'a purge needs a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'Say why, without the patient''s name or number: it is kept in the audit log.';
    ELSIF length(reason) > 1000 THEN
        RAISE EXCEPTION 'the reason is longer than 1000 characters' USING ERRCODE = 'invalid_parameter_value', HINT = 'It is kept in the audit log: a sentence or a case number.';
    ELSIF num_nonnulls(patient, before) <> 1 THEN
        RAISE EXCEPTION 'a purge needs either a patient or an instant' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Give patient => an identifier, or before => the instant before which records have ended.';
    ELSIF before > now() THEN
        RAISE EXCEPTION 'the instant of a purge must not lie in the future' USING ERRCODE = 'invalid_parameter_value', HINT = 'Only what is over can be removed as a period.';
    END IF;
    BEGIN
        IF patient IS NOT NULL THEN
            v_patient := radscheduler.patient_by_identifier(v_site, patient);
            v_counts := radscheduler.purge_patient(v_site, v_patient);
        ELSE
            v_counts := radscheduler.purge_period(v_site, before);
        END IF;
        IF v_dry THEN
            RAISE EXCEPTION 'dry run' USING ERRCODE = 'RS002';
        END IF;
        PERFORM radscheduler.audit(v_site, 'purge', CASE WHEN v_patient IS NULL THEN 'period' ELSE 'patient' END, v_patient,
                                   jsonb_strip_nulls(jsonb_build_object('reason', reason, 'before', before, 'counts', v_counts)));
    EXCEPTION WHEN SQLSTATE 'RS002' THEN
        NULL; -- Everything is as it was; the counts are kept in the variable.
    END;
    RETURN jsonb_build_object('dry_run', v_dry) || v_counts;
END
$$;
COMMENT ON FUNCTION radscheduler.purge(text, text, timestamptz, boolean) IS
    'Removes for good, at the session''s site, a patient with everything about him (patient: an identifier, value or authority|value), or what ended before an instant (before). Without dry_run => false it only counts: it does everything and takes it back. Nothing under a hold is removed. The reason goes into the audit log and must not contain the patient''s name or number; nobody checks that. Returns {dry_run, patients, appointments, messages, history, held, unreadable_messages, unclear_messages, remaining}: unreadable and unclear messages (a person without number, a number that several have) were kept and are for a person to look at; repeat a period until remaining is 0. Raises 22023 for wrong arguments, 55000 for a patient under a hold, 40001 when the patient''s records changed meanwhile.';
-- How long the partitioned records are kept. Months that are wholly older leave as partitions; old rows that lie in a default partition are
-- deleted. Held messages stay (74-holds.sql), events stay until every relay has published them, audit events until they are sealed.
-- Dropping a partition needs its parent for a moment without anybody else: all slow work is done before, one parent is taken in each
-- transaction (two could meet a writer that holds the one and waits for the other), and who cannot have it within 2 seconds leaves it for the next run.

CREATE FUNCTION radscheduler.set_retention(record text, keep interval) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET intervalstyle = 'postgres' SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_old interval;
BEGIN
    IF NOT radscheduler.sees_every_site() THEN
        RAISE EXCEPTION 'retention concerns every site, and this role was granted only some' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Ask a role that may use all sites.';
    ELSIF set_retention.keep > interval '1000 years' THEN
        RAISE EXCEPTION 'records cannot be kept for more than 1000 years' USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL keeps them for ever.';
    ELSIF set_retention.keep < interval '1 month' THEN
        RAISE EXCEPTION 'records are kept for one month at least' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an interval such as ''13 months'', or NULL to keep them for ever.';
    END IF;
    SELECT r.keep INTO v_old FROM radscheduler.retention r WHERE r.record = set_retention.record FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no retention for "%"', set_retention.record USING ERRCODE = 'invalid_parameter_value', HINT = 'Use hl7_message, event_log or audit_event.';
    END IF;
    UPDATE radscheduler.retention r SET keep = set_retention.keep WHERE r.record = set_retention.record;
    PERFORM radscheduler.audit(0, 'retention.set', set_retention.record, NULL, jsonb_build_object('keep', jsonb_build_array(v_old, set_retention.keep)));
END
$$;
COMMENT ON FUNCTION radscheduler.set_retention(text, interval) IS
    'Sets how long hl7_message, event_log or audit_event is kept in all sites, at least one month; NULL is for ever. maintain() removes what is older. Raises 42501 for a role that may not use every site, 22023 for another name or a shorter time.';

CREATE FUNCTION radscheduler.expired_months(p_parent text, p_before timestamptz) RETURNS text[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT n.name
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
             LATERAL (SELECT c.relname::text, CASE WHEN c.relname ~ ('^' || p_parent || '_\d{6}$') THEN to_date(right(c.relname, 6), 'YYYYMM')::timestamptz END) n(name, month)
        WHERE i.inhparent = format('radscheduler.%I', p_parent)::regclass AND n.month + interval '1 month' <= p_before
          AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES FROM (%L) TO (%L)', n.month, n.month + interval '1 month')
        ORDER BY n.name);
END
$$;
COMMENT ON FUNCTION radscheduler.expired_months(text, timestamptz) IS
    'Monthly partitions (parent_YYYYMM, UTC) of a table that lie wholly before an instant, oldest first. A partition whose bounds are not those of its name is not ours and not listed.';

CREATE FUNCTION radscheduler.kept_messages(p_partition regclass, p_sites integer[], p_before timestamptz) RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site  integer;
    v_holds record;
    v_some  bigint[];
    v_kept  bigint[] := '{}';
BEGIN
    FOREACH v_site IN ARRAY p_sites LOOP
        SELECT * INTO v_holds FROM radscheduler.holds_in_force(v_site);
        CONTINUE WHEN v_holds.patients = '{}';
        EXECUTE format('SELECT array_agg(m.message_id) FROM %s m
                        LEFT JOIN radscheduler.sender x ON x.site_id = m.site_id AND x.sender_id = m.sender_id,
                        LATERAL radscheduler.message_subjects(m.site_id, m.appointment_id, m.message_code, m.raw, x.profile ->> ''charset'', $2) s
                        WHERE m.site_id = $1 AND m.received_at < $4 AND (s.trouble IS NOT NULL OR (s.patients || s.doubtful) && $3)', p_partition)
            INTO v_some USING v_site, v_holds.identifiers, v_holds.patients, p_before;
        v_kept := v_kept || v_some;
    END LOOP;
    RETURN v_kept;
END
$$;
COMMENT ON FUNCTION radscheduler.kept_messages(regclass, integer[], timestamptz) IS
    'Ids of the messages in a partition of hl7_message, received before an instant at some sites, that a hold on a patient keeps: those about him, and those that cannot be told to be another''s.';

CREATE FUNCTION radscheduler.delete_expired_messages(p_partition regclass, p_label text, p_sites integer[], p_before timestamptz, p_kept bigint[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_rows bigint;
BEGIN
    EXECUTE format('WITH gone AS (DELETE FROM %s m WHERE m.site_id = ANY ($1) AND m.received_at < $2 AND m.message_id <> ALL ($3)
                                  RETURNING m.site_id, m.message_id, m.sender_id, m.control_id, m.raw_sha256),
                    keys AS (DELETE FROM radscheduler.message_key k USING gone g
                             WHERE k.site_id = g.site_id AND k.sender_id = g.sender_id AND k.control_id = coalesce(g.control_id, '''')
                               AND k.body_sha256 = g.raw_sha256 AND k.message_id = g.message_id)
                    SELECT count(*) FROM gone', p_partition) INTO v_rows USING p_sites, p_before, p_kept;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'hl7_message', NULL, jsonb_build_object('month', p_label, 'rows', v_rows));
    END IF;
    RETURN v_rows;
END
$$;
COMMENT ON FUNCTION radscheduler.delete_expired_messages(regclass, text, integer[], timestamptz, bigint[]) IS
    'Deletes from a partition of hl7_message, with their duplicate keys, what was received before an instant at some sites, except the ids to keep; returns how many and audits it (retention.delete, month = p_label).';

CREATE FUNCTION radscheduler.drop_months(p_parent text, p_months text[], p_kept bigint[]) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $$
DECLARE
    v_name    text;
    v_month   timestamptz;
    v_rows    bigint;
    v_columns text;
BEGIN
    FOREACH v_name IN ARRAY p_months LOOP
        v_month := to_date(right(v_name, 6), 'YYYYMM')::timestamptz;
        EXECUTE format('SELECT count(*) FROM radscheduler.%I', v_name) INTO v_rows;
        IF p_parent = 'hl7_message' THEN
            EXECUTE format('SELECT $2 - count(*) FROM radscheduler.%I m WHERE m.message_id = ANY ($1)', v_name) INTO v_rows USING p_kept, v_rows;
            DELETE FROM radscheduler.message_key k
                WHERE k.received_at >= v_month AND k.received_at < v_month + interval '1 month' AND k.message_id <> ALL (p_kept);
        END IF;
        PERFORM radscheduler.audit(0, 'retention.drop', p_parent, NULL, jsonb_build_object('month', to_char(v_month, 'YYYY-MM'), 'rows', v_rows));
    END LOOP;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
        FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    -- From here to the end of the transaction nobody else has the table.
    EXECUTE format('LOCK TABLE ONLY radscheduler.%I IN ACCESS EXCLUSIVE MODE', p_parent);
    FOREACH v_name IN ARRAY p_months LOOP
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, v_name);
        IF p_kept <> '{}' THEN
            EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I m WHERE m.message_id = ANY ($1)', p_parent, v_name, v_columns) USING p_kept;
        END IF;
        EXECUTE format('DROP TABLE radscheduler.%I', v_name);
    END LOOP;
    RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected OR dependent_objects_still_exist THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION radscheduler.drop_months(text, text[], bigint[]) IS
    'Detaches and drops partitions of a table, all or none, and audits each (retention.drop, {month: YYYY-MM, rows: how many were removed}). Messages to keep go back into the parent, which puts them into its default partition; the duplicate keys of the others go. False when a lock could not be had in time or something of the site''s own depends on one.';

CREATE FUNCTION radscheduler.expire_messages(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    c_most  CONSTANT integer := 5000;
    v_sites integer[] := ARRAY(SELECT s.site_id FROM radscheduler.site s ORDER BY s.site_id);
    v_free  integer[];
    v_held  integer[];
    v_name  text;
    v_table regclass;
    v_kept  bigint[];
    v_back  bigint[] := '{}';
    v_is_held boolean;
BEGIN
    dropped := '{}';
    postponed := '{}';
    PERFORM radscheduler.lock_keys(ARRAY(SELECT radscheduler.hold_lock_name(s) FROM unnest(v_sites) s));
    v_held := ARRAY(SELECT DISTINCT h.site_id FROM radscheduler.legal_hold h WHERE h.lifted_at IS NULL AND h.patient_id IS NULL);
    v_free := ARRAY(SELECT s FROM unnest(v_sites) s WHERE s <> ALL (v_held));
    v_table := 'radscheduler.hl7_message_default'::regclass;
    PERFORM radscheduler.delete_expired_messages(v_table, 'default', v_free, p_before, radscheduler.kept_messages(v_table, v_free, p_before));
    FOREACH v_name IN ARRAY radscheduler.expired_months('hl7_message', p_before) LOOP
        v_table := format('radscheduler.%I', v_name)::regclass;
        EXECUTE format('SELECT EXISTS (SELECT FROM unnest($1) s WHERE EXISTS (SELECT FROM %s m WHERE m.site_id = s))', v_table) INTO v_is_held USING v_held;
        v_kept := radscheduler.kept_messages(v_table, v_free, 'infinity');
        IF v_is_held OR cardinality(v_kept) > c_most THEN
            -- Too much of the month is held to be moved: it loses its other rows and stays until the hold is lifted.
            PERFORM radscheduler.delete_expired_messages(v_table, right(v_name, 6), v_free, 'infinity', v_kept);
        ELSE
            dropped := dropped || v_name;
            v_back := v_back || v_kept;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('hl7_message', dropped, v_back) THEN
        postponed := dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_messages(timestamptz) IS
    'Removes messages received in months wholly before an instant, and older rows of the default partition. Held ones stay: a few go back into the default partition, a month with many, or with rows of a site under a hold, stays and loses its other rows.';

CREATE FUNCTION radscheduler.expire_events(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name    text;
    v_waiting boolean;
    v_rows    bigint;
BEGIN
    dropped := '{}';
    postponed := '{}';
    DELETE FROM radscheduler.event_log_default e
        WHERE e.recorded_at < p_before AND NOT EXISTS (SELECT FROM radscheduler.relay_cursor c WHERE (c.xid, c.seq) < (e.xid, e.seq));
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows > 0 THEN
        PERFORM radscheduler.audit(0, 'retention.delete', 'event_log', NULL, jsonb_build_object('month', 'default', 'rows', v_rows));
    END IF;
    FOREACH v_name IN ARRAY radscheduler.expired_months('event_log', p_before) LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM (SELECT e.xid, e.seq FROM radscheduler.%I e ORDER BY e.xid DESC, e.seq DESC LIMIT 1) l
                                       JOIN radscheduler.relay_cursor c ON (c.xid, c.seq) < (l.xid, l.seq))', v_name) INTO v_waiting;
        IF v_waiting THEN
            postponed := postponed || v_name;
        ELSE
            dropped := dropped || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('event_log', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_events(timestamptz) IS
    'Removes events of months wholly before an instant, and older rows of the default partition, except what a relay in relay_cursor has still to publish.';

CREATE FUNCTION radscheduler.expire_audit(p_before timestamptz, OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name text;
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOREACH v_name IN ARRAY radscheduler.expired_months('audit_event', p_before) LOOP
        IF radscheduler.audit_is_sealed(format('radscheduler.%I', v_name)::regclass) THEN
            dropped := dropped || v_name;
        ELSE
            postponed := postponed || v_name;
        END IF;
    END LOOP;
    IF dropped <> '{}' AND NOT radscheduler.drop_months('audit_event', dropped, '{}') THEN
        postponed := postponed || dropped;
        dropped := '{}';
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.expire_audit(timestamptz) IS 'Removes audit events of months wholly before an instant once all of them are sealed; never rows of the default partition.';

CREATE FUNCTION radscheduler.drop_expired(OUT dropped text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET lock_timeout = '2s' SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_rule   record;
    v_result record;
    v_months text[];
BEGIN
    dropped := '{}';
    postponed := '{}';
    FOR v_rule IN SELECT r.record, now() - r.keep AS before FROM radscheduler.retention r WHERE r.keep IS NOT NULL ORDER BY r.record DESC LOOP
        v_months := radscheduler.expired_months(v_rule.record, v_rule.before);
        IF dropped <> '{}' THEN
            postponed := postponed || v_months;
            CONTINUE;
        END IF;
        BEGIN
            CASE v_rule.record
                WHEN 'hl7_message' THEN SELECT * INTO v_result FROM radscheduler.expire_messages(v_rule.before);
                WHEN 'event_log'   THEN SELECT * INTO v_result FROM radscheduler.expire_events(v_rule.before);
                ELSE                    SELECT * INTO v_result FROM radscheduler.expire_audit(v_rule.before);
            END CASE;
            dropped := v_result.dropped;
            postponed := postponed || v_result.postponed;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_months;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.drop_expired() IS
    'Removes what is older than radscheduler.retention says: dropped are the partitions that went, of one table in each call; postponed those that are due and wait for the next call (a lock was not to be had within 2 seconds, another table went first), for a relay or for a seal. A month that a hold keeps is in neither. Call it last in a transaction and end that soon: until then nobody else has the table. maintain() does.';
-- What has to be done now and then, by the daemon, by pg_cron or by hand: seal the audit log, make partitions ahead, drop what is older than
-- the site keeps. Each part can be repeated and interrupted.

CREATE FUNCTION radscheduler.partition_key(p_parent text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CASE p_parent WHEN 'hl7_message' THEN 'received_at' ELSE 'recorded_at' END;
COMMENT ON FUNCTION radscheduler.partition_key(text) IS 'Column by which a record table is partitioned.';

CREATE FUNCTION radscheduler.make_partition(p_parent text, p_name text, p_bounds text, p_comment text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_table  regclass;
    v_role   text;
    v_column text;
BEGIN
    -- Made aside and attached: that holds up neither writers nor readers of the parent.
    EXECUTE format('CREATE TABLE radscheduler.%I (LIKE radscheduler.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', p_name, p_parent);
    v_table := format('radscheduler.%I', p_name)::regclass;
    EXECUTE format('COMMENT ON TABLE %s IS %L', v_table, p_comment);
    -- Rights that ALTER DEFAULT PRIVILEGES hands out are nobody's here.
    FOR v_role IN SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
                  FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = v_table AND x.grantee <> c.relowner LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', v_table, v_role);
    END LOOP;
    FOR v_column IN SELECT a.attname FROM pg_attribute a
                    WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND a.attstattarget = 0 LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', v_table, v_column);
    END LOOP;
    PERFORM radscheduler.secure_table(v_table);
    IF p_parent = 'audit_event' THEN
        PERFORM radscheduler.make_append_only(v_table, false);
    ELSE
        PERFORM radscheduler.audit_partition(v_table);
    END IF;
    EXECUTE format('ALTER TABLE radscheduler.%I ATTACH PARTITION %s %s', p_parent, v_table, p_bounds);
END
$$;
COMMENT ON FUNCTION radscheduler.make_partition(text, text, text, text) IS 'Makes one partition with its policy and triggers and attaches it; p_bounds is DEFAULT or FOR VALUES …';

CREATE FUNCTION radscheduler.make_partitions(p_parent text) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
    AS $$
DECLARE
    v_start   timestamptz := date_trunc('month', now());
    v_month   timestamptz;
    v_missing timestamptz[];
    v_waiting boolean;
    v_name    text;
    v_columns text;
    v_made    text[] := '{}';
BEGIN
    v_missing := ARRAY(SELECT m FROM generate_series(v_start, v_start + interval '3 months', interval '1 month') m
                       WHERE to_regclass(format('radscheduler.%I', p_parent || to_char(m, '_YYYYMM'))) IS NULL ORDER BY m);
    IF cardinality(v_missing) = 0 THEN
        RETURN v_made;
    END IF;
    -- Rows of these months that had to wait in the default partition: it is taken off, a new one is made, and the old one is poured into the parent.
    EXECUTE format('SELECT EXISTS (SELECT FROM radscheduler.%I WHERE %I >= $1 AND %2$I < $2)', p_parent || '_default', radscheduler.partition_key(p_parent))
        INTO v_waiting USING v_missing[1], v_missing[cardinality(v_missing)] + interval '1 month';
    IF v_waiting THEN
        EXECUTE format('ALTER TABLE radscheduler.%I DETACH PARTITION radscheduler.%I', p_parent, p_parent || '_default');
        EXECUTE format('ALTER TABLE radscheduler.%I RENAME TO %I', p_parent || '_default', p_parent || '_waiting');
    END IF;
    FOREACH v_month IN ARRAY v_missing LOOP
        v_name := p_parent || to_char(v_month, '_YYYYMM');
        PERFORM radscheduler.make_partition(p_parent, v_name, format('FOR VALUES FROM (%L) TO (%L)', v_month, v_month + interval '1 month'),
                                            format('Rows of %s of one month (UTC).', p_parent));
        v_made := v_made || v_name;
    END LOOP;
    IF v_waiting THEN
        PERFORM radscheduler.make_partition(p_parent, p_parent || '_default', 'DEFAULT',
                                            obj_description(format('radscheduler.%I', p_parent || '_waiting')::regclass, 'pg_class'));
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO v_columns
            FROM pg_attribute a WHERE a.attrelid = format('radscheduler.%I', p_parent)::regclass AND a.attnum > 0 AND NOT a.attisdropped;
        EXECUTE format('INSERT INTO radscheduler.%1$I (%3$s) SELECT %3$s FROM radscheduler.%2$I', p_parent, p_parent || '_waiting', v_columns);
        EXECUTE format('DROP TABLE radscheduler.%I', p_parent || '_waiting');
    END IF;
    RETURN v_made;
END
$$;
COMMENT ON FUNCTION radscheduler.make_partitions(text) IS 'Makes the monthly partitions (UTC) of a table for this and the next three months where they are missing; returns their names.';

CREATE FUNCTION radscheduler.make_next_partitions(OUT created text[], OUT postponed text[]) RETURNS record
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS $$
DECLARE
    v_parent text;
BEGIN
    created := '{}';
    postponed := '{}';
    FOREACH v_parent IN ARRAY ARRAY['hl7_message', 'event_log', 'audit_event'] LOOP
        IF created <> '{}' THEN
            EXIT; -- its locks are held to the end: the next table has its turn in the next call
        END IF;
        BEGIN
            created := radscheduler.make_partitions(v_parent);
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postponed := postponed || v_parent;
        END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.make_next_partitions() IS
    'Makes the missing partitions of the first table that lacks some; postponed names tables whose lock was not to be had within 2 seconds.';

CREATE FUNCTION radscheduler.maintain() RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
DECLARE
    v_sealed  bigint;
    v_made    record;
    v_dropped text[] := '{}';
    v_later   text[] := '{}';
BEGIN
    LOCK TABLE radscheduler.retention IN SHARE ROW EXCLUSIVE MODE; -- one at a time
    v_sealed := radscheduler.audit_seal_pending();
    SELECT * INTO v_made FROM radscheduler.make_next_partitions();
    -- Exclusive locks on one table in one transaction: two would meet with a message that needs both.
    IF v_made.created = '{}' THEN
        SELECT d.dropped, d.postponed INTO v_dropped, v_later FROM radscheduler.drop_expired() d;
    END IF;
    RETURN jsonb_build_object('partitions_created', to_jsonb(v_made.created), 'partitions_dropped', to_jsonb(v_dropped),
                              'postponed', to_jsonb(v_made.postponed || v_later), 'audit_events_sealed', v_sealed);
END
$$;
COMMENT ON FUNCTION radscheduler.maintain() IS
    'Seals the audit log, makes monthly partitions of hl7_message, event_log and audit_event for this and the next three months, and drops those older than set_retention() says; of one table in each call. The sidecar calls it every few minutes; without it let pg_cron call it, or by hand, several times a day. Returns {partitions_created, partitions_dropped, postponed, audit_events_sealed}.';
-- One item of a configuration document, merged into its rows: made when it is not there, then given the keys the document has. A key left out
-- keeps its value; hours and blocks are replaced where the key is there, and rows that stay are not touched. The document has been checked
-- (73-configuration-check.sql); here only what depends on the rows is refused.

CREATE FUNCTION radscheduler.configuration_require(p_item text, p_place text, p_value jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place || '.' || f.field, 'is missing', format('There is no such %s yet.', p_item), format('A new %s needs the key; add it.', p_item))
        FROM radscheduler.configuration_fields(p_item) f WHERE f.need = 'new' AND NOT p_value ? f.field;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_require(text, text, jsonb) IS 'Raises 22023 when an item that is to be made lacks a key it needs.';

CREATE FUNCTION radscheduler.configuration_require_modality(p_site integer, p_place text, p_code text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_code IS NOT NULL AND NOT EXISTS (SELECT FROM radscheduler.modality m WHERE m.site_id = p_site AND m.code = p_code) THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.modality', 'must be the code of a modality of this site', radscheduler.configuration_found(to_jsonb(p_code)),
            'Add it to "modalities" of the site, or use one that radscheduler.modality has.');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_require_modality(integer, text, text) IS 'Raises 22023 when a site has no modality of this code.';

CREATE FUNCTION radscheduler.configuration_refuse_rule(p_place text, p_rule text, p_table text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM radscheduler.configuration_refuse(p_place, format('breaks the rule "%s" of table %s', p_rule, p_table),
        'A constraint of the table refuses what this item would become.',
        'Read the rule with \d in psql, and correct the item or the rows it collides with.');
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_refuse_rule(text, text, text) IS 'Raises 22023 for what a constraint has refused: its name and table, and nothing of the row.';

CREATE FUNCTION radscheduler.configuration_put_hours(p_site integer, p_resource bigint, p_hours jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_hours_entry((h ->> 'weekday')::numeric::integer, (h ->> 'opens')::time, (h ->> 'closes')::time,
                                  daterange((h ->> 'valid_from')::date, (h ->> 'valid_until')::date, '[]')) FROM jsonb_array_elements(p_hours) h);
    DELETE FROM radscheduler.resource_hours h USING radscheduler.configuration_hours(p_site, p_resource) c
        WHERE h.site_id = p_site AND h.hours_id = c.hours_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes, valid)
        SELECT DISTINCT p_site, p_resource, (h ->> 'weekday')::smallint, (h ->> 'opens')::time, (h ->> 'closes')::time,
               daterange((h ->> 'valid_from')::date, (h ->> 'valid_until')::date, '[]')
        FROM unnest(v_entries) h WHERE h NOT IN (SELECT c.entry FROM radscheduler.configuration_hours(p_site, p_resource) c);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_hours(integer, bigint, jsonb) IS 'Replaces the opening hours of a resource, or of the site itself when the resource is NULL; rows that stay are not touched.';

CREATE FUNCTION radscheduler.configuration_put_blocks(p_site integer, p_resource bigint, p_blocks jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_entries jsonb[];
BEGIN
    v_entries := ARRAY(SELECT radscheduler.configuration_block_entry(tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason')
                       FROM jsonb_array_elements(p_blocks) b WHERE (b ->> 'ends_at')::timestamptz > now());
    DELETE FROM radscheduler.resource_block b USING radscheduler.configuration_blocks(p_site, p_resource) c
        WHERE b.site_id = p_site AND b.block_id = c.block_id AND c.entry <> ALL (v_entries);
    INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason)
        SELECT DISTINCT p_site, p_resource, tstzrange((b ->> 'starts_at')::timestamptz, (b ->> 'ends_at')::timestamptz), b ->> 'reason'
        FROM unnest(v_entries) b WHERE b NOT IN (SELECT c.entry FROM radscheduler.configuration_blocks(p_site, p_resource) c);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_blocks(integer, bigint, jsonb) IS
    'Replaces the blocks of a resource that have not ended; rows that stay are not touched. Blocks of the document that have ended are passed over.';

CREATE FUNCTION radscheduler.configuration_put_site(p_site integer, p_value jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb := radscheduler.configuration_site(p_site) || p_value;
BEGIN
    UPDATE radscheduler.site s
        SET name = v_new ->> 'name', timezone = v_new ->> 'timezone', phone_region = v_new ->> 'phone_region', slot_minutes = (v_new ->> 'slot_minutes')::numeric
        WHERE s.site_id = p_site AND (s.name, s.timezone, s.phone_region, s.slot_minutes)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'timezone', v_new ->> 'phone_region', (v_new ->> 'slot_minutes')::numeric);
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, NULL, p_value -> 'hours');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_site(integer, jsonb) IS 'Gives a site, which is there, the keys and the opening hours of a document; not its lists.';

CREATE FUNCTION radscheduler.configuration_put_sender(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_application text := p_value ->> 'sending_application';
    v_facility    text := p_value ->> 'sending_facility';
    v_new         jsonb;
BEGIN
    IF NOT p_is_there THEN
        INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility) VALUES (p_site, v_application, v_facility) ON CONFLICT DO NOTHING;
    END IF;
    v_new := radscheduler.configuration_sender(p_site, v_application, v_facility) || p_value;
    UPDATE radscheduler.sender s SET profile = v_new -> 'profile', is_registered = (v_new ->> 'is_registered')::boolean
        WHERE s.site_id = p_site AND s.sending_application = v_application AND s.sending_facility = v_facility
          AND (s.profile, s.is_registered) IS DISTINCT FROM (v_new -> 'profile', (v_new ->> 'is_registered')::boolean);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_sender(integer, text, jsonb, boolean) IS 'Makes a sender that is not there, and gives it the keys of a document.';

CREATE FUNCTION radscheduler.configuration_put_modality(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb;
BEGIN
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('modality', p_place, p_value);
        INSERT INTO radscheduler.modality (site_id, code, label, name, default_minutes)
            VALUES (p_site, p_value ->> 'code', p_value ->> 'label', p_value ->> 'name', (p_value ->> 'default_minutes')::numeric);
        RETURN;
    END IF;
    v_new := radscheduler.configuration_modality(p_site, p_value ->> 'code') || p_value;
    UPDATE radscheduler.modality m SET label = v_new ->> 'label', name = v_new ->> 'name', default_minutes = (v_new ->> 'default_minutes')::numeric
        WHERE m.site_id = p_site AND m.code = p_value ->> 'code'
          AND (m.label, m.name, m.default_minutes) IS DISTINCT FROM (v_new ->> 'label', v_new ->> 'name', (v_new ->> 'default_minutes')::numeric);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_modality(integer, text, jsonb, boolean) IS
    'Makes a modality that is not there, or gives it the keys of a document; not its aliases. Raises 22023 when a new one lacks a key.';

CREATE FUNCTION radscheduler.configuration_put_procedure(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_new jsonb;
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('procedure', p_place, p_value);
        INSERT INTO radscheduler.procedure (site_id, code, name, modality) VALUES (p_site, p_value ->> 'code', p_value ->> 'name', p_value ->> 'modality');
    END IF;
    v_new := radscheduler.configuration_procedure(p_site, p_value ->> 'code') || p_value;
    UPDATE radscheduler.procedure p SET name = v_new ->> 'name', modality = v_new ->> 'modality', minutes = (v_new ->> 'minutes')::numeric
        WHERE p.site_id = p_site AND p.code = p_value ->> 'code'
          AND (p.name, p.modality, p.minutes) IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'modality', (v_new ->> 'minutes')::numeric);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_procedure(integer, text, jsonb, boolean) IS
    'Makes a procedure that is not there, and gives it the keys of a document. Raises 22023 when a new one lacks a key or the site has no such modality.';

CREATE FUNCTION radscheduler.configuration_put_resource(p_site integer, p_place text, p_value jsonb, p_is_there boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_kind radscheduler.resource_kind := p_value ->> 'kind';
    v_ids  bigint[];
    v_new  jsonb;
BEGIN
    PERFORM radscheduler.configuration_require_modality(p_site, p_place, p_value ->> 'modality');
    IF NOT p_is_there THEN
        PERFORM radscheduler.configuration_require('resource', p_place, p_value);
        INSERT INTO radscheduler.resource (site_id, kind, code, name) VALUES (p_site, v_kind, p_value ->> 'code', p_value ->> 'name');
    END IF;
    v_ids := ARRAY(SELECT r.resource_id FROM radscheduler.resource r WHERE r.site_id = p_site AND r.kind = v_kind AND r.code = p_value ->> 'code');
    IF cardinality(v_ids) > 1 THEN
        PERFORM radscheduler.configuration_refuse(p_place, 'could be either of two resources', 'The site has two resources of this kind and code.',
            'Give one of them another code in radscheduler.resource.');
    END IF;
    v_new := radscheduler.configuration_resource(p_site, v_ids[1]) || p_value;
    IF v_kind = 'staff' AND (v_new ->> 'setup_minutes' <> '0' OR v_new ->> 'turnover_minutes' <> '0') THEN
        PERFORM radscheduler.configuration_refuse(p_place || '.' || k, 'must be 0 for staff', radscheduler.configuration_found(v_new -> k), 'Give buffers to the room or the scanner.')
            FROM unnest(ARRAY['setup_minutes', 'turnover_minutes']) k WHERE (v_new ->> k)::numeric <> 0;
    END IF;
    UPDATE radscheduler.resource r
        SET name = v_new ->> 'name', role = v_new ->> 'role', modality = v_new ->> 'modality', capacity = (v_new ->> 'capacity')::numeric,
            setup_minutes = (v_new ->> 'setup_minutes')::numeric, turnover_minutes = (v_new ->> 'turnover_minutes')::numeric,
            is_active = (v_new ->> 'is_active')::boolean, is_registered = (v_new ->> 'is_registered')::boolean
        WHERE r.site_id = p_site AND r.resource_id = v_ids[1]
          AND (r.name, r.role, r.modality, r.capacity, r.setup_minutes, r.turnover_minutes, r.is_active, r.is_registered)
              IS DISTINCT FROM (v_new ->> 'name', v_new ->> 'role', v_new ->> 'modality', (v_new ->> 'capacity')::numeric, (v_new ->> 'setup_minutes')::numeric,
                                (v_new ->> 'turnover_minutes')::numeric, (v_new ->> 'is_active')::boolean, (v_new ->> 'is_registered')::boolean);
    IF p_value ? 'hours' THEN
        PERFORM radscheduler.configuration_put_hours(p_site, v_ids[1], p_value -> 'hours');
    END IF;
    IF p_value ? 'blocks' THEN
        PERFORM radscheduler.configuration_put_blocks(p_site, v_ids[1], p_value -> 'blocks');
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_resource(integer, text, jsonb, boolean) IS
    'Makes a resource that is not there, and gives it the keys, hours and blocks of a document; not its aliases. Raises 22023 when a new one lacks a key, the site has no such modality, staff would have buffers, or two resources have this kind and code.';
-- The import of a configuration document: access, lists, names, report. Every item is written (as configuration_export() would) before and after,
-- and the difference is what is reported: nothing is told that did not happen. A dry run does the same work and takes it back, so it fails
-- where the real run would. Locks: the table site first (one import at a time), a site's senders, then the lock under which unknown resources
-- are recorded (7421003), then its other lists; a message being read takes its sender before that lock too.

CREATE FUNCTION radscheduler.configuration_item(p_item text, p_site integer, p_value jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN CASE p_item
        WHEN 'site' THEN radscheduler.configuration_site(p_site)
        WHEN 'sender' THEN radscheduler.configuration_sender(p_site, p_value ->> 'sending_application', p_value ->> 'sending_facility')
        WHEN 'modality' THEN radscheduler.configuration_modality(p_site, p_value ->> 'code')
        WHEN 'procedure' THEN radscheduler.configuration_procedure(p_site, p_value ->> 'code')
        WHEN 'resource' THEN (SELECT radscheduler.configuration_resource(p_site, min(r.resource_id)) FROM radscheduler.resource r
                              WHERE r.site_id = p_site AND r.kind = (p_value ->> 'kind')::radscheduler.resource_kind AND r.code = p_value ->> 'code') END;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_item(text, integer, jsonb) IS 'The item of a site that a value of a document names by its key, as it is; NULL when there is none.';

CREATE FUNCTION radscheduler.configuration_row(p_item text, p_name text, p_old jsonb, p_new jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_changes jsonb := (SELECT coalesce(jsonb_object_agg(k, jsonb_build_array(p_old -> k, p_new -> k)), '{}') FROM jsonb_object_keys(p_new) k
                        WHERE coalesce(p_old -> k, 'null') <> p_new -> k AND k NOT IN ('code', 'kind', 'sending_application', 'sending_facility'));
BEGIN
    RETURN jsonb_build_object('item', p_item, 'name', p_name, 'changes', v_changes,
                              'action', CASE WHEN p_old IS NULL THEN 'insert' WHEN v_changes = '{}' THEN 'unchanged' ELSE 'update' END);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_row(text, text, jsonb, jsonb) IS
    'One row of the report of an import, {item, name, action, changes}, from an item as it was (NULL: it is new) and as it is.';

CREATE FUNCTION radscheduler.configuration_release_names(p_item text, p_site integer, p_list jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_item = 'modality' THEN
        DELETE FROM radscheduler.modality_alias a USING jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            WHERE e.value ? 'aliases' AND a.site_id = p_site AND a.code = e.value ->> 'code'
              AND (e.place - 1, a.alias) NOT IN (SELECT n.item, n.alias FROM radscheduler.configuration_names(p_list) n);
    ELSIF p_item = 'resource' THEN
        WITH named AS MATERIALIZED (
            SELECT r.resource_id, e.place - 1 AS item FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place)
            JOIN radscheduler.resource r ON r.site_id = p_site AND r.code = e.value ->> 'code' AND r.kind = (e.value ->> 'kind')::radscheduler.resource_kind
            WHERE e.value ? 'aliases'
        )
        DELETE FROM radscheduler.resource_alias a USING named WHERE a.site_id = p_site AND a.resource_id = named.resource_id
              AND (named.item, a.kind::text, a.alias) NOT IN (SELECT n.item, n.kind, n.alias FROM radscheduler.configuration_names(p_list) n);
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_release_names(text, integer, jsonb) IS
    'Removes the aliases that a document takes from the modalities or resources whose aliases it lists; first of all, so that a name can move from one to another.';

CREATE FUNCTION radscheduler.configuration_put_names(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new boolean[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_name   record;
    v_id     bigint;
    v_is_own boolean;
BEGIN
    FOR v_name IN
        SELECT n.item, n.listed, n.kind, n.alias, e.value FROM radscheduler.configuration_names(p_list) n
        JOIN jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ON e.place = n.item + 1
        WHERE n.listed IS NOT NULL OR p_is_new[n.item + 1] ORDER BY n.item, n.listed
    LOOP
        IF p_item = 'modality' THEN
            SELECT a.code = v_name.value ->> 'code' INTO v_is_own FROM radscheduler.modality_alias a WHERE a.site_id = p_site AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.modality_alias (site_id, alias, code) VALUES (p_site, v_name.alias, v_name.value ->> 'code');
                CONTINUE;
            END IF;
        ELSE
            SELECT r.resource_id INTO v_id FROM radscheduler.resource r
                WHERE r.site_id = p_site AND r.kind::text = v_name.value ->> 'kind' AND r.code = v_name.value ->> 'code';
            SELECT a.resource_id = v_id INTO v_is_own FROM radscheduler.resource_alias a
                WHERE a.site_id = p_site AND a.kind::text = v_name.kind AND a.alias = v_name.alias;
            IF NOT FOUND THEN
                INSERT INTO radscheduler.resource_alias (site_id, kind, alias, resource_id)
                    VALUES (p_site, v_name.kind::radscheduler.resource_kind, v_name.alias, v_id);
                CONTINUE;
            END IF;
        END IF;
        IF NOT v_is_own THEN
            PERFORM radscheduler.configuration_refuse(format('%s[%s].%s', p_place, v_name.item, coalesce('aliases[' || v_name.listed || ']', 'code')),
                format('is a name of another %s', p_item), format('The name is "%s".', left(v_name.alias, 60)),
                format('radscheduler.%s_alias tells whose it is. To move it here, name that %1$s in the document too, with "aliases"; else take another name.', p_item));
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_names(text, integer, text, jsonb, boolean[]) IS
    'Gives modalities or resources the aliases a document lists for them, and new ones their own code as a name. Raises 22023 when a name belongs to one whose aliases the document does not list.';

CREATE FUNCTION radscheduler.configuration_put_list(p_item text, p_site integer, p_place text, p_list jsonb, p_is_new_site boolean) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_old   jsonb[];
    v_place text := p_place;
    v_value jsonb;
    v_rule  text;
    v_table text;
BEGIN
    v_old := ARRAY(SELECT radscheduler.configuration_item(p_item, p_site, e.value) FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
    PERFORM radscheduler.configuration_release_names(p_item, p_site, p_list);
    FOR v_i IN 1 .. cardinality(v_old) LOOP
        v_place := format('%s[%s]', p_place, v_i - 1);
        v_value := p_list -> v_i - 1;
        CASE p_item
            WHEN 'sender' THEN PERFORM radscheduler.configuration_put_sender(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'modality' THEN PERFORM radscheduler.configuration_put_modality(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'procedure' THEN PERFORM radscheduler.configuration_put_procedure(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
            WHEN 'resource' THEN PERFORM radscheduler.configuration_put_resource(p_site, v_place, v_value, v_old[v_i] IS NOT NULL);
        END CASE;
    END LOOP;
    v_place := p_place;
    IF p_is_new_site THEN
        v_old := array_fill(NULL::jsonb, ARRAY[cardinality(v_old)]);
    END IF;
    IF p_item IN ('modality', 'resource') THEN
        PERFORM radscheduler.configuration_put_names(p_item, p_site, p_place, p_list, ARRAY(SELECT o IS NULL FROM unnest(v_old) WITH ORDINALITY u(o, place) ORDER BY u.place));
    END IF;
    RETURN ARRAY(
        SELECT radscheduler.configuration_row(p_item, CASE p_item WHEN 'sender' THEN concat_ws('|', e.value ->> 'sending_application', e.value ->> 'sending_facility')
                                                               WHEN 'resource' THEN concat_ws(' ', e.value ->> 'kind', e.value ->> 'code') ELSE e.value ->> 'code' END,
                                              v_old[e.place], radscheduler.configuration_item(p_item, p_site, e.value))
        FROM jsonb_array_elements(p_list) WITH ORDINALITY e(value, place) ORDER BY e.place);
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_rule = CONSTRAINT_NAME, v_table = TABLE_NAME;
    PERFORM radscheduler.configuration_refuse_rule(v_place, v_rule, v_table);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_list(text, integer, text, jsonb, boolean) IS
    'Merges one list of a document (item: sender, modality, procedure, resource) into a site; returns the rows of the report. Raises 22023 with the place in the document, also for what a constraint refuses.';

CREATE FUNCTION radscheduler.configuration_sites(p_sites jsonb) RETURNS integer[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_visible integer[] := radscheduler.visible_sites();
    v_narrow  text := nullif(current_setting('radscheduler.site', true), '');
    v_ids     integer[];
    v_code    text;
BEGIN
    FOR v_i IN 0 .. jsonb_array_length(p_sites) - 1 LOOP
        v_code := p_sites -> v_i ->> 'code';
        v_ids[v_i + 1] := (SELECT s.site_id FROM radscheduler.site s WHERE s.code = v_code AND s.site_id = ANY (v_visible));
        IF v_ids[v_i + 1] IS NULL AND NOT (radscheduler.sees_every_site() AND coalesce(v_narrow, v_code) = v_code) THEN
            RAISE EXCEPTION 'sites[%] is not a site that this session may configure', v_i USING ERRCODE = 'insufficient_privilege',
                DETAIL = format('Its code is "%s".', v_code),
                HINT = 'A DBA grants it with radscheduler.grant_site(role, site); the setting radscheduler.site can only narrow.';
        END IF;
    END LOOP;
    RETURN v_ids;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_sites(jsonb) IS
    'The ids of the sites of a document, NULL for one that the import is to make, which only a caller of every site may. Raises 42501 for a site that is not the caller''s, in the same words whether or not there is one.';

CREATE FUNCTION radscheduler.configuration_make_site(p_place text, p_value jsonb) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_site integer;
BEGIN
    PERFORM radscheduler.configuration_require('site', p_place, p_value);
    v_site := radscheduler.create_site(p_value ->> 'code', p_value ->> 'name', p_value ->> 'timezone');
    IF p_value ? 'procedures' THEN
        DELETE FROM radscheduler.procedure p WHERE p.site_id = v_site
            AND p.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'procedures') e);
    END IF;
    IF p_value ? 'modalities' THEN
        DELETE FROM radscheduler.modality_alias a WHERE a.site_id = v_site AND a.code <> 'OT'
            AND a.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
        DELETE FROM radscheduler.procedure p WHERE p.site_id = v_site AND p.modality <> 'OT'
            AND p.modality NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
        DELETE FROM radscheduler.modality m WHERE m.site_id = v_site AND m.code <> 'OT'
            AND m.code NOT IN (SELECT e ->> 'code' FROM jsonb_array_elements(p_value -> 'modalities') e);
    END IF;
    RETURN v_site;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_make_site(text, jsonb) IS
    'Makes a site of a document with create_site(); returns its id. Of the catalogue only what the document lists stays, where it has that list (procedures of a modality that goes, go too); OT stays, as messages that tell no modality need it.';

CREATE FUNCTION radscheduler.configuration_merge(p_sites jsonb) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_ids    integer[];
    v_value  jsonb;
    v_place  text;
    v_site   integer;
    v_old    jsonb;
    v_list   record;
    v_rows   jsonb[];
    v_report jsonb[] := '{}';
    v_rule   text;
    v_table  text;
BEGIN
    LOCK TABLE radscheduler.site IN SHARE ROW EXCLUSIVE MODE;
    v_ids := radscheduler.configuration_sites(p_sites);
    FOR v_i IN 1 .. jsonb_array_length(p_sites) LOOP
        v_value := p_sites -> v_i - 1;
        v_place := format('sites[%s]', v_i - 1);
        v_site := coalesce(v_ids[v_i], radscheduler.configuration_make_site(v_place, v_value));
        v_old := CASE WHEN v_ids[v_i] IS NOT NULL THEN radscheduler.configuration_site(v_site) END;
        PERFORM radscheduler.configuration_put_site(v_site, v_value);
        v_rows := ARRAY[radscheduler.configuration_row('site', v_value ->> 'code', v_old, radscheduler.configuration_site(v_site))];
        -- In this order a list finds what it refers to, and the locks are taken as said above. Sections of later tables join here.
        FOR v_list IN SELECT * FROM (VALUES ('senders', 'sender'), ('modalities', 'modality'), ('procedures', 'procedure'), ('resources', 'resource')) l(name, item) LOOP
            IF v_list.item = 'modality' THEN
                PERFORM radscheduler.lock_new_resources(v_site);
            END IF;
            IF v_value ? v_list.name THEN
                v_rows := v_rows || radscheduler.configuration_put_list(v_list.item, v_site, v_place || '.' || v_list.name, v_value -> v_list.name, v_ids[v_i] IS NULL);
            END IF;
        END LOOP;
        IF EXISTS (SELECT FROM unnest(v_rows) r WHERE r ->> 'action' <> 'unchanged') THEN
            PERFORM radscheduler.audit(v_site, 'configuration.' || (r ->> 'action'), r ->> 'item', NULL,
                                       jsonb_build_object('name', r -> 'name', 'columns', CASE WHEN r -> 'changes' ? 'blocks' THEN (r -> 'changes') || '{"blocks": true}' ELSE r -> 'changes' END))
                FROM unnest(v_rows) r WHERE r ->> 'action' <> 'unchanged';
            PERFORM radscheduler.audit(v_site, 'configuration.import', 'site', v_site,
                (SELECT jsonb_object_agg(c.item, c.actions)
                 FROM (SELECT n.item, jsonb_object_agg(n.action, n.times) AS actions
                       FROM (SELECT r ->> 'item' AS item, r ->> 'action' AS action, count(*) AS times FROM unnest(v_rows) r GROUP BY 1, 2) n GROUP BY n.item) c));
        END IF;
        v_report := v_report || ARRAY(SELECT jsonb_build_object('site', v_value -> 'code') || r FROM unnest(v_rows) WITH ORDINALITY u(r, place) ORDER BY u.place);
    END LOOP;
    RETURN v_report;
EXCEPTION WHEN integrity_constraint_violation THEN
    GET STACKED DIAGNOSTICS v_rule = CONSTRAINT_NAME, v_table = TABLE_NAME;
    PERFORM radscheduler.configuration_refuse_rule(v_place, v_rule, v_table);
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_merge(jsonb) IS
    'Merges the sites of a checked document into the database, with one audit event per item that changed (configuration.insert, configuration.update) and one per site; returns the report, one {site, item, name, action, changes} per item. Raises 22023 and 42501.';

CREATE FUNCTION radscheduler.configuration_import(document jsonb, dry_run boolean DEFAULT true)
    RETURNS TABLE (site text, item text, name text, action text, changes jsonb)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET radscheduler.audit_changes = off
    AS $$
#variable_conflict use_column
DECLARE
    v_report jsonb[];
BEGIN
    IF document ->> 'format' IS DISTINCT FROM 'radscheduler.configuration' THEN
        PERFORM radscheduler.configuration_refuse('format', 'must be "radscheduler.configuration"', 'This is not a configuration document.',
            'Give a document that radscheduler.configuration_export() made, or one like it.');
    ELSIF document -> 'version' IS DISTINCT FROM '1' THEN
        PERFORM radscheduler.configuration_refuse('version', 'must be 1', radscheduler.configuration_found(document -> 'version'),
            'This version of the extension reads version 1. Export the document with the version that is to read it.');
    END IF;
    PERFORM radscheduler.configuration_check('document', '', document);
    BEGIN
        v_report := radscheduler.configuration_merge(document -> 'sites');
        IF dry_run IS NOT FALSE THEN
            RAISE EXCEPTION USING ERRCODE = 'RSDRY';
        END IF;
    EXCEPTION WHEN SQLSTATE 'RSDRY' THEN
        NULL;
    END;
    RETURN QUERY SELECT r ->> 'site', r ->> 'item', r ->> 'name', r ->> 'action', r -> 'changes' FROM unnest(v_report) WITH ORDINALITY u(r, place) ORDER BY u.place;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_import(jsonb, boolean) IS
    'Merges a document of configuration_export(), or a part of one, into the sites the caller may use, in one transaction; without dry_run => false the same work is done, reported and taken back. Sites are known by code, senders by application and facility, modalities and procedures by code, resources by kind and code. What the document names is inserted or updated; what it does not name is left alone and not reported. A key left out keeps its value, or takes the table''s default in a new item; null clears. aliases, hours and blocks are replaced as a whole where the key is there, blocks only as far as they have not ended. An item''s own code is one of its names without being listed, unless the document lists it under another item. A site that does not exist is made when the caller sees every site, from the catalogue as far as the document has no list of its own. One row per item: site (code), item (site, sender, modality, procedure, resource), name (code; application|facility; kind and code), action (insert, update, unchanged), changes {key: [old, new]}. Writes one audit event per item that changed, old and new values in it, and one per site. Raises 22023 with the place in the document, 42501 for a site that is not the caller''s.';
-- What HTTP answers are made of. The sidecar passes bytes in and answers out; what they say is decided here.

CREATE FUNCTION radscheduler.api_site() RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_sites integer[] := array_remove(radscheduler.visible_sites(), 0);
    v_site  integer;
BEGIN
    IF cardinality(v_sites) < 2 THEN
        RETURN radscheduler.current_site();
    END IF;
    SELECT s.site_id INTO v_site FROM radscheduler.sender s
        WHERE s.sending_application = 'API' AND s.sending_facility = '' AND s.site_id = ANY (v_sites)
        ORDER BY s.is_registered DESC, s.sender_id LIMIT 1;
    RETURN coalesce(v_site, (SELECT min(v) FROM unnest(v_sites) v));
END
$$;
COMMENT ON FUNCTION radscheduler.api_site() IS
    'The site HTTP works for: the setting radscheduler.site of the daemon''s role, else the one of its sites where the sender API is registered, else the first of them.';

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
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN convert_from(bytes, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN convert_from(decode(replace(encode(bytes, 'hex'), '00', '20'), 'hex'), 'LATIN1');
END
$$;
COMMENT ON FUNCTION radscheduler.body_text(bytea) IS 'Bytes as text: UTF-8, else ISO 8859-1.';

CREATE FUNCTION radscheduler.body_json(bytes bytea) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
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
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
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

CREATE FUNCTION radscheduler.simulated_message(p_site integer, p_body jsonb, p_is_known boolean) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_zone   text := radscheduler.site_zone(p_site);
    v_token  text := upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12));
    v_names  text[] := regexp_split_to_array(btrim(coalesce(nullif(btrim(p_body ->> 'patientName'), ''), CASE WHEN p_is_known THEN '' ELSE 'Test Patient' END)), '\s+');
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
COMMENT ON FUNCTION radscheduler.simulated_message(integer, jsonb, boolean) IS 'An SIU^S12 made from the guide''s JSON, with a new control id and appointment id; without patientId the patient is SIM-….';

CREATE FUNCTION radscheduler.api_hl7_simulate(body bytea) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
DECLARE
    v_json  jsonb := radscheduler.body_json(body);
    v_site  integer := radscheduler.api_site();
    v_check record;
    v_error jsonb;
    v_is_known boolean;
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
    -- Whoever may only send gets back what he sent, not what is known of the patient; and a name is made up for nobody who has one.
    v_is_known := EXISTS (SELECT FROM radscheduler.patient_identifier i WHERE i.site_id = v_site AND i.value = v_json ->> 'patientId');
    r := radscheduler.ingest(convert_to(radscheduler.simulated_message(v_site, v_json, v_is_known), 'UTF8'), 'http');
    IF r.code <> 'AA' THEN
        SELECT m.error INTO v_error FROM radscheduler.hl7_message m WHERE m.message_id = r.message_id;
        RETURN radscheduler.problem(422, 'hl7_' || (v_error ->> 'code'), 'The simulated message was not applied', v_error ->> 'text', jsonb_build_object('messageId', r.message_id));
    END IF;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', r.appointment_id, '{}');
    RETURN radscheduler.reply(201, jsonb_build_object('success', true, 'message', 'Simulated HL7 processed', 'result', jsonb_build_object(
        'appointment', (SELECT to_jsonb(a) || jsonb_build_object('patient_name', CASE WHEN v_is_known THEN v_json -> 'patientName' ELSE to_jsonb(a.patient_name) END,
                                                                 'patient_phone', CASE WHEN v_is_known THEN v_json -> 'patientPhone' ELSE to_jsonb(a.patient_phone) END)
                        FROM radscheduler.appointments a WHERE a.id = r.appointment_id),
        'conflicts', radscheduler.api_conflicts(r.conflicts), 'messageId', r.message_id, 'acknowledgement', r.code)));
END
$$;
COMMENT ON FUNCTION radscheduler.api_hl7_simulate(bytea) IS 'POST /api/hl7/simulate: builds a real SIU^S12 from JSON and sends it through ingest(). Everything in the body is optional.';
-- GET /api/appointments and /api/analytics/dashboard; what /health asks.

CREATE FUNCTION radscheduler.api_appointments(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
    AS $$
DECLARE
    v_site     integer := radscheduler.api_site();
    v_zone     text := radscheduler.site_zone(v_site);
    v_date     date;
    v_modality text;
    v_status   text := upper(params ->> 'status');
    v_rows     jsonb;
    v_ids      bigint[];
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
    SELECT coalesce(jsonb_agg(to_jsonb(v) ORDER BY v.datetime, v.id), '[]'), array_agg(v.id ORDER BY v.id) INTO v_rows, v_ids
        FROM (SELECT a.appointment_id FROM radscheduler.appointment a
              WHERE a.site_id = v_site AND a.status <> 'DELETED' AND a.patient_id IS NOT NULL
                AND (v_date IS NULL OR a.starts_at >= timezone(v_zone, v_date::timestamp) AND a.starts_at < timezone(v_zone, (v_date + 1)::timestamp))
                AND (v_modality IS NULL OR a.modality = v_modality)
                AND (v_status IS NULL OR a.status::text = v_status)
              ORDER BY a.starts_at DESC NULLS LAST, a.appointment_id LIMIT 1000) k
        JOIN radscheduler.appointments v ON v.id = k.appointment_id;
    PERFORM radscheduler.audit(v_site, 'read', 'appointment', NULL, jsonb_strip_nulls(jsonb_build_object('appointments', v_ids)));
    RETURN radscheduler.reply(200, jsonb_build_object('success', true, 'count', jsonb_array_length(v_rows), 'appointments', v_rows));
END
$$;
COMMENT ON FUNCTION radscheduler.api_appointments(jsonb) IS
    'GET /api/appointments: {date, modality, status}, each optional; date is a calendar day of the site. At most 1,000 rows, the latest ones, in order of time. The read is audited with the ids of the rows.';

CREATE FUNCTION radscheduler.api_dashboard(params jsonb) RETURNS radscheduler.http_reply
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET jit = off
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
    LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
BEGIN
    IF radscheduler.storage_version() = 0 THEN
        RAISE EXCEPTION 'this database has no radscheduler records' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.provision();';
    ELSIF EXISTS (SELECT FROM radscheduler.storage_step s WHERE s.version > radscheduler.storage_version()) THEN
        RAISE EXCEPTION 'the records of this database are of an older version' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT radscheduler.migrate();';
    END IF;
    RETURN jsonb_build_object('extension', (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'radscheduler'),
                              'schema_version', radscheduler.storage_version(), 'time', now());
END
$$;
COMMENT ON FUNCTION radscheduler.health() IS 'What a health probe asks: {extension, schema_version, time}. Raises 55000 when the records are missing, or older than the code (a dump of an earlier version was restored): migrate() brings them up.';
-- Following event_log without losing an event: read below the horizon of running transactions, remember the cursor.

CREATE FUNCTION radscheduler.relay_fetch(relay text, max_events integer DEFAULT 500, OUT cursor text, OUT channel text, OUT payload text) RETURNS SETOF record
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    RETURN QUERY
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
LIMIT relay_fetch.max_events;
END
$$;
COMMENT ON FUNCTION radscheduler.relay_fetch(text, integer) IS
    'The next events for a relay, in order: cursor, Redis channel radsched:{site}:ch:family, CloudEvents 1.0 JSON without patient data. Publish them, then call relay_advance() with the last cursor; a crash between the two repeats, it does not lose.';

CREATE FUNCTION radscheduler.relay_advance(relay text, cursor text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM radscheduler.require_every_site('the relay');
    IF cursor !~ '^[0-9]{1,19}-[0-9]{1,18}$' OR split_part(cursor, '-', 1)::xid8 >= pg_snapshot_xmax(pg_current_snapshot()) THEN
        RAISE EXCEPTION 'this is no cursor of an event that was published' USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the cursor of the last event that relay_fetch() returned.';
    END IF;
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

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (9, 'access', $storage_step$
-- Who may do what, and where. Roles are kept by name: a restored database must not depend on which roles its new cluster has.

CREATE TABLE radscheduler.role_grant (
    role_name  text        NOT NULL,
    kind       text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (role_name, kind)
);
COMMENT ON TABLE  radscheduler.role_grant IS 'The kinds of each role, as grant_role() gave them; migrate() renews their rights.';
COMMENT ON COLUMN radscheduler.role_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.role_grant.kind IS 'reader, scheduler, ingest, analyst, auditor or admin.';
COMMENT ON COLUMN radscheduler.role_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.site_grant (
    site_id    integer     REFERENCES radscheduler.site ON DELETE CASCADE,
    role_name  text        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    UNIQUE NULLS NOT DISTINCT (site_id, role_name)
);
COMMENT ON TABLE  radscheduler.site_grant IS 'The sites whose rows a role, and every role that inherits from it, may use.';
COMMENT ON COLUMN radscheduler.site_grant.site_id IS 'Site; NULL is every site, present and future.';
COMMENT ON COLUMN radscheduler.site_grant.role_name IS 'Name of the role.';
COMMENT ON COLUMN radscheduler.site_grant.granted_at IS 'When.';

CREATE TABLE radscheduler.lock_secret (
    secret text PRIMARY KEY
);
INSERT INTO radscheduler.lock_secret (secret) VALUES (pg_catalog.replace(pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', ''));
COMMENT ON TABLE  radscheduler.lock_secret IS 'One row: what keys of advisory locks are made with, so that pg_locks tells nobody whose records are in use. Nobody needs a right on it.';
COMMENT ON COLUMN radscheduler.lock_secret.secret IS 'Random, made once.';
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (10, 'retention', $storage_step$
-- How long records are kept, and what must be kept whatever that says.

CREATE TABLE radscheduler.legal_hold (
    site_id     integer     NOT NULL REFERENCES radscheduler.site,
    hold_id     bigint      GENERATED BY DEFAULT AS IDENTITY,
    patient_id  bigint,
    reason      text        NOT NULL CHECK (pg_catalog.btrim(reason) <> ''),
    placed_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
    placed_by   text        NOT NULL,
    lifted_at   timestamptz,
    lifted_by   text,
    lift_reason text        CHECK (pg_catalog.btrim(lift_reason) <> ''),
    PRIMARY KEY (site_id, hold_id),
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason IS NULL))
);
CREATE INDEX legal_hold_in_force ON radscheduler.legal_hold (site_id, patient_id) WHERE lifted_at IS NULL;
COMMENT ON TABLE  radscheduler.legal_hold IS 'Records that must not be removed while the hold is in force: one patient''s, or everything of a site. purge() and drop_expired() ask it; lifted holds stay as evidence. Write to it with place_hold() and lift_hold().';
COMMENT ON COLUMN radscheduler.legal_hold.site_id IS 'Site.';
COMMENT ON COLUMN radscheduler.legal_hold.hold_id IS 'Identity within the database.';
COMMENT ON COLUMN radscheduler.legal_hold.patient_id IS 'Patient whose records are held; NULL holds the whole site. No foreign key: a lifted hold outlives its patient.';
COMMENT ON COLUMN radscheduler.legal_hold.reason IS 'Why, for people, for example a case number; without the patient''s name or number.';
COMMENT ON COLUMN radscheduler.legal_hold.placed_at IS 'When it was placed.';
COMMENT ON COLUMN radscheduler.legal_hold.placed_by IS 'Database role that placed it.';
COMMENT ON COLUMN radscheduler.legal_hold.lifted_at IS 'When it was lifted; NULL while it is in force.';
COMMENT ON COLUMN radscheduler.legal_hold.lifted_by IS 'Database role that lifted it.';
COMMENT ON COLUMN radscheduler.legal_hold.lift_reason IS 'Why it was lifted; without the patient''s name or number.';

CREATE TABLE radscheduler.retention (
    record text     PRIMARY KEY CHECK (record IN ('hl7_message', 'event_log', 'audit_event')),
    keep   interval CHECK (keep >= '1 month'::interval)
);
INSERT INTO radscheduler.retention (record, keep) VALUES ('hl7_message', NULL), ('event_log', '13 months'), ('audit_event', NULL);
COMMENT ON TABLE  radscheduler.retention IS 'How long the partitioned records are kept, in all sites; maintain() removes what is older. Write to it with set_retention().';
COMMENT ON COLUMN radscheduler.retention.record IS 'The table: hl7_message, event_log or audit_event.';
COMMENT ON COLUMN radscheduler.retention.keep IS 'How long, at least one month; NULL is for ever.';

-- Removing an appointment removes its conflicts, the resolved ones too, which the indexes of step 5 leave out.
CREATE INDEX conflict_of_appointment ON radscheduler.conflict (site_id, appointment_id);
CREATE INDEX conflict_with_appointment ON radscheduler.conflict (site_id, other_appointment_id);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (11, 'audit', $storage_step$
-- Who did or saw what, append-only and sealed; and the triggers that tell it of changes nobody else tells.

CREATE SEQUENCE radscheduler.audit_event_id_seq;
COMMENT ON SEQUENCE radscheduler.audit_event_id_seq IS 'Numbers audit events.';

CREATE TABLE radscheduler.audit_event (
    site_id     integer     NOT NULL,
    xid         xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    audit_id    bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.audit_event_id_seq'),
    recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role_name   text        NOT NULL,
    login_name  text        NOT NULL,
    actor       text,
    purpose     text,
    trace_id    text,
    action      text        NOT NULL,
    object      text        NOT NULL,
    object_id   bigint,
    detail      jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (site_id, xid, audit_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE radscheduler.audit_event_id_seq OWNED BY radscheduler.audit_event.audit_id;
CREATE INDEX audit_event_object ON radscheduler.audit_event (site_id, object, object_id);
CREATE TABLE radscheduler.audit_event_default PARTITION OF radscheduler.audit_event DEFAULT;
COMMENT ON TABLE  radscheduler.audit_event IS 'Who did or saw what, when and why. Append-only, sealed in batches (audit_seal), no patient data: ids, column names, counts. Partitioned by month.';
COMMENT ON TABLE  radscheduler.audit_event_default IS 'Events outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.audit_event.site_id IS 'Site; 0 for what concerns the database itself.';
COMMENT ON COLUMN radscheduler.audit_event.xid IS 'Writing transaction; evaluated before audit_id, so that no number is taken before the transaction has its own.';
COMMENT ON COLUMN radscheduler.audit_event.audit_id IS 'Identity within the database. Gaps mean nothing: a transaction that failed leaves one.';
COMMENT ON COLUMN radscheduler.audit_event.recorded_at IS 'When; the partition key.';
COMMENT ON COLUMN radscheduler.audit_event.role_name IS 'Role in effect (SET ROLE or login).';
COMMENT ON COLUMN radscheduler.audit_event.login_name IS 'Role that logged in.';
COMMENT ON COLUMN radscheduler.audit_event.actor IS 'On whose behalf, as the session says: radscheduler.actor.';
COMMENT ON COLUMN radscheduler.audit_event.purpose IS 'What for, as the session says: radscheduler.purpose.';
COMMENT ON COLUMN radscheduler.audit_event.trace_id IS 'Trace of the request, as the session says: radscheduler.trace_id.';
COMMENT ON COLUMN radscheduler.audit_event.action IS 'For example ingest, read, appointment.created, insert, grant, purge.';
COMMENT ON COLUMN radscheduler.audit_event.object IS 'Kind of object: a table, role, site.';
COMMENT ON COLUMN radscheduler.audit_event.object_id IS 'Its id, when it has one.';
COMMENT ON COLUMN radscheduler.audit_event.detail IS 'More, without patient data.';

CREATE TABLE radscheduler.audit_era (
    era        integer     PRIMARY KEY,
    cluster_id text        NOT NULL,
    barrier    bigint      NOT NULL,
    horizon    xid8        NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.audit_era IS 'The clusters this log has lived in: transaction ids order events within one era only.';
COMMENT ON COLUMN radscheduler.audit_era.era IS 'Number, ascending.';
COMMENT ON COLUMN radscheduler.audit_era.cluster_id IS 'System identifier of the cluster (pg_control_system).';
COMMENT ON COLUMN radscheduler.audit_era.barrier IS 'Last audit_id of the era before.';
COMMENT ON COLUMN radscheduler.audit_era.horizon IS 'Oldest transaction that was running when it began.';
COMMENT ON COLUMN radscheduler.audit_era.begun_at IS 'When the first batch was sealed there.';
INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon) SELECT 1, c.system_identifier::text, 0, '0'::xid8 FROM pg_catalog.pg_control_system() c;

CREATE TABLE radscheduler.audit_seal (
    site_id         integer     NOT NULL,
    seal_no         bigint      NOT NULL,
    month           date        NOT NULL,
    era             integer     NOT NULL,
    horizon         xid8        NOT NULL,
    next_xid        xid8        NOT NULL,
    event_ids       bigint[]    NOT NULL,
    event_digests   bytea       NOT NULL,
    previous_digest bytea,
    digest          bytea       NOT NULL,
    sealed_at       timestamptz NOT NULL,
    PRIMARY KEY (site_id, seal_no)
);
ALTER TABLE radscheduler.audit_seal ALTER COLUMN event_digests SET STORAGE EXTERNAL;
COMMENT ON TABLE  radscheduler.audit_seal IS 'The seals of the audit log: one chain for each site. audit_verify() compares the log with them.';
COMMENT ON COLUMN radscheduler.audit_seal.site_id IS 'Site; 0 for the database itself.';
COMMENT ON COLUMN radscheduler.audit_seal.seal_no IS 'Place in the chain of the site, from 1 without gap.';
COMMENT ON COLUMN radscheduler.audit_seal.month IS 'Month (UTC) of its events.';
COMMENT ON COLUMN radscheduler.audit_seal.era IS 'Era it was made in, see audit_era.';
COMMENT ON COLUMN radscheduler.audit_seal.horizon IS 'Oldest transaction that was running: every event of an older one is in this seal or one before.';
COMMENT ON COLUMN radscheduler.audit_seal.next_xid IS 'The sealing transaction: events of later ones come after this seal, in number and time. 2^62 where it had begun to write before.';
COMMENT ON COLUMN radscheduler.audit_seal.event_ids IS 'audit_id of each event, ascending.';
COMMENT ON COLUMN radscheduler.audit_seal.event_digests IS 'SHA-256 of each event, 32 bytes each, in the same order.';
COMMENT ON COLUMN radscheduler.audit_seal.previous_digest IS 'digest of the seal before.';
COMMENT ON COLUMN radscheduler.audit_seal.digest IS 'SHA-256 over all of this.';
COMMENT ON COLUMN radscheduler.audit_seal.sealed_at IS 'When.';

SELECT radscheduler.make_append_only('radscheduler.audit_event', true);
SELECT radscheduler.make_append_only('radscheduler.audit_event_default', false);
SELECT radscheduler.make_append_only('radscheduler.audit_era', true);
SELECT radscheduler.make_append_only('radscheduler.audit_seal', true);

SELECT radscheduler.audit_table('site', 'site_id', 'values');
SELECT radscheduler.audit_table('sender', 'sender_id', 'values');
SELECT radscheduler.audit_table('modality', 'code', 'values');
SELECT radscheduler.audit_table('modality_alias', 'alias', 'values');
SELECT radscheduler.audit_table('procedure', 'code', 'values');
SELECT radscheduler.audit_table('resource', 'resource_id', 'values');
SELECT radscheduler.audit_table('resource_alias', 'resource_id,kind,alias', 'values');
SELECT radscheduler.audit_table('resource_hours', 'hours_id', 'values');
SELECT radscheduler.audit_table('resource_block', 'block_id,resource_id', 'names');
SELECT radscheduler.audit_table('patient', 'patient_id', 'names');
SELECT radscheduler.audit_table('patient_identifier', 'patient_id', 'names');
SELECT radscheduler.audit_table('appointment', 'appointment_id', 'names');
SELECT radscheduler.audit_table('appointment_service', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_resource', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_history', 'appointment_id,version', 'names');
SELECT radscheduler.audit_table('occupancy', 'occupancy_id,appointment_id', 'names');
SELECT radscheduler.audit_table('conflict', 'conflict_id', 'names');
SELECT radscheduler.audit_table('hl7_message', 'message_id', 'names');
SELECT radscheduler.audit_table('message_key', 'message_id', 'names');
SELECT radscheduler.audit_table('event_log', 'seq', 'names');
SELECT radscheduler.audit_table('legal_hold', 'hold_id', 'names');
SELECT radscheduler.audit_table('retention', 'record', 'values');
SELECT radscheduler.audit_table('role_grant', 'role_name,kind', 'values');
SELECT radscheduler.audit_table('site_grant', 'role_name', 'values');
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (12, 'row_security', $storage_step$
-- From here on no role sees or writes rows of a site it was not granted, the owner of the tables included.

SELECT radscheduler.secure_table(t::regclass)
FROM pg_catalog.unnest(ARRAY['site', 'sender', 'modality', 'modality_alias', 'procedure', 'resource', 'resource_alias', 'resource_hours', 'resource_block',
                             'patient', 'patient_identifier', 'appointment', 'appointment_service', 'appointment_resource', 'appointment_history',
                             'occupancy', 'conflict', 'hl7_message', 'message_key', 'event_log', 'legal_hold', 'audit_event', 'audit_seal']) n,
     LATERAL (SELECT pg_catalog.format('radscheduler.%I', n)) q(t);

-- Partitions too: a right on one of them must not be a way around the parent.
SELECT radscheduler.secure_table(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i
WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass, 'radscheduler.audit_event'::regclass);

-- A grant of every site has no site of its own.
ALTER TABLE radscheduler.site_grant ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.site_grant USING (true);
COMMENT ON POLICY any_row ON radscheduler.site_grant IS 'Leaves the decision to the restrictive policy site_rows.';
CREATE POLICY site_rows ON radscheduler.site_grant AS RESTRICTIVE
    USING (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL)
    WITH CHECK (site_id = ANY ((SELECT radscheduler.visible_sites())::integer[]) OR site_id IS NULL AND (SELECT radscheduler.sees_every_site()));
COMMENT ON POLICY site_rows ON radscheduler.site_grant IS 'Grants of the sites the caller was granted, and of every site.';

CREATE TRIGGER sender_registration BEFORE INSERT OR UPDATE OF is_registered ON radscheduler.sender
    FOR EACH ROW EXECUTE FUNCTION radscheduler.sender_registration();
COMMENT ON TRIGGER sender_registration ON radscheduler.sender IS 'Keeps the choice of a sender''s site with those who may use every site.';

-- The audit log is written by functions of the extension alone: not by a role with rights on all tables either.
CREATE POLICY no_insert ON radscheduler.audit_event AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_event IS 'Written by functions of the extension only.';
CREATE POLICY no_insert ON radscheduler.audit_seal AS RESTRICTIVE FOR INSERT WITH CHECK (false);
COMMENT ON POLICY no_insert ON radscheduler.audit_seal IS 'Written by functions of the extension only.';
ALTER TABLE radscheduler.audit_era ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY any_row ON radscheduler.audit_era FOR SELECT USING (true);
COMMENT ON POLICY any_row ON radscheduler.audit_era IS 'Read by whoever has the right, written by functions of the extension only.';

-- What the planner knows of a column it tells in its estimates, over all sites: it shall not know what patients are called or have.
DO $$
DECLARE
    v_column record;
BEGIN
    FOR v_column IN
        SELECT c.relname, u.name FROM (VALUES
            ('patient', ARRAY['mrn', 'family_name', 'given_name', 'middle_name', 'suffix', 'display_name', 'birth_date', 'sex', 'phone', 'phone_as_sent']),
            ('patient_identifier', ARRAY['value', 'authority', 'type']),
            ('appointment', ARRAY['filler_id', 'placer_id', 'study_code', 'study_text', 'referring_physician', 'notes', 'reason', 'event_reason', 'visit_number',
                                  'placer_orders', 'filler_orders']),
            ('appointment_service', ARRAY['code', 'name']), ('appointment_history', ARRAY['snapshot']),
            ('hl7_message', ARRAY['raw', 'raw_sha256', 'control_id', 'ack', 'peer']), ('message_key', ARRAY['control_id', 'body_sha256']),
            ('resource_block', ARRAY['reason']), ('legal_hold', ARRAY['reason', 'lift_reason'])) t(name, columns)
        JOIN pg_catalog.pg_class c ON c.relnamespace = 'radscheduler'::regnamespace
             AND (c.relname = t.name OR c.oid IN (SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = pg_catalog.format('radscheduler.%I', t.name)::regclass)),
        LATERAL pg_catalog.unnest(t.columns) u(name)
        WHERE c.relkind IN ('r', 'p')
    LOOP
        EXECUTE pg_catalog.format('ALTER TABLE radscheduler.%I ALTER COLUMN %I SET STATISTICS 0', v_column.relname, v_column.name);
    END LOOP;
END
$$;
DELETE FROM pg_catalog.pg_statistic s USING pg_catalog.pg_attribute a
    WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum AND a.attstattarget = 0
      AND s.starelid IN (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = 'radscheduler'::regnamespace);

-- TRUNCATE of a partition does not fire the parent's trigger.
SELECT radscheduler.audit_partition(i.inhrelid::regclass)
FROM pg_catalog.pg_inherits i WHERE i.inhparent IN ('radscheduler.hl7_message'::regclass, 'radscheduler.event_log'::regclass);
$storage_step$);

INSERT INTO radscheduler.storage_step (version, topic, script) VALUES (13, 'appointments_view', $storage_step$
-- The zone of each row comes from the site the reader may see, in the same scan.

SELECT radscheduler.attach_view('appointments');
CREATE OR REPLACE VIEW radscheduler.appointments WITH (security_invoker = true) AS
SELECT a.appointment_id                                                            AS id,
       p.mrn                                                                       AS patient_id,
       p.display_name                                                              AS patient_name,
       COALESCE(p.phone, p.phone_as_sent)                                          AS patient_phone,
       COALESCE(m.label, a.modality)                                               AS modality,
       a.study_text                                                                AS study_type,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.starts_at)  AS datetime,
       (EXTRACT(epoch FROM a.ends_at - a.starts_at) / 60)::integer                 AS duration,
       a.status::text                                                              AS status,
       a.referring_physician                                                       AS referring_physician,
       a.urgency                                                                   AS urgency,
       a.notes                                                                     AS notes,
       radscheduler.conflicts_of(a.site_id, a.appointment_id)                      AS conflicts,
       a.source                                                                    AS source,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.created_at) AS created_at,
       pg_catalog.timezone(COALESCE(s.timezone, radscheduler.default_zone()), a.updated_at) AS updated_at
FROM radscheduler.appointment a
JOIN radscheduler.site s ON s.site_id = a.site_id
JOIN radscheduler.patient p ON p.site_id = a.site_id AND p.patient_id = a.patient_id
LEFT JOIN radscheduler.modality m ON m.site_id = a.site_id AND m.code = a.modality
WHERE a.status <> 'DELETED';
$storage_step$);
-- Nothing of ours is anybody's by default, but for what reads HL7 and asks about oneself. After this file no function is made.

DO $$
DECLARE
    v_function text;
    v_role     text;
BEGIN
    -- Before there are records nobody was granted anything: what others than PUBLIC hold came by ALTER DEFAULT PRIVILEGES.
    FOR v_function, v_role IN
        SELECT DISTINCT p.oid::regprocedure::text, x.grantee::regrole::text FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) x
        WHERE p.pronamespace = 'radscheduler'::regnamespace AND x.grantee NOT IN (0, p.proowner) AND radscheduler.storage_version() = 0
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM %s', v_function, v_role);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid AND e.extname = 'radscheduler'
        WHERE p.proname NOT LIKE 'hl7%'
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    END LOOP;
END
$$;
SELECT radscheduler.write_rights('GRANT', 'public', 'public');

GRANT USAGE ON SCHEMA radscheduler TO PUBLIC;
GRANT SELECT ON radscheduler.storage_step, radscheduler.modality_catalogue, radscheduler.procedure_catalogue, radscheduler.status_alias, radscheduler.event_rule,
                radscheduler.warning_kind, radscheduler.conflict_kind, radscheduler.phone_region, radscheduler.role_right TO PUBLIC;
-- The records: created with the code, then handed to the database.
SELECT radscheduler.provision();
