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
