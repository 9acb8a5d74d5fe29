"""What the soak test watches while the traffic runs: the memory of the daemon and its PostgreSQL processes, and what Redis is told.

Invariants: memory is RssAnon, a process's own pages; shared buffers and files do not count. Growth is the difference of two medians: a
quarter of the time after the warm-up (the first third) at its begin, and a quarter at its end. Of the backends the largest counts: a spare
connection that gets its first message late grows to the size of the others, and that is no leak.
"""

import json
import statistics
import threading
import time

import redis

from support.processes import anonymous_kilobytes

INTERVAL = 2.0


class MemoryWatch(threading.Thread):
    def __init__(self, database, daemon, stop):
        super().__init__(name="memory", daemon=True)
        self.samples = []  # (seconds since begin, the daemon's kB, those of the largest backend)
        self._daemon = daemon.process.pid
        self._connection = database.connect()
        self._stop_event = stop
        self._began = time.monotonic()

    def run(self):
        with self._connection.cursor() as cursor:
            while not self._stop_event.is_set():
                cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'radschedulerd%' AND datname = current_database()")
                backends = [anonymous_kilobytes(pid) or 0 for pid, in cursor.fetchall()]
                self.samples.append((time.monotonic() - self._began, anonymous_kilobytes(self._daemon) or 0, max(backends, default=0)))
                self._stop_event.wait(INTERVAL)
        self._connection.close()

    def now(self):
        return self.samples[-1][1:] if self.samples else (0, 0)

    def growth(self):
        """Medians in kB at the begin and the end of the time after the warm-up: (daemon, daemon), (largest backend, largest backend)."""
        end = self.samples[-1][0]
        warm = end / 3
        quarter = (end - warm) / 4
        return [
            [statistics.median(sizes[place] for seconds, *sizes in self.samples if since <= seconds <= since + quarter) for since in (warm, end - quarter)]
            for place in (0, 1)
        ]


class RelayWatch(threading.Thread):
    """Subscribes to every channel and notes the ids of the events in the order they come."""

    def __init__(self, port):
        super().__init__(name="relay", daemon=True)
        self.seen = set()
        self.repeated = 0
        self.disorder = 0
        self._client = redis.Redis(port=port)
        self._channel = self._client.pubsub(ignore_subscribe_messages=True)
        self._channel.psubscribe("radsched:*")
        self._channel.get_message(timeout=2)
        self._stopped = threading.Event()
        self._last = (0, 0)

    def run(self):
        while not self._stopped.is_set():
            message = self._channel.get_message(timeout=0.5)
            if message is None:
                continue
            identity = json.loads(message["data"])["id"]
            cursor = tuple(int(part) for part in identity.split("-"))
            if identity in self.seen:
                self.repeated += 1
            elif cursor < self._last:
                self.disorder += 1
            self.seen.add(identity)
            self._last = max(self._last, cursor)

    def close(self):
        self._stopped.set()
        self.join(timeout=5)
        self._channel.close()
        self._client.close()
