"""Fixtures of the end-to-end suite. Run by `make check-e2e`, or: /usr/bin/python3 -m pytest test/e2e

Needs the built daemon (build/cmake/bin) and the installed extension; makes everything else itself.
"""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.messages import secrets  # noqa: E402
from support.services import DAEMON, KEEP_LOGS, LOGS, Cluster, Database, Redis  # noqa: E402
from support.system import System  # noqa: E402

MAIN_DATABASE = "radscheduler_e2e"


@pytest.fixture(scope="session")
def cluster():
    if not KEEP_LOGS:
        shutil.rmtree(LOGS, ignore_errors=True)
    cluster = Cluster("e2e", MAIN_DATABASE)
    yield cluster
    cluster.destroy()
    # test/logs/scan.py looks for these in the logs of all suites.
    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / "e2e.secrets").write_text("".join(f"{secret}\n" for secret in sorted(secrets)), encoding="utf-8")


@pytest.fixture(scope="session")
def redis_server():
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def server():
    """A Redis of one test's own, to be killed, filled and emptied."""
    server = Redis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def system(cluster, redis_server):
    """The system most tests share: the wake-up worker serves this database, Redis is connected."""
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    system = System(Database.create(cluster, MAIN_DATABASE), redis_server)
    yield system
    system.stop()


@pytest.fixture
def fresh_system(cluster, request):
    """A system with an empty database of its own, for tests that count everything."""
    name = "fresh_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:40]
    system = System(Database.create(cluster, name), None)
    yield system
    system.stop()
    cluster.admin(f'DROP DATABASE "{name}" WITH (FORCE)')
