"""Make src/quakestream/schemas/*.json from the types: what is on the stream and in live push.

python -m tools.schemas           writes them
python -m tools.schemas --check   says what would break those who use them, and fails where they are not up to date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import models_json_schema

from quakestream import further
from quakestream.api import documents
from quakestream.config import STREAM_TOPIC, ConsumerSettings
from quakestream.event import MAX_NUMERIC_ID, EarthquakeEvent
from quakestream.log.dead_letters import dead_letter_topic
from quakestream.log.opening import catalog_topic, source_status_topic
from quakestream.schemas import NAMES, Name
from quakestream.service.app import SourceStatus

FOLDER: Final = Path(__file__).resolve().parents[1] / "src" / "quakestream" / "schemas"
NEEDED: Final = ("id", "magnitude", "location", "timestamp")
ABSENT: Final = ("source", "mode", "status", "type", "ids")
"""May be absent or null: then they have the contract's defaults."""
WORDS: Final = {
    "id": "The source's own id, unique within the source. A whole number becomes its digits.",
    "magnitude": "Null where the source gives none.",
    "location": "WGS 84, degrees; `depth` in km, positive down.",
    "timestamp": "Origin time, ms since 1970 UTC. A part of a millisecond is dropped.",
    "source": "Who says so. Absent: `external`.",
    "updated": "When the source last changed it, ms since 1970 UTC. Absent: when this content was first seen.",
    "mode": "Absent: `DEFAULT_MODE` of whoever reads it, which is `test`.",
    "status": "Absent: `automatic`.",
    "type": "Absent: `earthquake`.",
    "ids": "What other agencies call it.",
    "magnitudes": "Further ones, in QuakeML's names.",
    "origins": "Further ones.",
    "originQuality": "How well the origin is constrained, beside `nst`, `gap`, `dmin` and `rms`.",
    "focalMechanisms": "With moment tensors, in QuakeML's names. The source prefers the first one.",
}
DOCUMENTATION: Final = frozenset({"description", "title", "summary", "version", "default", "examples"})
MAPS: Final = frozenset({"properties", "channels", "operations", "messages", "schemas"})
"""Where more may come: whoever knows less leaves it."""


def event_schema() -> dict[str, Any]:
    """An event as whoever publishes may write it, and as whoever reads may find it."""
    _, components = msgspec.json.schema_components([EarthquakeEvent], ref_template="#/$defs/{name}")
    own, place = cast(dict[str, Any], components["EarthquakeEvent"]), components["Location"]
    properties = {name: _either_null(part, name) for name, part in own["properties"].items() if name != "__extra__"}
    id_ = {"anyOf": [own["properties"]["id"], _whole(0, MAX_NUMERIC_ID - 1)]}
    properties["id"] = id_
    properties["ids"] = {"anyOf": [{"type": "array", "items": id_}, {"type": "null"}]}
    for name in ("timestamp", "updated"):
        bounds = {"minimum", "maximum"}
        limits = next(_numbers(own["properties"][name]))
        number = {"type": "number"} | {key: limits[key] for key in limits if key in bounds}
        properties[name] = number if name == "timestamp" else {"anyOf": [number, {"type": "null"}]}
    beyond, definitions = further.schemas("#/$defs/{name}")
    for name, schema in beyond.items():
        properties[name] = {"anyOf": [schema, {"description": "Somebody's own: kept as it came."}]}
    for name, words in WORDS.items():
        properties[name] = {"description": words} | properties[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:quakestream:event",
        "title": "EarthquakeEvent",
        "description": "What one source says of one earthquake at one moment. The first four fields alone are a whole "
        "event; unknown fields are kept.",
        "type": "object",
        "required": list(NEEDED),
        "properties": properties,
        "$defs": {"Location": place, **definitions},
    }


def _numbers(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (part for part in schema.get("anyOf", [schema]) if "minimum" in part)


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _either_null(schema: dict[str, Any], name: str) -> dict[str, Any]:
    schema = {key: value for key, value in schema.items() if key != "default"}
    return {"anyOf": [schema, {"type": "null"}]} if name in ABSENT else schema


class SourceMessage(SourceStatus):
    """A source's state on its topic."""

    model_config = ConfigDict(extra="allow")

    at: str


MODELS: Final[dict[str, type[BaseModel]]] = {
    "Change": documents.Change,
    "SourceState": SourceMessage,
    "LiveMessage": documents.LiveMessage,
    "HeartbeatMessage": documents.HeartbeatMessage,
    "GapMessage": documents.GapMessage,
    "SnapshotMessage": documents.SnapshotMessage,
}
LIVE: Final = ("change", "live", "heartbeat", "gap", "snapshot")


def asyncapi() -> dict[str, Any]:
    """Every topic, and live push both ways, with the names of the usual settings."""
    usual = ConsumerSettings(event_log="embedded")
    _, made = models_json_schema(
        [(model, "serialization") for model in MODELS.values()],
        ref_template="#/components/schemas/{model}",
        by_alias=True,
    )
    schemas = {_renamed(name): part for name, part in made["$defs"].items()}
    schemas |= _as_components(event_schema())
    topics = {
        "events": (STREAM_TOPIC, "earthquakeEvent", "Every event, key `<source>:<id>`."),
        "deadLetters": (dead_letter_topic(STREAM_TOPIC), "deadLetter", "What could not be read, as it came, and why."),
        "sourceStates": (source_status_topic(usual).name, "sourceState", "Each source's state; compacted."),
        "catalog": (catalog_topic(usual).name, "catalogChange", "Every change of the catalogue; compacted."),
    }
    channels: dict[str, Any] = {
        name: {
            "address": address,
            "description": words,
            "messages": {message: {"$ref": f"#/components/messages/{message}"}},
            "bindings": {"kafka": {"topic": address}},
        }
        for name, (address, message, words) in topics.items()
    }
    for name, address, words in (
        ("liveEvents", "/api/v1/earthquakes/stream", "Server-sent events: the event's name is the message's `type`."),
        ("liveFrames", "/api/v1/earthquakes/ws", "A WebSocket: each message is a text frame."),
    ):
        channels[name] = {
            "address": address,
            "description": words,
            "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in LIVE},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Quakestream",
            "version": version("quakestream"),
            "description": "The topics have the names of the usual settings; others follow another `KAFKA_TOPIC`.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": _operations(channels),
        "components": {"messages": _messages(), "schemas": schemas},
    }


def _operations(channels: Mapping[str, Any]) -> dict[str, Any]:
    """As the programs do it: both the service and others publish events."""
    operations = {
        f"send{name[0].upper()}{name[1:]}": {"action": "send", "channel": _channel(name)} for name in channels
    }
    operations["receiveEvents"] = {"action": "receive", "channel": _channel("events")}
    return operations


def _channel(name: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{name}"}


def _messages() -> dict[str, Any]:
    text = {"type": "string"}
    cloud_event = {
        "type": "object",
        "description": "CloudEvents 1.0, binary mode, and W3C Trace Context. A message without headers is as welcome.",
        "properties": dict.fromkeys(
            ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "traceparent"), text
        ),
    }
    why = {
        "type": "object",
        "required": [f"kafka_dlt-original-{part}" for part in ("topic", "partition", "offset", "timestamp")],
        "properties": dict.fromkeys(
            (
                *(f"kafka_dlt-original-{part}" for part in ("topic", "partition", "offset", "timestamp")),
                *("kafka_dlt-exception-fqcn", "kafka_dlt-exception-message", "quakestream-attempt"),
                *("quakestream-first-letter", "quakestream-value-bytes"),
            ),
            text,
        ),
    }
    own = ("ce_subject", "ce_catalogid")
    change = cloud_event | {"properties": cloud_event["properties"] | dict.fromkeys(own, text)}
    messages = {
        "earthquakeEvent": _message("EarthquakeEvent", cloud_event, "`<source>:<id>`"),
        "deadLetter": {
            "contentType": "application/octet-stream",
            "payload": {"description": "The message's bytes, as they came."},
            "headers": why,
        },
        "sourceState": _message("SourceState", None, "The source's name."),
        "catalogChange": _message("Change", change, "The earthquake's id."),
    }
    for name in LIVE:
        schema = "Change" if name == "change" else f"{name.capitalize()}Message"
        messages[name] = _message(schema, None, None)
    return messages


def _message(schema: str, headers: Mapping[str, Any] | None, key: str | None) -> dict[str, Any]:
    message: dict[str, Any] = {"payload": {"$ref": f"#/components/schemas/{schema}"}}
    if headers is not None:
        message["headers"] = headers
    if key is not None:
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": key}}}
    return message


def _renamed(name: str) -> str:
    return "SourceState" if name == SourceMessage.__name__ else name


def _as_components(schema: dict[str, Any]) -> dict[str, Any]:
    """Within another document: itself, and the definitions that it refers to below its name."""
    own = {key: value for key, value in schema.items() if not key.startswith("$")}
    definitions = {name: part for name, part in schema["$defs"].items() if name != "Location"}
    own["properties"] = own["properties"] | {
        "location": {"description": WORDS["location"]} | schema["$defs"]["Location"]
    }
    components = {"EarthquakeEvent": own} | {f"EarthquakeEvent.{name}": part for name, part in definitions.items()}
    moved = json.dumps(components).replace('"#/$defs/', '"#/components/schemas/EarthquakeEvent.')
    return cast(dict[str, Any], json.loads(moved))


def made(name: Name) -> bytes:
    """One of the documents, as it is committed."""
    document = {"event": event_schema, "asyncapi": asyncapi}[name]()
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def breaking(old: Any, new: Any, where: str = "$") -> list[str]:
    """What changed for those who use the old one, who write and who read: all but new names and other words."""
    if isinstance(old, dict) and isinstance(new, dict):
        more_may_come = where.rpartition(".")[2] in MAPS
        found = [f"{where}.{name} is gone" for name in old.keys() - new.keys() - _words(where)]
        if not more_may_come:
            found += [f"{where}.{name} is new" for name in new.keys() - old.keys() - _words(where)]
        for name in sorted(old.keys() & new.keys() - _words(where)):
            found += breaking(old[name], new[name], f"{where}.{name}")
        return found
    if isinstance(old, list) and isinstance(new, list) and where.endswith(".required"):
        old, new = sorted(old), sorted(new)
    return [] if old == new else [f"{where} was {old!r}, is {new!r}"]


def _words(where: str) -> frozenset[str]:
    return frozenset() if where.rpartition(".")[2] in MAPS else DOCUMENTATION


def main() -> int:
    stale = False
    for name in NAMES:
        file, fresh = FOLDER / f"{name}.json", made(name)
        if "--check" not in sys.argv:
            file.write_bytes(fresh)
        elif file.read_bytes() != fresh:
            stale = True
            print(f"{file.name} is not what the types say: python -m tools.schemas")
            for change in breaking(json.loads(file.read_bytes()), json.loads(fresh)):
                print(f"  breaks: {change}")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
