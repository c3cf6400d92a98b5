from __future__ import annotations

import datetime as dt
import gzip
import importlib.resources
import json
import math
import random
import re
import unicodedata
import zoneinfo
from pathlib import Path

import numpy as np
import pytest
import shapely
import tzfpy
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.event import wrap_longitude
from quakestream.plain import one_line
from quakestream.seismology import places
from quakestream.seismology.geodesy import azimuth, compass, distance_km, distances_km
from tests.sizes import size, sized

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)


def test_names_are_plain_lines() -> None:
    # as an event's texts are read: a place in other words would be held against the catalogue
    for table in ("city_names", "country_names", "state_names", "region_names"):
        (names,) = places._tables(table)
        assert [name for name in places._texts(names) if name != one_line(name)] == [], table


def everywhere(count: int, seed: int) -> list[tuple[float, float]]:
    """Points on the whole sphere, and as many near cities, where there are people and so more to get wrong."""
    rng = random.Random(seed)
    cities = places._cities()
    points = [(math.degrees(math.asin(rng.uniform(-1, 1))), rng.uniform(-180, 180)) for _ in range(count // 2)]
    for _ in range(count - len(points)):
        number = rng.randrange(len(cities.latitude))
        latitude = cities.latitude.item(number) / 1000 + rng.gauss(0, 0.5)
        points.append((max(-90.0, min(90.0, latitude)), cities.longitude.item(number) / 1000 + rng.gauss(0, 0.5)))
    return points


def all_distances(latitude: float, longitude: float) -> np.ndarray:
    cities = places._cities()
    return distances_km(latitude, longitude, cities.latitude / 1000, cities.longitude / 1000)


def by_brute_force(latitude: float, longitude: float) -> str:
    """The rule as the module's words say it, over all cities one after the other."""
    cities = places._cities()
    distances = all_distances(latitude, longitude)
    nearest = int(distances.argmin())
    if distances[nearest] > places.NEAR_KM:
        return places.flinn_engdahl(latitude, longitude)
    close = np.flatnonzero(distances <= distances[nearest] + places.LARGER_KM)
    largest = close[cities.population[close].argmax()]
    least = max(1, cities.population.item(nearest)) * places.LARGER_TIMES
    number = int(largest) if cities.population[largest] >= least else nearest
    name = f"{cities.name(number)}, {cities.within(number)}"
    at = cities.latitude.item(number) / 1000, cities.longitude.item(number) / 1000
    km = round(distance_km(*at, latitude, longitude))
    return f"{km} km {compass(azimuth(*at, latitude, longitude))} of {name}" if km else f"Near {name}"


@pytest.mark.parametrize(
    ("latitude", "longitude", "words"),
    [
        (40.7453, -125.2482, "85 km WNW of Ferndale, California"),
        (34.213, -118.537, "1 km N of Reseda, California"),
        (38.297, 142.373, "82 km ESE of Onagawa Chō, Japan"),
        (47.3769, 8.5417, "1 km NNW of Zürich, Switzerland"),  # nearer to its quarters
        (38.3904, -118.8972, "28 km WSW of Hawthorne, Nevada"),
        (-23.0, -120.0, "Southern East Pacific Rise"),
        (0.0, -140.0, "North Pacific Ocean"),
        (-24.5, -177.0, "South of the Fiji Islands"),
        (-45.0, 95.0, "Southeast Indian Ridge"),
        (51.5, -177.0, "Andreanof Islands, Aleutian Islands"),
        (90.0, 0.0, "Lomonosov Ridge"),
        (-90.0, 123.0, "Antarctica"),
    ],
)
def test_places_in_words(latitude: float, longitude: float, words: str) -> None:
    assert places.describe(latitude, longitude) == words


@sized
def test_it_equals_brute_force_on_points_everywhere() -> None:
    for latitude, longitude in everywhere(size(60, 600), seed=1):
        assert places.describe(latitude, longitude) == by_brute_force(latitude, longitude), (latitude, longitude)


@settings(max_examples=size(12, 60), deadline=None)
@given(
    st.one_of(LATITUDES, st.floats(84, 90), st.floats(-90, -84), st.floats(-20, -10)),
    st.one_of(LONGITUDES, st.floats(178, 182), st.floats(-180.5, -179.5)),
)
def test_it_equals_brute_force_at_poles_and_antimeridian(latitude: float, longitude: float) -> None:
    assert places.describe(latitude, longitude) == by_brute_force(latitude, longitude)


@given(LATITUDES, LONGITUDES)
def test_every_point_has_words_a_region_and_a_time_zone(latitude: float, longitude: float) -> None:
    assert places.describe(latitude, longitude)
    assert places.region(latitude, longitude)
    assert places.timezone(latitude, longitude)


@given(LATITUDES)
def test_the_antimeridian_is_one_line(latitude: float) -> None:
    for function in (places.describe, places.flinn_engdahl, places.timezone):
        assert function(latitude, 180.0) == function(latitude, -180.0)


@given(LATITUDES, st.floats(-179, 179))
def test_a_longitude_may_be_wound_once_more(latitude: float, longitude: float) -> None:
    longitude = round(longitude, 3)
    turned = wrap_longitude(longitude + 360.0)
    assert places.describe(latitude, longitude + 360.0) == places.describe(latitude, turned)


def test_most_words_are_those_of_the_agency() -> None:
    recording = importlib.resources.files("quakestream.sources") / "recordings" / "usgs-week.geojson.gz"
    features = json.loads(gzip.decompress(recording.read_bytes()))["features"]
    cities = places._cities()
    known = {plain(name) for name in cities.names.decode().split("\n")}
    told = same = 0
    for feature in features:
        theirs = re.match(r"\d+ ?km \w+ of (.*?),", feature["properties"]["place"] or "")
        longitude, latitude, _ = feature["geometry"]["coordinates"]
        # Many of theirs are no populated places of today's GeoNames: The Geysers, Redoubt Volcano.
        if theirs and plain(theirs[1]) in known:
            told += 1
            ours = re.match(r"(?:\d+ km \w+ of|Near) (.*?),", places.describe(latitude, longitude))
            same += bool(ours and plain(ours[1]) == plain(theirs[1]))
    print(f"{same} of {told} name the same city")
    assert told > 1000
    assert same / told > 0.8


def plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    return "".join(letter for letter in letters.lower() if letter.isalpha() and not unicodedata.combining(letter))


@pytest.mark.parametrize(
    ("latitude", "longitude", "code", "name"),
    [
        (52.5, 13.4, "DE", "Germany"),
        (40.0, -100.0, "US", "United States"),
        (64.0, -150.0, "US", "United States"),
        (4.0, -53.0, "GF", "French Guiana"),
        (-21.1, 55.5, "RE", "Reunion"),
        (42.6, 21.0, "XK", "Kosovo"),
        (66.0, -179.9, "RU", "Russia"),
        (66.0, 179.9, "RU", "Russia"),
        (-85.0, 180.0, "AQ", "Antarctica"),
        (-90.0, 0.0, "AQ", "Antarctica"),
        (-29.5, 28.2, "LS", "Lesotho"),  # a hole in South Africa
    ],
)
def test_countries(latitude: float, longitude: float, code: str, name: str) -> None:
    assert places.country(latitude, longitude) == (code, name)
    assert places.region(latitude, longitude) == name


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (56.0, 3.0, "North Sea"),
        (41.0, -125.5, "Off the coast of Northern California"),
        (-38.0, 179.5, "Off the east coast of the North Island of New Zealand"),
        (-60.0, -160.0, "Pacific-Antarctic Ridge"),
        (0.0, 180.0, "Gilbert Islands, Kiribati region"),
    ],
)
def test_seas(latitude: float, longitude: float, name: str) -> None:
    assert places.country(latitude, longitude) is None
    assert places.region(latitude, longitude) == name


def test_the_cells_of_one_country_agree_with_its_polygons() -> None:
    borders = places._borders()
    for latitude, unwrapped in everywhere(1500, seed=2):
        longitude = wrap_longitude(unwrapped)
        found = [
            borders.owners[number]
            for number in borders.tree.query(shapely.points(longitude, latitude), predicate="intersects").tolist()
        ]
        assert places._owner(latitude, longitude) in (found or [255])


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (40.8, -124.2, "America/Los_Angeles"),
        (64.8, -147.7, "America/Anchorage"),
        (52.5, 13.4, "Europe/Berlin"),
        (23.0, 10.0, "Africa/Algiers"),  # far from any city
        (-21.1, 55.5, "Indian/Reunion"),
        (66.0, 180.0, "Asia/Anadyr"),
        (37.7, -122.9, "America/Los_Angeles"),  # at sea, near a city
        (0.0, -30.0, "Etc/GMT+2"),
        (0.0, 0.0, "Etc/GMT"),
        (10.0, 67.5, "Etc/GMT-5"),
        (-60.0, 180.0, "Etc/GMT-12"),
        (-60.0, -179.9, "Etc/GMT+12"),
        (90.0, 7.0, "Etc/GMT"),
        (-90.0, 100.0, "Antarctica/McMurdo"),
    ],
)
def test_time_zones(latitude: float, longitude: float, zone: str) -> None:
    assert places.timezone(latitude, longitude) == zone


def test_all_zones_are_known_to_the_time_zone_database() -> None:
    known = zoneinfo.available_timezones()
    if not known:
        pytest.skip("no time zone database here")
    at_sea = {places._zone(-63.0, longitude - 0.5) for longitude in range(-179, 181)}
    assert len([zone for zone in at_sea if zone.startswith("Etc/GMT")]) == 25
    assert set(tzfpy.timezonenames()) <= known


def test_the_regions_are_those_of_the_scheme() -> None:
    # The corners of the scheme: a square degree belongs to the corner that is nearest to 0, 0.
    names = places._regions().names
    assert len(names) == 757
    assert names[0] == "Central Alaska"
    assert names[755] == "Southeast of Easter Island"
    assert places.flinn_engdahl(48.0, 12.0) == "Germany"
    assert places.flinn_engdahl(-30.0, -60.0) == "Northeastern Argentina"
    assert not [name for name in names if re.search(r"\b(?:REG|BRD|BORD|N\.Z)\b|[A-Z]{3}", name.replace("USA", ""))]


def test_cities_within_a_circle() -> None:
    for latitude, longitude in [(48.85, 2.35), (-17.0, 180.0), (89.9, 0.0), (-90.0, 0.0), (-16.8, -179.9)]:
        for radius_km in (0.0, 30.0, 400.0):
            found = places.cities_within(latitude, longitude, radius_km)
            assert len(found) == np.count_nonzero(all_distances(latitude, longitude) <= radius_km)
            assert [city.distance_km for city in found] == sorted(city.distance_km for city in found)
    assert len(places.cities_within(0.0, 0.0, 20100.0, min_population=5_000_000)) > 50
    largest = max(places.cities_within(34.0, -118.0, 60.0), key=lambda city: city.population)
    assert largest[:3] == ("Los Angeles", "California", "US")


def read_zones() -> list[tuple[float, float, str]]:
    lines = (Path(__file__).parents[1] / "data" / "zones.csv").read_text(encoding="utf-8").splitlines()
    rows = (line.split(",") for line in lines if line and not line.startswith(("#", "latitude")))
    return [(float(latitude), float(longitude), zone) for latitude, longitude, zone in rows]


def test_zones_go_by_their_boundaries() -> None:
    """The clock of a point is its zone's, however near a city of another one is."""

    def offsets(zone: str) -> list[dt.timedelta | None]:
        at = zoneinfo.ZoneInfo(zone)
        return [dt.datetime(2026, month, 15, 12, tzinfo=at).utcoffset() for month in (1, 4, 7, 10)]

    points = read_zones()
    assert len(points) == 400
    wrong = [point for point in points if offsets(places.timezone(*point[:2])) != offsets(point[2])]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (43.8, 87.6, "Asia/Urumqi"),  # where there are two, the one of the place
        (39.9, 116.4, "Asia/Shanghai"),
        (36.2, -113.2, "America/Phoenix"),  # where the nearest city is Utah's
        (45.99, -116.4, "America/Los_Angeles"),  # the north of Idaho
        (25.9, 77.8, "Asia/Kolkata"),
        (-33.0, -71.9, "America/Santiago"),  # off Valparaíso, inside of the territorial sea
        (-33.0, -72.1, "America/Santiago"),  # and outside of it: by the sun it were an hour earlier
        (37.8, 141.5, "Asia/Tokyo"),
        (-33.0, -75.0, "Etc/GMT+5"),
    ],
)
def test_near_a_coast_the_clock_is_the_coasts(latitude: float, longitude: float, zone: str) -> None:
    assert places.timezone(latitude, longitude) == zone


def test_a_zone_that_no_clock_knows_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.time_zones, "spelled", lambda _: None)
    assert places.timezone(52.5, 13.4) == "UTC"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("athens", ("Athens", "Greece")),  # the largest of them
        ("SAN JOSE", ("San Jose", "California")),
        ("nurdagi", ("Nurdağı", "Turkey")),
        (" İzmir ", ("İzmir", "Turkey")),
        ("saint johns", ("Saint John’s", "Antigua and Barbuda")),
        ("Nurda", ("Nurdağı", "Turkey")),  # nobody is so called: whose name begins so
    ],
)
def test_cities_are_found_by_their_names(name: str, found: tuple[str, str]) -> None:
    (first, *_) = places.cities_named(name, 3)
    assert (first.name, first.within) == found


@pytest.mark.parametrize("name", ["", " ", "\n", "’", "zzzzz", "a\nb"])
def test_a_name_of_none_finds_none(name: str) -> None:
    assert places.cities_named(name, 3) == []


def test_every_city_is_found_where_it_is() -> None:
    rng = random.Random(3)
    cities = places._cities()
    for number in rng.sample(range(len(cities.population)), size(30, 1000)):
        found = places.cities_named(cities.name(number), places._MOST_NAMESAKES)
        where = (cities.latitude.item(number) / 1000, cities.longitude.item(number) / 1000)
        assert where in [(one.latitude, one.longitude) for one in found]
        assert [one.population for one in found] == sorted((one.population for one in found), reverse=True)
