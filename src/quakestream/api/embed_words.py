"""What `/embed` says of its own, in the languages of the page."""

from __future__ import annotations

from typing import Final

from quakestream.api.languages import Language

WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "exercise": "EXERCISE. This is not happening.",
        "test": "TEST. This is not happening.",
        "list": "Earthquakes",
        "magnitude": "Magnitude",
        "place": "Place",
        "time": "Time",
        "map": "Map",
        "open": "Every agency's word on this earthquake",
        "all": "All earthquakes, live",
        "none": "No earthquake matches.",
        "missing": "There is no such earthquake.",
        "wrong": "This address can't be read",
        "stale": "Not up to date since {time}.",
        "note": "As the agencies report it; numbers may change. Not an official warning. Quakestream.",
    },
    "de": {
        "exercise": "EXERCISE – ÜBUNG. Das geschieht jetzt nicht.",
        "test": "TEST. Das geschieht jetzt nicht.",
        "list": "Erdbeben",
        "magnitude": "Magnitude",
        "place": "Ort",
        "time": "Zeit",
        "map": "Karte",
        "open": "Was jede Stelle zu diesem Erdbeben sagt",
        "all": "Alle Erdbeben, live",
        "none": "Kein Erdbeben passt dazu.",
        "missing": "Dieses Erdbeben gibt es nicht.",
        "wrong": "Diese Adresse ist nicht zu lesen",
        "stale": "Seit {time} nicht mehr aktuell.",
        "note": "Wie es die Erdbebendienste melden; Zahlen können sich ändern. Keine amtliche Warnung. Quakestream.",
    },
}
