from __future__ import annotations

import asyncio

import pytest

from quakestream import waits


def test_says_whether_it_was_set() -> None:
    async def both() -> tuple[bool, bool]:
        event = asyncio.Event()
        before = await waits.is_set(event, 0.01)
        asyncio.get_running_loop().call_soon(event.set)
        return before, await waits.is_set(event, 10)

    assert asyncio.run(both()) == (False, True)


@pytest.mark.parametrize("turns", range(4))
def test_a_cancellation_is_not_lost_in_the_moment_in_which_it_is_set(turns: int) -> None:
    async def cancelled() -> None:
        event = asyncio.Event()
        task = asyncio.create_task(waits.is_set(event, 10))
        await asyncio.sleep(0)
        event.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():  # else it has ended already
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
