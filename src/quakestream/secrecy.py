"""What is shown has no secrets in it: `redacted(text)`, of every error's words, log line, status and health.

A URL is shown without user and password, a parameter that is called like a key without its value, an address of
Apprise's without its path, for tokens stand there. Secrets of the settings, which `conceal` is told, are left out
wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

HIDDEN: Final = "***"
MIN_LENGTH: Final = 8
"""Shorter secrets are left out of URLs alone: elsewhere they may be anybody's words."""
MAX_CONCEALED: Final = 1000

_USER: Final = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_USER_BADLY_WRITTEN: Final = re.compile(r"(?<=://)[^\s/?#\"'<>@:]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]*@")
"""With a `/`, `?` or `#` in the password, that should be percent-encoded."""
_PASSWORD: Final = re.compile(r"://[^\s/?#\"'<>@:]*:([^\s\"'<>]+)@")
_OTHER_SCHEME: Final = re.compile(
    r"\b(?!(?:https?|wss?|file|sqlite|postgres(?:ql)?|plaintext|ssl|sasl_\w+)(?:\+\w+)?://)([a-z][a-z0-9+.-]*)://[^\s\"'<>]+",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(
    r"([?&;](?:[\w.-]*(?:token|secret|passw(?:or)?d|api_?key|signature)|auth|key|pass|pwd|sig)=)[^&;#\s\"'<>]+",
    re.IGNORECASE,
)
_OF_LIBPQ: Final = re.compile(r"\b(passw(?:or)?d\s*=\s*)(?:'[^']*'|[^\s'\"&;]+)", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(
    r"(\bbearer\s+|\bauthorization\b\W{1,6}(?:basic|digest)\s+)[\w.~+/=-]{6,}", re.IGNORECASE
)
_PATH: Final = re.compile(r"(/bot\d+:|(?:hooks\.slack\.com/services|/api/webhooks)/)[\w/:-]+")
"""Of Telegram, Slack and Discord, whose tokens are paths of https."""

_concealed: dict[str, re.Pattern[str]] = {}


def conceal(secret: str) -> None:
    """Leave this secret out of all that is shown by this process from now on."""
    if len(secret) >= MIN_LENGTH and len(_concealed) < MAX_CONCEALED:
        _concealed.setdefault(secret, re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)"))


def conceal_passwords(text: str) -> None:
    """As `conceal`, of the passwords of all URLs in a text, as they stand and decoded."""
    for password in _PASSWORD.findall(text):
        conceal(password)
        conceal(unquote(password))


def redacted(text: str) -> str:
    """The text without secrets."""
    for pattern in tuple(_concealed.values()):
        text = pattern.sub(HIDDEN, text)
    if "://" in text:
        text = _OTHER_SCHEME.sub(rf"\1://{HIDDEN}", _USER_BADLY_WRITTEN.sub("", _USER.sub("", text)))
    for pattern in (_PARAMETER, _OF_LIBPQ, _AUTHORIZATION, _PATH):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def redacted_all(value: Any) -> Any:
    """What JSON can hold, or a log line, with each text in it redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {name: redacted_all(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(redacted_all, value)) if type(value) in (list, tuple) else [*map(redacted_all, value)]
    if isinstance(value, bytes | Exception):
        return redacted(repr(value))
    return value
