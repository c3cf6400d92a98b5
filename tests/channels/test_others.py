"""The console, Apprise and Web Push."""

from __future__ import annotations

import asyncio
import base64
import email
import io
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from quakestream.channels import Accepted, Channel, Refused, Retry
from quakestream.channels.apprise import AppriseChannel
from quakestream.channels.console import ConsoleChannel
from quakestream.channels.webpush import WebPushChannel, new_key
from quakestream.errors import Rejected
from tests.channels.receiver import Receiver
from tests.channels.shared import message, send

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise still loads it


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


class Browser:
    """A browser that subscribed: its keys, and what it makes of what it gets."""

    def __init__(self, endpoint: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = os.urandom(16)
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": base64url(point), "auth": base64url(self._auth)}
        self.fields = {
            "channel": "webpush",
            "subscription": {"endpoint": endpoint, "expirationTime": None, "keys": keys},
        }

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self._key, auth_secret=self._auth, version="aes128gcm")
        document: dict[str, Any] = json.loads(plain)
        return document


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """An SMTP server that takes every mail: its port, and the mails."""
    mails: list[bytes] = []
    loop = asyncio.new_event_loop()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                mail = b""
                while (line := await reader.readline()) != b".\r\n":
                    mail += line
                mails.append(mail)
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 good\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], mails
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


# --- Web Push -----------------------------------------------------------------------------------------------------


def test_a_browser_can_read_what_is_pushed_and_the_service_who_sent_it() -> None:
    with Receiver() as service:
        channel = WebPushChannel(new_key(), "mailto:quakes@example.org", allow_private=True)
        browser = Browser(service.url)
        channel.check(browser.fields)
        assert send(channel, message(target=channel.target(browser.fields))) == [Accepted(by_receiver=False)]
    (received,) = service.accepted.values()
    shown = browser.read(received.body)
    assert (shown["title"], shown["tag"], shown["key"]) == ("M 5.6 earthquake, somewhere", "eq_1", "ntf_1")
    assert shown["earthquake"] == "eq_1"  # what a click on it opens
    assert Vapid02.verify(received.headers["authorization"])
    assert f"k={channel.public_key}" in received.headers["authorization"]
    assert int(received.headers["ttl"]) > 0
    assert received.headers["content-encoding"] == "aes128gcm"


def test_a_browser_that_has_left_is_told_nothing_more() -> None:
    with Receiver({"final": 1}) as service:
        channel = WebPushChannel(new_key(), "mailto:quakes@example.org", allow_private=True)
        (outcome,) = send(channel, message(target=channel.target(Browser(service.url).fields)))
    assert isinstance(outcome, Retry)  # 422 is not for ever here; 410 is
    assert outcome.why.startswith("answer 422")


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"endpoint": "https://push.example.org/"},
        {"endpoint": "https://x.org/", "keys": {"p256dh": "AA", "auth": "AA"}},
    ],
)
def test_a_browser_that_is_none_is_refused(given: Any) -> None:
    with pytest.raises(Rejected, match="subscription"):
        WebPushChannel(new_key(), "mailto:a@b.org").check({"subscription": given})


def test_a_browser_in_ones_own_network_is_refused() -> None:
    with pytest.raises(Rejected, match="url"):
        WebPushChannel(new_key(), "mailto:a@b.org").check(Browser("http://127.0.0.1/").fields)


# --- Apprise ------------------------------------------------------------------------------------------------------


def test_an_email_can_be_ended_with_one_click() -> None:
    with mail_server() as (port, mails):
        target = f"mailto://127.0.0.1:{port}?to=reader@example.org&from=quakes@example.org"
        channel = AppriseChannel(allow_private=True)
        channel.check({"url": target})
        assert channel.needs_yes(target)
        one = message(target=target, unsubscribe_url="https://quakes.example.org/u/1?x=2")
        assert send(channel, one) == [Accepted(by_receiver=False)]
    mail = email.message_from_bytes(mails[0])
    assert mail["subject"] == "M 5.6 earthquake, somewhere"
    assert mail["list-unsubscribe"] == "<https://quakes.example.org/u/1?x=2>"
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert mail["x-quakestream-key"] == "ntf_1"
    assert "not an official warning" in str(mail)


def test_a_service_that_does_not_take_it_is_asked_again() -> None:
    with Receiver({"error": 1}) as service:
        target = f"json://127.0.0.1:{service.port}/x"
        channel = AppriseChannel(allow_private=True)
        assert not channel.needs_yes(target)
        (outcome,) = send(channel, message(target=target))
    assert isinstance(outcome, Retry)


@pytest.mark.parametrize(
    "url",
    [
        "json://localhost/x",
        "json://127.0.0.1/",
        "json://2130706433/",
        "json://169.254.169.254/latest",
        "mailto://user:pass@example.org?smtp=127.0.0.1",
        "syslog://",
        "dbus://",
        "nonsense://x",
        "not a url",
        "",
    ],
)
def test_services_of_this_machine_and_unknown_ones_are_refused(url: str) -> None:
    with pytest.raises(Rejected, match="url"):
        AppriseChannel().check({"url": url})


# --- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["exercise", "test"])
@pytest.mark.parametrize("name", ["console", "apprise", "webpush"])
def test_a_drill_reaches_nobody_who_did_not_ask(name: str, mode: Any) -> None:
    stream = io.StringIO()
    with Receiver() as service:
        channels: dict[str, Channel] = {
            "console": ConsoleChannel(stream),
            "apprise": AppriseChannel(allow_private=True),
            "webpush": WebPushChannel(new_key(), "mailto:a@b.org", allow_private=True),
        }
        channel = channels[name]
        targets = {
            "console": "console",
            "apprise": f"json://127.0.0.1:{service.port}/x",
            "webpush": channel.target(Browser(service.url).fields) if name == "webpush" else "",
        }
        refused, taken = send(
            channel,
            message(target=targets[name], mode=mode),
            message(target=targets[name], mode=mode, asked=("actual", mode)),
        )
        assert isinstance(refused, Refused)
        assert isinstance(taken, Accepted)
        assert service.did["accept"] == (0 if name == "console" else 1)
    assert stream.getvalue().count("---") == (1 if name == "console" else 0)
