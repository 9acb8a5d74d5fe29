"""Any order, any repeat: a random history of up to eight messages ends in the same appointments, occupancy and open conflicts however it arrives.

What a history must end in is what its messages say in the order of MSH-7, then MSH-13. Two kinds are played (support/histories.py), one by one
and in batches, with messages repeated byte for byte and under another control id:

- whole messages (S12, S13, S14, S27 with everything and a status; S15, S16, S17, S26 or a status that ends) in every order;
- patches (no time, no status, single resources by S18 to S22 or action codes) with each appointment's own order kept.

Boards (support/boards.py) are compared by external ids: appointments with status, review, times, patient, exams and resources, note, reason;
who holds which lane when; which conflicts are open, how bad, on whom and with whom.

Left to the arrival, by design, and so not played or not compared:

- messages of one appointment with the same MSH-7 and MSH-13, and appointments that claim one time by messages of the same MSH-7: first come,
  first served. The same goes for what has no usable MSH-7 (missing, more than five minutes ahead, order_by arrival); sql/56_order.sql tells of these;
- patches in another order than the sender's: a message older than the last applied one is kept and not applied, and a patch has no whole to fill;
- what is refused (AE): an unknown appointment that a patch cannot create, on_conflict reject. Sent again later it is taken as new;
- how many generations an identifier has had: S12 opens a new one only when the closing before it has been seen. The newest is compared;
- S12 for another patient, which opens a new generation for a person to look at, against S13, S14 and S27, which correct the patient in any order;
- an exam that had begun before it was closed keeps its past; an identifier that is booked again (S12) on that same day leaves it with the old generation;
- counters and stamps: version, history, reschedule_count, original start, created_at; what became of single messages (stale, applied);
- an unknown resource takes its role and modality from the first message that names it.

environment: ANY_ORDER_SEEDS (40) histories of each kind, ANY_ORDER_FIRST (1), the first seed, ANY_ORDER_ORDERS (2) orders of each. A failure shows the
smallest history that fails, and its seed.
"""

import os

import pytest

from support.arrivals import Arrivals, anyhow, explore, interleaved
from support.histories import WORLD, Writer
from support.services import Database

SEEDS = int(os.environ.get("ANY_ORDER_SEEDS", "40"))
FIRST = int(os.environ.get("ANY_ORDER_FIRST", "1"))
ORDERS = int(os.environ.get("ANY_ORDER_ORDERS", "2"))


@pytest.fixture(scope="module")
def database(cluster):
    database = Database.create(cluster, "any_order")
    for statement in WORLD:
        database.execute(statement)
    yield database
    database.close()
    cluster.admin("DROP DATABASE any_order WITH (FORCE)")


def test_whole_messages_in_any_order(database):
    connection = database.connect()
    played, met = explore(Arrivals(connection), lambda chance: Writer(chance).snapshots(), anyhow, range(FIRST, FIRST + SEEDS), ORDERS)
    connection.close()
    assert played == SEEDS * ORDERS
    # A test of histories in which nobody meets would prove little.
    assert met >= {"PATIENT_DOUBLE_BOOKED", "EQUIPMENT_DOUBLE_BOOKED", "ROOM_DOUBLE_BOOKED", "STAFF_DOUBLE_BOOKED", "OUTSIDE_HOURS", "RESOURCE_BLOCKED",
                   "CANCELLED", "DISCONTINUED", "DELETED", "NO_SHOW", "COMPLETED", "PENDING_REVIEW", "SCHEDULED", "ARRIVED"}, met


def test_patches_in_any_interleaving(database):
    connection = database.connect()
    played, met = explore(Arrivals(connection, all_generations=True), lambda chance: Writer(chance).patches(), interleaved,
                          range(FIRST, FIRST + SEEDS), ORDERS, may_refuse=True)
    connection.close()
    assert played == SEEDS * ORDERS
    assert met >= {"PATIENT_DOUBLE_BOOKED", "CANCELLED", "PENDING_REVIEW", "SCHEDULED"}, met


def test_a_difference_is_found_and_made_small(database):
    """The test itself: without a message's time in the order of things, a move that comes late is taken for the last word."""
    database.execute("UPDATE radscheduler.sender SET profile = profile || '{\"order_by\": \"arrival\"}'")
    connection = database.connect()
    try:
        with pytest.raises(AssertionError, match="the end differs") as raised:
            explore(Arrivals(connection), lambda chance: Writer(chance).snapshots(), anyhow, range(FIRST, FIRST + SEEDS), ORDERS)
    finally:
        connection.close()
        database.execute("UPDATE radscheduler.sender SET profile = profile - 'order_by'")
    assert str(raised.value).count("MSH|") <= 4
