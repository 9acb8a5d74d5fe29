"""Those who are told what is booked here: receivers of links, and what the database says of their queues."""

import asyncio
import threading

import hl7
from hl7.mllp import start_hl7_server
from support.messages import Patient
from support.services import eventually

OPEN = ("ready", "leased", "sending", "unknown")


class PythonHl7Receiver:
    """The asyncio server of python3-hl7 on a free port: it parses every message and acknowledges it by its own means."""

    def __init__(self):
        self.messages = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        assert self._ready.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end)

    def _end(self):
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_soon(self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(start_hl7_server(self._serve, host="127.0.0.1", port=0, encoding="utf-8"))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                self.messages.append(message)
                writer.writemessage(message.create_ack())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()


def control_id(message):
    return message.split(b"\r")[0].split(b"|")[9].decode()


def trigger(message):
    return str(hl7.parse(message.decode()).segment("MSH")[9]).split("^")[1]


class Links:
    """The links of the main site of one database."""

    def __init__(self, database):
        self.db = database

    def add(self, name, port, **settings):
        columns = {"name": name, "host": "127.0.0.1", "port": port, **settings}
        self.db.execute(
            f"INSERT INTO radscheduler.link (site_id, {', '.join(columns)}) SELECT s.site_id, {', '.join(['%s'] * len(columns))} FROM radscheduler.site s WHERE s.code = 'MAIN'",
            *columns.values())

    def set(self, name, **settings):
        self.db.execute(f"UPDATE radscheduler.link SET {', '.join(f'{key} = %s' for key in settings)} WHERE name = %s", *settings.values(), name)

    def clear(self):
        self.db.execute("DELETE FROM radscheduler.link")

    def book(self, number=1, day="2031-02-03"):
        """Appointments made here, each for a person of its own."""
        booked = []
        for _ in range(number):
            patient = Patient()
            booked.append(self.db.value(
                "INSERT INTO radscheduler.appointments (patient_id, patient_name, patient_phone, modality, datetime, duration) VALUES (%s, %s, %s, 'US', %s, 10) RETURNING id",
                patient.mrn, patient.display, patient.phone, f"{day} 09:00"))
        return booked

    def tasks(self, name):
        return self.db.rows("SELECT t.* FROM radscheduler.task t JOIN radscheduler.link l USING (site_id, link_id) WHERE l.name = %s ORDER BY t.task_id", name)

    def states(self, name):
        return [task["state"] for task in self.tasks(name)]

    def wait_until_sent(self, name, seconds=30.0):
        eventually(lambda: not set(self.states(name)) & set(OPEN), seconds=seconds, what=f"the end of the queue of {name}")

    def wait_for(self, name, **values):
        """Until the first task that is not done shows these values; gives it."""
        def first():
            task = next((task for task in self.tasks(name) if task["state"] != "done"), None)
            return task if task and all(task[key] == value or (callable(value) and value(task[key])) for key, value in values.items()) else None
        return eventually(first, what=f"the first task of {name} showing {', '.join(values)}")

    def due_now(self, name):
        """What waits for its next try need not."""
        self.db.execute("UPDATE radscheduler.task t SET next_at = now() FROM radscheduler.link l WHERE (l.site_id, l.link_id) = (t.site_id, t.link_id)"
                        " AND l.name = %s AND t.state IN ('ready', 'unknown') AND t.next_at > now() AND t.next_at < 'infinity'", name)
