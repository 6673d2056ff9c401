"""Compiled loops that swap neurons of two cores."""

import numpy as np

from eventsim.engine.cpu.compile import lean, sequential_kernel
from eventsim.mapping.kernels import new_scratch, put, scan

PARTNERS = 4  # neurons that are tried for a swap
PATIENCE = 50  # swaps with neurons of one core that fail in a row before it is left


@lean
def _none_worse(held, before):
    """Whether no core is further beyond a limit than before, or than it is allowed."""
    for core in range(held.neurons.size):
        if (
            held.neurons[core] > max(before[0, core], held.limits[0])
            or held.axons_in[core] > max(before[1, core], held.limits[1])
            or held.axons_out[core] > max(before[2, core], held.limits[2])
            or held.synapses[core] > max(before[3, core], held.limits[3])
        ):
            return False
    return True


@lean
def _has_memory(neuron, partner, wiring, held):
    """Whether both cores have memory for the synapses after a swap, or no less than before."""
    here, there = held.core_of[neuron], held.core_of[partner]
    more = wiring.fan_in[neuron] - wiring.fan_in[partner]
    full = there if more > 0 else here
    return more == 0 or held.synapses[full] + abs(more) <= held.limits[3]


@lean
def _swap(neuron, partner, wiring, held, ground, room, before):
    """Swap two neurons, or leave all as it was if that gains nothing or breaks a limit."""
    here, there = held.core_of[neuron], held.core_of[partner]
    for k in range(held.neurons.size):
        before[0, k], before[1, k] = held.neurons[k], held.axons_in[k]
        before[2, k], before[3, k] = held.axons_out[k], held.synapses[k]
    scan(neuron, wiring, held, ground, room)
    gain = room.gain[there]
    put(neuron, there, wiring, held)
    scan(partner, wiring, held, ground, room)
    gain += room.gain[here]
    put(partner, here, wiring, held)
    if gain > 0.0 and _none_worse(held, before):
        return True
    put(partner, there, wiring, held)
    put(neuron, here, wiring, held)
    return False


@sequential_kernel
def swap_with(core, neurons, wishes, columns, members, gains, wiring, held, ground):
    """Let neurons of other cores that find one full change places with members; how many did.

    ``wishes``: float64 [neurons], what each gained there when it was asked. ``gains``: float64
    [cores, members], of the members at the beginning, on the cores of the neurons; ``columns``:
    int64 [neurons], which of these a neuron lies on.
    """
    room = new_scratch(held, ground)
    before = np.empty((4, held.neurons.size), np.int64)
    most = np.empty(gains.shape[0], np.float64)
    for i in range(most.size):
        most[i] = gains[i].max()
    # The members by falling gain on a core, of those cores that a neuron asked for.
    order = np.empty(gains.shape, np.int32)
    ordered = np.zeros(gains.shape[0], np.bool_)
    failed, swapped = 0, 0
    for i in range(neurons.size):
        neuron, here = neurons[i], columns[i]
        if most[here] <= -wishes[i]:
            continue
        scan(neuron, wiring, held, ground, room)
        wish = room.gain[core]
        if wish <= 0.0 or most[here] <= -wish:
            continue
        if not ordered[here]:
            order[here], ordered[here] = np.argsort(-gains[here], kind="mergesort"), True
        done, tried = False, 0
        for k in order[here]:
            if gains[here, k] <= -wish or tried == PARTNERS:
                break
            if held.core_of[members[k]] != core or not _has_memory(
                neuron, members[k], wiring, held
            ):
                continue
            tried += 1
            if _swap(neuron, members[k], wiring, held, ground, room, before):
                done = True
                swapped += 1
                break
            failed += 1
        if done:
            failed = 0
        elif failed > PATIENCE:
            break
    return swapped
