"""The senders of the kill test: four that book without pause, and resend what was not acknowledged.

Invariants: what a sender knows is written down before its message leaves (sent) and after its answer came (acknowledged), so that the checks
can ask for both at any moment. A sender never gives a message up before its time is over; giving up is a failure of its own.
"""

import threading
from datetime import datetime

from support.messages import Booking
from support.senders import Resender

APPLICATION = "KILLRIS"
START = datetime(2031, 1, 6, 10, 0)  # the same for all: each has a patient of its own and needs no scanner
DELIVERY_SECONDS = 90


class Ledger:
    """What was sent and what was acknowledged, over all rounds: control id to filler id, and to the acknowledgement's bytes."""

    def __init__(self):
        self.sent = {}
        self.acknowledged = {}
        self.problems = []
        self.again = 0
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

    def count_again(self, number):
        with self._lock:
            self.again += number

    def snapshot(self):
        with self._lock:
            return dict(self.acknowledged)

    def take_problems(self):
        with self._lock:
            found, self.problems = self.problems, []
        return found


class RoundSender(threading.Thread):
    """Sends until it is told to stop; the message under way then is delivered first."""

    def __init__(self, port, ledger, stop):
        super().__init__(daemon=True)
        self._sender = Resender(port)
        self._ledger = ledger
        self._stop_event = stop

    def run(self):
        try:
            while not self._stop_event.is_set():
                booking = Booking(start=START, application=APPLICATION, facility="KILL")
                message = booking.message()
                self._ledger.note_sent(booking)
                self._ledger.note_answer(booking, self._sender.deliver(message, DELIVERY_SECONDS))
        except Exception as error:
            self._ledger.note_problem(f"a sender gave up: {type(error).__name__}: {error}")
        finally:
            self._ledger.count_again(self._sender.again)
            self._sender.close()
