"""MLLP clients of other hands: node-hl7-client (npm) and the one of python3-hl7. They send as their own users would, and tell what they read."""

import asyncio
import json
import shutil
import subprocess

from hl7.mllp import open_hl7_connection
from support.services import REPO

SOURCES = REPO / "test" / "e2e" / "npm"
PLACE = REPO / "build" / "independent"


class NodeClient:
    """node-hl7-client, installed under build/ at first use. `reason` says why it is not at hand."""

    def __init__(self):
        self.reason = None
        if shutil.which("npm") is None or shutil.which("node") is None:
            self.reason = "node and npm are not installed"
            return
        PLACE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", "send.mjs"):
            shutil.copy(SOURCES / name, PLACE / name)
        if not (PLACE / "node_modules" / "node-hl7-client").exists():
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True, timeout=300, check=False)
            if done.returncode != 0:
                self.reason = f"npm could not install node-hl7-client: {done.stderr.decode(errors='replace').strip()[-300:]}"

    def send(self, port, messages, tls=None):
        """The answers as it read them: [{"code", "controlId", "text"}, …]."""
        order = {"port": port, "messages": messages, **({"tls": tls} if tls else {})}
        done = subprocess.run(["node", "send.mjs"], cwd=PLACE, input=json.dumps(order), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def send_with_python_hl7(port, messages, **options):
    """The answers as the asyncio client of python3-hl7 parses them, one connection, one message at a time."""
    async def send_all():
        reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8", **options)
        answers = []
        for message in messages:
            writer.writeblock(message.encode())
            await writer.drain()
            answers.append(await asyncio.wait_for(reader.readmessage(), 30))
        writer.close()
        await writer.wait_closed()
        return answers

    return asyncio.run(send_all())
