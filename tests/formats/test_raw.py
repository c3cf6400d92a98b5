"""What can't be read comes with its bytes, as a document that the same reader takes: so a better one can try again."""

from __future__ import annotations

import io

import pytest

from quakestream import formats
from quakestream.formats import Problem

FEATURE = '{"type":"Feature","id":"%s","properties":{"mag":%s,"time":1,"updated":2},"geometry":{"coordinates":[%s]}}'
FAULTY = {
    "geojson": b'{"type":"FeatureCollection","features":['
    + ",".join([FEATURE % ("a", "1", "5,5,5"), FEATURE % ("b", "2", "5"), FEATURE % ("c", '"x"', "5,NaN,5")]).encode()
    + b"]}",
    "text": b"#EventID|Time|Latitude|Longitude|Magnitude\na|2020-01-01T00:00:00|1|1|1\nb|yesterday|1|1|1\nc|x\n",
    "text without a heading": b"a|2020-01-01T00:00:00|1|1|1|AA|CAT|CON|1|ML|4.2|AA|Somewhere near a coast\n" * 2
    + b"b|yesterday|1|1|1|AA|CAT|CON|1|ML|4.2|AA|Somewhere\nnear a coast\n",
    "quakeml": b'<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" xmlns="http://quakeml.org/xmlns/bed/1.2">'
    b'<eventParameters><event publicID="smi:x/y/aaaaa"/><event publicID="smi:x/y/bbbbb"><origin><time><value>n\xc3\xa4'
    b"</value></time></origin></event></eventParameters></q:quakeml>",
    "emsc": b'{"action":"update","data":{"properties":{"unid":"a","lat":1,"lon":1,"mag":1}}}\n'
    b'{"type":"Feature","properties":{"unid":"b"}}',
    "earthquakes": b'{"id":"a","seq":1}\nno JSON\n',
}


@pytest.mark.parametrize("document", FAULTY)
def test_the_bytes_of_a_problem_are_read_again_as_the_same_problem(document: str) -> None:
    form = document.partition(" ")[0]
    problems = [entry for entry in read(FAULTY[document], form) if isinstance(entry, Problem)]
    assert len(problems) == 2
    for problem in problems:
        (again,) = [entry for entry in read(problem.raw, form) if isinstance(entry, Problem)]
        assert again.reason == problem.reason
        assert len(problem.raw) < len(FAULTY[document]) + 60


def read(data: bytes, form: str) -> list[formats.Entry]:
    return list(formats.read(io.BytesIO(data), mode="actual", form=form))
