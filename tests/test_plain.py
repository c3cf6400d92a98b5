"""One plain line of whatever somebody wrote: nothing unseen in it, nothing that is read lost, in any script."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakestream.event import EarthquakeEvent, decode, encode, from_document
from quakestream.plain import one_line

NOW_MS = 1_700_000_000_000
PLAIN: dict[str, Any] = {
    "id": "x1",
    "magnitude": 4.5,
    "location": {"latitude": 10.0, "longitude": 20.0},
    "timestamp": 1_600_000_000_000,
    "source": "mine",
    "mode": "actual",
    "status": "automatic",
    "type": "earthquake",
}
TEXTS = {
    "place": "place",
    "type": "type",
    "magnitudeType": "magnitude_type",
    "agency": "agency",
    "url": "url",
    "alert": "alert",
}
UNSEEN = (
    "\x00\x07\x1b\x7f\x80\x9f\u00ad\u200b\u2060\ufeff"
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
any_text = st.text(st.characters() | st.sampled_from(f"{UNSEEN}\n\r\t\v\f\x1c\x85\u00a0\u2028\u2029\u3000\ud800 "))

Reader = Callable[[dict[str, Any]], EarthquakeEvent]
READERS: dict[str, Reader] = {
    "escaped, with blanks": lambda document: decode(json.dumps(document).encode(), now_ms=NOW_MS),
    "as bytes": lambda document: decode(json.dumps(document, ensure_ascii=False).encode(), now_ms=NOW_MS),
    "compact": lambda document: decode(
        json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), now_ms=NOW_MS
    ),
    "a document": lambda document: from_document(dict(document), now_ms=NOW_MS),
}


def is_plain(text: str) -> bool:
    joiners = {"\u200c", "\u200d"}
    seen = all(
        c == " " or c in joiners or not (unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} or c.isspace())
        for c in text
    )
    return seen and not set(UNSEEN) & set(text) and "  " not in text and text == text.strip()


@given(any_text)
def test_any_text_becomes_one_plain_line_and_stays_it(text: str) -> None:
    line = one_line(text)
    assert is_plain(line)
    assert one_line(line) == line
    line.encode()


@pytest.mark.parametrize(
    "text",
    [
        "18 km NNE of Hualien City, Taiwan",
        "Côte d’Azur – Ligurië",
        "صنعاء، اليمن",  # Arabic
        "خانه‌ای در قم",  # Persian: a zero-width non-joiner
        "ירושלים, ישראל",
        "क्‍ष, नेपाल",  # Devanagari: a zero-width joiner
        "Vie\u0323\u0302t Nam",  # combining marks
        "能登半島沖",
        "กรุงเทพมหานคร",
        "ᠮᠣᠩᠭᠣᠯ\u180eᠠ",  # the Mongolian vowel separator
        "🌋 Etna 👨‍👩‍👧",
    ],
)
def test_what_is_read_stays_in_every_script(text: str) -> None:
    assert one_line(text) == text
    assert all(read(PLAIN | {"place": text}).place == text for read in READERS.values())


@pytest.mark.parametrize("how", READERS)
@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("A\nB\u202e \x1b[31mC", "A B [31mC"),
        ("  A\t\u00a0B\r\n", "A B"),
        ("A\u2028B\u2029C\x85D\u3000E", "A B C D E"),
        ("A  B", "A B"),
        (" A", "A"),
        ("A\x7f", "A"),
        ("\u2066A\u2069\u200f\u200b\ufeff", "A"),
        ("\U000e0041A\u00ad", "A"),
    ],
)
def test_each_text_of_an_event_is_a_plain_line_whatever_way_it_comes(
    how: str, field: str, said: str, kept: str
) -> None:
    event = READERS[how](PLAIN | {field: said})
    assert getattr(event, TEXTS[field]) == kept
    assert decode(encode(event), now_ms=NOW_MS) == event
    assert event.content_hash() == READERS[how](PLAIN | {field: kept}).content_hash(), "no other revision"


@pytest.mark.parametrize("field", TEXTS)
def test_a_text_of_which_nothing_is_left_says_nothing(field: str) -> None:
    event = READERS["escaped, with blanks"](PLAIN | {field: " \u202e\n"})
    assert getattr(event, TEXTS[field]) == ("earthquake" if field == "type" else None)


@given(any_text, st.sampled_from(sorted(TEXTS)), st.sampled_from(["escaped, with blanks", "a document"]))
def test_no_text_ever_costs_an_event(text: str, field: str, how: str) -> None:
    event = READERS[how](PLAIN | {field: text[:900]})
    said = getattr(event, TEXTS[field])
    assert said is None or is_plain(said)
    assert decode(encode(event), now_ms=NOW_MS) == event


def test_half_a_character_costs_no_event() -> None:
    """A program cut `🌋 Etna` after its first UTF-16 unit."""
    value = json.dumps(PLAIN | {"place": "Etna \ud83c", "mine": "\udf0b\\ud83c"}).encode()
    event = decode(value, now_ms=NOW_MS)
    assert (event.place, event.extra) == ("Etna", {"mine": "\\ud83c"})


def test_a_name_that_is_badly_written_costs_no_event() -> None:
    event = decode(json.dumps(PLAIN | {"ids": ["us1\n", "\x00", "nn2"]}).encode(), now_ms=NOW_MS)
    assert event.ids == ("us1", "nn2")


def test_fields_of_others_stay_as_they_came() -> None:
    event = decode(json.dumps(PLAIN | {"remark": "two\nlines"}).encode(), now_ms=NOW_MS)
    assert event.extra == {"remark": "two\nlines"}
