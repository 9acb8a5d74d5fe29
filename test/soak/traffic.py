"""The traffic of the soak test: senders over MLLP, readers over HTTP, and a clerk who writes appointments in SQL.

Invariants: each worker draws from a generator of its own, so that a seed repeats its choices. Each sender has its own scanners, times and
patients, so what must be in the database at the end is known to it alone: `expected` holds status and start of every appointment it made.
A worker never raises; what went wrong is counted, and the first few are kept as text without patient data.
"""

import collections
import json
import random
import threading
import time
from datetime import datetime, timedelta

import psycopg2
import requests

from support.messages import Booking, Patient
from support.mllp import Client

FIRST_DAY = datetime(2031, 1, 6, 8, 0)
PATIENTS = 200  # per sender; a known patient's next booking takes another way than a new one's
KEPT = 10


class Worker(threading.Thread):
    """Does something again and again until it is stopped."""

    def __init__(self, name, seed, stop, pause):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed}/{name}")
        self.stop = stop
        self.pause = pause
        self.done = 0
        self.expected = {}
        self.wrong = []
        self.crash = None
        self._slots = 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.act()
                self.stop.wait(self.pause)
        except BaseException as error:  # the checks at the end say it; a thread that ends silently proves nothing
            self.crash = f"{self.name}: {type(error).__name__}: {error}"
        finally:
            self.close()

    def act(self):
        raise NotImplementedError

    def close(self):
        pass

    def complain(self, text):
        self.wrong.append(f"{self.name}: {text}" if len(self.wrong) < KEPT else "")

    def next_start(self):
        """A start nobody else of this worker has: twelve a day, from eight to a quarter past four."""
        day, place = divmod(self._slots, 12)
        self._slots += 1
        return FIRST_DAY + timedelta(days=day, minutes=45 * place)


class MllpSender(Worker):
    """A RIS: books, moves, cancels, repeats itself, talks nonsense, and waits for the answer to each message."""

    def __init__(self, number, port, seed, stop, pause):
        super().__init__(f"sender {number}", seed, stop, pause)
        self.application = f"SOAK{number}"
        self.unanswered = 0
        self.left_in_review = 0
        self.counts = collections.Counter()
        self._port = port
        self._scanner = f"SOAKMR{number}"
        self._client = None
        self._patients = []
        self._bookings = 0
        self._open = []
        self._sent = collections.deque(maxlen=50)

    def act(self):
        kinds = {"book": 40, "move": 20, "cancel": 14, "arrive": 4, "repeat": 10, "conflict": 5, "nonsense": 7}
        kind = self.random.choices(list(kinds), kinds.values())[0]
        if kind in ("move", "cancel", "arrive") and not self._open or kind == "repeat" and not self._sent:
            kind = "book"
        self.counts[kind] += 1
        getattr(self, kind)()
        if self.random.random() < 0.005:
            self.close()

    def exchange(self, message, code="AA"):
        """One message and its answer, which must have this code. None when there was none."""
        self.done += 1
        try:
            if self._client is None:
                self._client = Client(self._port, timeout=30)
            ack = self._client.send(message)
        except (OSError, AssertionError):
            self.unanswered += 1
            self.close()
            return None
        if ack.code != code:
            self.complain(f"answered {ack.code} instead of {code}: {ack.field('ERR', 3)} {ack.field('ERR', 2)}")
        return ack

    def tell(self, booking, trigger, sent_status, status=None):
        """Sends one event of a booking and notes what the schedule must then say of it."""
        message = booking.message(trigger, status=sent_status)
        ack = self.exchange(message)
        if ack is None:
            return
        if ack.control_id != booking.control_id:
            self.complain("the answer names another message")
        self._sent.append((message, ack.raw))
        self.expected[booking.filler] = (status or sent_status, booking.start)

    def new_booking(self, start=None):
        """Patients come in turn, so that the two of a conflict are two."""
        if len(self._patients) < PATIENTS:
            self._patients.append(Patient())
        patient = self._patients[self._bookings % PATIENTS]
        self._bookings += 1
        booking = Booking(start=start or self.next_start(), patient=patient, scanner=self._scanner, application=self.application, facility="SOAK")
        booking.clock = datetime.now() - timedelta(days=2)  # a clock that runs ahead would not be believed
        return booking

    def book(self):
        booking = self.new_booking()
        self.tell(booking, "S12", "SCHEDULED")
        self._open.append(booking)

    def take(self):
        return self._open.pop(self.random.randrange(len(self._open)))

    def move(self):
        booking = self.random.choice(self._open)
        booking.start = self.next_start()
        self.tell(booking, "S13", "SCHEDULED")

    def cancel(self):
        self.tell(self.take(), "S15", "CANCELLED")

    def arrive(self):
        self.tell(self.take(), "S14", "ARRIVED")

    def conflict(self):
        """Two want the scanner at one time. The first leaves and the second heals, or both stay and it waits for a person."""
        first = self.new_booking()
        second = self.new_booking(first.start)
        self.tell(first, "S12", "SCHEDULED")
        self.tell(second, "S12", "SCHEDULED", "PENDING_REVIEW")
        if self.random.random() < 0.2:
            self.left_in_review += 1
        else:
            self.tell(first, "S15", "CANCELLED")
            self.expected[second.filler] = ("SCHEDULED", second.start)

    def repeat(self):
        message, answer = self.random.choice(self._sent)
        ack = self.exchange(message)
        if ack is not None and ack.raw != answer:
            self.complain("a repeated message got another answer than the first time")

    def nonsense(self):
        code, message = self.random.choice(NONSENSE)
        self.exchange(message.format(application=self.application, number=self.done), code)

    def close(self):
        if self._client is not None:
            self._client.close()
            self._client = None


# What must be refused, and how: an error of the message's content (AE) or nothing for us at all (AR).
HEADER = "MSH|^~\\&|{application}|SOAK|RADSCHED|RAD|20260101||"
NONSENSE = [
    ("AR", "GET / HTTP/1.1"),
    ("AR", HEADER + "SIU^S99|bad{number}|P|2.5\rSCH||1\r"),
    ("AR", HEADER + "ORU^R01|bad{number}|P|2.5\rOBR|1\r"),
    ("AE", HEADER + "SIU^S12||P|2.5\rSCH||1\r"),
    ("AE", HEADER + "SIU^S12|bad{number}|P|2.5\rSCH||bad{number}|||||||30|MIN|^^30^203102301000\rPID|1||BAD1||NONE^N\r"),
    ("AE", HEADER + "SIU^S12|bad{number}|P|2.5\rSCH||bad{number}|||||||30|MIN|^^30^203102031000\r"),
]


class HttpReader(Worker):
    """Looks at days of the schedule and at /health."""

    def __init__(self, number, base, seed, stop, pause):
        super().__init__(f"reader {number}", seed, stop, pause)
        self._base = base
        self._session = requests.Session()

    def act(self):
        day = FIRST_DAY + timedelta(days=self.random.randrange(60))
        path = self.random.choice(["/health", f"/api/appointments?date={day:%Y-%m-%d}", f"/api/appointments?date={day:%Y-%m-%d}&modality=MRI"])
        self.done += 1
        try:
            answer = self._session.get(self._base + path, timeout=30)
            body = json.loads(answer.content)
        except (requests.RequestException, ValueError) as error:
            self.complain(f"{path}: {type(error).__name__}")
            return
        good = body["status"] == "healthy" if path == "/health" else body["success"] and body["count"] == len(body["appointments"])
        if answer.status_code != 200 or not good:
            self.complain(f"{path}: {answer.status_code} {body.get('status', '')}")

    def close(self):
        self._session.close()


class SqlClerk(Worker):
    """Writes to the view appointments: books, moves, cancels, and tries double bookings, which must be refused."""

    def __init__(self, number, database, seed, stop, pause):
        super().__init__(f"clerk {number}", seed, stop, pause)
        self._connection = database.connect()
        self._cursor = self._connection.cursor()
        self._open = []

    def run_sql(self, statement, *arguments):
        self.done += 1
        self._cursor.execute(statement, arguments)
        return self._cursor.fetchone()

    def insert(self, patient, start):
        return self.run_sql("INSERT INTO radscheduler.appointments (patient_id, patient_name, patient_phone, modality, datetime)"
                            " VALUES (%s, %s, %s, 'US', %s) RETURNING id", patient.mrn, patient.display, patient.phone, start)[0]

    def act(self):
        kind = self.random.choices(["book", "move", "cancel", "double"], [50, 20, 15, 15])[0] if self._open else "book"
        if kind == "book":
            patient, start = Patient(), self.next_start()
            identity = self.insert(patient, start)
            self.expected[identity] = ("SCHEDULED", start)
            self._open.append((identity, patient))
            return
        place = self.random.randrange(len(self._open))
        identity, patient = self._open[place]
        if kind == "move":
            start = self.next_start()
            self.run_sql("UPDATE radscheduler.appointments SET datetime = %s WHERE id = %s RETURNING id", start, identity)
            self.expected[identity] = ("SCHEDULED", start)
        elif kind == "cancel":
            self.run_sql("DELETE FROM radscheduler.appointments WHERE id = %s RETURNING id", identity)
            self.expected[identity] = ("CANCELLED", self.expected[identity][1])
            del self._open[place]
        else:
            try:
                self.insert(patient, self.expected[identity][1] + timedelta(minutes=10))
                self.complain("a double booking was taken")
            except psycopg2.errors.ExclusionViolation:
                pass

    def close(self):
        self._connection.close()


def progress(workers, began):
    """One line about all of them."""
    def sum_of(kind):
        return sum(worker.done for worker in workers if isinstance(worker, kind))

    seconds = time.monotonic() - began
    messages = sum_of(MllpSender)
    return f"{seconds:5.0f} s  {messages} messages ({messages / max(seconds, 1):.0f}/s), {sum_of(HttpReader)} reads, {sum_of(SqlClerk)} writes in SQL"
