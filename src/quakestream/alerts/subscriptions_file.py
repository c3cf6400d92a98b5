"""Subscriptions in a YAML file, for those who keep theirs in git: a list, each with an `id`.

    - id: home
      where: {kind: circle, latitude: 37.98, longitude: 23.73}
      what: {min_intensity: 4}
      how: {channels: [{channel: webhook, url: "https://example.org/quakes"}]}

What is in the file is; what is taken out of it is removed. Those of the HTTP interface are left alone, and can't have
an id that the file has.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from quakestream.alerts.registry import Registry
from quakestream.alerts.subscription import Subscription, encode, parse
from quakestream.errors import Rejected

ORIGIN: Final = "file"
MAX_BYTES: Final = 64 * 1024 * 1024


def read(path: Path, check: Callable[[Subscription], None]) -> list[Subscription]:
    """The subscriptions of a file; `check` refuses channels and targets that can't be.

    Raises:
        Rejected: it can't be read, or one is wrong; the message names every one, by its id or number, and its faults.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise Rejected(f"{path}: at most {MAX_BYTES} bytes")
        listed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise Rejected(f"{path}: {error}") from error
    if not isinstance(listed, list):
        raise Rejected(f"{path}: a list of subscriptions is wanted")
    found: dict[str, Subscription] = {}
    faults: list[str] = []
    for number, document in enumerate(listed, 1):
        name = document.get("id", f"number {number}") if isinstance(document, dict) else f"number {number}"
        try:
            subscription = parse(document)
            check(subscription)
        except Rejected as error:
            faults.append(f"{name}: {error}")
            continue
        if subscription.id is None or subscription.id in found:
            faults.append(f"{name}: an id of its own is needed")
        else:
            found[subscription.id] = subscription
    if faults:
        raise Rejected(f"{path}: {'; '.join(faults)}")
    return list(found.values())


def sync(wanted: list[Subscription], registry: Registry, now_ms: int) -> tuple[int, int]:
    """Have these, and no others of a file; how many were put in or changed, and how many removed.

    Raises:
        Rejected: the HTTP interface has one of that id.
    """
    stored = registry.get_all([one.id for one in wanted if one.id is not None])
    foreign = sorted(one.id for one in stored.values() if one.origin != ORIGIN)
    if foreign:
        raise Rejected(f"the HTTP interface has subscriptions of the same id: {', '.join(foreign)}")
    changed = [
        one
        for one in wanted
        if one.id not in stored or stored[one.id].document != encode(one.model_copy(update={"id": None}))
    ]
    if changed:
        registry.put_all([(one, "") for one in changed], origin=ORIGIN, now_ms=now_ms)
    gone = registry.ids_of(ORIGIN) - {one.id for one in wanted if one.id is not None}
    if gone:
        registry.remove(sorted(gone), now_ms)
    return len(changed), len(gone)
