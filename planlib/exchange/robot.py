"""The group robot of WeCom: messages and files into a group chat, through the robot's webhook.

What its documentation states (group robot, "message types and formats" and "file upload") is kept here: the calls
`send` and `upload_media` below https://qyapi.weixin.qq.com/cgi-bin/webhook, each with the robot's key; text up to 2,048
and markdown up to 4,096 bytes of UTF-8; files of 5 bytes to 20 MB; 20 messages a minute for each robot; answers as JSON
with `errcode` 0 when it went well.

The key comes from the environment and goes into the address of a request, nowhere else. Nothing here raises an error
of the network: whoever sends gets a `Reply`, whose words hold no key and no address.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from planlib.core.errors import InputError, Problem
from planlib.core.webaddress import is_fit, is_loopback

BASE = "https://qyapi.weixin.qq.com/cgi-bin/webhook"
ADDRESS_ENV = "PLANLIB_WECOM_ADDRESS"  # in place of BASE, for private deployments
LIMITS_BYTES = {"text": 2048, "markdown": 4096}
FILE_BYTES = (5, 20 * 1024 * 1024)
A_MINUTE = 20
TIMEOUT_SECONDS = 10.0
UPLOAD_SECONDS = 60.0
RETRY_SECONDS = 5.0
RATE_SECONDS = 60.0  # the limit is one for a minute
_ANSWER_BYTES = 65_536
_KEY = re.compile(r"[0-9A-Za-z_-]{8,80}\Z")
_LIKE_A_KEY = re.compile(r"[0-9A-Za-z]{8}-[0-9A-Za-z-]{16,}")
_RATE = 45009  # api freq out of limit


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a call.

    Args:
        code: done, rejected, rate_limit, timeout, unreachable, certificate, http, redirect, bad_answer, too_small or
            too_large;
            names the sentence `notify.reply.<code>`.
        values: its placeholders.
        media_id: of an uploaded file.
    """

    code: str
    values: Mapping[str, object] = field(default_factory=dict)
    media_id: str = ""

    @property
    def ok(self) -> bool:
        return self.code == "done"

    @property
    def worth_another(self) -> bool:
        """Whether the same call may go well later."""
        status = self.values.get("status")
        return self.code in ("rate_limit", "timeout", "unreachable") or (isinstance(status, int) and status >= 500)


class Robot:
    """A group's robot. Its key is shown by nothing, not even by `repr`.

    Args:
        key: the robot's.
        base: address of the calls.
        clock, sleep: replaced by tests.
    """

    def __init__(
        self,
        key: str,
        *,
        base: str = BASE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._key = key
        self._base = base.rstrip("/")
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque(maxlen=A_MINUTE)
        self._opener = _opener(self._base)

    def __repr__(self) -> str:
        return "Robot(key=…)"

    def say(self, content: str, *, form: str = "markdown") -> Reply:
        """Send a text; one that is too long must have been cut before (`cut`).

        Args:
            content: up to 4,096 (markdown) or 2,048 (text) bytes of UTF-8.
            form: markdown or text.
        """
        if len(content.encode()) > LIMITS_BYTES[form]:
            raise ValueError(f"more than {LIMITS_BYTES[form]} bytes")
        return self._message({"msgtype": form, form: {"content": content}})

    def hand_over(self, name: str, content: bytes) -> Reply:
        """Send a file: upload it, then send its id.

        Args:
            name: shown in the chat.
            content: 5 bytes to 20 MB.
        """
        low, high = FILE_BYTES
        if not low <= len(content) <= high:
            return Reply("too_small" if len(content) < low else "too_large", {"name": name, "size": len(content)})
        body, kind = _form(name, content)
        reply = self._call("upload_media", body, kind, timeout=UPLOAD_SECONDS, more="&type=file")
        if not reply.ok:
            return reply
        if not reply.media_id:
            return Reply("bad_answer")
        return self._message({"msgtype": "file", "file": {"media_id": reply.media_id}})

    def _message(self, message: Mapping[str, object]) -> Reply:
        body = json.dumps(message, ensure_ascii=False).encode()
        return self._call("send", body, "application/json; charset=utf-8", timeout=TIMEOUT_SECONDS, counts=True)

    def _call(
        self, call: str, body: bytes, kind: str, *, timeout: float, more: str = "", counts: bool = False
    ) -> Reply:
        """Make a call; when it may go well later, once more."""
        address = f"{self._base}/{call}?key={quote(self._key, safe='')}{more}"
        for attempts_left in (1, 0):
            if counts:
                self._wait_for_a_place()
            reply = self._once(address, body, kind, timeout)
            if reply.ok or not attempts_left or not reply.worth_another:
                return reply
            self._sleep(RATE_SECONDS if reply.code == "rate_limit" else RETRY_SECONDS)
        raise AssertionError("unreachable")

    def _wait_for_a_place(self) -> None:
        """Wait until fewer than 20 messages have been sent within the last minute."""
        if len(self._sent) == A_MINUTE:
            self._sleep(max(0.0, self._sent[0] + 60.0 - self._clock()))
        self._sent.append(self._clock())

    def _once(self, address: str, body: bytes, kind: str, timeout: float) -> Reply:
        request = urllib.request.Request(address, data=body, headers={"Content-Type": kind}, method="POST")
        deadline = self._clock() + timeout
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return self._read(answer, deadline)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(OSError):
                error.close()
            if 300 <= error.code < 400:
                return Reply("redirect", {"status": error.code})
            return Reply("rate_limit") if error.code == 429 else Reply("http", {"status": error.code})
        except urllib.error.URLError as error:
            inner = error.reason
            if isinstance(inner, TimeoutError):
                return Reply("timeout", {"seconds": f"{timeout:g}"})
            if isinstance(inner, ssl.SSLCertVerificationError):
                return Reply("certificate")
            return Reply("unreachable", {"kind": type(inner).__name__})
        except TimeoutError:
            return Reply("timeout", {"seconds": f"{timeout:g}"})
        except (OSError, http.client.HTTPException) as error:
            return Reply("unreachable", {"kind": type(error).__name__})

    def _read(self, answer: http.client.HTTPResponse, deadline: float) -> Reply:
        parts, size = [], 0
        while part := answer.read1(_ANSWER_BYTES):
            parts.append(part)
            size += len(part)
            if size > _ANSWER_BYTES:
                return Reply("bad_answer")
            if self._clock() > deadline:
                raise TimeoutError
        try:
            found = json.loads(b"".join(parts))
            code = found["errcode"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return Reply("bad_answer")
        if type(code) is not int:
            return Reply("bad_answer")
        if code == 0:
            media_id = found.get("media_id")
            return Reply("done", media_id=media_id if isinstance(media_id, str) else "")
        if code == _RATE:
            return Reply("rate_limit")
        said = str(found.get("errmsg", ""))
        for secret in (self._key, quote(self._key, safe="")):
            said = said.replace(secret, "…")
        said = _LIKE_A_KEY.sub("…", said)
        said = "".join(c for c in said.split(", hint:")[0] if c.isprintable())[:120]
        return Reply("rejected", {"errcode": code, "said": said})


def robot_of(key_env: str, address: str | None, environment: Mapping[str, str]) -> Robot:
    """Return the robot whose key stands in a variable of the environment.

    Args:
        key_env: name of the variable; it holds the key, or the address that WeCom shows with it.
        address: of the plan, in place of WeCom's own; the variable PLANLIB_WECOM_ADDRESS comes before it.
        environment: as `os.environ`.

    Raises:
        InputError: the variable is not set, or holds no key; an address is not https. No message holds a value.
    """
    base = environment.get(ADDRESS_ENV) or address or BASE
    problems = []
    if not is_fit(base):
        problems.append(Problem("webhook_address", field=ADDRESS_ENV))
    found = environment.get(key_env, "").strip()
    key = _key_in(found)
    if not found:
        problems.append(Problem("webhook_missing", field=key_env, values={"name": key_env}))
    elif key is None:
        problems.append(Problem("webhook_key", field=key_env, values={"name": key_env}))
    if problems:
        raise InputError(*problems)
    return Robot(str(key), base=base)


def cut(lines: list[str], limit_bytes: int, note: Callable[[int], str]) -> str:
    """Return lines joined, cut behind a whole line so that they fit; the last line then says how many are missing.

    Args:
        lines: without line ends.
        limit_bytes: of UTF-8.
        note: number of lines left out -> the line that says so.

    >>> cut(["one", "two", "three"], 100, str)
    'one\\ntwo\\nthree'
    >>> cut(["one", "two", "three"], 10, lambda n: f"+{n}")
    'one\\ntwo\\n+1'
    """
    whole = "\n".join(lines)
    if len(whole.encode()) <= limit_bytes:
        return whole
    for kept in range(len(lines) - 1, -1, -1):
        text = "\n".join([*lines[:kept], note(len(lines) - kept)])
        if len(text.encode()) <= limit_bytes:
            return text
    raise ValueError("not even the note fits")


def _key_in(text: str) -> str | None:
    """Return the key in the text of a variable: the key itself, or an address with it."""
    if "://" in text:
        try:
            found = parse_qs(urlsplit(text).query).get("key", [])
        except ValueError:
            return None
        text = found[0] if len(found) == 1 else ""
    return text if _KEY.match(text) else None


def _form(name: str, content: bytes) -> tuple[bytes, str]:
    """Return a file as multipart/form-data and the type of the body."""
    boundary = secrets.token_hex(16)
    shown = "".join(c for c in name if c.isprintable() and c not in '"\\')
    disposition = f'form-data; name="media"; filename="{shown}"; filelength={len(content)}'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: application/octet-stream\r\n\r\n"
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key elsewhere: it is an error."""

    def redirect_request(self, *_: object) -> None:
        return None


def _opener(base: str) -> urllib.request.OpenerDirector:
    """Return what makes the requests: certificates verified, no redirects, no proxy for this machine itself."""
    handlers = [urllib.request.HTTPSHandler(context=ssl.create_default_context()), _NoRedirect()]
    if is_loopback(base):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)
