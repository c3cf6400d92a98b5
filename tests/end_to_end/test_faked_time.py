"""A consumer whose clock is two hours ahead, or behind: people are told, nothing becomes a dead letter, and it is said.

With libfaketime, which must be installed (Debian's package `libfaketime`); the time since the machine's start is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.channels.receiver import Receiver
from tests.end_to_end.programs import BIN, Program
from tests.waiting import eventually

FAKETIME: Final = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
TOKEN: Final = "a-token-that-is-long-enough-for-tests"


@pytest.mark.long
@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("offset", ["+2h", "-2h"])
def test_a_consumer_with_another_clock_tells_and_says_so(tmp_path: Path, offset: str) -> None:
    settings = {"DATA_DIR": str(tmp_path), "EVENT_LOG": "embedded", "LOG_FORMAT": "json", "PORT": "0"}
    settings |= {"INGEST_TOKEN": TOKEN, "ALERT_PRIVATE_TARGETS": "true", "ALERT_CHANNELS": "webhook"}
    with Receiver() as receiver:
        wanted = {"id": "s1", "where": {"kind": "world"}, "what": {"min_magnitude": 4}}
        how = {"channels": [{"channel": "webhook", "url": receiver.url}]}
        (tmp_path / "subscriptions.yaml").write_text(json.dumps([wanted | {"how": how}]))
        settings |= {"SUBSCRIPTIONS_FILE": str(tmp_path / "subscriptions.yaml"), "LOG_EVENTS": "false"}
        service = Program(["earthquake-service"], settings | {"AUTOSTART_SOURCES": "simulator"}, tmp_path, "service")
        faked = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}
        with (tmp_path / "consumer.err").open("wb") as said:
            consumer = subprocess.Popen(
                [BIN / "earthquake-consumer"], env=os.environ | settings | faked, stdout=subprocess.DEVNULL, stderr=said
            )

        def lines(text: str) -> list[dict[str, Any]]:
            whole = (tmp_path / "consumer.err").read_text().rpartition("\n")[0].splitlines()
            return [json.loads(line) for line in whole if text in line]

        try:
            eventually(lambda: bool(lines("listening on http")), within_s=60)
            eventually(lambda: bool(lines("this machine's clock differs")), within_s=60)
            now_ms = time.time_ns() // 1_000_000
            where = {"latitude": 10.0, "longitude": 20.0, "depth": 10.0}
            event = {"id": "a1", "magnitude": 6.0, "location": where, "timestamp": now_ms, "updated": now_ms}
            headers = {"Authorization": f"Bearer {TOKEN}"}
            posted = service.post("/earthquake-events", json=event | {"mode": "actual"}, headers=headers)
            assert posted.status_code == 202, posted.text
            eventually(lambda: len(receiver.accepted) == 1, within_s=60, tell=lambda: lines("")[-5:])
            url = str(lines("listening on http")[0]["event"]).rpartition(" ")[2]
            ready = httpx.get(f"{url}/health/ready", trust_env=False).json()
            assert f"{'ahead of' if offset == '+2h' else 'behind'} the log's" in ready["clock"]
            assert ready["status"] == "degraded"
            assert not lines("message refused")
            consumer.terminate()
            assert consumer.wait(30) == 0
            assert service.terminate() == 0
        finally:
            consumer.kill()
            consumer.wait()
            service.kill()
