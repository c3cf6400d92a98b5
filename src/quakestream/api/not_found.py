"""A page for people where there is nothing: who follows a broken link reads a sentence and finds the way back.

Programs get the problem document, as everywhere: whoever does not ask for HTML, and all that asks below a path that is
made for programs.
"""

from __future__ import annotations

import base64
import hashlib
import html
from typing import Final

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from quakestream.api.languages import Language, preferred_language, weights
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
_TEXTS: Final[dict[Language, tuple[str, str, str, str]]] = {
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
    if not weights(request.headers.get("accept", "")).get("text/html"):
        return None
    language = preferred_language(request.headers.get("accept-language", ""))
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
