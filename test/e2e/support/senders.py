"""What a RIS does when no answer comes: the same message again until it is acknowledged."""

import time

from support.mllp import Ack, Client, frame


class Resender:
    """One connection, one message at a time. A connection that gave no answer in time is never used again.

    `again` counts the messages that had to be sent more than once.
    """

    def __init__(self, port, answer_seconds=5):
        self.again = 0
        self._port = port
        self._answer_seconds = answer_seconds
        self._client = None

    def deliver(self, message, seconds=60):
        """Sends until an acknowledgement comes, and returns it."""
        deadline = time.monotonic() + seconds
        tries = 0
        while time.monotonic() < deadline:
            tries += 1
            if tries == 2:
                self.again += 1
            try:
                if self._client is None:
                    self._client = Client(self._port, timeout=self._answer_seconds)
                self._client.write(frame(message))
                answer = self._client.read_frame()
                if answer is not None:
                    return Ack(answer)
            except OSError:
                pass
            self.close()
            time.sleep(0.2)
        raise AssertionError(f"no acknowledgement within {seconds} s")

    def close(self):
        if self._client is not None:
            self._client.close()
            self._client = None


def resend_until_acknowledged(system, message, seconds=60):
    """One message on connections of its own."""
    sender = Resender(system.daemon.mllp_port)
    try:
        return sender.deliver(message, seconds)
    finally:
        sender.close()
