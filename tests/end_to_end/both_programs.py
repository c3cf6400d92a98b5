"""Both programs as `up` has them, in the test's own process, so that a fault can be put into each of their workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from quakestream import program, supervision
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.consumer import retention as retention_module
from quakestream.log.embedded import EmbeddedLog
from quakestream.service import main as service
from quakestream.service import status
from quakestream.telling import alerts as alerts_module
from tests.waiting import eventually

LIMIT_S = 20.0


class Both:
    """Both programs on a thread of their own; `code` is what they ended with."""

    def __init__(self, folder: Path) -> None:
        (folder / "subscriptions.yaml").write_text("[]")
        self.log = EmbeddedLog(folder, lease_s=0.6)
        self.urls: dict[str, str] = {}
        self.code: int | None = None
        self.stop = program.Stop()
        shared: dict[str, Any] = {"data_dir": folder, "event_log": "embedded", "port": 0}
        self._service = ServiceSettings(**shared, autostart_sources="simulator", event_interval_ms=50)
        self._consumer = ConsumerSettings(
            **shared, log_events=False, subscriptions_file=str(folder / "subscriptions.yaml")
        )
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="both programs")
        self._thread.start()
        eventually(lambda: len(self.urls) == 2 or self.code is not None)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self.code = runner.run(self._main())

    async def _main(self) -> int:
        def ready(name: str) -> Callable[[str], None]:
            return lambda url: self.urls.update({name: url})

        return await program.together(
            self.stop,
            service.serve(self._service, self.log, ready("service"), self.stop),
            consumer.serve(self._consumer, self.log, ready("consumer"), self.stop),
        )

    def ends(self, within_s: float = LIMIT_S) -> int | None:
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "it goes on"
        return self.code

    def end(self) -> int | None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.stop.set)
        return self.ends()

    def ready(self, name: str = "consumer") -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.urls[name]}/health/ready").json()
        return answer

    def metric(self, name: str, worker: str) -> float:
        for line in httpx.get(f"{self.urls['consumer']}/metrics").text.splitlines():
            if line.startswith(f'quakestream_worker_{name}{{worker="{worker}"}} '):
                return float(line.rpartition(" ")[2])
        return 0.0


def quick() -> Iterator[None]:
    """A fixture of a module: what is done now and then is done often."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(supervision.PROCESS, "_pause_s", (0.2, 0.4))
        patched.setattr(supervision, "WELL_S", 5.0)
        patched.setattr(retention_module, "INTERVAL_S", 0.1)
        patched.setattr(alerts_module, "FILE_INTERVAL_S", 0.1)
        patched.setattr(status, "INTERVAL_S", 0.1)
        yield


class Fault:
    """Makes a function fail until it is `mended`, and counts how often it did its work after that.

    `only`: the channel whose worker is to fail.
    """

    def __init__(
        self, patched: pytest.MonkeyPatch, where: Any, what: str, error: BaseException, only: str | None = None
    ) -> None:
        self.mended, self.worked = False, 0
        real = getattr(where, what)

        def faulty(*args: Any, **more: Any) -> Any:
            if only is not None and args[0]._name != only:
                return real(*args, **more)
            if not self.mended:
                raise error
            self.worked += 1
            return real(*args, **more)

        patched.setattr(where, what, faulty)
