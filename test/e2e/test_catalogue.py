"""The comparison that the tests of backup and upgrade rest on notices every kind of change; one that cannot see would always be content."""

import pytest

from support.catalogue import catalogue, differences
from support.services import Database
from support.site import extend, make_roles

# (kind, change): each is made on top of those before it.
CHANGES = [
    ("function", "ALTER FUNCTION radscheduler.health() COST 7"),
    ("function", "ALTER FUNCTION radscheduler.maintain() SECURITY INVOKER"),
    ("function", "ALTER FUNCTION radscheduler.caller() VOLATILE"),
    ("function", "ALTER FUNCTION radscheduler.health() PARALLEL RESTRICTED"),
    ("function", "ALTER FUNCTION radscheduler.relay_fetch ROWS 5"),
    ("function", "ALTER FUNCTION radscheduler.maintain() SET work_mem = '5MB'"),
    ("function", "GRANT EXECUTE ON FUNCTION radscheduler.maintain() TO PUBLIC"),
    ("function", "COMMENT ON FUNCTION radscheduler.health() IS 'other'"),
    ("function", "DROP FUNCTION my_schema.my_stamp() CASCADE"),
    ("type", "ALTER TYPE radscheduler.appointment_status ADD VALUE 'OTHER' AFTER 'PENDING'"),
    ("type", "COMMENT ON TYPE radscheduler.hl7 IS 'other'"),
    ("operator", "ALTER OPERATOR radscheduler.= (radscheduler.hl7, radscheduler.hl7) SET (RESTRICT = NONE)"),
    ("row", "DELETE FROM radscheduler.event_rule WHERE ctid = (SELECT min(ctid) FROM radscheduler.event_rule)"),
    ("event trigger", "ALTER EVENT TRIGGER radscheduler_drop_guard DISABLE"),
    ("member", "ALTER EXTENSION radscheduler DROP TABLE radscheduler.event_rule"),
    ("initial rights", "ALTER EXTENSION radscheduler ADD TABLE radscheduler.event_rule"),
    ("column", "ALTER TABLE radscheduler.patient ALTER COLUMN phone SET NOT NULL"),
    ("column", "ALTER TABLE radscheduler.resource ALTER COLUMN capacity SET DEFAULT 2"),
    ("column", "ALTER VIEW radscheduler.appointments ALTER COLUMN duration SET DEFAULT 45"),
    ("column", "ALTER TABLE radscheduler.patient ALTER COLUMN phone SET STATISTICS 7"),
    ("column", "GRANT UPDATE (phone) ON radscheduler.patient TO e2e_own"),
    ("column", "COMMENT ON COLUMN radscheduler.patient.phone IS 'other'"),
    ("column", "ALTER TABLE radscheduler.audit_seal ALTER COLUMN event_digests SET STORAGE EXTENDED"),
    ("constraint", "ALTER TABLE radscheduler.appointment DROP CONSTRAINT my_check"),
    ("constraint", "ALTER TABLE radscheduler.appointment ADD CONSTRAINT my_check CHECK (my_note <> 'forbidden') NOT VALID"),
    ("index", "ALTER INDEX radscheduler.my_index SET (fillfactor = 72)"),
    ("index", "DROP INDEX radscheduler.my_index"),
    ("trigger", "ALTER TABLE radscheduler.audit_seal ENABLE TRIGGER append_only"),
    ("trigger", "ALTER TABLE radscheduler.patient DISABLE TRIGGER audit_change"),
    ("foreign key trigger", "ALTER TABLE radscheduler.conflict DISABLE TRIGGER ALL"),
    ("policy", "ALTER POLICY site_rows ON radscheduler.patient USING (true)"),
    ("policy", "DROP POLICY site_rows ON radscheduler.hl7_message_default"),
    ("relation", "ALTER TABLE radscheduler.patient NO FORCE ROW LEVEL SECURITY"),
    ("relation", "ALTER TABLE radscheduler.patient DISABLE ROW LEVEL SECURITY"),
    ("relation", "ALTER TABLE radscheduler.appointment SET (fillfactor = 84)"),
    ("relation", "ALTER TABLE radscheduler.appointment REPLICA IDENTITY FULL"),
    ("relation", "ALTER VIEW radscheduler.appointments SET (security_invoker = false)"),
    ("relation", "CREATE OR REPLACE VIEW my_schema.my_view AS SELECT id, modality, datetime, conflicts FROM radscheduler.appointments"),
    ("relation", "ALTER TABLE radscheduler.hl7_message DETACH PARTITION radscheduler.hl7_message_default"),
    ("relation", "GRANT SELECT ON radscheduler.patient TO e2e_own"),
    ("relation", "ALTER TABLE radscheduler.patient OWNER TO e2e_own"),
    ("relation", "COMMENT ON TABLE radscheduler.patient IS 'other'"),
    ("sequence", "ALTER SEQUENCE radscheduler.event_seq INCREMENT 2"),
    ("sequence", "ALTER SEQUENCE radscheduler.event_seq OWNED BY NONE"),
    ("statistics", "ALTER STATISTICS radscheduler.my_statistics SET STATISTICS 9"),
    ("publication", "ALTER PUBLICATION my_publication DROP TABLE radscheduler.hl7_message"),
    ("schema", "REVOKE USAGE ON SCHEMA radscheduler FROM PUBLIC"),
    ("default rights", "ALTER DEFAULT PRIVILEGES IN SCHEMA radscheduler GRANT SELECT ON TABLES TO e2e_own"),
]


@pytest.fixture(scope="module")
def database(cluster):
    make_roles(cluster)
    database = Database.create(cluster, "catalogue_changes")
    extend(database)
    yield database
    database.execute("DROP OWNED BY e2e_own CASCADE")
    database.close()


def test_a_database_is_like_itself(database):
    assert differences(catalogue(database), catalogue(database)) == []


@pytest.mark.parametrize(("kind", "change"), CHANGES, ids=lambda value: value[:60])
def test_change_is_noticed(database, kind, change):
    before = catalogue(database)
    database.execute(change)
    assert any(line.removeprefix("only left: ").removeprefix("only right: ").startswith(f"{kind} ") for line in differences(before, catalogue(database)))
