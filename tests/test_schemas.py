"""The stream and live push as JSON Schema and AsyncAPI: true to the code, whole, and never broken in silence."""

from __future__ import annotations

import asyncio
import base64
import copy
import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from quakestream import schemas
from quakestream.catalog import Feed, Page
from quakestream.cli import app
from quakestream.errors import Rejected
from quakestream.event import cloudevent_headers, decode, encode
from quakestream.log import LoggedRecord
from quakestream.log.dead_letters import attempt, revived
from quakestream.push import messages
from quakestream.push.messages import Wire
from quakestream.web import Readiness, create_app
from tests.conftest import ROOT
from tests.test_event import NOW_MS, PLAIN, WHOLE
from tools.schemas import breaking, made

EVENT = json.loads(schemas.document("event"))
ASYNCAPI = json.loads(schemas.document("asyncapi"))
RECORDED = json.loads((ROOT / "tests" / "data" / "compatibility" / "0.1.0.json").read_text())
"""One record of each topic, as 0.1.0 wrote it. It stays as it is for ever."""


def valid(document: Any, component: str = "EarthquakeEvent") -> bool:
    schema = {"$ref": f"#/components/schemas/{component}", "components": ASYNCAPI["components"]}
    return bool(jsonschema_rs.validator_for(schema).is_valid(document))


def record(topic: str) -> LoggedRecord:
    said = RECORDED[topic]
    headers = tuple((name, None if value is None else base64.b64decode(value)) for name, value in said["headers"])
    key = None if said["key"] is None else said["key"].encode()
    return LoggedRecord(topic, 0, 0, said["timestamp_ms"], key, base64.b64decode(said["value"]), headers)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_what_is_committed_is_what_the_types_say(name: schemas.Name) -> None:
    fresh = made(name)
    assert breaking(json.loads(schemas.document(name)), json.loads(fresh)) == []
    assert schemas.document(name) == fresh, "python -m tools.schemas"


@pytest.mark.parametrize("name", schemas.NAMES)
def test_a_command_prints_them(name: schemas.Name) -> None:
    assert CliRunner().invoke(app, ["schema", name]).stdout.encode() == schemas.document(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s["properties"].pop("place"), "$.properties.place is gone"),
        (lambda s: s["required"].append("place"), "$.required"),
        (lambda s: s["required"].remove("magnitude"), "$.required"),
        (lambda s: s["properties"]["timestamp"].update(type="string"), "$.properties.timestamp.type"),
        (lambda s: s["properties"]["timestamp"].update(minimum=0), "$.properties.timestamp.minimum"),
        (lambda s: s["properties"]["place"].update(maxLength=5), "$.properties.place"),
        (lambda s: s["properties"]["timestamp"].update(format="x"), "$.properties.timestamp.format is new"),
    ],
)
def test_what_breaks_those_who_use_it_is_named(change: Any, said: str) -> None:
    other = copy.deepcopy(EVENT)
    change(other)
    assert any(line.startswith(said) for line in breaking(EVENT, other))


def test_more_fields_and_other_words_break_nobody() -> None:
    other = copy.deepcopy(EVENT)
    other["properties"]["more"] = {"type": "string"}
    other["description"] = other["properties"]["id"]["description"] = "In other words."
    assert breaking(EVENT, other) == []
    other = copy.deepcopy(ASYNCAPI)
    other["channels"]["more"] = {"address": "more"}
    other["info"]["version"] = "9.9.9"
    assert breaking(ASYNCAPI, other) == []
    del other["channels"]["events"]
    assert breaking(ASYNCAPI, other) == ["$.channels.events is gone"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mine": [1, None], "ids": None, "source": None, "mode": None, "updated": None},
        {"timestamp": 1.5, "id": 7, "ids": ["a", 7]},
        {"magnitude": None, "location": {"latitude": 1, "longitude": 2, "depth": None}},
        {"id": ""},
        {"id": 2**53},
        {"id": True},
        {"timestamp": "2018-01-01"},
        {"magnitude": "4"},
        {"magnitude": 13},
        {"location": {"latitude": 91, "longitude": 0}},
        {"location": {"latitude": 1}},
        {"mode": "real"},
        {"source": "a:b"},
        {"place": 5},
        {"sig": "much"},
    ],
    ids=str,
)
def test_the_schema_takes_what_the_programs_take(fields: dict[str, Any]) -> None:
    document = PLAIN | fields
    try:
        decode(json.dumps(document).encode(), now_ms=NOW_MS)
        taken = True
    except Rejected:
        taken = False
    assert valid(document) is taken
    assert bool(jsonschema_rs.validator_for(EVENT).is_valid(document)) is taken


@given(
    st.fixed_dictionaries(
        {"magnitude": st.none() | st.floats(-10, 12), "timestamp": st.integers(-(10**13), NOW_MS)},
        optional={"depthError": st.floats(0, 100), "place": st.text(max_size=50), "updated": st.integers(0, NOW_MS)},
    )
)
def test_what_the_programs_write_is_as_the_schema_says(fields: dict[str, Any]) -> None:
    written = encode(decode(json.dumps(WHOLE | fields).encode(), now_ms=NOW_MS))
    assert valid(json.loads(written))


def test_live_push_sends_what_is_described() -> None:
    quake = msgspec.json.decode(record("earthquake-catalog-topic").value or b"", type=dict[str, msgspec.Raw])[
        "earthquake"
    ]
    for component, data in {
        "Live": messages.live(Wire.SSE, "epoch", 1),
        "Heartbeat": messages.heartbeat(Wire.SSE, "epoch", 1),
        "Gap": messages.gap(Wire.SSE, "epoch", 1, "pruned", "epoch-1", "/api/v1/earthquakes"),
        "Snapshot": messages.snapshot(Wire.SSE, Feed("catalogue", "epoch", 1, 1), Page((bytes(quake),), None), "/api"),
    }.items():
        document = json.loads(data.partition(b"data: ")[2])
        assert valid(document, f"{component}Message"), document
        assert document["type"] == component.lower()


def test_both_programs_serve_them() -> None:
    async def ready() -> Readiness:
        return Readiness("ok")

    async def ask() -> list[httpx.Response]:
        served = create_app(title="", description="", version="1", ready=ready)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost") as client:
            return [await client.get(path) for path in ("/schemas/event.json", "/asyncapi.json")]

    for answer, name in zip(asyncio.run(ask()), schemas.NAMES, strict=True):
        assert (answer.status_code, answer.content) == (200, schemas.document(name))


def test_an_event_of_0_1_0_is_read_and_written_as_it_was() -> None:
    recorded = record("earthquake-service-topic")
    event = decode(recorded.value, now_ms=recorded.timestamp_ms)
    assert valid(json.loads(recorded.value or b""))
    assert encode(event) == recorded.value
    assert recorded.key == event.key.encode()
    headers = dict(recorded.headers)
    today = dict(cloudevent_headers(event, backfill=True))
    assert {name: headers[name] for name in headers if name != "traceparent"} == {
        name: today[name] for name in headers if name != "traceparent"
    }, "with the content's hash: another one would make a revision of everything that comes again"


def test_the_other_topics_of_0_1_0_are_as_they_are_described() -> None:
    assert valid(json.loads(record("earthquake-catalog-topic").value or b""), "Change")
    assert valid(json.loads(record("earthquake-source-status-topic").value or b""), "SourceState")
    letter = record("earthquake-service-topic.dlq")
    again = revived(letter)
    assert (again.topic, again.key, again.value) == ("earthquake-service-topic", letter.key, letter.value)
    assert attempt(LoggedRecord("", 0, 0, 0, None, None, again.headers)) == attempt(letter) + 1
    required = ASYNCAPI["components"]["messages"]["deadLetter"]["headers"]["required"]
    assert set(required) <= {name for name, _ in letter.headers}


@pytest.mark.long
def test_asyncapi_s_own_parser_finds_nothing_wrong(tmp_path: Path) -> None:
    """It fetches the parser: 150 packages."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    npm = shutil.which("npm", path=path) or pytest.skip("npm is missing")
    for file in ("package.json", "package-lock.json", ".npmrc", "check.mjs"):
        shutil.copy(ROOT / "tools" / "asyncapi" / file, tmp_path)
    run = functools.partial(subprocess.run, cwd=tmp_path, timeout=300, env=os.environ | {"PATH": path})
    run([npm, "ci", "--loglevel=error"], check=True)
    for document, right in ((ASYNCAPI, True), ({**ASYNCAPI, "channels": {"events": {"address": 5}}}, False)):
        (tmp_path / "asyncapi.json").write_text(json.dumps(document))
        done = run(["node", "check.mjs", "asyncapi.json"], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is right, done.stdout + done.stderr
