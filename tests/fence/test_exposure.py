from __future__ import annotations

import csv
import dataclasses
import io
import math

import pytest

from quakestream.errors import Rejected
from quakestream.fence import exposure, hindsight, scenario
from quakestream.fence.rules import expected
from quakestream.seismology.intensity import intensity_class
from quakestream.seismology.places import cities_within
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.portfolio import Site
from quakestream.subscriptions.subscription import parse

DAY_MS = 86_400_000
NAPA = Quake("eq_napa", 1, 6.0, 38.215, -122.312, 11.1, 1_408_875_644_000, "actual")
PACIFIC = dataclasses.replace(NAPA, id="eq_sea", latitude=0.0, longitude=-150.0, magnitude=7.5)
DEEP = dataclasses.replace(NAPA, id="eq_deep", depth_km=560.0, magnitude=8.0)


def test_people_are_counted_in_the_class_that_is_expected_where_they_live() -> None:
    found = exposure.exposure(NAPA)
    counted = {one.number: [0, 0] for one in found.classes}
    for city in cities_within(NAPA.latitude, NAPA.longitude, 1000.0, counted=True):
        estimate = expected(NAPA, city.distance_km)
        assert estimate
        number = math.floor(estimate.mmi + 0.5)
        if number >= 3:
            counted[number][0] += city.population
            counted[number][1] += 1
    assert {one.number: [one.people, one.cities] for one in found.classes} == counted
    assert [one.number for one in found.classes] == sorted(counted, reverse=True)
    assert {"Napa", "Vallejo"} <= {one.city.name for one in found.cities[:3]}
    assert {intensity_class(one.intensity.mmi).roman for one in found.cities} <= {"VIII", "VII", "VI"}
    assert len(found.cities) <= exposure.MAX_CITIES
    assert found.coverage is not None
    assert [land.code for land, _ in found.coverage.countries] == ["US"]
    assert 0.7 < found.coverage.share < 0.85


def test_off_choshi_nobody_in_tokyo_is_counted_twice() -> None:
    choshi = dataclasses.replace(NAPA, latitude=35.7, longitude=141.1, magnitude=7.3, depth_km=30.0)
    people = exposure.classes_of_people(choshi)
    assert people is not None
    assert sum(one.people for one in people if one.number >= 6) < 43_600_000, "all of Kantō in the census of 2020"
    names = [one.city.name for one in exposure.exposure(choshi).cities]
    assert not {"Setagaya", "Adachi", "Ōta"} & set(names)


@pytest.mark.parametrize(("magnitude", "depth_km"), [(4.2, None), (6.0, 11.1), (7.8, 35.0), (9.1, 0.0)])
def test_rings_are_where_the_classes_begin(magnitude: float, depth_km: float | None) -> None:
    quake = dataclasses.replace(NAPA, magnitude=magnitude, depth_km=depth_km)
    found = exposure.rings(quake)
    assert [one.number for one in found] == sorted((one.number for one in found), reverse=True)
    assert found[-1].number == exposure.LEAST_CLASS
    assert sorted(one.radius_km for one in found) == [one.radius_km for one in found]
    for one in found:
        at_the_edge = expected(quake, one.radius_km)
        assert at_the_edge is not None
        assert at_the_edge.mmi == pytest.approx(one.number - 0.5, abs=0.01)


def test_there_are_no_rings_without_an_estimate() -> None:
    assert exposure.exposure(DEEP).rings == ()
    assert exposure.exposure(dataclasses.replace(NAPA, magnitude=None)).rings == ()
    assert exposure.exposure(PACIFIC).rings != (), "nobody is there, and it shakes all the same"


def test_priority_orders_by_who_is_shaken() -> None:
    def of(*classes: tuple[int, int]) -> float:
        return exposure.priority_of(exposure.ClassOfPeople(number, people, 1) for number, people in classes)

    assert of((7, 1000)) == pytest.approx(math.log10(1001))
    assert of((8, 100)) == pytest.approx(of((7, 1000)))
    assert of((6, 10_000)) == pytest.approx(of((7, 1000)))
    assert of((3, 10_000_000)) == 0.0
    assert of() == 0.0
    near, sea = exposure.priority(NAPA), exposure.priority(PACIFIC)
    assert near is not None
    assert sea is not None
    assert near > 3.0 > sea
    assert exposure.priority(DEEP) is None
    assert exposure.exposure(DEEP) == exposure.Exposure((), (), None)
    assert exposure.priority(dataclasses.replace(NAPA, magnitude=None)) is None


SITES = [
    Site(name="=cmd()", latitude=38.3, longitude=-122.3, value=2_000_000.5),
    Site(name="Far, away", latitude=38.2, longitude=-110.0, value=5_000_000),
    Site(name="Near", latitude=38.22, longitude=-122.31),
]


def test_a_portfolio_by_site_and_by_class() -> None:
    shaken = exposure.shaken_sites(SITES, NAPA)
    assert [one.site.name for one in shaken] == ["Near", "=cmd()", "Far, away"]
    classes = exposure.classes_of_sites(shaken)
    assert sum(one.sites for one in classes) == 3
    assert sum(one.value for one in classes) == pytest.approx(7_000_000.5)
    assert classes[0].number > classes[-1].number
    rows = list(csv.DictReader(io.StringIO(exposure.as_csv(shaken, NAPA))))
    assert [row["name"] for row in rows] == ["Near", "'=cmd()", "Far, away"]
    assert rows[0]["value"] == ""
    assert rows[1]["value"] == "2000000.5"
    assert float(rows[0]["intensity_low"]) < float(rows[0]["intensity"]) < float(rows[0]["intensity_high"])
    assert rows[0]["class"] == classes[0].roman
    assert {(row["earthquake"], row["mode"]) for row in rows} == {("eq_napa", "actual")}
    deep = exposure.shaken_sites(SITES, DEEP)
    assert exposure.classes_of_sites(deep) == ()
    assert all(row["intensity"] == "" for row in csv.DictReader(io.StringIO(exposure.as_csv(deep, DEEP))))


def test_how_often_a_site_was_shaken() -> None:
    at = (38.3, -122.3)
    years = [
        dataclasses.replace(NAPA, id=f"eq_{n}", magnitude=m, time_ms=n * 100 * DAY_MS)
        for n, m in enumerate((3, 5, 6, 7))
    ]
    gone = dataclasses.replace(NAPA, magnitude=8.0, status="deleted", time_ms=DAY_MS)
    later = dataclasses.replace(NAPA, magnitude=8.0, time_ms=round(10 * hindsight.YEAR_MS) + 1)
    found = hindsight.exceedances(*at, [*years, gone, later, DEEP], 0, round(10 * hindsight.YEAR_MS))
    by_class = {one.number: one.times for one in found}
    for number, times in by_class.items():
        expected_mmi = [e.mmi for q in years if (e := expected(q, hindsight.distance_km(*at, q.latitude, q.longitude)))]
        assert times == sum(mmi >= number - 0.5 for mmi in expected_mmi)
    assert by_class[3] >= by_class[7] >= 1
    assert found[0].per_year == pytest.approx(found[0].times / 10)
    assert all(one.strongest.magnitude == 7 for one in found)
    with pytest.raises(ValueError, match="before"):
        hindsight.exceedances(*at, [], 5, 4)
    young = hindsight.exceedances(*at, years, 0, round(0.9 * hindsight.YEAR_MS))
    assert [one.per_year for one in young] == [None] * len(young)


def test_what_would_have_fired() -> None:
    place = {"kind": "circle", "latitude": 38.3, "longitude": -122.3}
    document = {"where": place, "what": {"min_intensity": 5}, "how": {"channels": [{"channel": "console"}]}}
    shock = dataclasses.replace(NAPA, id="eq_2", magnitude=7.3, time_ms=NAPA.time_ms + DAY_MS)
    after = dataclasses.replace(NAPA, id="eq_3", magnitude=5.0, time_ms=NAPA.time_ms + 2 * DAY_MS)
    others = [
        dataclasses.replace(NAPA, id="eq_4", status="deleted"),
        dataclasses.replace(NAPA, id="eq_5", mode="exercise"),
        dataclasses.replace(NAPA, id="eq_6", magnitude=3.0),
    ]
    found = hindsight.would_have_fired(parse(document), [NAPA, shock, after, *others])
    assert [one.quake.id for one in found] == ["eq_3", "eq_2", "eq_napa"]
    document["how"] |= {"exclude_aftershocks": True}
    assert [one.quake.id for one in hindsight.would_have_fired(parse(document), [after, shock, NAPA])] == [
        "eq_2",
        "eq_napa",
    ]


def test_a_scenario_is_an_exercise_through_and_through() -> None:
    event = scenario.made_up("drill-1", 7.0, 37.8, -122.2, 8.0, NAPA.time_ms)
    assert (event.mode, event.source) == ("exercise", "scenario")
    assert event.place
    assert event.place.startswith("Exercise: ")
    found = scenario.run(event, {"mine": SITES})
    assert found.quake.mode == "exercise"
    assert found.exposure.classes[0].number >= 8
    assert [one.site.name for one in found.portfolios["mine"]][-1] == "Far, away"
    assert sum(one.sites for one in found.classes_of_sites("mine")) == 3
    with pytest.raises(ValueError, match="a scenario has 3 to"):
        scenario.made_up("drill-2", 10.0, 37.8, -122.2, 8.0, 0)
    with pytest.raises(Rejected, match="latitude"):
        scenario.made_up("drill-3", 7.0, 97.8, -122.2, 8.0, 0)
