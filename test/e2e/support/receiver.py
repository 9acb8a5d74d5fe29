"""An MLLP receiver that answers as a test wants: to see what a sender does when the other side misbehaves."""

import contextlib
import socket
import threading

from support.mllp import END, START, frame


def acknowledge(message, code="AA"):
    """The smallest acknowledgement that names its message."""
    control_id = message.split(b"\r")[0].split(b"|")[9]
    return b"MSH|^~\\&|R|R|S|S|20310101||ACK|1|P|2.5\rMSA|" + code.encode() + b"|" + control_id + b"\r"


class Receiver:
    """Listens on a free port of 127.0.0.1. `answer` gets each message and gives the answer, or None to close without one.

    `messages` holds what came, `peers` the certificate of each TLS connection as ssl tells it (None without one), `connections` how many there were.
    """

    def __init__(self, answer=acknowledge, tls=None, port=0):
        self.messages = []
        self.peers = []
        self.connections = 0
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self.peers.append(connection.getpeercert())
            received = b""
            while data := connection.recv(65536):
                received += data
                while END in received:
                    message, received = received.split(END, 1)
                    assert message.startswith(START)
                    self.messages.append(message[1:])
                    answer = self._answer(message[1:])
                    if answer is None:
                        return
                    connection.sendall(frame(answer))
