"""The schedule as anybody outside sees it, by external ids only: what two orders of arrival are compared by; and whether it is what it should be
by its own rows, asked in SQL that uses neither the constraint nor the functions that keep it."""

import json

# Only the newest generation of an identifier, unless all are asked for: how many there were before depends on whether the messages between them
# were seen in time. Which of several legal places of a subject an interval stands in is nobody's concern; whether one is legal is, and how far beyond.
BOARD = """
WITH generation AS (
    SELECT a.*, coalesce(a.filler_id, a.placer_id) || CASE WHEN %(all)s THEN '/' || a.generation ELSE '' END AS key,
           max(a.generation) OVER (PARTITION BY a.site_id, a.sender_id, coalesce(a.filler_id, a.placer_id)) AS last
    FROM radscheduler.appointment a),
newest AS (SELECT * FROM generation g WHERE %(all)s OR g.generation = g.last),
subject AS (
    SELECT 'resource'::radscheduler.axis AS axis, r.site_id, r.resource_id AS id, r.kind || ' ' || r.code AS name, r.capacity FROM radscheduler.resource r
    UNION ALL SELECT 'patient', p.site_id, p.patient_id, p.mrn, 1 FROM radscheduler.patient p
    UNION ALL SELECT 'resource', s.site_id, 0, 'the site', 1 FROM radscheduler.site s)
SELECT jsonb_build_object(
    'appointments', (SELECT jsonb_object_agg(n.key, jsonb_build_object(
            'status', n.status, 'review', n.review_reason, 'resume', n.resume_status, 'starts', n.starts_at, 'ends', n.ends_at, 'patient', p.mrn, 'modality', n.modality,
            'study', n.study_text, 'notes', n.notes, 'overbook', n.is_overbook, 'pooled', n.is_pooled, 'filler', n.filler_id, 'placer', n.placer_id, 'reason', n.event_reason,
            'services', (SELECT jsonb_agg(jsonb_build_array(s.code, s.starts_at, s.ends_at, s.status) ORDER BY s.code, s.starts_at, s.position)
                         FROM radscheduler.appointment_service s WHERE s.site_id = n.site_id AND s.appointment_id = n.appointment_id),
            'resources', (SELECT jsonb_agg(jsonb_build_array(r.segment, u.name, r.role, r.starts_at, r.ends_at, r.status) ORDER BY r.segment, u.name, r.starts_at, r.position)
                          FROM radscheduler.appointment_resource r JOIN subject u ON u.axis = 'resource' AND u.site_id = r.site_id AND u.id = r.resource_id
                          WHERE r.site_id = n.site_id AND r.appointment_id = n.appointment_id)))
        FROM newest n LEFT JOIN radscheduler.patient p ON p.site_id = n.site_id AND p.patient_id = n.patient_id),
    'occupancy', (SELECT jsonb_agg(concat_ws(' ', u.name, CASE WHEN o.lane < u.capacity THEN 'legal' ELSE 'overbooked lane ' || o.lane END, o.during, 'buffered', o.buffered, 'by', n.key) ORDER BY u.name, o.during, n.key)
        FROM radscheduler.occupancy o JOIN newest n USING (site_id, appointment_id) JOIN subject u ON u.axis = o.axis AND u.site_id = o.site_id AND u.id = o.subject_id),
    'conflicts', (SELECT jsonb_agg(concat_ws(' ', c.severity, c.code, u.name, c.overlap, n.key, 'with', coalesce(m.key, 'nobody')) ORDER BY c.code, u.name, n.key, m.key)
        FROM radscheduler.conflict c JOIN newest n ON n.site_id = c.site_id AND n.appointment_id = c.appointment_id
        LEFT JOIN newest m ON m.site_id = c.site_id AND m.appointment_id = c.other_appointment_id
        JOIN subject u ON u.axis = c.axis AND u.site_id = c.site_id AND u.id = c.subject_id WHERE c.state = 'open'))::text
"""


def board(cursor, all_generations=False):
    cursor.execute(BOARD, {"all": all_generations})
    return json.loads(cursor.fetchone()[0])


def differences(expected, found):
    """What differs between two boards, one line each."""
    lines = []
    for key in sorted({*(expected["appointments"] or {}), *(found["appointments"] or {})}):
        one, other = ((side["appointments"] or {}).get(key) or {} for side in (expected, found))
        lines += [f"{key}.{name}: {one.get(name)} <> {other.get(name)}" for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    for part in ("occupancy", "conflicts"):
        one, other = (set(side[part] or ()) for side in (expected, found))
        lines += [f"{part}: only in order: {line}" for line in sorted(one - other)] + [f"{part}: only found: {line}" for line in sorted(other - one)]
    return lines
