"""People are counted once: no more in a metropolis than live there, no more in a country than it has."""

from __future__ import annotations

import math

import pytest

from quakestream.seismology import places

AGGLOMERATIONS = [
    # United Nations, World Urbanization Prospects, the 2018 revision, file 12: agglomerations in 2020, thousands
    ("Tokyo", 35.69, 139.69, 37_393),
    ("Shanghai", 31.22, 121.46, 27_058),
    ("São Paulo", -23.55, -46.64, 22_043),
    ("Mexico City", 19.43, -99.13, 21_782),
    ("Cairo", 30.06, 31.25, 20_901),
    ("Beijing", 39.91, 116.40, 20_463),
    ("Mumbai", 19.07, 72.88, 20_411),
    ("Osaka", 34.69, 135.50, 19_165),
    ("New York", 40.71, -74.01, 18_804),
    ("Istanbul", 41.01, 28.95, 15_190),
    ("Lagos", 6.45, 3.39, 14_368),
    # Office for National Statistics, census of 2011: Greater London 8,174 and 2,500 around it within 40 km, and growth
    ("London", 51.51, -0.13, 10_800),
    ("Moscow", 55.75, 37.62, 12_538),
    ("Paris", 48.85, 2.35, 11_017),
    ("Bangkok", 13.75, 100.50, 10_539),
    ("Lima", -12.04, -77.03, 10_719),
    ("Bogotá", 4.61, -74.08, 10_978),
    ("Tehran", 35.69, 51.42, 9_135),
    ("Santiago", -33.46, -70.65, 6_767),
    ("Madrid", 40.42, -3.70, 6_618),
    ("Guadalajara", 20.67, -103.35, 5_179),
    ("Melbourne", -37.81, 144.96, 4_968),
    ("Auckland", -36.85, 174.76, 1_607),
    ("Dakar", 14.69, -17.44, 3_140),
    ("Santo Domingo", 18.47, -69.89, 3_318),
]
LATER = "the places' figures are of later years than the total"
ROUND = "by 1 % or less"
OF_MORE = "figures of municipalities, and of villages in them whose unit is not known"
ABOVE = {
    "AE": LATER,
    "AW": ROUND,
    "AX": ROUND,
    "BQ": LATER,
    "EH": LATER,
    "FI": OF_MORE,
    "GF": LATER,
    "LI": ROUND,
    "MO": "the city is the country, and its figure is a later one",
    "MP": "Saipan has the island's figure, San Jose one that is too large",
    "MT": LATER,
    "PM": LATER,
    "RE": LATER,
    "RO": OF_MORE,
    "SG": "the city is the country, rounded",
    "SH": "Georgetown and Edinburgh of the Seven Seas have figures that are too large",
}
"""Countries whose places have more people than the country, and why."""


@pytest.mark.parametrize(("name", "latitude", "longitude", "thousands"), AGGLOMERATIONS)
def test_a_metropolis_has_no_more_people_than_live_there(
    name: str, latitude: float, longitude: float, thousands: float
) -> None:
    _, people = places.people_within(latitude, longitude, 40.0)
    assert 0.6 * thousands < people.sum() / 1000.0 < 1.1 * thousands, name


def test_a_country_has_no_more_people_in_places_than_it_has() -> None:
    cities = places._cities()
    above = {}
    for code in cities.country_codes:
        known, total = places.people_known(code)
        if known > total:
            above[code] = known / max(1, total)
    assert set(above) == set(ABOVE)
    assert max(above.values()) < 1.4
    sums = [places.people_known(code)[0] for code in cities.country_codes]
    assert sum(sums) == cities.population[cities.counted].sum()


def test_the_same_people_are_not_in_two_places_at_one_point() -> None:
    cities = places._cities()
    seen: dict[tuple[int, int, int, str], int] = {}
    for number in cities.counted.nonzero()[0].tolist():
        if cities.population.item(number) >= 1000:
            at = (cities.latitude.item(number), cities.longitude.item(number), cities.population.item(number))
            assert seen.setdefault((*at, cities.name(number)), number) == number


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ((35.69, 139.69, "Tokyo"), {"Setagaya", "Adachi", "Edogawe"}),
        ((40.71, -74.01, "New York City"), {"Brooklyn", "Queens", "The Bronx", "Manhattan", "Staten Island"}),
        ((51.51, -0.13, "London"), {"Islington", "Croydon", "City of Westminster"}),
        ((22.28, 114.17, "Hong Kong"), {"Kowloon", "Sha Tin", "Victoria"}),
        ((31.22, 121.46, "Shanghai"), {"Pudong", "Puxi", "Minhang"}),
        ((47.50, 19.04, "Budapest"), {"Pest", "Buda", "Újpest"}),
        ((-33.46, -70.65, "Santiago"), {"Ñuñoa", "Maipú", "La Pintana"}),
        ((50.85, 4.35, "Brussels"), {"Anderlecht", "Schaerbeek", "Ixelles"}),
        ((43.30, 5.38, "Marseille"), {"Marseille 13", "Marseille 08"}),
        ((9.54, -13.68, "Conakry"), {"Camayenne"}),
    ],
)
def test_sections_are_names_and_nobodys_people(whole: tuple[float, float, str], parts: set[str]) -> None:
    latitude, longitude, name = whole
    counted = {city.name for city in places.cities_within(latitude, longitude, 40.0, counted=True)}
    every = {city.name for city in places.cities_within(latitude, longitude, 40.0)}
    assert name in counted
    assert parts <= every
    assert not parts & counted


def test_cities_of_their_own_beside_a_metropolis_are_counted() -> None:
    for latitude, longitude, name in [
        (35.52, 139.72, "Kawasaki"),
        (43.59, -79.64, "Mississauga"),
        (14.65, 121.03, "Quezon City"),
        (48.86, 2.44, "Montreuil"),
        (40.73, -74.17, "Newark"),
        (23.03, 113.13, "Foshan"),
    ]:
        assert name in {city.name for city in places.cities_within(latitude, longitude, 10.0, counted=True)}


def test_a_section_still_names_the_place() -> None:
    assert places.describe(34.213, -118.537) == "1 km N of Reseda, California"


def test_how_many_of_the_countries_people_are_known() -> None:
    japan = places.coverage_within(35.7, 140.9, 300.0)
    assert japan is not None
    assert [(land.code, round(share, 1)) for land, share in japan.countries] == [("JP", 1.0)]
    assert japan.share == pytest.approx(japan.countries[0][1])
    border = places.coverage_within(47.5, 9.0, 200.0)
    assert border is not None
    shares = [share for _, share in border.countries]
    assert {"DE", "CH", "AT"} <= {land.code for land, _ in border.countries}
    assert min(shares) < border.share < max(shares)
    assert places.coverage_within(0.0, -140.0, 300.0) is None
    india = places.coverage_within(28.6, 77.2, 50.0)
    assert india is not None
    assert india.share < 0.4
    known, total = places.people_known("IN")
    assert math.isclose(india.share, known / total)
