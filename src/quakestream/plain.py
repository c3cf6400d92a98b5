r"""Texts that others wrote, as one plain line: `one_line("A\nB\u202e…")` is `"A B…"`.

A line break in a place's name must not break a message's title, and an invisible character must not turn it round. All
that is read stays, in every script: combining marks, and the joiners U+200C and U+200D, by which Persian and the
languages of India are spelt.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

import msgspec

_DROPPED: Final = re.compile(
    "["
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # control characters (Cc) that are no white space
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Bidi_Control: marks, embeddings, overrides, isolates
    "\u00ad\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"  # never seen: soft hyphen, zero width, annotation
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # halves of characters, and what is none: UTF-8, XML have no room for them
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # tags; the variation selectors between them stay
    "]"
)


def one_line(text: str) -> str:
    """The text without what is not seen, each run of white space one blank, none at its ends."""
    if text.isprintable() and "  " not in text and text.strip(" ") == text:
        return text  # most texts, by far
    return " ".join(_DROPPED.sub("", text).split())


LARGE: Final = 1e5
"""A number with a fraction beyond this is a time in ms, of those that we know."""
WHOLE: Final = 2.0**53
"""From here on doubles have no fractions."""
BOM: Final = b"\xef\xbb\xbf"


def _number(text: str) -> float:
    """A number with a fraction. A large one is no later than it says, though a double can't hold all of its digits.

    Otherwise it is the nearest double: what was written here is read as the same number.
    """
    value = float(text)
    if not math.isfinite(value):
        raise msgspec.DecodeError("Number out of range")
    if LARGE < abs(value) < WHOLE and value.is_integer() and Decimal(text) < value:
        return math.nextafter(value, -math.inf)
    return value


JSON: Final = msgspec.json.Decoder(float_hook=_number)
"""Of JSON that others wrote, where what it is to be is not known yet."""


def read_json(data: bytes | str) -> Any:
    r"""What JSON says, also with a byte order mark before it.

    Also where it has escapes of half a character, `\ud83d`: they are left out. Programs write them that cut a text
    within an emoji, and no parser has to take them.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no JSON, or not UTF-8.
    """
    data = (data.encode() if isinstance(data, str) else data).removeprefix(BOM)
    try:
        return JSON.decode(data)
    except msgspec.DecodeError:
        return JSON.decode(whole_characters(data))


def whole_characters(json: bytes) -> bytes:
    """JSON without escapes of half a character."""
    return _ESCAPES.sub(lambda found: b"" if _HALF.fullmatch(found[0]) else found[0], json)


_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPES: Final = re.compile(_HIGH + _LOW + b"|" + _HIGH + b"|" + _LOW + rb"|\\.")
_HALF: Final = re.compile(_HIGH + b"|" + _LOW)
