"""`quakestream catalog`, as a user runs it."""

import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from quakestream import catalog_cli, cli, formats
from quakestream.catalog import EarthquakeFilter, queries
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.schema import secrets
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.catalog.verifying import faults
from quakestream.event import EarthquakeEvent
from quakestream.instance import sole_instance
from tests.contracts.catalog import FAR, LATER_MS, NOW_MS, TIME_MS, UPDATED_MS, Writer, event, shock
from tests.end_to_end import spawner
from tests.postgres_server import PostgresServer
from tests.sizes import DATABASES
from tests.typed import typed

DATA = Path(__file__).parent / "data"
FILES = (
    "usgs_feed_2014.geojson",
    "usgs_detail_nn00570710.geojson",
    "usgs_quakeml_nc72282711.xml",
    "scedc_2010.catalog",
)


class Shell:
    """Runs `quakestream catalog` on a folder of its own, or on a database."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        self.path = folder / "catalogue.sqlite3"
        self.database_url = database_url
        self.by_itself = False
        """Whether each command is a program of its own."""

    def __call__(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = ["catalog", *map(str, arguments), "--data-dir", str(self.folder)]
        environment = {"PATH": os.environ["PATH"], "COLUMNS": "200", "DATABASE_URL": self.database_url}
        if self.by_itself:
            done = spawner.run(["quakestream", *command], environment, self.folder)
        else:
            done = typed(cli.app, *command, environment=environment, folder=self.folder)
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def sql(self, statement: str) -> None:
        if self.database_url:
            with psycopg.connect(self.database_url) as session:
                session.execute(statement.encode())
            return
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(statement)

    def catalog(self) -> SqlCatalog:
        return PostgresqlCatalog(self.database_url) if self.database_url else SqliteCatalog(self.path)


def whole(catalog: SqlCatalog) -> list[Any]:
    """What a catalogue has of real earthquakes: what stands, who says what, and all that they ever said."""
    found = []
    for one in catalog.every(EarthquakeFilter(includedeleted=True, mode="actual")):
        document = catalog.earthquake(json.loads(one)["id"]) or {}
        own = ("id", "seq", "revision", "firstSeen", "changed", "history", "solutions", "doubts", "preferred", "events")
        said = sorted(json.dumps(step["event"], sort_keys=True) for step in document["history"] if step["event"])
        solutions = sorted(json.dumps(one, sort_keys=True) for one in document["solutions"])
        rest = {name: value for name, value in document.items() if name not in own}
        found.append([rest, document["preferred"], sorted(document["events"]), solutions, said])
    return found


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(params=DATABASES)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """On each of the two databases."""
    if request.param == "sqlite":
        return Shell(tmp_path)
    return Shell(tmp_path, request.getfixturevalue("postgresql").make_database())


def listed(catalog: SqlCatalog) -> list[dict[str, Any]]:
    page = catalog.earthquakes(EarthquakeFilter(includedeleted=True), 10_000)
    return [json.loads(document) for document in page.earthquakes]


def test_imported_files_are_real_and_alarm_nobody_and_a_second_time_changes_nothing(shell: Shell) -> None:
    shell.by_itself = True
    said = shell("import", *(DATA / name for name in FILES)).stderr
    assert said.count("events/s") == len(FILES)
    with closing(shell.catalog()) as catalog:
        changes = catalog.changes(0, 10_000)
        assert changes
        assert all(change.imported for change in changes)
        assert {e["mode"] for e in listed(catalog)} == {"actual"}
        seq = catalog.feed().last_seq
    assert shell("import", DATA / FILES[0]).stderr.startswith(f"{FILES[0]}: 0 events stored, 0 known already, ")
    assert ": 0 events stored" in shell("import", "--again", DATA / FILES[0]).stderr
    with closing(shell.catalog()) as catalog:
        assert catalog.feed().last_seq == seq
    assert shell("verify").stdout.startswith("good: ")


def test_tables_of_others_are_imported_once_under_the_source_that_one_says(either: Shell) -> None:
    table = DATA / "no_ids_switzerland.csv"
    assert "whose reports these are" in either("import", table, code=1).stderr
    assert (
        "no column 'Mag'" in either("import", table, "--source", "etas-ch", "--columns", "magnitude=Mag", code=1).stderr
    )
    right = ("--source", "etas-ch", "--columns", "time=time,latitude=latitude", "--columns", "magnitude=magnitude")
    assert "19 events stored" in either("import", table, *right).stderr
    assert "0 events stored, 0 known already, 19 imported before" in either("import", table, *right).stderr
    assert "0 events stored, 19 known already" in either("import", table, *right, "--again").stderr
    rows = [";".join(cell.replace(".", ",") for cell in row) for row in csv.reader(table.read_text().splitlines())]
    (either.folder / "semicolons.csv").write_text("\r\n".join([rows[0], *rows[:0:-1]]))
    assert "0 events stored, 19 known already" in either("import", "semicolons.csv", "--source", "etas-ch").stderr
    assert "19 events stored" in either("import", table, "--source", "etas-ch", "--columns", "id=1").stderr
    assert either("verify").stdout.startswith("good: 38 earthquakes")


def test_what_is_said_of_a_table_is_checked(shell: Shell) -> None:
    for wrong, why in (
        (("--source", "a b"), "--source a b: a name"),
        (("--source", "usgs:x"), "--source usgs:x: a name"),
        (("--columns", "tiem=a"), "Did you mean time?"),
        (("--columns", "time"), "field=column is needed"),
        (("--columns", "lat=a,latitude=b"), "latitude is given twice"),
    ):
        assert why in shell("import", DATA / "no_ids_switzerland.csv", *wrong, code=2).stderr
    assert not shell.path.exists()


def test_each_format_of_others_is_recognised_and_refused_rows_are_counted(shell: Shell) -> None:
    imports = DATA / "imports"
    files = [imports / name for name in ("bulletin.isf", "centroids.ndk", "places.zmap", "sequence.geojsonl")]
    said = shell("import", *files, "--source", "someone", code=1).stderr
    for name, stored, bad in (("bulletin", 2, 1), ("centroids", 2, 0), ("places", 2, 0), ("sequence", 3, 1)):
        assert re.search(rf"{name}\.\w+: {stored} events stored, 0 known already, {bad} could not be read", said), name
    assert "bulletin.isf: line 26 (event 1234569)" in said
    assert "sequence.geojsonl: line 3: not a JSON object, or cut off" in said
    (shell.folder / "letter.txt").write_text("Dear colleagues\n")
    assert "Tried were" in shell("import", "letter.txt", code=1).stderr


def test_southern_california_s_own_file_and_comcat_tell_of_the_same_earthquakes(shell: Shell) -> None:
    evid = "14566836"
    far = "time,latitude,longitude,depth,mag,id,net\n2010-01-01T00:17:20.000Z,36.2,-117.5,9,1.6,ci14566836,us\n"
    (shell.folder / "comcat.csv").write_text(far)
    shell("import", "comcat.csv", DATA / "scedc_2010.catalog")
    with closing(shell.catalog()) as catalog:
        assert catalog.find("usgs:ci14566836") == catalog.find(f"scedc:{evid}") != []


def test_a_centroid_of_the_global_cmt_catalogue_is_the_earthquake_whose_beginning_is_a_minute_earlier(
    shell: Shell,
) -> None:
    """Java, 17 July 2006: 69.6 s later."""
    row = "2006-07-17T08:19:26.680Z,-9.284,107.419,20,7.7,usp000en4k,us"
    (shell.folder / "usgs.csv").write_text(f"time,latitude,longitude,depth,mag,id,net\n{row}\n")
    shell("import", "usgs.csv", DATA / "imports" / "centroids.ndk")
    with closing(shell.catalog()) as catalog:
        [java] = catalog.find("usgs:usp000en4k")
        assert catalog.find("gcmt:C200607170819A") == [java]
        [shown] = [one for one in listed(catalog) if one["id"] == java]
    assert (shown["preferred"], shown["timestamp"]) == ("usgs:usp000en4k", 1_153_124_366_680)


def test_an_import_that_was_cut_short_goes_on_where_it_was(shell: Shell) -> None:
    whole = (DATA / "usgs_feed_2014.geojson").read_text()
    events = list(formats.read_file(DATA / "usgs_feed_2014.geojson", mode="actual"))
    shell("import", DATA / "usgs_feed_2014.geojson")
    shell.sql("UPDATE positions SET next_offset = 3")  # as after a batch of three
    assert (
        f"{len(events) - 3} known already, 3 imported before" in shell("import", DATA / "usgs_feed_2014.geojson").stderr
    )
    (shell.folder / "other.geojson").write_text(whole + " ")
    assert f"{len(events)} known already" in shell("import", "other.geojson").stderr


AGENCIES = DATA / "agencies"


def test_the_streams_bounds_hold_for_imports(shell: Shell) -> None:
    files = [AGENCIES / name for name in ("a_future.geojson", "b_true.geojson", "c_future_time.geojson")]
    feed = json.loads(files[1].read_text())
    feed["features"][0]["properties"]["updated"] = feed["features"][0]["properties"]["time"] = 1_500_000_000_000
    files[1] = shell.folder / "true.geojson"
    files[1].write_text(json.dumps(feed))
    said = shell("import", *files, code=1).stderr
    assert said.count("ahead") == 2
    with closing(shell.catalog()) as catalog:
        assert [(e["events"], e["magnitude"]) for e in listed(catalog)] == [(["usgs:zz1001"], 5.7)]


def test_a_withdrawal_without_a_place_deletes_what_was_imported(either: Shell) -> None:
    first, then = (json.loads((AGENCIES / f"usgs-deleted-{n}.geojson").read_text()) for n in (1, 2))
    first["features"][0]["properties"] |= {"time": 1_500_000_000_000, "updated": 1_500_000_060_000}
    then["features"][0]["properties"]["updated"] = 1_500_000_090_000
    for name, shown in (("1.geojson", first), ("2.geojson", then)):
        (either.folder / name).write_text(json.dumps(shown))
    assert "nothing is known of usgs:aa1004" in either("import", "2.geojson", code=1).stderr
    either("import", "1.geojson")
    either("import", "--again", "2.geojson")
    with closing(either.catalog()) as catalog:
        [quake] = listed(catalog)
    assert (quake["status"], quake["magnitude"], quake["location"]["longitude"]) == ("deleted", 6.1, 100.0)


def test_values_that_are_left_out_stand_in_the_summary(shell: Shell) -> None:
    said = shell("import", AGENCIES / "q18_rms_empty_etc.xml").stderr
    assert "standardError" in said
    assert "1 events stored, 0 known already, 0 could not be read, 1 values left out that could not be read" in said


def test_what_can_not_be_read_is_told_and_the_rest_imported(shell: Shell) -> None:
    feed = json.loads((DATA / "usgs_feed_2014.geojson").read_text())
    feed["features"][0]["geometry"]["coordinates"][1] = 91
    (shell.folder / "bad.geojson").write_text(json.dumps(feed))
    (shell.folder / "page.html").write_text("<html>")
    said = shell("import", "bad.geojson", "page.html", code=1).stderr
    assert "latitude" in said
    assert f"{len(feed['features']) - 1} events stored" in said
    assert "page.html: a web page" in said
    shell("import", "nothing.geojson", code=2)


def test_a_file_in_which_one_agency_names_its_own_is_imported_soundly(shell: Shell) -> None:
    feed = json.loads((DATA / "usgs_feed_2014.geojson").read_text())
    first, second = (f["properties"] | {"net": "aa"} for f in feed["features"][:2])
    second["ids"] = f",{feed['features'][0]['id']},{feed['features'][1]['id']},"
    second["time"] = first["time"] + 20_000
    feed["features"][1]["geometry"] = feed["features"][0]["geometry"]
    feed["features"] = [f | {"properties": p} for f, p in zip(feed["features"], (first, second), strict=False)]
    (shell.folder / "one.geojson").write_text(json.dumps(feed))
    shell("import", "one.geojson")
    assert shell("verify").stdout.startswith("good: 1 earthquakes")


def test_writing_is_refused_while_the_consumer_is_at_work_and_reading_is_not(shell: Shell) -> None:
    shell("import", DATA / FILES[0])
    with sole_instance(shell.folder / "earthquake-consumer.lock"):
        for command in (("import", DATA / FILES[0]), ("prune",), ("vacuum",), ("rebuild",), ("new-epoch",)):
            assert "another earthquake-consumer" in shell(*command, code=1).stderr
        shell("verify")
        shell("export")


def test_export_in_each_form_with_filters(shell: Shell) -> None:
    with closing(shell.catalog()) as catalog:
        Writer(catalog).write(
            shock("nn1", magnitude=5.5),
            shock("us1", magnitude=5.4, status="reviewed"),
            shock("ak9", timestamp=0, magnitude=None, location={"latitude": 60, "longitude": -150}, mode="actual"),
            shock("xx1", mode="exercise"),
        )
        real = [e for e in listed(catalog) if e["mode"] == "actual"]
    lines = [json.loads(line) for line in shell("export", "--format", "jsonl").stdout.splitlines()]
    beside = ("solutions", "history", "agencies", "terms")
    assert [{name: value for name, value in line.items() if name not in beside} for line in lines] == real
    assert [step["event"]["id"] for step in lines[0]["history"]] == ["nn1", "us1"]
    assert [one["id"] for one in lines[0]["solutions"]] == ["nn1"]
    assert [one["source"] for one in lines[0]["terms"]] == ["usgs"]
    features = json.loads(shell("export").stdout)["features"]
    assert [f["id"] for f in features] == [e["id"] for e in real]
    assert (features[0]["properties"]["mag"], features[0]["properties"]["ids"]) == (5.4, f",{real[0]['id']},nn1,us1,")
    rows = list(csv.DictReader(io.StringIO(shell("export", "--format", "csv").stdout)))
    assert [(row["id"], row["mag"], row["status"]) for row in rows] == [
        (e["id"], str(e["magnitude"] or ""), e["status"]) for e in real
    ]
    assert "U.S. public domain" in shell("export", "--format", "text").stderr
    shell("export", "--format", "csv", "-o", "out.csv")
    assert "U.S. public domain" in (shell.folder / "out.csv.terms.txt").read_text()
    again = list(formats.read_file(shell.folder / "out.csv", mode="actual"))
    assert [e.timestamp_ms for e in again] == [e["timestamp"] for e in real]  # type: ignore[union-attr]
    assert len(json.loads(shell("export", "--minmagnitude", "5").stdout)["features"]) == 1
    assert len(json.loads(shell("export", "--endtime", "1970-01-02").stdout)["features"]) == 1
    assert len(json.loads(shell("export", "--mode", "exercise").stdout)["features"]) == 1
    assert "minmagnitude" in shell("export", "--minmagnitude", "5", "--maxmagnitude", "4", code=2).stderr
    assert "eq_" in shell("export", "--format", "text").stdout
    assert "<kml" in shell("export", "--format", "kml").stdout
    shell("export", "--format", "quakeml", "-o", "out.xml")
    assert (shell.folder / "out.xml").read_text().count("<origin ") == 3  # of every report
    read = [e for e in formats.read_file(shell.folder / "out.xml", mode="actual") if isinstance(e, EarthquakeEvent)]
    assert {e.key for e in read} == {"usgs:nn1", "usgs:us1", "usgs:ak9"}
    assert "2 events stored" in shell("import", "out.csv").stderr


def test_json_lines_are_whole_and_come_back_with_sources_ids_and_history(either: Shell, tmp_path: Path) -> None:
    with closing(either.catalog()) as catalog:
        writer = Writer(catalog)
        writer.write(shock("nn1", magnitude=5.5, agency="nn"), shock("us1", magnitude=5.4, source="emsc"))
        writer.write(shock("nn1", magnitude=5.6, updated=UPDATED_MS + 1000, theirs={"own": [1]}))
        writer.write(shock("far", location=FAR, timestamp=TIME_MS + 90_000, magnitude=3.0))
        writer.write(shock("far", magnitude=3.1, updated=UPDATED_MS + 9000))  # it turns out to be the same
        writer.write(shock("gone", timestamp=0, status="deleted"), shock("nn1", mode="exercise", magnitude=9.0))
        writer.write(shock("nn1", magnitude=5.7, updated=UPDATED_MS + 20_000, status="reviewed"))
        before = whole(catalog)
    either("export", "--format", "jsonl", "--includedeleted", "-o", "out.jsonl")
    again = Shell(tmp_path / "again")
    again.folder.mkdir()
    done = again("import", either.folder / "out.jsonl")
    assert "7 events stored" in done.stderr  # the drill stays where it is
    with closing(again.catalog()) as catalog:
        assert whole(catalog) == before
    assert "0 events stored" in again("import", "--again", either.folder / "out.jsonl").stderr
    then = either("export", "--format", "jsonl", "--as-of", "3").stdout
    assert max(step["seq"] for line in then.splitlines() for step in json.loads(line)["history"]) == 3


FORMS = ("geojson", "csv", "jsonl", "quakeml", "text", "kml", "parquet")


@pytest.mark.parametrize("form", FORMS)
def test_each_format_is_as_of_one_change_and_all_but_kml_come_back(shell: Shell, form: str) -> None:
    with closing(shell.catalog()) as catalog:
        writer = Writer(catalog)
        writer.write(shock("a1", magnitude=5.0, place="Nevada"), event("b1", magnitude=4.0, timestamp=TIME_MS - 10**9))
        then = catalog.feed().last_seq
        writer.write(shock("a1", magnitude=5.9, updated=UPDATED_MS + 9000), event("c1", magnitude=6.0))
    shell("export", "--format", form, "--as-of", str(then), "-o", "out")
    data = (shell.folder / "out").read_bytes()
    if form == "kml":
        assert data.count(b"<Placemark ") == 2
        assert b"M 5.9" not in data
        return
    found = {
        round(e.magnitude or 0, 1): (e.timestamp_ms, e.location.latitude, e.location.depth_km)
        for e in formats.read_file(shell.folder / "out", mode="actual")
        if isinstance(e, EarthquakeEvent)
    }
    assert found == {5.0: (TIME_MS, 38.39, 12.0), 4.0: (TIME_MS - 10**9, *found[4.0][1:])}
    shell.path.unlink()
    assert "2 events stored" in shell("import", "out").stderr


def test_parquet_is_written_and_comes_back(shell: Shell) -> None:
    import pandas as pd

    with closing(shell.catalog()) as catalog:
        Writer(catalog).write(shock("nn1", magnitude=5.5), shock("xx1", mode="exercise"))
        before = listed(catalog)
    shell("export", "--format", "parquet", "-o", "out.parquet")
    frame = pd.read_parquet(shell.folder / "out.parquet")
    assert list(frame["id"]) == [e["id"] for e in before if e["mode"] == "actual"]
    shell.path.unlink()
    shell("import", "out.parquet")
    with closing(shell.catalog()) as catalog:
        (after,) = listed(catalog)
    assert [after[name] for name in ("preferred", "magnitude", "location")] == ["usgs:nn1", 5.5, before[0]["location"]]


def test_without_pyarrow_the_extra_is_named_and_no_file_is_made(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(shell.catalog()) as catalog:
        Writer(catalog).write(shock("nn1", magnitude=5.5))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = shell.folder / "none.parquet"
    options = ["export", "--format", "parquet", "-o", str(out), "--data-dir", str(shell.folder)]
    done = CliRunner().invoke(catalog_cli.app, options)
    assert done.exit_code == 2
    assert "pip install 'quakestream[parquet]'" in done.stderr
    assert not out.exists()


def test_an_export_as_of_a_change_is_of_that_moment(shell: Shell) -> None:
    with closing(shell.catalog()) as catalog:
        writer = Writer(catalog)
        writer.write(shock("nn1", magnitude=5.5))
        writer.write(shock("nn1", magnitude=5.6, updated=NOW_MS), now_ms=NOW_MS + 5000)
    for then, magnitude in (("1", 5.5), ("2", 5.6), ("2023-11-14T22:13:21Z", 5.5), ("2023-11-14T22:14:21Z", 5.6)):
        said = shell("export", "--format", "jsonl", "--as-of", then).stdout
        assert json.loads(said)["magnitude"] == magnitude
    assert "no change 9" in shell("export", "--as-of", "9", "-o", "none.json", code=2).stderr
    assert "asof" in shell("export", "--as-of", "soon", code=2).stderr
    assert not (shell.folder / "none.json").exists()


@pytest.mark.parametrize("command", ["verify", "export", "prune", "vacuum", "rebuild", "new-epoch"])
def test_a_catalogue_that_is_not_there_is_not_made(shell: Shell, command: str) -> None:
    assert "there is no catalogue" in shell(command, code=2).stderr
    assert list(shell.folder.iterdir()) == []


def test_bad_arguments_are_told_in_one_line(shell: Shell, sound: Path) -> None:
    shell.path.write_bytes(sound.read_bytes())
    for days in ("nan", "-5", "inf", "1e300"):
        assert shell("prune", "--days", days, code=2).stderr == "--days: from 0 to 36,500\n"
    said = shell("export", "-o", "/nonexistent/x", code=1).stderr
    assert said == "/nonexistent/x can't be written: No such file or directory\n"
    with closing(shell.catalog()) as catalog:
        assert catalog.feed().first_seq == 1


FAULTS = {
    "DELETE FROM changes WHERE seq = 2": "the feed's counter",
    "UPDATE changes SET document = x'' WHERE seq = 4": "has no document",
    "UPDATE earthquakes SET seq = 1 WHERE seq = 3": "has other changes",
    "UPDATE earthquakes SET merged_into = NULL WHERE merged_into IS NOT NULL": "has no reports",
    "UPDATE reports SET earthquake = 99 WHERE id = 'ak1'": "belongs to no earthquake",
    "UPDATE reports SET earthquake = 3 WHERE id = 'us1'": "are one earthquake",
    "UPDATE reports SET earthquake = 1 WHERE id = 'ak1'": "not the same",
    "UPDATE reports SET updated_ms = updated_ms - 1, content_hash = x'00' WHERE id = 'nn1'": "latest event",
    "UPDATE reports SET timestamp_ms = timestamp_ms + 1 WHERE id = 'nn1'": "the origin time",
    "DELETE FROM reports WHERE id = 'ak1'": "belongs to no report",
    "UPDATE earthquakes SET magnitude = 1 WHERE merged_into IS NULL": "is not found by",
    "UPDATE changes SET document = replace(document, '4.5', '4.6')": "not what its events make",
    "UPDATE feed SET last_report = 1": "were passed",
    "DELETE FROM events WHERE seq = 1": "latest event",
    "INSERT INTO claims VALUES ('x', 'actual', 77)": "claimed by no report",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with an earthquake of two reports, one that was merged away, and one alone."""
    path = tmp_path_factory.mktemp("sound") / "catalogue.sqlite3"
    with closing(SqliteCatalog(path)) as catalog:
        writer = Writer(catalog)
        first = shock("nn1")
        writer.write(first, shock("us1", timestamp=first.timestamp_ms + 600_000), shock("ak1", timestamp=1000))
        writer.write(shock("us1", timestamp=first.timestamp_ms + 500, updated=(first.updated_ms or 0) + 1))
    return path


@pytest.mark.parametrize("damage", FAULTS)
def test_verify_sees_each_kind_of_damage(damage: str, sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.sqlite3"
    path.write_bytes(sound.read_bytes())
    with closing(SqliteCatalog(path)) as catalog:
        with catalog.reading() as connection:
            assert list(faults(connection)) == []
        catalog._db.execute(damage)
        with catalog.reading() as connection:
            found = list(faults(connection))
    assert any(FAULTS[damage] in fault for fault in found), found


@pytest.fixture
def many(either: Shell) -> Shell:
    """A hundred earthquakes, each of two agencies' reports that name each other."""
    with closing(either.catalog()) as catalog:
        writer = Writer(catalog)
        for n in range(100):
            at_ms = n * 10**8
            writer.write(
                shock(f"nn{n}", timestamp=at_ms, ids=[f"us{n}"]), shock(f"us{n}", timestamp=at_ms + 400, ids=[f"nn{n}"])
            )
    return either


def test_verify_tells_how_far_it_is_and_all_of_one_moment(many: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in while it looks is neither told to be wrong nor counted."""
    monkeypatch.setattr("quakestream.catalog.verifying.WINDOW", 20)
    told: list[tuple[int, int]] = []
    with closing(many.catalog()) as catalog, closing(many.catalog()) as other, catalog.reading() as connection:
        writer = Writer(other)

        def on_progress(done: int, total: int) -> None:
            told.append((done, total))
            n = len(told)
            writer.write(
                shock(f"ak{n}", timestamp=9 * 10**9 + n, magnitude=6.0),
                shock(f"nn{100 - n}", timestamp=n * 10**8 + 5000, updated=UPDATED_MS + 1),
            )

        before = catalog.feed().last_seq
        assert list(faults(connection, on_progress=on_progress)) == []
        assert queries.read_feed(connection).last_seq == before < other.feed().last_seq
    assert told == [(done, 200) for done in range(20, 201, 20)]


def test_verify_looks_up_what_is_near_by_index(many: Shell) -> None:
    """Each window would go through all reports: of 124,390 that took a minute, of a million an hour."""
    if many.database_url:
        pytest.skip("PostgreSQL plans by what it knows of a table")
    with closing(many.catalog()) as catalog, catalog.reading() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        asked: list[str] = []
        driver.set_trace_callback(asked.append)
        assert list(faults(connection)) == []
        driver.set_trace_callback(None)
        near = [statement for statement in asked if "json_each" in statement]
        assert len(near) > 3
        for statement in near:
            plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")]
            assert not [
                step for step in plan if step.startswith("SCAN") and "j VIRTUAL" not in step and step != "SCAN w"
            ]


def test_verify_of_a_damaged_catalogue_ends_with_1(shell: Shell, sound: Path) -> None:
    shell.path.write_bytes(sound.read_bytes())
    assert shell("verify").stdout.startswith("good: ")
    shell.sql("UPDATE feed SET last_seq = 99")
    assert "the feed's counter says 99" in shell("verify", code=1).stdout


def test_prune_and_vacuum_make_the_file_smaller_and_keep_the_history(shell: Shell) -> None:
    with closing(shell.catalog()) as catalog:
        writer = Writer(catalog)
        for i in range(30):
            writer.write(*(shock(f"nn{n}", timestamp=n * 10**7, place="x" * 900, updated=i + 1) for n in range(20)))
        before = [catalog.earthquake(e["id"]) for e in listed(catalog)]
    assert "600 changes pruned" in shell("prune", "--days", "1").stdout
    size = shell.path.stat().st_size
    shell("vacuum")
    assert shell.path.stat().st_size < size
    with closing(shell.catalog()) as catalog:
        assert [catalog.earthquake(e["id"]) for e in listed(catalog)] == before
    shell("verify")


def test_rebuild_keeps_ids_and_groups_what_an_older_version_did_not(either: Shell) -> None:
    """As after an update that associates otherwise: here the older one had kept each report by itself."""
    shell = either
    with closing(shell.catalog()) as catalog:
        writer = Writer(catalog)
        first = shock("nn1")
        writer.write(first, shock("us1", timestamp=first.timestamp_ms + 600_000), shock("ak1", timestamp=1000))
        writer.write(shock("us1", timestamp=first.timestamp_ms + 600_000, magnitude=4.4, updated=first.updated_ms + 1))  # type: ignore[operator]
        old = catalog.feed()
        ids = {name: catalog.find(f"usgs:{name}")[0] for name in ("nn1", "us1", "ak1")}
        lone = catalog.earthquake(ids["ak1"])
        with catalog.writing() as connection:
            connection.execute(sa.insert(secrets).values(name="no event makes it", value=b"kept"))
    far, near = (f'"timestamp":{first.timestamp_ms + ms}' for ms in (600_000, 500))
    if shell.database_url:
        text = "convert_to(replace(convert_from(document, 'UTF8'), '{}', '{}'), 'UTF8')"
    else:
        text = "CAST(replace(document, '{}', '{}') AS BLOB)"
    shell.sql(f"UPDATE events SET document = {text.format(far, near)}")  # noqa: S608
    assert "are one earthquake" in shell("verify", code=1).stdout
    assert "the old catalogue is" in shell("rebuild").stdout
    shell("verify")
    with closing(shell.catalog()) as catalog:
        feed = catalog.feed()
        assert (feed.catalog_id, feed.epoch == old.epoch) == (old.catalog_id, False)
        assert catalog.find("usgs:nn1") == catalog.find("usgs:us1") == [ids["nn1"]]
        assert catalog.find("usgs:ak1") == [ids["ak1"]]
        assert catalog.merged_into(ids["us1"]) == ids["nn1"]
        assert catalog.earthquake(ids["ak1"]) == lone
        assert [c.seq for c in catalog.changes(0)] == list(range(1, feed.last_seq + 1))
        assert catalog.changes(feed.last_seq - 1)[0].into_id == ids["nn1"]
        assert Writer(catalog).claim.next_offset == 4
        with catalog.reading() as connection:
            assert connection.execute(sa.select(secrets.c.value)).scalar_one() == b"kept"
    if not shell.database_url:
        assert (shell.folder / "catalogue.before-rebuild").is_file()
    shell("rebuild")
    shell("verify")


def test_rebuild_joins_what_an_older_version_kept_apart_in_one_batch(
    either: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was once: of a mode's only agency, what came in one batch was not held against each other."""
    shell = either
    with closing(shell.catalog()) as catalog, monkeypatch.context() as older:
        older.setattr("quakestream.catalog.plan.to_regroup", lambda *_: [])
        Writer(catalog).write(shock("us1"), shock("us2", timestamp=LATER_MS, ids=["us1"]))
        (first,), (second,) = catalog.find("us1"), catalog.find("us2")
        assert first != second
    assert "are one earthquake" in shell("verify", code=1).stdout
    shell("rebuild")
    shell("verify")
    with closing(shell.catalog()) as catalog:
        assert catalog.find("us1") == catalog.find("us2") == [first]
        assert catalog.merged_into(second) == first


def test_a_rebuild_is_refused_while_a_consumer_has_the_database_open(
    postgresql: PostgresServer, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, postgresql.make_database())
    with closing(shell.catalog()) as catalog:
        Writer(catalog).write(shock("nn1"))
        before = catalog.feed()
        assert "stop the consumers" in shell("rebuild", code=1).stderr
        assert catalog.feed() == before


def test_a_rebuild_that_was_cut_short_leaves_the_catalogue_as_it_was(shell: Shell, sound: Path) -> None:
    shell.path.write_bytes(sound.read_bytes())
    (shell.folder / "catalogue.rebuilding").write_bytes(b"half a file")
    shell("rebuild")
    with closing(shell.catalog()) as catalog:
        assert len(listed(catalog)) == 2
        shell.sql("UPDATE positions SET next_offset = next_offset")
        reader = sqlite3.connect(shell.path)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM feed").fetchone()
        said = shell("rebuild", code=1).stderr
        assert said.startswith("nothing was changed: another program has ")
        assert " open: " in said
        reader.close()
        assert len(listed(catalog)) == 2


def test_reports_are_joined_and_parted_by_hand_while_the_consumer_is_at_work(either: Shell) -> None:
    by = ("--who", "Ada", "--why", "seen on the seismograms")
    with closing(either.catalog()) as catalog:
        Writer(catalog).write(shock("nn1"), shock("us1", timestamp=LATER_MS), shock("nc1"))
    with sole_instance(either.folder / "earthquake-consumer.lock"):
        assert "merged: eq_" in either("join", "usgs:nn1", "usgs:us1", *by).stdout
        done = json.loads(either("part", "usgs:nc1", *by, "--json").stdout)
    assert [one["reports"] for one in done["judgements"]] == [["usgs:nc1", "usgs:nn1"], ["usgs:nc1", "usgs:us1"]]
    assert "not there yet: emsc:9" in either("part", "usgs:nc1", "emsc:9", *by).stdout
    with closing(either.catalog()) as catalog:
        assert sorted(sorted(one["events"]) for one in listed(catalog)) == [["usgs:nc1"], ["usgs:nn1", "usgs:us1"]]
        (first,), (second,) = catalog.find("nn1"), catalog.find("nc1")
    either("join", first, second, *by)
    with closing(either.catalog()) as catalog:
        assert len(listed(catalog)) == 1
    either("rebuild")
    assert either("verify").stdout.startswith("good: 1 earthquakes")
    for wrong in (("usgs:nn1",), ("usgs:nn1", "usgs:nn1"), ("eq_none", "usgs:nn1"), ("usgs:nn1", "nothing")):
        either("join", *wrong, *by, code=2)
    either("join", "usgs:nn1", "usgs:us1", "--who", "Ada", code=2)


def test_a_new_epoch_for_a_backup_that_was_put_back(shell: Shell, sound: Path) -> None:
    shell.path.write_bytes(sound.read_bytes())
    with closing(shell.catalog()) as catalog:
        before = catalog.feed()
    epoch = shell("new-epoch").stdout.split()[-1]
    with closing(shell.catalog()) as catalog:
        assert (catalog.feed().epoch, catalog.feed().last_seq) == (epoch, before.last_seq)
        assert epoch != before.epoch
