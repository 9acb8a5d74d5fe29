#!/usr/bin/env python3
"""Plays a RIS: sends scheduling messages (HL7 v2 SIU^S12) over MLLP and reports every acknowledgement.

Needs nothing but Python's standard library. One connection per message, as simple senders do.
The exit code is 0 when every message was answered AA or CA, else 1.
"""

import argparse
import os
import random
import socket
import sys
import time
from datetime import datetime, timedelta

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c\x0d"

EXAMS = [
    ("MRI001", "MRI BRAIN W/O CONTRAST"),
    ("CT002", "CT CHEST W CONTRAST"),
    ("XR003", "CHEST XRAY 2 VIEWS"),
    ("US004", "ABDOMINAL ULTRASOUND"),
]
PATIENTS = [
    ("SMITH", "ALICE", "F"),
    ("GARCIA", "MATEO", "M"),
    ("CHEN", "MEI", "F"),
    ("OKAFOR", "SAMUEL", "M"),
    ("NOVAK", "PETRA", "F"),
    ("HANSEN", "ERIK", "M"),
]


class Simulator:
    """Builds messages with ids that count from 1, sends them, and keeps the score."""

    def __init__(self, host, port, timeout):
        self.host = host
        self.port = port
        self.timeout = timeout
        self.sent = 0
        self.failed = 0

    def appointment(self, patient=None, exam=None):
        """One SIU^S12: segments joined by CR, none after the last, the form that small senders produce."""
        family, given, sex = patient or random.choice(PATIENTS)
        code, text = exam or random.choice(EXAMS)
        self.sent += 1
        now = datetime.now()
        start = (now + timedelta(hours=2)).strftime("%Y%m%d%H%M")
        segments = [
            f"MSH|^~\\&|RIS|MEMORIAL|RADSCHED|RAD|{now:%Y%m%d%H%M%S}||SIU^S12|MSG{self.sent:06d}|P|2.5",
            f"SCH||{random.randint(1000, 9999)}|||||||30|MIN|^^30^{start}^^R||||||||||||||SCHEDULED",
            f"PID|1||MRN{random.randint(100000, 999999)}||{family}^{given}||19800101|{sex}"
            f"|||123 MAIN ST^^BOSTON^MA^02101||617-555-{random.randint(100, 199):04d}",
            "RGS|1|A",
            f"AIS|1|A|{code}^{text}|{start}",
            f"AIP|1|A|RADIOLOGIST^DOE^JOHN^MD|{start}",
        ]
        return "\r".join(segments)

    def send(self, message):
        """Sends one message on a connection of its own. Returns (code, detail): the ACK's code, or why there is none."""
        try:
            with socket.create_connection((self.host, self.port), timeout=self.timeout) as connection:
                connection.sendall(START_BLOCK + message.encode("utf-8") + END_BLOCK)
                answer = receive_frame(connection)
        except OSError as error:
            return None, f"no answer from {self.host}:{self.port}: {error}"
        return read_ack(answer)

    def deliver(self, message, label):
        code, detail = self.send(message)
        if code not in ("AA", "CA"):
            self.failed += 1
        if label:
            print(f"{label}: {code or 'FAILED'}{' (' + detail + ')' if detail else ''}", flush=True)
        return code, detail


def receive_frame(connection):
    """Reads until the end of the frame, or until the peer closes."""
    received = b""
    while END_BLOCK not in received:
        piece = connection.recv(4096)
        if not piece:
            break
        received += piece
    return received


def read_ack(frame):
    """The acknowledgement code and its text, from the MSA segment."""
    body = frame.strip(START_BLOCK + END_BLOCK)
    if not body:
        return None, "the connection was closed without an acknowledgement"
    segments = body.decode("utf-8", "replace").split("\r")
    header = segments[0]
    separator = header[3] if header.startswith("MSH") and len(header) > 3 else "|"
    for segment in segments:
        fields = segment.split(separator)
        if fields[0] == "MSA" and len(fields) > 1:
            return fields[1], fields[3] if len(fields) > 3 else ""
    return None, "the answer has no MSA segment"


def scenario_random(simulator):
    """one appointment with a random patient and exam"""
    simulator.deliver(simulator.appointment(), "random appointment")


def scenario_dramatic_save(simulator):
    """one patient, booked for a contrast CT: the message that a scheduler would want to see checked"""
    message = simulator.appointment(("DOE", "JOHN", "M"), ("CT002", "CT CHEST W CONTRAST"))
    simulator.deliver(message, "contrast CT")


def scenario_efficiency_boost(simulator):
    """five appointments, one after the other"""
    for number in range(1, 6):
        simulator.deliver(simulator.appointment(), f"appointment {number} of 5")
        if number < 5:
            time.sleep(0.2)


def scenario_load_test(simulator):
    """one hundred appointments as fast as they are acknowledged, with progress"""
    total = 100
    started = time.monotonic()
    for number in range(1, total + 1):
        code, detail = simulator.deliver(simulator.appointment(), None)
        if code not in ("AA", "CA"):
            print(f"message {number}: {code or 'FAILED'} ({detail})", flush=True)
        if number % 10 == 0:
            print(f"{number} of {total} sent, {simulator.failed} failed", flush=True)
        if number == simulator.failed == 5:
            print("The first five messages all failed; giving up.", flush=True)
            break
    seconds = time.monotonic() - started
    print(f"{simulator.sent / seconds:.0f} messages per second over {seconds:.1f} s", flush=True)


SCENARIOS = {
    "random": scenario_random,
    "dramatic-save": scenario_dramatic_save,
    "efficiency-boost": scenario_efficiency_boost,
    "load-test": scenario_load_test,
}


def main():
    listing = "\n".join(f"  {name:<17} {run.__doc__}" for name, run in SCENARIOS.items())
    parser = argparse.ArgumentParser(
        description="Plays a RIS: sends scheduling messages over MLLP and reports every acknowledgement.",
        epilog=f"scenarios:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="?", help="what to send (default: random)")
    parser.add_argument("--host", default=os.environ.get("RADSCHED_MLLP_HOST", "localhost"))
    parser.add_argument("--port", type=int, default=os.environ.get("RADSCHED_MLLP_PORT", "8661"))
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for an answer (default: 30)")
    arguments = parser.parse_args()

    if arguments.scenario is None:
        parser.print_help()
        print()
    elif arguments.scenario not in SCENARIOS:
        print(f"There is no scenario '{arguments.scenario}'; sending one random appointment instead.")

    simulator = Simulator(arguments.host, arguments.port, arguments.timeout)
    SCENARIOS.get(arguments.scenario, scenario_random)(simulator)
    print(f"{simulator.sent - simulator.failed} of {simulator.sent} acknowledged")
    return 1 if simulator.failed else 0


if __name__ == "__main__":
    sys.exit(main())
