"""Cells of the support matrix as rows: one feature of each axis, together in one network.

A network has a feature of every axis, and so fills a cell of every pair of them at once. Rows of a
capability that runs are drawn until all pairs (or triples) occur that can; a refusal has rows of
its own, since what is refused hides all else.
"""

import functools
import random
from itertools import combinations, islice
from typing import NamedTuple

from eventsim.matrix import Rule, matrix

# Axes whose features a network has one of; without it the plainest, the first of them.
NONE = {"wiring": "layers"}  # an axis that may also be empty, and the name of that in a test's id
SPIKING_RULES = ("first_spike", "spike_count", "van_rossum")
DECIDED = ("no_answer", "maximum", "last", "ctc")
# What stands for a feature that a network has in training alone: all its neurons are of one kind.
AS = {"linear_hidden": "linear", "linear_output": "linear", "shared_apart": "shared"}
TRIED, DRAWN = 10, 200  # candidates of a row, and how many are drawn to find them


class Row(NamedTuple):
    """A cell, or many: features by axis, and the rule of the matrix that holds for them."""

    capability: str
    features: tuple[tuple[str, str], ...]
    rule: Rule | None

    @property
    def by_axis(self):
        """Features by axis."""
        return dict(self.features)

    def __str__(self):
        return "-".join([self.capability, *(feature for _, feature in self.features)])


def is_possible(given):
    """Whether a network can have these features at all."""
    answer, end = given.get("answer"), given.get("end")
    if end == "decision" and answer not in (None, *DECIDED):
        return False
    if end == "no_readout" and answer not in (None, "no_answer", *SPIKING_RULES):
        return False
    aim = given.get("aim")  # of a loss: what it fits has an answer, or a readout
    if aim and answer and (aim == "for_values") != (answer == "no_answer"):
        return False
    if given.get("misses") == "missed_outputs" and answer not in SPIKING_RULES:
        return False
    if aim == "for_values" and end == "no_readout":
        return False
    if given.get("wiring") == "mixed_loop" and given.get("neuron") != "adaptive":
        return False
    return not (given.get("pattern") == "shared" and given.get("delay") == "delay_by_synapse")


def rule_of(capability, given):
    """The rule of the matrix for these features."""
    table = matrix()
    found = table.with_implied(dict.fromkeys([*given.values(), *capability.asks], ""))
    if "linear" in found:
        found["linear_hidden"] = ""
        found |= {"linear_output": ""} if given.get("answer") in SPIKING_RULES else {}
    if given.get("pattern") == "shared":
        found["shared_apart"] = ""  # every neuron has its own time constants
    if "method" not in given:
        found["exact"] = ""
    return capability.rule(found)


def _choices(capability):
    table = matrix()
    return {
        axis: [*([NONE[axis]] if axis in NONE else []), *table.axes[axis]]
        for axis in capability.axes
    }


def _drawn(rng, choices, fixed):
    """Random features with those that are fixed; None if they are not possible together."""
    given = {axis: fixed.get(axis) or rng.choice(names) for axis, names in choices.items()}
    return given if is_possible(given) else None


@functools.cache
def running(name, strength):
    """Rows of a capability that run, or have a bound: every combination of features that can.

    Capabilities of the same axes begin alike, so that they share networks and what was run of them.
    """
    capability = matrix().capabilities[name]
    rng = random.Random(f"{capability.axes} {strength}")
    choices = _choices(capability)
    missing = {
        combination
        for axes in combinations(choices, min(strength, len(choices)))
        for combination in _products(axes, choices)
    }
    rows, dead = [], {one for one in missing if _refused(capability, dict(one))}
    while missing - dead:
        wanted = min(missing - dead)
        drawn = (_drawn(rng, choices, dict(wanted)) for _ in range(DRAWN))
        good = list(islice((one for one in drawn if one and not _refused(capability, one)), TRIED))
        if not good:
            dead.add(wanted)  # impossible, or refused
            continue
        best = max(good, key=lambda one: len(_filled(one, strength) & missing))
        missing -= _filled(best, strength)
        rows.append(Row(name, tuple(best.items()), rule_of(capability, best)))
    return rows


def _products(axes, choices):
    found = [()]
    for axis in axes:
        found = [(*one, (axis, feature)) for one in found for feature in choices[axis]]
    return found


def _filled(given, strength):
    return set(combinations(given.items(), min(strength, len(given))))


def _refused(capability, given):
    rule = rule_of(capability, given)
    return rule is not None and rule.says == "refuses"


@functools.cache
def refused(name, each=2):
    """Rows that are refused: ``each`` of every rule and of all that implies its features."""
    capability, rng, rows = matrix().capabilities[name], random.Random(name), []
    choices = _choices(capability)
    for rule in capability.rules:
        if rule.says != "refuses":
            continue
        found = []
        for wanted in _meanings(rule.has, choices):
            drawn = (_drawn(rng, choices, wanted) for _ in range(5 * DRAWN))
            fits = (one for one in drawn if one and rule_of(capability, one) is rule)
            found += [Row(name, tuple(one.items()), rule) for one in islice(fits, each)]
        rows += found
    return rows


def _meanings(features, choices):
    """Features by axis that stand for those of a rule: themselves, or what implies them."""
    implies, found = matrix().implies, [{}]
    for feature in features:
        meant = [
            (axis, name)
            for axis, names in choices.items()
            for name in names
            if AS.get(feature, feature) in (name, *implies.get(name, ()))
        ]
        found = [one | {axis: name} for one in found for axis, name in meant if axis not in one]
    return found
