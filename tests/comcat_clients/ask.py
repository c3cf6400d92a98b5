"""Asks as pycsep and usgs-libcomcat ask ComCat, of which only the address is another, and says what they understood."""

import datetime as dt
import importlib
import json
import sys
import types
from importlib.metadata import files
from pathlib import Path

URL = sys.argv[1]
USGS = ("https://earthquake.usgs.gov", "https://[HOST]")
WANTED = {
    "starttime": dt.datetime(2010, 1, 1),  # noqa: DTZ001 - as they take it
    "endtime": dt.datetime(2024, 1, 1),  # noqa: DTZ001 - as they take it
    "minmagnitude": 3,
}


def readdressed(module: types.ModuleType) -> types.ModuleType:
    """The module, with our address in its templates."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, str):
            setattr(module, name, value.replace(USGS[0], URL).replace(USGS[1], URL))
    return module


def of_pycsep(name: str) -> types.ModuleType:
    """One of its modules; the package itself draws maps, for which it would need much more."""
    for package in ("csep", "csep.utils"):
        found = types.ModuleType(package)
        top = next(one for one in files("pycsep") or () if str(one) == "csep/__init__.py").locate()
        found.__path__ = [str(Path(str(top)).parents[1] / package.replace(".", "/"))]
        sys.modules[package] = found
    return readdressed(importlib.import_module(name))


comcat = of_pycsep("csep.utils.comcat")
search = readdressed(importlib.import_module("libcomcat.search"))
readdressed(importlib.import_module("libcomcat.classes"))
said = {"count": search.count(**WANTED)}
for client, module in (("pycsep", comcat), ("libcomcat", search)):
    events = module.search(**WANTED)
    detail = events[-1].getDetailEvent()
    said[client] = {
        "ids": [one.id for one in events],
        "magnitudes": [one.magnitude for one in events],
        "depths_km": [one.depth for one in events],
        "products": detail.products,
        "origins": detail.getNumVersions("origin"),
        "place": detail.location,
    }
print(json.dumps(said))
