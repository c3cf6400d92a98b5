"""What messages say: why, truthfully, in the subscriber's language, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.alerts.composing import Composer
from quakestream.alerts.sentences import SENTENCES
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels import Message
from quakestream.channels.webhook import WebhookChannel
from tests.alerts.test_follower import TIME_MS, URL, World, moved, revision

LANGUAGES = ("en", "de")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        yield catalog


def speaking(*languages: str, **fields: Any) -> list[dict[str, Any]]:
    """A subscription of each language."""
    return [
        {"how": {"channels": [{"channel": "webhook", "url": f"{URL}/{language}"}], "language": language}} | fields
        for language in languages
    ]


def messages(world: World) -> list[Message]:
    """What is due, as it is sent; all of it arrives."""
    channels = {"webhook": WebhookChannel()}
    composer = Composer(world.catalog, world.registry, channels, "https://quakes.example.org", lambda: world.now_ms)
    return [parcel.message for parcel in composer(world.deliver()) if parcel.message is not None]


def data(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(message.data)
    return document


def test_every_sentence_is_there_in_every_language() -> None:
    def names(of: Any) -> Any:
        return {name: names(of[name]) for name in of if name != "types"} if isinstance(of, dict) else None

    assert names(SENTENCES["de"]) == names(SENTENCES["en"])


def test_what_its_agency_withdrew_is_said_not_to_have_happened(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0))
    messages(world)
    world.happen(revision(1, status="deleted"))
    english, german = messages(world)
    assert english.title.startswith("Withdrawn: M 5.0 earthquake")
    assert "nn has withdrawn it: by all that is known it did not happen." in english.text
    assert "von nn zurückgezogen: Nach allem, was bekannt ist, fand es nicht statt." in german.text
    assert (data(english)["cause"], data(german)["cause"]) == ("deleted", "deleted")
    assert data(german)["reason"].startswith("Dies wurde Ihnen gemeldet")


def test_one_that_was_told_twice_is_said_to_have_happened(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0, "nn1"), revision(0, "us2", timestamp=TIME_MS + 2_000_000, location=moved(300)))
    first = messages(world)
    world.happen(revision(3, "us2", timestamp=TIME_MS + 300, ids=["us2", "nn1"]))
    english, german = messages(world)
    assert english.kind == german.kind == "cancellation"
    stands = data(english)["into"]
    assert stands == first[0].subject
    assert f"it is the same earthquake as {stands}, which did happen and stands" in english.text
    assert f"dasselbe Erdbeben wie {stands}, das stattfand und weiter gilt" in german.text
    assert "did not happen" not in english.text
    assert "fand es nicht statt" not in german.text
    assert data(english)["links"]["details"] == f"https://quakes.example.org/?id={stands}"


def test_a_blast_is_said_to_be_one(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0))
    messages(world)
    world.happen(revision(1, type="quarry blast"))
    english, german = messages(world)
    assert english.title.startswith("Now taken for something else: M 5.0 quarry blast")
    assert "it did happen, and is now taken for: quarry blast." in english.text
    assert "Es fand statt und gilt jetzt als: Steinbruchsprengung." in german.text
    assert data(english)["cause"] == "not-of-that-type"


def test_an_update_says_what_moved_and_that_it_is_no_longer_what_was_asked_for(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0))
    assert all("no longer" not in one.text for one in messages(world))
    world.happen(revision(1, magnitude=3.5))
    english, german = messages(world)
    assert "Magnitude 5.0 → 3.5." in english.text
    assert "It is no longer what you asked for" in english.text
    assert "Es ist nicht mehr, wonach Sie gefragt haben" in german.text
    assert "no longer" not in data(german)["reason"]
