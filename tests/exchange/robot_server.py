"""A server on this machine that answers as WeCom documents it for group robots, and badly when it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "693a91f6-7000-4bc4-97a0-0ec2sifa5aaa"
OK = {"errcode": 0, "errmsg": "ok"}
RATE = {"errcode": 45009, "errmsg": "api freq out of limit, hint: [1], from ip: 127.0.0.1, more info at https://x"}
INVALID = {"errcode": 93000, "errmsg": f"invalid webhook url {KEY}, hint: [17556052000567], from ip: 127.0.0.1"}
PARAMETER = {"errcode": 40058, "errmsg": "invalid Request Parameter, hint: [2], from ip: 127.0.0.1"}


@dataclass
class Call:
    """What a request held."""

    call: str
    query: dict[str, list[str]]
    body: bytes
    kind: str

    def json(self):
        return json.loads(self.body)

    def file(self):
        """Name, stated length and content of the uploaded file."""
        found = BytesParser().parsebytes(f"Content-Type: {self.kind}\r\n\r\n".encode() + self.body)
        (part,) = found.get_payload()
        held = dict(part.get_params(header="content-disposition"))
        content = self.body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        return held["name"], held["filename"], int(held["filelength"]), content


@dataclass
class Server:
    """The server; `answers` holds what comes next, each a dict, bytes, or a function of the handler."""

    answers: list = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    base: str = ""

    def answer(self, call: Call) -> object:
        if self.answers:
            return self.answers.pop(0)
        if call.query.get("key") != [KEY]:
            return INVALID
        if call.call == "upload_media":
            return OK | {"type": "file", "media_id": f"media-{len(self.calls)}", "created_at": "1380000000"}
        return OK


def status(code: int, **headers: str) -> Callable:
    def send(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return send


def close(handler):
    handler.connection.close()


def slow(seconds: float) -> Callable:
    def send(handler):
        time.sleep(seconds)
        handler.reply(OK)

    return send


def drip(handler):
    """Send one byte after the other, each in good time, never all of them."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


class serving:
    """A context that serves on a free port of the loopback."""

    def __enter__(self) -> Server:
        state = Server()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers["Content-Length"]))
                call = Call(parts.path.rsplit("/", 1)[1], parse_qs(parts.query), body, self.headers["Content-Type"])
                state.calls.append(call)
                found = state.answer(call)
                found(self) if callable(found) else self.reply(found)

            def reply(self, found):
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle(self):
                with contextlib.suppress(OSError, ValueError):  # the connection is gone, or was closed on purpose
                    super().handle()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        state.base = f"http://127.0.0.1:{self.server.server_address[1]}/cgi-bin/webhook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return state

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
