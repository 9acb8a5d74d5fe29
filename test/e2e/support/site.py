"""A database as a site has it after some time: two sites, messages of every outcome, bookings, conflicts, rights; and things the site
made itself in and around our tables. Works with every released version, so that upgrades start from the same place as fresh installations.
"""

import contextlib
import itertools

import psycopg2

from .messages import Booking, Patient, free_day
from .services import DAEMON_ROLE

ROLES = ("e2e_desk", "e2e_analyst", "e2e_feed", "e2e_own", DAEMON_ROLE)

_scanners = itertools.count(1)


def make_roles(cluster):
    """The roles of the grants below; roles belong to the cluster and are in no dump."""
    for role in ROLES:
        with contextlib.suppress(psycopg2.errors.DuplicateObject):
            cluster.admin(f"CREATE ROLE {role} LOGIN")


def ingest(database, message):
    """The outcome of one message."""
    if isinstance(message, str):
        message = message.encode()
    return database.value("SELECT outcome FROM radscheduler.ingest(%s, 'mllp', '192.0.2.1:4711')", message)


def book(database, start=None, site="MAIN"):
    """Books through the view as an application does; the new id."""
    patient = Patient()
    database.execute("SELECT set_config('radscheduler.site', %s, false)", site)
    number = database.value(
        "INSERT INTO radscheduler.appointments (patient_id, patient_name, patient_phone, modality, study_type, datetime)"
        " VALUES (%s, %s, %s, 'MRI', 'MRI BRAIN', %s) RETURNING id", patient.mrn, patient.display, patient.phone, start or free_day())
    database.execute("RESET radscheduler.site")
    return number


def has_function(database, name):
    return database.value("SELECT count(*) > 0 FROM pg_proc WHERE pronamespace = 'radscheduler'::regnamespace AND proname = %s", name)


def fill(database):
    """Rows in every record table that something writes to; returns a message that was applied."""
    database.execute("UPDATE radscheduler.site SET name = 'North Hospital', timezone = 'America/New_York' WHERE code = 'MAIN'")
    database.execute("SELECT radscheduler.create_site('SOUTH', 'South campus', 'Europe/London')")
    database.execute("INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility)"
                     " SELECT site_id, 'SOUTHRIS', 'SOUTH' FROM radscheduler.site WHERE code = 'SOUTH'")
    start, scanner = free_day(), f"MR{next(_scanners)}"
    first = Booking(start=start, scanner=scanner, room="ROOM9", technologist="T77")
    message = first.message()
    assert ingest(database, message) == "applied"
    assert ingest(database, Booking(start=start, scanner=scanner, room="ROOM9").message()) == "flagged"
    assert ingest(database, Booking(start=start, scanner=scanner).message()) == "flagged"
    assert ingest(database, message) == "duplicate"
    assert ingest(database, Booking().message("S99")) == "rejected"
    assert ingest(database, b"no message at all") == "rejected"
    cancelled = Booking()
    assert ingest(database, cancelled.message()) == "applied"
    assert ingest(database, cancelled.message("S15", "CANCELLED")) == "applied"
    assert ingest(database, Booking(application="SOUTHRIS", facility="SOUTH", scanner="CT5").message()) == "applied"
    book(database)
    book(database, site="SOUTH")
    database.execute("INSERT INTO radscheduler.resource_block (site_id, resource_id, during, reason)"
                     " SELECT site_id, resource_id, '[2031-01-01, 2031-01-02)', 'service' FROM radscheduler.resource ORDER BY resource_id LIMIT 1")
    if has_function(database, "queue_siu"):
        database.execute("INSERT INTO radscheduler.link (site_id, name, receiving_application) SELECT site_id, 'PACS', 'PACS' FROM radscheduler.site")
        book(database)
    if has_function(database, "apply_adt"):
        block_order_merge(database)
    database.execute("SELECT radscheduler.relay_advance('redis', (SELECT max(f.cursor) FROM radscheduler.relay_fetch('redis', 3) f))")
    if has_function(database, "grant_role"):
        grant_roles(database)
    if has_function(database, "place_hold"):
        database.execute("SET radscheduler.site = 'MAIN'")
        database.execute("SELECT radscheduler.place_hold('case 7', %s)", first.patient.mrn)
        database.execute("RESET radscheduler.site")
    add_old_month(database)
    database.execute("SELECT radscheduler.maintain()")
    # Behind the last seal, where there are seals.
    assert ingest(database, Booking().message()) == "applied"
    return message


def block_order_merge(database):
    """A sender's block, an order and a merge."""
    for event, segments in (("SIU^S23", "SCH||BLOCK1|||||||60|MIN|^^60^203102031000\rAIG|1||CT5"),
                            ("ORM^O01", f"PID|1||{Patient().mrn}||ORDERED^OLIVE\rORC|NW|P1\rOBR|1|||CT002^CT CHEST"),
                            ("ADT^A40", f"PID|1||{Patient().mrn}\rMRG|{Patient().mrn}")):
        assert ingest(database, f"MSH|^~\\&|EVENTS|NORTH|RADSCHED|RAD|20260101080000||{event}|E{event[-2:]}|P|2.5\r{segments}") == "applied"
    kept, given = Booking(), Booking()
    assert [ingest(database, booking.message()) for booking in (kept, given)] == ["applied", "applied"]
    assert ingest(database, f"MSH|^~\\&|EVENTS|NORTH|RADSCHED|RAD|20260101080000||ADT^A40|E2|P|2.5\rPID|1||{kept.patient.mrn}\rMRG|{given.patient.mrn}") == "applied"


def grant_roles(database):
    for kind, role in (("scheduler", "e2e_desk"), ("analyst", "e2e_analyst"), ("ingest", "e2e_feed"), ("reader", "e2e_feed")):
        database.execute("SELECT radscheduler.grant_role(%s, %s)", kind, role)
    for role, site in (("e2e_desk", "MAIN"), ("e2e_analyst", "*"), ("e2e_feed", "SOUTH")):
        database.execute("SELECT radscheduler.grant_site(%s, %s)", role, site)


def add_old_month(database):
    """A partition from long ago, as a database has that was at work then, with a row."""
    bounds = "FOR VALUES FROM ('2025-01-01 00:00Z') TO ('2025-02-01 00:00Z')"
    if has_function(database, "make_partition"):
        database.execute("SELECT radscheduler.make_partition('hl7_message', 'hl7_message_202501', %s, 'Rows of hl7_message of one month (UTC).')", bounds)
    else:
        # As maintain() of version 0.1 made them.
        database.execute("CREATE TABLE radscheduler.hl7_message_202501 (LIKE radscheduler.hl7_message INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)")
        database.execute("COMMENT ON TABLE radscheduler.hl7_message_202501 IS 'Rows of hl7_message of one month (UTC).'")
        database.execute(f"ALTER TABLE radscheduler.hl7_message ATTACH PARTITION radscheduler.hl7_message_202501 {bounds}")
    database.execute("INSERT INTO radscheduler.hl7_message (site_id, received_at, channel, raw, raw_sha256, outcome, code, ack)"
                     " VALUES (1, '2025-01-10 10:00Z', 'sql', 'x', 'x', 'rejected', 'AR', '')")


# What a site adds to our tables and beside them. Every name begins with my_, so that support/catalogue.py knows them.
_OWN = (
    "ALTER TABLE radscheduler.appointment ADD COLUMN my_note text",
    "UPDATE radscheduler.appointment SET my_note = 'note of ' || appointment_id",
    "ALTER TABLE radscheduler.appointment ADD CONSTRAINT my_check CHECK (my_note <> 'forbidden')",
    "CREATE INDEX my_index ON radscheduler.appointment (lower(study_text)) WITH (fillfactor = 71)",
    "COMMENT ON INDEX radscheduler.my_index IS 'Search by text.'",
    "COMMENT ON COLUMN radscheduler.appointment.my_note IS 'What the desk wrote down.'",
    "ALTER TABLE radscheduler.appointment SET (fillfactor = 83, autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE radscheduler.appointment ALTER COLUMN urgency SET STATISTICS 500",
    "CREATE STATISTICS radscheduler.my_statistics (dependencies) ON modality, status FROM radscheduler.appointment",
    "CREATE POLICY my_policy ON radscheduler.appointment FOR SELECT USING (my_note = 'public')",
    "CREATE SCHEMA my_schema",
    "CREATE VIEW my_schema.my_view AS SELECT id, modality, datetime, conflicts FROM radscheduler.appointments WHERE status <> 'CANCELLED'",
    "COMMENT ON VIEW my_schema.my_view IS 'The board.'",
    "CREATE TABLE my_schema.my_archive (site_id integer, appointment_id bigint, message radscheduler.hl7, state radscheduler.appointment_status,"
    " FOREIGN KEY (site_id, appointment_id) REFERENCES radscheduler.appointment ON DELETE CASCADE)",
    "INSERT INTO my_schema.my_archive SELECT m.site_id, m.appointment_id, convert_from(m.raw, 'UTF8')::radscheduler.hl7, a.status"
    " FROM radscheduler.hl7_message m JOIN radscheduler.appointment a USING (site_id, appointment_id)",
    "CREATE FUNCTION my_schema.my_stamp() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN NEW.my_note := coalesce(NEW.my_note, 'new'); RETURN NEW; END $$",
    "CREATE TRIGGER my_trigger BEFORE INSERT ON radscheduler.appointment FOR EACH ROW EXECUTE FUNCTION my_schema.my_stamp()",
    "CREATE PUBLICATION my_publication FOR TABLE radscheduler.appointment, radscheduler.hl7_message",
)

# Rights it gives without grant_role(), among them what docs/dba.md of version 0.1 said the daemon's role needs.
_OWN_RIGHTS = (
    "GRANT USAGE, CREATE ON SCHEMA radscheduler TO e2e_own",
    "GRANT SELECT ON radscheduler.storage_step, radscheduler.event_rule TO e2e_own",
    "GRANT UPDATE (notes) ON radscheduler.appointment TO e2e_own",
    "GRANT SELECT ON radscheduler.appointment, my_schema.my_view TO e2e_own",
    "GRANT EXECUTE ON FUNCTION radscheduler.ingest(bytea, text, text) TO e2e_own",
)


def extend(database):
    """Makes the site's own things."""
    for statement in _OWN:
        database.execute(statement)
    grant_own_rights(database)


def grant_own_rights(database):
    for statement in _OWN_RIGHTS:
        database.execute(statement)
