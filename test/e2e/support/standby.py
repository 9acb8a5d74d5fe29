"""A standby of a private cluster: made with pg_basebackup, follows by streaming, can be promoted."""

import os
import pathlib
import subprocess
import tempfile

from support.services import eventually, free_port
from support.small_disk import SERVICE_USER


class Standby:
    def __init__(self, primary):
        self._primary = primary
        self.port = free_port()
        self._as_user = ["runuser", "-u", SERVICE_USER, "--"] if os.geteuid() == 0 else []
        self.folder = pathlib.Path(self._run("mktemp", "-d", f"{tempfile.gettempdir()}/radsched-standby-XXXXXX").strip())
        self.log = self.folder / "postgresql.log"
        self._data = self.folder / "data"
        self._run(f"{primary.bindir}/pg_basebackup", "-h", primary.host, "-p", primary.port, "-U", primary.user, "-D", self._data, "-R", "-c", "fast")
        self._pg_ctl("-o", f"-p {self.port} -k {self.folder}", "-l", self.log, "-w", "start")
        eventually(lambda: self._waits(), what="the standby following")

    def _run(self, *command):
        done = subprocess.run([*self._as_user, *map(str, command)], capture_output=True, text=True, timeout=120, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _pg_ctl(self, *arguments):
        # What it starts keeps its output open, so nothing may wait for the end of that.
        done = subprocess.run([*self._as_user, f"{self._primary.bindir}/pg_ctl", "-D", str(self._data), *map(str, arguments)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False, cwd="/")
        assert done.returncode == 0, f"pg_ctl {arguments[-1]} of the standby failed; its log is {self.log}"

    def _waits(self):
        with self._primary.connect("postgres") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
            return cursor.fetchone()[0] == 1

    def promote(self):
        self._pg_ctl("-w", "promote")

    def close(self):
        try:
            self._pg_ctl("-m", "immediate", "-w", "stop")
        finally:
            self._run("rm", "-rf", self.folder)
