"""Alerts, put together: registry, follower, delivery, and the file of subscriptions, where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from quakestream import channels, supervision
from quakestream.catalog.followers import Bell
from quakestream.catalog.sql import SqlCatalog
from quakestream.channels import Channel, ChannelContext, Kind
from quakestream.config import ConsumerSettings
from quakestream.errors import ConfigError, Rejected, Retryable
from quakestream.event import Mode
from quakestream.fence.compiling import compile_rows
from quakestream.subscriptions import file as subscriptions_file
from quakestream.subscriptions.addresses import Use, take_unasked
from quakestream.subscriptions.registry import Registry, Stored
from quakestream.subscriptions.subscription import ChannelTarget, Subscription
from quakestream.telling.composing import Composer
from quakestream.telling.delivery import Delivery, DeliverySettings
from quakestream.telling.follower import AlertFollower
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import Notification, Outbox, put

FILE_INTERVAL_S: Final = 5.0
REFUSED_AGAIN_S: Final = 60.0
"""How long a file that was refused and has not changed is not read again."""
SENDS_AT_ONCE: Final = (32, 256)
"""To one target, least and most: a third of a second's worth."""
HOUR_MS: Final = 3_600_000
TEST_EXPIRES_MS: Final = 600_000
QUESTION_EXPIRES_MS: Final = 7 * 24 * HOUR_MS

log = structlog.get_logger(__name__)


class Alerts:
    """Everything that tells people of earthquakes, for one instance."""

    def __init__(
        self, settings: ConsumerSettings, catalog: SqlCatalog, news: Bell, owner: str, now_ms: Callable[[], int]
    ) -> None:
        """`owner`: this instance's name among those that share the catalogue.

        Raises:
            ConfigError: a channel is not known, or the file of subscriptions is at fault.
        """
        self.registry = Registry(catalog, compile_rows, self.addresses)
        self.outbox = Outbox(catalog)
        self.delivery = made_delivery(settings, catalog, self.registry, owner, now_ms)
        self.channels = self.delivery.channels
        self.follower = AlertFollower(
            catalog,
            self.registry,
            self.channels,
            news,
            owner,
            now_ms,
            max_age_ms=round(settings.alert_max_age_h * HOUR_MS),
            on_put=self.delivery.nudge,
            expects=bool(settings.alerts_token.get_secret_value() or settings.subscriptions_file),
        )
        self._now_ms = now_ms
        self._file = Path(settings.subscriptions_file) if settings.subscriptions_file else None
        self._read_at: tuple[int, ...] | None = None
        """Which state of the file is applied."""
        self._refused: tuple[tuple[int, ...], str, float] | None = None
        """Which was refused, why, and until when that is taken for its answer."""
        self._stopping = threading.Event()
        self._watcher = supervision.Thread("subscriptions file", self._watch, self._stopping)
        if self._file is not None:
            try:
                self._read_file(self._file)
            except Rejected as error:
                raise ConfigError(f"Config validation error: SUBSCRIPTIONS_FILE {error}") from error
            except Retryable as error:
                log.warning("will try again", what="the file of subscriptions", reason=str(error))

    def start(self) -> None:
        """Begin."""
        self.delivery.start()
        self.follower.start()
        if self._file is not None:
            self._watcher.start()

    def stop(self, timeout_s: float) -> bool:
        """End in order; whether that was done in time."""
        self._stopping.set()
        stopped = self.follower.stop(timeout_s)
        stopped = self._watcher.join(timeout_s) and stopped
        return self.delivery.stop(timeout_s) and stopped

    def state(self) -> Mapping[str, Any]:
        """How it is, for the health page."""
        return self.follower.state()

    def check(self, subscription: Subscription) -> None:
        """Refuse a subscription whose channels or targets can't be.

        Raises:
            Rejected: with every channel at fault.
        """
        how = subscription.how
        wanted = [(f"how.channels[{n}]", one) for n, one in enumerate(how.channels)]
        if how.escalation is not None:
            wanted += [(f"how.escalation.channels[{n}]", one) for n, one in enumerate(how.escalation.channels)]
        words, faults = [], []
        for number, (at, one) in enumerate(wanted, 1):
            try:
                self._channel(one.channel).check(one.model_extra or {})
            except Rejected as error:
                words.append(f"channel {number} ({one.channel}): {error}")
                faults.append((at, str(error)))
        if faults:
            raise Rejected("; ".join(words), faults)

    def targets(self, subscription: Subscription, *, escalation: bool = True) -> list[tuple[str, str]]:
        """Channel and target of all whom it has told; with those to escalate to, or without."""
        how = subscription.how
        wanted = [*how.channels, *(how.escalation.channels if how.escalation and escalation else [])]
        return list(dict.fromkeys((one.channel, self._target(one)) for one in wanted))

    def _target(self, one: ChannelTarget) -> str:
        return self._channel(one.channel).target(one.model_extra or {})

    def addresses(self, subscription: Subscription) -> list[tuple[str, str]]:
        """Of its targets, those that must say yes before they are told anything."""
        return [pair for pair in self.targets(subscription) if self.channels[pair[0]].needs_yes(pair[1])]

    def put(self, subscription: Subscription, subscriber: str) -> Stored:
        """Add a subscription of the HTTP interface, or change it; its addresses are asked, each once.

        Raises:
            Rejected: as `check` does.
        """
        self.check(subscription)
        stored = self.registry.put(subscription, subscriber=subscriber, now_ms=self._now_ms())
        self._ask()
        return stored

    def end_for(self, id_: str, receiver: str) -> int:
        """One receiver, as `Registry.receiver` names it, wants no more of a subscription; nobody else loses it.

        It is taken out, and stays out. Without any other, the subscription ends; one of the file stays there, silent.
        Returns how many notifications to it were forgotten.
        """
        stored = self.registry.get(id_)
        if stored is None:
            return 0
        names = {self.registry.receiver(*pair): pair for pair in self.targets(stored.subscription())}
        if receiver not in names:
            return 0
        if stored.origin == "api" and names.keys() <= {receiver, *stored.ended.split()}:
            return self.forget([id_])
        use = Use(id_, *names[receiver])
        self.registry.end(use, self._without(use) if stored.origin == "api" else None, self._now_ms())
        return self.outbox.erase([id_], (use.channel, use.target))

    def _without(self, use: Use) -> Callable[[Subscription], Subscription]:
        """Takes a receiver out of a subscription; leaves it where none but one to escalate to would stay."""

        def others(listed: Sequence[ChannelTarget]) -> list[ChannelTarget]:
            return [one for one in listed if (one.channel, self._target(one)) != (use.channel, use.target)]

        def without(subscription: Subscription) -> Subscription:
            how = subscription.how
            channels, escalation = others(how.channels), how.escalation
            if not channels:
                return subscription
            if escalation is not None:
                later = others(escalation.channels)
                escalation = escalation.model_copy(update={"channels": later}) if later else None
            changed = how.model_copy(update={"channels": channels, "escalation": escalation})
            return subscription.model_copy(update={"how": changed})

        return without

    def _ask(self) -> None:
        """Ask every address that nobody has asked yet."""
        if not self.registry.addresses.any_unasked():
            return
        moment = self._now_ms()
        with self.outbox.writing() as connection:
            uses = take_unasked(connection, moment)
            put(connection, [_single(*use, "confirmation", "actual", Facts(), moment) for use in uses], moment)
        self.delivery.nudge()

    def tell(self, id_: str, channel: str, target: str, kind: Kind, mode: Mode, facts: Facts | None = None) -> str:
        """Queue one message of a subscription that is about no earthquake of the catalogue; its key."""
        moment = self._now_ms()
        key = self.outbox.put_one(_single(id_, channel, target, kind, mode, facts or Facts(), moment), moment)
        self.delivery.nudge()
        return key

    def forget(self, ids: Sequence[str]) -> int:
        """End subscriptions: what they asked for, and all that was told to them; how many notifications."""
        self.registry.remove(ids, self._now_ms())
        return self.outbox.erase(ids)

    def _channel(self, name: str) -> Channel:
        try:
            return self.channels[name]
        except KeyError:
            raise Rejected(f"no such channel here; there are {', '.join(sorted(self.channels))}") from None

    def _watch(self) -> None:
        """Apply the file whenever it has changed. Where that fails, what was applied before stays, and it is told."""
        worker = self._watcher.worker
        assert self._file is not None, "watched where there is one"  # noqa: S101
        assert worker is not None, "on its thread"  # noqa: S101
        told = ""
        while not self._stopping.wait(FILE_INTERVAL_S):
            try:
                self._read_file(self._file)
            except (Rejected, Retryable) as error:
                if told != str(error):
                    log.warning("could not read the subscriptions file; trying again", reason=str(error))
                    worker.failing(error)
                told = str(error)
            else:
                told = ""
                worker.well()

    def _read_file(self, path: Path) -> None:
        """Apply the file, unless it is as it was.

        Raises:
            Rejected: it is not right; it is looked at again when it changes, or after a while, for what is wrong may be
                elsewhere: a host that could not be resolved, a subscription of the same id over HTTP.
            Retryable: the database does not answer.
        """
        state = subscriptions_file.state(path)
        if self._read_at == state:
            return
        if self._refused is not None and self._refused[0] == state and time.monotonic() < self._refused[2]:
            raise Rejected(self._refused[1])
        try:
            wanted = subscriptions_file.read(path, self.check)
            changed, removed = subscriptions_file.sync(wanted, self.registry, self._now_ms())
        except Rejected as error:
            self._refused = (state, str(error), time.monotonic() + REFUSED_AGAIN_S)
            raise
        self._ask()
        self._read_at, self._refused = state, None
        log.info("read the file of subscriptions", subscriptions=len(wanted), changed=changed, removed=removed)


def made_delivery(
    settings: ConsumerSettings, catalog: SqlCatalog, registry: Registry, owner: str, now_ms: Callable[[], int]
) -> Delivery:
    """What sends the outbox's notifications, by the settings' channels; not started.

    Raises:
        ConfigError: a channel is not known.
    """
    made = _channels(settings, registry)
    composer = Composer(catalog, registry, made, settings.link_url(), now_ms)
    rate = settings.alert_target_rate
    at_once = min(SENDS_AT_ONCE[1], max(SENDS_AT_ONCE[0], round(rate / 3)))
    limits = DeliverySettings(target_sends=at_once, target_rate_per_s=rate, keep_days=settings.changes_retention_days)
    return Delivery(Outbox(catalog), made, composer, owner, now_ms, limits)


def _single(id_: str, channel: str, target: str, kind: Kind, mode: Mode, facts: Facts, now_ms: int) -> Notification:
    """One message that is about no earthquake of the catalogue."""
    return Notification(
        subscription=id_,
        earthquake="",
        revision=now_ms % 2**31,  # each press of the button is another message
        seq=0,
        kind=kind,
        mode=mode,
        channel=channel,
        target=target,
        priority=9,
        facts=msgspec.json.encode(facts),
        next_ms=now_ms,
        expires_ms=now_ms + (QUESTION_EXPIRES_MS if kind == "confirmation" else TEST_EXPIRES_MS),
    )


def _channels(settings: ConsumerSettings, registry: Registry) -> dict[str, Channel]:
    # RFC 8292 knows https: and mailto: alone.
    public = settings.public_url.startswith("https:")
    contact = settings.public_url if public else f"mailto:{settings.cap_sender}"
    context = ChannelContext(contact, registry.key, settings.alert_private_targets)
    try:
        return {name: channels.load(name).made(context) for name in settings.alert_channels.split(",")}
    except Rejected as error:
        raise ConfigError(f"Config validation error: ALERT_CHANNELS {error}") from error
