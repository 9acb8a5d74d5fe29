"""The relay: what happened is published on Redis, in order, without patient data, and nothing is lost when Redis is away."""

import json
import time

import pytest
import redis

from support.gate import Gate
from support.messages import Booking, free_day
from support.services import Daemon, eventually


@pytest.fixture
def subscriber(system, redis_server):
    client = redis.Redis(port=redis_server.port)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe("radsched:*")
    channel.get_message(timeout=2)
    yield channel
    channel.close()
    client.close()


def events_until(channel, wanted, seconds=15):
    """Reads events until wanted(event) is true for one; returns all read, that one last."""
    events = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        message = channel.get_message(timeout=0.5)
        if message is None:
            continue
        event = json.loads(message["data"])
        event["_channel"] = message["channel"].decode()
        event["_raw"] = message["data"].decode()
        events.append(event)
        if wanted(event):
            return events
    raise AssertionError(f"the event did not come; seen: {[event['type'] for event in events]}")


def created(identity):
    return lambda event: event["type"] == "appointment.created" and event["data"]["appointment_id"] == identity


def test_booking_is_published_without_patient_data(system, subscriber):
    booking = Booking()
    system.send(booking.message())
    event = events_until(subscriber, created(booking.row(system.db)["id"]))[-1]
    assert event["specversion"] == "1.0" and event["id"] and event["source"] and event["time"]
    assert event["_channel"].startswith("radsched:")
    for secret in (booking.patient.mrn, booking.patient.family, booking.patient.given, booking.patient.phone):
        assert secret not in event["_raw"], "the event carries patient data"


def test_events_come_in_order_and_once(system, subscriber):
    start = free_day()
    scanner = f"MRR-{start:%y%m%d}"
    first, second = Booking(start=start, scanner=scanner), Booking(start=start, scanner=scanner)
    for message in (first.message(), second.message(), second.message("S15", status="CANCELLED")):
        system.send(message)
    ours = {booking.row(system.db)["id"] for booking in (first, second)}
    events = events_until(subscriber, lambda event: event["type"] == "appointment.cancelled")
    events += events_until_quiet(subscriber)
    types = [event["type"] for event in events if event["data"].get("appointment_id") in ours]
    assert types.index("appointment.created") < types.index("conflict.detected") < types.index("appointment.cancelled")
    assert types.count("appointment.created") == 2
    assert "conflict.resolved" in types
    identities = [event["id"] for event in events]
    assert len(identities) == len(set(identities))


def events_until_quiet(channel):
    events = []
    while (message := channel.get_message(timeout=1.0)) is not None:
        event = json.loads(message["data"])
        event["_raw"] = message["data"].decode()
        events.append(event)
    return events


def test_events_wait_for_redis(fresh_system, redis_server):
    """Redis away: messages are still taken, and every event is published when it comes, in order, also after a cut.

    A cut between publishing and noting it repeats an event under the same id; it never loses one.
    """
    expected, seen = [], {}
    client = redis.Redis(port=redis_server.port)
    channel = client.pubsub(ignore_subscribe_messages=True)
    channel.psubscribe("radsched:*")
    channel.get_message(timeout=2)
    gate = Gate(redis_server.port)
    daemon = Daemon(fresh_system.db.url, f"redis://127.0.0.1:{gate.port}/0")
    try:
        for _ in range(2):
            bookings = [Booking() for _ in range(3)]
            for booking in bookings:
                assert fresh_system.send(booking.message()).code == "AA"
            expected += [booking.row(fresh_system.db)["id"] for booking in bookings]
            gate.open()
            while len(seen) < len(expected):
                event = events_until(channel, lambda event: event["type"] == "appointment.created", seconds=40)[-1]
                seen.setdefault(event["id"], event["data"]["appointment_id"])
            assert list(seen.values()) == expected, "the events came in another order, or not all"
            gate.shut()
    finally:
        daemon.stop()
        channel.close()
        client.close()


def test_daemon_works_without_redis(fresh_system):
    assert fresh_system.send(Booking().message()).code == "AA"
    eventually(lambda: fresh_system.get("/health").status_code == 200, what="/health without Redis")


def test_wake_up_spares_the_wait_for_the_next_poll(system, subscriber):
    """The wake-up worker tells the relay at once; without it an idle relay would look only every few seconds."""
    delays = []
    for _ in range(7):
        time.sleep(1.5)
        booking = Booking()
        system.send(booking.message())
        sent = time.monotonic()
        events_until(subscriber, created(booking.row(system.db)["id"]))
        delays.append(time.monotonic() - sent)
    assert sorted(delays)[3] < 0.2, f"events took {delays} seconds"


def test_a_listener_is_woken_without_a_payload(system):
    listener = system.db.connect()
    with listener.cursor() as cursor:
        cursor.execute("LISTEN radscheduler_wake")
    system.send(Booking().message())

    def woken():
        listener.poll()
        return listener.notifies

    notification = eventually(woken, seconds=5, what="NOTIFY radscheduler_wake")[0]
    assert (notification.channel, notification.payload) == ("radscheduler_wake", "")
    listener.close()
