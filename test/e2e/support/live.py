"""Clients of live events that share no code with the daemon: python3-websockets for radsched.v1, a hand-written reader of text/event-stream."""

import asyncio
import base64
import contextlib
import json
import os
import socket
import ssl
from urllib.parse import urlencode

import requests
import websockets


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def trusting(daemon):
    """What a client of a daemon with TLS believes; None without TLS."""
    return ssl.create_default_context(cafile=daemon.trust) if daemon.trust else None


class Client:
    """One WebSocket: frames as dictionaries, waited for with a deadline."""

    def __init__(self, socket_):
        self.socket = socket_

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, daemon, key=None, path="/ws", subprotocols=("radsched.v1",), headers=None, origin=None, **query):
        uri = daemon.base.replace("http", "ws", 1) + path + ("?" + urlencode(query) if query else "")
        async with websockets.connect(uri, subprotocols=list(subprotocols) or None, origin=origin, extra_headers={**(bearer(key) if key else {}), **(headers or {})},
                                      ssl=trusting(daemon), open_timeout=20, close_timeout=5, ping_interval=None, max_queue=None) as socket_:
            yield cls(socket_)

    async def frame(self, seconds=10):
        return json.loads(await asyncio.wait_for(self.socket.recv(), seconds))

    async def until(self, op, seconds=10):
        """The next frame of this kind; those before it are dropped."""
        while True:
            frame = await self.frame(seconds)
            if frame.get("op") == op:
                return frame

    async def say(self, **frame):
        await self.socket.send(json.dumps(frame))

    async def subscribe(self, name="s1", **more):
        await self.say(op="subscribe", id=name, **more)
        return await self.until("subscribed")

    async def events(self, count, seconds=10):
        return [await self.until("event", seconds) for _ in range(count)]

    async def is_quiet(self, seconds=1.0):
        """No event arrives."""
        with contextlib.suppress(asyncio.TimeoutError):
            await self.until("event", seconds)
            return False
        return True

    async def close_code(self, seconds=15):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(self.socket.recv(), seconds)
        return self.socket.close_code


async def refusal(daemon, **how):
    """The HTTP status that a handshake is refused with."""
    try:
        async with Client.to(daemon, **how):
            return None
    except websockets.InvalidStatusCode as error:
        return error.status_code


class Stream:
    """GET /api/v1/stream, read as WHATWG HTML says: fields by line, an event at each empty line, the id kept."""

    def __init__(self, daemon, key=None, last_event_id=None, headers=None, **query):
        sent = {"Accept": "text/event-stream", **(bearer(key) if key else {}), **(headers or {})}
        if last_event_id:
            sent["Last-Event-ID"] = last_event_id
        self.reply = requests.get(daemon.base + "/api/v1/stream", params=query, headers=sent, stream=True, timeout=30, verify=daemon.trust)
        self.last_event_id = last_event_id or ""
        self.retry = None
        self.comments = []
        self._lines = self.reply.iter_lines(chunk_size=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reply.close()

    def blocks(self):
        """(event, data, id) of every block, those without data too."""
        name, data = "message", []
        for raw in self._lines:
            line = raw.decode()
            if not line:
                yield name, "\n".join(data), self.last_event_id
                name, data = "message", []
            elif line.startswith(":"):
                self.comments.append(line[1:])
            else:
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif field == "id":
                    self.last_event_id = value
                elif field == "retry":
                    self.retry = int(value)

    def events(self, count):
        """What an EventSource would dispatch."""
        found = []
        for name, data, place in self.blocks():
            if data:
                found.append((name, json.loads(data), place))
            if len(found) == count:
                return found
        return found


def stubborn(daemon, key, subscription, receive_buffer=4096):
    """A WebSocket by hand that subscribes and then reads nothing, answers nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(20)
    raw.connect(("127.0.0.1", daemon.http_port))
    nonce = base64.b64encode(os.urandom(16)).decode()
    raw.sendall((f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {nonce}\r\n"
                 f"Sec-WebSocket-Version: 13\r\nAuthorization: Bearer {key}\r\n\r\n").encode())
    assert b" 101 " in raw.recv(1024)
    payload = json.dumps(subscription).encode()
    mask = os.urandom(4)
    assert len(payload) < 126
    raw.sendall(bytes([0x81, 0x80 | len(payload)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))
    return raw
