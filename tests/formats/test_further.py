"""What is said beyond one origin and one magnitude: read, kept, written and read again with the same numbers."""

from __future__ import annotations

import io
import json
import random
import types
import typing
from pathlib import Path
from typing import Any, Final

import msgspec
import obspy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from quakestream import formats, further
from quakestream.event import EarthquakeEvent, decode, encode
from quakestream.formats import Note
from quakestream.formats.writing import WRITERS, About, geojson
from quakestream.further import FocalMechanism, FurtherMagnitude, FurtherOrigin
from tests.formats.reading import DATA, entries
from tests.formats.tensors import told
from tests.sizes import size

NOW_MS: Final = 1_700_000_000_000
OBSPY: Final = Path(obspy.__file__).parent / "io"
SCHEMA: Final = etree.XMLSchema(etree.parse(OBSPY / "quakeml/data/QuakeML-BED-1.2.xsd"))
FIELDS: Final = ("magnitudes", "origins", "origin_quality", "focal_mechanisms")
PLAIN: Final[dict[str, Any]] = {
    "id": "us7000abcd",
    "magnitude": 6.1,
    "magnitudeType": "mww",
    "location": {"latitude": -10.25, "longitude": 161.5, "depth": 33.4},
    "timestamp": 1_600_000_000_000,
    "source": "usgs",
    "mode": "actual",
    "updated": 1_600_000_100_000,
    "agency": "us",
}
TENSOR: Final = {"Mrr": 1.5e18, "Mtt": -1e18, "Mpp": -5e17, "Mrt": 1e17, "Mrp": -2e17, "Mtp": 3e17}


def stated(**fields: Any) -> EarthquakeEvent:
    return decode(json.dumps(PLAIN | fields).encode(), now_ms=NOW_MS)


def earthquake(event: EarthquakeEvent) -> dict[str, Any]:
    own = {"id": "eq_01M8EQ0JQ1V44PWPEHP1AHQ688", "revision": 1, "seq": 1, "firstSeen": 1, "changed": 1}
    said: dict[str, Any] = json.loads(encode(event))
    return {"updated": NOW_MS} | said | own | {"preferred": event.key, "events": [event.key]}


def quakeml(event: EarthquakeEvent, *others: EarthquakeEvent) -> bytes:
    writer = WRITERS["xml"](About(url="", home="", count=1, made_ms=NOW_MS))
    said = [json.loads(encode(other)) for other in others]
    data = writer.begin() + writer.write(earthquake(event), said) + writer.end()
    assert SCHEMA.validate(etree.fromstring(data)[0]), SCHEMA.error_log
    return data


def again(event: EarthquakeEvent, *others: EarthquakeEvent) -> list[EarthquakeEvent]:
    found = list(formats.read(io.BytesIO(quakeml(event, *others)), mode=event.mode))
    return [one for one in found if isinstance(one, EarthquakeEvent)]


def said_beside(event: EarthquakeEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in FIELDS}


RECORDED: Final = (
    DATA / "usgs_focal_mechanism_nc72852151.xml",
    DATA / "quakeml_sed.xml",
    DATA / "usgs_quakeml_nc72282711.xml",
    OBSPY / "ndk/tests/data/C200604092050A.xml",
    OBSPY / "ndk/tests/data/multiple_events.ndk",
    OBSPY / "quakeml/tests/data/preferred.xml",
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_what_was_recorded_is_written_and_read_again(path: Path) -> None:
    events, problems = entries(path)
    assert not problems
    assert any(getattr(event, name) for event in events for name in FIELDS)
    for event in events:
        (back,) = again(event)
        assert said_beside(back) == said_beside(event)


def test_a_focal_mechanism_of_the_usgs_s_quakeml() -> None:
    (event,), _ = entries(DATA / "usgs_focal_mechanism_nc72852151.xml")
    (mechanism,) = event.focal_mechanisms
    assert mechanism.nodal_planes is not None
    plane = mechanism.nodal_planes.nodal_plane1
    assert plane is not None
    assert (plane.strike, plane.dip, plane.rake, plane.strike_uncertainty) == (15.0, 50.0, 30.0, 33.0)
    assert (mechanism.agency, mechanism.station_polarity_count, mechanism.misfit) == ("NC", 42, 0.02)
    assert mechanism.public_id == "quakeml:nc.anss.org/Mec/NC/1677899"
    (theirs,) = obspy.read_events(io.BytesIO(quakeml(event)))
    planes = theirs.preferred_focal_mechanism().nodal_planes
    assert (planes.nodal_plane_2.strike, planes.nodal_plane_2.rake_errors.uncertainty) == (265.0, 5.0)


def test_obspy_reads_the_numbers_of_a_moment_tensor_that_it_reads_of_the_catalogue_s_own_file() -> None:
    path = OBSPY / "ndk/tests/data/C200604092050A.ndk"
    (event,), _ = entries(path)
    (theirs,), (ours,) = obspy.read_events(str(path)), obspy.read_events(io.BytesIO(quakeml(event)))
    their, our = theirs.focal_mechanisms[0], ours.preferred_focal_mechanism()
    for part in ("m_rr", "m_tt", "m_pp", "m_rt", "m_rp", "m_tp"):
        assert getattr(our.moment_tensor.tensor, part) == getattr(their.moment_tensor.tensor, part)
        errors = f"{part}_errors"
        assert getattr(our.moment_tensor.tensor, errors) == getattr(their.moment_tensor.tensor, errors)
    assert our.moment_tensor.scalar_moment == their.moment_tensor.scalar_moment
    assert our.nodal_planes.nodal_plane_1 == their.nodal_planes.nodal_plane_1
    assert our.nodal_planes.nodal_plane_2 == their.nodal_planes.nodal_plane_2
    for axis in ("t_axis", "p_axis", "n_axis"):
        assert getattr(our.principal_axes, axis) == getattr(their.principal_axes, axis)
    assert our.moment_tensor.source_time_function == their.moment_tensor.source_time_function
    assert our.moment_tensor.inversion_type == their.moment_tensor.inversion_type
    centroid, wanted = our.moment_tensor.derived_origin_id.get_referred_object(), theirs.origins[1]
    assert (centroid.time, centroid.latitude, centroid.longitude, centroid.depth) == (
        wanted.time,
        wanted.latitude,
        wanted.longitude,
        wanted.depth,
    )
    used = [(one.wave_type, one.station_count, one.component_count) for one in our.moment_tensor.data_used]
    assert used == [(d.wave_type, d.station_count, d.component_count) for d in their.moment_tensor.data_used]


def test_a_quakeml_event_of_many_origins_and_magnitudes() -> None:
    (event,), _ = entries(OBSPY / "ndk/tests/data/C200604092050A.xml")
    (theirs,) = obspy.read_events(str(OBSPY / "ndk/tests/data/C200604092050A.xml"))
    (ours,) = obspy.read_events(io.BytesIO(quakeml(event)))
    assert sorted(m.mag for m in ours.magnitudes) == sorted(m.mag for m in theirs.magnitudes)
    assert sorted(o.time for o in ours.origins) == sorted(o.time for o in theirs.origins)


def mechanisms_of(name: str) -> dict[str, list[EarthquakeEvent]]:
    events, problems = entries(DATA / name, mode="actual")
    assert not problems
    found: dict[str, list[EarthquakeEvent]] = {}
    for event in events:
        found.setdefault(event.key, []).append(event)
    return found


def test_a_detail_s_mechanisms_go_with_their_reports_as_they_came() -> None:
    found = mechanisms_of("usgs_detail_mechanisms_nc72852151.geojson")
    last = {key: events[-1].focal_mechanisms for key, events in found.items()}
    assert {key: [m.agency for m in mechanisms] for key, mechanisms in last.items()} == {
        "usgs:nc72852151": ["NC", "NC", "NC"],
        "usgs:us2000a2es": ["us", "us", "nc"],
        "usgs:at00otts4f": [],
    }
    assert [len(event.focal_mechanisms) for event in found["usgs:nc72852151"]] == [0, 0, 2, 2, 3, 3, 3]
    moment = last["usgs:nc72852151"][0].moment_tensor
    assert moment is not None
    assert moment.tensor is not None
    assert (moment.tensor.mrr, moment.tensor.mtp) == (9.254e15, 2.336e16)
    assert (moment.scalar_moment, moment.double_couple, moment.inversion_type) == (5.223e16, 0.61, "zero trace")
    assert moment.derived_origin == FurtherOrigin(
        time=1_501_286_560_910, latitude=40.7821999, longitude=-125.1807022, depth=24.0
    )
    assert moment.moment_magnitude == FurtherMagnitude(mag=5.08, type="Mw")
    nowhere = last["usgs:us2000a2es"][1].moment_tensor
    assert nowhere is not None
    assert nowhere.derived_origin == FurtherOrigin(depth=15.0), "0° 0° in 1970 says nothing"


def test_a_detail_that_is_written_has_the_usgs_s_products_and_is_read_again() -> None:
    last = [events[-1] for events in mechanisms_of("usgs_detail_mechanisms_nc72852151.geojson").values()]
    solutions = [json.loads(encode(event)) for event in last]
    document = geojson.detail(earthquake(last[0]), solutions, "http://here")
    products = document["properties"]["products"]
    assert document["properties"]["types"] == ",origin,moment-tensor,focal-mechanism,"
    recorded = json.loads((DATA / "usgs_detail_mechanisms_nc72852151.geojson").read_bytes())
    first = recorded["properties"]["products"]["moment-tensor"][0]
    said = products["moment-tensor"][0]
    assert said.keys() <= first.keys()
    for name in ("tensor-mrr", "t-axis-azimuth", "scalar-moment", "derived-depth", "percent-double-couple"):
        assert float(said["properties"][name]) == float(first["properties"][name]), name
    assert all(isinstance(value, str) for value in said["properties"].values())
    back, _ = entries(json.dumps(document), mode="actual")
    assert {e.key: e.focal_mechanisms for e in back} == {e.key: e.focal_mechanisms for e in last}


def test_a_mechanism_that_was_taken_back_and_one_of_nobody_here() -> None:
    document = json.loads((DATA / "usgs_detail_mechanisms_nc72852151.geojson").read_bytes())
    products = document["properties"]["products"]
    gone = {**products["moment-tensor"][0], "updateTime": NOW_MS, "status": "DELETE", "properties": {}}
    stranger = products["focal-mechanism"][0]
    stranger = {**stranger, "code": "x", "properties": stranger["properties"] | {"eventsource": "gcmt", "misfit": "5"}}
    products["moment-tensor"].append(gone)
    products["focal-mechanism"].append(stranger)
    products["focal-mechanism"] += [7, {}, {"properties": {"nodal-plane-1-strike": "north"}}]
    found = list(formats.read(io.BytesIO(json.dumps(document).encode()), mode="actual"))
    last = [e for e in found if isinstance(e, EarthquakeEvent) and e.key == "usgs:nc72852151"][-1]
    assert [bool(m.moment_tensor) for m in last.focal_mechanisms] == [False, False, False]
    assert len([e for e in found if isinstance(e, EarthquakeEvent)]) == 15
    assert any("north" in str(e) for e in found if isinstance(e, Note))


BROKEN: Final = """<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" xmlns="http://quakeml.org/xmlns/bed/1.2">
<eventParameters publicID="smi:x/1"><event publicID="smi:x/e">
<origin publicID="smi:x/o"><time><value>2020-01-02T03:04:05Z</value></time><latitude><value>1</value></latitude>
<longitude><value>2</value></longitude><quality><usedPhaseCount>%s</usedPhaseCount></quality></origin>
<origin publicID="smi:x/p"><time><value>%s</value></time><latitude><value>1</value></latitude>
<longitude><value>3</value></longitude></origin>
<magnitude publicID="smi:x/m"><mag><value>5.5</value></mag></magnitude>
<magnitude publicID="smi:x/n"><mag><value>5.25</value></mag><stationCount>%s</stationCount></magnitude>
<focalMechanism publicID="smi:x/f"><nodalPlanes>
<nodalPlane1><strike><value>%s</value></strike><dip><value>40</value></dip><rake><value>-90</value></rake></nodalPlane1>
<nodalPlane2><strike><value>200</value></strike><dip><value>50</value></dip><rake><value>-90</value></rake></nodalPlane2>
</nodalPlanes><momentTensor publicID="smi:x/t"><derivedOriginID>smi:x/gone</derivedOriginID>
<tensor><Mrr><value>%s</value></Mrr><Mtt><value>1</value></Mtt><Mpp><value>1</value></Mpp>
<Mrt><value>0</value></Mrt><Mrp><value>0</value></Mrp><Mtp><value>0</value></Mtp></tensor>
<scalarMoment><value>2e18</value></scalarMoment></momentTensor></focalMechanism>
</event></eventParameters></q:quakeml>"""
GOOD: Final = ("12", "2020-01-02T03:04:06Z", "7", "20", "-2e18")


@pytest.mark.parametrize("bad", ["x", "NaN", "1e999", "-1e40", "٣", "<a/>"])
@pytest.mark.parametrize("place", range(len(GOOD)))
def test_one_bad_value_is_left_out_and_said_and_nothing_else_is_lost(place: int, bad: str) -> None:
    data = BROKEN % tuple(bad if n == place else good for n, good in enumerate(GOOD))
    found = list(formats.read(io.BytesIO(data.encode()), mode="actual"))
    (event,) = [one for one in found if isinstance(one, EarthquakeEvent)]
    assert any(isinstance(one, Note) for one in found) or bad == "<a/>"
    (whole,) = [e for e in formats.read(io.BytesIO((BROKEN % GOOD).encode()), mode="actual")
                if isinstance(e, EarthquakeEvent)]  # fmt: skip
    assert (event.magnitude, event.location) == (whole.magnitude, whole.location)
    lost = {0: "origin_quality", 1: "origins"}.get(place)
    assert {name for name in FIELDS if getattr(event, name)} == set(FIELDS) - {lost}
    mechanism = event.focal_mechanisms[0]
    assert mechanism.nodal_planes is not None
    assert mechanism.nodal_planes.nodal_plane2 is not None
    assert (mechanism.nodal_planes.nodal_plane1 is None) is (place == 3)
    assert mechanism.moment_tensor is not None
    assert mechanism.moment_tensor.scalar_moment == 2e18
    assert (mechanism.moment_tensor.tensor is None) is (place == 4)
    assert event.magnitudes[0].mag == 5.25
    assert again(event)[0].focal_mechanisms == event.focal_mechanisms


def test_too_many_are_said_and_the_first_are_kept() -> None:
    many = "".join(
        f'<magnitude publicID="smi:x/{n}"><mag><value>{n / 100}</value></mag></magnitude>' for n in range(100)
    )
    mechanism = BROKEN[BROKEN.index("<focalMechanism") : BROKEN.index("</event>")] % GOOD[3:]
    mechanisms = "".join(mechanism.replace("200", str(n)).replace("smi:x/f", f"smi:x/f{n}") for n in range(100))
    data = (BROKEN % GOOD).replace("</event>", f"{many}{mechanisms}</event>")
    found = list(formats.read(io.BytesIO(data.encode()), mode="actual"))
    (event,) = [one for one in found if isinstance(one, EarthquakeEvent)]
    assert (len(event.magnitudes), len(event.focal_mechanisms)) == (further.MAX_MAGNITUDES, further.MAX_MECHANISMS)
    notes = " ".join(str(one) for one in found if isinstance(one, Note))
    assert "magnitudes: 101, of which the first 32 are kept" in notes
    assert "focalMechanism: 37 more than are read" in notes


def test_a_thousand_stations_of_a_mechanism_are_let_go() -> None:
    stations = '<waveformID networkCode="X" stationCode="Y"/>' * 200_000
    data = (BROKEN % GOOD).replace("<nodalPlanes>", f"{stations[: 45 * 1000]}<nodalPlanes>", 1)
    data = data.replace("</event>", data[data.index("<focalMechanism") : data.index("</event>")] * 60 + "</event>")
    events, _ = entries(data)
    assert len(events[0].focal_mechanisms) == 1, "what is said 60 times is said once"


# --- on the stream ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("originQuality", "A"),
        ("originQuality", {}),
        ("originQuality", {"usedPhaseCount": -1}),
        ("magnitudes", []),
        ("magnitudes", 5.5),
        ("magnitudes", [{"mag": "5"}]),
        ("magnitudes", [{"mag": 5, "mine": 1}]),
        ("magnitudes", [{"mag": 5}] * 33),
        ("origins", {"time": 5}),
        ("focalMechanisms", None),
        ("focalMechanisms", [{"nodalPlanes": {"nodalPlane1": {"strike": 1, "dip": 91, "rake": 0}}}]),
        ("focalMechanisms", [{"momentTensor": {"tensor": TENSOR | {"Mrr": None}}}]),
        ("focalMechanisms", [[[[[[]]]]]]),
    ],
    ids=str,
)
def test_somebody_s_own_field_of_that_name_is_kept_as_it_came(name: str, value: Any) -> None:
    event = stated(**{name: value})
    assert event.extra == {name: value}
    assert json.loads(encode(event))[name] == value
    assert decode(encode(event), now_ms=NOW_MS) == event
    quakeml(event)
    geojson.detail(earthquake(event), [json.loads(encode(event))], "")


def test_an_event_without_them_is_what_it_was() -> None:
    event = stated()
    assert not any(getattr(event, name) for name in FIELDS)
    assert not any(name in encode(event).decode() for name in further.TYPES)
    assert event.content_hash().hex() == "5cdc37500bb9a84ecbff5e3d229ff07e", "as 0.1.0 had it"


def test_their_texts_are_plain_lines_too() -> None:
    event = stated(magnitudes=[{"mag": 5, "type": "m\u202eb\n"}], focalMechanisms=[{"agency": "A\x00  B", "misfit": 1}])
    assert event.magnitudes[0].type == "mb"
    assert event.focal_mechanisms[0].agency == "A B"
    assert decode(encode(event), now_ms=NOW_MS) == event


def test_two_reports_of_one_earthquake_keep_theirs_apart() -> None:
    one = stated(
        magnitudes=[{"mag": 5.9, "type": "mb", "agency": "us"}, {"mag": 5.8, "type": "mb", "agency": "us"}],
        focalMechanisms=[{"publicID": "smi:us/1", "momentTensor": {"tensor": TENSOR}}],
    )
    other = decode(
        json.dumps(
            PLAIN | {"source": "magnitude", "id": "origin/x", "magnitude": None, "magnitudeType": None,
                     "magnitudes": [{"mag": 6.0}], "origins": [{"time": 5, "latitude": 1, "longitude": 2}],
                     "focalMechanisms": [{"publicID": "smi:us/1", "misfit": 0.5, "momentTensor": {"clvd": 0.1}},
                                         {"publicID": "smi:us/1", "momentTensor": {"clvd": 0.2}}]}
        ).encode(),
        now_ms=NOW_MS,
    )  # fmt: skip
    back = {event.key: event for event in again(one, other)}
    assert back.keys() == {one.key, other.key}
    assert said_beside(back[one.key]) == said_beside(one)
    assert back[other.key].magnitude is None
    assert back[other.key].magnitudes == other.magnitudes
    assert back[other.key].origins == other.origins
    assert [m.moment_tensor for m in back[other.key].focal_mechanisms] == [
        m.moment_tensor for m in other.focal_mechanisms
    ]
    (theirs,) = obspy.read_events(io.BytesIO(quakeml(one, other)))
    assert len({m.resource_id.id for m in theirs.magnitudes}) == 4
    assert len({m.resource_id.id for m in theirs.focal_mechanisms}) == 3


def test_made_up_earthquakes_that_say_all_there_is() -> None:
    writer = WRITERS["xml"](About(url="", home="", count=1, made_ms=NOW_MS))
    data = writer.begin() + b"".join(writer.write(one, others) for one, others in told(5)) + writer.end()
    assert SCHEMA.validate(etree.fromstring(data)[0]), SCHEMA.error_log
    found = obspy.read_events(io.BytesIO(data))
    assert [(len(e.origins), len(e.magnitudes), len(e.focal_mechanisms)) for e in found] == [(4, 7, 1)] * 5
    for event, (one, _) in zip(found, told(5), strict=True):
        tensor = event.preferred_focal_mechanism().moment_tensor.tensor
        assert tensor.m_tp == one["focalMechanisms"][0]["momentTensor"]["tensor"]["Mtp"]


# --- any combination --------------------------------------------------------------------------------------------------

WORDS: Final = {
    "evaluation_mode": ["manual", "automatic"],
    "evaluation_status": ["preliminary", "confirmed", "reviewed", "final", "rejected"],
    "category": ["teleseismic", "regional"],
    "inversion_type": ["general", "zero trace", "double couple"],
    "wave_type": ["P waves", "body waves", "surface waves", "mantle waves", "combined"],
}
TYPES: Final = {
    "SourceTimeFunction": ["box car", "triangle", "trapezoid"],
    "FurtherOrigin": ["hypocenter", "centroid", "amplitude"],
    "FurtherMagnitude": ["mb", "Mw(mB)", "ML & <x>"],
}
NEEDED: Final = {
    "FurtherOrigin": {"time", "latitude", "longitude"},
    "PrincipalAxis": {"azimuth", "plunge", "length"},
    "SourceTimeFunction": {"duration"},
    "PrincipalAxes": {"t_axis", "p_axis"},
    "NodalPlanes": {"nodal_plane1"},
}
"""What QuakeML's schema can't do without."""


def any_of(type_: Any, chance: random.Random, name: str = "", owner: str = "") -> Any:
    """Whatever its type has room for, as far as QuakeML has it too."""
    if name == "type":
        return chance.choice(TYPES[owner])
    if name in WORDS:
        return chance.choice(WORDS[name])
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        needed = NEEDED.get(type_.__name__, ())
        likely = chance.random()
        made = {
            one.name: any_of(one.type, chance, one.name, type_.__name__)
            for one in msgspec.structs.fields(type_)
            if one.required or one.name in needed or chance.random() < likely
        }
        for error in [one for one in made if one.endswith("_uncertainty") and one != "horizontal_uncertainty"]:
            if made.get(error.removesuffix("_uncertainty")) is None:  # it stands with its value
                del made[error]
        return type_(**{name: part for name, part in made.items() if says_something(part)})
    parts = typing.get_args(type_)
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        return any_of(next(part for part in parts if part is not type(None)), chance, name, owner)
    if typing.get_origin(type_) is tuple:
        several = [any_of(parts[0], chance) for _ in range(chance.randint(0, 3))]
        return tuple(dict.fromkeys(one for one in several if says_something(one)))
    meta = parts[1]
    if typing.get_origin(parts[0]) is tuple:
        return any_of(parts[0], chance)
    if parts[0] is float:
        if name.startswith("depth") or name == "horizontal_uncertainty":
            return chance.randint(0, 700_000) / 1000
        return chance.choice([meta.ge, meta.le, chance.uniform(meta.ge, meta.le), float(max(meta.ge, 0)), 1.0 / 3.0])
    if name in ("time", "creation_time"):
        return chance.randint(-(10**13), 10**13)
    if parts[0] is int:
        return chance.choice([meta.ge, meta.le, chance.randint(meta.ge, meta.le)])
    return (
        "".join(chance.choices("abcXYZ019 <>&\"'/:.~\u00e9\u0663\u5730\U0001f30b", k=chance.randint(1, 30))).strip()
        or "x"
    )


def says_something(made: Any) -> bool:
    if isinstance(made, FocalMechanism):
        parts = [made.nodal_planes, made.principal_axes, made.moment_tensor]
        return any(part and any(msgspec.to_builtins(part).values()) for part in parts)
    return not isinstance(made, msgspec.Struct) or bool(msgspec.to_builtins(made))


@given(st.integers(0, 2**63))
@settings(max_examples=size(20, 2000), deadline=None)
def test_any_combination_is_written_and_read_again(seed: int) -> None:
    chance = random.Random(seed)
    said = {
        one.name: any_of(one.type, chance, one.name)
        for one in msgspec.structs.fields(EarthquakeEvent)
        if one.name in FIELDS and chance.random() < 0.7
    }
    document = json.loads(encode(msgspec.structs.replace(stated(), **said)))
    if quality := document.get("originQuality"):
        for name in ("usedStationCount", "azimuthalGap", "minimumDistance", "standardError"):
            quality.pop(name, None)
    event = decode(json.dumps(document | {"originQuality": quality or None}).encode(), now_ms=NOW_MS)
    event = msgspec.structs.replace(event, extra={})
    assert decode(encode(event), now_ms=NOW_MS) == event
    (back,) = again(event)
    wanted = said_beside(event)
    for name in ("magnitudes", "origins", "origin_quality"):
        assert getattr(back, name) == wanted[name]
    assert [written(one) for one in back.focal_mechanisms] == [written(one) for one in event.focal_mechanisms]
    (theirs,) = obspy.read_events(io.BytesIO(quakeml(event)))
    assert len(theirs.focal_mechanisms) == len(event.focal_mechanisms)


def written(mechanism: FocalMechanism) -> dict[str, Any]:
    """Without parts that say nothing."""

    def said(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {name: found for name, value in part.items() if (found := said(value)) not in ({}, ())}

    return typing.cast(dict[str, Any], said(msgspec.to_builtins(mechanism)))


JUNK: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mag", "time", "momentTensor",
        "tensor", "nodalPlanes", "nodalPlane1", "strike", "quality", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(further.TYPES)), JUNK))
@settings(max_examples=size(20, 2000), deadline=None)
def test_whatever_stands_there_no_report_is_lost(said: dict[str, Any]) -> None:
    event = stated(**said)
    assert decode(encode(event), now_ms=NOW_MS) == event
    assert event.key == "usgs:us7000abcd"
    quakeml(event)
    geojson.feature(earthquake(event), "")
