"""A database and the daemon that serves it, as one thing to send to and to ask."""

from support.mllp import Client
from support.services import Daemon


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
