"""Clients that nobody here wrote talk to the daemon: python3-hl7's (its asyncio client and its program mllp_send), node-hl7-client from npm, and
plain sockets as nc would use them. Bookings, changes and refusals come back as each of them understands acknowledgements.
"""

import shutil
import socket
import subprocess

import pytest
from support.independent import NodeClient, send_with_python_hl7
from support.messages import Booking
from support.mllp import frame


@pytest.fixture(scope="module")
def node():
    client = NodeClient()
    if client.reason:
        pytest.skip(f"node-hl7-client is not here: {client.reason}")
    return client


def story():
    """Two bookings, one of which is moved and cancelled, an event that no rule knows, and the messages' expected answers."""
    first, second = Booking(), Booking()
    steps = [(first.message(), "AA"), (second.message(), "AA"), (first.message("S13"), "AA"), (first.message("S99"), "AR"), (first.message("S15", status="CANCELLED"), "AA")]
    return first, second, steps


def check_story(system, first, second):
    assert first.row(system.db)["status"] == "CANCELLED" and second.row(system.db)["status"] == "SCHEDULED"
    assert first.count(system.db) == second.count(system.db) == 1


def control_id(message):
    return message.split("|")[9]


def test_python_hl7(system):
    first, second, steps = story()
    answers = send_with_python_hl7(system.daemon.mllp_port, [message for message, _ in steps])
    assert [(str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) for answer in answers] == [(code, control_id(message)) for message, code in steps]
    check_story(system, first, second)


def test_python_hl7s_program(system, tmp_path):
    """mllp_send of python3-hl7 sends a file of several messages without framing."""
    program = shutil.which("mllp_send")
    if program is None:
        pytest.skip("mllp_send is not installed")
    bookings = [Booking() for _ in range(3)]
    file = tmp_path / "bookings.hl7"
    file.write_text("".join(booking.message() for booking in bookings), newline="")
    done = subprocess.run([program, "--loose", "--file", str(file), "--port", str(system.daemon.mllp_port), "127.0.0.1"], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    for booking in bookings:
        assert f"MSA|AA|{booking.control_id}".encode() in done.stdout
        assert booking.count(system.db) == 1


def test_node_hl7_client(system, node):
    first, second, steps = story()
    answers = node.send(system.daemon.mllp_port, [message for message, _ in steps])
    assert [(answer["code"], answer["controlId"]) for answer in answers] == [(code, control_id(message)) for message, code in steps]
    check_story(system, first, second)


def test_node_hl7_client_sends_characters(system, node):
    """Texts beyond ASCII survive the client's own encoding."""
    booking = Booking(text="KNIE LINKS GRÖSSE ß")
    assert node.send(system.daemon.mllp_port, [booking.message()])[0]["code"] == "AA"
    assert booking.row(system.db)["study_type"] == "KNIE LINKS GRÖSSE ß"


def test_a_socket_that_ends_its_half_gets_its_answers(system):
    """As `nc -N` does: everything is written, the sending half is closed, and what comes back is read to the end."""
    bookings = [Booking() for _ in range(5)]
    with socket.create_connection(("127.0.0.1", system.daemon.mllp_port), timeout=30) as connection:
        connection.sendall(b"".join(frame(booking.message()) for booking in bookings))
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    answers = received.split(b"\x1c\r")
    assert answers.pop() == b"" and len(answers) == len(bookings)
    for booking, answer in zip(bookings, answers, strict=True):
        assert answer.startswith(b"\x0bMSH|") and f"MSA|AA|{booking.control_id}\r".encode() in answer
        assert booking.count(system.db) == 1


def test_one_read_is_one_answer(system):
    """A naive sender calls recv() once and takes what comes for the whole answer: each one leaves in one write."""
    with system.mllp() as client:
        for _ in range(50):
            booking = Booking()
            client.write(frame(booking.message()))
            answer = client.read_once()
            assert answer.startswith(b"\x0b") and answer.endswith(b"\x1c\r") and f"|{booking.control_id}\r".encode() in answer
