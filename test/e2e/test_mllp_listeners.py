"""Who may come in at an MLLP listener, for which site, through TLS or not; what is rejected is kept; what is asked of the daemon while it runs."""

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from support.messages import Booking
from support.mllp import Ack, Client, frame
from support.services import Daemon, Database, eventually, free_port

NAME = "mllp_listeners"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def certificate(folder, name, ca=None):
    """A key and a certificate for a name, signed by `ca` or by itself."""
    key, request, cert = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    if ca is None:
        openssl("req", "-x509", "-new", "-key", key, "-subj", f"/CN={name}", "-days", 30, "-out", cert)
    else:
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", folder / f"{ca}.pem", "-CAkey", folder / f"{ca}.key", "-CAcreateserial", "-days", 30, "-out", cert)
    return cert, key


class TlsClient(Client):
    def __init__(self, port, folder, name=None, ca="authority", **versions):
        super().__init__(port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(folder / f"{ca}.pem")
        for key, value in versions.items():
            setattr(context, key, value)
        if name:
            context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.socket = context.wrap_socket(self.socket)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    certificate(folder, "authority")
    for name in ("server", "ris.example", "stranger.example"):
        certificate(folder, name, "authority")
    return folder


@pytest.fixture(scope="module")
def database(cluster):
    database = Database.create(cluster, NAME)
    database.execute("SELECT radscheduler.create_site('SOUTH', 'South', 'UTC')")
    yield database
    database.close()
    cluster.admin(f'DROP DATABASE "{NAME}" WITH (FORCE)')


@pytest.fixture(scope="module")
def ports():
    return {name: free_port() for name in ("tls", "south", "elsewhere", "naming", "late")}


@pytest.fixture(scope="module")
def daemon(database, folder, ports):
    tls = {"certificate": str(folder / "server.pem"), "key": str(folder / "server.key"), "client_ca": str(folder / "authority.pem")}
    listeners = folder / "listeners.json"
    listeners.write_text(json.dumps([
        {"name": "tls", "host": "127.0.0.1", "port": ports["tls"], "tls": tls, "senders": {"ris.example": ["TLSRIS|NORTH"]}},
        {"name": "south", "host": "127.0.0.1", "port": ports["south"], "site": "SOUTH"},
        {"name": "naming", "host": "127.0.0.1", "port": ports["naming"], "profile": {"preset": "seed_naming"}},
        {"name": "late", "host": "127.0.0.1", "port": ports["late"], "site": "SOUTH", "profile": {"order_by": "arrival", "phone_region": "GB"}},
        {"name": "elsewhere", "host": "127.0.0.1", "port": ports["elsewhere"], "networks": ["192.0.2.0/24"]},
    ]), encoding="utf-8")
    daemon = Daemon(database.url, RADSCHED_MLLP_LISTENERS=str(listeners), RADSCHED_MLLP_MAX_FRAME="64KiB", RADSCHED_MLLP_FRAME_TIMEOUT="1s",
                    RADSCHED_MLLP_START_TIMEOUT="3s", RADSCHED_MLLP_MAX_PER_PEER="40")
    yield daemon
    daemon.stop()


def message(application="RIS", facility="NORTH"):
    booking = Booking()
    lines = booking.message().split("\r")
    fields = lines[0].split("|")
    fields[2:4] = [application, facility]
    lines[0] = "|".join(fields)
    return booking, "\r".join(lines)


def stored(database, booking):
    return database.value("SELECT count(*) FROM radscheduler.appointment WHERE filler_id = %s", booking.filler)


def quarantined(database, reason):
    return eventually(lambda: database.rows("SELECT * FROM radscheduler.hl7_quarantine WHERE reason = %s ORDER BY quarantine_id DESC", reason), what=f"{reason} in quarantine")[0]


def test_a_certificate_brings_its_sender(daemon, database, folder, ports):
    booking, text = message("TLSRIS")
    with contextlib.closing(TlsClient(ports["tls"], folder, "ris.example")) as client:
        ack = client.send(text)
    assert (ack.code, ack.control_id) == ("AA", booking.control_id)
    assert stored(database, booking) == 1


def test_a_certificate_does_not_bring_another_sender(daemon, database, folder, ports):
    booking, text = message("OTHERRIS")
    with contextlib.closing(TlsClient(ports["tls"], folder, "ris.example")) as client:
        client.write(frame(text))
        assert client.read_frame() is None
    assert stored(database, booking) == 0
    kept = quarantined(database, "wrong_sender")
    assert (bytes(kept["raw"]).decode(), kept["listener"]) == (text, "tls")


@pytest.mark.parametrize("name", [None, "stranger.example"])
def test_without_a_known_certificate_nobody_comes_in(daemon, folder, ports, name):
    with contextlib.suppress(ssl.SSLError, ConnectionError), contextlib.closing(TlsClient(ports["tls"], folder, name)) as client:
        client.write(frame(message("TLSRIS")[1]))
        assert client.read_frame() is None


def test_tls_before_1_2_is_refused(daemon, folder, ports):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsClient(ports["tls"], folder, "ris.example", minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_plain_bytes_on_the_tls_port_are_closed(daemon, ports):
    with Client(ports["tls"]) as client:
        client.write(frame(message("TLSRIS")[1]))
        assert b"MSA" not in (client.read_frame() or b"")


def test_sighup_reads_a_new_certificate_and_drops_nobody(daemon, folder, ports):
    def shown():
        client = TlsClient(ports["tls"], folder, "ris.example")
        with contextlib.closing(client):
            return client.socket.getpeercert(binary_form=True)

    before = shown()
    with contextlib.closing(TlsClient(ports["tls"], folder, "ris.example")) as old:
        assert old.send(message("TLSRIS")[1]).code == "AA"
        certificate(folder, "server", "authority")
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: shown() != before, what="the new certificate")
        assert old.send(message("TLSRIS")[1]).code == "AA"
        (folder / "server.key").write_text("no key", encoding="utf-8")
        good = shown()
        daemon.process.send_signal(signal.SIGHUP)
        eventually(lambda: "tls_reload_failed" in daemon.log.read_text(), what="the complaint about the key")
        assert shown() == good


def test_a_listener_has_a_site(daemon, database, ports):
    booking, text = message("SOUTHRIS")
    with Client(ports["south"]) as client:
        acks = []
        client.write(frame(text) + frame(message("SOUTHRIS")[1]))
        acks = [Ack(client.read_frame()).code for _ in range(2)]
        assert client.send(message("SOUTHRIS")[1]).code == "AA"
    assert acks == ["AA", "AA"]
    assert database.rows("SELECT t.code, count(*) AS n FROM radscheduler.hl7_message m JOIN radscheduler.sender s USING (site_id, sender_id) JOIN radscheduler.site t USING (site_id)"
                         " WHERE s.sending_application = 'SOUTHRIS' GROUP BY 1") == [{"code": "SOUTH", "n": 3}]
    assert booking.control_id


def test_a_listener_has_a_profile_for_new_senders(daemon, database, ports):
    """Each reads S15 as its listener says, from the first message on, alone and in a shared transaction; who is known keeps his profile."""
    for name, port, status in (("NAMINGRIS", ports["naming"], "DISCONTINUED"), ("PLAINRIS", daemon.mllp_port, "CANCELLED"), ("PLAINRIS", ports["naming"], "CANCELLED")):
        bookings = [Booking(application=name, facility="NORTH") for _ in range(3)]
        with Client(port) as client:
            client.write(b"".join(frame(text) for booking in bookings for text in (booking.message(), booking.message("S15", ""))))
            assert [Ack(client.read_frame()).code for _ in range(6)] == ["AA"] * 6
        assert [booking.row(database)["status"] for booking in bookings] == [status] * 3
    with Client(ports["late"]) as client:
        assert client.send(message("LATERIS")[1]).code == "AA"
    assert database.rows("SELECT s.sending_application AS name, t.code AS site, s.profile FROM radscheduler.sender s JOIN radscheduler.site t USING (site_id)"
                         " WHERE s.sending_application IN ('NAMINGRIS', 'PLAINRIS', 'LATERIS') ORDER BY 1") == [
        {"name": "LATERIS", "site": "SOUTH", "profile": {"order_by": "arrival", "phone_region": "GB"}},
        {"name": "NAMINGRIS", "site": "MAIN", "profile": {"preset": "seed_naming"}},
        {"name": "PLAINRIS", "site": "MAIN", "profile": {}}]


def test_a_profile_that_is_not_understood_is_told_at_the_start(database):
    daemon = Daemon(database.url, RADSCHED_MLLP_PROFILE='{"order_by": "chance"}')
    try:
        eventually(lambda: "mllp.profile" in daemon.log.read_text(), what="the complaint about the profile")
        assert "order_by" in daemon.log.read_text()
    finally:
        daemon.stop()


def test_an_address_outside_the_networks_is_closed(daemon, ports):
    with Client(ports["elsewhere"]) as client:
        client.write(frame(message()[1]))
        assert client.read_frame() is None


def test_connections_of_one_address_are_limited(daemon):
    clients = [Client(daemon.mllp_port) for _ in range(40)]
    try:
        with Client(daemon.mllp_port) as one_too_many:
            assert one_too_many.read_frame() is None
        assert clients[0].send(message()[1]).code == "AA"
    finally:
        for client in clients:
            client.close()
    eventually(lambda: "radsched_mllp_connections 0" in daemon.get("/metrics").text, what="the end of all connections")
    with Client(daemon.mllp_port) as client:
        assert client.send(message()[1]).code == "AA"


def test_rejected_frames_are_kept_with_place_and_reason(daemon, database):
    booking, text = message()
    with Client(daemon.mllp_port) as client:
        client.write(frame(text) + b"\x0bhalf" + frame(message()[1]))
        assert [Ack(client.read_frame()).code for _ in range(2)] == ["AA", "AA"]
    kept = quarantined(database, "half_frame")
    assert (bytes(kept["raw"]), kept["stream_offset"], kept["frame_bytes"], kept["listener"]) == (b"half", len(frame(text)), 4, "main")
    assert kept["peer"].startswith("127.0.0.1:")
    assert stored(database, booking) == 1
    with Client(daemon.mllp_port) as client:
        client.write(b"\x0bMSH|cut off")
    assert bytes(quarantined(database, "cut_off")["raw"]) == b"MSH|cut off"
    with Client(daemon.mllp_port) as client:
        client.write(b"\x0b" + b"x" * 70000)
        assert client.read_frame() is None
    assert quarantined(database, "too_large")["frame_bytes"] == 65536
    with Client(daemon.mllp_port) as client:
        client.write(b"GET / HTTP/1.1\r\n\r\n")
        assert client.read_once().startswith(b"HTTP/1.1 400 ")
    assert bytes(quarantined(database, "speaks_http")["raw"]) == b"GET "
    assert daemon.get("/health").json()["details"]["mllp"]["not_mllp"] >= 1


def test_a_frame_has_its_time_as_a_whole(daemon, database):
    """Bytes that trickle in do not lengthen it."""
    with Client(daemon.mllp_port) as client:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError, socket.timeout):
            for byte in b"\x0bMSH|slowly and slowly" * 10:
                client.write(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - began < 5
    assert bytes(quarantined(database, "too_slow")["raw"]).startswith(b"MSH|slow")


def test_a_connection_has_to_begin(daemon):
    with Client(daemon.mllp_port) as client:
        began = time.monotonic()
        assert client.read_frame() is None
        assert 2 < time.monotonic() - began < 8


def test_a_batch_is_answered_message_by_message(daemon, database):
    bookings = [message() for _ in range(3)]
    batch = "FHS|^~\\&|RIS\rBHS|^~\\&|RIS\r" + "".join(text.rstrip("\r") + "\r" for _, text in bookings) + "BTS|3\rFTS|1\r"
    with Client(daemon.mllp_port) as client:
        client.write(frame(batch))
        acks = [Ack(client.read_frame()) for _ in bookings]
        assert client.is_silent(0.2)
    assert [(ack.code, ack.control_id) for ack in acks] == [("AA", booking.control_id) for booking, _ in bookings]
    assert [stored(database, booking) for booking, _ in bookings] == [1, 1, 1]


def test_what_waits_together_shares_transactions_in_order(daemon, database):
    """Two hundred messages in one write: answered in order, in far fewer transactions, each logged with its peer."""
    bookings = [message() for _ in range(200)]
    with Client(daemon.mllp_port, timeout=60) as client:
        peer = "127.0.0.1:%d" % client.socket.getsockname()[1]
        client.write(b"".join(frame(text) for _, text in bookings))
        acks = [Ack(client.read_frame()) for _ in bookings]
    assert [(ack.code, ack.control_id) for ack in acks] == [("AA", booking.control_id) for booking, _ in bookings]
    row = database.rows("SELECT count(*) AS n, count(DISTINCT xmin::text) AS transactions FROM radscheduler.hl7_message WHERE peer = %s", peer)[0]
    assert row["n"] == 200
    assert row["transactions"] <= 40


def test_a_message_that_fails_alone_fails_no_other(daemon, database):
    """One message of a batch runs into an error of the database; the others are applied all the same."""
    database.execute("CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '53400'; END $$")
    database.execute("CREATE TRIGGER refuse BEFORE INSERT ON radscheduler.appointment FOR EACH ROW WHEN (NEW.notes ~ 'REFUSED') EXECUTE FUNCTION public.refuse()")
    good = [message() for _ in range(3)]
    bad = message()[1].rstrip("\r") + "\rNTE|1||REFUSED\r"
    try:
        with Client(daemon.mllp_port) as other, Client(daemon.mllp_port) as client:
            client.write(frame(good[0][1]) + frame(bad) + frame(good[1][1]))
            assert Ack(client.read_frame()).control_id == good[0][0].control_id
            assert client.is_silent(0.5), "a passing error was answered, or overtaken"
            assert other.send(good[2][1]).code == "AA"
            database.execute("DROP TRIGGER refuse ON radscheduler.appointment")
            assert [Ack(client.read_frame()).code for _ in range(2)] == ["AA", "AA"]
    finally:
        database.execute("DROP TRIGGER IF EXISTS refuse ON radscheduler.appointment")
    assert [stored(database, booking) for booking, _ in good] == [1, 1, 1]


def test_metrics_count_and_name_nobody(daemon):
    text = daemon.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['radsched_hl7_messages_total{direction="in",trigger="S12",outcome="applied"}']) >= 200
    assert float(lines['radsched_hl7_messages_total{direction="in",trigger="S15",outcome="applied"}']) >= 9
    assert float(lines['radsched_pg_query_seconds_count{op="ingest"}']) >= 1
    assert re.search(r'radsched_build_info\{version="[0-9.]+",commit="[0-9a-f]+|unknown"\} 1', text)
    assert 1e6 < float(lines["process_resident_memory_bytes"]) < 1e10 and float(lines["process_open_fds"]) > 5
    assert abs(time.time() - float(lines["process_start_time_seconds"])) < 3600 and float(lines["process_cpu_seconds_total"]) > 0
    assert float(lines["radsched_hl7_ack_seconds_count"]) >= 200
    assert float(lines['radsched_hl7_ack_seconds_bucket{le="+Inf"}']) == float(lines["radsched_hl7_ack_seconds_count"])
    assert float(lines["radsched_mllp_batches_total"]) >= 1
    assert float(lines["radsched_mllp_quarantined_total"]) >= 4
    assert not [word for word in ("TLSRIS", "SOUTH", "127.0.0.1") if word in text]


def test_systemd_is_told(database, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(path))
        notify.settimeout(10)
        daemon = Daemon(database.url, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="200000")
        try:
            assert notify.recv(1000) == b"READY=1"
            assert [notify.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        finally:
            daemon.terminate()
        said = b""
        while said != b"STOPPING=1":
            said = notify.recv(1000)
        daemon.process.wait(timeout=15)
        assert daemon.process.returncode == 0
