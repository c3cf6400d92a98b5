"""Delivery: workers that take what is due from the outbox, send it, and write down what became of it.

A thread of its own with an event loop, and one worker a channel, so a slow mail server holds up no webhook. Any number
of instances may work on one outbox: a lease says who has what. A worker that dies leaves leases that run out; what it
had is sent again with the same key.

A target that fails again and again is left alone for a while, and one has at most so many sends at once and a second.
What cannot go now goes back to the outbox, so what is waiting in memory is bounded, and severe goes before mild.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import structlog
import uvloop

from quakestream import supervision, telemetry, waits
from quakestream.backoff import pause_after
from quakestream.channels import Accepted, Channel, Message, Outcome, Refused, Retry
from quakestream.errors import Retryable
from quakestream.secrecy import redacted
from quakestream.telling.outbox import Leased, Outbox, Settled

LOOK_INTERVAL_S: Final = 0.5
"""How often the outbox is looked at for what other instances put in, or what is due again."""
FLUSH_INTERVAL_S: Final = 0.02
MAINTAIN_INTERVAL_S: Final = 5.0
COUNT_INTERVAL_S: Final = 60.0
FORGET_INTERVAL_S: Final = 60.0
PRUNE_STEP: Final = 1000
PRUNE_PAUSE_S: Final = 0.02
DAY_MS: Final = 86_400_000
FAILURES_BEFORE_PAUSE: Final = 5
MAX_BUSY: Final = 5000
"""Targets that are passed over in one look."""

PAUSE_FIRST_S: Final = 0.2
PAUSE_MOST_S: Final = 30.0
MAX_ASKED_S: Final = 3600.0
"""A receiver that asks for more time gets this."""
MAX_WHY: Final = 500
STOP_WAIT_S: Final = 2.0
"""How long what is on its way may take when it is time to stop."""
FORGET_AFTER_S: Final = 60.0
MAX_TARGETS: Final = 20_000
FORGET_STEP: Final = 4
"""Targets that are looked at for each new one beyond those: twice as many would be forgotten as come."""

OUTCOMES: Final = (Accepted, Retry, Refused)

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message, and the notifications that are settled by it; `why` not, where there is none."""

    of: Sequence[Leased]
    message: Message | None
    why: str = ""
    instead: Literal["superseded", "dead"] = "superseded"
    """What they are, without a message."""


Compose = Callable[[Sequence[Leased]], Sequence[Parcel]]
"""The messages of notifications of one channel, in their order. May block."""


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How hard to try, and how gently."""

    lease_ms: int = 60_000
    max_attempts: int = 12
    retry_first_s: float = 1.0
    retry_most_s: float = 300.0
    target_sends: int = 32
    """At once, to one target."""
    target_rate_per_s: float = 100.0
    """To one target, from one instance."""
    keep_days: float = 90.0
    """How long what was told is remembered."""


@dataclass(slots=True)
class _Target:
    """One target as this worker knows it."""

    name: str
    queue: deque[tuple[Parcel, float]] = field(default_factory=deque)
    """What is leased for it, with the moment until which it may be begun."""
    sends: int = 0
    failures: int = 0
    """In a row."""
    paused_until: float = 0.0
    tokens: float = 0.0
    filled_at: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Delivery:
    """Sends what the outbox holds, by these channels, until it is stopped."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        compose: Compose,
        owner: str,
        now_ms: Callable[[], int],
        settings: DeliverySettings | None = None,
    ) -> None:
        """`owner`: this instance's name, of its own among those that share the outbox."""
        self.outbox = outbox
        self.channels = channels
        self.compose = compose
        self.owner = owner
        self.now_ms = now_ms
        self.settings = settings or DeliverySettings()
        self.stopping = asyncio.Event()
        self._counted_s = self._forgot_s = -math.inf
        self._mine: str | None = owner
        """Whose leases are of an earlier life: this one's, until they were given back."""
        self._recovered = asyncio.Event()
        self._loop = uvloop.new_event_loop()
        self._database = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._workers = [_Worker(self, name, channel) for name, channel in channels.items()]
        self._over = threading.Event()
        self._thread = supervision.Thread("delivery", self._run, self._over)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def working(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.is_alive()

    def nudge(self) -> None:
        """Something was put in the outbox. Safe from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._wake)

    def stop(self, timeout_s: float) -> bool:
        """Let what is on its way arrive, give the rest back; whether that was done in time."""
        self._over.set()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.stopping.set)
            self._loop.call_soon_threadsafe(self._recovered.set)
            self._loop.call_soon_threadsafe(self._wake)
        in_time = self._thread.join(timeout_s)
        if in_time:
            self._loop.close()
            self._database.shutdown()
        return in_time

    async def database(self, work: Callable[[], T]) -> T:
        """Do what blocks, one after the other."""
        return await self._loop.run_in_executor(self._database, work)

    def _wake(self) -> None:
        for worker in self._workers:
            worker.wake.set()

    def _run(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        """One task a channel, and one for the upkeep: what one dies of, the others go on without."""
        working = [supervision.task("outbox upkeep", self._keep_up, stopping=self.stopping)]
        try:
            await self._recovered.wait()
            working += [supervision.task(one.label, one.run, stopping=self.stopping) for one in self._workers]
            await asyncio.gather(*working)
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)

    async def _keep_up(self) -> None:
        while not self.stopping.is_set():
            try:
                await self.database(functools.partial(self._maintain, self._mine))
                self._begin()
                await self._forget()
            except Retryable as error:
                log.warning("will try again", what="the outbox's upkeep", reason=str(error))
            except BaseException:
                self._begin()  # the leases of an earlier life run out by themselves
                raise
            pause_s = MAINTAIN_INTERVAL_S if self._mine is None else LOOK_INTERVAL_S
            await waits.is_set(self.stopping, pause_s)

    def _begin(self) -> None:
        """Let the workers lease: from now on what this owner has is of this life."""
        self._mine = None
        self._recovered.set()

    def _maintain(self, mine: str | None) -> None:
        """Recover what lost workers had, and what `mine` had in an earlier life; expire, forget, count."""
        now_ms = self.now_ms()
        if recovered := self.outbox.recover(now_ms, self.settings.max_attempts, mine):
            log.warning("sending again what a worker had not finished", notifications=recovered)
            self.nudge()
        if expired := self.outbox.expire(now_ms):
            log.warning("notifications expired unsent", notifications=expired)
        if mine is None and time.monotonic() - self._counted_s < COUNT_INTERVAL_S:
            return
        self._counted_s = time.monotonic()
        for state, count in self.outbox.counts().items():
            telemetry.NOTIFICATIONS.labels(state).set(count)

    async def _forget(self) -> None:
        """Forget all that is old, in steps between which workers have their turn: it keeps up with whatever comes."""
        if time.monotonic() - self._forgot_s < FORGET_INTERVAL_S:
            return
        now_ms = self.now_ms()
        before_ms = now_ms - round(self.settings.keep_days * DAY_MS)
        step = functools.partial(self.outbox.prune, before_ms, PRUNE_STEP, now_ms=now_ms)
        while await self.database(step) == PRUNE_STEP:
            if await waits.is_set(self.stopping, PRUNE_PAUSE_S):
                return
        self._forgot_s = time.monotonic()


class _Worker:
    """One channel's worker."""

    def __init__(self, delivery: Delivery, name: str, channel: Channel) -> None:
        if delivery.settings.lease_ms < 2000 * channel.timeout_s:
            raise ValueError(f"a lease of {delivery.settings.lease_ms} ms is too short for the channel {name}")
        self.wake = asyncio.Event()
        self.label = f"delivery by {name}"
        self._delivery = delivery
        self._settings = delivery.settings
        self._name = name
        self._channel = channel
        self._targets: OrderedDict[str, _Target] = OrderedDict()
        """In the order of their last use."""
        self._watched: dict[str, _Target] = {}
        """Those that may be passed over: with a pause, or much that waits."""
        self._ready: deque[_Target] = deque()
        """Targets that wait for room among all sends."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled: list[Settled] = []
        self._held = 0
        """Leased, and not settled yet."""
        self._most = max(8 * channel.max_sends, 16)
        self._deliveries = {kind: telemetry.DELIVERIES.labels(name, kind.__name__.lower()) for kind in OUTCOMES}
        self._seconds = telemetry.DELIVERY_SECONDS.labels(name)

    async def run(self) -> None:
        """Work until it is time to stop."""
        failures = 0
        health = supervision.PROCESS.worker(self.label)
        try:
            await self._channel.open()
            while not self._delivery.stopping.is_set():
                try:
                    await self._turn()
                    failures = 0
                    health.well()
                except Exception as error:
                    failures += 1
                    wait_s = pause_after(failures, LOOK_INTERVAL_S, MAINTAIN_INTERVAL_S)
                    if isinstance(error, Retryable):
                        log.warning("will try again", what=f"deliver by {self._name}", wait_s=wait_s, reason=str(error))
                    else:  # it goes on at once: what is on its way must be written down before its lease runs out
                        log.exception(
                            "delivery failed, and will try again", channel=self._name, wait_s=wait_s, error=repr(error)
                        )
                        health.failing(error)
                    await asyncio.sleep(wait_s)
            await self._finish()
        finally:
            health.gone()
            await self._channel.close()

    async def _turn(self) -> None:
        """Write down what is settled, take what is due, and wait until there is something to do."""
        self.wake.clear()
        room = self._most - self._held
        # not for a few: a transaction costs the same for one as for hundreds, and settling goes on without
        limit = room if room >= self._most // 4 else 0
        leased = await self._exchange(limit)
        if len(leased) == limit > 0:  # there may be more: look again at once, after the sends have had a turn
            await asyncio.sleep(0)
            return
        await waits.is_set(self.wake, FLUSH_INTERVAL_S if self._held else LOOK_INTERVAL_S)

    async def _exchange(self, limit: int) -> Sequence[Leased]:
        """One transaction with the outbox, and the messages of what it gave."""
        settled, self._settled = self._settled, []
        busy = self._busy()
        delivery = self._delivery

        def work() -> tuple[list[Leased], Sequence[Parcel], Exception | None]:
            leased = delivery.outbox.turn(
                self._name,
                delivery.owner,
                settled,
                limit,
                now_ms=delivery.now_ms(),
                lease_ms=self._settings.lease_ms,
                busy=busy,
            )
            try:
                return leased, self._composed(leased) if leased else (), None
            except Exception as error:  # noqa: BLE001 - raised below, when what was leased has been given back
                return leased, (), error

        # who begins a send later might still send when the lease has run out, and another worker sends it as well
        begin_by = time.monotonic() + self._settings.lease_ms / 1000 - self._channel.timeout_s
        try:
            leased, parcels, failed = await delivery.database(work)
        except Exception:  # it may be committed or not: settling once more changes nothing that is settled
            self._settled = settled + self._settled
            raise
        self._held += len(leased) - len(settled)
        if failed is not None:
            self._give_back(leased)
            raise failed
        touched: dict[str, _Target] = {}
        for parcel in parcels:
            if parcel.message is None:
                self._settled += [Settled(one.notification, parcel.instead, parcel.why) for one in parcel.of]
                continue
            target = touched[parcel.message.target] = self._target(parcel.message.target)
            target.queue.append((parcel, begin_by))
        for name, target in touched.items():
            if self._is_busy(target):
                self._watched[name] = target
            while len(target.queue) > self._backlog:  # the last ones, so that the order stays
                self._give_back(target.queue.pop()[0].of)
            self._pump(target)
        return leased

    def _composed(self, leased: Sequence[Leased]) -> list[Parcel]:
        """The messages. One that can't be written, by whatever fault of ours, must not hold up the others."""
        try:
            return list(self._delivery.compose(leased))
        except (Retryable, MemoryError):  # no fault of the message
            raise
        except Exception as error:
            log.exception("messages could not be written", channel=self._name, keys=[one.key for one in leased][:10])
            if len(leased) > 1:
                return [parcel for one in leased for parcel in self._composed([one])]
            why = redacted(f"it could not be written: {type(error).__name__}: {error}")[:MAX_WHY]
            return [Parcel(leased, None, why, "dead")]

    @property
    def _backlog(self) -> int:
        """How many may wait here for one target: those behind it must not take all the room."""
        return max(1, min(4 * self._settings.target_sends, int(10 * self._settings.target_rate_per_s)))

    def _busy(self) -> list[str]:
        """Targets that get nothing more now."""
        self._watched = {name: target for name, target in self._watched.items() if self._is_busy(target)}
        return list(itertools.islice(self._watched, MAX_BUSY))

    def _is_busy(self, target: _Target) -> bool:
        return target.paused_until > time.monotonic() or len(target.queue) > self._backlog // 2

    def _target(self, name: str) -> _Target:
        target = self._targets.get(name)
        if target is None:
            self._forget()
            target = self._targets[name] = _Target(name, tokens=max(1.0, self._settings.target_rate_per_s))
        self._targets.move_to_end(name)
        return target

    def _forget(self) -> None:
        """Make room for one more: those that were not used for longest are looked at, a few at a time."""
        then = time.monotonic() - FORGET_AFTER_S
        for name in list(itertools.islice(self._targets, FORGET_STEP)) if len(self._targets) > MAX_TARGETS else ():
            target = self._targets[name]
            if not target.queue and not target.sends and max(target.filled_at, target.paused_until) < then:
                del self._targets[name]
            else:
                self._targets.move_to_end(name)

    def _pump(self, target: _Target) -> None:
        """Begin as many of a target's sends as may be begun now."""
        now = time.monotonic()
        while target.queue and target.sends < self._settings.target_sends:
            if target.paused_until > now:
                while target.queue:
                    self._give_back(target.queue.popleft()[0].of)
                return
            if len(self._tasks) >= self._channel.max_sends:
                self._ready.append(target)
                return
            wait_s = self._take_token(target, now)
            if wait_s > 0:
                if target.timer is None:
                    target.timer = asyncio.get_running_loop().call_later(wait_s, self._ring, target)
                return
            parcel, begin_by = target.queue.popleft()
            if now > begin_by:
                self._give_back(parcel.of)
                continue
            target.sends += 1
            task = supervision.once("delivery send", self._send(target, parcel))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(functools.partial(self._go_on, target))  # in this order: it makes room

    def _ring(self, target: _Target) -> None:
        target.timer = None
        self._pump(target)

    def _take_token(self, target: _Target, now: float) -> float:
        """0, or how many seconds until one may go."""
        rate = self._settings.target_rate_per_s
        target.tokens = min(max(rate, 1.0), target.tokens + (now - target.filled_at) * rate)
        target.filled_at = now
        if target.tokens < 1.0:
            return (1.0 - target.tokens) / rate
        target.tokens -= 1.0
        return 0.0

    async def _send(self, target: _Target, parcel: Parcel) -> None:
        assert parcel.message is not None, "what is queued is to be sent"  # noqa: S101
        try:
            outcome = await self._channel.send(parcel.message)
        except asyncio.CancelledError:
            outcome = Retry("stopped while it was sent")
        except BaseException as error:  # one message's fault must not stop the others
            log.exception("a channel failed", channel=self._name)
            outcome = Retry(f"{type(error).__name__}: {error}")
        target.sends -= 1
        self._learn(target, outcome)
        self._settled += [self._judge(one, outcome) for one in parcel.of]
        if len(self._settled) >= self._most // 4:
            self.wake.set()

    def _go_on(self, target: _Target, _ended: asyncio.Task[None]) -> None:
        self._ready.append(target)
        while self._ready and len(self._tasks) < self._channel.max_sends:
            self._pump(self._ready.popleft())

    def _learn(self, target: _Target, outcome: Outcome) -> None:
        """Leave a target alone for a while that fails, or asks for it."""
        self._deliveries[type(outcome)].inc()
        if not isinstance(outcome, Retry):
            target.failures = 0
            return
        target.failures += 1
        asked_s = min(outcome.after_s or 0.0, MAX_ASKED_S)
        pause_s = pause_after(target.failures - FAILURES_BEFORE_PAUSE + 1, PAUSE_FIRST_S, PAUSE_MOST_S)
        target.paused_until = max(target.paused_until, time.monotonic() + max(pause_s, asked_s))
        self._watched[target.name] = target

    def _judge(self, one: Leased, outcome: Outcome) -> Settled:
        """What an outcome makes of a notification."""
        now_ms = self._delivery.now_ms()
        if isinstance(outcome, Accepted):
            self._seconds.observe(max(now_ms - one.created_ms, 0) / 1000)
            return Settled(one.notification, "accepted" if outcome.by_receiver else "sent")
        if isinstance(outcome, Refused):
            return Settled(one.notification, "dead", redacted(outcome.why)[:MAX_WHY])
        if one.attempts >= self._settings.max_attempts:
            why = f"{one.attempts} attempts; {outcome.why}"
            return Settled(one.notification, "dead", redacted(why)[:MAX_WHY], outcome.maybe_told)
        wait_s = pause_after(one.attempts, self._settings.retry_first_s, self._settings.retry_most_s)
        wait_s = max(wait_s * random.uniform(0.5, 1.0), min(outcome.after_s or 0.0, MAX_ASKED_S))
        next_ms, why = now_ms + round(wait_s * 1000), redacted(outcome.why)[:MAX_WHY]
        return Settled(one.notification, "queued", why, outcome.maybe_told, next_ms, at_ms=now_ms)

    def _give_back(self, leased: Sequence[Leased]) -> None:
        now_ms = self._delivery.now_ms()
        self._settled += [
            Settled(one.notification, "queued", next_ms=now_ms, tried=False, at_ms=now_ms) for one in leased
        ]

    async def _finish(self) -> None:
        """Let what is on its way arrive, for a while, and give everything back."""
        for target in self._targets.values():
            if target.timer is not None:
                target.timer.cancel()
            while target.queue:
                self._give_back(target.queue.popleft()[0].of)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=STOP_WAIT_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        with contextlib.suppress(Retryable):  # the leases run out by themselves
            await self._exchange(0)
