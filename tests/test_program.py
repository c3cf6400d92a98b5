"""How a program ends, and what it says of it."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from quakestream import program
from quakestream.errors import Fatal


async def refused() -> None:
    try:
        int("the broker's words")
    except ValueError as error:
        raise Fatal("the topic may not be read") from error


async def broken() -> None:
    raise ValueError("nobody thought of it")


def test_what_was_expected_to_be_fatal_is_one_line_without_a_trace() -> None:
    async def run() -> int:
        return await program.exit_code(program.until(asyncio.Event(), asyncio.ensure_future(refused())))  # type: ignore[arg-type]

    with capture_logs() as lines:
        assert asyncio.run(run()) == 1
    (line,) = lines
    assert line["event"] == "the topic may not be read"
    assert not line.get("exc_info")


def test_what_nobody_expected_has_its_trace() -> None:
    async def run() -> int:
        return await program.exit_code(program.until(asyncio.Event(), asyncio.ensure_future(broken())))  # type: ignore[arg-type]

    with capture_logs() as lines:
        assert asyncio.run(run()) == 1
    assert isinstance(lines[0]["exc_info"], ValueError)
