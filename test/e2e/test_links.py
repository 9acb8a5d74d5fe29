"""What is booked here, and copies of what is received, reach the receivers of links: in order, acknowledged, again after trouble, over TLS."""

import re
import shutil
import ssl
import threading
import time

import pytest
from support.certificates import Authority
from support.hospital import Links, PythonHl7Receiver, control_id, trigger
from support.messages import Booking
from support.receiver import Receiver, acknowledge
from support.services import Daemon, Database, eventually, free_port
from support.system import System


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def folder(authority, tmp_path_factory):
    """RADSCHED_LINK_TLS_DIR: whom to believe, and who the daemon is."""
    folder = tmp_path_factory.mktemp("links")
    certificate, key = authority.issue("radschedulerd")
    shutil.copy(authority.file, folder / "ca.pem")
    shutil.copy(Authority(tmp_path_factory.mktemp("strangers"), "Strangers").file, folder / "strangers.pem")
    shutil.copy(certificate, folder / "own.pem")
    shutil.copy(key, folder / "own.key")
    return folder


@pytest.fixture(scope="module")
def place(cluster, folder):
    """A database of its own with the daemon that serves it."""
    system = System.__new__(System)
    system.db, system.redis = Database.create(cluster, "links"), None
    system.db.execute("UPDATE radscheduler.task_kind SET longest_wait = '1 s' WHERE kind = 'hl7_out'")
    system.daemon = Daemon(system.db.url, RADSCHED_LINK_TLS_DIR=str(folder))
    yield system
    system.stop()
    cluster.admin('DROP DATABASE "links" WITH (FORCE)')


@pytest.fixture
def links(place):
    links = Links(place.db)
    yield links
    links.clear()


def test_an_independent_receiver_hears_of_every_change_in_order(place, links):
    with PythonHl7Receiver() as receiver:
        links.add("HEARS", receiver.port, receiving_application="PACS", receiving_facility="NORTH")
        first, second = links.book(2)
        place.db.execute("UPDATE radscheduler.appointments SET datetime = '2031-02-04 11:00' WHERE id = %s", first)
        place.db.execute("UPDATE radscheduler.appointments SET status = 'CANCELLED' WHERE id = %s", second)
        links.book(30)
        links.wait_until_sent("HEARS")
        told = [(str(message.segment("MSH")[9]).split("^")[1], str(message.segment("MSH")[10])) for message in receiver.messages]
        tasks = links.tasks("HEARS")
        assert told == [(task["event"], f"RST{task['task_id']}") for task in tasks]
        assert [event for event, _ in told] == ["S12", "S12", "S13", "S15"] + ["S12"] * 30
        assert {(task["state"], task["attempts"]) for task in tasks} == {("done", 1)}
        assert str(receiver.messages[2].segment("SCH")[11]).find("20310204110000") >= 0
        assert {str(message.segment("MSH")[5]) for message in receiver.messages} == {"PACS"}
    assert place.db.value("SELECT count(*) FROM radscheduler.event_log WHERE type = 'hl7.acked' AND data ->> 'link' = 'HEARS'") == 34


def test_a_lone_booking_is_told_soon(place, links):
    with Receiver() as receiver:
        links.add("SOON", receiver.port)
        links.book()  # opens the connection
        links.wait_until_sent("SOON")
        delays = []
        for _ in range(5):
            time.sleep(0.3)
            known, begun = len(receiver.messages), time.monotonic()
            links.book()
            eventually(lambda known=known: len(receiver.messages) > known, what="the message")
            delays.append(time.monotonic() - begun)
        assert sorted(delays)[2] < 0.8, delays


def test_copies_are_byte_for_byte_and_in_order(place, links):
    with Receiver() as receiver:
        links.add("PACSCOPY", receiver.port, kind="hl7_copy")
        sent = []
        bookings = [Booking(application="COPIED", facility="LINKS") for _ in range(10)]
        with place.mllp() as client:
            for booking in bookings:
                sent.append(booking.message().encode())
                assert client.send(sent[-1]).code == "AA"
            assert client.send(sent[0]).code == "AA"  # the same bytes again: known, not copied twice
            assert client.send(bookings[0].message("S99")).code == "AR"
            sent.append(bookings[0].message("S15", "CANCELLED", segment_end="\r\n").encode())
            assert client.send(sent[-1]).code == "AA"
        links.wait_until_sent("PACSCOPY")
        assert receiver.messages == sent


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(place, links):
    port = free_port()
    links.add("AWAY", port)
    links.book(5)
    task = links.wait_for("AWAY", attempts=lambda attempts: attempts >= 2, state="ready")
    assert task["note"].startswith(f"cannot connect to 127.0.0.1:{port}"), task["note"]
    assert [other["attempts"] for other in links.tasks("AWAY")][1:] == [0] * 4
    with Receiver(port=port) as receiver:
        links.wait_until_sent("AWAY")
        assert [control_id(message) for message in receiver.messages] == [f"RST{task['task_id']}" for task in links.tasks("AWAY")]


def test_a_refused_message_is_put_aside_and_can_be_sent_again(place, links):
    bad = []

    def answer(message):
        if not bad:
            bad.append(control_id(message))
            return acknowledge(message, "AE") + b"ERR||PID^1^3|204^Unknown key identifier^HL70357|E||||no such person\r"
        return acknowledge(message)

    with Receiver(answer) as receiver:
        links.add("REFUSES", receiver.port)
        links.book(3)
        links.wait_until_sent("REFUSES")
        assert links.states("REFUSES") == ["dead", "done", "done"]
        dead = links.tasks("REFUSES")[0]
        assert dead["note"] == "AE 204 PID^1^3"
        place.db.execute("SELECT radscheduler.retry_task(%s)", dead["task_id"])
        links.wait_until_sent("REFUSES")
        assert links.states("REFUSES") == ["done"] * 3
        assert [control_id(message) for message in receiver.messages][-1] == bad[0] == control_id(receiver.messages[0])


@pytest.mark.parametrize("code", ["AR", "CE", "CR"])
def test_every_other_code_is_a_refusal(place, links, code):
    with Receiver(lambda message: acknowledge(message, code)) as receiver:
        links.add("CODES", receiver.port)
        links.book()
        links.wait_until_sent("CODES")
        assert [(task["state"], task["note"]) for task in links.tasks("CODES")] == [("dead", code)]
        links.set("CODES", accept_codes=["AA", code])
        place.db.execute("SELECT radscheduler.retry_task(task_id) FROM radscheduler.outbox WHERE link = 'CODES'")
        links.wait_until_sent("CODES")
        assert links.states("CODES") == ["done"]


def test_a_link_may_wait_for_what_is_refused_and_give_up_in_the_end(place, links):
    with Receiver(lambda message: acknowledge(message, "AE" if trigger(message) == "S12" else "AA")) as receiver:
        links.add("PATIENT", receiver.port, on_refusal="retry", max_attempts=3)
        [booked] = links.book()
        links.wait_for("PATIENT", state="ready", attempts=1)
        place.db.execute("UPDATE radscheduler.appointments SET status = 'CANCELLED' WHERE id = %s", booked)
        links.wait_until_sent("PATIENT")
        assert [(task["event"], task["state"], task["attempts"]) for task in links.tasks("PATIENT")] == [("S12", "dead", 3), ("S15", "done", 1)]
        assert [trigger(message) for message in receiver.messages] == ["S12"] * 3 + ["S15"]
    assert place.db.value("SELECT count(*) FROM radscheduler.event_log WHERE type = 'hl7.dead_lettered' AND data ->> 'link' = 'PATIENT' AND data ->> 'why' = 'exhausted'") == 1


def test_an_answer_to_another_message_does_not_count(place, links):
    """Its answer may still come behind it; when it does not, the message is sent again, on a new connection, and nothing overtakes it."""
    stray = acknowledge(b"MSH|^~\\&|A|B|C|D|20310101||SIU^S12|STRAY|P|2.5\r")
    answers = iter([lambda message: stray + b"\x1c\x0d\x0b" + acknowledge(message), lambda _: stray])

    def answer(message):
        return next(answers, acknowledge)(message)

    with Receiver(answer) as receiver:
        links.add("STRAYS", receiver.port, answer_seconds=1)
        links.book(3)
        links.wait_until_sent("STRAYS")
        tasks = links.tasks("STRAYS")
        assert [task["attempts"] for task in tasks] == [1, 2, 1]
        names = [f"RST{task['task_id']}" for task in tasks]
        assert [control_id(message) for message in receiver.messages] == [names[0], names[1], names[1], names[2]]
        assert receiver.connections == 2


def test_silence_and_a_closed_connection_are_no_answers(place, links):
    silent = threading.Event()

    def answer(message):
        if len(receiver.messages) == 1:
            silent.wait(10)
            return None
        return None if len(receiver.messages) == 2 else b"MSH|^~\\&|R\r" if len(receiver.messages) == 3 else acknowledge(message)

    with Receiver(answer) as receiver:
        links.add("SILENT", receiver.port, answer_seconds=1)
        links.book(2)
        task = links.wait_for("SILENT", state="unknown")
        assert task["note"] == "no acknowledgement came: no answer in time"
        links.wait_until_sent("SILENT")
        silent.set()
        tasks = links.tasks("SILENT")
        assert [(task["state"], task["attempts"], task["note"]) for task in tasks] == [("done", 4, None), ("done", 1, None)]
        first, second = (f"RST{task['task_id']}" for task in tasks)
        assert [control_id(message) for message in receiver.messages] == [first] * 4 + [second]


def test_a_silent_receiver_holds_up_nobody_else(place, links):
    silent = threading.Event()
    with Receiver(lambda _: silent.wait(20) and None) as mute, Receiver() as quick:
        links.add("MUTE", mute.port, answer_seconds=20)
        links.add("QUICK", quick.port)
        links.book(20)
        links.wait_until_sent("QUICK")
        assert len(quick.messages) == 20
        assert links.states("MUTE")[0] == "sending"
        silent.set()


def test_tls_asks_for_the_right_certificates(place, links, authority, folder):
    certificate, key = authority.issue("pacs.example", "DNS:pacs.example")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    with Receiver(tls=context) as receiver:
        links.add("SAFE", receiver.port, tls=True, tls_ca="ca.pem", tls_certificate="own.pem", tls_key="own.key")
        links.book()
        assert "verify" in links.wait_for("SAFE", state="ready", note=bool)["note"]  # it is pacs.example, not 127.0.0.1
        links.set("SAFE", tls_name="pacs.example", tls_ca="strangers.pem")
        links.wait_for("SAFE", attempts=lambda attempts: attempts > 2, state="ready")
        links.set("SAFE", tls_ca="nowhere.pem")
        links.wait_for("SAFE", note=lambda note: "nowhere.pem" in note)
        assert receiver.messages == []
        links.set("SAFE", tls_ca="ca.pem")
        links.wait_until_sent("SAFE")
        links.book(3)
        links.wait_until_sent("SAFE")
        assert len(receiver.messages) == 4
        assert ("commonName", "radschedulerd") in [pair for part in receiver.peers[-1]["subject"] for pair in part]
        # Without its own certificate it is not let in.
        links.set("SAFE", tls_certificate=None, tls_key=None)
        links.book()
        links.wait_for("SAFE", attempts=lambda attempts: attempts > 0, state=lambda state: state in ("ready", "unknown"))
        links.set("SAFE", tls_certificate="own.pem", tls_key="own.key")
        links.wait_until_sent("SAFE")
        assert len(receiver.messages) == 5


def test_a_link_can_be_switched_off_and_moved(place, links):
    with Receiver() as old, Receiver() as new:
        links.add("MOVES", old.port)
        links.book()
        links.wait_until_sent("MOVES")
        links.set("MOVES", port=new.port)
        links.book()
        links.wait_until_sent("MOVES")
        assert (len(old.messages), len(new.messages)) == (1, 1)
        links.set("MOVES", is_enabled=False)
        links.book()
        assert links.states("MOVES") == ["done", "done"]  # what happens meanwhile is not told later


def test_the_daemon_ends_though_a_receiver_is_silent(cluster, place, links):
    silent = threading.Event()
    with Receiver(lambda message: acknowledge(message) if silent.is_set() else silent.wait(60) and None) as receiver:
        links.add("ENDS", receiver.port, answer_seconds=300)
        links.book(2)
        links.wait_for("ENDS", state="sending")
        begun = time.monotonic()
        place.daemon.terminate()
        assert place.daemon.process.wait(timeout=20) == 0
        assert time.monotonic() - begun < 9
        assert links.states("ENDS") == ["unknown", "ready"]
        silent.set()
        place.daemon.start()
        links.wait_until_sent("ENDS")
        first, second = (f"RST{task['task_id']}" for task in links.tasks("ENDS"))
        assert [control_id(message) for message in receiver.messages] == [first, first, second]


def test_metrics_tell_of_it_and_name_nobody(place, links):
    def value(name):
        found = re.search(rf"^{re.escape(name)} (\S+)$", place.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else None

    with Receiver() as receiver:
        before = value('radsched_task_attempts_total{kind="hl7_out",outcome="done"}')
        links.add("COUNTED", receiver.port)
        links.book(4)
        links.wait_until_sent("COUNTED")
        eventually(lambda: value('radsched_task_attempts_total{kind="hl7_out",outcome="done"}') == before + 4, what="four more tries that were done")
        assert value("radsched_link_connections") >= 1
        assert value("radsched_link_answer_seconds_count") >= 4
        assert "COUNTED" not in place.get("/metrics").text
