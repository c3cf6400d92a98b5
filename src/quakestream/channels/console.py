"""The console: messages as text on standard output, for trying things out."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from typing import Any, Self, TextIO

from quakestream import output, telemetry
from quakestream.channels import Accepted, Channel, ChannelContext, Message, Outcome, Retry
from quakestream.errors import Rejected


class ConsoleChannel(Channel):
    """No fields."""

    name = "console"
    max_sends = 1

    def __init__(self, stream: TextIO | None = None) -> None:
        self._output = output.shared(stream or sys.stdout)

    @classmethod
    def made(cls, context: ChannelContext) -> Self:  # noqa: ARG003 - it needs nothing
        return cls()

    def target(self, fields: Mapping[str, Any]) -> str:  # noqa: ARG002 - there is one console
        return "console"

    def check(self, fields: Mapping[str, Any]) -> None:
        if fields.keys() - {"channel"}:
            raise Rejected("the console has no fields")

    async def _send(self, message: Message) -> Outcome:
        loop = asyncio.get_running_loop()
        printed: asyncio.Future[bool] = loop.create_future()
        text = f"--- {message.title} [{message.key}]\n{message.text}\n\n"

        def tell(done: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_tell, printed, done)

        if not self._output.write(text, tell):
            telemetry.LINES_DROPPED.labels("console").inc()
            return Retry("nobody reads the console", maybe_told=False)
        try:
            async with asyncio.timeout(self.timeout_s):
                done = await printed
        except TimeoutError:
            return Retry("nobody reads the console")
        if not done:
            telemetry.LINES_DROPPED.labels("console").inc()
            return Retry("nobody reads the console any more", maybe_told=False)
        return Accepted(by_receiver=True)


def _tell(printed: asyncio.Future[bool], done: bool) -> None:
    if not printed.done():
        printed.set_result(done)


CHANNEL = ConsoleChannel
