"""The members of a loop: their spikes as those of one population, and apart again."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, namespace, owners
from eventsim.events import SpikeTrains
from eventsim.events.order import order_of_parts
from eventsim.plan import Stage


def split_members(stage: Stage, trains: SpikeTrains) -> dict[str, SpikeTrains]:
    """Spikes of a stage by the name of its members."""
    if len(stage.members) == 1:
        return {stage.members[0].name: trains}
    return {
        member.name: trains.of_neurons(int(low), int(high))
        for member, low, high in zip(
            stage.members, stage.member_start[:-1], stage.member_start[1:], strict=True
        )
    }


def member_order(stage: Stage, trains: Mapping[str, SpikeTrains]) -> NDArray[np.int64]:
    """Order by (sample, time, neuron) of the members' spikes, member after member."""
    parts = [trains[member.name] for member in stage.members]
    xp = namespace(parts[0].times)
    order: NDArray[np.int64]
    if len(parts) == 1:
        order = xp.arange(len(parts[0]))
        return order
    neurons, times, sample = (
        xp.concatenate(arrays)
        for arrays in (
            [part.neurons + int(low) for part, low in zip(parts, stage.member_start, strict=False)],
            [part.times for part in parts],
            [owners(part.offsets, len(part)) for part in parts],
        )
    )
    if xp is np:
        return order_of_parts(sample, times, neurons)
    # CuPy takes the keys as one array.
    order = xp.lexsort(xp.stack([key.astype(np.float64) for key in (neurons, times, sample)]))
    return order


def join_members(
    stage: Stage, trains: Mapping[str, SpikeTrains], order: NDArray[np.int64]
) -> SpikeTrains:
    """Spikes of all members as those of one population; undoes :func:`split_members`."""
    parts = [trains[member.name] for member in stage.members]

    xp = namespace(order)

    def joined(arrays: list[Floats]) -> Floats:
        together: Floats = xp.concatenate(arrays)[order]
        return together

    neurons = [
        part.neurons + int(low) for part, low in zip(parts, stage.member_start, strict=False)
    ]
    return SpikeTrains(
        joined([part.times for part in parts]),
        xp.concatenate(neurons)[order].astype(np.int32),
        sum((part.offsets for part in parts[1:]), start=parts[0].offsets),
        int(stage.member_start[-1]),
        current=joined([part.current for part in parts]),
        restart_current=joined([part.restart_current for part in parts]),
    )
