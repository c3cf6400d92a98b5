"""Each reader, given what is nearly right: it neither fails nor grows, and what has a place and a time comes out of it.

Short in `make test`, longer in `make test-long`; for ten minutes a reader: `.venv/bin/python -m tests.formats.fuzz`.
"""

from __future__ import annotations

import os
import random
import tracemalloc
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quakestream import formats
from tests.formats.fuzz import READERS, Reader, check, check_placed, mutated
from tests.formats.test_agencies import SCEDC
from tests.sizes import size, sized

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", size(12, 300)))
MOST_BYTES: Final = 256 * 1024 * 1024


@sized
@pytest.mark.parametrize("name", READERS)
def test_what_is_nearly_right_neither_fails_nor_grows(name: str) -> None:
    reader = READERS[name]
    tracemalloc.start()
    try:
        for number in range(EXAMPLES):
            rng = random.Random(number)
            check(reader, mutated(rng, reader.seed), None if number % 4 == 0 and reader.form != "feed" else "")
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


PLACED: Final[dict[str, tuple[Reader, st.SearchStrategy[bytes]]]] = {
    name: (reader, reader.placed) for name, reader in READERS.items() if reader.placed is not None
}


@sized
@pytest.mark.parametrize("name", PLACED)
def test_what_has_an_id_a_place_and_a_time_is_published(name: str) -> None:
    reader, placed = PLACED[name]

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(placed)
    def test(data: bytes) -> None:
        check_placed(reader, data)

    test()


LINE: Final = SCEDC.format(magnitude="1.0", depth="2.0").encode()
FOUND: Final[dict[str, tuple[str, bytes]]] = {
    "seconds beyond all numbers": ("scedc", LINE.replace(b":03.5", b":1e999")),
    "Infinity in JSON lines": ("earthquakes", READERS["earthquakes"].seed.replace(b"1.0", b"Infinity", 1)),
    "a name of an attribute beyond ASCII": (
        "quakeml",
        READERS["quakeml"].seed.replace(b"publicID", "pub\u00e9ID".encode(), 1),
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found(what: str) -> None:
    name, data = FOUND[what]
    assert data != READERS[name].seed
    assert READERS[name].read(data)
    check(READERS[name], data)


def test_every_reader_is_fuzzed() -> None:
    known = {name for name, _ in formats._readers()} | {"feed"}
    assert known <= {reader.form for reader in READERS.values()}


@pytest.mark.parametrize("name", READERS)
def test_what_the_readers_are_given_is_read(name: str) -> None:
    assert READERS[name].read(READERS[name].seed)
