-- What test/bench/reading.py compares: the same eight fields read from stored messages, by us and as one would do it without us.
-- Messages: the integration guide's booking (about 327 bytes), and one of about 2 kB with notes and several resources.
CREATE EXTENSION IF NOT EXISTS plpython3u;

CREATE UNLOGGED TABLE short_message AS
SELECT i AS id, E'MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG' || to_char(i, 'FM000000') || E'|P|2.5\rSCH||' || 1000 + i % 9000
       || E'|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\rPID|1||MRN' || 100000 + i % 900000 || E'||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\rRGS|1|A\rAIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\rAIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000\r' AS raw_text
FROM generate_series(1, :messages) i;

CREATE UNLOGGED TABLE long_message AS
SELECT id, replace(raw_text, E'RGS|1|A\r', (SELECT string_agg(E'NTE|' || n || E'|P|Patient was told to arrive early and to bring earlier images, number ' || n || E'\r', '' ORDER BY n) FROM generate_series(1, 15) n)
                   || E'PV1|1|O|RAD^^^MEMORIAL||||1234^SMITH^ANNA^^^DR|||||||||||V' || id || E'\rOBX|1|NM|8302-2^Body height^LN||172|cm|||||F\rOBX|2|NM|29463-7^Body weight^LN||81|kg|||||F\rRGS|1|A\r')
           || (SELECT string_agg(E'AIG|' || n || E'|A|SCANNER' || n || E'^MR scanner number ' || n || E'|MR|||202401151000\r', '' ORDER BY n) FROM generate_series(1, 6) n) AS raw_text
FROM short_message;

ALTER TABLE short_message ADD message radscheduler.hl7;
ALTER TABLE long_message ADD message radscheduler.hl7;
-- Nothing is compressed or stored out of line, so that readers are compared and not what fetches the bytes for them.
ALTER TABLE long_message SET (toast_tuple_target = 8160);
ALTER TABLE short_message ALTER raw_text SET STORAGE external, ALTER message SET STORAGE external;
ALTER TABLE long_message ALTER raw_text SET STORAGE external, ALTER message SET STORAGE external;
UPDATE short_message SET message = raw_text::radscheduler.hl7;
UPDATE long_message SET message = raw_text::radscheduler.hl7;
VACUUM FULL short_message;
VACUUM FULL long_message;
ANALYZE short_message, long_message;

-- str.split, as a script would: no escapes, no repetitions, the first of everything.
CREATE FUNCTION by_python_split(raw text) RETURNS text[] LANGUAGE plpython3u IMMUTABLE AS $$
segments = {}
for line in raw.split("\r"):
    fields = line.split("|")
    segments.setdefault(fields[0], fields)
def get(name, field, component):
    fields = segments.get(name)
    if fields is None or len(fields) <= field:
        return None
    parts = fields[field].split("^")
    return parts[component - 1] if len(parts) >= component and parts[component - 1] else None
return [get("MSH", 8, 2), get("MSH", 9, 1), get("SCH", 2, 1), get("SCH", 11, 4), get("PID", 3, 1), get("PID", 5, 1), get("PID", 13, 1), get("AIS", 3, 2)]
$$;

-- The library: escapes and repetitions are dealt with.
CREATE FUNCTION by_python_hl7(raw text) RETURNS text[] LANGUAGE plpython3u IMMUTABLE AS $$
import hl7
message = hl7.parse(raw)
def get(name, field, component):
    try:
        value = message.extract_field(name, 1, field, 1, component)
    except (KeyError, IndexError):
        return None
    return value or None
return [get("MSH", 9, 2), get("MSH", 10, 1), get("SCH", 2, 1), get("SCH", 11, 4), get("PID", 3, 1), get("PID", 5, 1), get("PID", 13, 1), get("AIS", 3, 2)]
$$;

CREATE FUNCTION by_string_to_array(raw text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    line   text;
    fields text[];
    found  text[] := array_fill(NULL::text, ARRAY[8]);
BEGIN
    FOREACH line IN ARRAY string_to_array(raw, E'\r') LOOP
        fields := string_to_array(line, '|');
        CASE fields[1]
            WHEN 'MSH' THEN
                found[1] := nullif(split_part(fields[9], '^', 2), '');
                found[2] := nullif(fields[10], '');
            WHEN 'SCH' THEN
                found[3] := nullif(split_part(fields[3], '^', 1), '');
                found[4] := nullif(split_part(fields[12], '^', 4), '');
            WHEN 'PID' THEN
                found[5] := nullif(split_part(fields[4], '^', 1), '');
                found[6] := nullif(split_part(fields[6], '^', 1), '');
                found[7] := nullif(split_part(fields[14], '^', 1), '');
            WHEN 'AIS' THEN
                found[8] := coalesce(found[8], nullif(split_part(fields[4], '^', 2), ''));
            ELSE NULL;
        END CASE;
    END LOOP;
    RETURN found;
END
$$;

CREATE FUNCTION by_regexp(raw text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY[(regexp_match(raw, '^MSH(?:\|[^|\r]*){7}\|[^|^\r]*\^([^|^\r]+)'))[1], (regexp_match(raw, '^MSH(?:\|[^|\r]*){8}\|([^|^\r]+)'))[1],
                 (regexp_match(raw, '\rSCH(?:\|[^|\r]*){1}\|([^|^\r]+)'))[1], (regexp_match(raw, '\rSCH(?:\|[^|\r]*){10}\|(?:[^|^\r]*\^){3}([^|^\r]+)'))[1],
                 (regexp_match(raw, '\rPID(?:\|[^|\r]*){2}\|([^|^~\r]+)'))[1], (regexp_match(raw, '\rPID(?:\|[^|\r]*){4}\|([^|^~\r]+)'))[1],
                 (regexp_match(raw, '\rPID(?:\|[^|\r]*){12}\|([^|^~\r]+)'))[1], (regexp_match(raw, '\rAIS(?:\|[^|\r]*){2}\|[^|^\r]*\^([^|^\r]+)'))[1]]
$$;
