"""The interface is as its description says, on both databases: made-up requests, right ones and wrong ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, Final

import httpx
import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from quakestream.api.alerting.subscriptions import PATH
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.sizes import DATABASES, size, sized

KEY: Final = "0123456789abcdef"
CLIENT = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
BODIES_MEAN_MORE: Final = {
    *(PATH, f"{PATH}/preview", f"{PATH}/{{id_}}", f"{PATH}/{{id_}}/portfolio"),
    *("/fdsnws/event/1/query", "/fdsnws/event/1/count"),
}
"""A subscription names time zones, countries, regions and channels, which no schema lists; a CSV and lines none."""
PLACE: Final = ("latitude", "longitude")
OPAQUE: Final = {"cursor", "lastEventId", "Last-Event-ID", "asof"}


@pytest.fixture(scope="module", params=DATABASES)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("described")
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(folder / "catalogue.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with contextlib.closing(made) as catalog, Consumer(catalog, folder, alerts_token=KEY) as consumer:
        consumer.write("a1", "a2", "a3")
        yield consumer


def at_peace(query: dict[str, Any]) -> dict[str, Any]:
    """What OpenAPI can't say of parameters: which belong together, which of two is the greater, what a cursor is."""
    query = {name: value for name, value in query.items() if name not in OPAQUE}
    if {"latitude", "longitude"} <= query.keys() and {"minradius", "maxradius"} & query.keys():
        query = {name: value for name, value in query.items() if name not in {"minradiuskm", "maxradiuskm"}}
    else:
        query = {name: value for name, value in query.items() if name not in {"minradius", "maxradius"}}
    for side, other in (("minlongitude", "maxlongitude"), ("maxlongitude", "minlongitude")):
        if abs(float(query.get(side, 0))) > 180 and other not in query:
            del query[side]
    for name in ("magnitude", "depth", "latitude", "radius", "radiuskm"):
        least, most = f"min{name}", f"max{name}"
        if least in query and most in query:
            query[least], query[most] = sorted((query[least], query[most]), key=float)
    if {"starttime", "endtime"} <= query.keys():
        del query["endtime"]
    radius = {"minradiuskm", "maxradiuskm", "minradius", "maxradius"}
    if {bool(radius & query.keys()), *(name in query for name in PLACE)} == {True, False}:
        query = {name: value for name, value in query.items() if name not in {*radius, *PLACE}}
    beginnings = [name for name in ("since", "sinceTime", "snapshot") if query.get(name) not in {None, "false", False}]
    return {name: value for name, value in query.items() if name not in beginnings[1:]}


@sized
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_it_is_as_its_own_description_says(consumer: Consumer, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{consumer.url}/openapi.json")
    faults: list[str] = []
    for number, found in enumerate(schema.get_all_operations()):
        operation: Any = found.ok()
        if mode is GenerationMode.NEGATIVE and number % size(3, 1):  # test_bad_input.py has each parameter of lists
            continue
        fuzz(operation, mode, consumer.url, faults)
    assert not faults, "\n".join(faults[:20])


def fuzz(operation: Any, mode: GenerationMode, url: str, faults: list[str]) -> None:
    right = mode is GenerationMode.POSITIVE
    live = operation.path.endswith(("/stream", "/ws"))
    excluded = [negative_data_rejection]  # which sees the key as a wrong one
    if right and operation.path in BODIES_MEAN_MORE:
        excluded.append(positive_data_acceptance)

    @hypothesis.settings(
        max_examples=size(1, 6),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def call(case: Any) -> None:
        if right and case.query:
            circle_apart = "/shaking" in operation.path or "/scenario" in operation.path or "exceed" in operation.path
            case.query = case.query if circle_apart else at_peace(case.query)
        if live:
            answer = CLIENT.head(url + operation.path, params=case.query)
            expected = {426} if operation.path.endswith("/ws") else {200}
            if right and answer.status_code not in expected:
                faults.append(f"{operation.label}: {answer.status_code} for {case.query}")
            return
        try:
            case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, timeout=20, excluded_checks=excluded)
        except FailureGroup as failures:
            faults.extend(f"{operation.label} {case.query}: {failure}" for failure in failures.exceptions)

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing about it can be wrong
        call()


@sized
def test_a_text_is_refused_just_where_its_description_says_so(consumer: Consumer) -> None:
    """Whatever is blank to one kind of regular expressions alone, and a NUL beside other letters."""
    schema = CLIENT.get(f"{consumer.url}/openapi.json").json()
    texts = [
        "",
        " ",
        "a",
        " a ",
        "a\n",
        "\n",
        "\x1c",
        "\x85",
        "\ufeff",
        "\xa0",
        "\u3000",
        "\u180e",
        "\u200b",
        "\x00",
        "a\x00",
        "\x00a",
    ]
    texts += ["é" * 200, "é" * 201, "\U0001f30b", "\x1f\x7f", "%", "'", "\ufffd"]
    names = 0
    for path, operations in schema["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
            described = [
                one
                for one in parameter["schema"].get("anyOf", [parameter["schema"]])
                if "\\s" in one.get("pattern", "")
            ]
            if not described or path.endswith(("/stream", "/ws")) or "{" in path:
                continue
            names += 1
            valid = jsonschema_rs.validator_for(described[0])
            circle = {"latitude": 1, "longitude": 2}
            for text in texts[names % size(3, 1) :: size(3, 1)]:
                for by_python in (bool(re.search(described[0]["pattern"], text)) and len(text) <= 200,):
                    assert by_python is valid.is_valid(text), (path, parameter["name"], text)
                answer = CLIENT.get(
                    consumer.url + path, params=(circle if "shaking" in path else {}) | {parameter["name"]: text}
                )
                assert (answer.status_code < 400) is valid.is_valid(text), (path, parameter["name"], text, answer.text)
    assert names > 8


NUL_PATHS = [
    "/alerts/confirm/%00",
    "/alerts/unsubscribe/a%00",
    "/api/v1/earthquakes/%00",
    "/api/v1/earthquakes/usgs:a%00b/shaking?latitude=1&longitude=2",
    "/api/v1/earthquakes/a%00/map.png",
    "/api/v1/earthquakes/a%00/exposure",
    "/api/v1/subscriptions/%00",
    "/api/v1/subscriptions/%00/notifications",
    "/api/v1/subscribers/%00",
    "/feeds/cap/%00.xml",
    "/assets/%00",
    "/%00",
    "/api/v1/earthquakes?cursor=%00",
    "/api/v1/earthquakes?%00=1",
    "/api/v1/earthquakes/stream?since=%00",
    "/api/v1/earthquakes/stream?lastEventId=%00",
    "/api/v1/subscriptions?subscriber=%00",
    "/api/v1/subscriptions?after=a%00",
    "/api/v1/notifications?earthquake=%00",
    "/api/v1/addresses?address=abc%00",
    "/api/v1/notifications?before=99999999999999999999",
    "/api/v1/earthquakes?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5Ljk5OTk5OTk5OTk5OTk5OTk5OTk5",
]


@pytest.mark.parametrize("target", NUL_PATHS)
def test_a_nul_is_refused(consumer: Consumer, target: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        answer = CLIENT.request(method, consumer.url + target, headers={"Authorization": f"Bearer {KEY}"})
        assert 400 <= answer.status_code < 500, (method, answer.text)


SUBSCRIPTION = (
    b'{"name": "%s", "where": {"kind": "circle", "latitude": 1, "longitude": 2, "radius_km": 9},'
    b' "what": {"min_magnitude": 3}, "how": {"channels": [{"channel": "webhook", "url": "https://93.184.216.34/"}]}}'
)
NO_TEXTS = {
    "a NUL": b"a\\u0000b",
    "a NUL as it is": b"a\x00b",
    "half of a pair": b"a\\ud800b",
    "the other half": b"\\udfffb",
    "the wrong way round": b"\\udc00\\ud800",
    "half of a pair as bytes": b"\xed\xa0\x80",
    "no UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("kind", NO_TEXTS)
def test_what_is_no_text_is_refused(consumer: Consumer, kind: str) -> None:
    text = NO_TEXTS[kind]
    key = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    csv = b"name,latitude,longitude,within_km\n" + text + b",1,2,3\n"
    for method, path, body in (
        ("POST", "/api/v1/subscriptions", SUBSCRIPTION % text),
        ("POST", "/api/v1/subscriptions/preview", SUBSCRIPTION % text),
        ("PUT", "/api/v1/subscriptions/x", SUBSCRIPTION % text),
        ("POST", "/api/v1/subscriptions", b'{"%s": 1}' % text),
        ("PUT", "/api/v1/subscriptions/x/portfolio", csv),
        ("POST", "/api/v1/subscriptions/x/snooze", b'{"%s": 1}' % text),
        ("POST", "/api/v1/subscriptions/x/snooze", b'{"until_ms": "%s"}' % text),
        ("POST", "/api/v1/notifications/resend", b'{"keys": ["%s"]}' % text),
        ("POST", "/api/v1/drills", b'{"magnitude": "%s"}' % text),
    ):
        answer = CLIENT.request(method, consumer.url + path, content=body, headers=key)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        answer.json()
    escaped = CLIENT.post(f"{consumer.url}/api/v1/subscriptions", content=SUBSCRIPTION % b"a\\\\u0000b", headers=key)
    assert escaped.status_code == 201, "a backslash and a word are a text"


def test_no_reference_leads_nowhere(consumer: Consumer) -> None:
    description = CLIENT.get(f"{consumer.url}/openapi.json").json()

    def walk(one: Any) -> Iterator[str]:
        if isinstance(one, dict):
            yield from [one["$ref"]] if isinstance(one.get("$ref"), str) else []
            for value in one.values():
                yield from walk(value)
        elif isinstance(one, list):
            for value in one:
                yield from walk(value)

    assert "$defs" not in str(description)
    for reference in walk(description):
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in description["components"]["schemas"]


def test_a_source_s_further_fields_may_have_what_no_text_has(consumer: Consumer) -> None:
    """What a partner puts on the stream stops nothing, and is given out again."""
    consumer.write("n1", note={"a\0b": "c\0d", "deep": ["\0"]}, place="by the\0sea")
    answer = CLIENT.get(f"{consumer.url}/api/v1/earthquakes/usgs:n1")
    assert answer.status_code == 200
    assert answer.json()["note"] == {"a\0b": "c\0d", "deep": ["\0"]}
