"""Which tests ``make test``, ``make test-all`` and ``make test-nightly`` run.

A test without a mark runs in all three, one with several parameters in part: ``make test`` runs so
many of its cases that every value of every parameter occurs, the backends among them, ``make
test-all`` so many that every pair of values does, and ``make test-nightly`` all of them. Parameters
of one ``parametrize`` are one value in a pair: no row of a table is left out of ``make test-all``.

``thorough(reason)``   not in ``make test``
``nightly(reason)``    only in ``make test-nightly``
``crossed(reason, test=1, all=2)``  other numbers for one test: of values that occur together, 0 is
                       the first case alone, None all cases

A case with a mark of its own takes no other's place in a tier that it is not in.
"""

from collections import Counter
from itertools import combinations

import pytest

BY_RULE = "every value of each parameter is in make test, every pair in make test-all"


def assign_tiers(items):
    """Give cases of several parameters their marks; refuse a mark without a reason."""
    tests = {}
    for item in items:
        for mark in item.iter_markers():
            if mark.name in ("thorough", "nightly", "crossed") and not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: the mark {mark.name} says no reason.")
        if hasattr(item, "callspec"):
            tests.setdefault((item.path, item.originalname), []).append(item)
    for cases in tests.values():
        _mark(cases)


def _mark(cases):
    mark = cases[0].get_closest_marker("crossed") or pytest.mark.crossed(BY_RULE).mark
    quick, more = mark.kwargs.get("test", 1), mark.kwargs.get("all", 2)
    within_all = [n for n, item in enumerate(cases) if not item.get_closest_marker("nightly")]
    within_quick = [n for n in within_all if not cases[n].get_closest_marker("thorough")]
    values = [_values(item, [[name] for name in item.callspec.params]) for item in cases]
    kept = covering(values, quick, within=within_quick)
    values = [_values(item, _given_together(item)) for item in cases]
    among = covering(values, more, kept, within=within_all)
    for place, item in enumerate(cases):
        if place not in kept:
            tier = pytest.mark.thorough if place in among else pytest.mark.nightly
            item.add_marker(tier(mark.args[0]))


def _given_together(item):
    """Names of parameters, those of one ``parametrize`` together: a row of a table is one value."""
    rows = [mark.args[0] for mark in item.iter_markers("parametrize")]
    rows = [row.replace(" ", "").split(",") if isinstance(row, str) else list(row) for row in rows]
    known = {name for row in rows for name in row}
    return rows + [[name] for name in item.callspec.params if name not in known]


def _values(item, axes):
    given = item.callspec.params
    return tuple((*axis, *(_key(given[name]) for name in axis)) for axis in axes)


def _key(value):
    """What two values that are one have in common: their text, or that they are one object.

    Networks and streams of different content may read the same.
    """
    if type(value) is tuple:
        return tuple(_key(one) for one in value)
    plain = value is None or isinstance(value, str | bytes | int | float | complex)
    return repr(value) if plain else (repr(value), id(value))


def covering(cases, strength, kept=frozenset(), within=None):
    """Places of cases in which all combinations of ``strength`` values occur that occur at all.

    Each case is a tuple of values. ``kept`` are places that are among them anyhow, ``within`` those
    that there are to choose from: all unless given. One case after the other is taken, always that
    with the most combinations that are new, and of those that whose values were taken least so far:
    no backend has all the rest.
    """
    kept, within = set(kept), range(len(cases)) if within is None else within
    if strength is None:
        return kept.union(within)
    if strength == 0:
        return kept.union(within[:1])
    new = [set(combinations(case, min(strength, len(case)))) for case in cases]
    missing = set().union(*(new[place] for place in within))
    missing = missing.difference(*(new[place] for place in kept))
    if max(map(len, new)) == 1:  # cases have nothing in common: each that is missing, once
        first = {one: place for place in reversed(within) for one in new[place] & missing}
        return kept.union(first.values())
    taken = Counter(value for place in kept for value in cases[place])
    while missing:
        adds = {place: n for place in within if (n := len(new[place] & missing))}
        most = max(adds.values())
        within = list(adds)  # what adds nothing now never will
        place = min(
            (place for place in within if adds[place] == most),
            key=lambda place: sum(taken[value] for value in cases[place]),
        )
        kept.add(place)
        taken.update(cases[place])
        missing -= new[place]
    return kept


def beyond(n, cases, mark):
    """Cases for ``parametrize``, of which all beyond the first ``n`` have the mark."""
    given = [case if type(case) is tuple else (case,) for case in cases]
    return [pytest.param(*case, marks=[mark] * (place >= n)) for place, case in enumerate(given)]
