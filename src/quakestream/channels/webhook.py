"""Webhooks: a CloudEvents 1.0 body (structured JSON), signed as https://www.standardwebhooks.com says.

A receiver checks `webhook-signature` with its secret, drops what it has seen by `webhook-id`, and answers 2xx. 429 and
503 are asked again when `Retry-After` says; what it says of the message itself (400, 410, 413, 415, 422) is final.
"""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Mapping
from typing import Any, Final, Self

from standardwebhooks.webhooks import Webhook

from quakestream.channels import (
    SEND_TIMEOUT_S,
    Accepted,
    ChannelContext,
    Message,
    Outcome,
    Refused,
    Retry,
    text_field,
)
from quakestream.channels.posting import PostingChannel, PostOutcome, check_url
from quakestream.errors import Rejected
from quakestream.event import iso_time

FINAL: Final = frozenset([400, 410, 413, 415, 422])
NOT_TAKEN: Final = frozenset([401, 403, 404, 405, 408, 425, 429, 503])
"""Answers by which it surely was not taken."""
MIN_SECRET, MAX_SECRET = 24, 64
_CONTENT_TYPE: Final = "content-type: application/cloudevents+json; charset=utf-8"


class WebhookChannel(PostingChannel):
    """Fields: `url`, and a `secret` where the receiver has one already (`whsec_…`); else one is made for it."""

    name = "webhook"
    max_sends = 256

    def __init__(self, *, allow_private: bool = False, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """`allow_private`: also to this machine and its network."""
        super().__init__(allow_private=allow_private, timeout_s=timeout_s)
        self._signers: dict[str, Webhook] = {}

    @classmethod
    def made(cls, context: ChannelContext) -> Self:
        return cls(allow_private=context.allow_private)

    def target(self, fields: Mapping[str, Any]) -> str:
        return str(fields["url"]).strip()

    def check(self, fields: Mapping[str, Any]) -> None:
        check_url(text_field(fields, "url", ("url", "secret")), allow_private=self.allow_private)
        if "secret" in fields:
            secret = text_field(fields, "secret", ("url", "secret"))
            try:
                key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
            except ValueError as error:
                raise Rejected("secret: `whsec_` and base64") from error
            if not secret.startswith("whsec_") or not MIN_SECRET <= len(key) <= MAX_SECRET:
                raise Rejected(f"secret: `whsec_` and {MIN_SECRET} to {MAX_SECRET} bytes as base64")

    async def _send(self, message: Message) -> Outcome:
        body = cloudevent(message)
        moment = int(time.time())
        headers = [
            _CONTENT_TYPE,
            f"webhook-id: {message.key}",
            f"webhook-timestamp: {moment}",
            f"webhook-signature: {self._signature(message, moment, body)}",
        ]
        return outcome(await self.post(message.target, body, headers))

    def _signature(self, message: Message, moment: int, body: bytes) -> str:
        signer = self._signers.get(message.secret)
        if signer is None:
            if len(self._signers) > 10_000:
                self._signers.clear()
            signer = self._signers[message.secret] = Webhook(message.secret)
        return signer.sign(message.key, dt.datetime.fromtimestamp(moment, dt.UTC), body.decode())


def cloudevent(message: Message) -> bytes:
    """The message as a CloudEvent; its `id` is the message's key, its `data` the message's data."""
    kind, time = message.kind.encode(), iso_time(message.time_ms).encode()
    return (
        b'{"specversion":"1.0","id":"%s","source":"/quakestream/alerts","type":"org.quakestream.%s",'
        b'"subject":"%s","time":"%s","datacontenttype":"application/json","data":%s}'
        % (message.key.encode(), kind, message.subject.encode(), time, message.data)
    )


def outcome(answer: PostOutcome) -> Outcome:
    """What an answer means."""
    if 200 <= answer.status < 300:
        return Accepted(by_receiver=True)
    if answer.status == 0:
        return answer.failure()
    why = f"answer {answer.status} {answer.text}".strip()
    if answer.status in FINAL:
        return Refused(why)
    if 300 <= answer.status < 400:
        return Retry(f"{why}: redirects are not followed", maybe_told=False)
    return Retry(why, answer.retry_after_s, maybe_told=answer.status not in NOT_TAKEN)


CHANNEL = WebhookChannel
