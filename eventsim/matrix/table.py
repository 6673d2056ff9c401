"""The matrix as it stands in matrix.toml, whose head explains its keys."""

import functools
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import product
from typing import Any, Literal

from eventsim.errors import (
    BackendError,
    DataError,
    EventSimError,
    MappingError,
    NetworkError,
    ParameterError,
    ShapeError,
)

ERRORS: Mapping[str, type[EventSimError]] = {
    kind.__name__: kind
    for kind in (BackendError, DataError, MappingError, NetworkError, ParameterError, ShapeError)
}
Says = Literal["runs", "bound", "refuses"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A cell that does not just run."""

    has: tuple[str, ...]  # Features that occur together
    says: Says
    unless: tuple[str, ...] = ()  # Features of which none is there
    why: str  # Follows the phrase of the first feature, or has it; {feature} stands for a phrase
    do: str = ""  # What to do instead
    expected: str = ""  # What a refusal expected, where that says more than why
    error: type[EventSimError] = NetworkError  # Of a refusal
    shown: str = ""  # Of a bound: words that stand beside the number

    def holds(self, features: Collection[str]) -> bool:
        """Whether all features of the rule are there, and none that lifts it."""
        lifted = any(name in features for name in self.unless)
        return not lifted and all(name in features for name in self.has)

    def said(self, features: Mapping[str, str]) -> str:
        """The feature that is there, and why it does not just run; ``features`` have phrases."""
        why = self.why.format_map(features)
        return why if f"{{{self.has[0]}}}" in self.why else f"{features[self.has[0]]}, {why}"


@dataclass(frozen=True, kw_only=True)
class Capability:
    """A row of the matrix."""

    name: str
    title: str  # What a user does
    call: str = ""  # The public function
    command: str = ""  # The command of the terminal
    axes: tuple[str, ...] = ()  # Whose features matter
    asks: tuple[str, ...] = ()  # Features that it has by itself
    # Rows whose rules hold where a feature is there, by feature
    within: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()  # Those of the rows that it begins with, then its own

    @functools.cached_property
    def features(self) -> frozenset[str]:
        """Features that some rule names."""
        return frozenset(name for rule in self.rules for name in (*rule.has, *rule.unless))

    def rule(self, features: Collection[str]) -> Rule | None:
        """The first rule that holds, refusals before bounds; None where the capability runs."""
        return next((rule for rule in self.rules if rule.holds(features)), None)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Table of all features and capabilities."""

    axes: Mapping[str, Mapping[str, str]]  # Names of features in words, by axis and feature
    capabilities: Mapping[str, Capability]
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @functools.cached_property
    def titles(self) -> Mapping[str, str]:
        """Names of all features in words."""
        return {name: text for axis in self.axes.values() for name, text in axis.items()}

    def with_implied(self, given: Mapping[str, str]) -> dict[str, str]:
        """Features with the phrases that name them, and those that follow from them."""
        found: dict[str, str] = {}
        for name, phrase in given.items():
            for one in (name, *self.implies.get(name, ())):
                found.setdefault(one, phrase)
        return found


@functools.cache
def matrix() -> Matrix:
    """The matrix of matrix.toml."""
    text = files("eventsim.matrix").joinpath("matrix.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)
    ways: Mapping[str, str] = given["ways"]
    rows: dict[str, Capability] = {}
    for name, row in given["capabilities"].items():
        rules = [rule for one in row.pop("after", ()) for rule in rows[one].rules]
        for feature, one in row.get("within", {}).items():
            rules += [replace(rule, has=(*rule.has, feature)) for rule in rows[one].rules]
        rules += _rules(row, ways)
        rules.sort(key=lambda rule: rule.says == "bound")
        learned = row.pop("ignores", ())
        rules = [rule for rule in rules if not any(name in learned for name in rule.has)]
        kept = {key: value for key, value in row.items() if key != "rules"}
        kept |= {key: tuple(row.get(key, ())) for key in ("axes", "asks")}
        rows[name] = Capability(name=name, rules=tuple(rules), **kept)
    implies = {name: tuple(others) for name, others in given["implies"].items()}
    return Matrix(axes=given["axes"], capabilities=rows, implies=implies)


def _rules(row: Mapping[str, Any], ways: Mapping[str, str]) -> Iterator[Rule]:
    for given in row.get("rules", ()):
        for has in product(*([one] if isinstance(one, str) else one for one in given["has"])):
            yield _rule(has, given, ways)


def _rule(has: tuple[str, ...], given: Mapping[str, Any], ways: Mapping[str, str]) -> Rule:
    says: Says = "bound" if "bound" in given else "refuses"
    do = given.get("do", ways.get(has[0], "")) if says == "refuses" else ""
    error = ERRORS[given.get("error", "NetworkError")]
    return Rule(
        has=has,
        unless=tuple(given.get("unless", ())),
        says=says,
        why=given.get("bound") or given["why"],
        do=do,
        expected=given.get("expected", ""),
        error=error,
        shown=given.get("shown", ""),
    )
