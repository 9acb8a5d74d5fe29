"""Runs last: no name, record number or phone number of any patient of this suite stands in any log."""

from support.messages import leaks, secrets
from support.services import Daemon


def test_daemon_logs_carry_no_patient_data(system):
    assert Daemon.logs and len(secrets) > 50, "run the whole suite: this test reads what the others left"
    for log in Daemon.logs:
        text = log.read_text(errors="replace")
        assert text, f"{log} is empty: the daemon logged nothing at all"
        assert leaks(text) == [], f"patient data in {log}"


def test_postgresql_log_carries_no_patient_data(system, cluster):
    text = cluster.log.read_text(errors="replace")
    assert text and leaks(text) == []
