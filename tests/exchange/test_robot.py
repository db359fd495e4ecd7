"""The group robot against a local server that answers as documented: limits kept, trouble told, the key hidden."""

import traceback

import pytest

from planlib.core.errors import InputError
from planlib.core.webaddress import is_fit
from planlib.exchange import robot as module
from planlib.exchange.robot import A_MINUTE, ADDRESS_ENV, BASE, FILE_BYTES, LIMITS_BYTES, Robot, cut, robot_of
from tests.exchange.robot_server import (
    INVALID,
    KEY,
    OK,
    PARAMETER,
    RATE,
    close,
    drip,
    serving,
    slow,
    status,
)  # fmt: skip


@pytest.fixture
def server():
    with serving() as found:
        yield found


class Pauses:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def pauses():
    return Pauses()


@pytest.fixture
def robot(server, pauses):
    return Robot(KEY, base=server.base, clock=lambda: pauses.now, sleep=pauses.sleep)


def test_a_text_goes_as_documented(server, robot):
    assert robot.say("周报 ok").ok and robot.say("plain", form="text").ok
    first, second = server.calls
    assert (first.call, first.query) == ("send", {"key": [KEY]}) and first.kind.startswith("application/json")
    assert first.json() == {"msgtype": "markdown", "markdown": {"content": "周报 ok"}}
    assert second.json() == {"msgtype": "text", "text": {"content": "plain"}}


def test_a_file_is_uploaded_and_its_id_sent(server, robot):
    content = b"%PDF-1.7\r\n--not a boundary--\r\n" + bytes(range(256))
    assert robot.hand_over('brand "a"\r\n.zh.pdf', content).ok
    upload, message = server.calls
    assert (upload.call, upload.query) == ("upload_media", {"key": [KEY], "type": ["file"]})
    assert upload.file() == ("media", "brand a.zh.pdf", len(content), content)
    assert message.json() == {"msgtype": "file", "file": {"media_id": "media-1"}}


@pytest.mark.parametrize(("size", "code"), [(4, "too_small"), (5, "done"), (FILE_BYTES[1] + 1, "too_large")])
def test_files_are_within_the_documented_sizes(server, robot, size, code):
    assert robot.hand_over("a.pdf", b"x" * size).code == code
    assert len(server.calls) == (2 if code == "done" else 0)


def test_texts_beyond_the_limit_are_not_sent(server, robot):
    for form, limit in LIMITS_BYTES.items():
        with pytest.raises(ValueError, match=str(limit)):
            robot.say("中" * (limit // 3 + 1), form=form)
    assert server.calls == [] and LIMITS_BYTES == {"text": 2048, "markdown": 4096}


@pytest.mark.parametrize(
    ("answers", "code", "slept"),
    [
        ([RATE], "done", [module.RATE_SECONDS]),
        ([RATE, RATE], "rate_limit", [module.RATE_SECONDS]),
        ([status(429)], "done", [module.RATE_SECONDS]),
        ([status(502)], "done", [module.RETRY_SECONDS]),
        ([status(500), status(503)], "http", [module.RETRY_SECONDS]),
        ([close], "done", [module.RETRY_SECONDS]),
        ([close, close], "unreachable", [module.RETRY_SECONDS]),
        ([status(404)], "http", []),
        ([INVALID], "rejected", []),
        ([PARAMETER], "rejected", []),
        ([b"{broken"], "bad_answer", []),
        ([b"[]"], "bad_answer", []),
        ([b'{"errcode": "0"}'], "bad_answer", []),
        ([b'{"errcode": true}'], "bad_answer", []),
        ([b"x" * 70_000], "bad_answer", []),
        ([status(302, Location="http://127.0.0.1:9/other")], "redirect", []),
        ([status(307, Location="http://127.0.0.1:9/other")], "redirect", []),
    ],
)
def test_trouble_is_told_and_tried_once_more_where_that_helps(server, robot, pauses, answers, code, slept):
    server.answers, tries = list(answers), len(answers)
    reply = robot.say("x")
    assert (reply.code, pauses.slept) == (code, slept)
    assert len(server.calls) == (tries + 1 if code == "done" else tries)
    assert KEY not in repr(reply) and KEY[:13] not in repr(reply)


def test_what_was_rejected_is_told_without_the_key(server, robot):
    server.answers = [INVALID]
    assert robot.say("x").values == {"errcode": 93000, "said": "invalid webhook url …"}
    server.answers = [INVALID]  # nor with another's
    assert KEY not in repr(Robot("another-key-0000", base=server.base).say("x"))


def test_an_upload_without_an_id_sends_nothing(server, robot):
    server.answers = [OK]
    assert robot.hand_over("a.pdf", b"%PDF-").code == "bad_answer" and len(server.calls) == 1


def test_slow_answers_are_given_up(server, pauses, monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1)
    robot = Robot(KEY, base=server.base, sleep=pauses.sleep)
    server.answers = [slow(0.4), OK]
    assert robot.say("x").ok and pauses.slept == [module.RETRY_SECONDS]
    server.answers = [drip, drip]
    assert robot.say("x").code == "timeout"


def test_nobody_answers(pauses):
    with serving() as gone:
        base = gone.base
    assert Robot(KEY, base=base, sleep=pauses.sleep).say("x").code == "unreachable"


def test_at_most_twenty_messages_a_minute(server, robot, pauses):
    for _ in range(A_MINUTE):
        assert robot.say("x").ok
    assert pauses.slept == []
    pauses.now += 15.0
    assert robot.say("x").ok and pauses.slept == [45.0]
    assert robot.hand_over("a.pdf", b"%PDF-").ok, "an upload is no message, its id is one"
    assert len(pauses.slept) == 2


def test_the_key_stands_nowhere(server, robot):
    assert KEY not in repr(robot) and KEY not in str(robot)
    server.answers = [close, close]
    try:
        robot._opener.open = lambda *_, **__: 1 / 0
        robot.say("x")
    except ZeroDivisionError:
        told = traceback.format_exc()
    assert KEY not in told


@pytest.mark.parametrize(
    ("environment", "address", "codes"),
    [
        ({"K": KEY}, None, []),
        ({"K": f" {KEY}\n"}, None, []),
        ({"K": f"{BASE}/send?key={KEY}"}, None, []),
        ({"K": KEY, ADDRESS_ENV: "https://wecom.example.org/cgi-bin/webhook"}, None, []),
        ({"K": KEY}, "https://wecom.example.org/cgi-bin/webhook", []),
        ({}, None, ["webhook_missing"]),
        ({"K": "  "}, None, ["webhook_missing"]),
        ({"K": "two words"}, None, ["webhook_key"]),
        ({"K": "short"}, None, ["webhook_key"]),
        ({"K": f"{BASE}/send"}, None, ["webhook_key"]),
        ({"K": f"{BASE}/send?key=a&key=b"}, None, ["webhook_key"]),
        ({"K": "https://[broken/send?key=12345678"}, None, ["webhook_key"]),
        ({"K": KEY, ADDRESS_ENV: "http://wecom.example.org"}, None, ["webhook_address"]),
        ({ADDRESS_ENV: "https://user:secret-word@example.org"}, None, ["webhook_address", "webhook_missing"]),
    ],
)
def test_where_the_key_comes_from(environment, address, codes):
    if not codes:
        assert isinstance(robot_of("K", address, environment), Robot)
        return
    with pytest.raises(InputError) as caught:
        robot_of("K", address, environment)
    assert [problem.code for problem in caught.value.problems] == codes
    told = caught.value.render("en") + caught.value.render("zh") + repr(caught.value)
    for secret in (KEY, "two words", "secret-word", "12345678"):
        assert secret not in told


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org", "ftp://example.org", "https://", "https://example.org/send?key=1", "https://a@b.org",
        "https://example.org/#x", "https://example.org/?", "https://exa mple.org", "http://127.0.0.1.example.org",
        "https://example.org:port", "//example.org", "https://例子.org", "http://localhost.example.org", "",
    ],
)  # fmt: skip
def test_unsafe_addresses_are_refused(address):
    assert not is_fit(address)


@pytest.mark.parametrize(("limit", "kept"), [(10_000, 40), (500, None), (60, None)])
def test_texts_are_cut_behind_whole_lines(limit, kept):
    lines = [f"第 {number} 行：" + "内容" * 5 for number in range(40)]
    found = cut(lines, limit, lambda n: f"……另有 {n} 行未显示")
    assert len(found.encode()) <= limit
    *shown, last = found.split("\n")
    if kept is not None:
        assert [*shown, last] == lines
        return
    assert shown == lines[: len(shown)] and last == f"……另有 {40 - len(shown)} 行未显示"
    longer = "\n".join([*lines[: len(shown) + 1], f"……另有 {39 - len(shown)} 行未显示"])
    assert len(longer.encode()) > limit, "one line more would not fit"
