"""earthquake-service on the embedded log, with the sources of `fakes.py`, as a process of its own.

    python -m tests.service.run_service DATA_DIR [SETTING=VALUE …]

`BLOCKED=1` holds every append to the log up, as a disk that hangs does.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from quakestream import config, program, sources, telemetry
from quakestream.config import ServiceSettings
from quakestream.log import embedded
from quakestream.log.opening import open_log
from quakestream.service.main import serve
from tests.service.fakes import build_fake


def main() -> int:
    folder, *more = sys.argv[1:]
    environment = {"DATA_DIR": folder, "EVENT_LOG": "embedded", "PORT": "0"} | dict(
        setting.split("=", 1) for setting in more
    )
    settings = config.load(ServiceSettings, environment=environment)
    telemetry.configure_logging(settings.log_level, settings.log_format)
    sources.build = build_fake
    if environment.get("BLOCKED"):
        embedded.EmbeddedProducer._append = lambda *_: threading.Event().wait()  # type: ignore[assignment,method-assign]
    log = open_log(settings)

    def ready(url: str) -> None:
        (Path(folder) / "url").write_text(url)

    return program.run(lambda stop: serve(settings, log, ready, stop), settings.shutdown_timeout_s)


if __name__ == "__main__":
    raise SystemExit(main())
