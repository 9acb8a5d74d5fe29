"""simulator/send-hl7.py as the guide tells people to run it."""

import os
import subprocess

import pytest

from support.services import REPO, free_port


def simulate(port, *arguments, expect=0):
    done = subprocess.run(
        ["python3", "-I", "send-hl7.py", *arguments], cwd=REPO / "simulator", capture_output=True, text=True, timeout=120,
        env=dict(os.environ, RADSCHED_MLLP_PORT=str(port), RADSCHED_MLLP_HOST="127.0.0.1"), check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("scenario", "messages"), [("random", 1), ("dramatic-save", 1), ("efficiency-boost", 5), ("load-test", 100)])
def test_scenarios(fresh_system, scenario, messages):
    output = simulate(fresh_system.daemon.mllp_port, scenario)
    assert f"{messages} of {messages} acknowledged" in output
    counted = fresh_system.db.rows("SELECT code, count(*) AS n FROM radscheduler.hl7_message GROUP BY code")
    assert [(row["code"], row["n"]) for row in counted] == [("AA", messages)]
    if scenario == "load-test":
        assert "50 of 100 sent" in output
        assert fresh_system.db.value("SELECT count(*) FROM radscheduler.appointments") > 90, "filler ids collide rarely"
        modalities = {row["modality"] for row in fresh_system.db.rows("SELECT DISTINCT modality FROM radscheduler.appointments")}
        assert "OT" not in modalities, "a study of the simulator was not recognised"


def test_no_argument_prints_the_usage_and_sends_one(fresh_system):
    output = simulate(fresh_system.daemon.mllp_port)
    assert "usage:" in output and "load-test" in output and "1 of 1 acknowledged" in output


def test_unknown_scenario_says_so_and_sends_one(fresh_system):
    output = simulate(fresh_system.daemon.mllp_port, "nonsense")
    assert "no scenario 'nonsense'" in output and "1 of 1 acknowledged" in output


def test_options_choose_the_listener(fresh_system):
    output = simulate(1, "random", "--host", "127.0.0.1", "--port", str(fresh_system.daemon.mllp_port))
    assert "1 of 1 acknowledged" in output


def test_nobody_listening_is_a_failure():
    assert "0 of 1 acknowledged" in simulate(free_port(), "random", expect=1)


def test_run_twice_in_a_row_books_twice(fresh_system):
    """Control ids restart at MSG000001: the second run must not be taken for a repeat of the first."""
    simulate(fresh_system.daemon.mllp_port, "efficiency-boost")
    simulate(fresh_system.daemon.mllp_port, "efficiency-boost")
    outcomes = {row["outcome"] for row in fresh_system.db.rows("SELECT outcome FROM radscheduler.hl7_message")}
    assert "duplicate" not in outcomes
    assert fresh_system.db.value("SELECT count(DISTINCT control_id) FROM radscheduler.hl7_message") == 5
