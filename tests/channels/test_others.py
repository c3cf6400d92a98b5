"""The console, Apprise and Web Push."""

from __future__ import annotations

import asyncio
import base64
import email
import io
import json
import os
import re
import socket
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
from quakestream.channels.apprise import REFUSED, AppriseChannel
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


def test_an_email_has_the_map_in_it() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    with mail_server() as (port, mails):
        target = f"mailto://127.0.0.1:{port}?to=reader@example.org&from=quakes@example.org"
        channel = AppriseChannel(allow_private=True)
        assert channel.shows_pictures(target)
        assert not channel.shows_pictures("json://example.org/x")
        assert send(channel, message(target=target, image=png)) == [Accepted(by_receiver=False)]
    (picture,) = [part for part in email.message_from_bytes(mails[0]).walk() if part.get_content_type() == "image/png"]
    assert (picture.get_filename(), picture.get_payload(decode=True)) == ("map.png", png)


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


@pytest.mark.parametrize(
    "url",
    [
        "workflows://93.184.216.34:443/workflow/signature?template=http://127.0.0.2/x",
        "fcm://project/device?keyfile=http://127.0.0.2/key",
        "vapid://a@example.org/b@example.org?keyfile=/etc/passwd",
        "vapid://a@example.org/b@example.org?subfile=http://127.0.0.2/x",
        "mailto://user:pass@example.org?smtp=93.184.216.34&to=a@example.org&pgppub=/etc/passwd",
        "mailto://user:pass@example.org?smtp=93.184.216.34&to=a@example.org&PGPPRV=/etc/passwd",
        "mailto://user:pass@example.org?smtp=93.184.216.34&to=a@example.org&w%6bd=yes",
        "json://93.184.216.34/x?redirect=yes",
        "json://93.184.216.34/x?retry=5&wait=10",
        "https://discord.com/api/webhooks/417421629812345678/JHMHI8qBe7bk2ZwO5U711o3dV_js?template=/etc/passwd",
        "ntfy://93.184.216.34/topic?email=victim@example.org",
    ],
)
def test_parameters_that_name_files_or_lead_elsewhere_are_refused(url: str) -> None:
    with pytest.raises(Rejected, match="url"):
        AppriseChannel().check({"url": url})


@pytest.mark.parametrize(
    "more",
    [
        "?to=eve@example.org,victim@example.org",
        "/eve@example.org/victim@example.org",
        "?to=eve@example.org&bcc=v@b.org",
    ],
)
def test_one_address_is_one_person(more: str) -> None:
    mark = "&" if "?" in more else "?"
    with pytest.raises(Rejected, match="url"):
        AppriseChannel().check({"url": f"mailto://user:pass@example.org{more}{mark}smtp=93.184.216.34"})


def reaches_persons() -> dict[str, bool]:
    """Every scheme of this version of Apprise, and whether its own description names telephones or e-mail addresses."""
    import apprise  # it warns when it is loaded

    found = {}
    for service in apprise.Apprise().details()["schemas"]:
        words = [*service["details"]["args"], *service["details"]["tokens"]]
        words += [str(token.get("name")) for token in service["details"]["tokens"].values()]
        named = re.search(r"phone|e-?mail|mobile", " ".join(words), re.IGNORECASE) is not None
        found |= dict.fromkeys([*(service["protocols"] or []), *(service["secure_protocols"] or [])], named)
    return found


def test_what_reaches_a_person_asks_first_and_what_is_new_in_apprise_too() -> None:
    channel = AppriseChannel()
    for scheme in (
        *("mailto", "sendgrid", "twilio", "signal", "whatsapp", "atalk", "deltachat", "deltachats", "groundmail"),
        *("gupshup", "notifyre", "evolution", "evolutions", "eight00com", "pingram", "brand-new"),
    ):
        assert channel.needs_yes(f"{scheme}://x"), scheme
    # a bot's login, a room's or a team's own settings; ntfy forwards to an address, by a parameter that is refused
    own = {"betterstack", "dingtalk", "ntfy", "ntfys", "slack", "twist"}
    named = {scheme for scheme, persons in reaches_persons().items() if persons}
    assert {scheme for scheme in named if not channel.needs_yes(f"{scheme}://x")} == own


def test_no_parameter_of_this_version_of_apprise_names_a_file_or_a_server_unnoticed() -> None:
    import apprise  # it warns when it is loaded

    # passed on to the service, or a part of the URL that is asked there
    passed_on = {
        *("attach-as", "avatar", "avatar_url", "blossom", "click", "decode", "file_url", "filename", "href"),
        *("hsreq", "icon", "icon_url", "image_url", "method", "pa", "path", "prefix", "profile"),
        *("short_url", "smtp", "url", "url_label", "url_prefix", "url_title", "vhost"),
    }
    named = set()
    for service in apprise.Apprise().details()["schemas"]:
        for name, argument in service["details"]["args"].items():
            words = f"{name} {argument.get('name', '')} {argument.get('map_to', '')}"
            if re.search(r"file|path|ur[il]|template|server|host|pem|direct|fetch|stor|dir\b", words, re.IGNORECASE):
                named.add(name)
    assert named - REFUSED == passed_on


def test_nothing_is_sent_into_ones_own_network_wherever_a_name_or_a_redirect_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Receiver() as service:
        target = f"json://rebound.example.org:{service.port}/x"
        monkeypatch.setattr("quakestream.channels.apprise._is_public_host", lambda _host: True)
        real = socket.getaddrinfo

        def rebound(_host: str, *more: Any, **named: Any) -> Any:
            return real("127.0.0.1", *more, **named)

        monkeypatch.setattr(socket, "getaddrinfo", rebound)
        (outcome,) = send(AppriseChannel(), message(target=target))
        assert outcome == Refused("127.0.0.1 is in this machine's own network")
        assert service.did["accept"] == 0
        (outcome,) = send(AppriseChannel(allow_private=True), message(target=target))
        assert isinstance(outcome, Accepted)
    assert not AppriseChannel()._service("json://93.184.216.34/x").redirects


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
