"""What a RIS does when no answer comes: the same message again until it is acknowledged."""

import time

from support.mllp import Ack, Client, frame


class Resender:
    """One connection; messages one by one, or several before the first answer. A connection that gave no answer in time is never used again.

    `again` counts the messages that had to be sent more than once.
    """

    def __init__(self, port, answer_seconds=5):
        self.again = 0
        self._port = port
        self._answer_seconds = answer_seconds
        self._client = None

    def deliver(self, message, seconds=60):
        """Sends until an acknowledgement comes, and returns it."""
        answers = []
        self.deliver_all([message], seconds, lambda _, ack: answers.append(ack))
        return answers[0]

    def deliver_all(self, messages, seconds, answered):
        """Writes all, then reads their answers; those without one are written again, all of them. Calls answered(place, ack) for each."""
        deadline = time.monotonic() + seconds
        done = 0
        written = 0  # messages that left at least once
        while done < len(messages):
            if time.monotonic() > deadline:
                raise AssertionError(f"no acknowledgement within {seconds} s")
            self.again += written - done
            try:
                if self._client is None:
                    self._client = Client(self._port, timeout=self._answer_seconds)
                self._client.write(b"".join(frame(message) for message in messages[done:]))
                written = len(messages)
                while done < len(messages) and (answer := self._client.read_frame()) is not None:
                    answered(done, Ack(answer))
                    done += 1
            except OSError:
                pass
            if done < len(messages):
                self.close()
                time.sleep(0.2)

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
