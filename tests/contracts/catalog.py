"""What every catalogue promises. Inherit `CatalogContract` and give it a `catalog` fixture and `reopen`."""

import itertools
import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import msgspec
import pytest

from quakestream.catalog import (
    Catalog,
    Cursor,
    EarthquakeFilter,
    Ingested,
    LoggedEvent,
    LogPartition,
    Orderby,
    StoredPosition,
)
from quakestream.catalog.matching import matches, standing_of
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.verifying import faults
from quakestream.errors import Fenced, Gap, OffsetLost, Rejected
from quakestream.event import EarthquakeEvent, encode, from_document
from quakestream.seismology.association import group
from quakestream.seismology.origin import origin_of
from quakestream.seismology.preference import preferred
from tests.sizes import later

NOW_MS = 1_700_000_000_000
PARTITION = LogPartition("log", "topic", "topic-id", 0, "group")


def event(id_: str = "a1", **fields: Any) -> EarthquakeEvent:
    """A report of an agency of its own; each id an hour from the others, so that it is an earthquake of its own."""
    document: dict[str, Any] = {
        "id": id_,
        "magnitude": 4.5,
        "location": {"latitude": 10.0, "longitude": 20.0, "depth": 5.0},
        "timestamp": NOW_MS - 3_600_000 * (1 + zlib.crc32(id_.encode()) % 100_000),
        "source": "usgs",
        "mode": "actual",
        "updated": NOW_MS - 30_000,
    }
    return from_document(document | fields, now_ms=NOW_MS)


TIME_MS = NOW_MS - 10_000_000
UPDATED_MS = NOW_MS - 5_000_000
LATER_MS = TIME_MS + 90_000
FAR = {"latitude": 46.39, "longitude": -118.9, "depth": 12.0}
"""What is told to be so late, or there, is another shock, but for a name that says otherwise."""


def shock(id_: str, **fields: Any) -> EarthquakeEvent:
    """A report of one earthquake in Nevada."""
    place = {"latitude": 38.39, "longitude": -118.9, "depth": 12.0}
    return event(id_, **({"timestamp": TIME_MS, "location": place, "updated": UPDATED_MS} | fields))


def tangle(chance: random.Random) -> list[EarthquakeEvent]:
    """Reports of a few shocks close to each other; revised, some wrong, some withdrawn.

    By several agencies; or, in a mode or in all, by a single one, which may get its second by a revision.
    """
    agencies = chance.choice([["nn", "nc", "us", "ci"], ["nn", "nc", "us", "ci"], ["us"]])
    drills = chance.choice([agencies, ["us"]])
    shocks = [(chance.randrange(400_000), chance.uniform(-1, 1), chance.uniform(1.5, 5)) for _ in range(6)]
    events = []
    for n in range(18):
        mode = chance.choice(["actual", "actual", "actual", "exercise"])
        agency = chance.choice(agencies if mode == "actual" else drills)
        for revision in range(chance.choice([1, 1, 2, 3])):
            after_ms, offset, magnitude = chance.choice(shocks) if revision == 2 else shocks[n % len(shocks)]
            events.append(
                shock(
                    f"{agency}{n}",
                    mode=mode,
                    timestamp=TIME_MS + after_ms + chance.randrange(-3000, 3000),
                    location={
                        "latitude": 38.4 + offset + chance.uniform(-0.1, 0.1),
                        "longitude": -118.9 + chance.uniform(-0.1, 0.1),
                        "depth": chance.choice([None, 5.0, 12.0]),
                    },
                    magnitude=chance.choice([None, round(magnitude, 1), round(magnitude + 0.3, 1)]),
                    updated=UPDATED_MS + revision * 1000 + n,
                    status=chance.choice(["automatic", "automatic", "reviewed", "deleted"]),
                    ids=chance.choice([[], [], [f"{agency}{n}"], [f"{agency}{n}", f"us{chance.randrange(18)}"]]),
                    agency=chance.choice([None, None, None, "nc"]) if revision else None,
                )
            )
    return events


class Writer:
    """One claim, fed event by event or in batches."""

    def __init__(self, catalog: Catalog, partition: LogPartition = PARTITION) -> None:
        self.catalog = catalog
        self.claim = catalog.claim(partition)
        self.offset = self.claim.next_offset or 0

    def write(
        self, *events: EarthquakeEvent, logged_ms: int = NOW_MS, now_ms: int = NOW_MS, imported: bool = False
    ) -> Ingested:
        self.offset += len(events)
        logged = [LoggedEvent(e, logged_ms, imported) for e in events]
        return self.catalog.ingest(self.claim, logged, self.offset, now_ms)


class CatalogContract:
    @pytest.fixture
    def catalog(self) -> Iterator[Catalog]:
        raise NotImplementedError

    @pytest.fixture
    def writer(self, catalog: Catalog) -> Writer:
        return Writer(catalog)

    def listed(self, catalog: Catalog, **wanted: Any) -> list[dict[str, Any]]:
        page = catalog.earthquakes(EarthquakeFilter(**wanted), limit=1000)
        return [msgspec.json.decode(document) for document in page.earthquakes]

    # --- once ---------------------------------------------------------------------------------------------------

    def test_an_event_has_its_effect_once(self, catalog: Catalog, writer: Writer) -> None:
        assert [c.type for c in writer.write(event()).changes] == ["created"]
        again = writer.write(event(), event())
        assert (again.changes, again.duplicates) == ((), 2)
        assert catalog.feed().last_seq == 1

    def test_an_event_twice_in_one_batch_has_its_effect_once(self, catalog: Catalog, writer: Writer) -> None:
        ingested = writer.write(event(), event(), event())
        assert (len(ingested.changes), ingested.duplicates) == (1, 2)

    def test_content_without_updated_counts_from_when_it_was_first_seen(self, catalog: Catalog, writer: Writer) -> None:
        plain = event(updated=None)
        writer.write(plain, logged_ms=NOW_MS - 5000)
        assert writer.write(plain, logged_ms=NOW_MS).duplicates == 1
        assert writer.write(event(updated=None, magnitude=4.6), logged_ms=NOW_MS).duplicates == 0
        assert writer.write(plain, plain, logged_ms=NOW_MS + 5000).duplicates == 2
        (earthquake,) = self.listed(catalog)
        assert (earthquake["magnitude"], earthquake["updated"], earthquake["revision"]) == (4.6, NOW_MS, 2)

    def test_the_same_identity_with_other_content_is_a_revision(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event(magnitude=4.5), event(magnitude=4.7))
        one = self.listed(catalog)[0]
        assert one["revision"] == 2
        detail = catalog.earthquake(one["id"])
        assert detail is not None
        assert {step["event"]["magnitude"] for step in detail["history"]} == {4.5, 4.7}

    # --- what changed lately ------------------------------------------------------------------------------------

    def test_what_was_ever_large_is_listed_by_its_last_change(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("shrank", magnitude=4.8), event("gone", magnitude=4.9), event("small", magnitude=4.4))
        writer.write(event("never", magnitude=6.0, status="deleted"), event("unsized", magnitude=None))
        writer.write(event("shrank", magnitude=4.3, updated=NOW_MS - 2000))
        writer.write(event("gone", magnitude=4.9, status="deleted", updated=NOW_MS - 1000))
        writer.write(event("new", magnitude=4.5), event("new", magnitude=4.6, updated=NOW_MS - 500))

        def listed(**wanted: Any) -> list[tuple[str, str]]:
            changes = catalog.lately_changed(EarthquakeFilter(minmagnitude=4.5, **wanted), 10)
            return [(c.type, msgspec.json.decode(c.document)["preferred"]) for c in changes]

        assert listed() == [("updated", "usgs:new"), ("deleted", "usgs:gone"), ("updated", "usgs:shrank")]
        assert listed(mode="exercise") == []
        assert len(catalog.lately_changed(EarthquakeFilter(minmagnitude=4.5), 2)) == 2

    def test_what_merged_away_is_listed_with_where_it_went(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1", magnitude=5.0), shock("us2", magnitude=5.0, timestamp=TIME_MS + 2_000_000))
        same = shock("us2", magnitude=5.0, timestamp=TIME_MS + 300, ids=["us2", "nn1"], updated=NOW_MS)
        writer.write(same)
        gone, stays = catalog.lately_changed(EarthquakeFilter(minmagnitude=4.5), 10)
        assert (gone.type, gone.into_id) == ("merged", stays.earthquake_id)

    # --- fenced -------------------------------------------------------------------------------------------------

    def test_a_new_claim_fences_the_one_before(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"))
        newcomer = Writer(catalog)
        assert newcomer.claim.next_offset == 1
        with pytest.raises(Fenced):
            writer.write(event("a2"))
        newcomer.write(event("a3"))
        assert {e["preferred"] for e in self.listed(catalog)} == {"usgs:a1", "usgs:a3"}

    def test_a_write_from_another_offset_than_stored_is_refused(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"))
        writer.claim.next_offset = 0
        with pytest.raises(Fenced):
            writer.write(event("a2"))
        assert len(self.listed(catalog)) == 1

    def test_positions_are_by_log_topic_partition_and_group(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"))
        others = (
            LogPartition("other", "topic", "topic-id", 0, "group"),
            LogPartition("log", "topic", "topic-id", 1, "group"),
            LogPartition("log", "topic", "topic-id", 0, "other"),
        )
        assert [catalog.claim(p).next_offset for p in others] == [None, None, None]
        writer.write(event("a2"))

    def test_a_topic_made_anew_is_not_taken_for_the_old_one(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"))
        with pytest.raises(OffsetLost, match="made anew"):
            catalog.claim(LogPartition("log", "topic", "another-id", 0, "group"))

    def test_a_position_is_stored_with_the_fingerprint_of_the_record_before_it(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        assert catalog.positions("topic", "group") == []
        writer.claim.fingerprint = b"first"
        writer.write(event("a1"))
        writer.claim.fingerprint = b"second"
        writer.write(event("a2"))
        stored = StoredPosition(PARTITION, 2, b"second")
        assert catalog.positions("topic", "group") == [stored]
        assert catalog.positions("topic", "other") == catalog.positions("other", "group") == []
        newcomer = catalog.claim(PARTITION)
        assert (newcomer.next_offset, newcomer.fingerprint) == (2, b"second")

    def test_a_refused_write_leaves_the_fingerprint(self, catalog: Catalog, writer: Writer) -> None:
        writer.claim.fingerprint = b"first"
        writer.write(event("a1"))
        catalog.claim(PARTITION)
        writer.claim.fingerprint = b"second"
        with pytest.raises(Fenced):
            writer.write(event("a2"))
        assert catalog.claim(PARTITION).fingerprint == b"first"

    @pytest.mark.parametrize("changed", [{"log_id": "other"}, {"topic_id": "another-id"}, {}], ids=str)
    def test_a_position_can_be_accepted_in_another_log(
        self, catalog: Catalog, writer: Writer, changed: dict[str, str]
    ) -> None:
        writer.write(event("a1"), event("a2"))
        other = replace(PARTITION, **changed)
        catalog.accept(StoredPosition(other, 7, b"print"))
        if changed.get("log_id") is None:
            with pytest.raises(Fenced):
                writer.write(event("a3"))
        assert StoredPosition(other, 7, b"print") in catalog.positions("topic", "group")
        claim = catalog.claim(other)
        assert (claim.next_offset, claim.fingerprint) == (7, b"print")
        assert catalog.ingest(claim, [LoggedEvent(event("a1"), NOW_MS)], 8, NOW_MS).duplicates == 1
        assert catalog.feed().last_seq == 2

    # --- ordered ------------------------------------------------------------------------------------------------

    def test_seq_has_no_gap_and_every_change_is_readable(self, catalog: Catalog, writer: Writer) -> None:
        for i in range(5):
            writer.write(*(event(f"a{n}", updated=NOW_MS + i) for n in range(4)))
        changes = catalog.changes(0)
        assert [c.seq for c in changes] == list(range(1, 21))
        assert [c.seq for c in catalog.changes(15, limit=3)] == [16, 17, 18]
        decoded = msgspec.json.decode(changes[-1].encode())
        assert (decoded["seq"], decoded["type"], decoded["earthquake"]["seq"]) == (20, "updated", 20)

    def test_a_refused_write_takes_no_seq(self, catalog: Catalog, writer: Writer) -> None:
        newcomer = Writer(catalog)
        with pytest.raises(Fenced):
            writer.write(event("a1"))
        newcomer.write(event("a2"))
        assert [c.seq for c in catalog.changes(0)] == [1]

    # --- revisions ----------------------------------------------------------------------------------------------

    def test_revisions_apply_in_order_of_updated_whatever_order_they_come_in(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        revisions = [event(updated=NOW_MS + i, magnitude=4.0 + i / 10) for i in range(4)]
        for n, order in enumerate(itertools.permutations(range(4))):
            writer.write(*(msgspec.structs.replace(revisions[i], id=f"p{n}") for i in order))
        assert {(e["magnitude"], e["updated"], e["revision"]) for e in self.listed(catalog)} == {(4.3, NOW_MS + 3, 4)}

    def test_history_lists_every_step_with_its_reason(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event(updated=NOW_MS + 2, magnitude=5.0), event(updated=NOW_MS + 1, magnitude=4.0))
        writer.write(event(updated=NOW_MS + 3, magnitude=5.0, status="deleted"))
        detail = catalog.earthquake(self.listed(catalog, includedeleted=True)[0]["id"])
        assert detail is not None
        assert [step["what"] for step in detail["history"]] == ["created", "updated", "deleted"]
        assert "older revision" in detail["history"][1]["why"]
        assert [step["event"]["magnitude"] for step in detail["history"]] == [5.0, 4.0, 5.0]
        assert [s["updated"] for s in detail["solutions"]] == [NOW_MS + 3]

    def test_deleted_is_left_out_unless_asked_for_and_comes_back_when_its_source_says_so(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        writer.write(event(), event(updated=NOW_MS, status="deleted"))
        assert self.listed(catalog) == []
        assert catalog.count(EarthquakeFilter()) == 0
        assert len(self.listed(catalog, includedeleted=True)) == 1
        writer.write(event(updated=NOW_MS + 1, status="reviewed"))
        assert [e["status"] for e in self.listed(catalog)] == ["reviewed"]

    def test_modes_never_mix(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(*(event(mode=mode) for mode in ("actual", "exercise", "test")))
        assert len({e["id"] for e in self.listed(catalog)}) == 3
        assert [e["mode"] for e in self.listed(catalog, mode="exercise")] == ["exercise"]

    def test_unknown_fields_and_nulls_are_kept(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event(magnitude=None, location={"latitude": 1, "longitude": 2}, instrument={"serial": 7}))
        one = self.listed(catalog)[0]
        assert (one["magnitude"], one["location"]["depth"], one["instrument"]) == (None, None, {"serial": 7})

    def test_where_a_source_has_no_words_for_the_place_there_are_ours(self, catalog: Catalog, writer: Writer) -> None:
        location = {"latitude": 40.78, "longitude": -125.18}
        writer.write(event("a1", location=location), event("a2", location=location, place="Somewhere"))
        said = {e["preferred"]: e for e in self.listed(catalog)}
        assert said["usgs:a1"]["place"].endswith("California")
        assert said["usgs:a2"]["place"] == "Somewhere"
        assert said["usgs:a2"]["region"] == "Off the coast of Northern California"
        detail = catalog.earthquake(said["usgs:a1"]["id"])
        assert detail is not None
        assert (detail["timezone"], detail["country"]) == ("Etc/GMT+8", None)
        assert "place" not in detail["solutions"][0]

    # --- association --------------------------------------------------------------------------------------------

    def test_reports_of_one_earthquake_are_one_earthquake(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1"), shock("us1", timestamp=TIME_MS + 800), shock("ak1", timestamp=TIME_MS + 7_200_000))
        one, other = sorted(self.listed(catalog), key=lambda e: -len(e["events"]))
        assert (one["events"], other["events"]) == (["usgs:nn1", "usgs:us1"], ["usgs:ak1"])
        assert [c.type for c in catalog.changes(0)] == ["created", "updated", "created"]
        why = catalog.earthquake(one["id"])["history"][1]["why"]  # type: ignore[index]
        assert "another report of this earthquake" in why
        assert "0.8 s" in why

    def test_two_earthquakes_that_turn_out_to_be_one_keep_the_older_id(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1"), shock("us1", timestamp=TIME_MS + 600_000))
        first, second = (catalog.find(name)[0] for name in ("usgs:nn1", "usgs:us1"))
        merged = writer.write(shock("us1", timestamp=TIME_MS + 500, updated=UPDATED_MS + 1)).changes
        assert [(c.type, c.earthquake_id, c.from_id, c.into_id) for c in merged] == [
            ("merged", first, second, None),
            ("merged", second, None, first),
        ]
        assert [e["id"] for e in self.listed(catalog)] == [first]
        assert catalog.count(EarthquakeFilter()) == 1
        assert catalog.find("us1") == [first]
        assert catalog.merged_into(second) == first
        history = catalog.earthquake(first)["history"]  # type: ignore[index]
        assert [step["seq"] for step in history] == [1, 2, 3, 4]
        assert catalog.merged_into(first) is None

    def test_a_revision_may_split_an_earthquake(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1"), shock("us1", timestamp=TIME_MS + 500))
        one = catalog.find("usgs:nn1")[0]
        changes = writer.write(shock("us1", timestamp=TIME_MS + 600_000, updated=UPDATED_MS + 1)).changes
        other = catalog.find("usgs:us1")[0]
        assert other != one
        assert [(c.type, c.earthquake_id, c.from_id, c.into_id) for c in changes] == [
            ("split", other, one, None),
            ("split", one, None, other),
        ]
        assert [e["events"] for e in self.listed(catalog)] == [["usgs:us1"], ["usgs:nn1"]]

    @pytest.mark.parametrize("size", [1, 10])
    def test_an_earthquake_that_was_merged_away_by_mistake_has_its_id_again(
        self, catalog: Catalog, writer: Writer, size: int
    ) -> None:
        later = LATER_MS
        played = [
            shock("nn1"),
            shock("us2", timestamp=later),
            shock("nc3", timestamp=TIME_MS + 500, ids=["nn1", "us2"]),
            shock("nc3", timestamp=TIME_MS + 500, updated=UPDATED_MS + 1),
        ]
        changes = [c for i in range(0, len(played), size) for c in writer.write(*played[i : i + size]).changes]
        first, second = changes[0].earthquake_id, changes[1].earthquake_id
        assert [(c.type, c.earthquake_id, c.from_id, c.into_id) for c in changes[2:]] == [
            ("merged", first, second, None),
            ("merged", second, None, first),
            ("split", second, first, None),
            ("split", first, None, second),
        ]
        assert [(e["id"], e["events"], e["revision"], e["seq"]) for e in self.listed(catalog)] == [
            (second, ["usgs:us2"], 3, 5),
            (first, ["usgs:nn1", "usgs:nc3"], 3, 6),
        ]
        assert catalog.find("us2") == [second]
        assert catalog.merged_into(second) is None
        history = {id_: catalog.earthquake(id_)["history"] for id_ in (first, second)}  # type: ignore[index]
        assert [step["seq"] for step in history[second]] == [2, 4, 5]
        assert [step["seq"] for step in history[first]] == [1, 3, 6]
        self.check_history(catalog, played)
        writer.write(shock("nc3", timestamp=later, ids=["nn1", "us2"], updated=UPDATED_MS + 2))
        assert catalog.merged_into(second) == first
        self.check_history(catalog, played)

    def test_what_was_merged_away_leads_to_where_the_report_is_that_made_it(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        apart = (shock("nn1"), shock("us2", timestamp=LATER_MS), shock("ci3", location=FAR))
        first, second, third = (c.earthquake_id for c in writer.write(*apart).changes)
        writer.write(shock("us2", timestamp=LATER_MS, ids=["ci3"], updated=UPDATED_MS + 1))
        writer.write(shock("us2", timestamp=LATER_MS, ids=["ci3", "nn1"], updated=UPDATED_MS + 2))
        assert (catalog.merged_into(second), catalog.merged_into(third)) == (first, first)
        writer.write(shock("nn1", ids=["ci3"], updated=UPDATED_MS + 3))
        writer.write(shock("us2", timestamp=LATER_MS, updated=UPDATED_MS + 4))
        assert catalog.find("us2") == [second]
        assert (catalog.merged_into(second), catalog.merged_into(third)) == (None, first)
        history = [step["seq"] for step in catalog.earthquake(first)["history"]]  # type: ignore[index]
        assert 3 in history
        assert 2 not in history
        self.check_history(catalog, [])

    def test_what_agencies_say_by_id_comes_first(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1"), shock("us1", timestamp=LATER_MS, ids=["us1", "nn1"]))
        assert [e["events"] for e in self.listed(catalog)] == [["usgs:nn1", "usgs:us1"]]
        writer.write(shock("nc9", location=FAR))
        assert len(self.listed(catalog)) == 2
        writer.write(shock("us1", timestamp=LATER_MS, ids=["us1", "nn1", "nc9"], updated=UPDATED_MS + 1))
        assert [len(e["events"]) for e in self.listed(catalog)] == [3]

    def test_a_name_claimed_before_its_owner_comes_is_kept(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("us1", timestamp=LATER_MS, ids=["us1", "nn1"]))
        writer.write(shock("nn1"))
        assert [e["events"] for e in self.listed(catalog)] == [["usgs:us1", "usgs:nn1"]]

    @pytest.mark.parametrize("size", [1, 3])
    def test_what_one_agency_says_by_id_counts_whatever_came_in_one_batch(
        self, catalog: Catalog, writer: Writer, size: int
    ) -> None:
        later = LATER_MS
        events = (shock("us1"), shock("us2", timestamp=later), shock("us3", timestamp=later, ids=["us1", "us3"]))
        for batch in (events[i : i + size] for i in range(0, len(events), size)):
            writer.write(*batch)
        assert sorted(e["events"] for e in self.listed(catalog)) == [["usgs:us1", "usgs:us3"], ["usgs:us2"]]

    @pytest.mark.parametrize("size", [1, 2])
    def test_the_second_agency_may_come_by_a_revision_whatever_came_in_one_batch(
        self, catalog: Catalog, writer: Writer, size: int
    ) -> None:
        writer.write(shock("x", agency="nc", timestamp=TIME_MS + 9_000_000))
        events = (
            shock("us1", agency="nc"),
            shock("x", agency="us", timestamp=TIME_MS + 500, updated=UPDATED_MS + 1),
        )
        for batch in (events[i : i + size] for i in range(0, len(events), size)):
            writer.write(*batch)
        assert [set(e["events"]) for e in self.listed(catalog)] == [{"usgs:us1", "usgs:x"}]

    def test_two_events_of_one_agency_are_two_earthquakes(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("ci37219716"), shock("ci37219708", timestamp=TIME_MS + 350))
        writer.write(shock("us1", timestamp=TIME_MS + 200))
        assert sorted(len(e["events"]) for e in self.listed(catalog)) in ([1, 2], [1, 1, 1])
        owners = [catalog.find(f"usgs:{id_}")[0] for id_ in ("ci37219716", "ci37219708")]
        assert owners[0] != owners[1]

    def test_an_earthquake_is_deleted_when_all_of_its_reports_are(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1"), shock("us1", timestamp=TIME_MS + 500))
        writer.write(shock("nn1", status="deleted", updated=UPDATED_MS + 1))
        (one,) = self.listed(catalog)
        assert (one["preferred"], one["status"]) == ("usgs:us1", "automatic")
        changes = writer.write(shock("us1", timestamp=TIME_MS + 500, status="deleted", updated=UPDATED_MS + 1)).changes
        assert [c.type for c in changes] == ["deleted"]
        assert self.listed(catalog) == []

    def test_the_preferred_event_is_the_reviewed_one_then_the_region_s_network(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        writer.write(shock("us1", timestamp=TIME_MS + 500), shock("nn1"))
        assert self.listed(catalog)[0]["preferred"] == "usgs:nn1"
        writer.write(shock("us1", timestamp=TIME_MS + 500, status="reviewed", updated=UPDATED_MS + 1))
        assert self.listed(catalog)[0]["preferred"] == "usgs:us1"
        writer.write(shock("nn1", status="reviewed", updated=UPDATED_MS + 1))
        assert self.listed(catalog)[0]["preferred"] == "usgs:nn1"

    @pytest.mark.parametrize("seed", [0, 1, 2, *later(*range(3, 30))])
    def test_any_order_duplication_and_batching_ends_in_the_same_catalogue(
        self, catalog: Catalog, writer: Writer, seed: int
    ) -> None:
        chance = random.Random(seed)
        events = tangle(chance)
        played = events + chance.choices(events, k=len(events) // 3)
        chance.shuffle(played)
        while played:
            count = chance.choice([1, 1, 2, 5, 40])
            writer.write(*played[:count])
            played = played[count:]
        newest: dict[tuple[str, str], EarthquakeEvent] = {}
        for e in sorted(events, key=lambda e: (e.updated_ms or 0, e.content_hash())):
            newest[e.mode, e.key] = e
        origins = {identity: origin_of(e) for identity, e in newest.items()}
        expected = {}
        for one in group(list(origins.values())):
            speaker = preferred([origins[one.mode, key] for key in one.keys])
            expected[one.mode, one.keys] = msgspec.json.decode(encode(newest[speaker.mode, speaker.key]))
        found = {}
        for e in self.listed(catalog, includedeleted=True):
            own = {"id", "revision", "seq", "firstSeen", "changed", "preferred", "events", "place", "region"}
            values = {name: value for name, value in e.items() if name not in own}
            values["id"] = e["preferred"].partition(":")[2]
            found[e["mode"], tuple(sorted(e["events"]))] = values
        assert found == expected
        self.check_history(catalog, events)

    def check_history(self, catalog: Catalog, events: list[EarthquakeEvent]) -> None:
        changes = catalog.changes(0, 10_000)
        assert [c.seq for c in changes] == list(range(1, len(changes) + 1))
        told = set()
        for e in self.listed(catalog, includedeleted=True):
            detail = catalog.earthquake(e["id"])
            assert detail is not None
            assert {f"{s['source']}:{s['id']}" for s in detail["solutions"]} == set(e["events"])
            told |= {
                (step["event"]["mode"], step["event"]["id"], step["event"]["updated"], step["event"]["magnitude"])
                for step in detail["history"]
                if step["event"]
            }
        assert told >= {(e.mode, e.id, e.updated_ms, e.magnitude) for e in events}
        assert isinstance(catalog, SqlCatalog)
        with catalog.reading() as connection:
            assert list(faults(connection)) == []

    # --- followers ----------------------------------------------------------------------------------------------

    def test_a_change_tells_when_it_was_made_and_whether_it_was_imported(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        returned = writer.write(event("a1"), now_ms=NOW_MS + 5).changes
        returned += writer.write(event("a2"), imported=True, now_ms=NOW_MS + 6).changes
        assert [(c.at_ms, c.imported) for c in returned] == [(NOW_MS + 5, False), (NOW_MS + 6, True)]
        assert catalog.changes(0) == list(returned)
        assert "imported" not in msgspec.json.decode(returned[0].encode())
        assert msgspec.json.decode(returned[1].encode())["imported"] is True

    def test_a_follower_goes_on_where_it_was(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"), event("a2"))
        epoch = catalog.feed().epoch
        assert catalog.followers() == []
        assert catalog.follow("f", "one", NOW_MS, 1000) == Cursor(epoch, 0)
        catalog.advance("f", "one", Cursor(epoch, 2), NOW_MS + 1, 1000)
        assert catalog.follow("f", "one", NOW_MS + 2, 1000) == Cursor(epoch, 2)
        assert catalog.follow("g", "one", NOW_MS + 2, 1000) == Cursor(epoch, 0)
        assert [(f.name, f.cursor.after_seq, f.owner) for f in catalog.followers()] == [
            ("f", 2, "one"),
            ("g", 0, "one"),
        ]

    def test_one_owner_at_a_time_has_a_follower_s_place(self, catalog: Catalog, writer: Writer) -> None:
        epoch = catalog.feed().epoch
        assert catalog.follow("f", "one", NOW_MS, 1000) is not None
        assert catalog.follow("f", "two", NOW_MS + 999, 1000) is None
        catalog.advance("f", "one", Cursor(epoch, 7), NOW_MS + 999, 1000)
        assert catalog.follow("f", "two", NOW_MS + 1998, 1000) is None
        assert catalog.follow("f", "two", NOW_MS + 1999, 1000) == Cursor(epoch, 7)
        with pytest.raises(Fenced):
            catalog.advance("f", "one", Cursor(epoch, 8), NOW_MS + 2000, 1000)
        assert catalog.followers()[0].cursor.after_seq == 7
        catalog.advance("f", "two", Cursor(epoch, 9), NOW_MS + 2000, 0)
        assert catalog.follow("f", "one", NOW_MS + 2000, 1000) == Cursor(epoch, 9)

    def test_a_lease_from_before_the_clock_was_set_back_is_none(self, catalog: Catalog) -> None:
        assert catalog.follow("f", "one", NOW_MS, 1000) is not None
        assert catalog.follow("f", "two", NOW_MS - 3_600_000, 1000) is not None

    def test_a_new_epoch_leaves_cursors_of_the_old_one_behind(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"))
        old = catalog.feed()
        new = catalog.begin_epoch()
        assert (new.epoch != old.epoch, new.last_seq, new.catalog_id) == (True, old.last_seq, old.catalog_id)
        assert catalog.feed() == new

    # --- retained -----------------------------------------------------------------------------------------------

    def test_pruning_takes_old_documents_and_tells_who_comes_too_late(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"), event("a2"), now_ms=NOW_MS)
        writer.write(event("a1", magnitude=5.0, updated=NOW_MS), event("a3"), now_ms=NOW_MS + 1000)
        before = [catalog.earthquake(e["id"]) for e in self.listed(catalog)]
        assert catalog.prune(NOW_MS, 100) == 0
        assert catalog.prune(NOW_MS + 1, 1) == 1
        assert catalog.prune(NOW_MS + 1, 100) == 1
        assert catalog.prune(NOW_MS + 1, 100) == 0
        feed = catalog.feed()
        assert (feed.first_seq, feed.last_seq) == (3, 4)
        assert [c.seq for c in catalog.changes(2)] == [3, 4]
        for late in (0, 1):
            with pytest.raises(Gap):
                catalog.changes(late)
        assert [(c.seq, bool(c.document)) for c in catalog.changes(0, over_gap=True)] == [
            (2, True),
            (3, True),
            (4, True),
        ]
        assert [catalog.earthquake(e["id"]) for e in self.listed(catalog)] == before

    def test_what_was_an_earthquake_s_newest_change_is_pruned_when_it_no_longer_is(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        writer.write(event("a1"), event("a2"), now_ms=NOW_MS)
        assert catalog.prune(NOW_MS + 1, 100) == 2
        writer.write(event("a1", magnitude=5.0, updated=NOW_MS), now_ms=NOW_MS + 1000)
        assert [c.seq for c in catalog.changes(0, over_gap=True)] == [1, 2, 3]
        assert catalog.prune(NOW_MS + 2000, 100) == 1
        assert [c.seq for c in catalog.changes(0, over_gap=True)] == [2, 3]
        assert len(self.listed(catalog)) == 2

    def test_pruning_and_vacuuming_make_room(self, catalog: Catalog, writer: Writer) -> None:
        for i in range(20):
            writer.write(*(event(f"a{n}", place="x" * 900, updated=NOW_MS + i) for n in range(20)))
        assert catalog.size_bytes() > 400 * 900
        assert catalog.prune(NOW_MS + 1, 1000) == 400
        before, after = catalog.vacuum()
        assert after < before
        assert len(catalog.changes(0, over_gap=True)) == 20
        writer.write(event("b"))
        assert len(self.listed(catalog)) == 21

    # --- reading ------------------------------------------------------------------------------------------------

    def test_lists_are_newest_first_and_pages_join_without_hole_or_double(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        times = [NOW_MS - 1000 * (i % 7) for i in range(25)]
        writer.write(*(event(f"a{i}", timestamp=t) for i, t in enumerate(times)))
        seen: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = catalog.earthquakes(EarthquakeFilter(), 4, cursor)
            seen += [msgspec.json.decode(document) for document in page.earthquakes]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [e["timestamp"] for e in seen] == sorted(times, reverse=True)
        assert len({e["id"] for e in seen}) == 25

    def test_filters_agree_with_brute_force(self, catalog: Catalog, writer: Writer) -> None:
        chance = random.Random(7)
        events = [
            event(
                f"a{i}",
                timestamp=NOW_MS - chance.randrange(10_000_000),
                magnitude=chance.choice([None, round(chance.uniform(-1, 8), 1)]),
                location={
                    "latitude": chance.uniform(-90, 90),
                    "longitude": chance.uniform(-180, 180),
                    "depth": chance.choice([None, chance.uniform(0, 600)]),
                },
            )
            for i in range(300)
        ]
        writer.write(*events)
        assert len(self.listed(catalog, minmagnitude=3, maxmagnitude=6)) == sum(
            e.magnitude is not None and 3 <= e.magnitude <= 6 for e in events
        )
        assert len(self.listed(catalog, mindepth_km=100)) == sum((e.location.depth_km or -1) >= 100 for e in events)
        middle = NOW_MS - 5_000_000
        assert len(self.listed(catalog, starttime_ms=middle)) == sum(e.timestamp_ms >= middle for e in events)
        box = {"minlatitude": -30, "maxlatitude": 40, "minlongitude": 150, "maxlongitude": -120}
        assert len(self.listed(catalog, **box)) == sum(
            -30 <= e.location.latitude <= 40 and (e.location.longitude >= 150 or e.location.longitude <= -120)
            for e in events
        )
        assert catalog.count(EarthquakeFilter(**box)) == len(self.listed(catalog, **box))

    def test_what_reports_say_is_filtered_in_sql_as_in_memory(self, catalog: Catalog, writer: Writer) -> None:
        chance = random.Random(9)
        for at_ms in (NOW_MS, NOW_MS + 1000, NOW_MS + 2000):
            writer.write(
                *(
                    event(
                        f"{agency}{chance.randrange(20)}",
                        source=chance.choice(["usgs", "emsc"]),
                        agency=chance.choice([None, agency.upper()]),
                        type=chance.choice(["earthquake", "Quarry_Blast", "quarry blast", "ice-quake"]),
                        magnitudeType=chance.choice([None, "ml", "Mww"]),
                        magnitude=chance.choice([None, 1.5, 4.5]),
                        status=chance.choice(["automatic", "automatic", "deleted"]),
                        updated=at_ms + chance.randrange(1000),
                        odd="a\0b",
                    )
                    for agency in ("us", "nn", "ci") * 8
                ),
                now_ms=at_ms,
            )
        everything = list(catalog.every(EarthquakeFilter(includedeleted=True)))
        asked: list[dict[str, Any]] = [
            {"source": "emsc"},
            {"source": "em"},
            {"contributor": "US"},
            {"contributor": "emsc"},
            {"eventtype": "quarry blast, Ice Quake"},
            {"eventtype": "explosion"},
            {"magnitudetype": "ML", "includedeleted": True},
            {"includedeleted": "only"},
            {"updatedafter_ms": NOW_MS},
            {"updatedafter_ms": NOW_MS + 1999, "includedeleted": True},
            {"updatedafter_ms": NOW_MS + 2000, "includedeleted": True},
            {"source": "usgs", "contributor": "nn", "magnitudetype": "mww", "includedeleted": True},
        ]
        for fields in asked:
            wanted = EarthquakeFilter(**fields)
            expected = {e for e in everything if matches(wanted, standing_of(e))}
            assert set(catalog.every(wanted)) == expected, fields
            assert catalog.count(wanted) == len(expected)
        assert len(list(catalog.every(EarthquakeFilter(source="emsc")))) > 5

    def test_every_order_pages_without_hole_or_double(self, catalog: Catalog, writer: Writer) -> None:
        chance = random.Random(3)
        sizes = [None, 1.0, 2.5, 2.5, 4.0]
        for i in range(30):
            writer.write(event(f"a{i}", timestamp=NOW_MS - chance.randrange(9) * 3_600_000, magnitude=sizes[i % 5]))
        shown = {e["id"]: e for e in self.listed(catalog)}
        for order in get_args(Orderby):
            seen: list[bytes] = []
            cursor = None
            while True:
                page = catalog.earthquakes(EarthquakeFilter(), 7, cursor, order)
                seen += page.earthquakes
                cursor = page.next_cursor
                if cursor is None:
                    break
                with pytest.raises(Rejected, match="cursor"):
                    catalog.earthquakes(EarthquakeFilter(), 7, cursor, "time" if order != "time" else "magnitude")
            found = [msgspec.json.decode(one) for one in seen]
            assert len(found) == 30
            assert {one["id"] for one in found} == shown.keys()
            sign = 1 if order.endswith("-asc") else -1
            if order.startswith("time"):
                assert [e["timestamp"] for e in found] == sorted(
                    (e["timestamp"] for e in found), key=lambda t: sign * t
                )
            else:
                keys = [(e["magnitude"] is None, sign * (e["magnitude"] or 0), -e["timestamp"]) for e in found]
                assert keys == sorted(keys)
            selected = catalog.select(EarthquakeFilter(), limit=11, offset=8, orderby=order)
            assert [told.document for told in catalog.told(selected.seqs, selected.at_seq)] == seen[7:18]

    def test_as_of_a_change_is_what_was_live_then(self, catalog: Catalog, writer: Writer) -> None:
        chance = random.Random(5)
        live: dict[int, dict[str, list[bytes]]] = {}
        filters = {
            "all": EarthquakeFilter(),
            "large": EarthquakeFilter(minmagnitude=3.0, source="usgs"),
            "boxed": EarthquakeFilter(minlatitude=38, maxlatitude=39, minlongitude=-119.5, maxlongitude=-118.5),
            "gone": EarthquakeFilter(includedeleted="only"),
        }
        for n, one in enumerate(tangle(chance)):
            writer.write(one)
            if n % 8:
                continue
            live[catalog.feed().last_seq] = {
                f"{name} {order}": [msgspec.json.encode(e) for e in self.in_order(catalog, wanted, order)]
                for name, wanted in filters.items()
                for order in ("time", "magnitude-asc")
            }
        for at_seq, answers in live.items():
            for name, wanted in filters.items():
                for order in ("time", "magnitude-asc"):
                    found = catalog.select(wanted, limit=1000, orderby=order, asof_seq=at_seq)
                    told = [
                        msgspec.json.encode(msgspec.json.decode(t.document)) for t in catalog.told(found.seqs, at_seq)
                    ]
                    assert told == answers[f"{name} {order}"], (at_seq, name, order)
                    assert catalog.count_selected(wanted, asof_seq=at_seq)[1] == len(told)
                    pages = [
                        catalog.select(wanted, limit=2, offset=offset, orderby=order, asof_seq=at_seq).seqs
                        for offset in range(1, len(told) + 3, 2)
                    ]
                    assert [seq for page in pages for seq in page] == list(found.seqs)
        with pytest.raises(Rejected, match="no change"):
            catalog.select(EarthquakeFilter(), limit=1, asof_seq=catalog.feed().last_seq + 1)

    def in_order(self, catalog: Catalog, wanted: EarthquakeFilter, orderby: Orderby) -> list[dict[str, Any]]:
        return [msgspec.json.decode(e) for e in catalog.earthquakes(wanted, 1000, None, orderby).earthquakes]

    def test_what_other_reports_said_by_then_is_told(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(shock("nn1", magnitude=4.0), shock("us1", ids=["nn1"], magnitude=4.2, status="reviewed"))
        found = catalog.select(EarthquakeFilter(), limit=10)
        (told,) = catalog.told(found.seqs, found.at_seq, others=True)
        assert msgspec.json.decode(told.document)["preferred"] == "usgs:us1"
        assert [msgspec.json.decode(other)["magnitude"] for other in told.others] == [4.0]
        writer.write(shock("nn1", magnitude=4.1, updated=UPDATED_MS + 5000))
        (told,) = catalog.told(found.seqs, found.at_seq, others=True)
        assert [msgspec.json.decode(other)["magnitude"] for other in told.others] == [4.0]
        now = catalog.select(EarthquakeFilter(), limit=10)
        (told,) = catalog.told(now.seqs, now.at_seq, others=True)
        assert [msgspec.json.decode(other)["magnitude"] for other in told.others] == [4.1]

    def test_as_of_what_was_pruned_is_refused(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("a1"), now_ms=NOW_MS)
        then = catalog.feed().last_seq
        writer.write(event("a1", updated=NOW_MS, magnitude=5.0), now_ms=NOW_MS + 1)
        catalog.prune(NOW_MS + 10, 100)
        with pytest.raises(Rejected, match="no longer known"):
            catalog.select(EarthquakeFilter(), limit=10, asof_seq=then)
        found = catalog.select(EarthquakeFilter(), limit=10)
        assert len(catalog.told(found.seqs, found.at_seq)) == 1
        assert msgspec.json.decode(catalog.told([then], then)[0].document)["magnitude"] == 5.0

    def test_boxes_are_exact_however_near_an_earthquake_lies_to_their_edge(
        self, catalog: Catalog, writer: Writer
    ) -> None:
        latitude, longitude = 10.123456789, 20.987654321  # between two numbers of 32 bits
        place = {"latitude": latitude, "longitude": longitude}
        writer.write(
            event("a1", location=place), event("a2", location={"latitude": latitude + 5, "longitude": longitude})
        )
        writer.write(
            event("a2", location=place, updated=NOW_MS), event("a3", location={"latitude": 10, "longitude": -180})
        )
        edge = {"minlatitude": latitude, "maxlatitude": latitude, "minlongitude": longitude, "maxlongitude": longitude}
        assert len(self.listed(catalog, **edge)) == 2
        beside = {
            "minlatitude": (latitude + 1e-9, latitude + 1),
            "maxlatitude": (latitude - 1, latitude - 1e-9),
            "minlongitude": (longitude + 1e-9, longitude + 1),
            "maxlongitude": (longitude - 1, longitude - 1e-9),
        }
        for name, (least, most) in beside.items():
            side = name[3:]
            assert self.listed(catalog, **(edge | {f"min{side}": least, f"max{side}": most})) == []
        across = {"minlatitude": 0, "maxlatitude": 20, "minlongitude": 170, "maxlongitude": 21}
        assert catalog.count(EarthquakeFilter(**across)) == 3

    def test_found_by_id_by_source_and_id_and_by_bare_id(self, catalog: Catalog, writer: Writer) -> None:
        writer.write(event("x1"), event("x1", source="emsc", timestamp=0), event("x2"))
        one = next(e for e in self.listed(catalog) if e["preferred"] == "usgs:x1")
        assert catalog.find(one["id"]) == catalog.find("usgs:x1") == [one["id"]]
        assert len(catalog.find("x1")) == 2
        assert len(catalog.find("x2")) == 1
        writer.write(event("x1", mode="exercise"))
        assert catalog.find("usgs:x1") == [one["id"]]
        assert catalog.find("usgs:x1", "exercise") == catalog.find("x1", "exercise") != [one["id"]]
        writer.write(event("smi:x/1", source="qmla"))
        assert catalog.find("smi:x/1") == catalog.find("qmla:smi:x/1") != []
        assert catalog.find("nothing") == catalog.find("usgs:nothing") == []
        assert catalog.earthquake("eq_nothing") is None

    def test_found_by_what_an_agency_says_that_others_call_it(self, catalog: Catalog, writer: Writer) -> None:
        claim = {"ids": ["us2000abcd", "3"]}
        writer.write(event("x1", **claim))
        (one,) = catalog.find("x1")
        assert catalog.find("us2000abcd") == catalog.find("usgs:3") == [one]
        writer.write(event("x2", mode="exercise", **claim))
        assert len(catalog.find("us2000abcd")) == 2
        assert catalog.find("us2000abcd", "actual") == [one]
        writer.write(event("us2000abcd", timestamp=event("x2").timestamp_ms + 70_000, mode="exercise"))
        assert catalog.find("us2000abcd") == catalog.find("x2") != [one]
        writer.write(event("x1", updated=NOW_MS))
        assert catalog.find("us2000abcd", "actual") == []

    @pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "MTUw", "LTEuLTEuLTE"])
    def test_a_foreign_cursor_is_refused(self, catalog: Catalog, cursor: str) -> None:
        with pytest.raises(Rejected, match="cursor"):
            catalog.earthquakes(EarthquakeFilter(), 10, cursor)

    @pytest.mark.parametrize("limit", [0, -1, 10_001])
    def test_a_limit_out_of_range_is_refused(self, catalog: Catalog, limit: int) -> None:
        with pytest.raises(Rejected, match="limit"):
            catalog.earthquakes(EarthquakeFilter(), limit)
