"""The list of the Japan Meteorological Agency's earthquake bulletins, as its own page shows it.

https://www.jma.go.jp/bosai/quake/data/list.json. It is described nowhere; what its values mean follows from the
agency's XML, whose bulletins these are: https://xml.kishou.go.jp/tec_material.html. One entry a bulletin: of one
earthquake (`eid`) there come a first report of intensities alone, its hypocentre, both, and sometimes a better
hypocentre. `ctt` is when a bulletin was issued, to the second, by Japan's clock; `at` is the origin time, to the
minute.

- `cod` is ISO 6709: degrees (`+39.7+142.2-10000/`) or degrees and minutes (`+4012.4+14222.0-41000/`), the height in m,
  which may be missing: the depth is not known then. `+0` is what the agency calls very shallow.
- `mag` may be empty, `NaN`, or words: a magnitude that is not known, or one beyond 8 that has no number yet.
- `ift` says what a bulletin does: 発表 issues, 訂正 corrects, 遅延 is late, 取消 takes back. Anything else may be
  a drill.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, Final

from quakestream.errors import Rejected
from quakestream.event import Mode
from quakestream.formats import Entry, Note, Problem, with_raw
from quakestream.formats.bounds import loose_json, whole_json
from quakestream.formats.fields import epoch_ms, lenient, number, report

SOURCE: Final = "jma"
TITLE: Final = "bulletins of the JMA"
TIME_RESOLUTION_S: Final = 60
"""An origin time of 05:21 is some time between 05:21:00 and 05:21:59."""

_ISSUES: Final = frozenset({"発表", "訂正", "遅延", ""})
_TAKES_BACK: Final = "取消"
_INTENSITIES_ALONE: Final = "震度速報"
_JAPAN: Final = "+09:00"
_NOT_KNOWN: Final = frozenset({"", "nan", "m不明", "不明"})
_COORDINATES: Final = re.compile(
    r"\s*([+-])(\d{1,6}(?:\.\d*)?)([+-])(\d{1,7}(?:\.\d*)?)(?:([+-]\d{1,7}(?:\.\d*)?))?(?:CRS\w*)?/?\s*", re.ASCII
)
_ISSUED: Final = re.compile(r"\d{14}", re.ASCII)
_LIST: Final = re.compile(rb"\[\s*\{")
_MALFORMED: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError)


def looks_like(head: bytes) -> bool:
    """A JSON list with the names that only this agency uses."""
    return _LIST.match(head) is not None and b'"eid"' in head and b'"ctt"' in head


def read(stream: BinaryIO, *, mode: Mode, now_ms: int | None = None) -> Iterator[Entry]:
    """Each bulletin that says where, in the order in which they were issued.

    One that says no place, as all do that tell of intensities alone, is no report of an earthquake: a note says so,
    unless another one of the list has the place. One that takes such a one back is none either.

    Raises:
        Rejected: not JSON, too large, or no list.
    """
    data = whole_json(stream)
    try:
        document = loose_json(data)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not JSON: {error}; begins with {data[:40]!r}") from error
    if not isinstance(document, list):
        raise Rejected(f"not a list of bulletins, but {type(document).__name__}")
    placed = {_text(one, "eid") for one in document if _text(one, "cod")}
    # The list has the newest first, and those of one second in the order of their serial numbers.
    for n, bulletin in sorted(enumerate(document), key=lambda one: (_text(one[1], "ctt"), -one[0])):
        where, raw = f"bulletin {n}", partial(_document, bulletin)
        try:
            where = f"bulletin {n} ({bulletin['eid']})"
            for entry in _entries(bulletin, where, placed, mode=mode, now_ms=now_ms):
                yield with_raw(entry, raw)
        except _MALFORMED as error:
            yield Problem(where, f"not a bulletin as the JMA makes them: {type(error).__name__}: {error}", raw())


def _document(bulletin: Any) -> bytes:
    return json.dumps([bulletin], ensure_ascii=False).encode("utf-8", "surrogatepass")


def _text(bulletin: Any, name: str) -> str:
    value = bulletin.get(name) if isinstance(bulletin, dict) else None
    return value.strip() if isinstance(value, str) else ""


def _entries(
    bulletin: dict[str, Any], where: str, placed: set[str], *, mode: Mode, now_ms: int | None
) -> Iterator[Entry]:
    does, title = _text(bulletin, "ift"), _text(bulletin, "ttl")
    if does not in _ISSUES and does != _TAKES_BACK:
        yield Problem(where, f"ift {does[:40]!r}: neither issued nor taken back: a drill is not shown as real")
        return
    if "訓練" in title or "試験" in title:
        yield Problem(where, f"{title[:40]!r}: a drill or a test is not shown as real")
        return
    alone = title == _INTENSITIES_ALONE
    if not bulletin.get("cod") and (does != _TAKES_BACK or alone):
        if _text(bulletin, "eid") not in placed:
            yield Note(where, f"{title[:40] or 'a bulletin'} without a place: no report of an earthquake yet")
        return
    faults: list[str] = []
    latitude, longitude, depth = lenient(faults, "cod", _place, bulletin.get("cod")) or (None, None, None)
    at = bulletin.get("at")
    document: dict[str, Any] = {
        "id": bulletin["eid"],
        "source": SOURCE,
        "magnitude": lenient(faults, "mag", _magnitude, bulletin.get("mag")),
        "location": {"latitude": latitude, "longitude": longitude, "depth": depth},
        "timestamp": lenient(faults, "at", _time, at) if at else None,
        "updated": _updated(bulletin, faults),
        "place": _text(bulletin, "en_anm") or _text(bulletin, "anm") or None,
        "agency": SOURCE,
        "timeResolution": TIME_RESOLUTION_S,
    }
    if does == _TAKES_BACK:
        document["status"] = "deleted"
    kept = {"maxi": _text(bulletin, "maxi"), "ttl": title}
    if document["magnitude"] is None and _plain(bulletin.get("mag")) not in _NOT_KNOWN:
        kept["mag"] = str(bulletin.get("mag"))[:40]  # more than 8, and no number yet
    document |= {name: text for name, text in kept.items() if text}
    yield from report(document, where, mode=mode, now_ms=now_ms, faults=faults)


def _updated(bulletin: dict[str, Any], faults: list[str]) -> int | None:
    """When it was issued: to the second, else to the minute."""
    issued, told = _text(bulletin, "ctt"), bulletin.get("rdt")
    if _ISSUED.fullmatch(issued):
        found = lenient(faults, "ctt", _time, f"{issued[:8]}T{issued[8:]}{_JAPAN}")
        if found is not None:
            return found
    return lenient(faults, "rdt", _time, told) if told else None


def _time(value: Any) -> int:
    """Japan's clock, where a text says no other."""
    text = value.strip()
    has_zone = text.endswith("Z") or re.search(r"[+-]\d\d:?\d\d$", text[10:])
    return epoch_ms(text if has_zone else text + _JAPAN)


def _place(value: Any) -> tuple[float, float, float | None] | None:
    if not value:
        return None
    found = _COORDINATES.fullmatch(unicodedata.normalize("NFKC", value))
    if found is None:
        raise ValueError("ISO 6709 is wanted, as +39.7+142.2-10000/")
    south, latitude, west, longitude, height = found.groups()
    depth_km = None if height is None else 0.0 - float(height) / 1000.0
    return _degrees(south, latitude, 2), _degrees(west, longitude, 3), depth_km


def _degrees(sign: str, text: str, digits: int) -> float:
    """Degrees, degrees and minutes, or all three, by how many digits there are before the point."""
    whole, _, part = text.partition(".")
    many = len(whole) - digits
    if many <= 0:
        value = float(text)
    elif many <= 2:
        value = int(whole[:-2]) + float(f"{whole[-2:]}.{part or 0}") / 60.0
    else:
        value = int(whole[:-4]) + int(whole[-4:-2]) / 60.0 + float(f"{whole[-2:]}.{part or 0}") / 3600.0
    value = round(value, 6)
    return -value if sign == "-" else value


def _plain(value: Any) -> str:
    return unicodedata.normalize("NFKC", value).strip().lower() if isinstance(value, str) else ""


def _magnitude(value: Any) -> float | int | None:
    if value is None or isinstance(value, int | float):
        return value
    text = _plain(value)
    return None if text in _NOT_KNOWN else number(text.removeprefix("m"))
