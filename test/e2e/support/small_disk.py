"""A small disk that can be full: a tmpfs in a mount namespace of its own, seen only by what is started through `enter`.

No rights are needed where the kernel lets users have namespaces; as root it works everywhere mounting is allowed. `reason` says why neither did.
Invariants: the namespace lives as long as the holder process, so nothing is left mounted, whatever happens to the tests.
"""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

SERVICE_USER = "postgres"  # whom scripts/cluster.sh runs servers as, when root calls it


class SmallDisk:
    def __init__(self, megabytes):
        self.reason = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="radsched-disk-", dir="/tmp"))
        self._as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(SERVICE_USER)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as_user = ["runuser", "-u", SERVICE_USER, "--"]
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs {self.folder} && echo $$ && exec cat"
        ways = [[*self._as_user, "unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c", mount]]
        if os.geteuid() == 0:
            ways.append(["unshare", "--mount", "sh", "-c", mount.replace("size=", f"mode=700,uid={user.pw_uid},gid={user.pw_gid},size=")])
        for own_user_namespace, way in zip((True, False), ways, strict=False):
            self._holder = subprocess.Popen(way, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
            pid = self._holder.stdout.readline().strip()
            if pid:
                into = ["nsenter", "--target", pid, "--mount"]
                self.enter = [*self._as_user, *into, "--user", "--preserve-credentials"] if own_user_namespace else [*into, *self._as_user]
                return
            self.reason = self._holder.stderr.read().strip() or "no namespace could be made"
            self.close()

    def run(self, *command, limit=120):
        """A command that sees the disk, as the user PostgreSQL runs as."""
        return subprocess.run([*self.enter, *map(str, command)], capture_output=True, text=True, timeout=limit, check=False, cwd="/")

    def fill(self):
        """To the last kilobyte."""
        for block in ("256k", "1k"):
            done = self.run("dd", "if=/dev/zero", f"of={self.folder}/balloon", f"bs={block}", "oflag=append", "conv=notrunc")
            assert "No space left" in done.stderr, done.stderr

    def free(self):
        done = self.run("rm", self.folder / "balloon")
        assert done.returncode == 0, done.stderr

    def close(self):
        self._holder.stdin.close()
        self._holder.wait(timeout=20)
        self._holder.stdout.close()
        self._holder.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)
