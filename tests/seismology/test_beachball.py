"""Beach balls, against ObsPy's numbers and against the radiation itself."""

from __future__ import annotations

import math
import random
from typing import Final

import numpy as np
import pytest
import shapely
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline
from obspy.imaging import beachball as theirs

from quakestream.further import FocalMechanism, MomentTensor, NodalPlane, NodalPlanes, Tensor
from quakestream.seismology.beachball import (
    BeachBall,
    beach_ball,
    drawable,
    matrix_of,
    plane_matrix,
    svg_path,
    tensor_matrix,
)
from tests.sizes import size, sized

NAMES: Final = ("mrr", "mtt", "mpp", "mrt", "mrp", "mtp")
NET: Final = [
    (x, y) for x in np.linspace(-0.98, 0.98, 41) for y in np.linspace(-0.98, 0.98, 41) if x * x + y * y < 0.96
]


def tensor(*values: float) -> Tensor:
    return Tensor(**dict(zip(NAMES, values, strict=True)))


def moves_outwards(matrix: np.ndarray, x: float, y: float) -> float:
    """The radiation of P in the direction that stands there, as a part of the largest."""
    squared = x * x + y * y
    sine = math.sqrt(squared * (2.0 - squared))
    azimuth = math.atan2(x, y)
    ray = np.array([sine * math.cos(azimuth), sine * math.sin(azimuth), 1.0 - squared])
    return float(ray @ matrix @ ray / np.abs(np.linalg.eigvalsh(matrix)).max())


def is_dark(ball: BeachBall, x: float, y: float) -> bool:
    return bool(ball.is_dark ^ any(Outline(cap).contains_point((x, y)) for cap in ball.caps))


def wrong(matrix: np.ndarray) -> list[tuple[float, float]]:
    """Where the shade is not what the radiation says, but for the edge itself."""
    ball = beach_ball(matrix)
    assert ball is not None
    radiation = {(x, y): moves_outwards(matrix, x, y) for x, y in NET}
    return [at for at, amount in radiation.items() if abs(amount) > 0.01 and is_dark(ball, *at) != (amount > 0)]


SPECIAL: Final = {
    "strike-slip": (0, -1, 1, 0, 0, 0),
    "strike-slip at 45 degrees": (0, 0, 0, 0, 0, 1),
    "thrust": (1, -1, 0, 0, 0, 0),
    "normal": (-1, 0, 1, 0, 0, 0),
    "vertical dip-slip": (0, 0, 0, 1, 0, 0),
    "vertical dip-slip, east": (0, 0, 0, 0, -1, 0),
    "linear dipole upwards": (2, -1, -1, 0, 0, 0),
    "linear dipole inwards": (-2, 1, 1, 0, 0, 0),
    "linear dipole, lying": (-1, 2, -1, 0, 0, 0),
    "with a part of an explosion": (1.5, -0.4, 0.2, 0.3, 0.1, -0.6),
    "crack": (3, 1, 1, 0, 0, 0.2),
    "two outwards, one hardly inwards": (1, 1, -0.01, 0, 0, 0),
}


@pytest.mark.parametrize("values", SPECIAL.values(), ids=SPECIAL.keys())
def test_the_shade_is_what_the_radiation_says(values: tuple[float, ...]) -> None:
    assert wrong(tensor_matrix(tensor(*values))) == []


@sized
@pytest.mark.timeout(400)
def test_the_shade_is_what_the_radiation_says_of_any_tensor() -> None:
    chance = random.Random(7)
    for _ in range(size(5, 400)):
        assert wrong(tensor_matrix(tensor(*(chance.gauss(0, 1e18) for _ in NAMES)))) == []


@sized
@pytest.mark.timeout(400)
def test_the_shade_is_what_the_radiation_says_of_any_plane() -> None:
    chance = random.Random(8)
    for _ in range(size(4, 200)):
        plane = NodalPlane(strike=chance.uniform(0, 360), dip=chance.uniform(0, 90), rake=chance.uniform(-180, 180))
        assert wrong(plane_matrix(plane)) == []


def test_explosions_and_what_is_nothing() -> None:
    out, inwards = (beach_ball(np.eye(3) * sign) for sign in (1e15, -1e15))
    assert (out, inwards) == (BeachBall(True, ()), BeachBall(False, ()))
    assert beach_ball(np.zeros((3, 3))) is None
    assert beach_ball(np.full((3, 3), math.nan)) is None
    assert drawable([{}, {"focalMechanisms": "mine"}, {"focalMechanisms": [{"misfit": 1}]}]) is None


def test_a_plane_of_obspy_s_is_the_same_double_couple() -> None:
    chance = random.Random(9)
    for _ in range(50):
        plane = NodalPlane(strike=chance.uniform(0, 360), dip=chance.uniform(1, 89), rake=chance.uniform(-179, 179))
        m = plane_matrix(plane)
        # up, south, east of north, east, down
        moments = theirs.MomentTensor(m[2, 2], m[0, 0], m[1, 1], m[0, 2], -m[1, 2], -m[0, 1], 0)
        found = theirs.mt2plane(moments)
        again = plane_matrix(NodalPlane(strike=found.strike, dip=found.dip, rake=found.rake))
        assert again == pytest.approx(m, abs=1e-6)
        other = theirs.aux_plane(plane.strike, plane.dip, plane.rake)
        assert plane_matrix(NodalPlane(strike=other[0], dip=other[1], rake=other[2])) == pytest.approx(m, abs=1e-6)


def as_they_draw(drawn: tuple[list[str], list[Patch]], at: tuple[float, float]) -> bool:
    """The shade of a point in ObsPy's picture, whose patches lie one on the other."""
    on_it = [
        colour
        for colour, patch in zip(*drawn, strict=True)
        if patch.get_path().transformed(patch.get_patch_transform()).contains_point(at)
    ]
    return on_it[-1] == "b"


def test_tensors_are_drawn_as_obspy_draws_them() -> None:
    chance = random.Random(11)
    for _ in range(6):
        values = [chance.gauss(0, 1) for _ in NAMES]
        mean = sum(values[:3]) / 3  # it leaves out what is an explosion of it
        values[:3] = [value - mean for value in values[:3]]
        drawn = theirs.plot_mt(*theirs.mt2axes(theirs.MomentTensor(*values, 0)), size=200, width=2.0)
        ball = beach_ball(tensor_matrix(tensor(*values)))
        assert ball is not None
        assert sum(is_dark(ball, *at) == as_they_draw(drawn, at) for at in NET) / len(NET) > 0.99


def test_planes_are_drawn_as_obspy_draws_them() -> None:
    """Its polygons of double couples are coarser where a plane meets the horizon."""
    chance = random.Random(12)
    for _ in range(6):
        plane = NodalPlane(strike=chance.uniform(0, 360), dip=chance.uniform(5, 85), rake=chance.uniform(-175, 175))
        drawn = theirs.plot_dc(theirs.NodalPlane(plane.strike, plane.dip, plane.rake), size=200, width=2.0)
        ball = beach_ball(plane_matrix(plane))
        assert ball is not None
        assert sum(is_dark(ball, *at) == as_they_draw(drawn, at) for at in NET) / len(NET) > 0.95


def test_polygons_are_whole_and_within_the_disc() -> None:
    chance = random.Random(10)
    for _ in range(50):
        ball = beach_ball(tensor_matrix(tensor(*(chance.gauss(0, 1) for _ in NAMES))))
        assert ball is not None
        assert len(ball.caps) <= 2
        for cap in ball.caps:
            assert np.hypot(cap[:, 0], cap[:, 1]).max() < 1.0 + 1e-9
            assert shapely.Polygon(cap).buffer(1e-9).geom_type == "Polygon"


def test_a_tensor_goes_before_planes() -> None:
    plane = NodalPlane(strike=10, dip=45, rake=90)
    both = FocalMechanism(
        moment_tensor=MomentTensor(tensor=tensor(*SPECIAL["strike-slip"])), nodal_planes=NodalPlanes(nodal_plane2=plane)
    )
    assert matrix_of(both) == pytest.approx(tensor_matrix(tensor(*SPECIAL["strike-slip"])))
    assert matrix_of(FocalMechanism(nodal_planes=NodalPlanes(nodal_plane2=plane))) == pytest.approx(plane_matrix(plane))
    assert matrix_of(FocalMechanism(moment_tensor=MomentTensor(clvd=0.1))) is None
    ball = beach_ball(plane_matrix(plane))
    assert ball is not None
    path = svg_path(ball.caps[0], 10)
    assert path.startswith("M")
    assert path.endswith("Z")
    assert "e" not in path
