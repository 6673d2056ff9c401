r"""Central differences with Ridders' extrapolation, written for these tests alone.

For steps h, h/c, h/c^2, ... the differences are extrapolated to h = 0 in a Neville table; the
entry with the smallest estimated error is taken, and that error goes with it. A direction is
left out, and counted, if

* ``changed``: even at the smallest step some neuron fires another number of times, or
* ``unresolved``: the estimated error of the difference itself is above ``RESOLVED`` of the
  entry's scale. That happens at a kink, where an arrival sits within the step of a spike
  or of the end of a hold, and where the loss hardly depends on the entry.

At the border of a parameter's domain (a delay or refractory time of 0) the difference is taken to
one side.
"""

from dataclasses import dataclass

import numpy as np

import eventsim as es
from tests.support.compare import counts_of

RESOLVED = 2e-7
ENOUGH = 0.03 * RESOLVED  # the estimated error of a difference that no smaller step makes better
EPS = np.finfo(float).eps
CONTRACTION = 1.7
ROWS = 6


@dataclass(frozen=True)
class Row:
    """One compared entry; ``status`` is "compared", "changed" or "unresolved"."""

    key: str
    index: int
    difference: float
    error: float
    scale: float
    status: str


class Differences:
    """Numerical gradients of a loss on a net and stream, entry by entry."""

    def __init__(self, net, stream, loss, *, backend, per_key=5, seed=0, start=None):
        self.net, self.stream, self.loss, self.backend = net.copy(), stream, loss, backend
        self.per_key, self.rng = per_key, np.random.default_rng(seed)
        self.start = start
        self.base = counts_of(es.simulate(self.net, stream, backend=backend, start=start))

    def rows(self, keys=None):
        """Rows of every parameter, or of ``keys``; and of the input times (key "input_times")."""
        parameters = self.net.parameters()
        rows = []
        for key in keys or [*parameters, "input_times"]:
            if key == "input_times":
                size, entry = self.stream.n_events, self._shift_event
            else:
                value = parameters[key].reshape(-1)
                assert value.size == 0 or np.shares_memory(value, parameters[key])
                size, entry = value.size, self._shift_parameter(value)
            chosen = np.arange(size)
            if size > self.per_key:
                chosen = np.sort(self.rng.choice(size, self.per_key, replace=False))
            rows += _rows_of_key(key, [(int(k), *entry(int(k))) for k in chosen])
        return rows

    def _shift_parameter(self, value):
        def entry(k):
            start = float(value[k])

            def evaluate(shift):
                value[k] = start + shift
                try:
                    return self._evaluate(self.stream)
                finally:
                    value[k] = start

            border = start == 0.0
            step = 2e-3 * max(abs(start), 1.0 if border else 0.1)
            return _derivative(evaluate, step, one_sided=border)

        return entry

    def _shift_event(self, k):
        s = self.stream

        def evaluate(shift):
            times = s.times.copy()
            times[k] += shift
            return self._evaluate(
                es.EventStream(
                    times, s.channels, s.offsets, n_channels=s.n_channels, duration=s.duration
                )
            )

        sample = np.searchsorted(s.offsets, k, side="right") - 1
        lo, hi = s.offsets[sample], s.offsets[sample + 1]
        room = [s.times[k] - (s.times[k - 1] if k > lo else 0.0)]
        room.append((s.times[k + 1] if k + 1 < hi else s.duration[sample]) - s.times[k])
        return _derivative(evaluate, min(0.4 * min(room), 5e-3), one_sided=False)

    def _evaluate(self, stream):
        tape = es.simulate(self.net, stream, backend=self.backend, start=self.start)
        if counts_of(tape) != self.base:
            return None
        return self.loss(self.net, tape)[0]


def _derivative(evaluate, step, *, one_sided):
    """``(difference, estimated error)``, or ``(None, None)`` where spike counts change.

    A smaller first step is tried where counts change or the table does not settle.
    """
    centre = evaluate(0.0) if one_sided else None
    best, error = None, np.inf
    for _ in range(5):
        high = evaluate(step)
        low = centre if one_sided else evaluate(-step)
        if high is not None and low is not None:
            found, guess = _ridders(evaluate, step, high, low, centre)
            if guess < error:
                best, error = found, guess
            if error <= 0.3 * RESOLVED * abs(best):
                break
        step /= 8.0
    return (None, None) if best is None else (best, error)


def _ridders(evaluate, step, high, low, centre):
    one_sided = centre is not None
    order = CONTRACTION if one_sided else CONTRACTION**2
    width = 1.0 if one_sided else 2.0
    table = [[(high - low) / (width * step)]]
    best, error = table[0][0], np.inf
    for row in range(1, ROWS):
        step /= CONTRACTION
        high = evaluate(step)
        low = centre if one_sided else evaluate(-step)
        if high is None or low is None:
            return None, np.inf
        column = [(high - low) / (width * step)]
        noise = 0.5 * EPS * abs(high) / step  # of the loss itself: agreement below is luck
        factor = order
        for m in range(row):
            column.append((factor * column[m] - table[-1][m]) / (factor - 1.0))
            factor *= order
            guess = max(abs(column[-1] - column[-2]), abs(column[-1] - table[-1][m]), noise)
            if guess < error:
                best, error = column[-1], guess
        table.append(column)
        if error <= ENOUGH * abs(best):
            break
    blind = all(column[0] == 0.0 for column in table)  # the loss does not see this entry at all
    return best, 0.0 if blind else error


def _rows_of_key(key, entries):
    """Rows with a common scale: a thousandth of the key's largest entry is the least scale."""
    known = [abs(d) for _, d, _ in entries if d is not None]
    floor = 1e-3 * max(known, default=0.0)
    rows = []
    for index, difference, error in entries:
        if difference is None:
            rows.append(Row(key, index, np.nan, np.nan, np.nan, "changed"))
            continue
        scale = max(abs(difference), floor)
        resolved = error <= RESOLVED * scale or (difference == 0.0 and error == 0.0)
        status = "compared" if resolved else "unresolved"
        rows.append(Row(key, index, difference, error, scale, status))
    return rows


def assert_gradients_match(gradients, rows, *, rtol=1e-6, min_fraction=0.9):
    """Every compared row within ``rtol`` of its scale; enough rows compared; none all left out."""
    flat = gradients.flat()
    wrong, compared, keys = [], 0, {}
    for row in rows:
        keys.setdefault(row.key, 0)
        if row.status != "compared":
            continue
        compared += 1
        keys[row.key] += 1
        array = gradients.input_times if row.key == "input_times" else flat[row.key]
        actual = float(np.asarray(array).reshape(-1)[row.index])
        if not abs(actual - row.difference) <= rtol * row.scale:
            wrong.append(
                f"{row.key}[{row.index}]: adjoint {actual:.12g}, difference "
                f"{row.difference:.12g} +- {row.error:.1e}, relative "
                f"{abs(actual - row.difference) / row.scale if row.scale else np.inf:.2e}"
            )
    left_out = [f"{r.key}[{r.index}] {r.status}" for r in rows if r.status != "compared"]
    assert not wrong, f"{len(wrong)} of {compared} entries wrong:\n" + "\n".join(wrong)
    assert compared >= min_fraction * len(rows), f"left out: {left_out}"
    assert all(keys.values()), f"never compared: {[k for k, n in keys.items() if not n]}"
