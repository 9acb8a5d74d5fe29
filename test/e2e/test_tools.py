"""radsched-send: the guide's sample, files, folders, load; its exit code tells whether every answer was good."""

import json
import subprocess

from support.messages import GUIDE_MESSAGE, Booking
from support.services import DAEMON, SEND, free_port


def send(port, *arguments, expect=0):
    done = subprocess.run(
        [str(SEND), "--host", "127.0.0.1", "--port", str(port), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_sample_is_the_guides_message(fresh_system):
    output = send(fresh_system.daemon.mllp_port, "sample")
    assert "MSA|AA|MSG001" in output
    assert bytes(fresh_system.db.value("SELECT raw FROM radscheduler.hl7_message")) == GUIDE_MESSAGE


def test_file_with_unix_line_ends(fresh_system, tmp_path):
    booking = Booking()
    file = tmp_path / "booking.hl7"
    file.write_text(booking.message(segment_end="\n"))
    assert f"MSA|AA|{booking.control_id}" in send(fresh_system.daemon.mllp_port, "file", file)
    assert booking.row(fresh_system.db)["status"] == "SCHEDULED"


def test_folder_in_order_of_names(fresh_system, tmp_path):
    booking = Booking()
    (tmp_path / "1-book.hl7").write_text(booking.message())
    (tmp_path / "2-cancel.hl7").write_text(booking.message("S15", status="CANCELLED"))
    output = send(fresh_system.daemon.mllp_port, "folder", tmp_path)
    assert "2 sent, 2 as expected, 0 not" in output
    assert booking.row(fresh_system.db)["status"] == "CANCELLED"


def test_a_refusal_is_an_exit_code(fresh_system, tmp_path):
    file = tmp_path / "unknown.hl7"
    file.write_text(Booking().message("S99"))
    assert "MSA|AR|" in send(fresh_system.daemon.mllp_port, "file", file, expect=1)
    send(fresh_system.daemon.mllp_port, "--expect", "AR", "file", file)
    send(free_port(), "sample", expect=1)


def test_load_books_what_it_says(fresh_system):
    result = json.loads(send(fresh_system.daemon.mllp_port, "--json", "load", "--connections", 8, "--messages", 400))
    assert (result["sent"], result["acked"], result["nak"], result["lost"]) == (400, 400, 0, 0)
    assert fresh_system.db.value("SELECT count(*) FROM radscheduler.appointments WHERE status = 'SCHEDULED'") == 400


def test_colliding_load_flags_and_still_acknowledges(fresh_system):
    """Many senders, few scanners, the same hours: no deadlock, no lost answer, and one clean booking per slot."""
    result = json.loads(send(fresh_system.daemon.mllp_port, "--json", "load", "--colliding", "--connections", 16, "--messages", 400))
    assert (result["acked"], result["nak"], result["lost"]) == (400, 0, 0)
    doubled = fresh_system.db.value(
        "SELECT count(*) FROM radscheduler.occupancy a JOIN radscheduler.occupancy b"
        " ON (a.site_id, a.axis, a.subject_id, a.lane) = (b.site_id, b.axis, b.subject_id, b.lane)"
        " AND a.occupancy_id < b.occupancy_id AND a.buffered && b.buffered")
    assert doubled == 0
    statuses = {row["status"]: row["n"] for row in fresh_system.db.rows(
        "SELECT status, count(*) AS n FROM radscheduler.appointments GROUP BY status")}
    assert statuses == {"SCHEDULED": 64, "PENDING_REVIEW": 336}, "four scanners times sixteen slots can be clean"


def test_check_config_names_what_is_wrong():
    done = subprocess.run(
        [str(DAEMON), "--check-config"], env={"DATABASE_URL": "postgresql:///x", "RADSCHED_MLLP_PORT": "99999"},
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "RADSCHED_MLLP_PORT" in done.stdout + done.stderr and "65535" in done.stdout + done.stderr
    done = subprocess.run([str(DAEMON), "--check-config"], env={}, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0 and "DATABASE_URL" in done.stdout + done.stderr


def test_a_taken_port_is_said(system):
    done = subprocess.run(
        [str(DAEMON)],
        env={"DATABASE_URL": system.db.url, "RADSCHED_MLLP_PORT": str(system.daemon.mllp_port), "RADSCHED_HTTP_PORT": str(free_port())},
        capture_output=True, text=True, timeout=30, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and str(system.daemon.mllp_port) in said and "RADSCHED_MLLP_PORT" in said
