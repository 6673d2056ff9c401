"""Plan: the population graph condensed into stages, in the order in which they run.

Populations that reach each other through projections, and a population that projects to itself,
form a loop. They run together as one stage, because a spike of a neuron may reach it again. All
other populations are feedforward, apart from self-connections of single neurons. Once the spikes of
all sources are known, each (sample, neuron) pair can process its own merged input alone. So each of
these populations is a stage of its own. :mod:`eventsim.engine.algorithm` chooses the algorithm of a
stage.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import owners
from eventsim.errors import ShapeError
from eventsim.events import SpikeTape
from eventsim.memo import Made, Memo
from eventsim.network import Network, Population, Projection
from eventsim.network.parts import join_populations
from eventsim.plan.structure import check_structure, structure_of
from eventsim.plan.wiring import Wiring, make_wiring

# Sparse afferents are kept with their zeros, as dense ones are, if at least this share of all
# places is taken: on one core that is 1.2 to 3.7 times as fast (bench/results/filling.jsonl). 2 %
# on it may be faster, but the neurons of one sample are then not shared out to threads.
LEAST_FILLED = 1 / 16
MOST_PLACES = 1 << 24  # 128 MB in double precision

# A processor advances so many neighbouring neurons side by side. It skips rows without a synapse
# onto them if at most this share of all rows has one (bench/results/blocks.jsonl).
BLOCK = 32
MOST_HEARD = 1 / 4


@dataclass(frozen=True, eq=False)
class Stage:
    """Populations that run together, with all projections into them.

    Attributes
    ----------
    members
        One population, or those of a loop; their neurons are numbered one after the other.
    afferents
        Projections from other stages, in the order in which they were connected.
    lateral
        Projections between members, by source, those of a member to itself first; empty unless they
        form a loop. Kernels read arrivals of one time from the last to the first, and so come to a
        spike after all that it caused at once.
    recurrences
        The self-recurrent projection of every member, or None.
    memo
        Results that depend on its values, valid as long as the caller says that these stay.
    kept
        Results that depend on its structure, valid as long as the network keeps it.
    seen
        Facts from earlier runs of the stage with which the next run may begin. They change no
        result.
    """

    members: tuple[Population, ...]
    afferents: tuple[Projection, ...]
    lateral: tuple[Projection, ...]
    recurrences: tuple[Projection | None, ...]
    memo: Memo = field(default_factory=Memo, repr=False)
    kept: Memo = field(default_factory=Memo, repr=False)
    seen: dict[str, float] = field(default_factory=dict, repr=False)

    def once(self, key: Hashable, make: Callable[[], Made], *, kept: bool = True) -> Made:
        """The result of ``make`` for this stage; computed once per key while its values stay."""
        # By a key that does not lead back to the memo: it ends with its last owner.
        return self.memo.once((self.kept, key), make, kept=kept)

    @property
    def name(self) -> str:
        """Name of the population, or of all members."""
        return "+".join(population.name for population in self.members)

    @property
    def population(self) -> Population:
        """The population; for a loop all members as one population, with their present values."""
        if len(self.members) == 1:
            return self.members[0]
        return self.once("population", lambda: join_populations(self.members))

    @property
    def is_readout(self) -> bool:
        """Whether it is a readout, which is alone in its stage and sends no spikes."""
        return self.members[0].is_readout

    @property
    def is_linear(self) -> bool:
        """Whether some neurons are of another kind than LIF: :mod:`eventsim.neuron.linear`."""
        return any(member.neuron is not None for member in self.members)

    @property
    def projections(self) -> tuple[Projection, ...]:
        """Afferents, then lateral projections: the order of the wiring."""
        return self.afferents + self.lateral

    @property
    def member_start(self) -> NDArray[np.int64]:
        """First neuron of every member, and their total."""
        sizes = [population.size for population in self.members]
        return self.kept.once("member_start", lambda: np.cumsum([0, *sizes]))

    @property
    def wiring(self) -> Wiring:
        """Synapses of all the stage's projections as one matrix, by source and by target."""
        return self.kept.once("wiring", self._wiring)

    def _wiring(self) -> Wiring:
        starts = [self.start_of(p.target) for p in self.projections]
        return make_wiring(self.projections, starts, int(self.member_start[-1]))

    @property
    def outdated(self) -> bool:
        """Whether some sparse weights have another pattern than the wiring, if there is one."""
        if "wiring" not in self.kept.made:
            return False
        return not all(self.wiring.holds(k, p) for k, p in enumerate(self.projections))

    def start_of(self, name: str) -> int:
        """First neuron of the member of that name."""
        return int(self.member_start[[p.name for p in self.members].index(name)])

    @property
    def delays_per_synapse(self) -> bool:
        """Whether some projection has delays of its own for every synapse."""
        return any(projection.delay_per_synapse for projection in self.projections)

    @property
    def shares_events(self) -> bool:
        """Whether all neurons of the stage get the same events at the same times.

        This is so if no delay depends on the target, no pair of neurons has several synapses, and
        the matrix of all projections is dense enough to be stored with its zeros: an event without
        effect on a neuron costs little. Then
        neurons can be advanced side by side. Otherwise each neuron processes the events of its own
        sources.
        """
        if self.delays_per_synapse or not self.kept.once("filled", self._well_filled):
            return False
        return not any(self.memo.any_nonzero(r.delays) for r in self.recurrences if r is not None)

    def _well_filled(self) -> bool:
        if all(p.all_to_all for p in self.projections) and len(self.members) == 1:
            return True
        size = int(self.member_start[-1])
        places = size * sum(p.weights.shape[0] for p in self.projections)
        synapses = sum(p.values.size for p in self.projections)
        if places > MOST_PLACES or synapses < LEAST_FILLED * places:
            return False
        return not any(p.has_multapses for p in self.projections)

    @property
    def places(self) -> NDArray[np.int64] | None:
        """Index of each synapse in the flat matrix [rows, size] of the wiring.

        None if the matrix has no empty entry: then the synapses are its entries in order.
        """
        return self.kept.once("places", self._places)

    def _places(self) -> NDArray[np.int64] | None:
        if all(p.all_to_all for p in self.projections) and len(self.members) == 1:
            return None
        wiring, size = self.wiring, int(self.member_start[-1])
        places: NDArray[np.int64] = owners(wiring.out_start, wiring.n_synapses) * size
        return places + wiring.target

    @property
    def heard(self) -> NDArray[np.bool_]:
        """Whether some neuron of a block has a synapse in a row of the wiring, [blocks, rows].

        A block has BLOCK neurons; the last block has the rest. If such blocks have synapses in more
        than the fraction MOST_HEARD of the rows, as with scattered synapses, all neurons are one
        block. A block of a convolution has the rows under its kernels. A loop is one block, since
        its neurons are connected with one another.
        """
        return self.kept.once("heard", self._heard)

    def _heard(self) -> NDArray[np.bool_]:
        wiring, size = self.wiring, int(self.member_start[-1])
        n_rows, n_blocks = wiring.out_start.size - 1, -(-size // BLOCK)
        if self.places is not None and n_blocks > 1 and not self.lateral:
            heard = np.zeros((n_blocks, n_rows), dtype=np.bool_)
            heard[wiring.target // BLOCK, owners(wiring.out_start, wiring.n_synapses)] = True
            if heard.mean() <= MOST_HEARD:
                return heard
        return np.ones((1, n_rows), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Plan:
    """Stages in run order, readouts included. ``memo`` and ``kept`` are as in a stage."""

    input: Population
    stages: tuple[Stage, ...]
    memo: Memo = field(default_factory=Memo, repr=False)
    kept: Memo = field(default_factory=Memo, repr=False)

    def with_memo(self, memo: Memo) -> "Plan":
        """The same plan with another memo, that of a time in which values stay."""
        stages = tuple(replace(stage, memo=memo) for stage in self.stages)
        return replace(self, stages=stages, memo=memo)

    @property
    def populations(self) -> list[Population]:
        """The populations, the input first."""
        return [self.input, *(member for stage in self.stages for member in stage.members)]

    @property
    def projections(self) -> list[Projection]:
        """The projections, stage by stage."""
        own = [r for stage in self.stages for r in stage.recurrences if r is not None]
        return [*(p for stage in self.stages for p in stage.projections), *own]

    @property
    def structure(self) -> str:
        """The structure that tapes of the network contain; see :mod:`eventsim.plan.structure`."""
        return self.kept.once("structure", lambda: structure_of(self.populations, self.projections))

    @property
    def outdated(self) -> bool:
        """Whether the pattern of some sparse weights changed after their wiring was made."""
        return any(stage.outdated for stage in self.stages)

    def check_tape(self, tape: SpikeTape, where: str) -> None:
        """Raise NetworkError if the tape is of another network than the plan.

        ParameterError if it holds the spikes of chosen neurons alone.
        """
        tape.require_all(where)
        senders = [m for stage in self.stages if not stage.is_readout for m in stage.members]
        here = {population.name: population.size for population in (self.input, *senders)}
        check_structure(here, self.input.name, self.structure, tape, where)

    def check_channels(self, n_channels: int, where: str) -> None:
        """Raise ShapeError unless a stream has as many channels as the input has neurons."""
        size = self.input.size
        if n_channels == size:
            return
        remedy = ""
        if n_channels < size:
            remedy = f" If the last channels are silent in it, make it with n_channels={size}."
        raise ShapeError(
            where,
            f"the stream has {n_channels} channels, input population {self.input.name!r} has "
            f"{size} neurons",
            remedy=f"They must be equal.{remedy}",
        )


_PLANS: WeakKeyDictionary[Network, tuple[tuple[int, int], Plan]] = WeakKeyDictionary()


def make_plan(net: Network, memo: Memo | None = None) -> Plan:
    """Plan a network. Results that depend on its structure are kept until it changes.

    Patterns of sparse weights that are changed in place are noticed: they are compared every time,
    which takes about as long as reading the values.

    Parameters
    ----------
    memo
        For the stages: the memo of a time in which the values of the network stay. None for a
        new one, which ends with the plan.

    Raises
    ------
    NetworkError
        The network has no input.
    """
    memo = Memo() if memo is None else memo
    return memo.once((make_plan, net), lambda: _known_plan(net)).with_memo(memo)


def _known_plan(net: Network) -> Plan:
    signature = (len(net.populations), len(net.projections))
    known = _PLANS.get(net)
    if known is None or known[0] != signature or known[1].outdated:
        known = (signature, _plan(net))
        _PLANS[net] = known
    return known[1]


def _plan(net: Network) -> Plan:
    component = _components(net)
    before: dict[int, set[int]] = {number: set() for number in component.values()}
    for projection in net.projections.values():
        source, target = component[projection.source], component[projection.target]
        if source != target:
            before[target].add(source)
    stages = []
    for number in TopologicalSorter(before).static_order():
        members = [p for p in net.populations.values() if component[p.name] == number]
        if members[0] is not net.input:
            stages.append(_stage(net, tuple(members)))
    return Plan(net.input, tuple(stages))


def _stage(net: Network, members: tuple[Population, ...]) -> Stage:
    names = [p.name for p in members]
    into = [p for p in net.projections.values() if p.target in names]
    lateral = [p for p in into if p.source in names and not p.one_to_one]
    return Stage(
        members,
        tuple(p for p in into if p.source not in names),
        tuple(sorted(lateral, key=lambda p: (names.index(p.source), p.target != p.source))),
        tuple(net.recurrences.get(name) for name in names),
    )


def _components(net: Network) -> dict[str, int]:
    """Number of the loop to which each population belongs; most loops have a single member.

    The number of a loop is that of its first member. This is Kosaraju's algorithm: depth-first
    walks against the projections, started in the reverse of the order in which walks along them
    ended.
    """
    targets: dict[str, list[str]] = {name: [] for name in net.populations}
    sources: dict[str, list[str]] = {name: [] for name in net.populations}
    for projection in net.projections.values():
        targets[projection.source].append(projection.target)
        sources[projection.target].append(projection.source)
    seen = set[str]()
    ended = [name for start in targets for name in _reached(start, targets, seen)]
    seen.clear()
    number = {name: k for k, name in enumerate(net.populations)}
    for members in [_reached(start, sources, seen) for start in reversed(ended)]:
        first = min((number[name] for name in members), default=0)
        number |= dict.fromkeys(members, first)
    return number


def _reached(start: str, after: dict[str, list[str]], seen: set[str]) -> list[str]:
    """Populations that a depth-first walk finds and that were not ``seen``, in postorder."""
    if start in seen:
        return []
    seen.add(start)
    found, ways = [], [(start, iter(after[start]))]
    while ways:
        following = next((one for one in ways[-1][1] if one not in seen), None)
        if following is None:
            found.append(ways.pop()[0])
        else:
            seen.add(following)
            ways.append((following, iter(after[following])))
    return found
