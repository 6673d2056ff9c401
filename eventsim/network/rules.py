r"""Rules by which two populations are connected, drawn by target; names are those of NEST.

======================  ===========================================================================
rule                    in-degree of a target, of n targets and m possible sources
======================  ===========================================================================
``fixed_indegree``      K
``fixed_total_number``  N synapses in all: multinomial; without multapses that of N distinct pairs
``pairwise_bernoulli``  binomial (m, p), sources distinct
======================  ===========================================================================

Given its in-degree, a target takes its sources uniformly, with replacement where multapses are
allowed, else distinct; all sets are equally likely. So each rule is drawn target by target, and
a process that has some targets draws the synapses onto these alone. Synapses are numbered by
target; source, weight and delay of synapse i are functions of the seed, the projection's name and i
(:mod:`eventsim.network.draws`). In-degrees are drawn by NumPy's generator for all targets, so that
processes need the same version of it.

**Rows.** :func:`build_rows` draws the sources twice: once to count the synapses of every source,
and once to write each synapse where it belongs. Blocks of targets ascend, so that the rows come
out in order, and no list of all synapses is ever there beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Bools, Floats, Ints, owners
from eventsim.checks import in_domain, whole_number
from eventsim.entries.annotations import Bounds
from eventsim.errors import ParameterError
from eventsim.network.draws import Distribution, Value, WordStream, drawn, stream_of

BLOCK = 1 << 20  # synapses that are drawn together

Probability = Annotated[float, Bounds(ge=0, le=1), "a probability, 0 .. 1"]
Kind = Literal["fixed_indegree", "fixed_total_number", "pairwise_bernoulli"]


@dataclass(frozen=True)
class ConnectionRule:
    """Rule for the synapses of two populations; made by the functions of this module."""

    kind: Kind
    amount: float  # K, N or p
    allow_multapses: bool
    allow_autapses: bool

    def check(self, where: str, n_sources: int, n_targets: int, *, same: bool) -> None:
        """Raise ParameterError if two populations of these sizes cannot be connected by it."""
        choices = self.choices(n_sources, same=same)
        most = {
            "fixed_indegree": choices,
            "fixed_total_number": choices * n_targets,
            "pairwise_bernoulli": np.inf,
        }[self.kind]
        if self.amount > most and not (self.allow_multapses and choices):
            what = "of possible sources" if self.kind == "fixed_indegree" else "of possible pairs"
            raise ParameterError(
                where,
                f"{self.kind} is {int(self.amount):,}",
                f"at most {int(most):,}, the number {what}",
                "" if self.allow_multapses else "Or allow multapses.",
            )

    def choices(self, n_sources: int, *, same: bool) -> int:
        """Possible sources of a target; ``same``: it is one of their population."""
        return n_sources - (same and not self.allow_autapses)

    def in_degrees(self, choices: int, n_targets: int, stream: WordStream) -> Ints:
        """Synapses of every target. New array."""
        if self.kind == "fixed_indegree":
            return np.full(n_targets, int(self.amount))
        rng = stream.generator()
        if self.kind == "pairwise_bernoulli":
            return rng.binomial(choices, self.amount, n_targets)
        if self.allow_multapses:
            return rng.multinomial(int(self.amount), np.full(n_targets, 1.0 / n_targets))
        return _of_distinct_pairs(int(self.amount), choices, n_targets, rng)


def _of_distinct_pairs(total: int, choices: int, n_targets: int, rng: np.random.Generator) -> Ints:
    """In-degrees of ``total`` distinct pairs, all sets of which are equally likely.

    Each pair is there by chance, then single pairs that are chosen alike are added or taken out.
    """
    found = rng.binomial(choices, total / max(choices * n_targets, 1), n_targets)
    wrong = total - int(found.sum())
    pool = found if wrong < 0 else choices - found
    chosen = np.zeros(0, np.int64)
    while chosen.size < abs(wrong):
        more = rng.integers(0, int(pool.sum()), abs(wrong) - chosen.size)
        chosen = _distinct(np.concatenate([chosen, more]))
    target = np.searchsorted(np.cumsum(pool), chosen, side="right")
    found += np.sign(wrong) * np.bincount(target, minlength=n_targets)
    return found


def _distinct(values: Ints) -> Ints:
    """The different ones, ascending; ``numpy.unique`` hashes, which takes longer."""
    ordered = np.sort(values)
    found: Ints = ordered[np.append(True, np.diff(ordered) != 0)[: ordered.size]]
    return found


class RandomProjection(NamedTuple):
    """A rule between two populations of given sizes, its values, and the seed."""

    name: str
    rule: ConnectionRule
    n_sources: int
    n_targets: int
    same: bool  # Whether the populations are one
    weights: Value
    delays: Value
    seed: int

    def first_synapses(self) -> Ints:
        """First synapse of every target, and their total. New array."""
        choices = self.rule.choices(self.n_sources, same=self.same)
        degrees = self.rule.in_degrees(choices, self.n_targets, self.stream("degrees"))
        return np.concatenate([[0], np.cumsum(degrees)])

    def stream(self, *what: object) -> WordStream:
        """The random words of something that is drawn."""
        return stream_of(self.seed, self.name, *what)

    def sources(self, first: Ints, low: int, high: int) -> Ints:
        """Source of every synapse of the targets ``low`` to ``high - 1``, by target. New array."""
        begin, end = int(first[low]), int(first[high])
        choices, target = self.rule.choices(self.n_sources, same=self.same), None
        if self.rule.allow_multapses:
            found = self.stream("source").below(choices, begin, end - begin)
        else:
            found = self._distinct_sources(first, low, high, choices)
        if choices < self.n_sources:
            target = owners(first[low : high + 1] - begin, end - begin) + low
            found += found >= target
        return found

    def _distinct_sources(self, first: Ints, low: int, high: int, choices: int) -> Ints:
        """As :meth:`sources`, each once a target, ascending, among ``choices``."""
        degree = np.diff(first)
        # Of more than half of the sources, those are drawn that are left out.
        absent = 2 * degree > choices
        less = np.where(absent, choices - degree, degree)
        before = np.concatenate([[0], np.cumsum(less)])
        n, begin = int(before[high] - before[low]), int(before[low])
        target = owners(before[low : high + 1] - begin, n)
        key = np.sort(target * choices + self.stream("source").below(choices, begin, n))
        again, turn = _twice(key), 1
        while again.any():
            # What is there twice is drawn again: all sets stay alike.
            words = self.stream("source", turn).below(choices, begin, n)
            key[again] = target[again] * choices + words[again]
            key.sort()
            again, turn = _twice(key), turn + 1
        mine = absent[low:high]
        if mine.any():
            key = _with_complements(key, mine, choices)
        return key % choices

    def values(self, what: Literal["weights", "delays"], first: int, n: int) -> Floats:
        """Weights or delays of the synapses ``first`` to ``first + n - 1``. New array."""
        return drawn(getattr(self, what), self.stream(what), first, n)


def _twice(key: Ints) -> Bools:
    """Mask of entries that are equal to the entry before them."""
    found = np.zeros(key.size, np.bool_)
    np.equal(key[1:], key[:-1], out=found[1:])
    return found


def _with_complements(key: Ints, absent: Bools, choices: int) -> Ints:
    """Keys target * choices + source, where those of some targets are the sources left out."""
    of_absent = absent[key // choices]
    some = np.flatnonzero(absent)
    there = np.ones((some.size, choices), np.bool_)
    gone = key[of_absent]
    there[np.searchsorted(some, gone // choices), gone % choices] = False
    row, source = np.nonzero(there)
    return np.sort(np.concatenate([key[~of_absent], some[row] * choices + source]))


class Rows(NamedTuple):
    """Compressed rows by source: synapses in order of (source, target, number)."""

    indptr: NDArray[Any]
    indices: NDArray[np.int32]
    weights: NDArray[Any]
    delays: NDArray[Any]  # Of every synapse, or shape () for one


def build_rows(
    given: RandomProjection, weight_dtype: np.dtype[Any], delay_dtype: np.dtype[Any]
) -> Rows:
    """Draw all synapses, straight into rows. New arrays."""
    first = given.first_synapses()
    total = int(first[-1])
    counts = np.zeros(given.n_sources, np.int64)
    for low, high in _blocks(first):
        counts += np.bincount(given.sources(first, low, high), minlength=given.n_sources)
    index = np.int32 if total <= np.iinfo(np.int32).max else np.int64
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(index)
    per_synapse = isinstance(given.delays, Distribution)
    rows = Rows(
        indptr,
        np.empty(total, np.int32),
        np.empty(total, weight_dtype),
        np.empty(total, delay_dtype) if per_synapse else np.array(given.delays, delay_dtype),
    )
    cursor = indptr[:-1].astype(np.int64)
    for low, high in _blocks(first):
        _write(given, rows, cursor, first, (low, high), per_synapse=per_synapse)
    return rows


def _write(
    given: RandomProjection,
    rows: Rows,
    cursor: Ints,
    first: Ints,
    targets: tuple[int, int],
    *,
    per_synapse: bool,
) -> None:
    """Write the synapses onto some targets; ``cursor`` is the next place of every row."""
    low, high = targets
    begin, n = int(first[low]), int(first[high] - first[low])
    source = given.sources(first, low, high)
    counts = np.bincount(source, minlength=given.n_sources)
    key = np.sort(source << 32 | np.arange(n))
    order, source = key & 0xFFFFFFFF, key >> 32
    place = (cursor - (np.cumsum(counts) - counts))[source] + np.arange(n)
    target = np.repeat(np.arange(low, high, dtype=np.int32), np.diff(first[low : high + 1]))
    rows.indices[place] = target[order]
    rows.weights[place] = given.values("weights", begin, n)[order]
    if per_synapse:
        rows.delays[place] = given.values("delays", begin, n)[order]
    cursor += counts


def _blocks(first: Ints) -> Iterator[tuple[int, int]]:
    """Ranges of targets with no more than BLOCK synapses, or of one target."""
    low, n_targets = 0, first.size - 1
    while low < n_targets:
        high = int(np.searchsorted(first, first[low] + BLOCK, side="right")) - 1
        high = min(max(high, low + 1), n_targets)
        yield low, high
        low = high


def fixed_indegree(
    indegree: int, *, allow_multapses: bool = True, allow_autapses: bool = True
) -> ConnectionRule:
    """Rule with ``indegree`` synapses onto every target, for :meth:`eventsim.Network.connect`.

    Parameters
    ----------
    indegree
        Synapses of a target.
    allow_multapses
        Whether a pair of neurons may have several.
    allow_autapses
        Whether a neuron of a population that projects onto itself may be its own source.

    Raises
    ------
    ParameterError, ShapeError
        The number is no whole number >= 0.
    """
    return _counted("fixed_indegree", indegree, allow_multapses, allow_autapses)


def fixed_total_number(
    n: int, *, allow_multapses: bool = True, allow_autapses: bool = True
) -> ConnectionRule:
    """Rule with ``n`` synapses in all; else as :func:`fixed_indegree`.

    Raises
    ------
    ParameterError, ShapeError
        The number is no whole number >= 0.
    """
    return _counted("fixed_total_number", n, allow_multapses, allow_autapses)


def pairwise_bernoulli(p: float, *, allow_autapses: bool = True) -> ConnectionRule:
    """A synapse of each pair with probability ``p``; else as :func:`fixed_indegree`.

    Raises
    ------
    ParameterError
        The probability is not in [0, 1].
    """
    found = in_domain("pairwise_bernoulli", "p", p, Probability)
    return ConnectionRule("pairwise_bernoulli", float(found), False, allow_autapses)


def _counted(kind: Kind, amount: int, multapses: bool, autapses: bool) -> ConnectionRule:
    number = whole_number(amount, kind)
    if number < 0:
        raise ParameterError(kind, f"{number} synapses", "a whole number >= 0")
    return ConnectionRule(kind, number, multapses, autapses)
