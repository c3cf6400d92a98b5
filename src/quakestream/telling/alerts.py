"""Alerts, put together: registry, follower, delivery, and the file of subscriptions, where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
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
from quakestream.sight import Sight
from quakestream.subscriptions import file as subscriptions_file
from quakestream.subscriptions.addresses import take_unasked
from quakestream.subscriptions.registry import Registry, Stored
from quakestream.subscriptions.subscription import Subscription
from quakestream.telling.composing import Composer
from quakestream.telling.delivery import Delivery, DeliverySettings
from quakestream.telling.follower import AlertFollower
from quakestream.telling.messages import Facts
from quakestream.telling.outbox import Notification, Outbox, put
from quakestream.telling.receivers import Receivers
from quakestream.telling.silence import SilenceTeller

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
        self,
        settings: ConsumerSettings,
        catalog: SqlCatalog,
        news: Bell,
        owner: str,
        now_ms: Callable[[], int],
        knows_time: Callable[[], bool] = lambda: True,
        sight: Callable[[], Sight] | None = None,
    ) -> None:
        """`owner`: this instance's name among those that share the catalogue. `knows_time`: as of `AlertFollower`.

        `sight`: whether any source answers; None: nobody is told where none does.

        Raises:
            ConfigError: a channel is not known, or the file of subscriptions is at fault.
        """
        # each needs the other: channels their keys, of the registry; the registry, whom channels must ask first
        self.registry = Registry(catalog, compile_rows, lambda one: self.receivers.addresses(one))  # noqa: PLW0108 - not made yet
        self.outbox = Outbox(catalog)
        self.delivery = made_delivery(settings, catalog, self.registry, owner, now_ms)
        self.channels = self.delivery.channels
        self.receivers = Receivers(self.channels, self.registry, self.outbox, now_ms)
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
            knows_time=knows_time,
        )
        self._silence = sight and SilenceTeller(
            self.registry, self.outbox, sight, self.follower.receivers_of, self.delivery.nudge, now_ms
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
        if self._silence is not None:
            self._silence.start()
        if self._file is not None:
            self._watcher.start()

    def stop(self, timeout_s: float) -> bool:
        """End in order; whether that was done in time."""
        self._stopping.set()
        stopped = self.follower.stop(timeout_s)
        stopped = self._watcher.join(timeout_s) and stopped
        if self._silence is not None:
            stopped = self._silence.stop(timeout_s) and stopped
        return self.delivery.stop(timeout_s) and stopped

    def state(self) -> Mapping[str, Any]:
        """How it is, for the health page."""
        return self.follower.state()

    def put(self, subscription: Subscription, subscriber: str) -> Stored:
        """Add a subscription of the HTTP interface, or change it; its addresses are asked, each once.

        Raises:
            Rejected: as `Receivers.check` does.
        """
        self.receivers.check(subscription)
        stored = self.registry.put(subscription, subscriber=subscriber, now_ms=self._now_ms())
        self._ask()
        return stored

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
            wanted = subscriptions_file.read(path, self.receivers.check)
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
