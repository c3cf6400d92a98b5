"""Safeguards that can be switched off, so that it is seen that the harness sees it: negative controls.

Only the harness's own launcher reads this; the product knows nothing of it. A safeguard that is written otherwise than
here is looked for in vain, and says so.
"""

# Each program imports what it is made of, and no more

from __future__ import annotations

import asyncio
import inspect
import os
import secrets
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Control:
    """A safeguard: in which programs it is, which promise breaks without it, by which faults that is brought about."""

    programs: tuple[str, ...]
    promise: str
    faults: tuple[str, ...]
    switch_off: Callable[[str], None]
    events: int = 1500
    """How many it takes to be seen."""


def rewrite(owner: Any, name: str, before: str, after: str) -> None:
    """Put other words into a function."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert before in source, f"{name} is written otherwise: {before!r} is not in it"
    made: dict[str, Any] = {}
    exec(source.replace(before, after), function.__globals__, made)  # noqa: S102 - our own words
    setattr(owner, name, made[name])


_tasks: set[asyncio.Task[None]] = set()


def _acknowledge_early(_: str) -> None:
    from quakestream.service.publisher import Publisher

    real = Publisher.publish

    async def publish(self: Publisher, *args: Any, **more: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(1)
            await real(self, *args, **more)

        task = asyncio.create_task(later())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    Publisher.publish = publish  # type: ignore[method-assign]


def _do_not_know_again(program: str) -> None:
    if program == "earthquake-service":
        from quakestream.service.posts import Posts

        again = "await self._publisher.publish(LABEL, fresh)"
        rewrite(Posts, "_publish", again, f"{again}; {again}")
    else:
        from quakestream.event import EarthquakeEvent

        EarthquakeEvent.content_hash = lambda _: secrets.token_bytes(16)  # type: ignore[method-assign]


def _older_wins(_: str) -> None:
    from quakestream.catalog.plan import Plan

    rewrite(Plan, "_add", "elif revision < report.revision:", "elif False:")


def _resume_one_later(_: str) -> None:
    from quakestream.push.routes import _Push

    rewrite(_Push, "_after", "return _Beginning(seq)", "return _Beginning(seq + 1)")


def _resume_one_earlier(_: str) -> None:
    from quakestream.push.routes import _Push

    rewrite(_Push, "_after", "return _Beginning(seq)", "return _Beginning(max(seq - 1, 0))")


def _invent(_: str) -> None:
    from quakestream.service.posts import Posts

    more = "[*fresh, msgspec.structs.replace(fresh[0], updated_ms=(fresh[0].updated_ms or 0) + 1000)]"
    rewrite(
        Posts,
        "_publish",
        "await self._publisher.publish(LABEL, fresh)",
        f"await self._publisher.publish(LABEL, {more})",
    )


def _new_key_each_time(_: str) -> None:
    from quakestream.channels.webhook import WebhookChannel

    rewrite(WebhookChannel, "_send", "{message.key}", "{message.key}{time.time_ns()}")


def _say_nothing(_: str) -> None:
    from quakestream.consumer.pipeline import Pipeline

    Pipeline._note = lambda *_, **__: None  # type: ignore[method-assign]


def _come_back_late(_: str) -> None:
    if os.environ.get("QUAKESTREAM_FAULTS_STARTS", "0") != "0":
        time.sleep(20)


def _set_aside_for_ever(_: str) -> None:
    from quakestream.consumer.pipeline import Pipeline

    Pipeline._is_one_too_many = lambda *_: False  # type: ignore[method-assign]


def _read_nothing(_: str) -> None:
    """Not a safeguard: a release that can read nothing."""
    from quakestream.consumer import pipeline
    from quakestream.errors import Rejected

    def decode(*_: Any, **__: Any) -> Any:
        raise Rejected("this release reads nothing")

    pipeline.decode = decode  # type: ignore[assignment]


SERVICE, CONSUMER, TOOL = "earthquake-service", "earthquake-consumer", "quakestream"
BAD_RELEASE: Final = "bad-release"
CONTROLS: Final = {
    "acknowledge-early": Control((SERVICE,), "lost", ("service-killed",), _acknowledge_early),
    "not-known-again": Control((SERVICE, CONSUMER), "doubled", ("service-killed",), _do_not_know_again),
    "older-wins": Control((CONSUMER,), "order", ("consumer-killed",), _older_wins),
    "resume-one-later": Control((CONSUMER,), "feed", ("consumer-killed",), _resume_one_later),
    "resume-one-earlier": Control((CONSUMER,), "feed", ("consumer-killed",), _resume_one_earlier),
    "invent": Control((SERVICE,), "invented", ("service-killed",), _invent),
    "new-key-each-time": Control((CONSUMER, TOOL), "told", ("deliver-killed",), _new_key_each_time, 4000),
    "say-nothing": Control((CONSUMER,), "seen", ("catalogue-locked",), _say_nothing),
    "come-back-late": Control((SERVICE,), "recovery", ("service-killed",), _come_back_late),
    "set-aside-for-ever": Control((CONSUMER,), "set-aside", ("bad-release",), _set_aside_for_ever),
}


def switch_off(program: str, switches: Sequence[str]) -> None:
    """Switch these off, as far as they are in this program."""
    for switch in switches:
        if switch == BAD_RELEASE:
            _read_nothing(program)
        elif program in CONTROLS[switch].programs:
            CONTROLS[switch].switch_off(program)
            print(f"switched off: {switch}", file=sys.stderr, flush=True)
