"""Every parameter of lists, wrong in every way: never a 500, and the answer names it."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import zlib
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from quakestream.api.fdsn_parameters import FdsnParameters
from quakestream.api.parameters import ALIASES, ListParameters
from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.sizes import LONG as LONG_RUN
from tests.sizes import sized

FDSN: Final = "/fdsnws/event/1/query"
OURS: Final = "/api/v1/earthquakes"
LONG: Final = 100_000
WRONG: Final = ("", "x", "1e999", "nan", "-inf", "\u0663", "true;", "1,2", "[]", "9" * 400, "\x00", "\ud800")
"""Of a type or a range that no number, time or choice has."""
NAMED: Final = ("", "\x00", "x" * 201)
"""What a parameter that takes any name refuses."""
NAMES: Final = {"eventid", "catalog", "contributor", "magnitudetype", "eventtype", "source"}
TAKEN: Final = {"limit": "10", "offset": "1", "orderby": "time", "format": "text", "mode": "actual", "asof": "1"}
GOOD: Final[dict[str, str]] = TAKEN | {
    "starttime": "2018-02-06",
    "endtime": "2018-02-07T01:00:00",
    "updatedafter": "2018-01-01",
    "minmagnitude": "5",
    "maxmagnitude": "6",
    "mindepth": "0",
    "maxdepth": "700",
    "nodata": "404",
    "minlatitude": "-1",
    "maxlatitude": "1",
    "minlongitude": "170",
    "maxlongitude": "-170",
    "includeallorigins": "true",
    "includeallmagnitudes": "false",
    "includearrivals": "TRUE",
    "includesuperseded": "false",
    "includedeleted": "only",
    "eventid": "usgs:a1",
    "catalog": "usgs",
    "source": "usgs",
    "contributor": "us",
    "magnitudetype": "mww",
    "eventtype": "earthquake,quarry blast",
}
CIRCLE: Final = {"latitude": "1", "longitude": "2", "maxradius": "3", "minradius": "1"}
CIRCLE_KM: Final = {"latitude": "1", "longitude": "2", "maxradiuskm": "300", "minradiuskm": "1"}
CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
OF: Final = {FDSN: sorted(FdsnParameters.model_fields), OURS: sorted(ListParameters.model_fields)}


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("bad")
    with contextlib.closing(SqliteCatalog(folder / "catalogue.sqlite3")) as catalog, Consumer(catalog, folder) as one:
        one.write("a1", "a2")
        yield one


def _quoted(text: str) -> str:
    """As a client writes what is no text, too."""
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _get(consumer: Consumer, path: str, *pairs: tuple[str, str]) -> httpx.Response:
    query = "&".join(f"{name}={_quoted(value)}" for name, value in pairs)
    return CLIENT.get(f"{consumer.url}{path}?{query}")


def _status(consumer: Consumer, target: str) -> int:
    """Of an address longer than httpx sends."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", consumer.port, timeout=20)) as connection:
        connection.request("GET", target)
        return connection.getresponse().status


def _post(consumer: Consumer, *pairs: tuple[str, str]) -> httpx.Response:
    lines = "\n".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")
    return CLIENT.post(f"{consumer.url}{FDSN}", content=lines)


def _answers(consumer: Consumer, path: str, *pairs: tuple[str, str]) -> Iterator[httpx.Response]:
    """By every way to ask; in `make test` by one of them, another one for other pairs."""
    ways = [lambda: _get(consumer, path, *pairs)]
    if path == FDSN:
        ways.append(lambda: _get(consumer, FDSN.replace("query", "count"), *pairs))
        ways.append(lambda: _post(consumer, *pairs))
    if not LONG_RUN:
        ways = [ways[zlib.crc32(repr(pairs).encode()) % len(ways)]]
    yield from (way() for way in ways)


@sized
@pytest.mark.parametrize("path", [FDSN, OURS])
def test_each_parameter_of_a_wrong_type_or_range_is_named(consumer: Consumer, path: str) -> None:
    for name, wrong in itertools.product(OF[path], WRONG):
        if name == "cursor" or (name in NAMES and wrong not in NAMED):
            continue
        for answer in _answers(consumer, path, (name, wrong)):
            _is_refused(answer, path, name, (name, wrong))


def _is_refused(answer: httpx.Response, path: str, name: str, what: Any) -> None:
    assert answer.status_code in ({400} if path == FDSN else {400, 422}), (what, answer.text)
    if path == FDSN:
        assert answer.headers["content-type"].startswith("text/plain"), what
    assert name in answer.text or ALIASES.get(name, name) in answer.text, (what, answer.text)


@sized
@pytest.mark.parametrize("path", [FDSN, OURS])
def test_each_parameter_given_twice_is_named_also_by_its_other_name(consumer: Consumer, path: str) -> None:
    short = {whole: alias for alias, whole in ALIASES.items()}
    for name in OF[path]:
        value = (GOOD | CIRCLE | CIRCLE_KM).get(name, "1")
        for answer in _answers(consumer, path, (name, value), (name, value)):
            _is_refused(answer, path, name, name)
        if name in short:
            for answer in _answers(consumer, path, (name, value), (short[name], value)):
                _is_refused(answer, path, name, name)


@pytest.mark.parametrize("path", [FDSN, OURS])
def test_what_is_unknown_is_named(consumer: Consumer, path: str) -> None:
    for name in ("colour", "minMagnitude", "min_magnitude", "starttime[]", "includefoo", "x" * 300):
        for answer in _answers(consumer, path, (name, "1")):
            _is_refused(answer, path, name[:40], name)


@pytest.mark.parametrize("path", [FDSN, OURS])
def test_each_parameter_much_too_long_is_refused(consumer: Consumer, path: str) -> None:
    for name, letter in itertools.product(OF[path], "a9"):
        assert _status(consumer, f"{path}?{name}={letter * LONG}") == 414
        if path == FDSN:
            assert _post(consumer, (name, letter * LONG)).status_code in {400, 413}
            assert _post(consumer, (name, letter * 20_000)).status_code in {400, 413}


@sized
def test_the_documented_valid_is_taken(consumer: Consumer) -> None:
    for path, names in OF.items():
        for name, value in GOOD.items():
            if name in names or (name in ALIASES and path == FDSN) or name == "catalog":
                answers = _answers(consumer, path, (name, value))
                assert {answer.status_code for answer in answers} <= {200, 204, 404}, (path, name)
        for circle in (CIRCLE, CIRCLE_KM):
            for answer in _answers(consumer, path, *circle.items()):
                assert answer.status_code in {200, 204}, (path, circle, answer.text)
        for alias, whole in ALIASES.items():
            if whole in GOOD and not whole.endswith("longitude"):
                assert _get(consumer, path, (alias, GOOD[whole])).status_code in {200, 204}, (path, alias)


AT_ODDS: Final = [
    ({"minmagnitude": "6", "maxmagnitude": "5"}, "maxmagnitude"),
    ({"mindepth": "6", "maxdepth": "5"}, "maxdepth"),
    ({"minlatitude": "6", "maxlatitude": "5"}, "maxlatitude"),
    ({"starttime": "2020-01-02", "endtime": "2020-01-01"}, "endtime"),
    ({"latitude": "1"}, "circle"),
    ({"latitude": "1", "longitude": "1"}, "circle"),
    ({"maxradius": "1"}, "circle"),
    ({"minradius": "1", "longitude": "2"}, "circle"),
    (CIRCLE | {"maxradius": "0.5"}, "maxradius"),
    (CIRCLE_KM | {"minradiuskm": "301"}, "maxradiuskm"),
    (CIRCLE | {"maxradiuskm": "10"}, "not both"),
    ({"minlongitude": "-190"}, "maxlongitude"),
    ({"maxlongitude": "181"}, "minlongitude"),
]


@pytest.mark.parametrize("path", [FDSN, OURS])
def test_what_is_at_odds_is_named(consumer: Consumer, path: str) -> None:
    for given, said in AT_ODDS:
        for answer in _answers(consumer, path, *given.items()):
            assert answer.status_code in {400, 422}, (given, answer.text)
            assert said in answer.text, (given, answer.text)
