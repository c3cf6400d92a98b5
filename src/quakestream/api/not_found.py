"""A page for people where there is nothing: who follows a broken link reads a sentence and finds the way back.

Programs get the problem document, as everywhere: whoever does not ask for HTML, and all that asks below a path that is
made for programs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import Final

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from quakestream.web import approach

FOR_PROGRAMS: Final = ("/api", "/fdsnws", "/feeds", "/earthquakes")
"""Below these, errors are documents, whatever is asked for."""
UNNAMED: Final = "Not Found"
"""What the framework says where no route has the path."""
_STYLE: Final = (
    "body{font:1.125rem/1.6 system-ui,sans-serif;max-width:36rem;margin:20vh auto 0;padding:0 1.5rem;"
    "color-scheme:light dark}h1{font-size:1.75rem;line-height:1.25}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TEXTS: Final = {
    "en": ("There is no such page", "Nothing is at {path}.", "To the earthquakes", "The interface for programs"),
    "de": (
        "Diese Seite gibt es nicht",
        "Unter {path} ist nichts.",
        "Zu den Erdbeben",
        "Die Schnittstelle für Programme",
    ),
}


def not_found_page(request: Request, detail: str) -> Response | None:
    """The page, in the reader's language; None: what asks is no browser, or asks where programs do."""
    path: str = request.scope["path"]
    if request.method not in ("GET", "HEAD") or any(path == one or path.startswith(f"{one}/") for one in FOR_PROGRAMS):
        return None
    if not _weights(request.headers.get("accept", "")).get("text/html"):
        return None
    language = _language(request.headers.get("accept-language", ""))
    title, nothing, home, interface = _TEXTS[language]
    base = html.escape(approach(request.scope).base_path)
    named = "" if detail == UNNAMED else f"\n<p lang=en>{html.escape(detail)}</p>"
    shown = html.escape(path if len(path) <= 200 else f"{path[:200]}…")
    return HTMLResponse(
        f'<!doctype html>\n<html lang="{language}"><meta charset="utf-8"><title>{title} – Quakestream</title>'
        f'<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
        f'<link rel="icon" href="{base}/icon.svg" type="image/svg+xml"><style>{_STYLE}</style>\n'
        f"<main><h1>{title}</h1>\n<p>{nothing.format(path=f'<code>{shown}</code>')}</p>{named}\n"
        f'<p><a href="{base}/">{home}</a> · <a href="{base}/docs">{interface}</a></p></main>\n</html>\n',
        404,
        {
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Content-Language": language,
            "Cache-Control": "no-cache",
            "Vary": "Accept, Accept-Language",
        },
    )


def _language(accepted: str) -> str:
    """The one of ours that a reader likes best; English where none is named."""
    weights: dict[str, float] = {}
    for name, weight in _weights(accepted).items():
        primary = name.partition("-")[0]
        weights[primary] = max(weight, weights.get(primary, 0.0))
    return max(_TEXTS, key=lambda language: weights.get(language, 0.0))


def _weights(header: str) -> dict[str, float]:
    """Each name of an `Accept…` header with its weight (RFC 9110, 12.4.2); 0: refused."""
    found: dict[str, float] = {}
    for part in header[:2000].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        found[name] = float(weight) if _WEIGHT.fullmatch(weight) else 0.0
    return found


_WEIGHT: Final = re.compile(r"[01](\.\d{0,3})?", re.ASCII)
