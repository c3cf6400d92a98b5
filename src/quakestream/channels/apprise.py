"""E-mail, ntfy, Telegram, Slack, Matrix, MQTT and some 170 more, through Apprise's URLs: https://appriseit.com/services.

Apprise blocks, so it works in threads, a bounded number of them. It says whether a service took a message, no more.
Strangers choose the URLs. So services of this machine itself (D-Bus, syslog, …), hosts of its own network, and
parameters that name files or lead elsewhere are refused; and no connection is made into its own network, whatever a
name resolves to by then.

An e-mail can be ended with one click (RFC 8058), and carries the message's key; where a service has no place for the
key, a second delivery can't be told.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Final, Self
from urllib.parse import quote

from quakestream.channels import (
    SEND_TIMEOUT_S,
    Accepted,
    Channel,
    ChannelContext,
    Message,
    Outcome,
    Refused,
    Retry,
    text_field,
)
from quakestream.channels.guarding import OwnNetworkError, outside_only
from quakestream.channels.posting import is_public
from quakestream.errors import Rejected

HERE: Final = frozenset(
    [
        *("dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "syslog", "rsyslog", "file", "growl"),
        *("freedesktop", "blink1", "vapid"),
    ]
)
"""Services of the machine that this program runs on, or that keep files there."""
MAIL: Final = frozenset(["mailto", "mailtos"])
# fmt: off
ROOMS: Final = frozenset([
    "amqp", "amqps", "apprise", "apprises", "bark", "barks", "betterstack", "bluesky", "bsky", "chanify", "cliq",
    "dingtalk", "discord", "dot", "emby", "embys", "enigma2", "enigma2s", "fcm", "feishu", "firehydrant", "flock",
    "flowtriq", "flowtriqs", "fluxer", "fluxers", "form", "forms", "gchat", "github", "goalert", "goalerts", "gorush",
    "gorushs", "gotify", "gotifys", "groupme", "guilded", "hassio", "hassios", "humhub", "humhubs", "ifttt", "ilert",
    "incidentio", "irc", "ircs", "jellyfin", "jellyfins", "jira", "join", "json", "jsons", "kodi", "kodis", "kook",
    "kumulos", "lametric", "lametrics", "lark", "mastodon", "mastodons", "matrix", "matrixs", "misskey", "misskeys",
    "mmost", "mmosts", "mqtt", "mqtts", "ncloud", "nclouds", "nctalk", "nctalks", "notica", "noticas", "notifiarr",
    "notifico", "notificos", "ntfy", "ntfys", "opsgenie", "pagerduty", "pagertree", "parsep", "parseps", "pjet",
    "pjets", "pover", "prowl", "pushdeer", "pushdeers", "pushed", "pushme", "pushplus", "pushy", "revolt", "rocket",
    "rockets", "ryver", "schan", "signl4", "simplepush", "slack", "spike", "splunk", "spugpush", "spush", "squadcast",
    "stackfield", "synology", "synologys", "tgram", "toot", "toots", "twist", "victorops", "webex", "wecombot",
    "workflow", "workflows", "wpush", "wxpusher", "wxteams", "xbmc", "xbmcs", "xmatters", "xml", "xmls", "zcliq",
    "zohocliq", "zoom", "zulip",
])
"""Rooms, boards, apps and machines that whoever has the URL may write to. All others reach persons, and are asked."""
# fmt: on
REFUSED: Final = frozenset(
    [
        *("keyfile", "subfile", "pgp", "pgpkey", "pgppub", "pgpprv", "template", "store"),  # files, here or fetched
        *("wkd", "discovery", "redirect"),  # leads elsewhere
        *("cto", "rto", "timeout", "retry", "wait"),  # how long it takes is ours to say
        *("cc", "bcc", "email"),  # others beside the receiver, whom nobody asked
    ]
)
"""Parameters of Apprise's URLs that a subscriber can't have."""
_TYPES: Final = {"cancellation": "info", "test": "info", "confirmation": "info", "digest": "info"}


class AppriseChannel(Channel):
    """Fields: `url`, as Apprise has it."""

    name = "apprise"
    max_sends = 8

    def __init__(self, *, allow_private: bool = False, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """`allow_private`: also services of this machine and its network."""
        self.timeout_s = timeout_s
        self._allow_private = allow_private
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def made(cls, context: ChannelContext) -> Self:
        return cls(allow_private=context.allow_private)

    def target(self, fields: Mapping[str, Any]) -> str:
        return str(fields["url"]).strip()

    def check(self, fields: Mapping[str, Any]) -> None:
        self._service(text_field(fields, "url", ("url",)))

    def needs_yes(self, target: str) -> bool:
        return _scheme(target) not in ROOMS

    def shows_pictures(self, target: str) -> bool:
        return _scheme(target) in MAIL  # elsewhere it is a message of its own, which may fail when the first arrived

    async def open(self) -> None:
        self._threads = ThreadPoolExecutor(self.max_sends, thread_name_prefix="apprise")

    async def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _send(self, message: Message) -> Outcome:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_s):
                taken = await loop.run_in_executor(self._threads, self._notify, message)
        except TimeoutError:
            return Retry(f"no answer within {self.timeout_s:g} s")
        except Rejected as error:
            return Retry(str(error), maybe_told=False)
        except OwnNetworkError as error:
            return Refused(f"{error} is in this machine's own network")
        return Accepted(by_receiver=False) if taken else Retry("the service did not take it")

    def _notify(self, message: Message) -> bool:
        import apprise  # noqa: PLC0415 - a quarter of a second and its memory, for who uses it

        service = self._service(_with_headers(message))
        kind = _TYPES.get(message.kind, "warning" if message.priority > 1 else "failure")
        with nullcontext() if self._allow_private else outside_only():
            sent = service.notify(
                title=message.title,
                body=message.text,
                notify_type=apprise.NotifyType(kind),
                body_format=apprise.NotifyFormat.TEXT,
                attach=_attachment(message.image) if message.image else None,
            )
        return bool(sent)

    def _service(self, url: str) -> Any:
        """What Apprise makes of a URL.

        Raises:
            Rejected: it knows no such service, it is of this machine or its network, or reaches more than one person.
        """
        if _scheme(url) in HERE and not self._allow_private:
            raise Rejected(f"url: {_scheme(url)} would act on this machine, which is not allowed")
        import apprise  # noqa: PLC0415
        from apprise.plugins import url_to_dict  # noqa: PLC0415

        asset = apprise.AppriseAsset(app_id="Quakestream", app_desc="Quakestream", async_mode=False)
        asset.http_redirects = False
        parsed = url_to_dict(url, secure_logging=True)  # type: ignore[no-untyped-call]
        refused = sorted(REFUSED & {name.lower() for name in parsed["qsd"]}) if parsed else []
        if refused:
            raise Rejected(f"url: {', '.join(refused)} is not allowed here")
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise Rejected("url: Apprise does not know this service, or something is missing in the URL")
        if self.needs_yes(url) and len(service) > 1:
            raise Rejected("url: only one recipient, who must confirm first. Use one channel for each recipient")
        host = _host(service)
        if host and not self._allow_private and not _is_public_host(host):
            raise Rejected(f"url: {host} is in this machine's own network, or is not known")
        return service


def _attachment(image: bytes) -> Any:
    from apprise.attachment.memory import AttachMemory  # noqa: PLC0415

    return AttachMemory(image, name="map.png", mimetype="image/png")  # type: ignore[no-untyped-call]


def _scheme(url: str) -> str:
    return url.partition(":")[0].strip().lower()


def _host(service: Any) -> str:
    """The host that a service's URL names; empty where it is the service's own, and `host` a token."""
    if getattr(service, "smtp_host", None):
        return str(service.smtp_host)
    names_one = any("{host}" in template for template in service.templates)
    return str(service.host or "") if names_one else ""


def _is_public_host(host: str) -> bool:
    """Whether every address of a host is the world's."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(is_public(str(address[4][0])) for address in found)


def _with_headers(message: Message) -> str:
    """The target; of an e-mail, with the headers by which one click ends it."""
    if _scheme(message.target) not in MAIL:
        return message.target
    headers = {"X-Quakestream-Key": message.key}
    if message.unsubscribe_url:
        headers |= {
            "List-Unsubscribe": f"<{message.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    mark = "&" if "?" in message.target else "?"
    return message.target + mark + "&".join(f"+{name}={quote(value, safe='')}" for name, value in headers.items())


CHANNEL = AppriseChannel
