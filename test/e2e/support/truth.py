"""What the schedule must be by its own rows, worked out here and not by the database: who takes which time, who came too late, which conflicts
follow from it. Neither the exclusion constraint nor a function of the extension is asked, except for the rules (hours, blocks, pools, ways).

A time that several want belongs to those who claimed it first (moved_at, else booked_at, else created_at; equal claims by number), as many at
once as the subject has places; everybody else is overbooked, and in conflict with each of those in whose way he stands.
"""

from collections import defaultdict

WANTED = """
WITH live AS (
    SELECT a.*, extract(epoch FROM coalesce(a.moved_at, a.booked_at, a.created_at)) AS claim FROM radscheduler.appointment a
    WHERE a.starts_at IS NOT NULL AND (a.status IN ('SCHEDULED', 'CONFIRMED', 'PENDING_REVIEW', 'ARRIVED', 'IN_PROGRESS') OR a.status = 'PENDING' AND a.holds_time))
SELECT l.site_id, l.appointment_id, l.claim, 'resource' AS axis, r.resource_id AS subject, upper(r.kind::text) AS kind, r.capacity,
       extract(epoch FROM coalesce(x.starts_at, l.starts_at)) - 60 * r.setup_minutes AS since, extract(epoch FROM coalesce(x.ends_at, l.ends_at)) + 60 * r.turnover_minutes AS until
FROM live l JOIN radscheduler.appointment_resource x USING (site_id, appointment_id) JOIN radscheduler.resource r USING (site_id, resource_id) WHERE x.status IS NULL
UNION ALL
SELECT l.site_id, l.appointment_id, l.claim, 'patient', l.patient_id, 'PATIENT', 1, extract(epoch FROM coalesce(x.starts_at, l.starts_at)), extract(epoch FROM coalesce(x.ends_at, l.ends_at))
FROM live l LEFT JOIN radscheduler.appointment_service x ON x.site_id = l.site_id AND x.appointment_id = l.appointment_id AND x.status IS NULL WHERE l.patient_id IS NOT NULL
"""

HELD = """
SELECT o.site_id, o.appointment_id, o.axis::text, o.subject_id AS subject, extract(epoch FROM lower(o.buffered)) AS since, extract(epoch FROM upper(o.buffered)) AS until,
       o.lane >= coalesce(r.capacity, 1) AS is_overbooked, o.lane
FROM radscheduler.occupancy o JOIN radscheduler.appointment a USING (site_id, appointment_id)
LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
WHERE a.status NOT IN ('COMPLETED', 'DISCONTINUED', 'NO_SHOW')
"""

CONFLICTS = """
SELECT c.site_id, c.code, c.axis::text, c.subject_id AS subject, c.appointment_id AS flagged, c.other_appointment_id AS holder
FROM radscheduler.conflict c WHERE c.state <> 'resolved' AND c.code LIKE '%_DOUBLE_BOOKED'
"""

# The rules' own word on every appointment at once, against what was noted change by change.
RULES = """
WITH said AS (
    SELECT s.site_id, r.* FROM radscheduler.site s,
         LATERAL radscheduler.rule_conflicts(s.site_id, ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a WHERE a.site_id = s.site_id)) r),
noted AS (SELECT c.* FROM radscheduler.conflict c WHERE c.state <> 'resolved' AND c.code NOT LIKE '%_DOUBLE_BOOKED')
SELECT format('%s of appointment %s is %s', coalesce(s.code, n.code), coalesce(s.appointment_id, n.appointment_id),
              CASE WHEN n.code IS NULL THEN 'not noted' WHEN s.code IS NULL THEN 'noted and not so' ELSE 'noted otherwise' END) AS fault
FROM said s FULL JOIN noted n ON n.site_id = s.site_id AND n.code = s.code AND n.axis = s.axis AND n.subject_id = s.subject_id
     AND n.appointment_id = s.appointment_id AND n.other_appointment_id IS NOT DISTINCT FROM s.other_appointment_id
WHERE (s.severity, s.overlap) IS DISTINCT FROM (n.severity, n.overlap)
"""

REVIEWS = """
SELECT format('appointment %s is %s%s', a.appointment_id, a.status, CASE WHEN c.is_critical THEN ' in a critical conflict' ELSE ' without one' END) AS fault
FROM radscheduler.appointment a, LATERAL (SELECT EXISTS (SELECT FROM radscheduler.conflict c WHERE c.site_id = a.site_id AND c.appointment_id = a.appointment_id
                                                         AND c.state = 'open' AND c.severity = 'critical') AS is_critical) c
WHERE a.status IN ('SCHEDULED', 'CONFIRMED') AND c.is_critical OR a.status = 'PENDING_REVIEW' AND a.review_reason = 'CONFLICT' AND NOT c.is_critical
   OR radscheduler.is_closed(a.status) AND c.is_critical
"""

# Every version once, the last one as it stands.
HISTORY = """
SELECT format('the history of appointment %s ends with version %s, %s; it has version %s, %s', a.appointment_id, h.version, h.snapshot #>> '{appointment,status}', a.version, a.status) AS fault
FROM radscheduler.appointment a
LEFT JOIN LATERAL (SELECT * FROM radscheduler.appointment_history h WHERE h.site_id = a.site_id AND h.appointment_id = a.appointment_id ORDER BY h.version DESC LIMIT 1) h ON true
WHERE h.version IS DISTINCT FROM a.version OR h.snapshot #>> '{appointment,status}' <> a.status::text
   OR a.version <> (SELECT count(*) FROM radscheduler.appointment_history x WHERE x.site_id = a.site_id AND x.appointment_id = a.appointment_id)
"""


def merged(spans):
    """Intervals that meet are one."""
    whole = []
    for since, until in sorted(spans):
        if whole and since <= whole[-1][1]:
            whole[-1][1] = max(whole[-1][1], until)
        else:
            whole.append([since, until])
    return [tuple(span) for span in whole]


def overbooked(intervals, capacity):
    """Those of (claim, appointment, since, until) for whom there is no place when they come."""
    seated, late = [], set()
    for claim, appointment, since, until in sorted(intervals):
        before = [(a, b) for _, _, a, b in seated if a < until and since < b]
        moments = {since, *(a for a, _ in before if a > since)}
        if max(sum(a <= moment < b for a, b in before) for moment in moments) < capacity:
            seated.append((claim, appointment, since, until))
        else:
            late.add((claim, appointment, since, until))
    return late


def expected(rows):
    """(subject -> its intervals with who is overbooked, the conflicts) by what appointments ask for."""
    asked, places, kinds, claims = defaultdict(list), {}, {}, {}
    for row in rows:
        subject = row["site_id"], row["axis"], row["subject"]
        places[subject], kinds[subject], claims[row["appointment_id"]] = row["capacity"], row["kind"], row["claim"]
        if row["since"] < row["until"]:
            asked[subject, row["appointment_id"]].append((row["since"], row["until"]))
    wanted = defaultdict(list)
    for (subject, appointment), spans in asked.items():
        wanted[subject] += [(claims[appointment], appointment, *span) for span in merged(spans)]
    held, conflicts = set(), set()
    for subject, intervals in wanted.items():
        late = overbooked(intervals, places[subject])
        held |= {(subject, appointment, since, until, (claim, appointment, since, until) in late) for claim, appointment, since, until in intervals}
        conflicts |= {
            (f"{kinds[subject]}_DOUBLE_BOOKED", subject, one, other)
            for _, one, since, until in late for claim, other, a, b in intervals
            if (claim, other, a, b) not in late and one != other and a < until and since < b
        }
    return held, conflicts


def faults(rows):
    """Everything in which the records are not what they must be, one sentence each; rows(query) gives dictionaries."""
    held, conflicts = expected(rows(WANTED))
    found = rows(HELD)
    kept = {((row["site_id"], row["axis"], row["subject"]), row["appointment_id"], row["since"], row["until"], row["is_overbooked"]) for row in found}
    noted = {(row["code"], (row["site_id"], row["axis"], row["subject"]), row["flagged"], row["holder"]) for row in rows(CONFLICTS)}
    told = [f"time that is asked for and not held so: {item}" for item in sorted(held - kept)] + [f"time that is held and not asked for so: {item}" for item in sorted(kept - held)]
    told += [f"a conflict that is not noted: {item}" for item in sorted(conflicts - noted)] + [f"a conflict that is noted and is none: {item}" for item in sorted(noted - conflicts)]
    by_lane = defaultdict(list)
    for row in found:
        by_lane[row["site_id"], row["axis"], row["subject"], row["lane"]].append((row["since"], row["until"]))
    told += [f"two at once in lane {lane}" for lane, spans in by_lane.items() for one, other in zip(sorted(spans), sorted(spans)[1:]) if other[0] < one[1]]
    for query in (RULES, REVIEWS, HISTORY):
        told += [row["fault"] for row in rows(query)]
    return told
