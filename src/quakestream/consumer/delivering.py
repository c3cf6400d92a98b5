"""`quakestream deliver`: delivery as a program of its own, where one process is not enough for all who are told.

It sends what the outbox holds, beside the consumer and any number like itself: a lease says who has what. It neither
follows the feed nor answers HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from functools import partial
from typing import Final

import structlog

from quakestream import program, waits
from quakestream.catalog.opening import file_of, wait_for_catalog
from quakestream.clock import now_ms
from quakestream.clocks import ClockWatch
from quakestream.config import ConsumerSettings
from quakestream.errors import ConfigError, Fatal
from quakestream.subscriptions.registry import Registry
from quakestream.telling.alerts import made_delivery

LOOK_INTERVAL_S: Final = 1.0

log = structlog.get_logger(__name__)


async def deliver(settings: ConsumerSettings, stop: program.Stop) -> int:
    """Deliver until `stop` is set; the exit code. What is on its way is finished, the rest given back."""
    return await program.exit_code(_deliver(settings, stop))


async def _deliver(settings: ConsumerSettings, stop: program.Stop) -> int:
    if not settings.alerts:
        raise ConfigError("Config validation error: ALERTS is off: there is nothing to deliver")
    while not settings.on_postgresql() and not file_of(settings).is_file() and not stop.is_set():
        log.warning("waiting for earthquake-consumer to create the catalogue", file=str(file_of(settings)))
        await waits.is_set(stop, LOOK_INTERVAL_S)
    if stop.is_set():
        return 0
    opened = await wait_for_catalog(settings, stop)
    if opened is None:
        return 0
    with contextlib.closing(opened) as catalog:
        owner = f"deliver-{secrets.token_hex(8)}"
        making = partial(made_delivery, settings, catalog, Registry(catalog), owner, now_ms)
        delivery = await program.patiently("the outbox", making, stop)
        if delivery is None:
            return 0
        clocks = ClockWatch({"database": lambda: catalog.clock_ahead_ms(now_ms)})
        delivery.start()
        clocks.start()
        log.info("delivering", channels=sorted(delivery.channels), owner=owner)
        while not stop.is_set() and delivery.working:
            await waits.is_set(stop, LOOK_INTERVAL_S)
        if not stop.is_set():
            raise Fatal("delivery ended by itself; its trace stands above")
        await asyncio.to_thread(clocks.stop, settings.shutdown_timeout_s)
        if not await asyncio.to_thread(delivery.stop, settings.shutdown_timeout_s):
            raise Fatal(f"delivery did not stop within {settings.shutdown_timeout_s:g} s")
    return 0
