"""CAP 1.2: an earthquake as an alert that alerting systems read; OASIS Common Alerting Protocol, 1 July 2010.

    message(earthquake, history, sender="quakestream@example.org")    one revision as an XML document
    identifier("eq_01…", 3)                                           eq_01….3

Every revision is a message of its own: the first an Alert, the later ones Updates, a withdrawal or a merger a Cancel,
each with `references` to those before. `status` is the earthquake's mode. Urgency is Past, for the shaking has begun
when the first agency knows; certainty Observed where an analyst reviewed it, else Likely. Severity follows the expected
intensity at the epicentre (VIII and more: Extreme, VI: Severe, IV: Moderate, else Minor), Unknown where there is none.
The area is where intensity IV or more is expected, a circle, and as a polygon too where it meets neither a pole nor
180°. None of it claims to be an official warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from quakestream import late
from quakestream.event import utc
from quakestream.plain import one_line
from quakestream.seismology import intensity
from quakestream.seismology.geodesy import longitude_reach, moved
from quakestream.terms import Credits

if TYPE_CHECKING:
    from lxml import etree
else:
    etree = late.module("lxml.etree")  # 4 MB, for who asks for XML

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
MAX_REFERENCES: Final = 50
"""The newest; with them whoever saw an earlier one is reached by the chain."""
AREA_INTENSITY: Final = 3.5
"""IV: light, felt by many."""
AREA_CLASS: Final = "IV"
STATUS: Final = {"actual": "Actual", "exercise": "Exercise", "test": "Test"}
EXPIRES_H: Final = 24
_CORNERS: Final = 36
_EXTRAPOLATED: Final = (
    f"Extrapolated: its model was made from magnitudes {intensity.MAGNITUDES[0]:.1f} to {intensity.MAGNITUDES[1]:.1f} "
    f"within {intensity.FARTHEST_DATA_KM:.0f} km"
)
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Revision(Struct, frozen=True):
    """One message that was, or could have been, fetched before: its number from 1 and the time of its change, ms."""

    revision: int
    at_ms: int


def identifier(earthquake_id: str, revision: int) -> str:
    """Of the message of one revision: no spaces, commas, `<` or `&`, as CAP wants it."""
    return f"{earthquake_id}.{revision}"


def message(
    earthquake: dict[str, Any],
    history: Sequence[Revision],
    *,
    sender: str,
    web: str | None = None,
    into: str | None = None,
) -> bytes:
    """An earthquake of the catalogue's JSON, as it stands after its `revision`, as one CAP message.

    `history` are its earlier revisions, `sender` who answers for the message (no spaces, commas, `<` or `&`), `web` a
    page about it, `into` the id of the earthquake that it was merged into.
    """
    root = etree.Element(_name("alert"), nsmap={None: NAMESPACE})
    withdrawn = earthquake["status"] == "deleted" and into is None
    _add(root, "identifier", identifier(earthquake["id"], earthquake["revision"]))
    _add(root, "sender", sender)
    _add(root, "sent", time_of(earthquake["changed"]))
    _add(root, "status", STATUS[earthquake["mode"]])
    earlier = [one for one in history if one.revision < earthquake["revision"]][-MAX_REFERENCES:]
    _add(root, "msgType", "Cancel" if withdrawn or into else "Update" if earlier else "Alert")
    _add(root, "source", f"Quakestream, from {_agency(earthquake)}")
    _add(root, "scope", "Public")
    if note := _note(earthquake, into):
        _add(root, "note", note)
    if earlier:
        said = (f"{sender},{identifier(earthquake['id'], one.revision)},{time_of(one.at_ms)}" for one in earlier)
        _add(root, "references", " ".join(said))
    _add(root, "incidents", earthquake["id"])
    _info(root, earthquake, web, into, withdrawn=withdrawn)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def time_of(epoch_ms: int) -> str:
    """CAP's time: whole seconds, UTC written `-00:00`, never `Z` (CAP 1.2, 3.3.2)."""
    return f"{utc(epoch_ms):%Y-%m-%dT%H:%M:%S}-00:00"


def headline(earthquake: dict[str, Any], into: str | None = None) -> str:
    """`EXERCISE: Earthquake M 6.4, 18 km NNE of Hualien City, Taiwan`: at most 160 characters, as CAP advises.

    `into`: the earthquake that it was merged into.
    """
    magnitude = earthquake.get("magnitude")
    size = "magnitude unknown" if magnitude is None else f"M {magnitude:.1f}"
    drill = "" if earthquake["mode"] == "actual" else f"{earthquake['mode'].upper()}: "
    gone = "Withdrawn: " if earthquake["status"] == "deleted" else ""
    if into is not None:
        gone = "One and the same as another: "
    text = one_line(f"{drill}{gone}{earthquake['type'].capitalize()} {size}, {_place(earthquake)}")
    return text if len(text) <= 160 else f"{text[:159]}…"


def xml_line(text: str) -> str:
    """One line of plain text, without the characters that XML has no room for."""
    return _NOT_XML.sub("\ufffd", one_line(text))


def _info(
    root: etree._Element, earthquake: dict[str, Any], web: str | None, into: str | None, *, withdrawn: bool
) -> None:
    location = earthquake["location"]
    magnitude, depth_km = earthquake.get("magnitude"), location.get("depth")
    expected, radius_km, rim = None, None, None
    if magnitude is not None:
        model = intensity.model_at(location["latitude"], location["longitude"])
        expected = intensity.estimate(model, magnitude, 0.0, depth_km)
        radius_km = intensity.radius_km(model, magnitude, depth_km, AREA_INTENSITY)
        rim = None if radius_km is None else intensity.estimate(model, magnitude, radius_km, depth_km)
    info = etree.SubElement(root, _name("info"))
    _add(info, "language", "en")
    _add(info, "category", "Geo")
    _add(info, "event", earthquake["type"].capitalize())
    _add(info, "responseType", "AllClear" if withdrawn else "Monitor")
    _add(info, "urgency", "Past")
    _add(info, "severity", intensity.severity(None if expected is None else expected.mmi).capitalize())
    _add(info, "certainty", _certainty(earthquake, withdrawn=withdrawn))
    _add(info, "onset", time_of(earthquake["timestamp"]))
    _add(info, "expires", time_of(earthquake["changed"] + EXPIRES_H * 3_600_000))
    _add(info, "senderName", f"Quakestream, from {_agency(earthquake)}")
    _add(info, "headline", headline(earthquake, into))
    _add(info, "description", _description(earthquake, into, expected))
    _add(info, "instruction", "Not an official warning: follow what your authorities say.")
    if web or earthquake.get("url"):
        _add(info, "web", web or earthquake["url"])
    parameters = {
        "magnitude": magnitude,
        "magnitudeType": earthquake.get("magnitudeType"),
        "depthKm": depth_km,
        "originTime": _precise(earthquake["timestamp"]),
        "agency": _agency(earthquake),
        "review": earthquake["status"],
        "revision": earthquake["revision"],
        "terms": Credits.of(earthquake).line(),
        "expectedIntensityAtEpicentre": None if expected is None else f"{expected.mmi:.1f}",
        "expectedIntensityRange": None if expected is None else f"{expected.low:.1f} to {expected.high:.1f}",
        "expectedIntensityModel": None if expected is None else _cited(expected),
        "expectedIntensityExtrapolated": None if expected is None else _yes(expected.extrapolated),
        "areaExtrapolated": None if rim is None else _yes(rim.extrapolated),
    }
    for name, value in parameters.items():
        if value is not None:
            parameter = etree.SubElement(info, _name("parameter"))
            _add(parameter, "valueName", name)
            _add(parameter, "value", str(value))
    _area(info, location["latitude"], location["longitude"], radius_km, rim)


def _area(
    info: etree._Element, latitude: float, longitude: float, radius_km: float | None, rim: intensity.Estimate | None
) -> None:
    """`rim`: what is expected at the area's edge."""
    area = etree.SubElement(info, _name("area"))
    if radius_km is None or rim is None:
        _add(area, "areaDesc", "The epicentre; where shaking is expected is not known")
    else:
        beyond = f". {_EXTRAPOLATED}" if rim.extrapolated else ""
        said = f"Where intensity {AREA_CLASS} or more is expected: an estimate by {_cited(rim)}{beyond}"
        _add(area, "areaDesc", said)
        if ring := _ring(latitude, longitude, radius_km):
            _add(area, "polygon", ring)
    _add(area, "circle", f"{latitude:.4f},{longitude:.4f} {radius_km or 0.0:.1f}")


def _ring(latitude: float, longitude: float, radius_km: float) -> str | None:
    """The circle as a closed polygon; None where it would meet a pole or 180°, where CAP says nothing of a polygon."""
    reach = longitude_reach(latitude, radius_km)
    if reach >= 180.0 or longitude - reach <= -180.0 or longitude + reach >= 180.0:
        return None
    around = (moved(latitude, longitude, 360.0 * step / _CORNERS, radius_km) for step in range(_CORNERS))
    corners = [f"{north:.4f},{east:.4f}" for north, east in around]
    return " ".join([*corners, corners[0]])


def _certainty(earthquake: dict[str, Any], *, withdrawn: bool) -> str:
    if withdrawn:
        return "Unlikely"
    return "Observed" if earthquake["status"] == "reviewed" else "Likely"


def _description(earthquake: dict[str, Any], into: str | None, expected: intensity.Estimate | None) -> str:
    depth_km = earthquake["location"].get("depth")
    sentences = [
        f"{headline(earthquake, into)}.",
        f"Origin time {_precise(earthquake['timestamp'])}.",
        "Depth unknown." if depth_km is None else f"Depth {depth_km:.0f} km.",
        f"{earthquake['status'].capitalize()}, by {_agency(earthquake)}; values may still change.",
    ]
    if expected is not None:
        class_ = intensity.intensity_class(expected.mmi)
        sentences.append(
            f"Expected at the epicentre: intensity {class_.roman}, {class_.shaking.lower()} ({expected.low:.1f} to "
            f"{expected.high:.1f}): an estimate by {_cited(expected)}, no measurement."
        )
        if expected.extrapolated:
            sentences.append(f"{_EXTRAPOLATED}.")
    return " ".join(sentences)


def _cited(expected: intensity.Estimate) -> str:
    cited = intensity.CITATIONS[expected.model]
    return f"{cited.name}, {cited.reference}, for {cited.where}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _note(earthquake: dict[str, Any], into: str | None) -> str | None:
    if into is not None:
        return f"This is the same earthquake as {into}, which goes on."
    if earthquake["status"] == "deleted":
        return f"{_agency(earthquake)} withdrew it: no earthquake happened as was said."
    return "An exercise" if earthquake["mode"] == "exercise" else None


def _agency(earthquake: dict[str, Any]) -> str:
    return str(earthquake.get("agency") or earthquake["source"])


def _place(earthquake: dict[str, Any]) -> str:
    return str(earthquake.get("place") or earthquake.get("region") or "place unknown")


def _precise(epoch_ms: int) -> str:
    return f"{utc(epoch_ms):%Y-%m-%d %H:%M:%S} UTC"


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, _name(name)).text = xml_line(text)


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
