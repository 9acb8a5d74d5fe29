"""A network that can be cut."""

import contextlib
import socket
import threading

from support.services import free_port


class Gate:
    """A TCP proxy to a port of this machine that can be open or shut: shut refuses and cuts, as a dead network does."""

    def __init__(self, target_port):
        self.port = free_port()
        self._target_port = target_port
        self._listener = None
        self._sockets = []

    def open(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self):
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                inside, _ = listener.accept()
                outside = socket.create_connection(("127.0.0.1", self._target_port))
                self._sockets += [inside, outside]
                for source, target in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
