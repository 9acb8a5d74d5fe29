"""Thirty-two clients on twenty resources for a few seconds: book, move, cancel, miss, merge, block, batch and repeat at once. Nobody is refused by
a deadlock or a serialization failure, nothing is lost, and what is left is what the appointments ask for. Minutes of it: test/contention.

environment: CONTENTION_SECONDS (8), CONTENTION_SEED (1).
"""

import os

from support.contention import check, fight, prepare
from support.services import Database
from support.tally import Tally


def test_nobody_loses_in_a_crowd(cluster):
    database = Database.create(cluster, "contention")
    try:
        prepare(database)
        tally = Tally()
        check(tally, database, *fight(database, int(os.environ.get("CONTENTION_SECONDS", "8")), int(os.environ.get("CONTENTION_SEED", "1"))))
        assert tally.failed == 0, "see the lines that say FAILED"
    finally:
        database.close()
        cluster.admin("DROP DATABASE contention WITH (FORCE)")


def test_the_truth_notices_what_is_wrong(cluster):
    """The check itself: each kind of damage, done by hand, is told."""
    database = Database.create(cluster, "contention_truth")
    try:
        prepare(database)
        for key, choice in ((1, 300), (2, 300), (3, 301)):
            database.execute("SELECT radscheduler.ingest(contention.message('S12', %s, %s))", key, choice)
        tally = Tally()
        check(tally, database, 0, "number of transactions actually processed: 3", 3)
        assert tally.passed == 4, "an untouched schedule must be right, and no fight"
        damages = (
            "DELETE FROM radscheduler.occupancy o WHERE o.occupancy_id = (SELECT min(occupancy_id) FROM radscheduler.occupancy)",
            "UPDATE radscheduler.occupancy SET lane = lane + 100",
            "UPDATE radscheduler.conflict SET state = 'resolved', resolved_at = now()",
            "UPDATE radscheduler.appointment SET status = 'SCHEDULED', review_reason = NULL, resume_status = NULL WHERE review_reason = 'CONFLICT'",
            "DELETE FROM radscheduler.appointment_history",
            "DELETE FROM radscheduler.hl7_message m WHERE m.message_id = (SELECT min(message_id) FROM radscheduler.hl7_message)",
        )
        for damage in damages:
            with database.connect() as connection, connection.cursor() as cursor:
                connection.autocommit = False
                cursor.execute(damage)
                assert cursor.rowcount > 0, damage
                told = Tally()
                check(told, Rows(cursor), 0, "number of transactions actually processed: 3", 3)
                connection.rollback()
            assert told.failed >= 2, damage  # it, and the missing fight
    finally:
        database.close()
        cluster.admin("DROP DATABASE contention_truth WITH (FORCE)")


class Rows:
    """What check() asks a database, of one transaction."""

    def __init__(self, cursor):
        self._cursor = cursor

    def rows(self, query):
        self._cursor.execute(query)
        names = [column.name for column in self._cursor.description]
        return [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]

    def row(self, query):
        return self.rows(query)[0]

    def value(self, query):
        return next(iter(self.row(query).values()))
