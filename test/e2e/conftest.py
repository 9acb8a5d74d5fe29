"""Fixtures of the end-to-end suite. Run by `make check-e2e`, or: /usr/bin/python3 -m pytest test/e2e

Needs the built daemon (build/cmake/bin) and the installed extension; makes everything else itself.
"""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.mllp import Client  # noqa: E402
from support.services import DAEMON, LOGS, Cluster, Daemon, Database, Redis  # noqa: E402

MAIN_DATABASE = "radscheduler_e2e"


class System:
    """A database and the daemon that serves it."""

    def __init__(self, database, redis):
        self.db = database
        self.redis = redis
        self.daemon = Daemon(database.url, redis.url if redis else None)

    def mllp(self, **options):
        return Client(self.daemon.mllp_port, **options)

    def send(self, message):
        with self.mllp() as client:
            return client.send(message)

    def get(self, path, **options):
        return self.daemon.get(path, **options)

    def post(self, path, **options):
        return self.daemon.post(path, **options)

    def stop(self):
        self.daemon.stop()
        self.db.close()


@pytest.fixture(scope="session")
def cluster():
    assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
    shutil.rmtree(LOGS, ignore_errors=True)
    cluster = Cluster("e2e", MAIN_DATABASE)
    yield cluster
    cluster.destroy()


@pytest.fixture(scope="session")
def redis_server():
    server = Redis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def system(cluster, redis_server):
    """The system most tests share: the wake-up worker serves this database, Redis is connected."""
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
