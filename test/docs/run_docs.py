#!/usr/bin/env python3
"""Runs the SQL and shell lines of README.md and docs/*.md, so that what people copy from there works.

A fenced block tagged ```sql runs in psql, one tagged ```sh in bash, both from the repository's root. The blocks of one
file run in order in one database with the extension, beside a daemon of its own (started before the first sh block).
A block whose info string holds `no-test=REASON` is skipped; without a reason that is an error. In sh blocks the guide's
ports 8661 and 3001 stand for the test daemon's. Prints `ok FILE:LINE` or an error with file and line per block, and
ends with `N passed, N failed`.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "test" / "e2e"))

from support.services import BIN, DAEMON, Cluster, Daemon, Database  # noqa: E402

FENCE = re.compile(r"^(?P<indent> {0,3})(?P<ticks>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
TIMEOUT = 300


class Block:
    def __init__(self, file, line, language, info, text):
        self.file = file
        self.line = line  # of the first line inside the fence
        self.language = language
        self.info = info
        self.text = text

    @property
    def place(self):
        return f"{self.file.relative_to(REPO)}:{self.line}"

    def skip_reason(self):
        """The reason after no-test=, '' when there is a bare no-test, None when the block is to run."""
        match = re.search(r"\bno-test(?:=(\S+))?", self.info)
        return (match.group(1) or "") if match else None


def blocks_of(file):
    """The fenced sql and sh blocks of a Markdown file, with the line their text starts at."""
    found, inside = [], None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        fence = FENCE.match(line)
        if inside is None:
            if fence:
                info = fence["info"].strip()
                inside = (fence["ticks"], len(fence["indent"]), info, number + 1, [])
        elif fence and not fence["info"] and fence["ticks"].startswith(inside[0]):
            _, _, info, start, lines = inside
            language = info.split()[0].lower() if info else ""
            if language in ("sql", "sh"):
                found.append(Block(file, start, language, info, "\n".join(lines) + "\n"))
            inside = None
        else:
            inside[4].append(line[inside[1]:] if line[: inside[1]].isspace() else line)
    return found


class Page:
    """One documentation file with its database and, when it needs one, its daemon."""

    def __init__(self, cluster, file, blocks):
        self.cluster = cluster
        self.blocks = blocks
        name = "docs_" + re.sub(r"\W", "_", file.stem.lower())
        creates = any(re.search(r"create\s+extension\s+(if\s+not\s+exists\s+)?radscheduler", b.text, re.I) for b in blocks if b.skip_reason() is None)
        self.database = Database.create(cluster, name, extension=not creates)
        self.daemon = None

    def environment(self):
        environment = dict(
            os.environ, PGHOST=self.cluster.host, PGPORT=self.cluster.port, PGUSER=self.cluster.user,
            PGDATABASE=self.database.name, DATABASE_URL=self.database.url, PGOPTIONS="-c client_min_messages=warning",
            PATH=f"{BIN}:{self.cluster.bindir}:{os.environ['PATH']}",
        )
        environment.pop("MAKEFLAGS", None)
        if self.daemon:
            environment["RADSCHED_MLLP_PORT"] = str(self.daemon.mllp_port)
            environment["RADSCHED_HTTP_PORT"] = str(self.daemon.http_port)
        return environment

    def run(self, block):
        """Runs one block; returns None, or what went wrong."""
        if block.language == "sql":
            # Blank lines before the text make psql count lines as the document does.
            command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]
            source = "\n" * (block.line - 1) + block.text
        else:
            if self.daemon is None:
                self.daemon = Daemon(self.database.url)
            command = ["bash", "-euo", "pipefail"]
            source = re.sub(r"\b8661\b", str(self.daemon.mllp_port), block.text)
            source = re.sub(r"\b3001\b", str(self.daemon.http_port), source)
            trap = "trap 'echo \"$0:$LINENO: failed: $BASH_COMMAND\"' ERR"
            source = trap + "\n" * (block.line - 1) + source
        with tempfile.NamedTemporaryFile("w", suffix=f".{block.language}", encoding="utf-8") as script:
            script.write(source)
            script.flush()
            try:
                done = subprocess.run(
                    [*command, script.name], cwd=REPO, env=self.environment(), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False,
                )
            except subprocess.TimeoutExpired:
                return f"still running after {TIMEOUT} s"
        output = done.stdout.decode("utf-8", "replace").replace(script.name, str(block.file.relative_to(REPO)))
        if done.returncode != 0:
            return f"ended with {done.returncode}\n{output.strip()}"
        return None

    def close(self):
        if self.daemon:
            self.daemon.stop()
        self.database.close()


def main():
    files = [pathlib.Path(argument).resolve() for argument in sys.argv[1:]]
    files = files or [file for file in [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))] if file.exists()]
    pages = [(file, blocks_of(file)) for file in files]
    passed = failed = skipped = 0
    if any(blocks for _, blocks in pages):
        assert DAEMON.exists(), f"{DAEMON} is missing: run `make` first"
        cluster = Cluster("docs", "docs_readme")
        try:
            for file, blocks in pages:
                if not blocks:
                    continue
                page = Page(cluster, file, blocks)
                try:
                    for block in blocks:
                        reason = block.skip_reason()
                        if reason:
                            print(f"skip {block.place}: {reason}")
                            skipped += 1
                            continue
                        trouble = "is skipped without a reason: write no-test=REASON" if reason == "" else page.run(block)
                        if trouble:
                            print(f"{block.place}: the {block.language} block {trouble}")
                            failed += 1
                        else:
                            print(f"ok {block.place}")
                            passed += 1
                finally:
                    page.close()
        finally:
            cluster.destroy()
    if skipped:
        print(f"{skipped} block(s) skipped with a reason")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
