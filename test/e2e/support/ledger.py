"""The senders of the kill test: some send one message at a time, some several at once; all resend what was not acknowledged.

Invariants: what a sender knows is written down before its message leaves (sent) and after its answer came (acknowledged), so that the checks
can ask for both at any moment. A sender never gives a message up before its time is over; giving up is a failure of its own.
"""

import threading
from datetime import datetime

import psycopg2
from support.messages import Booking
from support.senders import Resender

APPLICATION = "KILLRIS"
START = datetime(2031, 1, 6, 10, 0)  # the same for all: each has a patient of its own and needs no scanner
DELIVERY_SECONDS = 90

THERE = """
SELECT EXISTS (SELECT FROM radscheduler.message_key k JOIN radscheduler.sender s USING (site_id, sender_id)
               WHERE s.sending_application = %s AND k.control_id = %s)
"""


class Ledger:
    """What was sent and what was acknowledged, over all rounds: control id to filler id, and to the acknowledgement's bytes."""

    def __init__(self):
        self.sent = {}
        self.acknowledged = {}
        self.problems = []
        self.again = 0
        self.seen = 0
        self._lock = threading.Lock()

    def note_sent(self, booking):
        with self._lock:
            self.sent[booking.control_id] = booking.filler

    def note_answer(self, booking, ack):
        with self._lock:
            self.acknowledged[booking.control_id] = ack.raw
            if (ack.code, ack.control_id) != ("AA", booking.control_id):
                self.problems.append(f"{booking.control_id} was answered {ack.code} for {ack.control_id}")

    def note_problem(self, text):
        with self._lock:
            self.problems.append(text)

    def count(self, again=0, seen=0):
        with self._lock:
            self.again += again
            self.seen += seen

    def snapshot(self):
        with self._lock:
            return dict(self.acknowledged)

    def take_problems(self):
        with self._lock:
            found, self.problems = self.problems, []
        return found


class Witness:
    """Looks into the database the moment an acknowledgement came: what it acknowledges must be there for a session that was not part of it."""

    def __init__(self, database):
        self._database = database
        self._connection = None

    def look(self, control_id):
        """True or False; None when PostgreSQL cannot be asked at this moment."""
        try:
            if self._connection is None:
                self._connection = self._database.connect()
            with self._connection.cursor() as cursor:
                cursor.execute(THERE, (APPLICATION, control_id))
                return cursor.fetchone()[0]
        except psycopg2.Error:
            self.close()
            return None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class RoundSender(threading.Thread):
    """Sends until it is told to stop, `at_once` messages before it waits for answers; what is under way then is delivered first.

    With a witness every acknowledgement is checked the moment it comes.
    """

    def __init__(self, port, ledger, stop, at_once=1, witness=None):
        super().__init__(daemon=True)
        self._sender = Resender(port)
        self._ledger = ledger
        self._stop_event = stop
        self._at_once = at_once
        self._witness = witness

    def run(self):
        try:
            while not self._stop_event.is_set():
                bookings = [Booking(start=START, application=APPLICATION, facility="KILL") for _ in range(self._at_once)]
                messages = [booking.message() for booking in bookings]
                for booking in bookings:
                    self._ledger.note_sent(booking)
                self._sender.deliver_all(messages, DELIVERY_SECONDS, lambda place, ack, bookings=bookings: self._answered(bookings[place], ack))
        except Exception as error:
            self._ledger.note_problem(f"a sender gave up: {type(error).__name__}: {error}")
        finally:
            self._ledger.count(again=self._sender.again)
            self._sender.close()
            if self._witness:
                self._witness.close()

    def _answered(self, booking, ack):
        there = self._witness.look(booking.control_id) if self._witness else None
        if there is False:
            self._ledger.note_problem(f"{booking.control_id} was acknowledged before it was in the database")
        self._ledger.count(seen=1 if there else 0)
        self._ledger.note_answer(booking, ack)
