"""What tells people and clients of the FDSN event web service: a page with a URL builder, and the WADL.

Both are made from the parameters themselves. The page's script and style are files of ours: nothing is inline.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from fastapi import HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic.fields import FieldInfo

from quakestream.api.fdsn_parameters import FdsnParameters
from quakestream.api.parameters import ALIASES

FOLDER: Final = Path(__file__).parent / "fdsnws"
_FILES: Final = {"builder.js": "text/javascript", "style.css": "text/css"}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_EXTENSIONS: Final = ("mode", "asof", "minradiuskm", "maxradiuskm", "includesuperseded")
"""What FDSN's specification does not have."""
_TIMES: Final = ("starttime", "endtime", "updatedafter")
_PATHS: Final = ("query", "count")
_ROW: Final = '<tr><th scope="row"><label for="{name}">{called}</label><td>{field}<td>{text}'


def page() -> Response:
    """The documentation, with the builder."""
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    rows = "\n".join(_row(name, field) for name, field in _parameters().items())
    return HTMLResponse(text.replace("<!-- parameters -->", rows), headers=_HEADERS)


def part(name: str) -> Response:
    """A file that the page needs.

    Raises:
        HTTPException: it needs none of that name.
    """
    if name not in _FILES:
        raise HTTPException(404, "there is no such part of the service: query, count, version, catalogs, contributors")
    return FileResponse(FOLDER / name, media_type=_FILES[name], headers=_HEADERS)


def wadl(base: str) -> str:
    """The service for its clients; `base` is where it is, with a slash at its end."""
    described = [*_parameters().items()]
    names = [(called, name, field) for name, field in described for called in _called(name)]
    params = "".join(_param(called, name, field) for called, name, field in names)
    queries = "".join(
        f'<resource path="{path}"><method name="GET" id="{path}"><request>{params}</request>'
        f'<response status="200"><representation mediaType="{kind}"/></response>'
        "</method></resource>"
        for path, kind in zip(_PATHS, ("application/xml", "text/plain"), strict=True)
    )
    others = "".join(
        f'<resource path="{path}"><method name="GET" id="{path}"><response>'
        f'<representation mediaType="{kind}"/></response></method></resource>'
        for path, kind in (
            ("version", "text/plain"),
            ("catalogs", "application/xml"),
            ("contributors", "application/xml"),
            ("application.wadl", "application/xml"),
        )
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<application xmlns="http://wadl.dev.java.net/2009/02"'
        f' xmlns:xs="http://www.w3.org/2001/XMLSchema"><resources base="{html.escape(base)}">{queries}{others}'
        "</resources></application>\n"
    )


def _parameters() -> dict[str, FieldInfo]:
    """By FDSN's names."""
    called = {"source": "catalog"}
    return {called.get(name, name): field for name, field in FdsnParameters.model_fields.items()}


def _called(name: str) -> list[str]:
    """A parameter's names, FDSN's whole one first."""
    whole = "source" if name == "catalog" else name
    return [name, *(alias for alias, of in ALIASES.items() if of == whole and alias != name)]


def _choices(field: FieldInfo) -> list[str]:
    """The words that it may be; empty: no such list."""
    found: list[str] = []
    kinds: list[Any] = [field.annotation]
    while kinds:
        kind = kinds.pop()
        if get_origin(kind) is Literal:
            found += [str(one) for one in get_args(kind)]
        elif kind is bool:
            found += ["true", "false"]
        else:
            kinds += [one for one in get_args(kind) if one is not type(None)]
    return sorted(set(found))


def _kind(name: str, field: FieldInfo) -> str:
    kinds = {field.annotation, *get_args(field.annotation)}
    if name in _TIMES:
        return "xs:dateTime"
    if bool in kinds:
        return "xs:boolean" if len(_choices(field)) == 2 else "xs:string"
    if float in kinds or any(get_args(one)[:1] == (float,) for one in kinds):
        return "xs:double"
    return "xs:int" if name in {"limit", "offset", "nodata"} else "xs:string"


def _param(called: str, name: str, field: FieldInfo) -> str:
    default = "" if field.default is None else f' default="{str(field.default).lower()}"'
    options = "".join(f'<option value="{one}"/>' for one in _choices(field))
    begin = f'<param name="{called}" style="query" type="{_kind(name, field)}"{default}'
    return f"{begin}>{options}</param>" if options else f"{begin}/>"


def _row(name: str, field: FieldInfo) -> str:
    called = " ".join(f"<code>{one}</code>" for one in _called(name))
    choices = _choices(field)
    if choices:
        options = "".join(f"<option>{one}" for one in ("", *choices))
        entry = f'<select id="{name}">{options}</select>'
    else:
        hint = "2018-02-06T23:50:43" if name in _TIMES else ""
        entry = f'<input id="{name}" placeholder="{hint}">'
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(field.description or ""))  # Markdown in OpenAPI
    if name in _EXTENSIONS and "extension" not in text:
        text = f"{text} (Not in FDSN's specification.)"
    return _ROW.format(name=name, called=called, field=entry, text=text.strip())
