"""Numbers as people read them, with their units."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventsim.engine.contract.compiling import SHOWN

_JOULES = (("J", 1e12), ("mJ", 1e9), ("µJ", 1e6), ("nJ", 1e3))


def percent(share: float) -> str:
    """A share in [0, 1]."""
    return f"{100.0 * share:.1f} %"


def duration(seconds: float) -> str:
    """A time that something took."""
    if seconds < 300.0:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 120 else f"{seconds / 3600.0:.1f} h"


def training_times(seconds: float, compiling: float) -> dict[str, float]:
    """Time of training, and of compiling where there was some, by name."""
    if compiling < SHOWN:
        return {"training time": seconds}
    return {"training time, without compiling": seconds, "compiling of kernels": compiling}


def joules(picojoules: float, *, at_least: bool = False) -> str:
    """An energy; with a sign in front where it is a lower bound."""
    sign = "≥ " if at_least else ""
    for unit, size in _JOULES:
        if picojoules >= size:
            return f"{sign}{picojoules / size:,.3g} {unit}"
    return f"{sign}{picojoules:,.3g} pJ"


def memory(size: float) -> str:
    """Bytes."""
    for unit, least in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= least:
            return f"{size / least:,.1f} {unit}"
    return f"{size:,.0f} B"


def general(value: float) -> str:
    """Any number: integers as they are, large numbers without decimals, others to four digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"


def r2_rows(fit: Mapping[str, Any], of: str = "") -> list[list[str]]:
    """Every output of a regression, and its R2 in words."""
    return [
        [f"R2 of {name}{of}", "none: its targets do not differ" if r2 is None else f"{r2:.4f}"]
        for name, r2 in zip(fit["outputs"], fit["r2"], strict=True)
    ]


def error_units(names: Sequence[str], scale: Sequence[float]) -> str:
    """The unit in which errors of every output count in the loss of a run of regression."""
    return ", ".join(f"{name} {size:.4g}" for name, size in zip(names, scale, strict=True))
