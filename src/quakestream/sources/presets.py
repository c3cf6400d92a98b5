"""FDSN event services that are open to all, by the names that `fdsn` knows them by.

Addresses are those that the agencies and ObsPy's list of data centres give; none could be tried while this was
written. The Kandilli Observatory (KOERI) has no event service: its node of EIDA gives waveforms and stations
alone, and its reports come through `emsc`. EarthScope's (IRIS) was closed in 2024 in favour of the USGS's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from quakestream.seismology.preference import default_ranking
from quakestream.terms import UNKNOWN, terms_of

Tried = Literal["recorded", "documented", "never"]
"""How it is known that a preset works: answers of the service itself are read in the tests; its address and its answers
are what is documented in public; nobody knows."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One agency's service."""

    url: str
    agency: str
    """Who located what it gives: the same for all, for this is the agency's own catalogue."""
    about: str
    poll_interval_s: float = 300
    tried: Tried = "documented"
    fallback_url: str | None = None
    """Another host of the agency's that it documents for the same events."""

    @property
    def terms(self) -> str:
        """Its licence where that is known, and whom to name."""
        found = terms_of(self.agency)
        return UNKNOWN if found is None else found.cited


ALIASES: Final[Mapping[str, str]] = {"eth": "sed", "ethz": "sed"}
"""Other names of presets, by which an agency is looked for."""

PRESETS: Final[Mapping[str, Preset]] = {
    "geonet": Preset(
        "https://service.geonet.org.nz/fdsnws/event/1/",
        "geonet",
        "GeoNet, New Zealand",
        fallback_url="https://service-nrt.geonet.org.nz/fdsnws/event/1/",  # www.geonet.org.nz/data/tools/FDSN
    ),
    "gfz": Preset(
        "https://geofon.gfz.de/fdsnws/event/1/",
        "gfz",
        "GEOFON, GFZ Helmholtz Centre for Geosciences, Potsdam; the world",
        fallback_url="https://geofon.gfz-potsdam.de/fdsnws/event/1/",  # its name before 2024, in ObsPy's list
    ),
    "ingv": Preset(
        "https://webservices.ingv.it/fdsnws/event/1/",
        "ingv",
        "Istituto Nazionale di Geofisica e Vulcanologia, Italy",
    ),
    "ipgp": Preset(
        "https://ws.ipgp.fr/fdsnws/event/1/",
        "ipgp",
        "Institut de physique du globe de Paris: volcanoes of La Réunion, Guadeloupe, Martinique, Mayotte",
    ),
    "knmi": Preset(
        "https://rdsa.knmi.nl/fdsnws/event/1/",
        "knmi",
        "Koninklijk Nederlands Meteorologisch Instituut, the Netherlands",
    ),
    "ncedc": Preset(
        "https://service.ncedc.org/fdsnws/event/1/",
        "nc",
        "Northern California Earthquake Data Center; its reports come through `usgs` too",
        poll_interval_s=600,
    ),
    "noa": Preset(
        "https://eida.gein.noa.gr/fdsnws/event/1/",
        "noa",
        "National Observatory of Athens, Greece",
    ),
    "resif": Preset(
        "https://api.franceseisme.fr/fdsnws/event/1/",
        "renass",
        "BCSF-Rénass, Epos-France (once RESIF), metropolitan France",
    ),
    "scedc": Preset(
        "https://service.scedc.caltech.edu/fdsnws/event/1/",
        "ci",
        "Southern California Earthquake Data Center; its reports come through `usgs` too",
        poll_interval_s=600,
    ),
    "sed": Preset(
        "https://eida.ethz.ch/fdsnws/event/1/",
        "sed",
        "Swiss Seismological Service at ETH Zürich",
        tried="recorded",
    ),
}

OWN_PAGES: Final[Mapping[str, frozenset[str]]] = {
    "https://api.geonet.org.nz/": frozenset({"geonet"}),
    "https://quakes.bgs.ac.uk/feeds/": frozenset({"bgs"}),
    "https://earthquakes.bgs.ac.uk/feeds/": frozenset({"bgs"}),
    "https://deprem.afad.gov.tr/": frozenset({"afad"}),
}
"""Agencies' own pages beside event services, and by which names they go: a `feed` of theirs may be called so."""

_RANKING: Final = default_ranking()
AGENCIES: Final = frozenset(
    {"usgs", "emsc", "anss", "comcat", "iris", "earthscope", "geofon", "koeri", "jma", "cenc", "bgs", "ign", "afad"}
    | {*PRESETS, *ALIASES, *(preset.agency for preset in PRESETS.values())}
    | {*_RANKING.elsewhere, *(agency for region in _RANKING.regions for agency in region.agencies)}
)
"""Names and codes that agencies go by, those that the preferred event is chosen by among them: in small letters."""
AUTHORITIES: Final = frozenset({"usgeologicalsurvey", "unitedstatesgeologicalsurvey", "mediterraneanseismologicalcent"})
"""What is in their names written out, without spaces."""
