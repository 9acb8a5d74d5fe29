"""What /proc says about processes of ours and of PostgreSQL."""

import contextlib
import os
import pathlib


def children_of(parent):
    """Pids of the direct children of a process."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The second field is the program's name in brackets and may hold anything; the fourth is the parent.
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def anonymous_kilobytes(pid):
    """A process's own resident memory, without files and without PostgreSQL's shared buffers; None when it has ended."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return None


def open_files(pid):
    """How many file descriptors a process has open."""
    return sum(1 for _ in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def cpu_seconds(pid):
    """Processor time a process has used, of all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
