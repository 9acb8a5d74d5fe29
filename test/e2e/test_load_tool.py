"""radsched-send load: shares of events, bursts, a rate, NAKs and losses counted, progress, TLS with and without a client certificate."""

import collections
import itertools
import json
import re
import ssl
import subprocess

import pytest
from support.certificates import Authority
from support.receiver import Receiver, acknowledge
from support.services import SEND, free_port


def run(port, *arguments, expect=0):
    done = subprocess.run([str(SEND), "--port", str(port), *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done


def load(port, *arguments, expect=0):
    return json.loads(run(port, "--json", "load", *arguments, expect=expect).stdout)


def test_a_mix_ends_as_its_messages_say(fresh_system):
    """Every booking, move, change, cancellation and no-show over eight connections is in the schedule; repeats change nothing."""
    result = load(fresh_system.daemon.mllp_port, "--connections", 8, "--messages", 600, "--mix", "S12=50,S13=20,S14=10,S15=10,S26=5,repeat=5", "--seed", 3)
    assert (result["sent"], result["acked"], result["nak"], result["lost"], result["codes"]) == (600, 600, 0, 0, {"AA": 600})
    events = collections.Counter(result["events"])
    assert min(events[name] for name in ("S12", "S13", "S14", "S15", "S26", "repeat")) > 10 and sum(events.values()) == 600
    statuses = {row["status"]: row["n"] for row in fresh_system.db.rows("SELECT status, count(*) AS n FROM radscheduler.appointments GROUP BY status")}
    assert statuses == {"SCHEDULED": events["S12"] - events["S15"] - events["S26"], "CANCELLED": events["S15"], "NO_SHOW": events["S26"]}
    outcomes = {row["outcome"]: row["n"] for row in fresh_system.db.rows("SELECT outcome, count(*) AS n FROM radscheduler.hl7_message GROUP BY outcome")}
    assert outcomes == {"applied": 600 - events["repeat"], "duplicate": events["repeat"]}


def test_bursts_are_answered_in_order(fresh_system):
    result = load(fresh_system.daemon.mllp_port, "--connections", 4, "--messages", 400, "--burst", 50, "--mix", "S12=3,S13=1")
    assert (result["acked"], result["lost"], result["burst"]) == (400, 0, 50)
    assert fresh_system.db.value("SELECT count(*) FROM radscheduler.appointments") == result["events"]["S12"]


def test_a_rate_is_kept():
    with Receiver() as receiver:
        result = load(receiver.port, "--connections", 4, "--rate", 100, "--seconds", 2)
    assert result["acked"] == result["sent"] == len(receiver.messages)
    assert 180 <= result["sent"] <= 204
    assert 1.8 <= result["seconds"] <= 3


def test_waiting_for_its_turn_counts():
    """At a rate the clock of a message starts when it was due, not when a slow receiver let it be sent."""
    slow = itertools.count()

    def answer(message):
        if next(slow) == 0:
            subprocess.run(["sleep", "0.5"], check=True)
        return acknowledge(message)

    with Receiver(answer) as receiver:
        result = load(receiver.port, "--connections", 1, "--rate", 100, "--messages", 40)
    assert result["acked"] == 40
    assert result["p50_ms"] > 100, "half of the messages were due while the first one was not answered"


def test_a_warm_up_is_not_measured():
    count = itertools.count(1)

    def answer(message):
        if next(count) <= 20:
            subprocess.run(["sleep", "0.05"], check=True)
        return acknowledge(message)

    with Receiver(answer) as receiver:
        result = load(receiver.port, "--messages", 220, "--warm-up", 20)
        assert (result["acked"], result["measured"]) == (220, 200)
        assert result["max_ms"] < 50 and result["seconds"] < 1
        assert load(receiver.port, "--seconds", 0.5, "--warm-up", 300)["measured"] > 0


def test_refusals_are_counted_by_code():
    codes = itertools.cycle(["AA", "AE", "AA", "AR", "CA"])
    with Receiver(lambda message: acknowledge(message, next(codes))) as receiver:
        result = load(receiver.port, "--messages", 50, expect=1)
    assert (result["acked"], result["nak"], result["lost"]) == (30, 20, 0)
    assert result["codes"] == {"AA": 20, "AE": 10, "AR": 10, "CA": 10}
    assert result["first_problem"] == "answered AE"


def test_what_is_not_answered_is_lost():
    count = itertools.count(1)
    with Receiver(lambda message: None if next(count) % 10 == 0 else acknowledge(message)) as receiver:
        result = load(receiver.port, "--messages", 50, expect=1)
    assert (result["sent"], result["acked"], result["lost"]) == (50, 45, 5)
    assert "no acknowledgement came" in result["first_problem"]
    result = load(free_port(), "--messages", 3, expect=1)
    assert (result["sent"], result["acked"], result["lost"]) == (3, 0, 3)
    assert "cannot connect" in result["first_problem"]


def test_what_is_lost_of_a_burst_is_counted():
    count = itertools.count(1)
    with Receiver(lambda message: None if next(count) == 30 else acknowledge(message)) as receiver:
        result = load(receiver.port, "--messages", 100, "--burst", 20, expect=1)
    assert result["sent"] == 100 and result["acked"] + result["lost"] == 100
    assert result["lost"] == 11, "of the second burst nine were answered"


def test_the_answer_to_another_message_is_no_answer():
    with Receiver(lambda message: b"MSH|^~\\&|R|R|S|S|1||ACK|1|P|2.5\rMSA|AA|other\r") as receiver:
        result = load(receiver.port, "--messages", 5, expect=1)
    assert (result["acked"], result["lost"]) == (0, 5)


def test_progress_is_told_on_standard_error():
    with Receiver() as receiver:
        done = run(receiver.port, "--json", "load", "--messages", 200, "--progress")
    assert json.loads(done.stdout)["acked"] == 200
    assert re.fullmatch(r"\[#{24}\] 100 %  200 answered, \d+ msg/s, NAK 0, lost 0, p99 [\d.]+ ms, 0 s left", done.stderr.splitlines()[-1])
    with Receiver() as receiver:
        assert run(receiver.port, "--json", "load", "--messages", 20).stderr == "", "nobody asked, and this is no terminal"


@pytest.mark.parametrize("mix", ["S12=1,S99=2", "S13=1", "S12=x"])
def test_a_wrong_mix_is_a_wrong_command_line(mix):
    assert "mix" in run(1, "load", "--mix", mix, expect=2).stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def server_side(authority, demand_certificate=False, name="server", alternatives="DNS:localhost,IP:127.0.0.1"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(name, alternatives))
    if demand_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
    return context


def test_tls_with_a_trusted_certificate(authority):
    with Receiver(tls=server_side(authority)) as receiver:
        for host in ("localhost", "127.0.0.1"):
            result = load(receiver.port, "--host", host, "--tls", "--ca", authority.file, "--connections", 3, "--messages", 60, "--burst", 10)
            assert (result["acked"], result["tls"]) == (60, True)


def test_tls_refuses_strangers(authority, tmp_path):
    """A certificate of another CA, one for another name, and a server without TLS are no server to send patients to."""
    stranger = Authority(tmp_path / "stranger")
    with Receiver(tls=server_side(stranger)) as receiver:
        result = load(receiver.port, "--tls", "--ca", authority.file, "--messages", 1, expect=1)
        assert result["lost"] == 1 and "certificate verify failed" in result["first_problem"] and receiver.messages == []
        assert load(receiver.port, "--tls", "--no-verify", "--messages", 1)["acked"] == 1
    with Receiver(tls=server_side(authority, name="elsewhere", alternatives="DNS:elsewhere.invalid")) as receiver:
        assert load(receiver.port, "--tls", "--ca", authority.file, "--messages", 1, expect=1)["lost"] == 1
        assert load(receiver.port, "--tls", "--ca", authority.file, "--server-name", "elsewhere.invalid", "--messages", 1)["acked"] == 1
    with Receiver() as receiver:
        assert load(receiver.port, "--timeout", 1, "--tls", "--ca", authority.file, "--messages", 1, expect=1)["lost"] == 1


def test_client_certificates(authority):
    certificate, key = authority.issue("ris")
    with Receiver(tls=server_side(authority, demand_certificate=True)) as receiver:
        common = ("--tls", "--ca", authority.file)
        assert "AA" in run(receiver.port, *common, "--cert", certificate, "--key", key, "sample").stdout
        assert (("commonName", "ris"),) in receiver.peers[0]["subject"]
        both = certificate.with_name("both.pem")
        both.write_bytes(certificate.read_bytes() + key.read_bytes())
        run(receiver.port, *common, "--cert", both, "sample")
        assert "NO ANSWER" in run(receiver.port, *common, "sample", expect=1).stdout
    assert len(receiver.messages) == 2


def test_files_that_are_no_certificates_are_named(authority, tmp_path):
    nothing = tmp_path / "nothing.pem"
    assert "--ca" in run(1, "--tls", "--ca", nothing, "sample", expect=1).stderr
    assert "--cert" in run(1, "--tls", "--ca", authority.file, "--cert", nothing, "sample", expect=1).stderr
    certificate, _ = authority.issue("one")
    _, other_key = authority.issue("other")
    assert "--key" in run(1, "--tls", "--ca", authority.file, "--cert", certificate, "--key", other_key, "sample", expect=1).stderr
    assert "--tls" in run(1, "--ca", authority.file, "sample", expect=2).stderr
