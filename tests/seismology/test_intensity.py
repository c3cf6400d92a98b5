from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quakestream.seismology import intensity
from quakestream.seismology.intensity import Model

MODELS: tuple[Model, Model] = ("allen-2012", "atkinson-wald-2007")


@pytest.mark.parametrize(("magnitude", "km", "mmi"), [(5.0, 10.0, 5.9736), (6.0, 100.0, 4.2486), (7.0, 50.0, 6.5369)])
def test_active_crust_gives_the_published_check_values(magnitude: float, km: float, mmi: float) -> None:
    assert intensity.active_crust_mmi(magnitude, km) == pytest.approx(mmi, abs=5e-5)
    assert intensity.mmi("allen-2012", magnitude, km) == intensity.active_crust_mmi(magnitude, km)


@pytest.mark.parametrize(("magnitude", "km"), [(5.0, 10.0), (5.8, 60.0), (6.5, 200.0), (7.5, 500.0)])
def test_stable_continent_is_the_equation_term_by_term(magnitude: float, km: float) -> None:
    r = math.sqrt(km**2 + 17**2)
    b = 0.0 if r <= 80 else math.log10(r / 80)
    terms = [
        11.72,
        2.36 * (magnitude - 6),
        0.1155 * (magnitude - 6) ** 2,
        -0.44 * math.log10(r),
        -0.002044 * r,
        2.31 * b,
        -0.479 * magnitude * math.log10(r),
    ]
    assert intensity.stable_continent_mmi(magnitude, km) == pytest.approx(sum(terms), abs=1e-12)


def test_a_stable_continent_shakes_farther_than_active_crust() -> None:
    assert intensity.stable_continent_mmi(6.0, 200.0) - intensity.active_crust_mmi(6.0, 200.0) > 1.0


def test_sigma_shrinks_with_distance() -> None:
    assert intensity.sigma(0.0) == pytest.approx(1.19)
    assert intensity.sigma(22.9) == pytest.approx(1.005)
    assert intensity.sigma(1e6) == pytest.approx(0.82)


def test_a_subscriber_100_km_away_is_alerted_of_m_6_and_not_of_m_4() -> None:
    six = intensity.estimate("allen-2012", 6.0, 100.0, 10.0)
    four = intensity.estimate("allen-2012", 4.0, 100.0, 10.0)
    assert six
    assert four
    assert six.mmi >= 4.0 > four.high
    assert six.low == pytest.approx(six.mmi - six.sigma)
    assert six.high == pytest.approx(six.mmi + six.sigma)
    assert not six.extrapolated
    assert four.extrapolated


def test_what_is_outside_the_data_is_marked() -> None:
    def extrapolated(magnitude: float, km: float, depth_km: float = 10.0) -> bool:
        found = intensity.estimate("allen-2012", magnitude, km, depth_km)
        assert found
        return found.extrapolated

    assert not extrapolated(5.0, 0.0)
    assert not extrapolated(7.9, 299.0)
    assert extrapolated(4.9, 10.0)
    assert extrapolated(8.0, 10.0)
    assert extrapolated(7.0, 300.0, 10.0)  # the hypocentre is farther than the epicentre


@pytest.mark.parametrize("model", MODELS)
def test_a_deep_earthquake_has_no_estimate(model: Model) -> None:
    assert intensity.estimate(model, 7.0, 10.0, 70.0)
    assert intensity.estimate(model, 7.0, 10.0, 70.01) is None
    assert intensity.radius_km(model, 7.0, 600.0, 4.0) is None


def test_unknown_and_negative_depths() -> None:
    assert intensity.estimate("allen-2012", 6.0, 20.0, None) == intensity.estimate("allen-2012", 6.0, 20.0, 10.0)
    assert intensity.estimate("allen-2012", 6.0, 20.0, -2.0) == intensity.estimate("allen-2012", 6.0, 20.0, 0.0)


@given(
    st.sampled_from(MODELS),
    st.floats(-10, 12),
    st.floats(0, 20015),
    st.one_of(st.none(), st.floats(-100, 70)),
)
def test_every_estimate_is_on_the_scale(model: Model, magnitude: float, km: float, depth_km: float | None) -> None:
    found = intensity.estimate(model, magnitude, km, depth_km)
    assert found
    assert 1.0 <= found.low <= found.mmi <= found.high <= 10.0
    assert intensity.intensity_class(found.mmi) in intensity.CLASSES


@given(st.sampled_from(MODELS), st.floats(-2, 10), st.lists(st.floats(0, 20015), min_size=1, max_size=20))
def test_many_at_once_are_the_same_as_one_by_one(model: Model, magnitude: float, distances: list[float]) -> None:
    one_by_one = [intensity.mmi(model, magnitude, km) for km in distances]
    np.testing.assert_allclose(intensity.mmi_values(model, magnitude, distances), one_by_one, rtol=0, atol=1e-9)


@example(model="allen-2012", magnitude=9.5, depth_km=0.0, mmi=2.0)
@given(st.sampled_from(MODELS), st.floats(2, 9.5), st.floats(0, 70), st.floats(2, 9))
def test_the_radius_is_where_the_intensity_ends(model: Model, magnitude: float, depth_km: float, mmi: float) -> None:
    radius_km = intensity.radius_km(model, magnitude, depth_km, mmi)
    distances = np.linspace(0.0, 20015.0, 4001)
    values = intensity.mmi_values(model, magnitude, np.hypot(distances, depth_km))
    if radius_km is None:
        assert (values < mmi).all()
    elif radius_km == intensity._HALF_EARTH_KM:  # it is felt all over the Earth
        assert intensity.mmi(model, magnitude, math.hypot(radius_km, depth_km)) >= mmi
    else:
        assert intensity.mmi(model, magnitude, math.hypot(radius_km, depth_km)) == pytest.approx(mmi, abs=1e-6)
        assert (values[distances > radius_km + 1e-6] < mmi).all()


def test_an_intensity_that_is_everywhere_reaches_half_around_the_earth() -> None:
    assert intensity.radius_km("allen-2012", 9.0, 10.0, -5.0) == pytest.approx(20015.0)


@pytest.mark.parametrize(
    ("place", "model"),
    [
        ((40.7, -74.0), "atkinson-wald-2007"),  # New York
        ((37.9, -77.9), "atkinson-wald-2007"),  # Mineral, Virginia
        ((36.4, -96.9), "atkinson-wald-2007"),  # Pawnee, Oklahoma
        ((-31.95, 115.9), "atkinson-wald-2007"),  # Perth
        ((34.0, -118.0), "allen-2012"),  # Los Angeles
        ((35.7, 139.7), "allen-2012"),  # Tokyo
        ((38.0, 23.7), "allen-2012"),  # Athens
        ((-33.4, -70.7), "allen-2012"),  # Santiago
        ((0.0, -150.0), "allen-2012"),  # in the Pacific
        ((66.0, 180.0), "allen-2012"),
    ],
)
def test_stable_continents(place: tuple[float, float], model: Model) -> None:
    assert intensity.model_at(*place) == model
    assert intensity.model_at(place[0], place[1] + 360.0) == model


def test_the_outlines_are_sound() -> None:
    continents = intensity._stable_continents()
    assert continents.is_valid
    assert continents.bounds[0] >= -180.0
    assert continents.bounds[2] <= 180.0


def test_an_estimate_at_a_site_uses_the_model_of_the_epicentre() -> None:
    found = intensity.estimate_at(5.8, 37.91, -77.94, 6.0, 38.9, -77.04)  # Virginia 2011, seen from Washington
    assert found
    assert found.model == "atkinson-wald-2007"
    assert intensity.intensity_class(found.mmi).roman in {"IV", "V"}
    assert intensity.estimate_at(7.0, -20.0, -178.0, 550.0, -20.0, -178.0) is None


@pytest.mark.parametrize(
    ("mmi", "roman", "shaking"),
    [
        (-3.0, "I", "Not felt"),
        (1.49, "I", "Not felt"),
        (1.5, "II", "Weak"),
        (3.5, "IV", "Light"),
        (4.49, "IV", "Light"),
        (5.97, "VI", "Strong"),
        (9.49, "IX", "Violent"),
        (9.5, "X+", "Extreme"),
        (12.0, "X+", "Extreme"),
    ],
)
def test_classes_and_words(mmi: float, roman: str, shaking: str) -> None:
    assert intensity.intensity_class(mmi)[:2] == (roman, shaking)
