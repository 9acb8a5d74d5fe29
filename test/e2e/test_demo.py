"""`make demo` on free ports: the story holds, a second run reuses what is there, a taken port is a sentence, and stop removes all."""

import os
import socket
import subprocess
import time

import pytest

from support.services import REPO, free_port

NAME = "demo-test"


def make(*arguments, mllp, http, expect=0, stdin=None):
    environment = dict(os.environ, DEMO_NAME=NAME, DEMO_MLLP_PORT=str(mllp), DEMO_HTTP_PORT=str(http))
    environment.pop("MAKEFLAGS", None)
    done = subprocess.run(
        ["make", *arguments], cwd=REPO, env=environment, capture_output=True, text=True, timeout=600, check=False, input=stdin,
    )
    assert (done.returncode == 0) == (expect == 0), done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def ports():
    mllp, http = free_port(), free_port()
    yield {"mllp": mllp, "http": http}
    make("demo-stop", mllp=mllp, http=http)


def test_demo_twice_then_psql_then_stop(ports, tmp_path):
    first = make("demo", **ports)
    assert "MSA|AA|MSG001" in first and "MRN123456" in first
    assert "EQUIPMENT_DOUBLE_BOOKED" in first and "PENDING_REVIEW" in first and "CANCELLED" in first
    assert str(ports["mllp"]) in first and f"http://localhost:{ports['http']}" in first

    started = time.monotonic()
    second = make("demo", **ports)
    assert time.monotonic() - started < 30, "a second run should take seconds"
    assert "MSA|AA|MSG001" in second
    stored = [line for line in first.splitlines() if "MSH|" in line][0], [line for line in second.splitlines() if "MSH|" in line][0]
    assert stored[0] == stored[1], "the repeated sample was not answered with the stored ACK"

    script = "SELECT 'rows=' || count(*) FROM radscheduler.appointments;\n"
    assert "rows=5" in make("-s", "psql", stdin=script, **ports)
    make("-s", "psql", stdin="SELECT 1/0;\nSELECT 'went on';\n", expect=1, **ports)

    make("demo-stop", **ports)
    for port in ports.values():
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    assert not (REPO / "build" / NAME).exists()


@pytest.mark.parametrize(("variable", "key"), [("DEMO_MLLP_PORT", "mllp"), ("DEMO_HTTP_PORT", "http")])
def test_a_taken_port_is_a_sentence(ports, variable, key):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", ports[key]))
        listener.listen()
        output = make("demo", expect=1, **ports)
    assert variable in output and str(ports[key]) in output
