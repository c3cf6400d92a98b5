"""Alerts, put together: registry, follower, delivery, and the file of subscriptions, where there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from quakestream import channels
from quakestream.alerts import subscriptions_file
from quakestream.alerts.compiling import compile_rows
from quakestream.alerts.composing import Composer
from quakestream.alerts.delivery import Delivery, DeliverySettings
from quakestream.alerts.follower import AlertFollower
from quakestream.alerts.messages import Facts
from quakestream.alerts.outbox import Notification, Outbox
from quakestream.alerts.registry import Registry
from quakestream.alerts.subscription import Subscription
from quakestream.catalog.followers import News
from quakestream.catalog.sql import SqlCatalog
from quakestream.channels import Channel, ChannelContext, Kind
from quakestream.config import ConsumerSettings
from quakestream.errors import ConfigError, QuakestreamError, Rejected
from quakestream.event import Mode

FILE_INTERVAL_S: Final = 5.0
HOUR_MS: Final = 3_600_000
TEST_EXPIRES_MS: Final = 600_000
QUESTION_EXPIRES_MS: Final = 7 * 24 * HOUR_MS

log = structlog.get_logger(__name__)


class Alerts:
    """Everything that tells people of earthquakes, for one instance."""

    def __init__(
        self, settings: ConsumerSettings, catalog: SqlCatalog, news: News, owner: str, now_ms: Callable[[], int]
    ) -> None:
        """`owner`: this instance's name among those that share the catalogue.

        Raises:
            ConfigError: a channel is not known, or the file of subscriptions is at fault.
        """
        self.registry = Registry(catalog, compile_rows)
        self.outbox = Outbox(catalog)
        self.public_url = settings.public_url
        self.channels = _channels(settings, self.registry)
        composer = Composer(catalog, self.registry, self.channels, settings.public_url, now_ms)
        rate = DeliverySettings(target_rate_per_s=settings.alert_target_rate, keep_days=settings.changes_retention_days)
        self.delivery = Delivery(self.outbox, self.channels, composer, owner, now_ms, rate)
        self.follower = AlertFollower(
            catalog,
            self.registry,
            self.channels,
            news,
            owner,
            now_ms,
            max_age_ms=round(settings.alert_max_age_h * HOUR_MS),
            on_put=self.delivery.nudge,
        )
        self._now_ms = now_ms
        self._file = Path(settings.subscriptions_file) if settings.subscriptions_file else None
        self._read_at: tuple[int, int] | None = None
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="subscriptions file", daemon=True)
        if self._file is not None:
            try:
                self._read_file(self._file)
            except Rejected as error:
                raise ConfigError(f"Config validation error: SUBSCRIPTIONS_FILE {error}") from error

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

    def targets(self, subscription: Subscription) -> list[tuple[str, str]]:
        """Channel and target of all whom it has told."""
        how = subscription.how
        wanted = [*how.channels, *(how.escalation.channels if how.escalation else [])]
        pairs = ((one.channel, self._channel(one.channel).target(one.model_extra or {})) for one in wanted)
        return list(dict.fromkeys(pairs))

    def tell(self, id_: str, channel: str, target: str, kind: Kind, mode: Mode, facts: Facts | None = None) -> str:
        """Queue one message of a subscription that is about no earthquake of the catalogue; its key."""
        moment = self._now_ms()
        one = Notification(
            subscription=id_,
            earthquake="",
            revision=moment % 2**31,  # each press of the button is another message
            seq=0,
            kind=kind,
            mode=mode,
            channel=channel,
            target=target,
            priority=9,
            facts=msgspec.json.encode(facts or Facts()),
            next_ms=moment,
            expires_ms=moment + (QUESTION_EXPIRES_MS if kind == "confirmation" else TEST_EXPIRES_MS),
        )
        key = self.outbox.put_one(one, moment)
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
        while not self._stopping.wait(FILE_INTERVAL_S):
            try:
                assert self._file is not None, "watched where there is one"  # noqa: S101
                self._read_file(self._file)
            except QuakestreamError as error:  # what was read before stays
                log.warning("the file of subscriptions was not read", reason=str(error))

    def _read_file(self, path: Path) -> None:
        try:
            stat = path.stat()
        except OSError as error:
            raise Rejected(f"{path}: {error.strerror}") from error
        if self._read_at == (stat.st_mtime_ns, stat.st_size):
            return
        self._read_at = (stat.st_mtime_ns, stat.st_size)
        wanted = subscriptions_file.read(path, self.check)
        changed, removed = subscriptions_file.sync(wanted, self.registry, self._now_ms())
        log.info("read the file of subscriptions", subscriptions=len(wanted), changed=changed, removed=removed)


def _channels(settings: ConsumerSettings, registry: Registry) -> dict[str, Channel]:
    contact = settings.public_url or f"mailto:{settings.cap_sender}"
    context = ChannelContext(contact, registry.key, settings.alert_private_targets)
    try:
        return {name: channels.load(name).made(context) for name in settings.alert_channels.split(",")}
    except Rejected as error:
        raise ConfigError(f"Config validation error: ALERT_CHANNELS {error}") from error
