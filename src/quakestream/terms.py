"""Whose what is said is, and on what terms they give it: of each source, and of agencies by the codes they go by.

What is here was read on the agencies' own sites or services, or in what is documented of them. Where nothing is known
the terms are `unknown`: they are to be asked for, not guessed. A preset of `fdsn` takes its terms from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from quakestream.plain import one_line

UNKNOWN: Final = "unknown"
_ASK: Final = "see its site for the terms; name"
MAX_NAME: Final = 64
"""Characters of an agency's name in a header."""
MAX_BYTES: Final = 1_000
MAX_LINKS_BYTES: Final = 2_500
"""Of headers: proxies take 4 kB of all together."""


class TermsOfUse(Struct, frozen=True):
    """What an agency asks of those who use what it says."""

    agency: str
    """Its name, in words."""
    words: str
    """Its licence where that is known, and whom to name."""
    url: str | None = None
    """Where it says so, or where it is found."""

    @property
    def cited(self) -> str:
        """Both, in one line."""
        return self.words if self.url is None else f"{self.words}, {self.url}"


TERMS: Final[Mapping[str, TermsOfUse]] = {
    "usgs": TermsOfUse(
        "U.S. Geological Survey",
        "U.S. public domain; credit the USGS and the contributing networks",
        "https://www.usgs.gov/information-policies-and-instructions/copyrights-and-credits",
    ),
    "emsc": TermsOfUse(
        "European-Mediterranean Seismological Centre",
        "see its site for the terms; name the EMSC and the agency that located",
        "https://www.seismicportal.eu",
    ),
    "jma": TermsOfUse(
        "Japan Meteorological Agency",
        "any use; name the Japan Meteorological Agency and its site, and say what was changed",
        "https://www.jma.go.jp/jma/kishou/info/coment.html",
    ),
    "geonet": TermsOfUse(
        "GeoNet, New Zealand", "CC BY 3.0 NZ: GeoNet and its sponsors", "https://www.geonet.org.nz/policy"
    ),
    "gfz": TermsOfUse(
        "GEOFON, GFZ Helmholtz Centre for Geosciences, Potsdam",
        "CC BY 4.0: GEOFON Program, GFZ",
        "https://doi.org/10.14470/TR560404",
    ),
    "ingv": TermsOfUse(
        "Istituto Nazionale di Geofisica e Vulcanologia",
        "CC BY 4.0: ISIDe Working Group, INGV",
        "https://doi.org/10.13127/ISIDE",
    ),
    "ipgp": TermsOfUse("Institut de physique du globe de Paris", f"{_ASK} IPGP", "https://volobsis.ipgp.fr"),
    "knmi": TermsOfUse("Koninklijk Nederlands Meteorologisch Instituut", f"{_ASK} KNMI", "https://www.knmi.nl"),
    "ncedc": TermsOfUse("Northern California Earthquake Data Center", f"{_ASK} NCEDC", "https://doi.org/10.7932/NCEDC"),
    "noa": TermsOfUse("National Observatory of Athens", f"{_ASK} NOA", "https://bbnet.gein.noa.gr"),
    "resif": TermsOfUse("BCSF-Rénass, Epos-France", f"{_ASK} BCSF-Rénass", "https://renass.unistra.fr"),
    "scedc": TermsOfUse(
        "Southern California Earthquake Data Center", f"{_ASK} SCEDC", "https://doi.org/10.7909/C3WD3xH1"
    ),
    "sed": TermsOfUse(
        "Swiss Seismological Service at ETH Zürich", f"{_ASK} SED at ETH Zürich", "http://www.seismo.ethz.ch"
    ),
    "simulator": TermsOfUse("Quakestream's simulator", "made up by a machine; no terms"),
}
"""By the names of sources."""

CODES: Final[Mapping[str, str]] = {
    "us": "usgs",
    "nc": "ncedc",
    "ci": "scedc",
    "renass": "resif",
    "eth": "sed",
    "ethz": "sed",
    "geofon": "gfz",
    "wel": "geonet",
}
"""Under which source an agency's terms stand, by its code in small letters, where that is another."""


def terms_of(name: str) -> TermsOfUse | None:
    """The terms of a source or an agency, whatever the case of its name; None: unknown."""
    small = name.lower()
    return TERMS.get(CODES.get(small, small))


class Credits:
    """The sources and agencies of what is added, in the order of their names, and their terms."""

    def __init__(self, sources: Iterable[str] = (), agencies: Iterable[str] = ()) -> None:
        self._pairs: set[tuple[str, str | None]] = set()
        self._names = set(sources), set(agencies)

    @classmethod
    def of(cls, *events: Mapping[str, Any]) -> Credits:
        """Of these."""
        found = cls()
        for event in events:
            found.add(event)
        return found

    def add(self, event: Mapping[str, Any]) -> None:
        """An earthquake of the catalogue's JSON with all of its reports, or an event."""
        source = event["source"]
        self._pairs.add((source, event.get("agency")))
        for key in event.get("events", ()):
            if not key.startswith(source):
                self._pairs.add((key.partition(":")[0], None))

    def add_pair(self, source: str, agency: str | None) -> None:
        """Whoever located it, and through whom it came."""
        self._pairs.add((source, agency))

    @property
    def sources(self) -> list[str]:
        """Through whom it came."""
        return sorted(self._names[0] | {source for source, _ in self._pairs})

    @property
    def agencies(self) -> list[str]:
        """Who located it; a source where nobody says."""
        found = self._names[1] | {agency or source for source, agency in self._pairs}
        return sorted({one_line(agency) for agency in found})

    def terms(self) -> list[dict[str, str]]:
        """Of each source, and of each agency whose own are known: `source` or `agency`, `name`, `terms`, `url`."""
        found = [{"source": source} | _said(terms_of(source)) for source in self.sources]
        told = {terms_of(source) for source in self.sources}
        for agency in self.agencies:
            own = terms_of(agency)
            if own is not None and own not in told:
                told.add(own)
                found.append({"agency": agency} | _said(own))
        return found

    def document(self) -> dict[str, Any]:
        """`agencies` and `terms`, as they stand in JSON."""
        return {"agencies": self.agencies, "terms": self.terms()}

    def line(self) -> str:
        """All of it in one line, for formats that have room for no more."""
        said = "; ".join(
            f"{one.get('name') or one.get('source') or one.get('agency')}: {one['terms']}"
            + (f" ({one['url']})" if "url" in one else "")
            for one in self.terms()
        )
        return f"Agencies: {', '.join(self.agencies) or 'none'}. Terms: {said or 'none'}."

    def headers(self, home: str) -> dict[str, str]:
        """For formats that have no room at all: agencies and links to terms (RFC 8288, `license` of RFC 4946)."""
        links = [f'<{home}/api/v1/terms>; rel="license"; title="Terms of all sources"']
        links += [_link(one["url"], one["terms"]) for one in self.terms() if "url" in one]
        named = [quote(one[:MAX_NAME], safe=" ()'/:") for one in self.agencies]
        return {"Link": _within(links, MAX_LINKS_BYTES, ""), "Quakestream-Agencies": _within(named, MAX_BYTES, "...")}


def _within(parts: Sequence[str], most: int, more: str) -> str:
    """As many of them as there is room for, with commas between; `more` where there are others."""
    taken: list[str] = []
    size = 0
    for part in parts:
        size += len(part) + 2
        if size > most:
            return ", ".join([*taken, *([more] if more else [])])
        taken.append(part)
    return ", ".join(taken)


def _said(terms: TermsOfUse | None) -> dict[str, str]:
    if terms is None:
        return {"terms": UNKNOWN}
    return {"name": terms.agency, "terms": terms.words} | ({"url": terms.url} if terms.url else {})


def _link(url: str, words: str) -> str:
    if words.isascii():
        return f'<{url}>; rel="license"; title="{words}"'
    return f"<{url}>; rel=\"license\"; title*=UTF-8''{quote(words)}"
