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
