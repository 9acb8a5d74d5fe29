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

CREATE FUNCTION radscheduler.hl7_response(original bytea, code text, control_id text, stamp text, note text,
                                          error_codes text[], error_paths text[], error_severities text[], error_texts text[], charset text,
                                          message_code text, structure text, segments text[]) RETURNS bytea
    AS 'MODULE_PATHNAME', 'rad_hl7_response' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 40;
COMMENT ON FUNCTION radscheduler.hl7_response(bytea, text, text, text, text, text[], text[], text[], text[], text, text, text, text[]) IS
    'hl7_answer() as an application''s response of its own, such as SRR^S01^SRR_S01: message_code and structure make MSH-9, and segments (texts in the usual delimiters |^~\&) follow MSA and ERR, written in the sender''s delimiters and charset. Where the sender asks for an accept acknowledgement, that is the answer, an ACK without them. Under 1,000 bytes apart from the segments.';

CREATE FUNCTION radscheduler.hl7_validate(message radscheduler.hl7, OUT severity text, OUT path text, OUT code text, OUT sentence text) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'rad_hl7_validate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200 ROWS 5;
COMMENT ON FUNCTION radscheduler.hl7_validate(radscheduler.hl7) IS
    'What a message breaks of the HL7 rules that matter to scheduling, in the order of its places: severity (error, warning, information), path, code (HL7 table 0357), a sentence without values of the message. Checked: MSH, names and order of segments (SIU groups), required fields by version, data types, tables, lengths, repetitions, escapes, control characters. No rows: nothing was found. At most 1,000 and one that says so.';
