"""Real services for the tests: a private PostgreSQL cluster, a Redis server, the daemon.

Everything listens on free ports of 127.0.0.1 or on sockets under build/; nothing touches what else runs here.
"""

import contextlib
import itertools
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import tempfile
import time

import psycopg2
import psycopg2.extras
import requests

from support.openapi import check_answer
from support.processes import children_of

REPO = pathlib.Path(__file__).resolve().parents[3]
# scripts/check-long.sh names a folder of programs built with sanitizers.
SANITIZED = os.environ.get("RADSCHED_BIN")
BIN = pathlib.Path(SANITIZED) if SANITIZED else REPO / "build" / "cmake" / "bin"
DAEMON = BIN / "radschedulerd"
SEND = BIN / "radsched-send"
# scripts/check.sh names a folder for the logs of all suites, which its last suite reads.
KEEP_LOGS = os.environ.get("RADSCHED_KEEP_LOGS")
LOGS = pathlib.Path(KEEP_LOGS) if KEEP_LOGS else REPO / "build" / "daemon-logs"


# Below what the kernel hands to connections (net.ipv4.ip_local_port_range) and what scripts/lib.sh gives to clusters; from a
# place that differs between runs, and each once.
_PORTS = itertools.cycle(sorted(range(10_000, 20_000), key=lambda port, first=random.randrange(10_000, 20_000): (port < first, port)))


def free_port():
    """A port that stays free until the test listens on it: a connection made meanwhile never gets one of these."""
    for port in itertools.islice(_PORTS, 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
    raise AssertionError("a thousand ports in a row are in use")


def eventually(check, seconds=15.0, what="the condition"):
    """Calls check() until it gives a true value; fails with a sentence when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds:.0f} s")
        time.sleep(0.05)


DAEMON_ROLE = "radschedulerd"


class Cluster:
    """A private cluster build/NAME, made by scripts/cluster.sh, removed at the end."""

    def __init__(self, name, preload_database):
        self.name = name
        self._script("destroy", RADSCHED_KEEP_LOGS="")  # one that an interrupted run left behind; its log is not ours
        self._script("start", preload_database)
        self._read_settings()

    def _script(self, verb, *arguments, **environment):
        done = subprocess.run(
            [str(REPO / "scripts" / "cluster.sh"), verb, self.name, *arguments],
            env=dict(os.environ, **environment), capture_output=True, text=True, timeout=120, check=False,
        )
        assert done.returncode == 0, f"cluster.sh {verb} failed: {done.stderr}"
        return done.stdout

    def _read_settings(self):
        settings = dict(re.findall(r"(\w+)='([^']*)'", self._script("env")))
        self.host = settings["PGHOST"]
        self.port = settings["PGPORT"]
        self.user = settings["PGUSER"]
        self.bindir = settings["PG_BINDIR"]
        self.data = pathlib.Path(settings["PGDATA"])
        self.log = pathlib.Path(settings["CLUSTER_LOG"])

    def url(self, database):
        """What the daemon connects with: a role that may do what a daemon must, and no superuser."""
        return f"postgresql://{DAEMON_ROLE}@/{database}?host={self.host}&port={self.port}"

    def connect(self, database):
        connection = psycopg2.connect(
            host=self.host, port=self.port, user=self.user, dbname=database, application_name="e2e"
        )
        connection.autocommit = True
        return connection

    def admin(self, statement):
        """Runs one statement that no transaction may hold, such as CREATE DATABASE."""
        with contextlib.closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def tool(self, program, *arguments, settings=None, limit=300, **options):
        """Runs a PostgreSQL client program (psql, pg_dump ...) against this cluster; settings are environment variables, limit is in seconds."""
        environment = dict(os.environ, PGHOST=self.host, PGPORT=self.port, PGUSER=self.user, **(settings or {}))
        return subprocess.run(
            [f"{self.bindir}/{program}", *map(str, arguments)],
            env=environment, capture_output=True, timeout=limit, check=False, **options,
        )

    def stop(self, mode="fast"):
        self._script("stop", mode)

    def start(self):
        self._script("start")

    def kill(self):
        """kill -9 for the postmaster and all its processes; nothing is tidied up, start() has to cope with what is left."""
        postmaster = int((self.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # it must not start a process that the list lacks
        pids = [postmaster, *children_of(postmaster)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids), seconds=20, what="the end of the killed PostgreSQL processes")

    def destroy(self):
        self._script("destroy")


class Database:
    """One database of a cluster, with rows as dictionaries."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self._connection = None

    @classmethod
    def create(cls, cluster, name, extension=True):
        cluster.admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cluster.admin(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0")
        database = cls(cluster, name)
        if extension:
            database.execute("CREATE EXTENSION radscheduler CASCADE")
            database.admit_daemon()
        return database

    def admit_daemon(self):
        if not self.rows("SELECT FROM pg_roles WHERE rolname = %s", DAEMON_ROLE):
            self.execute(f"CREATE ROLE {DAEMON_ROLE} LOGIN")
        for kind in ("ingest", "scheduler", "admin", "auditor"):
            self.execute("SELECT radscheduler.grant_role(%s, %s)", kind, DAEMON_ROLE)
        self.execute("SELECT radscheduler.grant_site(%s, '*')", DAEMON_ROLE)

    @property
    def url(self):
        return self.cluster.url(self.name)

    def connect(self):
        return self.cluster.connect(self.name)

    def _run(self, query, arguments, fetch):
        """Runs one statement; a connection that a restart of the server broke is replaced once."""
        for attempt in (1, 2):
            if self._connection is None or self._connection.closed:
                self._connection = self.connect()
            try:
                with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                    cursor.execute(query, arguments or None)
                    return [dict(row) for row in cursor.fetchall()] if fetch else None
            except psycopg2.Error as error:
                lost = error.pgcode is None or error.pgcode.startswith("57P")
                if attempt == 2 or not lost:
                    raise
                self.close()
        return None

    def execute(self, query, *arguments):
        self._run(query, arguments, fetch=False)

    def rows(self, query, *arguments):
        return self._run(query, arguments, fetch=True)

    def row(self, query, *arguments):
        rows = self.rows(query, *arguments)
        assert len(rows) == 1, f"expected one row, got {len(rows)}: {query}"
        return rows[0]

    def value(self, query, *arguments):
        return next(iter(self.row(query, *arguments).values()))

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Redis:
    """A private redis-server without persistence; options are its own. With a folder for certificates it speaks TLS only."""

    def __init__(self, *options, tls=None):
        self.port = free_port()
        self.url = f"{'rediss' if tls else 'redis'}://127.0.0.1:{self.port}/0"
        self._tls = tls
        ports = ["--port", str(self.port)] if not tls else ["--port", "0", "--tls-port", str(self.port)]
        self._command = ["redis-server", "--bind", "127.0.0.1", *ports, "--save", "", "--appendonly", "no", *options]
        self.start()

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tempfile.gettempdir())
        eventually(self._answers, what="redis-server answering")

    def _answers(self):
        assert self._process.poll() is None, "redis-server ended; does it know its options?"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                if self._tls:
                    return True
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def stop(self):
        self._process.terminate()
        self._process.wait(timeout=10)


class Daemon:
    """One radschedulerd on free ports. Its log goes to a file that the log test reads at the end.

    tls is (certificate, key, what its clients trust), all PEM files: then HTTP is https.
    """

    logs = []

    def __init__(self, database_url, redis_url=None, tls=None, **settings):
        self.mllp_port = free_port()
        self.http_port = free_port()
        self.base = f"{'https' if tls else 'http'}://127.0.0.1:{self.http_port}"
        self.trust = None
        if tls:
            *own, self.trust = map(str, tls)
            settings = {**dict(zip(("RADSCHED_HTTP_TLS_CERT", "RADSCHED_HTTP_TLS_KEY"), own)), **settings}
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "RADSCHED_MLLP_PORT": str(self.mllp_port),
            "RADSCHED_HTTP_PORT": str(self.http_port),
            **settings,
        }
        if redis_url:
            self._environment["REDIS_URL"] = redis_url
        LOGS.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(prefix="radschedulerd-", suffix=".log", dir=LOGS)
        os.close(handle)
        self.log = pathlib.Path(path)
        Daemon.logs.append(self.log)
        self.process = None
        self.start()

    def start(self, wait=True):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([str(DAEMON)], env=self._environment, stdout=log, stderr=log)
        if wait:
            try:
                eventually(self.is_healthy, seconds=20, what=f"radschedulerd being healthy (log: {self.log})")
            except BaseException:  # nobody else would end it
                self.kill()
                raise

    def is_healthy(self):
        assert self.is_alive(), f"radschedulerd ended with {self.process.returncode}:\n{self.log.read_text()[-2000:]}"
        try:
            return self.get("/health").status_code == 200
        except requests.RequestException:
            return False

    def is_alive(self):
        return self.process.poll() is None

    def ask(self, method, path, **options):
        """One request; the answer is held against docs/openapi.yaml."""
        reply = requests.request(method, self.base + path, **{"timeout": 30, "verify": self.trust, **options})
        check_answer(reply)
        return reply

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, **options):
        return self.ask("POST", path, **options)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self):
        if self.is_alive():
            self.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("radschedulerd did not end within 30 s of SIGTERM") from None
            if SANITIZED:  # a sanitizer tells what it found by the exit code
                assert self.process.returncode == 0, f"radschedulerd ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}"
