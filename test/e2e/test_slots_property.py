"""What find_slots() offers can be booked: departments made at random, searched at random, and every chosen offer booked or moved to.

A department has scanners with buffers, capacities, second modalities, campuses and hours of their own, technologists, blocks, holidays, exceptions,
hours kept for urgent exams or for some, exams that name no scanner, holds that have run out, and patients who come back. An offer is booked as it stands, with the staff it names. It must be booked without
any conflict, critical or not. Then two sessions compete for the same offers: who is refused must no longer be offered that time.

environment: SLOT_SEEDS (8) departments, SLOT_FIRST (1), the first seed, SLOT_BOOKINGS (120) offers in each.
"""

import os
import random
import threading

import psycopg2.extras
import pytest

from support.services import Database

SEEDS = int(os.environ.get("SLOT_SEEDS", "8"))
FIRST = int(os.environ.get("SLOT_FIRST", "1"))
BOOKINGS = int(os.environ.get("SLOT_BOOKINGS", "120"))
FIND = ("SELECT resource_code, starts_at, ends_at, staff FROM radscheduler.find_slots(modality => %(modality)s, resource => %(resource)s, earliest => %(earliest)s,"
        " latest => %(latest)s, duration_minutes => %(minutes)s, max_slots => %(slots)s, patient_id => %(patient)s, without => %(without)s, procedure => %(procedure)s, constraints => %(wishes)s)")
BOOK = ("SELECT outcome, conflicts, error, appointment_id FROM radscheduler.try_book(%(patient)s, %(starts)s, %(modality)s, duration_minutes => %(minutes)s, resources => %(resources)s,"
        " procedure => %(procedure)s, urgency => %(urgency)s, patient_name => 'Offered Person')")
MOVE = "SELECT outcome, conflicts, error FROM radscheduler.try_reschedule(%(without)s, %(starts)s, %(minutes)s, %(resources)s)"


@pytest.fixture(scope="module")
def database(cluster):
    database = Database.create(cluster, "slots_property")
    yield database
    database.close()
    cluster.admin("DROP DATABASE slots_property WITH (FORCE)")


class Department:
    """A site of its own, built from a seed, and searches in it."""

    def __init__(self, database, seed):
        self.chance = random.Random(seed)
        self.code = f"DEPT{seed}"
        self.database = database
        database.execute("SELECT radscheduler.create_site(%s, 'Department', 'America/New_York')", self.code)
        self.connection = self.session()
        pick = self.chance.choice
        self.run("UPDATE radscheduler.site SET slot_minutes = %s, travel_minutes = %s, campus_minutes = %s WHERE code = %s",
                 pick((5, 10, 15, 20)), pick((0, 10, 25)), pick((0, 45)), self.code)
        self.scanners = {}
        for n in range(self.chance.randint(2, 4)):
            name, modality = f"SCAN{n}", pick(("MR", "CT"))
            self.scanners[name] = modality
            self.run("SELECT radscheduler.add_resource(%s, %s, %s, %s, capacity => %s, setup_minutes => %s, turnover_minutes => %s)",
                     name, name, pick(("equipment", "equipment", "room")), modality, pick((1, 1, 1, 2, 3)), pick((0, 0, 5, 10)), pick((0, 0, 10, 15)))
            self.run("UPDATE radscheduler.resource SET campus = %s, location = %s, modalities = %s WHERE site_id = radscheduler.current_site() AND code = %s",
                     pick((None, "NORTH", "SOUTH")), pick((None, "Hall", "Tower")), pick(([], [], ["CT"])), name)
            if self.chance.random() < 0.3:
                self.hours(name, "05:30", "23:00")
        self.people = [f"TECH{n}" for n in range(self.chance.randint(1, 3))]
        for name in self.people:
            self.run("SELECT radscheduler.add_resource(%s, %s, 'staff', role => 'TECHNOLOGIST')", name, name)
            if self.chance.random() < 0.4:
                self.hours(name, "08:15", "16:00")
        for name in [*self.scanners, *self.people]:
            for _ in range(self.chance.randint(0, 3)):
                starts = self.moment()
                self.run("SELECT radscheduler.block_resource(%s, %s, %s::timestamptz + interval '70 minutes')", name, starts, starts)
        for name in [*self.scanners, *self.people]:
            if self.chance.random() < 0.25:
                opens = self.chance.randint(6, 16)
                kind = pick(("urgent", "exams", "block", "downtime"))
                self.run("SELECT radscheduler.reserve_hours(%s, make_time(%s, %s, 0), make_time(%s, 40, 0), %s, resource => %s, procedures => %s)",
                         pick(([1, 2, 3, 4, 5, 6, 7], [1, 5], [7])), opens, pick((0, 25)), opens + 2, kind, name, [pick(("MR-HIP", "%HEAD%"))] if kind == "exams" else None)
            if self.chance.random() < 0.2:
                hours = pick(([], ["09:20"]))
                self.run("SELECT radscheduler.set_exception(%s, %s, opens => %s::time[], closes => %s::time[])", name, pick(("2031-11-01", "2031-11-02", "2031-11-04")), hours, ["21:15"] if hours else [])
        if self.chance.random() < 0.4:
            self.run("SELECT radscheduler.reserve_hours('{2,4}', '10:00', '12:00', 'exams', modality => %s, procedures => '{CT-HEAD-WO,%%HIP%%}', urgencies => '{stat}')", pick(("MR", "CT")))
        if self.chance.random() < 0.4:
            self.run("SELECT radscheduler.set_holiday('2031-11-03', 'Holiday', '{10:00}', '{14:30}')")
        self.booked = []

    def session(self):
        connection = self.database.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET radscheduler.site = %s", (self.code,))
        return connection

    def run(self, query, *arguments, connection=None):
        with (connection or self.connection).cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, arguments[0] if arguments and isinstance(arguments[0], dict) else arguments)
            return cursor.fetchall() if cursor.description else None

    def hours(self, name, opens, closes):
        self.run("INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT r.site_id, r.resource_id, d, %s, %s"
                 " FROM radscheduler.resource r, generate_series(1, 6) d WHERE r.site_id = radscheduler.current_site() AND r.code = %s", opens, closes, name)

    def moment(self):
        # The week in which the clocks go back.
        return f"2031-{self.chance.choice(('10-31', '11-01', '11-02', '11-03', '11-04'))} {self.chance.randint(6, 18):02}:{self.chance.choice((0, 7, 30)):02} America/New_York"

    def search(self):
        pick = self.chance.choice
        modality, minutes = pick(("MR", "CT")), pick((10, 20, 25, 30, 45, 60, 90))
        suiting = [name for name, own in self.scanners.items() if own == modality]
        wishes = {}
        urgency = pick((None, None, "urgent", "stat"))
        if urgency:
            wishes["urgency"] = urgency
        if self.chance.random() < 0.4:
            wishes["technologist"] = pick((True, True, pick(self.people)))
        if self.chance.random() < 0.3:
            wishes["wanted"] = f"2031-11-0{self.chance.randint(1, 6)}T{self.chance.randint(7, 18):02}:20"
        if self.chance.random() < 0.2:
            wishes["prefer"] = pick(list(self.scanners))
        if self.chance.random() < 0.2:
            wishes["day_parts"] = pick((["morning"], ["afternoon", "evening"], ["night", "morning"]))
        if self.chance.random() < 0.1:
            wishes.update({"from": "07:40", "to": "17:10"})
        if self.chance.random() < 0.1:
            wishes["weekdays"] = [1, 5, "sat"]
        return {"modality": modality, "resource": pick(suiting) if suiting and self.chance.random() < 0.3 else None, "minutes": minutes, "earliest": self.moment(),
                "latest": pick((None, "2031-11-12 00:00 America/New_York")), "slots": pick((1, 5, 40)), "patient": f"P{self.chance.randint(1, 12)}", "without": None,
                "procedure": pick((None, None, "MR-HIP" if modality == "MR" else "CT-HEAD-WO")), "urgency": urgency,
                "wishes": psycopg2.extras.Json(wishes) if wishes else None}

    def disturb(self):
        """Exams that name no scanner, and holds that have run out, where the chance has it: nothing says that these find room."""
        starts, modality = self.moment(), self.chance.choice(("MR", "CT"))
        if self.chance.random() < 0.5:
            self.run("SELECT radscheduler.try_book(%s, %s, %s, duration_minutes => 30, patient_name => 'Pooled Person')", f"P{self.chance.randint(1, 12)}", starts, modality)
        else:
            query = dict(self.search(), patient=None)
            offers = self.run(FIND, query)
            if offers:
                self.run("SELECT radscheduler.hold(%s, %s, %s, duration_minutes => %s)", offers[0]["starts_at"], [offers[0]["resource_code"]], query["modality"], query["minutes"])
                self.run("UPDATE radscheduler.appointment SET hold_until = now() - interval '1 minute' WHERE site_id = radscheduler.current_site() AND hold_until IS NOT NULL")

    def conflicts(self, ids):
        return self.run("SELECT c.code, c.severity, c.appointment_id, c.other_appointment_id, c.overlap::text FROM radscheduler.conflict c"
                        " WHERE c.site_id = radscheduler.current_site() AND c.state = 'open' AND (c.appointment_id = ANY (%s) AND c.code <> 'CAPACITY_EXCEEDED' OR c.severity = 'critical')", ids)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_what_is_offered_can_be_booked(database, seed):
    department = Department(database, seed)
    chance = department.chance
    done, dry = 0, 0
    while done < BOOKINGS and dry < 4 * BOOKINGS:
        if chance.random() < 0.15:
            department.disturb()
        query = department.search()
        moved = chance.choice(department.booked) if department.booked and chance.random() < 0.2 else None
        if moved:
            # It keeps what it is.
            query.update(without=moved["id"], patient=moved["patient"], modality=moved["modality"], resource=None, procedure=None, wishes=None)
        offers = department.run(FIND, query)
        if not offers:
            dry += 1
            continue
        offer = chance.choice(offers)
        arguments = dict(query, starts=offer["starts_at"], resources=[offer["resource_code"], *offer["staff"]])
        result = department.run(MOVE if moved else BOOK, arguments)[0]
        assert result["outcome"] in ("changed", "unchanged") if moved else result["outcome"] == "booked", (query, offer, result)
        assert result["conflicts"] == [], (query, offer, result)
        if not moved:
            department.booked.append({"id": result["appointment_id"], "patient": query["patient"], "modality": query["modality"]})
        done += 1
    assert done >= min(BOOKINGS, 40), f"only {done} offers were found; such a department proves little"
    assert department.conflicts([b["id"] for b in department.booked]) == []
    department.connection.close()


def test_two_sessions_compete(database):
    department = Department(database, 1000 + FIRST)
    failures, outcomes = [], []
    searches = [[department.search() for _ in range(BOOKINGS)] for _ in range(2)]
    start = threading.Barrier(2)

    def clerk(mine, number):
        connection = department.session()
        start.wait()
        for query in mine:
            # Both look for the same soonest times, each for patients of its own.
            query = dict(query, patient=f"C{number}-{query['patient']}", slots=1, earliest="2031-11-03 06:00 America/New_York")
            offers = department.run(FIND, query, connection=connection)
            if not offers:
                continue
            arguments = dict(query, starts=offers[0]["starts_at"], resources=[offers[0]["resource_code"], *offers[0]["staff"]])
            result = department.run(BOOK, arguments, connection=connection)[0]
            outcomes.append(result["outcome"])
            if result["outcome"] != "booked":
                again = department.run(FIND, dict(query, earliest=offers[0]["starts_at"], latest=offers[0]["ends_at"], resource=offers[0]["resource_code"], slots=1), connection=connection)
                if result["error"]["sqlstate"] != "23P01" or again and again[0]["starts_at"] == offers[0]["starts_at"] and again[0]["staff"] == offers[0]["staff"]:
                    failures.append((query, offers[0], result, again))
        connection.close()

    clerks = [threading.Thread(target=clerk, args=(mine, number)) for number, mine in enumerate(searches)]
    for thread in clerks:
        thread.start()
    for thread in clerks:
        thread.join()
    assert failures == []
    assert outcomes.count("booked") >= 40
    assert department.conflicts([]) == []
    department.connection.close()
