from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.seismology import statistics
from quakestream.seismology.statistics import Etas, Shock, aftershock_days, b_value, magnitude, poisson

unit = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize("b", [0.8, 1.0, 1.2])
def test_magnitudes_have_the_b_value_that_was_asked_for(b: float) -> None:
    rng = random.Random(4)
    sizes = [magnitude(rng.random(), 2.0, 9.0, b) for _ in range(50_000)]
    estimate, error = b_value(sizes, 2.0)
    assert abs(estimate - b) < 4 * error
    assert error < 0.01
    rounded, _ = b_value([round(size + 0.05, 1) for size in sizes], 2.1, bin_width=0.1)
    assert abs(rounded - b) < 0.05


@settings(deadline=None)
@given(u=unit)
def test_magnitudes_stay_within_their_bounds(u: float) -> None:
    assert 2.5 <= magnitude(u, 2.5, 9.0) <= 9.0 + 1e-9


@settings(deadline=None)
@given(u=unit, p=st.sampled_from([0.8, 1.0, 1.1, 1.5]))
def test_aftershocks_come_within_their_time(u: float, p: float) -> None:
    assert -1e-9 <= aftershock_days(u, 10.0, p=p) <= 10.0 + 1e-9


@pytest.mark.parametrize("p", [1.0, 1.1])
def test_aftershocks_decay_as_omori_and_utsu_have_it(p: float) -> None:
    rng, c = random.Random(2), 0.01
    days = [aftershock_days(rng.random(), 100.0, c, p) for _ in range(40_000)]

    def expected(a: float, b: float) -> float:
        """The integral of (t + c)^−p."""
        return math.log((b + c) / (a + c)) if p == 1 else ((b + c) ** (1 - p) - (a + c) ** (1 - p)) / (1 - p)

    edges = [0, 0.01, 0.1, 1, 10, 100]
    for a, b in itertools.pairwise(edges):
        share = sum(a <= day < b for day in days) / len(days)
        assert share == pytest.approx(expected(a, b) / expected(0, 100), abs=0.01)


@pytest.mark.parametrize("mean", [0.0, 0.3, 5.0, 400.0])
def test_counts_have_their_mean_and_variance(mean: float) -> None:
    rng = random.Random(1)
    counts = [poisson(rng, mean) for _ in range(20_000)]
    average = sum(counts) / len(counts)
    assert average == pytest.approx(mean, rel=0.03, abs=0.01)
    assert sum((n - average) ** 2 for n in counts) / len(counts) == pytest.approx(mean, rel=0.05, abs=0.01)


def nowhere(model: Etas, seed: int, count: int) -> list[Shock[None]]:
    return list(itertools.islice(model.shocks(random.Random(seed), lambda _: None, lambda *_: None), count))


def test_the_rate_is_the_background_and_its_aftershocks() -> None:
    # With a largest magnitude that is often reached the mean settles soon.
    shocks = nowhere(Etas(largest=5.0, within_days=1.0), 1, 40_000)
    assert len(shocks) / shocks[-1].days == pytest.approx(1300, rel=0.05)
    children = sum(shock.parent is not None for shock in shocks)
    assert children / len(shocks) == pytest.approx(0.6, abs=0.03)
    assert [s.days for s in shocks] == sorted(s.days for s in shocks)


def test_a_larger_earthquake_has_more_aftershocks_and_the_mean_is_the_branching() -> None:
    model, rng = Etas(), random.Random(3)
    assert model.offspring(7) / model.offspring(6) == pytest.approx(10**model.alpha)
    mean = sum(model.offspring(magnitude(rng.random(), 2.5, 9.0)) for _ in range(400_000)) / 400_000
    assert mean == pytest.approx(model.branching, rel=0.15)


def test_sequences_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAX_PENDING", 50)
    shocks = nowhere(Etas(branching=0.99, alpha=0.5, largest=4.0), 1, 5000)
    assert len(shocks) == 5000
