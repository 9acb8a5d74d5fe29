-- The tables of docs/rules.md are the code tables of the clinical rules: a rule, a parameter or a gap that is added or changed without its line is found here.
\set rules `cat "$PG_ABS_SRCDIR"/docs/rules.md`
\pset format unaligned
\pset tuples_only on
CREATE TEMP VIEW rule_line AS
SELECT 1 AS part, k.code AS place, format('| `%s` | %s | %s | %s | %s |', k.code, k.question, k.severity, k.if_unknown, CASE WHEN k.needs_fact THEN 'yes' ELSE 'no' END) AS line FROM radscheduler.rule_kind k WHERE k.question IS NOT NULL
UNION ALL
SELECT 2, p.code || ' ' || p.name, format('| `%s` | `%s` | %s | `%s` | %s |', p.code, p.name, p.shape, p.default_value, p.meaning) FROM radscheduler.rule_parameter p
UNION ALL
SELECT 3, g.name, format('| `%s` | %s%s | %s | %s | %s |', g.name, coalesce(array_to_string(g.first_modalities, ', '), 'any'), CASE WHEN g.first_contrast THEN ' with contrast' ELSE '' END, coalesce(array_to_string(g.second_modalities, ', '), 'any'),
                         CASE WHEN g.minutes % 1440 = 0 THEN g.minutes / 1440 || ' d' ELSE g.minutes || ' min' END, g.reason) FROM radscheduler.exam_gap g;
-- Lines that docs/rules.md lacks; copy them there.
SELECT l.line FROM rule_line l WHERE strpos(:'rules', l.line) = 0 ORDER BY l.part, l.place COLLATE "C";
-- Rules, parameters and gaps it tells of that there are not.
SELECT m[1] AS unknown FROM regexp_matches(:'rules', '\n\| `([A-Z][A-Z_]+)` \|', 'g') m WHERE m[1] NOT IN (SELECT code FROM radscheduler.rule_kind WHERE question IS NOT NULL UNION ALL SELECT name FROM radscheduler.exam_gap);
SELECT m[1] AS unknown, m[2] AS parameter FROM regexp_matches(:'rules', '\n\| `([A-Z_]+)` \| `([a-z_]+)` \|', 'g') m WHERE (m[1], m[2]) NOT IN (SELECT code, name FROM radscheduler.rule_parameter);
-- The defaults that are used are those that are told of.
SELECT k.code FROM radscheduler.rule_kind k WHERE k.parameters <> coalesce((SELECT jsonb_object_agg(p.name, p.default_value) FROM radscheduler.rule_parameter p WHERE p.code = k.code), '{}');
-- Every default is a value that the site could have written.
SELECT p.code, radscheduler.rule_parameters_fault(p.code, jsonb_build_object(p.name, p.default_value)) AS fault FROM radscheduler.rule_parameter p WHERE radscheduler.rule_parameters_fault(p.code, jsonb_build_object(p.name, p.default_value)) IS NOT NULL;
\pset tuples_only off
\pset format aligned
