"""What a link to an earthquake says where it is shared: a title, a sentence, and a picture (https://ogp.me).

A drill says so before anything else, and a withdrawn one too: whoever sees the card need not see the page.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, Final

from quakestream.event import utc
from quakestream.plain import one_line

NAME: Final = "Quakestream"
ABOUT: Final = "Earthquakes as every agency reports them, live."
DRILLS: Final = {"exercise": "EXERCISE", "test": "TEST"}
"""By mode, what stands before all else; what is real has no word."""
NOT_REAL: Final = "This is not happening."
MAX_PLACE: Final = 200
PICTURE_SIZE: Final = (720, 480)
ICON_SIZE: Final = 512


def headline(earthquake: Mapping[str, Any]) -> str:
    """`EXERCISE: M 7.3, 24 km NE of Hualien City, Taiwan`; a place that says its mode itself is not told twice."""
    mode = str(earthquake["mode"])
    place = one_line(str(earthquake.get("place") or earthquake.get("region") or "place unknown"))[:MAX_PLACE]
    magnitude = earthquake.get("magnitude")
    said = f"{'M ?' if magnitude is None else f'M {magnitude:.1f}'}, {place.removeprefix(f'{mode.upper()}: ')}"
    if earthquake["type"] != "earthquake":
        said = f"{said} ({one_line(str(earthquake['type']))[:50]})"
    if earthquake["status"] == "deleted":
        said = f"WITHDRAWN: {said}"
    return f"{DRILLS[mode]}: {said}" if mode in DRILLS else said


def sentence(earthquake: Mapping[str, Any]) -> str:
    """When, how deep, how sure and by whom: `2018-02-06 15:50:43 UTC, depth 17 km. Reviewed, by us. Revision 4.`"""
    depth_km = earthquake["location"].get("depth")
    depth = "depth unknown" if depth_km is None else f"depth {depth_km:.0f} km"
    agency = one_line(str(earthquake.get("agency") or earthquake["source"]))[:50]
    others = len(earthquake["events"]) - 1
    reports = "" if others < 1 else f" and {others} more {'report' if others == 1 else 'reports'}"
    said = (
        f"{utc(earthquake['timestamp']):%Y-%m-%d %H:%M:%S} UTC, {depth}. {str(earthquake['status']).capitalize()}, "
        f"by {agency}{reports}. Revision {earthquake['revision']}."
    )
    return said if earthquake["mode"] == "actual" else f"{DRILLS[earthquake['mode']]}. {NOT_REAL} {said}"


def head(earthquake: Mapping[str, Any] | None, home: str) -> str:
    """`<title>` and the tags for a card; None: those of the page itself. `home`: where the page is, without a `/`."""
    if earthquake is None:
        title, about, page = NAME, ABOUT, f"{home}/"
        picture, (width, height), alt = f"{home}/icon-{ICON_SIZE}.png", (ICON_SIZE, ICON_SIZE), NAME
    else:
        title, about, page = headline(earthquake), sentence(earthquake), f"{home}/?id={earthquake['id']}"
        picture = f"{home}/api/v1/earthquakes/{earthquake['id']}/map.png?revision={earthquake['revision']}"
        (width, height), alt = PICTURE_SIZE, f"Map: {title}"
    card = "summary" if earthquake is None else "summary_large_image"
    properties = {
        "og:site_name": NAME,
        "og:type": "website",
        "og:url": page,
        "og:title": title,
        "og:description": about,
        "og:image": picture,
        "og:image:width": str(width),
        "og:image:height": str(height),
        "og:image:alt": alt,
    }
    tags = [f"<title>{html.escape(title if earthquake is None else f'{title} – {NAME}')}</title>"]
    tags += [f'<meta property="{name}" content="{html.escape(said)}">' for name, said in properties.items()]
    tags += [f'<meta name="twitter:card" content="{card}">']
    return "\n".join(tags)
