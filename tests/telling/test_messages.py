"""What messages say: why, truthfully, in the subscriber's language, and where it leads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.channels import Message
from quakestream.channels.webhook import WebhookChannel
from quakestream.telling.composing import Composer
from quakestream.telling.sentences import SENTENCES
from tests.telling.test_follower import TIME_MS, URL, World, moved, revision

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
    assert "nn has withdrawn it. As far as is known, it did not happen." in english.text
    assert "nn hat die Meldung zurückgezogen. Nach allem, was bekannt ist, fand es nicht statt." in german.text
    assert (data(english)["cause"], data(german)["cause"]) == ("deleted", "deleted")
    assert data(german)["reason"].startswith("Wir haben Ihnen dies gemeldet.")


def test_one_that_was_told_twice_is_said_to_have_happened(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0, "nn1"), revision(0, "us2", timestamp=TIME_MS + 2_000_000, location=moved(300)))
    first = messages(world)
    world.happen(revision(3, "us2", timestamp=TIME_MS + 300, ids=["us2", "nn1"]))
    english, german = messages(world)
    assert english.kind == german.kind == "cancellation"
    stands = data(english)["into"]
    assert stands == first[0].subject
    assert f"It did happen: its other report, {stands}, is still valid." in english.text
    assert f"Es fand statt: Die andere Meldung, {stands}, gilt weiter." in german.text
    assert "did not happen" not in english.text
    assert "fand es nicht statt" not in german.text
    assert data(english)["links"]["details"] == f"https://quakes.example.org/?id={stands}"


def test_a_blast_is_said_to_be_one(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0))
    messages(world)
    world.happen(revision(1, type="quarry blast"))
    english, german = messages(world)
    assert english.title.startswith("Not what was reported: M 5.0 quarry blast")
    assert "It did happen, but it is now classified as: quarry blast." in english.text
    assert "Das Ereignis fand statt. Es gilt jetzt als: Steinbruchsprengung." in german.text
    assert data(english)["cause"] == "not-of-that-type"


def test_an_update_says_what_moved_and_that_it_is_no_longer_what_was_asked_for(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0))
    assert all("no longer" not in one.text for one in messages(world))
    world.happen(revision(1, magnitude=3.5))
    english, german = messages(world)
    assert "Magnitude 5.0 → 3.5." in english.text
    assert "It no longer matches your subscription." in english.text
    assert "Es passt nicht mehr zu Ihrem Abonnement." in german.text
    assert "no longer" not in data(german)["reason"]


def test_an_estimate_has_its_range_and_its_source(catalog: SqliteCatalog) -> None:
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0, magnitude=6.0))
    english, german = messages(world)
    assert "an estimate by Allen, Wald & Worden (2012), " in english.text
    assert "geschätzt nach Allen, Wald & Worden (2012), " in german.text
    assert data(english)["expected"]["intensity"]["source"] == "Allen, Wald & Worden (2012), active crust"


def test_a_shakemap_is_linked_where_there_is_one(catalog: SqliteCatalog) -> None:
    url = "https://earthquake.usgs.gov/earthquakes/eventpage/nn1"
    world = World(catalog, *speaking(*LANGUAGES))
    world.happen(revision(0, magnitude=6.0, url=url))
    assert all("ShakeMap" not in one.text for one in messages(world)), "no `mmi`, no ShakeMap"
    world.happen(revision(1, magnitude=6.4, url=f"{url}?x=1", mmi=7.1))
    for one in messages(world):
        assert f"{url}/shakemap\n" in one.text
        assert data(one)["links"]["shakemap"] == f"{url}/shakemap"
    world.happen(revision(2, status="deleted", url=url, mmi=7.1))
    assert all("ShakeMap" not in one.text for one in messages(world)), "what did not happen shook nothing"


def test_details_are_the_page_and_a_picture_goes_along(catalog: SqliteCatalog) -> None:
    mail = {"channel": "apprise", "url": "mailto://user:pass@example.org?to=me@example.org"}
    hook = {"channel": "webhook", "url": URL}
    world = World(catalog, {"how": {"channels": [hook, mail]}})
    world.happen(revision(0, magnitude=6.0))
    (one,) = messages(world)
    assert data(one)["links"]["details"] == f"https://quakes.example.org/?id={one.subject}"
    assert one.picture == f"https://quakes.example.org/api/v1/earthquakes/{one.subject}/map.png"
    assert one.image == b"", "a webhook has its address"

    class Showing(WebhookChannel):
        def shows_pictures(self, target: str) -> bool:
            return bool(target)

    composer = Composer(catalog, world.registry, {"webhook": Showing()}, "", lambda: world.now_ms)
    (parcel,) = composer(world.sent)
    assert parcel.message is not None
    assert parcel.message.image.startswith(b"\x89PNG")


def test_a_digest_links_each_of_its_earthquakes(catalog: SqliteCatalog) -> None:
    digest = {"after": 1, "within_minutes": 600, "radius_km": 100, "every_minutes": 60}
    how = {"channels": [{"channel": "webhook", "url": URL}], "digest": digest}
    world = World(catalog, {"how": how})
    shocks = [revision(n, f"nn{n}", timestamp=TIME_MS + n * 60_000, magnitude=4.0 + n / 10) for n in range(4)]
    for one in shocks:
        world.happen(one)
        messages(world)
    world.now_ms += 3_600_000
    (together,) = messages(world)
    told = data(together)
    assert (together.kind, len(told["earthquakes"])) == ("digest", 3)
    assert told["pages"] == [f"https://quakes.example.org/?id={one['id']}" for one in told["earthquakes"]]
    assert all(page in together.text for page in told["pages"])
    assert "estimate by Allen, Wald & Worden (2012)" in together.text
