"""Random histories of messages about a few appointments that want the same resources at the same times. All of it is invented.

A history is a list of Message in the order of MSH-7, the order in which its sender wrote them. Every MSH-7 is different: between equal ones
the order of arrival decides, by design. Two kinds:

snapshots()  every message shows the whole appointment, or ends it (S15, S16, S17, S26, or a status that ends it). Such a history must end in
             the same schedule in every order of arrival.
patches()    messages that change a part: no time, no status, single resources (S18 to S22); blocks (S23, S24); the merge of two patients (A40). What they leave depends on
             what was there, and an older message is not applied after a newer one, so only the order between appointments is free.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from support.messages import secrets

FIRST = datetime(2021, 3, 3, 8, 0)  # MSH-7 of the earliest message that can be; Wednesday
LATER = datetime(2031, 3, 5)  # where most appointments are: after every message
SAME_DAY = datetime(2021, 3, 3)  # where some are: messages come during the exam
STARTS = ((10, 0), (10, 15), (10, 30), (11, 0), (11, 20), (19, 45))  # the last one beyond the opening hours
MINUTES = (15, 30, 45, 60)
OPEN_WORDS = ("Booked", "Booked", "Booked", "Booked", "Booked", "Confirmed", "Overbook", "Arrived", "Started", "Pending")
CLOSED_WORDS = ("Cancelled", "Noshow", "Complete", "Dc", "Deleted")
CHANGES = ("S13", "S13", "S14", "S27")
CLOSINGS = ("S15", "S15", "S16", "S17", "S26")
REASONS = ("ILL", "SNOW", "ASKED")
PATIENTS = ("QUILL1", "RAVEN2", "SALTY3")
secrets.update(PATIENTS)
STUDIES = ("CTHEAD1^CT HEAD", "CTCHEST2^CT CHEST", "USLIVER3^US LIVER")

# What there is to book: shape of an appointment -> the segments it can name. Codes in lower case are not registered beforehand.
SCANNERS = ("AIG|1||CTNORTH^^ORDER", "AIG|1||CTSOUTH^^ORDER", "AIG|1||ctunheard^CT Unheard", "AIG|1||CTNORTH^^ORDER|||||||10|MIN|15|MIN")
ROOMS = ("AIL|1||USROOM", "AIL|1||NARROW", "AIL|1||roomunheard")
STAFF = ("AIP|1||T1^SHAWL^ANNIE|TECHNOLOGIST", "AIP|1||R1^REEDY^MAYBEL|RADIOLOGIST", "AIP|1||T2^CROWE^NORMA|TECHNOLOGIST")
SHAPES = (("scanners",), ("scanners", "staff"), ("rooms",), ("rooms", "staff"), ("scanners", "rooms"), ("staff",), ())


@dataclass(frozen=True)
class Message:
    appointment: int
    at: datetime
    event: str
    segments: tuple = ()
    start: str = ""
    minutes: int = 0
    word: str = ""
    patient: str = ""
    keys: str = "|{0}"  # SCH-1 and SCH-2
    sender: str = "WHOLE"
    sequence: str = ""
    reason: str = ""
    priority: str = ""
    copy: int = 0  # the same content once more under another control id

    @property
    def control(self):
        return f"{self.appointment}-{self.at:%d%H%M%S}{self.sequence}-{self.event}-{self.copy}"

    @property
    def key(self):
        return self.at, self.sequence

    def text(self):
        if self.event == "A40":
            return (f"MSH|^~\\&|{self.sender}|ORDER|RADSCHED|RAD|{self.at:%Y%m%d%H%M%S}||ADT^A40|{self.control}|P|2.5|{self.sequence}\r"
                    f"PID|1||{self.patient}^^^ORDER^MR||{self.patient[:-1]}^PERSON\rMRG|{self.reason}^^^ORDER^MR")
        timing = f"{self.minutes}|MIN|^^{self.minutes}^{self.start}^^{self.priority}" if self.start else "||"
        lines = [
            f"MSH|^~\\&|{self.sender}|ORDER|RADSCHED|RAD|{self.at:%Y%m%d%H%M%S}||SIU^{self.event}^SIU_S12|{self.control}|P|2.5|{self.sequence}",
            f"SCH|{self.keys.format(f'KEY{self.appointment}')}||||{self.reason}|||{timing}||||||||||||||{self.word}",
        ]
        named = {kind: [segment for segment in self.segments if segment.startswith(kind)] for kind in ("NTE", "PV1", "AI")}
        person = [f"PID|1||{self.patient}^^^ORDER^MR||{self.patient[:-1]}^PERSON"] if self.patient else []
        return "\r".join([*lines, *named["NTE"], *person, *named["PV1"], "RGS|1", *named["AI"]])

    def bytes(self):
        return self.text().encode()


class Writer:
    """Writes one history; chance is a random.Random."""

    def __init__(self, chance):
        self.chance = chance
        # A few of everything, so that appointments meet.
        self.scanners, self.rooms, self.staff = (chance.sample(kind, chance.choice((1, 1, 2))) for kind in (SCANNERS, ROOMS, STAFF))
        self.starts = chance.sample(STARTS, chance.choice((1, 2, 2, 3)))
        self.day = chance.choice((LATER, LATER, SAME_DAY))
        self.patients = chance.sample(PATIENTS, chance.choice((1, 2, 3)))

    def times(self, owners):
        """Distinct order keys, some of them far apart, so that they fall before, into and behind the exams of that day; two messages in a row about
        one appointment may differ in MSH-13 only."""
        keys = [(FIRST + timedelta(minutes=minute, seconds=self.chance.choice((0, 0, 7))), "") for minute in sorted(self.chance.sample(range(480), len(owners)))]
        for place in range(1, len(owners)):
            if owners[place] == owners[place - 1] and not keys[place - 1][1] and self.chance.random() < 0.15:
                keys[place] = (keys[place - 1][0], "5")
        return keys

    def start(self):
        if self.chance.random() < 0.03:
            return f"{self.day:%Y%m%d}"
        hour, minute = self.chance.choice(self.starts)
        return f"{self.day.replace(hour=hour, minute=minute):%Y%m%d%H%M}"

    def segments(self, shape):
        """Exams and resources, a few of them at hours of their own (the field behind their start, in minutes after the appointment's)."""
        chance = self.chance
        exams = [f"AIS|{place}||{chance.choice(STUDIES)}||{chance.choice(('', '', '', '20'))}|MIN" for place in range(1, chance.choice((2, 2, 2, 3)))]
        return (f"PV1|1|{chance.choice('OOOIE')}", f"NTE|1||{chance.choice(('films', 'chair', 'early'))}", *exams, *(chance.choice(getattr(self, kind)) for kind in shape))

    def snapshots(self):
        """Up to eight whole messages about up to five appointments."""
        chance = self.chance
        number = chance.choice((2, 3, 4, 5, 6, 7, 8, 8, 8))
        appointments = chance.randint(1, min(6, number))
        owners = [*range(appointments), *(chance.randrange(appointments) for _ in range(number - appointments))]
        chance.shuffle(owners)
        shapes = [chance.choice(SHAPES) for _ in range(appointments)]
        senders = [chance.choice(("WHOLE", "WHOLE", "PIECES")) for _ in range(appointments)]
        patients = [chance.choice(self.patients) for _ in range(appointments)]
        corrected = [chance.random() < 0.15 for _ in range(appointments)]  # a booking (S12) for another patient is another appointment; a change is a correction
        keys = [chance.choice(("|{0}", "P{0}|{0}", "P{0}|")) for _ in range(appointments)]
        shown, ended = {}, set()  # the newest whole message of each appointment so far; those that have been ended
        history = []
        for (at, sequence), owner in zip(self.times(owners), owners, strict=True):
            if senders[owner] == "WHOLE":  # its profile says that what is not sent is gone, so the shape may change
                shapes[owner] = chance.choice(SHAPES)
            if corrected[owner]:
                patients[owner] = chance.choice(self.patients)
            if chance.random() < 0.3:
                message = self.closing(owner, keys[owner], senders[owner], shown.get(owner))
                ended.add(owner)
            else:
                events = CHANGES if corrected[owner] or owner in ended and self.day == SAME_DAY else (*CHANGES, "S12", "S12")
                message = Message(owner, at, chance.choice(events),
                                  self.segments(shapes[owner]), self.start(), chance.choice(MINUTES), chance.choice(OPEN_WORDS), patients[owner], keys[owner],
                                  senders[owner], reason=chance.choice(REASONS), priority=chance.choice("RRS"))
                shown[owner] = message
            history.append(replace(message, at=at, sequence=sequence))
        return history

    def closing(self, owner, keys, sender, shown):
        """An end: by event or by status, bare or with the appointment as it was last shown."""
        chance = self.chance
        event = chance.choice(CLOSINGS)
        word = chance.choice(("", "", *CLOSED_WORDS))
        if chance.random() < 0.25:
            event, word = chance.choice(("S12", "S13", "S14")), chance.choice(CLOSED_WORDS)
        if shown is not None and (chance.random() < 0.5 or event in ("S12", "S13", "S14")):
            return replace(shown, event=event, word=word, reason=chance.choice(REASONS))
        if event in ("S12", "S13", "S14"):
            event = "S15"
        return Message(owner, FIRST, event, word=word, keys=keys, sender=sender, reason=chance.choice(REASONS))

    def patches(self):
        """Up to eight messages of any kind about up to five appointments; each appointment's own order must be kept."""
        chance = self.chance
        number = chance.choice((3, 4, 5, 6, 7, 8, 8, 8))
        appointments = chance.randint(2, min(5, number))
        owners = [*range(appointments), *(chance.randrange(appointments) for _ in range(number - appointments))]
        chance.shuffle(owners)
        senders = [chance.choice(("WHOLE", "PIECES", "PIECES")) for _ in range(appointments)]
        blocks = {owner for owner in range(1, appointments) if chance.random() < 0.2}  # some are no appointments but blocks
        merge = chance.choice(owners) if chance.random() < 0.2 else None  # and one may be a single merge
        history = []
        for (at, sequence), owner in zip(self.times(owners), owners, strict=True):
            shape = chance.choice(SHAPES)
            if owner == merge:
                if not any(one.appointment == owner for one in history):
                    history.append(Message(owner, at, "A40", patient=PATIENTS[0], reason=PATIENTS[1], sender=senders[owner], sequence=sequence))
                continue
            if owner in blocks:
                history.append(Message(owner, at, chance.choice(("S23", "S23", "S24")), self.places(), self.start(), chance.choice(MINUTES), sender=senders[owner],
                                       sequence=sequence, reason=chance.choice(REASONS)))
                continue
            whole = Message(owner, at, chance.choice(("S12", "S12", "S13", "S14", "S27")), self.segments(shape), self.start(), chance.choice(MINUTES),
                            chance.choice(("", *OPEN_WORDS)), chance.choice(self.patients), sender=senders[owner], sequence=sequence)
            if not any(one.appointment == owner for one in history) and chance.random() < 0.8:
                history.append(whole)
            elif chance.random() < 0.4:
                history.append(chance.choice((whole, replace(whole, event=chance.choice(CLOSINGS), word=chance.choice(("", *CLOSED_WORDS))),
                                              replace(whole, event="S14", word=chance.choice(CLOSED_WORDS), start="", segments=()))))
            elif chance.random() < 0.5:
                history.append(replace(whole, event=chance.choice(("S18", "S19", "S20", "S21", "S22")), start="", word="", segments=tuple(
                    segment for segment in self.segments(shape) if segment.startswith("AI"))))
            else:  # a change of one thing only
                history.append(chance.choice((replace(whole, event="S13", segments=(), word=""), replace(whole, event="S14", start="", segments=()),
                                              replace(whole, event="S14", start="", word="", segments=self.coded(shape)))))
        return history

    def places(self):
        """What a block can name."""
        return tuple(segment for kind in ("scanners", "rooms") for segment in self.chance.sample(getattr(self, kind), 1))[:self.chance.choice((1, 2))]

    def coded(self, shape):
        """Resources with action codes (AIx-2): add, delete, update, leave."""
        return tuple(segment.replace("|1||", f"|1|{self.chance.choice('ADDUX')}|", 1) for segment in self.segments(shape) if segment.startswith("AI"))


# The site the histories happen at, where all patients have been before.
WORLD = (
    "UPDATE radscheduler.site SET timezone = 'America/New_York', travel_minutes = 10",
    "INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile) SELECT site_id, 'WHOLE', 'ORDER', '{\"update_mode\": \"full\"}' FROM radscheduler.site",
    "INSERT INTO radscheduler.sender (site_id, sending_application, sending_facility, profile) SELECT site_id, 'PIECES', 'ORDER', '{}' FROM radscheduler.site",
    "SELECT radscheduler.add_resource('CTNORTH', 'CT north', 'equipment', 'CT', setup_minutes => 5, turnover_minutes => 10)",
    "SELECT radscheduler.add_resource('CTSOUTH', 'CT south', 'equipment', 'CT')",
    "SELECT radscheduler.add_resource('USROOM', 'Ultrasound room', 'room', 'US', capacity => 2)",
    "SELECT radscheduler.add_resource('NARROW', 'Narrow room', 'room')",
    "SELECT radscheduler.add_resource('T1', 'Annie Shawl', 'staff', role => 'TECHNOLOGIST')",
    "SELECT radscheduler.add_resource('R1', 'Maybel Reedy', 'staff', role => 'RADIOLOGIST')",
    "INSERT INTO radscheduler.resource_hours (site_id, resource_id, weekday, opens, closes) SELECT s.site_id, NULL, d, '08:00', '18:00' FROM radscheduler.site s, generate_series(1, 5) d",
    *("SELECT radscheduler.ingest(convert_to(E'" + Message(90 + place, FIRST - timedelta(days=30), "S12", (), "202102030900", 30, "Booked", patient).text().replace("\\", "\\\\").replace("\r", "\\r") + "', 'UTF8'))"
      for place, patient in enumerate(PATIENTS)),
    "INSERT INTO radscheduler.resource_block (site_id, resource_id, during) SELECT r.site_id, r.resource_id, '[2031-03-05 10:20-05, 2031-03-05 10:40-05)' FROM radscheduler.resource r WHERE r.code = 'CTSOUTH'",
)


def is_whole(history):
    """Whether its ends show nothing but what the booking before them showed: shrinking must not make a history that is none of ours."""
    shown = {}
    for message in sorted(history, key=lambda one: one.key):
        if message.event in CLOSINGS or message.word in CLOSED_WORDS:
            before = shown.get(message.appointment)
            if message.start and (before is None or (before.start, before.segments) != (message.start, message.segments)):
                return False
        else:
            shown[message.appointment] = message
    return True
