"""What tests of channels share: a message, and a way to send it."""

import asyncio
from typing import Any

from quakestream.channels import Channel, Message, Outcome

NOW_MS = 1_700_000_000_000


def message(**fields: Any) -> Message:
    values: dict[str, Any] = {
        "key": "ntf_1",
        "kind": "alert",
        "mode": "actual",
        "asked": ("actual",),
        "target": "https://example.org/",
        "title": "M 5.6 earthquake, somewhere",
        "text": "Expected shaking at home: IV.\nAutomatic information, not an official warning.",
        "data": b'{"kind":"alert"}',
        "subject": "eq_1",
        "time_ms": NOW_MS,
        "expires_ms": NOW_MS + 10_000_000_000_000,
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    return Message(**(values | fields))


def send(channel: Channel, *messages: Message) -> list[Outcome]:
    async def work() -> list[Outcome]:
        await channel.open()
        try:
            return [await channel.send(one) for one in messages]
        finally:
            await channel.close()

    return asyncio.run(work())
