"""MLLP over TLS: who is let in, with which certificate, for which senders; certificates are renewed without dropping anybody."""

import json
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from support.certificates import Authority
from support.independent import NodeClient, send_with_python_hl7
from support.messages import Booking
from support.mllp import Client, frame
from support.services import SEND, Daemon, eventually, free_port


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """The daemon's own files, which a renewal overwrites."""
    folder = tmp_path_factory.mktemp("daemon")
    certificate, key = authority.issue("radschedulerd")
    return shutil.copy(certificate, folder / "server.pem"), shutil.copy(key, folder / "server.key")


@pytest.fixture
def encrypted(system, files):
    daemon = Daemon(system.db.url, RADSCHED_MLLP_TLS_CERT=str(files[0]), RADSCHED_MLLP_TLS_KEY=str(files[1]))
    yield daemon
    daemon.stop()


@pytest.fixture
def mutual(system, files, authority):
    daemon = Daemon(system.db.url, RADSCHED_MLLP_TLS_CERT=str(files[0]), RADSCHED_MLLP_TLS_KEY=str(files[1]), RADSCHED_MLLP_TLS_CLIENT_CA=str(authority.file))
    yield daemon
    daemon.stop()


def client_context(authority, certificate=None):
    context = ssl.create_default_context(cafile=str(authority.file))
    if certificate:
        context.load_cert_chain(*certificate)
    return context


class TlsClient(Client):
    def __init__(self, port, context):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


def is_let_in(port, context):
    """Whether a booking is answered AA. TLS 1.3 tells a client that it is refused only when it reads."""
    try:
        with TlsClient(port, context) as client:
            client.write(frame(Booking().message()))
            return b"|AA|" in (client.read_frame() or b"")
    except OSError:
        return False


def test_every_client_speaks_it(system, encrypted, authority):
    booking = Booking()
    with TlsClient(encrypted.mllp_port, client_context(authority)) as client:
        assert client.send(booking.message()).code == "AA"
        assert client.socket.version() in ("TLSv1.2", "TLSv1.3")
    assert booking.count(system.db) == 1
    answers = send_with_python_hl7(encrypted.mllp_port, [Booking().message() for _ in range(3)], ssl=client_context(authority), server_hostname="localhost")
    assert [str(answer.segment("MSA")[1]) for answer in answers] == ["AA"] * 3
    done = subprocess.run([str(SEND), "--port", str(encrypted.mllp_port), "--tls", "--ca", str(authority.file), "--json", "load", "--connections", "4", "--burst", "10",
                           "--messages", "80"], capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["acked"] == 80, done.stdout + done.stderr


def test_node_hl7_client_speaks_it(encrypted, authority):
    node = NodeClient()
    if node.reason:
        pytest.skip(f"node-hl7-client is not here: {node.reason}")
    answers = node.send(encrypted.mllp_port, [Booking().message(), Booking().message()], tls={"ca": authority.file.read_text(), "servername": "localhost"})
    assert [answer["code"] for answer in answers] == ["AA", "AA"]


def test_tls_is_at_least_1_2(encrypted, authority):
    for version, good in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_1, False)):
        context = client_context(authority)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        assert is_let_in(encrypted.mllp_port, context) == good, version


def test_plain_text_on_a_tls_port_is_closed(encrypted, authority):
    with Client(encrypted.mllp_port) as client:
        client.write(frame(Booking().message()))
        answer = b""
        try:
            while piece := client.read_once():
                answer += piece
        except ConnectionResetError:
            pass
    assert b"MSA" not in answer
    assert is_let_in(encrypted.mllp_port, client_context(authority))


def test_tls_on_the_plain_port_is_closed(system, authority):
    assert not is_let_in(system.daemon.mllp_port, client_context(authority))
    assert system.send(Booking().message()).code == "AA"


def test_a_handshake_that_never_ends_holds_up_nobody(encrypted, authority):
    silent = [socket.create_connection(("127.0.0.1", encrypted.mllp_port)) for _ in range(20)]
    for connection in silent[:10]:
        connection.sendall(b"\x16\x03\x01")
    assert is_let_in(encrypted.mllp_port, client_context(authority))
    for connection in silent:
        connection.close()


def test_client_certificates(mutual, authority, tmp_path):
    """One that our CA signed comes in; none, and one of another CA, do not."""
    assert is_let_in(mutual.mllp_port, client_context(authority, authority.issue("ris")))
    assert not is_let_in(mutual.mllp_port, client_context(authority))
    assert not is_let_in(mutual.mllp_port, client_context(authority, Authority(tmp_path / "stranger").issue("ris")))
    assert is_let_in(mutual.mllp_port, client_context(authority, authority.issue("ris"))), "it works on"


@pytest.fixture
def by_certificate(system, files, authority, tmp_path):
    """A second listener, on which the certificate "ris-north" stands for one sender and "engine" for two."""
    listeners = tmp_path / "listeners.json"
    port = free_port()
    listeners.write_text(json.dumps([{
        "name": "certified", "host": "127.0.0.1", "port": port,
        "tls": {"certificate": str(files[0]), "key": str(files[1]), "client_ca": str(authority.file)},
        "senders": {"ris-north": ["RISNORTH|NORTH"], "engine": ["RISNORTH|NORTH", "RISSOUTH|SOUTH"]}}]))
    daemon = Daemon(system.db.url, RADSCHED_MLLP_LISTENERS=str(listeners))
    daemon.certified_port = port
    yield daemon
    daemon.stop()


def test_a_certificate_stands_for_its_senders(system, by_certificate, authority):
    daemon = by_certificate
    north, south = (lambda: Booking(application="RISNORTH", facility="NORTH")), (lambda: Booking(application="RISSOUTH", facility="SOUTH"))
    own = client_context(authority, authority.issue("ris-north"))
    with TlsClient(daemon.certified_port, own) as client:
        first = north()
        assert client.send(first.message()).code == "AA"
        foreign = south()
        message = foreign.message()
        client.write(frame(message))
        assert client.read_frame() is None, "a message of a sender that the certificate does not stand for was answered"
    assert (first.count(system.db), foreign.count(system.db)) == (1, 0)
    kept = eventually(lambda: system.db.rows("SELECT reason, raw FROM radscheduler.hl7_quarantine WHERE raw = %s", message.encode()), what="the foreign message in quarantine")
    assert [row["reason"] for row in kept] == ["wrong_sender"]
    with TlsClient(daemon.certified_port, client_context(authority, authority.issue("engine"))) as client:
        assert [client.send(make().message()).code for make in (north, south, north)] == ["AA"] * 3
    assert not is_let_in(daemon.certified_port, client_context(authority, authority.issue("somebody-else"))), "a good certificate that stands for nobody"
    with Client(daemon.mllp_port) as client:
        assert client.send(south().message()).code == "AA", "the plain listener has no such rule"


def serial_of(port, authority):
    with TlsClient(port, client_context(authority)) as client:
        return client.socket.getpeercert()["serialNumber"]


def test_a_new_certificate_without_dropping_anybody(encrypted, authority, files):
    before = serial_of(encrypted.mllp_port, authority)
    with TlsClient(encrypted.mllp_port, client_context(authority)) as staying:
        assert staying.send(Booking().message()).code == "AA"
        for new, old in zip(authority.issue("renewed"), files, strict=True):
            shutil.copy(new, old)
        encrypted.process.send_signal(signal.SIGHUP)
        eventually(lambda: serial_of(encrypted.mllp_port, authority) != before, seconds=5, what="the new certificate being shown")
        assert staying.send(Booking().message()).code == "AA", "a connection that was there was dropped"
    after = serial_of(encrypted.mllp_port, authority)
    with open(files[0], "w", encoding="ascii") as certificate:
        certificate.write("no certificate at all\n")
    encrypted.process.send_signal(signal.SIGHUP)
    eventually(lambda: "tls_reload_failed" in encrypted.log.read_text(), what="the log saying that the file is no certificate")
    assert serial_of(encrypted.mllp_port, authority) == after, "the old one stays in force"
    for new, old in zip(authority.issue("mended"), files, strict=True):
        shutil.copy(new, old)


def test_sighup_without_tls_changes_nothing(system):
    with system.mllp() as client:
        assert client.send(Booking().message()).code == "AA"
        system.daemon.process.send_signal(signal.SIGHUP)
        assert client.send(Booking().message()).code == "AA"
    assert system.daemon.is_alive()
