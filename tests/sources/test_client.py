"""An agency's answer, packed in whatever way, costs no more than its bound."""

from __future__ import annotations

import asyncio
import gzip
import resource
import zlib
from pathlib import Path

import pytest

from quakestream.errors import Rejected, Unreachable
from quakestream.sources import client as client_module
from quakestream.sources.client import Client
from tests.sources.fakes import agency, context, http

MB = 1024 * 1024
BODY = b'{"type": "FeatureCollection"}' * 1000


def get(folder: Path, body: bytes, coding: str) -> bytes:
    async def ask() -> bytes:
        async with agency(http(body, **{"Content-Encoding": coding})) as it, Client(context(folder), "*/*") as client:
            return (await client.get(it.url)).body

    return asyncio.run(ask())


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = {"identity": BODY, "gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}


@pytest.mark.parametrize("coding", PACKED)
def test_what_is_packed_is_unpacked(tmp_path: Path, coding: str) -> None:
    assert get(tmp_path, PACKED[coding], coding) == BODY


def test_deflate_without_its_wrapping_too(tmp_path: Path) -> None:
    assert get(tmp_path, raw_deflate(BODY), "deflate") == BODY


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_unpacks_to_too_much_is_refused_early(
    tmp_path: Path, coding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MAX_BODY_BYTES", 4 * MB)
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[coding](bytes(100 * MB))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Rejected, match="more than 4194304 bytes"):
        get(tmp_path, packed, coding)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 60


@pytest.mark.parametrize("coding", ["gzip, gzip", "br", "zstd", "compress"])
def test_what_was_not_asked_for_is_refused(tmp_path: Path, coding: str) -> None:
    with pytest.raises(Rejected, match="not asked for"):
        get(tmp_path, gzip.compress(gzip.compress(BODY)), coding)


@pytest.mark.parametrize("body", [BODY, gzip.compress(BODY)[:-20]])
def test_what_is_not_whole_is_not_taken(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(Unreachable):
        get(tmp_path, body, "gzip")
