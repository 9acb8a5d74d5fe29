-- Tables of the pages that are made from code tables: a key, a preset or a warning that is added or changed without its line is found here.
\set senders `cat "$PG_ABS_SRCDIR"/docs/senders.md`
\set ris `cat "$PG_ABS_SRCDIR"/docs/ris.md`
\pset format unaligned
\pset tuples_only on
CREATE TEMP VIEW key_line AS
SELECT k.place, format('| `%s` | %s | %s | %s |', k.key, CASE k.shape
        WHEN 'zone' THEN 'an IANA name' WHEN 'charset' THEN 'a name of HL7 table 0211, or its usual spelling' WHEN 'region' THEN 'a code of `phone_region`' WHEN 'preset' THEN 'a name of `profile_preset`'
        WHEN 'word' THEN (SELECT string_agg('`' || w || '`', ', ' ORDER BY n) FROM unnest(k.words) WITH ORDINALITY u(w, n)) WHEN 'boolean' THEN '`true`, `false`' WHEN 'text' THEN 'text'
        WHEN 'path' THEN 'path of a field' WHEN 'id_paths' THEN 'a path, or up to five'
        WHEN 'words' THEN 'list of ' || (SELECT string_agg('`' || w || '`', ', ' ORDER BY n) FROM unnest(k.words) WITH ORDINALITY u(w, n))
        WHEN 'event_map' THEN 'object: event and one of ' || (SELECT string_agg('`' || w || '`', ', ' ORDER BY n) FROM unnest(k.words) WITH ORDINALITY u(w, n)) END,
    CASE WHEN k.default_value IS NULL THEN '' ELSE format('`%s`', k.default_value) END, k.meaning) AS line
FROM radscheduler.profile_key k;
CREATE TEMP VIEW preset_line AS SELECT format('| `%s` | `%s` | %s |', p.name, p.profile, p.meaning) AS line FROM radscheduler.profile_preset p;
-- Lines that docs/senders.md lacks; copy them there.
SELECT k.line FROM key_line k WHERE strpos(:'senders', k.line) = 0 ORDER BY k.place;
SELECT p.line FROM preset_line p WHERE strpos(:'senders', p.line) = 0;
-- Keys it tells of that there are not, and its lines in another order.
SELECT m[1] AS unknown FROM regexp_matches(:'senders', '\n\| `([a-z_0-9]+)` \| [^|]+ \| [^|]* \| [^|]+ \|', 'g') m WHERE m[1] NOT IN (SELECT key FROM radscheduler.profile_key);
SELECT k.line AS out_of_order FROM (SELECT line, strpos(:'senders', line) < lag(strpos(:'senders', line)) OVER (ORDER BY place) AS is_early FROM key_line) k WHERE k.is_early AND strpos(:'senders', k.line) > 0;
-- Warnings of the rules that docs/ris.md does not list.
SELECT w.code FROM radscheduler.warning_kind w WHERE :'ris' !~ ('`' || w.code || '`') ORDER BY 1;
\pset tuples_only off
\pset format aligned
