"""Enhanced mode over MLLP: what MSH-15 and MSH-16 ask for is what comes back, one answer a message or none."""

import pytest

from support.messages import Booking
from support.mllp import frame


def asking(booking, accept, application):
    """The message with MSH-15 and MSH-16."""
    header, rest = booking.message().encode().split(b"\r", 1)
    fields = header.split(b"|")
    fields += [b""] * (16 - len(fields))
    fields[14], fields[15] = accept.encode(), application.encode()
    return b"|".join(fields) + b"\r" + rest


@pytest.mark.parametrize(("accept", "application", "code"), [("AL", "NE", "CA"), ("AL", "AL", "CA"), ("SU", "NE", "CA"), ("ER", "AL", "AA"), ("NE", "AL", "AA"), ("", "", "AA"), ("ZZ", "", "AA")])
def test_one_answer_of_the_kind_that_was_asked_for(system, accept, application, code):
    booking = Booking()
    with system.mllp() as client:
        ack = client.send(asking(booking, accept, application))
        assert ack.code == code
        assert client.is_silent(0.3)
    assert system.db.value("SELECT outcome FROM radscheduler.hl7_message WHERE ack = %s", ack.raw) == "applied"


@pytest.mark.parametrize(("accept", "application"), [("NE", "NE"), ("ER", "NE"), ("NE", "ER")])
def test_silence_where_it_was_asked_for(system, accept, application):
    quiet, loud = Booking(), Booking()
    with system.mllp() as client:
        raw = asking(quiet, accept, application)
        client.write(frame(raw))
        assert client.is_silent(0.5)
        ack = client.send(loud.message())
        assert ack.code == "AA" and ack.control_id == loud.control_id, "the answer belongs to the second message"
    row = system.db.rows("SELECT outcome, code, length(ack) AS size FROM radscheduler.hl7_message WHERE raw = %s", raw)
    assert row == [{"outcome": "applied", "code": "AA", "size": 0}]


def test_a_repeat_gets_the_same_accept_acknowledgement(system):
    raw = asking(Booking(), "AL", "NE")
    with system.mllp() as client:
        assert client.send(raw).raw == client.send(raw).raw
