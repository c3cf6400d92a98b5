"""`quakestream up`: both services in one process, on the embedded log."""

from __future__ import annotations

import json
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from quakestream import program
from quakestream.command import opened_log, settings_of
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.consumer.printing import EventPrinter, Pointer
from quakestream.service import main as service
from quakestream.service.fallback import performance

RECORDING: Final = "usgs-week"


def up(
    service_port: int,
    consumer_port: int,
    data_dir: Path | None,
    env_file: Path | None,
    *,
    fallback: bool,
    demo: bool,
    open_page: bool,
) -> int:
    """Run both until one of them ends; the exit code.

    What it says is what it starts, whatever was started or stopped over HTTP before: that holds for this process.
    """
    on_terminal = sys.stdout.isatty()
    shared: dict[str, Any] = {"event_log": "embedded"} | ({"data_dir": data_dir} if data_dir else {})
    service_settings = settings_of(
        ServiceSettings,
        env_file,
        port=service_port,
        autostart_sources=json.dumps([performance(RECORDING)]) if demo else "usgs",
        fallback_recording=RECORDING if fallback and not demo else "",
        **shared,
    )
    if consumer_port and not service_settings.control_origins:
        own_page = ",".join(
            f"{service_settings.scheme}://{host}:{consumer_port}" for host in ("localhost", "127.0.0.1")
        )
        service_settings = service_settings.model_copy(update={"control_origins": own_page})
    consumer_settings = settings_of(
        ConsumerSettings,
        env_file,
        {"log_events": "" if on_terminal else "false"},
        port=consumer_port,
        **shared,
    )
    if service_port and not consumer_settings.service_url:
        service_url = f"{service_settings.scheme}://localhost:{service_port}"
        consumer_settings = consumer_settings.model_copy(update={"service_url": service_url})
    pointer = Pointer(sys.stdout) if on_terminal else None
    form = consumer_settings.log_events or "auto"
    printer = None if form == "false" else EventPrinter(sys.stdout, form, aside=True, pointer=pointer)

    def ready(url: str) -> None:
        page = reached(url)
        if pointer is not None:
            pointer.show(f"Open {page}")
        if open_page:  # a browser may take its time, or be the terminal's own
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    async def both(stop: program.Stop) -> int:
        return await program.together(
            stop,
            service.serve(service_settings, log, stop=stop, remembering=False),
            consumer.serve(consumer_settings, log, ready, stop, printer),
        )

    with opened_log(service_settings, patient=True) as log:
        try:
            return program.run(both, service_settings.shutdown_timeout_s)
        finally:
            if pointer is not None:
                pointer.close()


def reached(url: str) -> str:
    """Where a person on this machine reaches what listens there."""
    parts = urlsplit(url)
    here = parts.hostname in {"127.0.0.1", "0.0.0.0", "::", "::1"}  # noqa: S104 - listened on, told as one reaches it
    return f"{parts.scheme}://localhost:{parts.port}" if here else url
