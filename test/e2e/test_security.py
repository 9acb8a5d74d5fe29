"""The table of docs/security.md is what the catalogues say, and each of its cells is tried: with two sites, as each kind of role.

What a role may do works and touches its own site only; what it may not do is refused. sql/50_access.sql tries the ways around.
"""

import psycopg2
import psycopg2.errors
import pytest

from support.api_calls import API_CALLS
from support.rights import DOCUMENT, KINDS, LETTERS, documented, objects, rights, table
from support.services import Database

NAME = "security"
OWN, OTHER = "OWN", "ELSEWHERE"
MESSAGE = (r"MSH|^~\&|SECRIS|{site}|RADSCHED|RAD|20260101||SIU^S12|{site}1|P|2.5\rSCH||S{site}|||||||30|MIN|^^30^203105051000"
           r"\rPID|1||SEC{site}||{site}^PERSON\rAIS|1|A|CT002^CT CHEST\rAIG|1|A|SCAN{site}")

# How each function that somebody may call is called so that it works; {site} is the caller's, {other} the other one's id.
CALLS = {
    "accept_conflict": "(SELECT c.conflict_id AS id FROM radscheduler.conflict c WHERE c.site_id = {site} AND c.state = 'open' LIMIT 1) c, radscheduler.accept_conflict(c.id, 'both fit')",
    "act_as": "radscheduler.act_as(NULL, 'key:x', NULL, NULL)",
    "acting": "radscheduler.acting()",
    "add_procedure": "radscheduler.add_procedure('NEW3', 'New', 'CT', aliases => '{{NEW4}}')",
    "add_resource": "radscheduler.add_resource('NEW', 'New', 'equipment', 'CT')",
    "aggregate_place": "radscheduler.aggregate_place('dashboard')",
    "admit_api_key": "radscheduler.admit_api_key('x', '', '127.0.0.1')",
    "api_appointments": "radscheduler.api_appointments('{{}}')",
    "api_call": "radscheduler.api_call('api_stats_today', '{{}}')",
    "api_dashboard": "radscheduler.api_dashboard('{{}}')",
    "api_hl7_appointment": "radscheduler.api_hl7_appointment('{{}}')",
    "api_hl7_raw": "radscheduler.api_hl7_raw('x', 'text/plain', '')",
    "api_hl7_simulate": "radscheduler.api_hl7_simulate('{{}}')",
    "appointment_as_of": "radscheduler.appointment_as_of(1, now())",
    "appointments_of": "radscheduler.appointments_of(1)",
    "audit_head": "radscheduler.audit_head()",
    "audit_verify": "radscheduler.audit_verify()",
    "audits_changes": "radscheduler.audits_changes()",
    "authorize": "radscheduler.appointment a, radscheduler.authorize(a.appointment_id, 'A1')",
    "block_resource": "radscheduler.block_resource('SCANOWN', '2031-08-01Z', '2031-08-02Z')",
    "begin_task": "radscheduler.begin_task('w', {site}, 0)",
    "book": "radscheduler.book('NEW2', '2031-07-07 10:00Z', 'CT', patient_name => 'New Person')",
    "caller": "radscheduler.caller()",
    "cancel": "(SELECT a.appointment_id AS id FROM radscheduler.appointment a WHERE a.site_id = {site} LIMIT 1) a, radscheduler.cancel(a.id)",
    "check_conflicts": "radscheduler.check_conflicts('NEW2', '2031-07-07 10:00Z', 'CT')",
    "claim_tasks": "radscheduler.claim_tasks('w', '{{hl7_out}}', 1)",
    "configuration_export": "radscheduler.configuration_export()",
    "configuration_import": "radscheduler.configuration_import(radscheduler.configuration_export())",
    "conflicts_of": "radscheduler.conflicts_of({site}, 1)",
    "contrast_meant": "radscheduler.contrast_meant('CT HEAD W/O')",
    "count_tasks": "radscheduler.count_tasks()",
    "create_api_key": "radscheduler.create_api_key('New', '{{slots:read}}')",
    "create_stream_ticket": "radscheduler.create_stream_ticket('key:x', NULL, NULL, '{{events:read}}', NULL)",
    "create_user": "radscheduler.create_user('newuser', 'New User', '$y$j9T$salt$hash', '{{slots:read}}')",
    "current_site": "radscheduler.current_site()",
    "default_zone": "radscheduler.default_zone()",
    "drift_report": "radscheduler.drift_report(ARRAY['x'::bytea])",
    "drop_task": "(SELECT o.task_id FROM radscheduler.outbox o WHERE o.state = 'ready' LIMIT 1) t, radscheduler.drop_task(t.task_id, 'test')",
    "dry_run": "radscheduler.dry_run('x')",
    "dry_run_batch": "radscheduler.dry_run_batch(ARRAY['x'::bytea])",
    "event_map_fault": "radscheduler.event_map_fault('{{}}', '{{}}')",
    "event_meant": "radscheduler.event_meant('{{}}', 'S12')",
    "everywhere_for": "radscheduler.everywhere_for(0)",
    "extend_leases": "radscheduler.extend_leases('w')",
    "facts_of": "radscheduler.facts_of('SECOWN')",
    "match_procedure": "radscheduler.match_procedure('CT head without contrast')",
    "event_epoch": "radscheduler.event_epoch()",
    "event_head": "radscheduler.event_head()",
    "events_after": "radscheduler.events_after()",
    "explain_rules": "radscheduler.appointment a, radscheduler.explain_rules(a.appointment_id)",
    "finish_task": "radscheduler.finish_task('w', {site}, 0, 0, 'done')",
    "find_slots": "radscheduler.find_slots(modality => 'CT')",
    "health": "radscheduler.health()",
    "hold": "radscheduler.hold('2031-07-07 10:00Z', modality => 'CT')",
    "ingest": "radscheduler.ingest('x')",
    "ingest_batch": "radscheduler.ingest_batch(ARRAY['x'::bytea])",
    "ingest_json": "radscheduler.ingest_json('{{}}')",
    "are_hours": "radscheduler.are_hours('{{08:00}}', '{{12:00}}')",
    "preview_hours": "radscheduler.preview_hours('{{\"change\": \"set_exception\", \"resource\": \"SCANOWN\", \"day\": \"2031-06-07\"}}')",
    "remove_exception": "radscheduler.set_exception('SCANOWN', '2031-06-07'), radscheduler.remove_exception('SCANOWN', '2031-06-07')",
    "remove_holiday": "radscheduler.set_holiday('2031-06-07'), radscheduler.remove_holiday('2031-06-07')",
    "reserve_hours": "radscheduler.reserve_hours('{{1}}', '08:00', '09:00', modality => 'CT')",
    "set_exception": "radscheduler.set_exception('SCANOWN', '2031-06-07')",
    "set_holiday": "radscheduler.set_holiday('2031-06-07')",
    "set_hours": "radscheduler.set_hours('{{6}}', '{{08:00}}', '{{12:00}}')",
    "unreserve_hours": "radscheduler.reserve_hours('{{1}}', '08:00', '09:00', modality => 'CT') h, radscheduler.unreserve_hours(h.reserved_ids[1])",
    "is_clinical_rule": "radscheduler.is_clinical_rule('PREGNANCY')",
    "is_closed": "radscheduler.is_closed('CANCELLED')",
    "is_conflict_kind": "radscheduler.is_conflict_kind('PREGNANCY')",
    "is_fact_kind": "radscheduler.is_fact_kind('egfr')",
    "is_occupying": "radscheduler.is_occupying('CANCELLED')",
    "is_ordered_by": "radscheduler.is_ordered_by('{{}}', '{{}}', 'P1', 'F1', 'A1')",
    "is_path": "radscheduler.is_path('PV1-19')",
    "is_profile": "radscheduler.is_profile('{{}}')",
    "is_rule": "radscheduler.is_rule('OUTSIDE_HOURS')",
    "is_task_kind": "radscheduler.is_task_kind('hl7_out')",
    "is_timezone": "radscheduler.is_timezone('UTC')",
    "lift_hold": "radscheduler.lift_hold(radscheduler.place_hold('case 2'), 'over')",
    "live_backlog": "radscheduler.live_backlog(NULL, '0-0', {site})",
    "live_enter": "radscheduler.live_enter()",
    "live_events": "radscheduler.live_events('0-0', 10, true)",
    "live_expand": "radscheduler.live_expand('{{appointments:read}}', '{{1}}', '{{}}')",
    "live_lapsed": "radscheduler.live_lapsed(ARRAY[{site}], '{{x}}', '{{\"\"}}', '{{0}}')",
    "login_of": "radscheduler.login_of('x', NULL)",
    "maintain": "radscheduler.maintain()",
    "nearest_word": "radscheduler.nearest_word('a', '{{}}')",
    "note_login": "radscheduler.note_login('OWN', 1, true)",
    "orders_of": "radscheduler.orders_of(1)",
    "override_conflict": "(SELECT a.appointment_id AS id FROM radscheduler.appointment a WHERE a.site_id = {site} LIMIT 1) a, radscheduler.override_conflict(a.id, 'both fit')",
    "place_hold": "radscheduler.place_hold('case 1')",
    "profile_faults": "radscheduler.profile_faults('{{}}')",
    "profile_value_fault": "radscheduler.profile_key k, radscheduler.profile_value_fault(k, '1')",
    "purge": "radscheduler.purge('test', before => '2000-01-01')",
    "quarantine": "radscheduler.quarantine('x', 'half_frame')",
    "recheck_conflicts": "radscheduler.recheck_conflicts()",
    "record_fact": "radscheduler.record_fact('SECOWN', 'weight', value => 80)",
    "redeem_stream_ticket": "radscheduler.redeem_stream_ticket('x')",
    "release": "radscheduler.release(0)",
    "replay": "radscheduler.replay(period => tstzrange(NULL, NULL))",
    "release_tasks": "radscheduler.release_tasks('w', '{{0}}')",
    "reschedule": "(SELECT a.appointment_id AS id FROM radscheduler.appointment a WHERE a.site_id = {site} LIMIT 1) a, radscheduler.reschedule(a.id, '2031-07-07 10:00Z')",
    "revoke_api_key": "radscheduler.create_api_key('New', '{{slots:read}}') k, radscheduler.revoke_api_key(split_part(k, '_', 2))",
    "retract_fact": "radscheduler.retract_fact(1)",
    "retry_task": "(SELECT o.task_id FROM radscheduler.outbox o WHERE o.state = 'dead' LIMIT 1) t, radscheduler.retry_task(t.task_id)",
    "rule_parameters_fault": "radscheduler.rule_parameters_fault('PREGNANCY', '{{}}')",
    "schedule_as_of": "radscheduler.schedule_as_of(now())",
    "sees_every_site": "radscheduler.sees_every_site()",
    "sender_profile": "radscheduler.sender_profile('{{}}')",
    "sender_report": "radscheduler.sender_report()",
    "set_clinical_rules": "radscheduler.set_clinical_rules('known')",
    "set_sender": "radscheduler.set_sender('NEWRIS', '')",
    "set_status": "(SELECT a.appointment_id AS id FROM radscheduler.appointment a WHERE a.site_id = {site} LIMIT 1) a, radscheduler.set_status(a.id, 'arrived')",
    "set_user": "radscheduler.create_user('olduser', 'Old User', '$y$j9T$salt$hash', '{{slots:read}}'), radscheduler.set_user('olduser', active => false)",
    "sites_for": "radscheduler.sites_for(0)",
    "siu_build": "(SELECT a.appointment_id FROM radscheduler.appointment a LIMIT 1) a, radscheduler.siu_build(a.appointment_id, 'S12')",
    "siu_parse": r"radscheduler.siu_parse(E'MSH|^~\\&|A|B|||20260101||SIU^S12|1|P|2.5')",
    "siu_read": "radscheduler.siu_read('x')",
    "task_message": "(SELECT o.task_id FROM radscheduler.outbox o LIMIT 1) t, radscheduler.task_message(t.task_id)",
    "third_next_available": "radscheduler.third_next_available(modality => 'CT')",
    "try_book": "radscheduler.try_book('NEW2', '2031-07-07 10:00Z', 'CT', patient_name => 'New Person')",
    "try_reschedule": "(SELECT a.appointment_id AS id FROM radscheduler.appointment a WHERE a.site_id = {site} LIMIT 1) a, radscheduler.try_reschedule(a.id, '2031-07-07 10:00Z')",
    "unblock_resource": "radscheduler.resource_block b, radscheduler.unblock_resource(b.block_id)",
    "visible_sites": "radscheduler.visible_sites()",
}
CALLS.update(API_CALLS)
# What works for a caller of every site only.
EVERY_SITE = {
    "create_site": "radscheduler.create_site('EAST', 'East', 'UTC')",
    "relay_advance": "radscheduler.relay_advance('security', '0-0')",
    "relay_aggregates": "radscheduler.relay_aggregates()",
    "relay_fetch": "radscheduler.relay_fetch('security')",
    "relay_lag": "radscheduler.relay_lag('security')",
    "relay_page": "radscheduler.relay_page('security')",
    "set_retention": "radscheduler.set_retention('event_log', '2 years')",
}
# A row each table takes from those who may insert; {site} is its site.
ROWS = {
    "appointments": "(patient_id, patient_name, modality, datetime) VALUES ('NEW1', 'New Person', 'CT', '2031-06-06 10:00')",
    "link": "(site_id, name) VALUES ({site}, 'NEWLINK')",
    "modality": "(site_id, code, label, name, default_minutes) VALUES ({site}, 'ZZ', 'ZZ', 'New', 10)",
    "modality_alias": "(site_id, alias, code) VALUES ({site}, 'NEWALIAS', 'CT')",
    "procedure": "(site_id, code, name, modality) VALUES ({site}, 'NEW1', 'New', 'CT')",
    "procedure_alias": "(site_id, alias, code) VALUES ({site}, 'NEWALIAS', 'CT002')",
    "resource": "(site_id, code, name, kind) VALUES ({site}, 'NEW2', 'New', 'room')",
    "resource_alias": "(site_id, kind, alias, resource_id) SELECT {site}, 'equipment', 'NEWNAME', resource_id FROM radscheduler.resource WHERE site_id = {site} LIMIT 1",
    "resource_hours": "(site_id, weekday, opens, closes) VALUES ({site}, 6, '08:00', '12:00')",
    "calendar_day": "(site_id, day) VALUES ({site}, '2031-06-08')",
    "reserved_hours": "(site_id, modality, weekday, opens, closes, kind, urgencies) VALUES ({site}, 'CT', 6, '08:00', '12:00', 'urgent', '{{stat}}')",
    "resource_block": "(site_id, resource_id, during) SELECT {site}, resource_id, '[2031-06-01,2031-06-02)' FROM radscheduler.resource WHERE site_id = {site} LIMIT 1",
    "rule_setting": "(site_id, code, severity) VALUES ({site}, 'MAINTENANCE', 'info')",
    "site_rule": "(site_id, code, severity, text, modalities) VALUES ({site}, 'NEW_RULE', 'info', 'New.', '{{CT}}')",
    "sender": "(site_id, sending_application) VALUES ({site}, 'NEWRIS')",
}
# Where such a row is.
NEW = {
    "link": "name = 'NEWLINK'",
    "modality": "code = 'ZZ'", "modality_alias": "alias = 'NEWALIAS'", "procedure": "code = 'NEW1'", "procedure_alias": "alias = 'NEWALIAS'", "resource": "code = 'NEW2'",
    "resource_alias": "alias = 'NEWNAME'", "resource_hours": "weekday = 6", "calendar_day": "day = '2031-06-08'", "reserved_hours": "weekday = 6", "resource_block": "lower(during) = '2031-06-01'",
    "rule_setting": "code = 'MAINTENANCE'", "site_rule": "code = 'NEW_RULE'", "sender": "sending_application = 'NEWRIS'",
}
# A column anybody may set who may update the table.
COLUMNS = {"appointments": "notes", "resource_block": "created_at", "site": "slot_minutes", "resource_alias": "alias", "sender": "is_registered", "link": "is_enabled",
           "modality": "default_minutes", "modality_alias": "alias", "procedure": "minutes", "procedure_alias": "alias", "resource": "capacity", "resource_hours": "opens", "calendar_day": "opens", "reserved_hours": "opens", "rule_setting": "severity", "site_rule": "severity"}


@pytest.fixture(scope="module")
def system(cluster):
    database = Database.create(cluster, NAME)
    database.execute("UPDATE radscheduler.site SET code = %s", OWN)
    database.execute("SELECT radscheduler.create_site(%s, 'The other site', 'UTC')", OTHER)
    roles = {}
    for kind in (*KINDS, "everyone"):
        roles[kind] = f"rs_kind_{kind}"
        database.execute(f"DROP ROLE IF EXISTS {roles[kind]}")
        database.execute(f"CREATE ROLE {roles[kind]}")
        if kind != "everyone":
            database.execute("SELECT radscheduler.grant_role(%s, %s)", kind, roles[kind])
        database.execute("SELECT radscheduler.grant_site(%s, %s)", roles[kind], OWN)
    for site in (OWN, OTHER):
        database.execute("SELECT set_config('radscheduler.site', %s, false)", site)
        message = MESSAGE.format(site=site).replace("\\r", "\r").encode()
        for raw in (message, message.replace(b"1|P", b"2|P").replace(b"SCH||S", b"SCH||T")):
            assert database.value("SELECT (radscheduler.ingest(%s)).code", psycopg2.Binary(raw)) == "AA"
        database.execute("INSERT INTO radscheduler.resource_block (site_id, resource_id, during) SELECT site_id, resource_id, '[2031-07-01,2031-07-02)'"
                         " FROM radscheduler.resource WHERE site_id = radscheduler.current_site() LIMIT 1")
        database.execute("SELECT radscheduler.set_holiday('2031-06-01'), radscheduler.reserve_hours('{1}', '08:00', '09:00', modality => 'CT')")
        database.execute("INSERT INTO radscheduler.rule_setting VALUES (radscheduler.current_site(), 'OUTSIDE_HOURS', 'info')")
        database.execute("INSERT INTO radscheduler.link (site_id, name) VALUES (radscheduler.current_site(), 'PACS')")
        for state in ("ready", "dead"):
            database.execute("INSERT INTO radscheduler.task (site_id, kind, queue, link_id, event, appointment_id, version, state) SELECT l.site_id, l.kind, 'link/' || l.link_id, l.link_id, 'S12', a.appointment_id, 1, %s"
                             " FROM radscheduler.link l, LATERAL (SELECT * FROM radscheduler.appointment a WHERE a.site_id = l.site_id LIMIT 1) a WHERE l.site_id = radscheduler.current_site()", state)
        database.execute("SELECT radscheduler.quarantine('x', 'half_frame', '192.0.2.1:1')")
        database.execute("INSERT INTO radscheduler.site_rule (site_id, code, severity, text, modalities) VALUES (radscheduler.current_site(), 'OWN_RULE', 'info', 'Own.', '{MR}')")
        database.execute("SELECT radscheduler.lift_hold(radscheduler.place_hold('case 0'), 'over')")
    database.execute("RESET radscheduler.site")
    database.execute("SELECT radscheduler.audit_seal_pending()")
    database.sites = {row["code"]: row["site_id"] for row in database.rows("SELECT code, site_id FROM radscheduler.site")}
    database.roles = roles
    yield database
    database.close()
    cluster.admin(f'DROP DATABASE "{NAME}" WITH (FORCE)')
    for role in roles.values():
        cluster.admin(f"DROP ROLE {role}")


class Attempt:
    """Runs statements as a role, each undone afterwards."""

    def __init__(self, system, kind):
        self.connection = system.connect()
        self.connection.autocommit = False
        self.role = system.roles[kind]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def run(self, *statements):
        """The last statement's rows, or its count of rows where it returns none."""
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(f"SET LOCAL ROLE {self.role}")
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchall() if cursor.description else cursor.rowcount
            finally:
                self.connection.rollback()

    def is_denied(self, *statements):
        try:
            self.run(*statements)
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ObjectNotInPrerequisiteState):
            return True  # the second: a view that nobody writes through
        except (psycopg2.errors.DataError, psycopg2.errors.NoDataFound, psycopg2.errors.IntegrityError):
            pass  # it was asked for something that cannot be
        return False


def test_the_document_says_what_the_catalogues_say(system):
    expected = table(system, system.roles)
    text = DOCUMENT.read_text(encoding="utf-8")
    missing = [line for line in expected if line not in text]
    shown = [line for line in text.splitlines() if line.startswith("| `")]
    assert not missing and set(shown) == set(expected[2:]), "docs/security.md should hold this table:\n" + "\n".join(expected)


def test_nobody_holds_a_right_on_partitions_sequences_or_structure(system):
    for kind, role in system.roles.items():
        held = rights(system, role)
        odd = {name: letters for name, letters in held.items() if set(letters.upper()) - set(LETTERS) or name.startswith("sequence ")}
        assert not odd, f"{kind}: {odd}"


def cell(kind, name, cells):
    return cells.get((name, kind)) or cells.get((name, "everyone"), "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_table(system, kind):
    """SELECT, INSERT, UPDATE and DELETE on each table: what works touches one's own site only."""
    cells = documented()
    own, other = system.sites[OWN], system.sites[OTHER]
    with Attempt(system, kind) as attempt:
        for name, is_function in objects(system).items():
            if is_function:
                continue
            letters = cell(kind, name, cells)
            relation = f"radscheduler.{name}"
            columns = {row["attname"] for row in system.rows(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", relation)}
            has_site = "site_id" in columns
            if "S" in letters.upper():
                if has_site:
                    seen = dict(attempt.run(f"SELECT site_id, count(*) FROM {relation} GROUP BY 1"))
                    # A grant of every site concerns one's own too.
                    seen.pop(None, None)
                    assert set(seen) <= {own}, f"{kind} sees rows of others in {name}: {seen}"
                    there = system.value(f"SELECT count(*) FROM {relation} WHERE site_id = %s", own)
                    assert seen.get(own, 0) == there, f"{kind} misses rows of its own in {name}"
                elif name == "outbox":
                    assert attempt.run(f"SELECT DISTINCT site FROM {relation}") == [(OWN,)]
                elif name == "appointments":
                    assert attempt.run(f"SELECT DISTINCT patient_id FROM {relation}") == [("SECOWN",)]
                if letters[0] == "S":
                    attempt.run(f"SELECT * FROM {relation}")
                else:
                    assert attempt.is_denied(f"SELECT * FROM {relation}"), f"{kind} reads every column of {name}"
            else:
                assert attempt.is_denied(f"SELECT count(*) FROM {relation}"), f"{kind} may select from {name}"
            if "I" in letters.upper():
                attempt.run(f"INSERT INTO {relation} " + ROWS[name].format(site=own))
                if has_site and "SELECT" not in ROWS[name]:
                    assert attempt.is_denied(f"INSERT INTO {relation} " + ROWS[name].format(site=other)), f"{kind} inserts into {name} of the other site"
            else:
                assert attempt.is_denied(f"INSERT INTO {relation} DEFAULT VALUES"), f"{kind} may insert into {name}"
            if "U" in letters.upper():
                column = COLUMNS[name]
                changed = attempt.run(f"UPDATE {relation} SET {column} = {column}")
                count = 2 if name == "appointments" else system.value(f"SELECT count(*) FROM {relation} WHERE site_id = %s", own)
                assert changed == count, f"{kind} updated {changed} rows of {name}, {count} are its own"
                if has_site:
                    assert attempt.is_denied(f"UPDATE {relation} SET site_id = {other}"), f"{kind} moves rows of {name} to the other site"
            else:
                column = sorted(columns)[0]
                assert attempt.is_denied(f'UPDATE {relation} SET "{column}" = NULL'), f"{kind} may update {name}"
            if "D" in letters:
                key = f"WHERE site_id = {other}" if has_site else "WHERE patient_id = 'SECELSEWHERE'"
                assert attempt.run(f"DELETE FROM {relation} {key}") == 0
                if has_site and name not in ROWS:
                    assert attempt.run(f"DELETE FROM {relation} WHERE site_id = {own}") == 1
                elif has_site:
                    assert attempt.run(f"INSERT INTO {relation} " + ROWS[name].format(site=own), f"DELETE FROM {relation} WHERE {NEW[name]}") == 1
                else:
                    assert attempt.run(f"DELETE FROM {relation}") == 2
            else:
                assert attempt.is_denied(f"DELETE FROM {relation}"), f"{kind} may delete from {name}"
            if name not in ("appointments", "outbox"):
                assert attempt.is_denied(f"TRUNCATE {relation}"), f"{kind} may truncate {name}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_function(system, kind):
    cells = documented()
    own = system.sites[OWN]
    with Attempt(system, kind) as attempt:
        for name, is_function in objects(system).items():
            if not is_function:
                continue
            bare = name[:-2]
            if cell(kind, name, cells):
                if bare in EVERY_SITE:
                    assert attempt.is_denied(f"SELECT {EVERY_SITE[bare]}"), f"{kind} calls {name} without every site"
                elif bare.startswith("api_") and bare not in CALLS:
                    # An empty request is refused, and not for want of rights.
                    assert not attempt.is_denied(f"SELECT radscheduler.{bare}('{{}}')"), f"{kind} may not call {name}"
                else:
                    attempt.run("SELECT * FROM " + CALLS[bare].format(site=own))
                continue
            for signature in system.rows(
                    "SELECT p.oid::regprocedure::text AS name, array_to_string(ARRAY(SELECT '(SELECT NULL::' || format_type(t, NULL) || ' OFFSET 0)' FROM unnest(proargtypes) t), ', ') AS nulls,"
                    " prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AS is_trigger FROM pg_proc p"
                    " WHERE pronamespace = 'radscheduler'::regnamespace AND proname = %s", bare):
                if not signature["is_trigger"]:
                    assert attempt.is_denied(f"SELECT radscheduler.{bare}({signature['nulls']})"), f"{kind} may call {signature['name']}"


@pytest.mark.parametrize("name", EVERY_SITE)
def test_what_needs_every_site_works_with_it(system, name):
    kind = next(kind for kind in KINDS if cell(kind, f"{name}()", documented()))
    system.execute("SELECT radscheduler.grant_site(%s, '*')", system.roles[kind])
    try:
        with Attempt(system, kind) as attempt:
            attempt.run(f"SELECT * FROM {EVERY_SITE[name]}")
    finally:
        system.execute("SELECT radscheduler.revoke_site(%s, '*')", system.roles[kind])


def test_the_answers_of_functions_hold_one_site(system):
    """What comes out of functions that return rows or documents never names the other site or its patient."""
    for kind in KINDS:
        with Attempt(system, kind) as attempt:
            for name, call in CALLS.items():
                if name == "is_profile" or not cell(kind, f"{name}()", documented()):
                    continue
                text = str(attempt.run("SELECT * FROM " + call.format(site=system.sites[OWN])))
                assert OTHER not in text, f"{kind}: {name} tells of the other site"
