"""Subscriptions as people write them: what is taken, what is refused and with which words."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.subscriptions.conditions import alternatives
from quakestream.subscriptions.portfolio import read_csv
from quakestream.subscriptions.subscription import Night, Subscription, encode, parse
from tests.sizes import size

HOW: dict[str, Any] = {"channels": [{"channel": "console"}]}
HOME: dict[str, Any] = {"kind": "circle", "latitude": 37.98, "longitude": 23.73, "radius_km": 300}


def subscription(**fields: Any) -> dict[str, Any]:
    return {"where": HOME, "how": HOW} | fields


WHOLE = {
    "id": "athens-1",
    "name": "Home",
    "where": {"kind": "circle", "latitude": 37.98, "longitude": 23.73, "place": "Athens"},
    "what": {
        "any": [
            {"min_intensity": 4, "during": "day"},
            {"all": [{"min_intensity": 5}, {"during": "night", "statuses": ["reviewed"], "agencies": ["noa"]}]},
            {"min_intensity": 2, "deep": {"min_magnitude": 6.5, "within_km": 400}, "max_depth_km": 300},
        ]
    },
    "modes": ["actual", "exercise"],
    "time_zone": "Europe/Athens",
    "night": {"start": "23:00", "end": "06:30"},
    "how": {
        "channels": [{"channel": "webhook", "url": "https://example.org/quakes"}, {"channel": "console"}],
        "language": "de",
        "units": "imperial",
        "updates": "every",
        "exclude_aftershocks": True,
        "digest": {"after": 5},
        "quiet_hours": {"start": "22:00", "end": "07:00", "unless_intensity": 5.5},
        "escalation": {"after_minutes": 10, "channels": [{"channel": "apprise", "to": "mailto://x"}]},
    },
    "snooze_until_ms": 1_700_000_000_000,
}


def test_what_is_said_comes_back_the_same() -> None:
    one = parse(WHOLE)
    assert parse(encode(one)) == one
    assert parse(json.dumps(WHOLE)) == one
    assert json.loads(encode(one))["how"]["channels"][0] == {"channel": "webhook", "url": "https://example.org/quakes"}
    assert json.loads(encode(parse(subscription()))) == {"where": HOME, "how": HOW}
    never = parse(subscription(how=HOW | {"quiet_hours": {"unless_intensity": None}}))
    assert parse(encode(never)) == never, "null is said too, where something else would be taken"


SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]


def polygon(*rings: Any, **fields: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": list(rings)} | fields
    return subscription(where={"kind": "polygon", "geometry": geometry})


def csv(*lines: str) -> dict[str, Any]:
    return subscription(where={"kind": "portfolio", "within_km": 100, "csv": "\n".join(lines)})


def points(*features: Any) -> dict[str, Any]:
    collection = {"type": "FeatureCollection", "features": list(features)}
    return subscription(where={"kind": "portfolio", "within_km": 100, "geojson": collection})


HEADER = "name,latitude,longitude,value"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (subscription(where=HOME | {"radius_km": -1}), "where.radius_km: input should be greater than 0"),
        (subscription(where=HOME | {"latitude": 91}), "where.latitude: input should be less than or equal to 90"),
        (subscription(where=HOME | {"longitude": float("nan")}), "where.longitude"),
        (subscription(where=HOME | {"radius": 5}), "where.radius: extra inputs are not permitted"),
        (subscription(where={"kind": "circle", "latitude": 1, "longitude": 1}), "where.radius_km is needed"),
        (subscription(where={"kind": "moon"}), "where: input tag 'moon'"),
        (subscription(where={"kind": "country", "name": "Narnia"}), "where.name: no such country"),
        (subscription(where={"kind": "region", "name": "Atlantis"}), "where.name: no such Flinn-Engdahl region"),
        (polygon([[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]), "crosses itself near longitude 2, latitude 2"),
        (polygon([[0, 0], [4, 0], [4, 4], [0, 4]]), "where.geometry: a ring is not closed"),
        (polygon([[0, 0], [4, 0], [0, 0]]), "a ring of 3 positions: at least 4"),
        (polygon([[0, 0], [4, 0], [8, 0], [0, 0]]), "where.geometry:"),
        (polygon([[0, 0], [4, 0], [4, 94], [0, 0]]), "position [4, 94] is not on Earth"),
        (polygon([[0, 0], [4, 0], ["x", 4], [0, 0]]), "a position is two numbers"),
        (polygon([[0, 0], [4, 0], 7, [0, 0]]), "a position is [longitude, latitude]"),
        (polygon(SQUARE, [[9, 9], [9, 8], [8, 8], [9, 9]]), "a hole lies outside"),
        (polygon([[0, 0]] * 10_001), "10001 positions: a polygon has at most 10000"),
        (polygon("no ring"), "coordinates are a list of rings"),
        (polygon(SQUARE, type="LineString"), "a GeoJSON Polygon or MultiPolygon is wanted, not 'LineString'"),
        (polygon([[lon, lat] for lon in (-170, 170) for lat in range(-80, 80)] * 31), "where.geometry:"),
        (csv("name,latitude", "A,1"), "where: line 1: no column longitude in the header"),
        (csv("name,latitude,longitude,hight"), "line 1: unknown column hight"),
        (csv(HEADER, "A,1,2,3", "B,1,x,3"), "where: line 3: longitude input should be a valid number"),
        (csv(HEADER, "A,1,2,3", "", "B,1,2"), "line 4: 3 columns, the header has 4"),
        (csv(HEADER, ",1,2,3"), "line 2: name field required, got nothing"),
        (csv(HEADER, "A,1,2,-3"), "line 2: value input should be greater than or equal to 0"),
        (csv(HEADER, 'A,1,2,"3'), "line 2: unexpected end of data"),
        (csv(HEADER), "csv has no sites"),
        (csv(HEADER, *["A,1,2,3"] * 100_001), "line 100002: a portfolio has at most 100000 sites"),
        (points({"type": "Feature", "geometry": {"type": "LineString"}}), "where: feature 1: a Point is wanted"),
        (
            points({"geometry": {"type": "Point", "coordinates": [1, 95]}, "properties": {"name": "A"}}),
            "feature 1: latitude",
        ),
        (subscription(where={"kind": "portfolio"}), "where: one of sites, csv and geojson is needed"),
        (
            subscription(where={"kind": "portfolio", "sites": [{"name": "A", "latitude": 1, "longitude": 2}]}),
            "where: site 'A' needs within_km or min_intensity",
        ),
        (subscription(what={"min_magnitud": 4}), "what.min_magnitud: extra inputs are not permitted"),
        (subscription(what={"min_intensity": 1}), "what.min_intensity: input should be greater than or equal to 2"),
        (subscription(what={"min_magnitude": 6, "max_magnitude": 5}), "min_magnitude 6 is above max_magnitude 5"),
        (subscription(what={"any": []}), "what.any: list should have at least 1 item"),
        (
            subscription(what={"any": [{"min_depth_km": "deep"}]}),
            "what.any[0].min_depth_km: input should be a valid number",
        ),
        (subscription(what={"all": [{"during": "day"}, {"during": "night"}]}), "what: it can never be met"),
        (subscription(what={"all": [{"agencies": ["us"]}, {"agencies": ["nn"]}]}), "what: it can never be met"),
        (subscription(what={"any": [{"any": [{"any": [{"any": [{}]}]}]}]}), "nested at most 3 deep"),
        (
            subscription(what={"any": [{"any": [{"max_depth_km": n + 8 * m} for n in range(8)]} for m in range(3)]}),
            "what: it makes 24 alternatives, at most 16",
        ),
        (subscription(what={"deep": {}}), "deep stands in for min_intensity"),
        (subscription(modes=["real"]), "modes[0]: input should be 'actual', 'exercise' or 'test'"),
        (subscription(time_zone="Mars/Olympus"), "time_zone: no such IANA time zone"),
        (subscription(time_zone="../../etc/passwd"), "time_zone: no such IANA time zone"),
        (subscription(night={"start": "24:00"}), "night.start: string should match pattern"),
        (subscription(night={"start": "07:00", "end": "07:00"}), "night: start and end are the same"),
        (subscription(how={"channels": []}), "how.channels: list should have at least 1 item"),
        (subscription(how=HOW | {"language": "fr"}), "how.language: input should be 'en' or 'de'"),
        (
            subscription(how={"channels": [{"channel": "webhook", "text": "M {{ magnitude }}"}]}),
            "how.channels[0]: text has '{{': messages are no templates",
        ),
        (subscription(how={"channels": [{"channel": "webhook", "h": {"a": ["{% x %}"]}}]}), "h.a has '{%'"),
        (subscription(name="{{ 7 * 7 }}"), "name: it has '{{'"),
        (subscription(how={"channels": [{"url": "x"}]}), "how.channels[0].channel: field required"),
        ("[]", "input should be"),
        ("{", "invalid JSON"),
        (b"\xff", "invalid JSON"),
    ],
)
def test_what_is_wrong_is_refused_and_named(document: Any, said: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse(document)
    assert said.lower() in str(refused.value).lower()
    assert len(str(refused.value)) < 400


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(Rejected) as refused:
        parse(subscription(where=HOME | {"latitude": "x"}, time_zone="x", what={"min_magnitude": "y"}))
    assert [fault.split(":")[0] for fault in str(refused.value).split("; ")] == [
        "time_zone",
        "what.min_magnitude",
        "where.latitude",
    ]


@settings(max_examples=size(20, 200))
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(
                st.sampled_from(["kind", "where", "what", "how", "channels", "any", "all", "geometry", "sites", "csv"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=20,
    )
)
def test_anything_else_is_refused_and_breaks_nothing(document: Any) -> None:
    with pytest.raises(Rejected):
        parse(document)


def test_sites_of_csv_and_geojson_are_the_same() -> None:
    text = '\ufeffname, Latitude,longitude,value,min_intensity\r\n Plant 1 ,35.5,139.5,1e6,5\r\n\r\n"B, 2",1,2,,\r\n'
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [139.5, 35.5, 12]},
            "properties": {"name": "Plant 1", "value": 1e6, "min_intensity": 5, "colour": "red"},
        },
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 1]}, "properties": {"name": "B, 2"}},
    ]
    by_csv = parse(subscription(where={"kind": "portfolio", "within_km": 50, "csv": text}))
    by_geojson = parse(points(*features) | {"where": points(*features)["where"] | {"within_km": 50}})
    assert by_csv == by_geojson
    assert parse(encode(by_csv)) == by_csv
    assert by_csv.where.kind == "portfolio"
    assert [(site.name, site.value) for site in by_csv.where.sites] == [("Plant 1", 1e6), ("B, 2", None)]


def test_rules_are_worked_out_into_alternatives() -> None:
    one = parse(WHOLE)
    day, night, deep = alternatives(one.what)
    assert (day.min_intensity, day.during, day.types) == (4, "day", frozenset(["earthquake"]))
    assert (night.min_intensity, night.during) == (5, "night")
    assert (night.agencies, night.statuses) == (frozenset(["noa"]), frozenset(["reviewed"]))
    assert deep.deep
    assert deep.deep.within_km == 400
    several = {"all": [{"min_magnitude": 4, "max_depth_km": 50}, {"min_magnitude": 5, "max_depth_km": 90}]}
    (both,) = alternatives(parse(subscription(what=several)).what)
    assert (both.min_magnitude, both.max_depth_km) == (5, 50)


@pytest.mark.parametrize(
    ("night", "clock", "holds"),
    [
        (("22:00", "07:00"), "22:00", True),
        (("22:00", "07:00"), "06:59", True),
        (("22:00", "07:00"), "07:00", False),
        (("22:00", "07:00"), "12:00", False),
        (("01:00", "05:00"), "00:59", False),
        (("01:00", "05:00"), "01:00", True),
        (("01:00", "05:00"), "05:00", False),
    ],
)
def test_hours(night: tuple[str, str], clock: str, holds: bool) -> None:
    at = dt.datetime.fromisoformat(f"2023-06-01T{clock}:30")
    assert Night(start=night[0], end=night[1]).holds(at) is holds


def test_night_is_the_subscribers_own() -> None:
    def at_night(zone: str, utc: str) -> bool:
        one: Subscription = parse(subscription(time_zone=zone))
        return one.is_night(round(dt.datetime.fromisoformat(utc + "+00:00").timestamp() * 1000))

    assert at_night("Asia/Tokyo", "2023-06-01T14:00:00")
    assert not at_night("America/Los_Angeles", "2023-06-01T14:00:00")
    assert not at_night("Europe/Athens", "2023-06-01T04:30:00")  # 07:30 in summer
    assert at_night("Europe/Athens", "2023-12-01T04:30:00")  # 06:30 in winter


def test_the_examples_of_the_documentation_are_taken() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        parse(yaml.safe_load(example))
    (sites,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    assert len(read_csv(sites)) == 2
