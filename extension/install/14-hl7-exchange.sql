-- Times, validation, batches and acknowledgements.

CREATE FUNCTION radscheduler.hl7_timestamp(value text, OUT instant timestamptz, OUT wall timestamp, OUT "precision" text, OUT utc_offset integer,
                                           OUT warning text, OUT sentence text)
    AS 'MODULE_PATHNAME', 'rad_hl7_timestamp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_timestamp(text) IS
    'An HL7 date or time (TS, DTM: YYYY[MM[DD[HH[MM[SS[.f]]]]]][+/-ZZZZ]): the instant if it carries an offset, the wall clock as sent (start of the period), the precision (year to second), the offset in minutes. warning is TIME_UNREADABLE (all else NULL), TIME_WITHOUT_ZONE or TIME_ROLLED; sentence says what is wrong. Never raises for a bad time.';

CREATE FUNCTION radscheduler.hl7_timestamp(value text, zone text, OUT instant timestamptz, OUT wall timestamp, OUT "precision" text, OUT utc_offset integer,
                                           OUT warning text, OUT sentence text)
    AS 'MODULE_PATHNAME', 'rad_hl7_timestamp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION radscheduler.hl7_timestamp(text, text) IS
    'hl7_timestamp() for a time that is read in the given IANA zone unless it carries an offset. warning is also TIME_IN_DST_GAP (the time does not exist that day; moved past the gap) or TIME_AMBIGUOUS (it exists twice; the first was taken). Raises 22023 for an unknown zone.';
