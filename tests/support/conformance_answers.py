r"""Exact answers of the conformance cases, by a solver that shares no code with eventsim.

Between events, with h the time since the last one,

.. math::
    V(h) = E + (V_0 - E) e^{-h/\tau_m} + R I_0 G(h), \qquad I(h) = I_0 e^{-h/\tau_s}, \qquad
    G(h) = \frac{\tau_s}{\tau_m - \tau_s} (e^{-h/\tau_m} - e^{-h/\tau_s}),

:math:`G(h) = (h/\tau_m) e^{-h/\tau_m}` for equal time constants. V' vanishes at most once; so the
first crossing is bracketed by that point and the ends, and the bracket closed at ``DIGITS`` digits,
of which near-equal time constants and grazing peaks cost some. All neurons of a network share one
order of events; spikes of one time are taken by number of the neuron, each followed by its arrivals
without delay.

An adaptive threshold adds a third exponential. :math:`V - \vartheta(t)` is then taken as a sum of
polynomials times exponentials; a function has at most one zero more than its derivative, and that
of a sum times :math:`e^{rt}` has one term, or one degree of a polynomial, less: so all zeros are
found, from those of a sum without terms on (:func:`zeros`). Neurons of further states are in
:mod:`tests.support.conformance_modes`.

Run as a script, it reads the inputs in the case files and writes what can be derived from them:

``python -m tests.support.conformance_answers [--check] [NAME ...]``

* ``spikes``, the same from ``DIGITS`` and from fewer digits, and with the neurons in reverse order;
* ``margin``: how near any peak of V comes to its threshold, from below or from above;
* ``condition``: by differences of one relative ``NUDGE`` of every number;
* ``tolerance``: 32 roundings (2^-53 or 2^-24) of a parameter, 8 of a time, seen through the
  condition, but at least 1e-9 ms (double) or 1e-3 ms (single).
"""

import heapq
import json
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import mpmath as mp

from tests.support.conformance_modes import Cell, bracketed

CASES = Path(__file__).parents[2] / "eventsim" / "conformance" / "cases"
DIGITS, FEWER_DIGITS, AGREED = 70, 56, 40
WRITTEN = 32  # digits in the files
NUDGE = mp.mpf(10) ** -25
PARAMETERS = ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory")
ADAPTIVE = ("adaptation", "tau_adaptation")
SMALLEST_MARGIN = {"double": 1e-12, "single": 2e-5}  # of V; below, the number of spikes is open
ROUNDING = {"double": 2.0**-53, "single": 2.0**-24}
ORDERED = ("tied-pair-that-inhibits",)  # decided by the order of neurons, as their texts say
LEAST = {"double": 1e-9, "single": 1e-3}  # ms


@dataclass
class Neuron:
    """Parameters and state: V and I at time t; V stands at v_reset until ``held``."""

    tau_mem: mp.mpf
    tau_syn: mp.mpf
    resistance: mp.mpf
    threshold: mp.mpf
    v_leak: mp.mpf
    v_reset: mp.mpf
    refractory: mp.mpf
    t: mp.mpf = field(default_factory=mp.mpf)
    v: mp.mpf = field(default_factory=mp.mpf)
    i: mp.mpf = field(default_factory=mp.mpf)
    held: mp.mpf = field(default_factory=mp.mpf)
    crossing: mp.mpf = mp.inf
    adaptation: mp.mpf | None = None
    tau_adaptation: mp.mpf | None = None
    a: mp.mpf = field(default_factory=mp.mpf)

    def __post_init__(self):
        self.v = self.v_reset if self.v_leak >= self.threshold else self.v_leak

    def voltage(self, h):
        """V after h ms of free flow from the state."""
        slow = mp.exp(-h / self.tau_mem)
        if self.tau_mem == self.tau_syn:
            gain = h / self.tau_mem * slow
        else:
            # slow - fast, whose digits cancel where the time constants are neighbours.
            apart = (self.tau_mem - self.tau_syn) / self.tau_syn
            gain = -slow * mp.expm1(-h * apart / self.tau_mem) / apart
        return self.v_leak + (self.v - self.v_leak) * slow + self.resistance * self.i * gain

    def excess(self):
        """V minus its threshold after h ms, for :func:`zeros`."""
        v, drive = self.v - self.v_leak, self.resistance * self.i
        slow, fast = 1 / self.tau_mem, 1 / self.tau_syn
        terms = [([self.v_leak - self.threshold], mp.mpf(0))]
        terms.append(([-self.adaptation * self.a], 1 / self.tau_adaptation))
        if slow == fast:
            return [*terms, ([v, drive * slow], slow)]
        share = drive * slow / (fast - slow)
        return [*terms, ([v + share], slow), ([-share], fast)]

    def slope(self):
        """The slope of V minus its threshold, in the state."""
        own = 0 if self.adaptation is None else self.adaptation * self.a / self.tau_adaptation
        return own + self.free_slope()

    def free_slope(self):
        """V' in the state."""
        return (self.resistance * self.i - (self.v - self.v_leak)) / self.tau_mem

    def turn(self):
        """h > 0 at which V' = 0, or None."""
        v, drive = self.v - self.v_leak, self.resistance * self.i
        if drive == 0:
            return None
        if self.tau_mem == self.tau_syn:
            h = self.tau_mem * (1 - v / drive)
            return h if h > 0 else None
        # V' = a exp(-h / tau_mem) + b exp(-h / tau_syn)
        k = self.tau_syn / (self.tau_mem - self.tau_syn)
        a, b = -(v + drive * k) / self.tau_mem, drive * k / self.tau_syn
        if a == 0 or -b / a <= 0:
            return None
        h = mp.log(-b / a) / (1 / self.tau_syn - 1 / self.tau_mem)
        return h if h > 0 else None

    def highest(self, span):
        """Largest V minus its threshold in the next ``span`` ms of free flow."""
        if self.adaptation is not None:
            terms = self.excess()
            marks = [*zeros(derivative(terms, mp.mpf(0)), span), span]
            return max(value(terms, h) for h in marks)
        turn = self.turn()
        marks = (span, *([turn] if turn and turn < span else []))
        return max(self.voltage(h) for h in marks) - self.threshold

    def advance(self, t):
        """Carry the state to time t, where no crossing lies between."""
        if self.adaptation is not None and self.t < t:
            self.a *= mp.exp(-(t - self.t) / self.tau_adaptation)
        if self.t < self.held:
            h = min(self.held, t) - self.t
            self.i *= mp.exp(-h / self.tau_syn)
            self.t += h
        if self.t < t:
            h = t - self.t
            self.v, self.i, self.t = self.voltage(h), self.i * mp.exp(-h / self.tau_syn), t

    def predict(self, end):
        """Time of the next crossing before ``end`` if nothing arrives, or infinity."""
        self.crossing = crossing_of(self, end)

    def receive(self, _, jump):
        """An arrival raises I."""
        self.i += jump

    def fire(self):
        """What a spike does, now."""
        self.v, self.held = self.v_reset, self.t + self.refractory
        self.a += 1

    def peaks(self, span, *, last):
        """V minus its threshold at the peaks in the next ``span`` ms; if ``last``, at their end."""
        if self.adaptation is not None:
            terms = self.excess()
            slope = derivative(terms, mp.mpf(0))
            tops = [h for h in zeros(slope, span) if value(derivative(slope, mp.mpf(0)), h) < 0]
            return [value(terms, h) for h in (*tops, *([span] if last else []))]
        turn = self.turn()
        inside = turn is not None and turn < span and self.slope() > 0
        at = [turn] if inside else [span] if last else []
        return [self.voltage(h) - self.threshold for h in at]

    def first_crossing(self, span):
        """Smallest h in [0, span] at which V rises through the threshold, or None."""
        if self.adaptation is not None:
            terms = self.excess()
            marks = [mp.mpf(0), *zeros(derivative(terms, mp.mpf(0)), span), span]
            for left, right in zip(marks[:-1], marks[1:], strict=True):
                if value(terms, left) < 0 <= value(terms, right):
                    return bisected(terms, left, right)
            return None
        turn = self.turn()
        marks = [mp.mpf(0), *([turn] if turn is not None and turn < span else []), span]
        for left, right in zip(marks[:-1], marks[1:], strict=True):
            if self.voltage(left) < self.threshold <= self.voltage(right):
                return self.root(left, right)
        return None

    def root(self, left, right):
        """Where V rises through the threshold inside a bracket in which it is monotone."""
        return bracketed(lambda h: self.voltage(h) - self.threshold, left, right, _tiny())


def _tiny():
    """How exact a time is."""
    return mp.mpf(10) ** -(mp.mp.dps - 10)


def crossing_of(neuron, end):
    """Time of a neuron's next crossing before ``end`` if nothing arrives, or infinity."""
    ahead = deepcopy(neuron)
    ahead.advance(max(neuron.t, min(neuron.held, end)))
    h = ahead.first_crossing(end - ahead.t)
    return mp.inf if h is None or ahead.t + h >= end else ahead.t + h


def value(terms, h):
    """A sum of polynomials times exp(-rate h); terms are [coefficients], rate."""
    return mp.fsum(c * h**k * mp.exp(-rate * h) for p, rate in terms for k, c in enumerate(p))


def derivative(terms, shift):
    """The derivative of the sum times exp(shift h); terms that vanish are left out."""
    found = []
    for p, rate in terms:
        rest = rate - shift
        new = [-rest * c for c in p]
        for k in range(1, len(p)):
            new[k - 1] += k * p[k]
        while new and new[-1] == 0:
            new.pop()
        if new:
            found.append((new, rest))
    return found


def zeros(terms, span):
    """All h in (0, span) at which the sum changes its sign, ascending."""
    if not terms:
        return []
    marks = [mp.mpf(0), *zeros(derivative(terms, terms[0][1]), span), span]
    found = []
    for left, right in zip(marks[:-1], marks[1:], strict=True):
        if value(terms, left) * value(terms, right) < 0:
            found.append(bisected(terms, left, right))
    return found


def bisected(terms, left, right):
    """Where the sum changes its sign inside a bracket."""
    return bracketed(lambda h: value(terms, h), left, right, _tiny())


def neuron_of(population, j):
    """Neuron j of a population of a case file."""
    if "neuron" in population:
        return Cell(population, j)
    return Neuron(**{
        p: mp.mpf(population[p][j]) for p in PARAMETERS + ADAPTIVE if p in population
    })  # fmt: skip


class Run:
    """One network: neurons by number, who receives from whom, one queue of arrivals."""

    def __init__(self, entry, *, reverse=False):
        self.end = mp.mpf(entry["duration"])
        self.keys, self.neurons = [], []
        for population in entry["populations"][1:]:
            for j in range(population["size"]):
                self.keys.append((population["name"], j))
                self.neurons.append(neuron_of(population, j))
        self.order = list(range(len(self.keys)))[:: -1 if reverse else 1]
        self.queue, self.count = [], 0
        self.spikes = {key: [] for key in self.keys}
        self.near = []
        number = {key: k for k, key in enumerate(self.keys)}
        self.fans = {}
        for projection in entry["projections"]:
            receptor = projection.get("receptor", "")
            for source, target, weight, delay in projection["synapses"]:
                fan = self.fans.setdefault((projection["source"], source), [])
                goal = number[projection["target"], target]
                fan.append(((goal, receptor), mp.mpf(weight), mp.mpf(delay)))
        for time, channel in entry["events"]:
            self.send((entry["populations"][0]["name"], channel), mp.mpf(time))

    def send(self, key, time):
        """Put the arrivals of a spike into the queue."""
        for goal, weight, delay in self.fans.get(key, ()):
            if time + delay < self.end:
                self.count += 1
                heapq.heappush(self.queue, (time + delay, self.count, goal, weight))

    def solve(self):
        """Spike times: dict (population, neuron) -> list of mpf."""
        for neuron in self.neurons:
            neuron.predict(self.end)
        while True:
            crossing = min(neuron.crossing for neuron in self.neurons)
            arrival = self.queue[0][0] if self.queue else mp.inf
            if min(crossing, arrival) >= self.end:
                break
            if arrival <= crossing:
                self.arrive(arrival)
            else:
                self.fire(next(k for k in self.order if self.neurons[k].crossing == crossing))
        for neuron in self.neurons:
            self.watch(neuron, self.end, last=True)
        return self.spikes

    def arrive(self, time):
        """All arrivals of one time, then the thresholds."""
        jumps = {}
        while self.queue and self.queue[0][0] == time:
            _, _, (goal, receptor), weight = heapq.heappop(self.queue)
            jump = jumps.setdefault(goal, {})
            jump[receptor] = jump.get(receptor, mp.mpf(0)) + weight
        for goal, by_receptor in jumps.items():
            neuron = self.neurons[goal]
            tied = neuron.crossing == time
            before = deepcopy(neuron)
            neuron.advance(time)
            for receptor, jump in by_receptor.items():
                neuron.receive(receptor, jump)
            if tied and neuron.slope() > 0:
                continue  # V is at the threshold and still rises: it fires at this time
            # A tie is decided by the order of neurons, not by how near V comes.
            self.watch(before, time, last=neuron.slope() <= 0 and not tied)
            neuron.predict(self.end)

    def fire(self, k):
        """Neuron k spikes."""
        neuron = self.neurons[k]
        time = neuron.crossing
        self.spikes[self.keys[k]].append(time)
        before = deepcopy(neuron)
        before.advance(time)
        following = [entry[0] for entry in self.queue if entry[2][0] == k and entry[0] > time]
        self.near.append(before.highest(min([*following, self.end]) - time))
        neuron.advance(time)
        neuron.fire()
        self.send(self.keys[k], time)
        neuron.predict(self.end)

    def watch(self, neuron, time, *, last):
        """Note how near V came to the threshold from the neuron's state until ``time``."""
        ahead = deepcopy(neuron)
        ahead.advance(min(max(ahead.t, ahead.held), time))
        if ahead.t < time:
            self.near += [-top for top in ahead.peaks(time - ahead.t, last=last)]


def solve(entry, *, digits=DIGITS, reverse=False):
    """Spike times of a case file's content: dict (population, neuron) -> list of mpf."""
    with mp.workdps(digits):
        return Run(entry, reverse=reverse).solve()


def margin(entry):
    """Smallest distance of a peak of V from its threshold, or None; for the case file."""
    with mp.workdps(DIGITS):
        run = Run(entry)
        run.solve()
        near = [abs(distance) for distance in run.near]
        return float(mp.nstr(min(near), 3)) if near else None


def condition(entry):
    """Largest |d spike time / d ln number| in ms over all spikes and numbers, by kind of number."""
    found = {"parameters": 0.0, "times": 0.0}
    plain = solve(entry)
    with mp.workdps(DIGITS):
        for kind, places in numbers(entry):
            moved = solve(nudged(entry, places))
            for neuron, times in plain.items():
                for one, two in zip(times, moved[neuron], strict=True):
                    found[kind] = max(found[kind], float(abs(two - one) / NUDGE))
    return {kind: float(f"{value:.3g}") for kind, value in found.items()}


def numbers(entry):
    """What is nudged: (kind, places), a place being the keys that lead to a number.

    One number at a time, or all of a kind where a single one would break a tie that decides.
    """
    found = [("times", [("events", k, 0)]) for k in range(len(entry["events"]))]
    for p, projection in enumerate(entry["projections"]):
        for key, kind in ((2, "parameters"), (3, "times")):
            rows = range(len(projection["synapses"]))
            found.append((kind, [("projections", p, "synapses", row, key) for row in rows]))
    for p, population in enumerate(entry["populations"][1:], start=1):
        # V starts at v_leak below the threshold and at v_reset from it on: an edge has no slope.
        edge = [a == b for a, b in zip(population["v_leak"], population["threshold"], strict=True)]
        for name in (key for key, values in population.items() if isinstance(values, list)):
            kind = "times" if name == "refractory" else "parameters"
            rows = [j for j, on in enumerate(edge) if not (on and name in ("v_leak", "threshold"))]
            found.append((kind, [("populations", p, name, j) for j in rows]))
    if entry["name"] not in ORDERED:
        found = [(kind, [place]) for kind, places in found for place in places]
    return found


def nudged(entry, places):
    """The same content with some numbers changed by one relative NUDGE. New object."""
    entry = deepcopy(entry)
    for *keys, last in places:
        holder = entry
        for key in keys:
            holder = holder[key]
        holder[last] = mp.mpf(holder[last]) * (1 + NUDGE)
    return entry


def tolerance(found, smallest):
    """Errors in ms that rounding explains, by precision; None where the margin is too small."""
    allowed = {}
    for precision, unit in ROUNDING.items():
        # Times are doubles in every precision.
        error = 32 * unit * found["parameters"] + 8 * ROUNDING["double"] * found["times"]
        decided = smallest is None or smallest > SMALLEST_MARGIN[precision]
        allowed[precision] = float(f"{max(LEAST[precision], error):.1e}") if decided else None
    return allowed


def agreed_spikes(entry):
    """Spike times that do not depend on the number of digits or the order of neurons."""
    best, others = solve(entry), [solve(entry, digits=FEWER_DIGITS)]
    if entry["name"] not in ORDERED:
        others.append(solve(entry, reverse=True))
    for other in others:
        for key, times in best.items():
            assert len(times) == len(other[key]), f"{entry['name']}: {key} fires in one run only"
            for one, two in zip(times, other[key], strict=True):
                assert abs(one - two) < mp.mpf(10) ** -AGREED, f"{entry['name']}: {key} at {one}"
    return best


def written(spikes, entry):
    """Spikes as the case file has them."""
    with mp.workdps(DIGITS):
        return {
            population["name"]: [
                [_text(time) for time in spikes[population["name"], j]]
                for j in range(population["size"])
            ]
            for population in entry["populations"][1:]
        }


def _text(time):
    return mp.nstr(time, WRITTEN, strip_zeros=False, min_fixed=-mp.inf, max_fixed=mp.inf)


def derive(entry):
    """The same content with everything that follows from the inputs. New object."""
    spikes, smallest, found = agreed_spikes(entry), margin(entry), condition(entry)
    allowed = tolerance(found, smallest)
    assert allowed["double"] is not None, f"{entry['name']}: margin {smallest} is too small"
    entry = entry | {"spikes": written(spikes, entry), "tolerance": allowed}
    return entry | {"condition": found, "margin": smallest}


def read(name):
    """Content of a case file."""
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


def layout(value, indent=""):
    """JSON for people: what fits on a line stays on it."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= 98 or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        rows = [f"{deeper}{json.dumps(k)}: {layout(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    return "[\n" + ",\n".join(deeper + layout(v, deeper) for v in value) + f"\n{indent}]"


def main(words):
    """Derive the named cases, or all; ``--check`` compares and writes nothing."""
    names = [word for word in words if word != "--check"]
    wrong = []
    for name in names or sorted(path.stem for path in CASES.glob("*.json")):
        entry = read(name)
        found = derive(entry)
        if "--check" not in words:
            (CASES / f"{name}.json").write_text(layout(found) + "\n", encoding="utf-8")
        elif found != entry:
            wrong.append(name)
        count = sum(len(times) for rows in found["spikes"].values() for times in rows)
        print(f"{name}: {count} spikes, margin {found['margin']}, {found['condition']}", flush=True)
    if wrong:
        sys.exit(f"Not as derived: {', '.join(wrong)}")


if __name__ == "__main__":
    main(sys.argv[1:])
