"""What is told of revised, merged, split and deleted earthquakes. The made histories are made, and say so by `made`."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.catalog import Catalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.event import EarthquakeEvent
from quakestream.fence.rules import check, measure
from quakestream.subscriptions.earthquake import Quake
from quakestream.subscriptions.subscription import Subscription
from quakestream.telling.policy import Decision, News, Told, decide, differences
from tests.catalog.test_histories import history
from tests.contracts.catalog import NOW_MS, TIME_MS, UPDATED_MS, Writer, event, shock, tangle
from tests.sizes import later, size
from tests.telling.teller import HOUR_MS, HOW, Teller, subscription


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
        catalog._db.execute("PRAGMA synchronous=OFF")  # the order is what is tried here, not the disk
        yield catalog


def play(catalog: Catalog, teller: Teller, events: list[EarthquakeEvent], **write: Any) -> None:
    writer = Writer(catalog)
    for one in events:
        now_ms = write.get("now_ms") or one.updated_ms
        teller.hear(writer.write(one, **(write | {"now_ms": now_ms})).changes)


# --- recorded histories ---------------------------------------------------------------------------------------------


def test_a_history_that_moves_too_little_is_told_once(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    play(catalog, teller, history("nn00570710"))
    assert teller.kinds() == ["alert"]
    assert teller.said[0][1].told is not None
    assert teller.said[0][1].told.magnitude == 5.7


def test_one_that_begins_without_a_magnitude_is_told_when_it_has_one(catalog: Catalog) -> None:
    everything = subscription(what={})
    teller = Teller({"one": subscription(), "everything": everything})
    play(catalog, teller, history("nc72852151"))
    assert teller.kinds() == ["alert"]
    assert [d.told.magnitude for who, d in teller.said if who == "one" and d.told] == [4.9]
    first, second, *more = [d for who, d in teller.said if who == "everything"]
    assert (first.kind, first.told and first.told.magnitude) == ("alert", None)
    assert (second.kind, second.cause) == ("update", "material")
    assert "magnitude unknown → 4.9" in second.reason
    assert not more


def test_redelivery_says_nothing_again(catalog: Catalog) -> None:
    writer, teller, changes = Writer(catalog), Teller({"one": subscription(what={})}), []
    for one in history("nc72852151"):
        changes += writer.write(one, now_ms=one.updated_ms or 0).changes
    for number, change in enumerate(changes):
        teller.hear([change])
        before = list(teller.said)
        teller.hear(changes[max(0, number - 3) : number + 1])
        assert teller.said == before


def test_redelivery_says_nothing_again_where_every_revision_is_wanted() -> None:
    teller = Teller({"one": subscription(how=HOW | {"updates": "every"})})
    for seq in (1, 2, 2, 1, 3, 3):
        teller.hear_one(news(quake(revision=seq), seq))
    assert teller.kinds() == ["alert", "update", "update"]


def test_an_import_and_a_back_fill_of_30_days_are_silent(catalog: Catalog) -> None:
    teller = Teller({"one": subscription(where={"kind": "world"}, what={})})
    past = [
        event(f"p{n}", timestamp=NOW_MS - n * 6 * HOUR_MS - 2 * HOUR_MS, updated=NOW_MS - HOUR_MS) for n in range(120)
    ]
    play(catalog, teller, past, now_ms=NOW_MS)
    play(catalog, teller, [event("i1", timestamp=NOW_MS - 60_000)], now_ms=NOW_MS, imported=True)
    assert teller.said == []
    assert teller.last[0].cause == "imported"


# --- made histories -------------------------------------------------------------------------------------------------


def made(id_: str = "m1", revision: int = 0, **fields: Any) -> EarthquakeEvent:
    """A made-up report, committed in time for an alert."""
    return shock(id_, **({"magnitude": 5.0, "timestamp": NOW_MS - 600_000, "updated": UPDATED_MS + revision} | fields))


def place(latitude: float, longitude: float = -118.9, depth: float = 12.0) -> dict[str, float]:
    return {"latitude": latitude, "longitude": longitude, "depth": depth}


def test_a_magnitude_that_moves_by_0_4_is_an_update(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    play(catalog, teller, [made(), made(revision=1, magnitude=5.2), made(revision=2, magnitude=5.4)], now_ms=NOW_MS)
    assert teller.kinds() == ["alert", "update"]
    assert teller.said[1][1].reason.startswith("magnitude 5.0 → 5.4")


def test_small_steps_that_add_up_are_an_update(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    steps = [made(revision=n, magnitude=5.0 + n / 10) for n in range(8)]
    play(catalog, teller, steps, now_ms=NOW_MS)
    assert [d.told.magnitude for _, d in teller.said if d.told] == pytest.approx([5.0, 5.3, 5.6])


def test_a_place_that_moves_by_25_km_is_an_update(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    play(catalog, teller, [made(), made(revision=1, location=place(38.39 + 25 / 111.2))], now_ms=NOW_MS)
    assert teller.kinds() == ["alert", "update"]
    assert "the epicentre moved 25 km" in teller.said[1][1].reason


def test_another_class_of_intensity_is_an_update_unless_it_flutters() -> None:
    near = subscription(where={"kind": "circle", "latitude": 38.39, "longitude": -118.9}, what={"min_intensity": 4})
    shallow, deeper, flutter = quake(depth_km=5.0), quake(depth_km=25.0), quake(magnitude=5.05, depth_km=5.0)
    told = decide(near, None, news(shallow, 1), check(near, shallow, NOW_MS), NOW_MS, max_age_ms=HOUR_MS).told
    assert told
    (found,) = differences(told, deeper, measure(near, deeper))
    assert str(found) == "expected intensity VII → V"
    assert not differences(told, flutter, measure(near, flutter))


@pytest.mark.parametrize(("updates", "kinds"), [("first", 1), ("material", 2), ("every", 4)])
def test_the_three_policies_and_that_each_cancels(catalog: Catalog, updates: str, kinds: int) -> None:
    teller = Teller({"one": subscription(how=HOW | {"updates": updates})})
    steps = [made(), made(revision=1, magnitude=5.1), made(revision=2, magnitude=5.5), made(revision=3, magnitude=5.6)]
    play(catalog, teller, [*steps, made(revision=4, status="deleted")], now_ms=NOW_MS)
    assert teller.kinds() == ["alert"] + ["update"] * (kinds - 1) + ["cancellation"]


def test_who_was_told_is_told_when_it_turns_out_smaller_than_asked_for(catalog: Catalog) -> None:
    teller = Teller({"one": subscription(), "two": subscription(what={"min_magnitude": 5.5})})
    play(catalog, teller, [made(), made(revision=1, magnitude=3.9)], now_ms=NOW_MS)
    assert teller.kinds() == ["alert", "update"]
    assert not teller.said[1][1].asked
    assert "no longer what was asked for" in teller.said[1][1].reason
    assert teller.kinds("two") == []


def test_a_deletion_is_told_exactly_once_to_exactly_those_told(catalog: Catalog) -> None:
    teller = Teller({"one": subscription(), "two": subscription(what={"min_magnitude": 6})})
    gone = made(revision=1, status="deleted")
    play(catalog, teller, [made(), gone, made(revision=2, status="deleted", place="again")], now_ms=NOW_MS)
    assert teller.kinds() == ["alert", "cancellation"]
    assert teller.said[1][1].cause == "deleted"
    assert teller.kinds("two") == []


def test_one_that_comes_back_after_a_deletion_is_told_again(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    play(catalog, teller, [made(), made(revision=1, status="deleted"), made(revision=2)], now_ms=NOW_MS)
    assert [(d.kind, d.cause) for _, d in teller.said][-1] == ("update", "again")


def test_a_quarry_blast_after_all_is_cancelled(catalog: Catalog) -> None:
    teller = Teller({"one": subscription()})
    play(catalog, teller, [made(), made(revision=1, type="quarry blast", magnitude=5.1)], now_ms=NOW_MS)
    assert teller.kinds() == ["alert", "cancellation"]
    assert teller.said[1][1].cause == "not-of-that-type"


APART = {"timestamp": NOW_MS - 500_000}
NAMED = {"ids": ["m1", "w1"]}


def test_a_merge_goes_on_under_the_surviving_id_without_another_alert(catalog: Catalog) -> None:
    only_second = subscription(what={"min_magnitude": 5.15})
    teller = Teller({"both": subscription(), "second": only_second})
    first = made("m1", magnitude=5.0)
    second = made("w1", revision=5, magnitude=5.2, agency="ww", source="world", location=place(38.8), **APART)
    play(catalog, teller, [first, second], now_ms=NOW_MS)
    assert teller.kinds("both") == ["alert", "alert"]
    assert teller.kinds("second") == ["alert"]
    play(
        catalog,
        teller,
        [made("m1", revision=6, magnitude=5.0, **NAMED, **APART, location=place(38.75))],
        now_ms=NOW_MS,
    )
    (survivor,) = [e["id"] for e in listed(catalog)]
    assert teller.kinds("second") == ["alert"]
    assert ("second", survivor) in teller.told
    said = [d for who, d in teller.said if who == "both"][2:]
    assert [(d.kind, d.cause) for d in said if d.kind == "cancellation"] == [("cancellation", "one-of-two")]
    play(catalog, teller, [made("m1", revision=7, status="deleted", **NAMED, **APART)], now_ms=NOW_MS)
    gone = made("w1", revision=8, status="deleted", agency="ww", source="world", **APART)
    play(catalog, teller, [gone], now_ms=NOW_MS)
    assert teller.kinds("second") == ["alert", "cancellation"]
    assert all(told.kind == "cancellation" for told in teller.told.values())


def listed(catalog: Catalog) -> list[dict[str, Any]]:
    from quakestream.catalog import EarthquakeFilter

    page = catalog.earthquakes(EarthquakeFilter(includedeleted=True), limit=1000)
    return [msgspec.json.decode(document) for document in page.earthquakes]


# --- any order ------------------------------------------------------------------------------------------------------


def assert_sound(teller: Teller, latest: dict[str, Quake]) -> None:
    """One first; each update material against what was last sent; none older after a newer; nothing left unsent."""
    for name in teller.subscriptions:
        stories: dict[str, list[Decision]] = {}
        for who, decision in teller.said:
            if who == name and decision.told is not None:
                stories.setdefault(decision.told.earthquake_id, []).append(decision)
        for id_, story in stories.items():
            seqs = [d.told.seq for d in story if d.told]
            assert seqs == sorted(set(seqs)), "never an older after a newer"
            assert [d.kind for d in story].count("alert") <= 1 + teller.carried_away[name, id_]
            for before, after in itertools.pairwise(story):
                assert before.told
                if after.kind == "update" and before.kind != "cancellation":
                    assert after.differences
                assert after.kind != "cancellation" or before.kind != "cancellation"
    for (name, id_), told in teller.told.items():
        quake = latest.get(id_)
        if quake is None or quake.deleted:
            assert told.kind == "cancellation"
        elif told.kind != "cancellation":
            assert not differences(told, quake, measure(teller.subscriptions[name], quake)), "nothing left unsent"


SUBSCRIPTIONS = {
    "all": subscription(where={"kind": "world"}, what={}, modes=["actual", "exercise"]),
    "larger": subscription(where={"kind": "world"}, what={"min_magnitude": 3}),
    "near": subscription(where={"kind": "circle", "latitude": 38.4, "longitude": -118.9}, what={"min_intensity": 4}),
}


@pytest.mark.parametrize("seed", [*range(8), *later(*range(8, 40))])
def test_tangled_reports_in_any_order_are_told_soundly(catalog: Catalog, seed: int) -> None:
    chance = random.Random(seed)
    events = [
        msgspec.structs.replace(e, timestamp_ms=e.timestamp_ms + NOW_MS - TIME_MS - HOUR_MS // 2)
        for e in tangle(chance)
    ]
    chance.shuffle(events)
    writer, teller = Writer(catalog), Teller(SUBSCRIPTIONS)
    for number, one in enumerate(events):
        changes = writer.write(one).changes
        teller.hear(changes)
        said = len(teller.said)
        again = events[max(0, number - chance.randrange(6)) : number + 1]
        teller.hear([*changes[-1:], *writer.write(*again).changes])
        assert len(teller.said) == said, "redelivery"
    latest = {n.id: n for n in (quake_of(e) for e in listed(catalog))}
    assert teller.said
    assert_sound(teller, latest)


@pytest.mark.parametrize("name", ["nn00570710", "nc72852151"])
@pytest.mark.parametrize("seed", [0, *later(*range(1, 5))])
def test_recorded_histories_in_any_order_are_told_soundly(catalog: Catalog, name: str, seed: int) -> None:
    events = history(name)
    random.Random(seed).shuffle(events)
    teller = Teller(SUBSCRIPTIONS)
    play(catalog, teller, events, now_ms=max(e.timestamp_ms for e in events) + HOUR_MS // 2)
    assert set(teller.kinds("all")) <= {"alert", "update", "cancellation"}
    assert teller.kinds("all")[0] == "alert"
    assert_sound(teller, {n.id: n for n in (quake_of(e) for e in listed(catalog))})


def quake_of(document: dict[str, Any]) -> Quake:
    from quakestream.subscriptions.earthquake import earthquake_of

    return earthquake_of(document)


def quake(**fields: Any) -> Quake:
    base = Quake("eq_1", 1, 5.0, 38.39, -118.9, 12.0, NOW_MS - 600_000, "actual")
    return dataclasses.replace(base, **fields)


def news(of: Quake, seq: int, **fields: Any) -> News:
    return News(seq, "updated", of, NOW_MS, **fields)


revisions = st.lists(
    st.builds(
        quake,
        magnitude=st.one_of(st.none(), st.floats(3, 8)),
        latitude=st.floats(37.9, 38.9),
        depth_km=st.one_of(st.none(), st.floats(0, 120)),
        status=st.sampled_from(["automatic", "automatic", "reviewed", "deleted"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=size(20, 200), deadline=None)
@given(revisions, st.data())
def test_any_revisions_are_told_soundly_also_while_some_wait(quakes: list[Quake], data: st.DataObject) -> None:
    teller = Teller(SUBSCRIPTIONS)
    for seq, one in enumerate(quakes, 1):
        teller.holds_all = data.draw(st.booleans())
        teller.hear_one(news(one, seq))
        if data.draw(st.booleans()):
            for at, told in teller.waiting.items():
                teller.told[at] = told
            teller.waiting.clear()
    teller.release()
    last = quakes[-1]
    for (name, _), told in teller.told.items():
        if last.deleted:
            assert told.kind == "cancellation"
        elif told.kind != "cancellation":
            assert not differences(told, last, measure(SUBSCRIPTIONS[name], last))


# --- what holds it back ---------------------------------------------------------------------------------------------


def first(of: Subscription, one: Quake, *, now_ms: int = NOW_MS, **given: Any) -> Decision:
    match = check(of, one, now_ms)
    return decide(of, None, News(1, "created", one, now_ms), match, now_ms, max_age_ms=HOUR_MS, **given)


def test_no_first_alert_for_what_was_old_when_it_was_committed() -> None:
    assert first(subscription(), quake(time_ms=NOW_MS - HOUR_MS)).action == "send"
    assert first(subscription(), quake(time_ms=NOW_MS - HOUR_MS - 1)).cause == "old"


@pytest.mark.parametrize("mode", ["exercise", "test"])
def test_drills_reach_only_those_who_asked(mode: Any) -> None:
    assert first(subscription(), quake(mode=mode)).cause == "not-asked"
    assert first(subscription(modes=["actual", mode]), quake(mode=mode)).action == "send"
    assert first(subscription(modes=[mode]), quake()).cause == "not-asked"


def test_an_import_alarms_nobody_but_cancels_what_was_told() -> None:
    told = first(subscription(), quake()).told
    for status, action in (("automatic", "none"), ("deleted", "send")):
        after = news(quake(magnitude=6.5, status=status), 2, imported=True)
        assert decide(subscription(), told, after, None, NOW_MS, max_age_ms=HOUR_MS).action == action


def test_snoozed_until_it_ends_but_for_cancellations() -> None:
    snoozed = subscription(snooze_until_ms=NOW_MS + 1)
    assert first(snoozed, quake()).cause == "snoozed"
    told = first(subscription(), quake()).told
    gone = news(quake(status="deleted"), 2)
    assert decide(snoozed, told, gone, None, NOW_MS, max_age_ms=HOUR_MS).kind == "cancellation"
    assert first(snoozed, quake(), now_ms=NOW_MS + 1).action == "send"


def test_aftershocks_are_left_out_where_that_is_asked() -> None:
    main = quake(id="eq_0", magnitude=7.2, time_ms=NOW_MS - 86_400_000)
    quiet = subscription(how=HOW | {"exclude_aftershocks": True})
    assert first(quiet, quake(), mainshock=main).cause == "aftershock"
    assert first(subscription(), quake(), mainshock=main).action == "send"


ATHENS = {"time_zone": "Europe/Athens"}


def at(clock: str) -> int:
    """A winter's day in Athens, two hours ahead of UTC."""
    return round(dt.datetime.fromisoformat(f"2023-11-15T{clock}+02:00").timestamp() * 1000)


def test_quiet_hours_hold_what_is_not_severe() -> None:
    quiet = subscription(how=HOW | {"quiet_hours": {"start": "22:00", "end": "07:00", "unless_magnitude": 7}}, **ATHENS)
    held = first(quiet, quake(time_ms=at("23:00")), now_ms=at("23:10"))
    assert (held.action, held.not_before_ms) == ("send", at("07:00") + 86_400_000)
    assert held.expires_ms == held.not_before_ms + HOUR_MS
    assert first(quiet, quake(time_ms=at("02:00")), now_ms=at("02:10")).not_before_ms == at("07:00")
    assert first(quiet, quake(time_ms=at("06:55")), now_ms=at("07:00")).not_before_ms == 0
    assert first(quiet, quake(time_ms=at("02:00"), magnitude=7.0), now_ms=at("02:10")).not_before_ms == 0
    near = {"kind": "circle", "latitude": 38.39, "longitude": -118.9, "radius_km": 100}
    shaken = subscription(where=near, how=HOW | {"quiet_hours": {}}, **ATHENS)
    assert first(shaken, quake(time_ms=at("02:00"), magnitude=6.0), now_ms=at("02:10")).not_before_ms == 0


def test_what_was_told_at_night_is_corrected_that_night() -> None:
    quiet = subscription(how=HOW | {"quiet_hours": {"unless_magnitude": 7}}, **ATHENS)
    told = first(quiet, quake(time_ms=at("02:00"), magnitude=7.1), now_ms=at("02:10")).told
    smaller = News(2, "updated", quake(time_ms=at("02:00"), magnitude=6.0), at("02:20"))
    update = decide(quiet, told, smaller, None, at("02:20"), max_age_ms=HOUR_MS)
    assert (update.kind, update.not_before_ms) == ("update", 0)
    day = first(quiet, quake(time_ms=at("20:00")), now_ms=at("20:10")).told
    gone = News(2, "deleted", quake(status="deleted"), at("23:00"))
    assert decide(quiet, day, gone, None, at("23:00"), max_age_ms=HOUR_MS).not_before_ms == at("07:00") + 86_400_000


def test_what_waits_is_replaced_or_withdrawn_without_a_word() -> None:
    teller = Teller({"one": subscription()}, holds_all=True)
    teller.hear_one(news(quake(), 1))
    teller.hear_one(news(quake(magnitude=5.1), 2))
    assert [t.magnitude for t in teller.waiting.values()] == [5.1]
    teller.hear_one(news(quake(status="deleted"), 3))
    assert not teller.waiting
    assert not teller.told


def test_an_update_that_is_taken_back_before_it_was_sent_is_withdrawn() -> None:
    teller = Teller({"one": subscription()})
    teller.hear_one(news(quake(), 1))
    teller.holds_all = True
    teller.hear_one(news(quake(magnitude=5.5), 2))
    assert len(teller.waiting) == 1
    assert teller.hear_one(news(quake(magnitude=5.0), 3))[0].action == "withdraw"
    assert not teller.waiting


def test_a_swarm_is_told_together() -> None:
    digest = {"after": 3, "within_minutes": 120, "radius_km": 50, "every_minutes": 60}
    teller = Teller({"one": subscription(how=HOW | {"digest": digest})})
    swarm = [quake(id=f"eq_{n}", time_ms=NOW_MS + n * 60_000, latitude=38.3 + n / 100) for n in range(8)]
    for seq, one in enumerate(swarm, 1):
        teller.hear_one(News(seq, "created", one, one.time_ms))
    assert len(teller.said) == 3
    assert len(teller.waiting) == 5
    decision = teller.last[0]
    assert decision.digest
    assert decision.not_before_ms % HOUR_MS == 0
    assert NOW_MS < decision.not_before_ms <= NOW_MS + 2 * HOUR_MS
    larger = quake(id="eq_big", magnitude=5.5, time_ms=NOW_MS + 600_000)
    assert not teller.hear_one(News(99, "created", larger, larger.time_ms))[0].digest
    elsewhere = quake(id="eq_far", latitude=41.0, time_ms=NOW_MS + 600_000)
    assert not teller.hear_one(News(100, "created", elsewhere, elsewhere.time_ms))[0].digest


def test_severe_goes_before_mild_and_alerts_before_updates() -> None:
    near = subscription(where={"kind": "circle", "latitude": 38.39, "longitude": -118.9, "radius_km": 500})
    far = subscription(where={"kind": "circle", "latitude": 42.0, "longitude": -118.9, "radius_km": 500})
    large = quake(magnitude=7.0)
    severe, mild = first(near, large), first(far, large)
    assert severe.severity == "extreme"
    assert mild.severity == "moderate"
    assert severe.priority < mild.priority
    update = decide(near, severe.told, news(quake(magnitude=7.6), 2), None, NOW_MS, max_age_ms=HOUR_MS)
    assert severe.priority < update.priority < mild.priority
    assert first(near, quake(depth_km=200.0, magnitude=7.0)).severity == "unknown"


def test_told_and_decided_can_be_stored_as_json() -> None:
    told = first(subscription(), quake()).told
    assert msgspec.json.decode(msgspec.json.encode(told), type=Told) == told
