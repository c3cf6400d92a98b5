"""Web Push to browsers: encrypted as RFC 8291 says, with our key as RFC 8292 (VAPID) says.

A push service keeps the message for the browser until it expires; a newer one of the same earthquake takes the place of
one that was not fetched yet (`Topic`). 404 and 410 say that the browser has left.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import msgspec

from quakestream import late
from quakestream.channels import SEND_TIMEOUT_S, Accepted, ChannelContext, Message, Outcome, Refused, Retry
from quakestream.channels.posting import PostingChannel, check_url
from quakestream.errors import Rejected

if TYPE_CHECKING:
    import http_ece
    import py_vapid
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
else:  # 8 MB, for who has subscribers in browsers
    http_ece = late.module("http_ece")
    py_vapid = late.module("py_vapid")
    serialization = late.module("cryptography.hazmat.primitives.serialization")
    ec = late.module("cryptography.hazmat.primitives.asymmetric.ec")

MAX_TEXT_BYTES: Final = 2000
"""A push service takes some 4 kB, in whatever script."""
GONE: Final = frozenset([404, 410])
TOKEN_HOURS: Final = 12
KEY_LENGTHS: Final = (65, 16)


class Browser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a browser is to be reached: what `PushSubscription.toJSON()` gives, flattened."""

    endpoint: str
    p256dh: str
    auth: str


class WebPushChannel(PostingChannel):
    """Fields: `subscription`, as the browser's `PushSubscription.toJSON()` gives it."""

    name = "webpush"
    max_sends = 64

    def __init__(
        self,
        key: bytes | Callable[[], bytes],
        contact: str,
        *,
        allow_private: bool = False,
        timeout_s: float = SEND_TIMEOUT_S,
    ) -> None:
        """`key`: as `new_key` makes it, or what gives it when it is first needed.

        `contact`: `mailto:…` or `https:…`, for the push services.
        """
        super().__init__(allow_private=allow_private, timeout_s=timeout_s)
        self._key = key
        self._contact = contact
        self._tokens: dict[str, tuple[float, str]] = {}

    @classmethod
    def made(cls, context: ChannelContext) -> Self:
        key = functools.partial(context.key, "vapid", new_key)
        return cls(key, context.contact, allow_private=context.allow_private)

    @functools.cached_property
    def _vapid(self) -> py_vapid.Vapid02:
        return py_vapid.Vapid02.from_pem(self._key if isinstance(self._key, bytes) else self._key())

    @property
    def public_key(self) -> str:
        """What a browser needs to subscribe (`applicationServerKey`), base64url."""
        point = self._vapid.public_key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return _base64url(point)

    def target(self, fields: Mapping[str, Any]) -> str:
        given = fields["subscription"]
        browser = Browser(given["endpoint"], given["keys"]["p256dh"], given["keys"]["auth"])
        return msgspec.json.encode(browser).decode()

    def check(self, fields: Mapping[str, Any]) -> None:
        if fields.keys() - {"channel", "subscription"}:
            raise Rejected("subscription is the only field")
        try:
            browser = msgspec.json.decode(self.target(fields), type=Browser)
            lengths = (len(_bytes(browser.p256dh)), len(_bytes(browser.auth)))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise Rejected("subscription: `{endpoint, keys: {p256dh, auth}}` is wanted") from error
        if lengths != KEY_LENGTHS:
            raise Rejected("subscription: its keys are 65 and 16 bytes, base64url")
        check_url(browser.endpoint, allow_private=self.allow_private)

    async def _send(self, message: Message) -> Outcome:
        browser = msgspec.json.decode(message.target, type=Browser)
        shown = {
            "key": message.key,
            "kind": message.kind,
            "mode": message.mode,
            "title": message.title,
            "body": message.text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore"),
            "tag": message.subject or message.key,
            "earthquake": message.subject,
            "image": message.picture,
        }
        body = http_ece.encrypt(
            msgspec.json.encode(shown),
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=_bytes(browser.p256dh),
            auth_secret=_bytes(browser.auth),
            version="aes128gcm",
        )
        now = time.time()
        headers = [
            "content-encoding: aes128gcm",
            "content-type: application/octet-stream",
            f"ttl: {max(0, round(message.expires_ms / 1000 - now))}",
            f"urgency: {'high' if message.priority <= 4 else 'normal'}",
            f"topic: {_topic(message)}",
            f"authorization: {self._token(browser.endpoint, now)}",
        ]
        answer = await self.post(browser.endpoint, body, headers)
        if 200 <= answer.status < 300:
            return Accepted(by_receiver=False)
        if answer.status in GONE:
            return Refused(f"the browser has left (answer {answer.status})")
        if answer.status in {400, 413}:
            return Refused(f"answer {answer.status} {answer.text}")
        if answer.status == 0:
            return answer.failure()
        return Retry(f"answer {answer.status} {answer.text}", answer.retry_after_s, maybe_told=answer.status >= 500)

    def _token(self, endpoint: str, now: float) -> str:
        """The header that says who we are to a push service, good for some hours."""
        parts = urlsplit(endpoint)
        audience = f"{parts.scheme}://{parts.netloc}"
        ends, token = self._tokens.get(audience, (0.0, ""))
        if ends - now < 3600:
            ends = now + TOKEN_HOURS * 3600
            claims = {"aud": audience, "sub": self._contact, "exp": int(ends)}
            token = str(self._vapid.sign(claims)["Authorization"])
            if len(self._tokens) > 1000:
                self._tokens.clear()
            self._tokens[audience] = (ends, token)
        return token


def new_key() -> bytes:
    """A key pair for VAPID, as PEM."""
    vapid = py_vapid.Vapid02()
    vapid.generate_keys()
    return bytes(vapid.private_pem())


def _topic(message: Message) -> str:
    """32 characters at most, the same for all that is said of an earthquake to one browser."""
    return _base64url(hashlib.blake2b((message.subject or message.key).encode(), digest_size=16).digest())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


CHANNEL = WebPushChannel
