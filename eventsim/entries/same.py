"""Compares settings with those of the start of a run."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from eventsim.errors import StorageError


def check_same(
    where: str, before: Mapping[str, Any], now: Mapping[str, Any], *, may_grow: Collection[str] = ()
) -> None:
    """Raise StorageError, with the first key that differs, unless two sets of settings are equal.

    Both are plain values, perhaps nested; a list equals a tuple. Numbers at paths of ``may_grow``,
    such as ``train.epochs``, may be larger now. ``where`` is the file or folder of the stored ones.
    """
    stored, given = (flat(json.loads(json.dumps(values))) for values in (before, now))
    keys = [
        key
        for key in given | stored
        if stored.get(key) != given.get(key)
        and not (key in may_grow and stored.get(key, 0) < given.get(key, 0))
    ]
    if keys:
        key = keys[0]
        raise StorageError(
            where,
            f"belongs to a run with other settings: {key} is {stored.get(key)!r} there, "
            f"{given.get(key)!r} now ({len(keys)} differ: {', '.join(keys)})",
            remedy="Go on with the settings it was started with, or choose another folder.",
        )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, keys as paths such as ``rates.taus``. New dict."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return found
