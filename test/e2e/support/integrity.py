"""What must hold in the records whatever happened, asked in SQL without the constraints that enforce it."""

import itertools

# Sorted by begin, any overlap shows between neighbours.
OVERLAPS = """
SELECT count(*) FROM (
    SELECT lower(buffered) < lag(upper(buffered)) OVER (PARTITION BY site_id, axis, subject_id, lane ORDER BY lower(buffered)) AS taken_twice
    FROM radscheduler.occupancy) o
WHERE taken_twice
"""

UNFLAGGED = """
SELECT count(*) FROM radscheduler.occupancy o
LEFT JOIN radscheduler.resource r ON o.axis = 'resource' AND r.site_id = o.site_id AND r.resource_id = o.subject_id
WHERE o.lane >= coalesce(r.capacity, 1)
  AND NOT EXISTS (SELECT FROM radscheduler.conflict c
                  WHERE c.site_id = o.site_id AND c.axis = o.axis AND c.subject_id = o.subject_id AND c.state <> 'resolved'
                    AND o.appointment_id IN (c.appointment_id, c.other_appointment_id))
"""

# Each appointment is told exactly once, in the transaction that made it.
UNTOLD = """
SELECT count(*) FROM radscheduler.appointment a
LEFT JOIN (SELECT site_id, appointment_id, count(*) AS times FROM radscheduler.event_log WHERE type = 'appointment.created' GROUP BY 1, 2) e
    USING (site_id, appointment_id)
WHERE e.times IS DISTINCT FROM 1
"""


def check_integrity(tally, database):
    for what, query in (
        ("no two bookings stand in one lane at one time", OVERLAPS),
        ("every overbooked lane has a conflict", UNFLAGGED),
        ("every appointment was told once", UNTOLD),
    ):
        found = database.value(query)
        tally.check(what, found == 0, f"{found} times" if found else "")


def check_logs(tally, leaks, cluster, daemon):
    """No patient of the run stands in a log of the daemon or of PostgreSQL. Logs may be larger than memory."""
    for name, log in (("the daemon's log", daemon.log), ("PostgreSQL's log", cluster.log)):
        size, found = 0, set()
        with log.open(encoding="utf-8", errors="replace") as lines:
            while part := "".join(itertools.islice(lines, 100_000)):
                size += len(part)
                found.update(leaks(part))
        tally.check(f"{name} names no patient", size and not found, f"{len(found)} values of patients" if found else "" if size else "it is empty")
