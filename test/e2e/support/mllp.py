"""A bare MLLP client: it shows every byte, so that tests can break the rules on purpose."""

import socket

START = b"\x0b"
END = b"\x1c\x0d"


def frame(message):
    if isinstance(message, str):
        message = message.encode("utf-8")
    return START + message + END


class Client:
    def __init__(self, port, timeout=15.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data)

    def read_once(self, size=65536):
        """What one recv gives, as a naive sender reads its ACK."""
        return self.socket.recv(size)

    def read_frame(self):
        """The next framed answer, without framing. None when the peer closed before one was complete."""
        while END not in self._buffer:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not piece:
                return None
            self._buffer += piece
        body, self._buffer = self._buffer.split(END, 1)
        assert body.startswith(START), f"the answer does not start with 0x0B but with {body[:10]!r}"
        return body[len(START):]

    def send(self, message):
        """Sends one message, returns its ACK."""
        self.write(frame(message))
        ack = self.read_frame()
        assert ack is not None, "the daemon closed the connection without an answer"
        return Ack(ack)

    def is_silent(self, seconds):
        """True when nothing arrives for that long."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            piece = self.socket.recv(65536)
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(before)
        self._buffer += piece
        return False


class Ack:
    """An acknowledgement, read by position."""

    def __init__(self, raw):
        self.raw = raw
        text = raw.decode("utf-8")
        assert text.endswith("\r"), "every segment of an ACK ends with CR, the last one too"
        self.segments = {}
        separator = text[3]
        for line in text.rstrip("\r").split("\r"):
            fields = line.split(separator)
            if fields[0] == "MSH":
                fields.insert(1, separator)
            self.segments.setdefault(fields[0], []).append(fields)

    def field(self, segment, number, occurrence=0):
        found = self.segments.get(segment, [])
        if occurrence >= len(found) or number >= len(found[occurrence]):
            return ""
        return found[occurrence][number]

    @property
    def code(self):
        return self.field("MSA", 1)

    @property
    def control_id(self):
        return self.field("MSA", 2)

    def error_text(self):
        return " ".join("|".join(fields) for fields in self.segments.get("ERR", [])) + self.field("MSA", 3)
