"""What happens, step by step, as the readers of the book know it: on a real broker, with their own `.env` files."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop
from structlog.testing import capture_logs

from quakestream import config, program, telemetry
from quakestream.config import ConsumerSettings, ServiceSettings
from quakestream.consumer import main as consumer
from quakestream.log.opening import open_log
from quakestream.service import main as service
from quakestream.steps import MOST_A_SECOND, Steps
from tests.conftest import Broker
from tests.waiting import eventually

SERVICE_ENV = """PORT=3001

#KAFKA Configuration
KAFKA_CLIENT_ID=earthquake-service
KAFKA_BROKERS=localhost:29092
KAFKA_TOPIC=earthquake-service-topic"""
CONSUMER_ENV = """PORT=3002

#KAFKA Configuration
KAFKA_CLIENT_ID=earthquake-consumer-service
KAFKA_BROKERS=localhost:29092
KAFKA_TOPIC=earthquake-service-topic
KAFKA_GROUP_ID=earthquake-consumer-group"""


def test_their_own_files_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    file = tmp_path / "configs" / ".env"
    for text in (SERVICE_ENV, SERVICE_ENV.replace("\n", "\r\n"), "\ufeff" + SERVICE_ENV):
        file.write_bytes(text.encode())
        settings = config.load(ServiceSettings, environment={})
        said = settings.port, settings.kafka_client_id, settings.kafka_brokers, settings.topic(), settings.event_log
        assert said == (3001, "earthquake-service", "localhost:29092", "earthquake-service-topic", "kafka")
        assert config.mistaken_names(ServiceSettings, environment={}) == []
    file.write_text(CONSUMER_ENV)
    assert config.load(ConsumerSettings, environment={}).group() == "earthquake-consumer-group"
    (tmp_path / "configs" / "earthquake-consumer.env").write_text(CONSUMER_ENV.replace("3002", "3003"))
    assert config.load(ConsumerSettings, environment={}).port == 3003, "a program's own file comes first"


def test_the_consumer_alone_needs_a_group() -> None:
    given = dict(line.split("=") for line in SERVICE_ENV.splitlines() if "=" in line)
    config.load(ServiceSettings, environment=given)
    with pytest.raises(config.ConfigError, match="KAFKA_GROUP_ID is needed"):
        config.load(ConsumerSettings, environment=given)


def test_much_at_once_is_a_few_lines_and_how_many_more_there_were() -> None:
    now_s = 100.0
    steps = Steps(aloud=True, now_s=lambda: now_s)
    with capture_logs() as lines:
        steps.say("queued", 1000)
        steps.say("got", of=lambda: {"id": "a"})
        now_s += 1.5
        steps.say("queued", 2)
    assert [line["event"] for line in lines] == ["queued"] * MOST_A_SECOND + ["got", "queued", "queued"]
    assert [line.get("and_before") for line in lines[-3:]] == [None, 1000 - MOST_A_SECOND, None]
    assert lines[MOST_A_SECOND]["id"] == "a"
    with capture_logs() as lines:
        Steps(aloud=False).say("queued")
    assert lines == []


@pytest.mark.kafka
def test_each_step_is_said_in_the_words_that_they_know(
    tmp_path: Path, kafka_broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    readable = threading.Event()
    readable.set()
    monkeypatch.setattr(telemetry, "_readable", readable)
    topic = f"book-{uuid.uuid4().hex}"
    given = {"KAFKA_BROKERS": kafka_broker.address, "KAFKA_TOPIC": topic, "PORT": "0", "ALERTS": "false"}
    urls: dict[str, str] = {}

    def settings(kind: Any, text: str) -> Any:
        file = tmp_path / f"{kind.program}.env"
        file.write_text(text)
        environment = given | {"DATA_DIR": str(tmp_path / kind.program), "KAFKA_PARTITIONS": "1"}
        (tmp_path / kind.program).mkdir()
        return config.load(kind, file, environment)

    def walk(said: Callable[[str], list[Mapping[str, Any]]]) -> None:
        def post(path: str) -> str:
            return httpx.post(f"{urls['service']}/earthquake-events/{path}", trust_env=False, timeout=20).text

        assert post("start") == "Earthquake event stream started"
        eventually(lambda: said("Got message") and said("The message has been queued!"), within_s=40)
        assert post("stop") == post("stop") == "Earthquake event stream stopped"

    async def main() -> None:
        own, theirs = settings(ServiceSettings, SERVICE_ENV), settings(ConsumerSettings, CONSUMER_ENV)
        with closing(open_log(own)) as log, closing(open_log(theirs)) as other:
            stop, ready = program.Stop(), asyncio.Queue[None]()

            def answers(name: str) -> Callable[[str], None]:
                return lambda url: (urls.update({name: url}), ready.put_nowait(None))[1]

            running = [
                asyncio.create_task(service.serve(own, log, answers("service"), stop)),
                asyncio.create_task(consumer.serve(theirs, other, answers("consumer"), stop)),
            ]
            try:
                for _ in running:
                    await asyncio.wait_for(ready.get(), 40)
                await asyncio.to_thread(walk, lambda words: [line for line in lines if line["event"] == words])
            finally:
                stop.set()
                assert await asyncio.gather(*running) == [0, 0]

    with capture_logs() as lines, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    events = [line["event"] for line in lines]
    for words in (
        "earthquake service started",
        "earthquake Consumer started",
        "Earthquake event stream stopped.",
        "No running earthquake event stream to stop.",
    ):
        assert events.count(words) == 1, words
    assert events.count("server closed") == 2
    got = next(line for line in lines if line["event"] == "Got message")
    assert {"id", "magnitude", "location", "timestamp"} <= got.keys()
