"""Messages of the tests. Every patient invented here is remembered, so that the last test can look for them in the logs."""

import itertools
from datetime import datetime, timedelta

GUIDE_MESSAGE = (
    b"MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|20240115100000||SIU^S12|MSG001|P|2.5\r"
    b"SCH||1234|||||||30|MIN|^^30^202401151000^^R||||||||||||||SCHEDULED\r"
    b"PID|1||MRN123456||DOE^JOHN||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r"
    b"RGS|1|A\r"
    b"AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|202401151000\r"
    b"AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|202401151000"
)

_counter = itertools.count(1)
_day = itertools.count(0)

# What must never stand in a log: names, record numbers and phone numbers of every patient the tests made.
secrets = {"MRN123456", "617-555-0123", "16175550123", "6175550123"}


def leaks(text):
    """Which of them stand in a text. Most begin alike, so a large text is searched for the few beginnings first."""
    stems = {}
    for secret in secrets:
        stems.setdefault(secret[:8], []).append(secret)
    return sorted(secret for stem, alike in stems.items() if stem in text for secret in alike if secret in text)


class Patient:
    """A person whose name, number and phone occur nowhere else, so that finding one in a log means a leak."""

    def __init__(self):
        number = next(_counter)
        self.mrn = f"QMRN{number:07d}X"
        self.family = f"Zqfamily{number:05d}"
        self.given = f"Xvgiven{number:05d}"
        self.phone = f"+1617{5_000_000 + number:07d}"
        self.display = f"{self.given} {self.family}"
        secrets.update({self.mrn, self.family, self.given, self.phone, self.phone[1:]})


def free_day():
    """A date no other test books on: a weekday at ten, local time of the site."""
    day = datetime(2031, 1, 6, 10, 0) + timedelta(weeks=next(_day))
    return day


class Booking:
    """One appointment as a RIS would tell it: build S12, S13, S14, S15 ... of it."""

    def __init__(self, start=None, patient=None, scanner=None, room=None, technologist=None, minutes=30,
                 code="MRI002", text="MRI KNEE W/O CONTRAST", application="E2ERIS", facility="E2EHOSP"):
        number = next(_counter)
        self.filler = f"F{number:07d}"
        self.patient = patient or Patient()
        self.start = start or free_day()
        self.scanner = scanner
        self.room = room
        self.technologist = technologist
        self.minutes = minutes
        self.code = code
        self.text = text
        self.application = application
        self.facility = facility
        self.clock = datetime(2030, 1, 1) + timedelta(seconds=number)
        self.control_id = None

    def message(self, trigger="S12", status="SCHEDULED", control_id=None, version="2.5.1", segment_end="\r"):
        self.clock += timedelta(seconds=60)
        self.control_id = f"C{next(_counter):08d}" if control_id is None else control_id
        start = f"{self.start:%Y%m%d%H%M}"
        segments = [
            f"MSH|^~\\&|{self.application}|{self.facility}|RADSCHED|RAD|{self.clock:%Y%m%d%H%M%S}||SIU^{trigger}^SIU_S12"
            f"|{self.control_id}|P|{version}",
            f"SCH||{self.filler}|||||||{self.minutes}|MIN|^^{self.minutes}^{start}^^R||||||||||||||{status}",
            f"PID|1||{self.patient.mrn}^^^{self.facility}^MR||{self.patient.family}^{self.patient.given}||19700101|F"
            f"|||||{self.patient.phone}",
            "RGS|1|A",
            f"AIS|1|A|{self.code}^{self.text}|{start}|||{self.minutes}|MIN",
        ]
        if self.scanner:
            segments.append(f"AIG|1|A|{self.scanner}^{self.scanner}|SCANNER^Scanner||||{start}|||{self.minutes}|MIN")
        if self.room:
            segments.append(f"AIL|1|A|{self.room}|ROOM^Room||{start}|||{self.minutes}|MIN")
        if self.technologist:
            segments.append(
                f"AIP|1|A|{self.technologist}^Tech^{self.technologist}|TECHNOLOGIST^Technologist||{start}|||{self.minutes}|MIN"
            )
        return segment_end.join(segments) + segment_end

    def row(self, database):
        """The appointment as radscheduler.appointments shows it, found by the sender's own id."""
        return database.row(
            "SELECT v.* FROM radscheduler.appointments v"
            " JOIN radscheduler.appointment a ON a.appointment_id = v.id"
            " JOIN radscheduler.sender s ON (s.site_id, s.sender_id) = (a.site_id, a.sender_id)"
            " WHERE a.filler_id = %s AND s.sending_application = %s"
            " ORDER BY a.generation DESC LIMIT 1",
            self.filler, self.application,
        )

    def count(self, database):
        return database.value(
            "SELECT count(*) FROM radscheduler.appointment a JOIN radscheduler.sender s USING (site_id, sender_id)"
            " WHERE a.filler_id = %s AND s.sending_application = %s",
            self.filler, self.application,
        )
