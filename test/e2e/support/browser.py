"""Headless Chromium with a page that follows live events by EventSource and says what it sees."""

import contextlib
import http.client
import http.server
import os
import pathlib
import signal
import subprocess
import tempfile
import threading

from support.live import bearer

PAGE = """<!DOCTYPE html><title>follower</title><script>
    const source = new EventSource("ADDRESS");
    let said = Promise.resolve();
    const say = text => { said = said.then(() => fetch("/told", {method: "POST", body: text})); };
    source.addEventListener("order.received", e => say("event " + e.lastEventId + " " + e.data));
    source.onopen = () => say("open");
    source.onerror = () => say(source.readyState == EventSource.CLOSED ? "closed" : "lost");
</script>"""


class Follower:
    """A page, what it told in its order, and a server that has the page and passes its own /api/v1/stream on to the daemon with a credential, as a
    proxy before the daemon does. Where the daemon is away the connection just ends: for an EventSource that is no answer, and it tries again."""

    def __init__(self, daemon, key=None, address="/api/v1/stream"):
        self.told = []
        self.resumed_from = []  # what the browser sent as Last-Event-ID, by connection
        follower = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/api/v1/stream"):
                    follower.resumed_from.append(self.headers.get("Last-Event-ID"))
                    with contextlib.suppress(OSError, http.client.HTTPException):
                        self.pass_on()
                elif self.path == "/":
                    self.answer(200, PAGE.replace("ADDRESS", follower.address).encode(), "text/html")
                else:
                    self.answer(404)

            def pass_on(self):
                headers = {"Accept": "text/event-stream", **bearer(key)}
                if follower.resumed_from[-1]:
                    headers["Last-Event-ID"] = follower.resumed_from[-1]
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=60)) as connection:
                    connection.request("GET", self.path, headers=headers)
                    reply = connection.getresponse()
                    self.send_response(reply.status)
                    self.send_header("Content-Type", reply.headers["Content-Type"])
                    self.end_headers()
                    while part := reply.read1(65536):
                        self.wfile.write(part)

            def do_POST(self):
                follower.told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.answer(204)

            def answer(self, status, body=b"", kind="text/plain"):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.address = address
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def events(self):
        """(id, data) of every event it told."""
        return [tuple(line.split(" ", 2)[1:]) for line in self.told if line.startswith("event ")]


@contextlib.contextmanager
def chromium(address):
    """A browser of its own, with an empty profile and without anything that asks the network but the page."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        log = pathlib.Path(profile) / "log"
        flags = ("--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking"
                 " --disable-component-update --disable-sync --no-proxy-server").split()
        with log.open("wb") as output:
            browser = subprocess.Popen(["chromium", *flags, f"--user-data-dir={profile}/data", "--remote-debugging-port=0", address], stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                       env=dict(os.environ, HOME=profile), start_new_session=True)
        try:
            yield browser
        except BaseException:
            print(log.read_text(encoding="utf-8", errors="replace")[-3000:])  # pytest shows it
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)  # and every process it has started
            browser.wait(timeout=20)
