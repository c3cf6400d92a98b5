"""The console: messages as text on standard output, for trying things out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Self, TextIO

from quakestream.channels import Accepted, Channel, ChannelContext, Message, Outcome
from quakestream.errors import Rejected


class ConsoleChannel(Channel):
    """No fields."""

    name = "console"
    max_sends = 1

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    @classmethod
    def made(cls, context: ChannelContext) -> Self:  # noqa: ARG003 - it needs nothing
        return cls()

    def target(self, fields: Mapping[str, Any]) -> str:  # noqa: ARG002 - there is one console
        return "console"

    def check(self, fields: Mapping[str, Any]) -> None:
        if fields.keys() - {"channel"}:
            raise Rejected("the console has no fields")

    async def _send(self, message: Message) -> Outcome:
        print(f"--- {message.title} [{message.key}]\n{message.text}\n", file=self._stream, flush=True)
        return Accepted(by_receiver=True)


CHANNEL = ConsoleChannel
