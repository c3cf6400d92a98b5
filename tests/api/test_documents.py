"""What the API is described to send is what the catalogue makes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from quakestream.api.documents import Change, Earthquake, EarthquakeDetail
from quakestream.catalog import EarthquakeFilter, LoggedEvent, LogPartition
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import from_document

NOW_MS = 1_700_000_000_000


def test_documents_are_as_described(tmp_path: Path) -> None:
    document = {
        "id": "us1",
        "source": "us",
        "magnitude": None,
        "location": {"latitude": 1.0, "longitude": 2.0},
        "timestamp": NOW_MS - 1000,
        "updated": NOW_MS,
        "mode": "actual",
        "place": "Here",
        "strange": {"kept": True},
    }
    revised = document | {"magnitude": 5.1, "updated": NOW_MS + 1, "status": "reviewed", "ids": ["x"]}
    with contextlib.closing(SqliteCatalog(tmp_path / "catalogue.sqlite")) as catalog:
        claim = catalog.claim(LogPartition("log", "topic", "topic-id", 0, "group"))
        for offset, one in enumerate((document, revised), 1):
            event = from_document(one, now_ms=NOW_MS)
            catalog.ingest(claim, [LoggedEvent(event, NOW_MS)], offset, NOW_MS)
        changes = [json.loads(change.encode()) for change in catalog.changes(0)]
        assert [Change.model_validate(change).type for change in changes] == ["created", "updated"]
        (listed,) = (Earthquake.model_validate_json(one) for one in catalog.earthquakes(EarthquakeFilter()).earthquakes)
        assert listed.model_extra is not None
        assert listed.model_extra["strange"] == {"kept": True}
        whole = catalog.earthquake(listed.id)
    detail = EarthquakeDetail.model_validate(whole, strict=True)
    assert detail.magnitude == 5.1
    assert [step.what for step in detail.history] == ["created", "updated"]
    assert detail.solutions[0].place == "Here"
